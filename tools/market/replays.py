"""Replayed instruments: a real past shown again on a clock, always under a name of its own.

`GOOG@REPLAY` is GOOG's history told bar by bar. `@` is in no symbol that anybody can make known, so
a replay never touches, and is never taken for, the instrument it repeats.
"""

SUFFIX = "@REPLAY"


def replay_of(symbol: str) -> str:
    """Return the name under which an instrument is replayed."""
    return f"{symbol}{SUFFIX}"


def is_replay(symbol: str) -> bool:
    """Tell whether these are prices of the past, shown again."""
    return symbol.endswith(SUFFIX)


def original(symbol: str) -> str:
    """Return the symbol of the instrument whose past is shown."""
    return symbol.removesuffix(SUFFIX)
