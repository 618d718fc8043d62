"""Decide how much of a conversation's past one request may carry.

Pure arithmetic on sizes: who wrote what, and in which format, is the caller's concern.
"""

from collections.abc import Sequence

_CHARACTERS_PER_TOKEN = 3
"""Prose is nearer to 4; numbers, JSON and code are nearer to 2.5. Rather too many than too few."""


def estimate_tokens(text: str) -> int:
    """Return about how many tokens `text` is, tending to too many; 0 for an empty text.

    Characters outside ASCII count by their UTF-8 bytes, which is what tokenizers fall back to.
    """
    length = len(text) if text.isascii() else len(text.encode("utf-8", "replace"))
    return -(-length // _CHARACTERS_PER_TOKEN)


def first_kept(turn_tokens: Sequence[int], *, budget: int) -> int:
    """Return the index of the oldest turn to keep, so that the kept ones fit `budget` together.

    Turns are kept whole and without gaps, newest first. When not even the newest fits, nothing is
    kept: the index is then `len(turn_tokens)`.
    """
    left = budget
    for index in range(len(turn_tokens) - 1, -1, -1):
        left -= turn_tokens[index]
        if left < 0:
            return index + 1
    return 0
