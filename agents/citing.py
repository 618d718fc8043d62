"""Tie the numbers of an answer to what this run found out, or else to what earlier turns did.

The run's own results come first and alone: what they support stays as it is. Only numbers they
leave unverified are looked for in the results of earlier turns as well, for an answer may repeat
what was looked up before. All results are then weighed together, so that a number two of them give
differently stays unverified.
"""

from collections.abc import Sequence

import msgspec

from agents.claims import Claim, Evidence, find_claims
from agents.messages import Message

_MOST_RESULTS = 12
_MOST_CHARACTERS = 60_000
"""Of earlier results, newest first: looking through so many takes about 50 ms, in which nothing
else is done."""


def cite(text: str, own: Sequence[Evidence], history: Sequence[Message]) -> tuple[Claim, ...]:
    """Return one claim for each number and date of `text`."""
    claims = find_claims(text, own)
    if all(claim.status != "unverified" for claim in claims):
        return tuple(claims)
    earlier = earlier_evidence(history)
    if not earlier:
        return tuple(claims)
    again = find_claims(text, [*own, *earlier])
    return tuple(
        second if first.status == "unverified" else first
        for first, second in zip(claims, again, strict=True)
    )


def earlier_evidence(history: Sequence[Message]) -> list[Evidence]:
    """Return what the tools of earlier turns found out, newest first, as far back as is looked."""
    requests = {call.id: call for message in history for call in message.tool_requests}
    found: list[Evidence] = []
    characters = 0
    for message in reversed(history):
        call = requests.get(message.tool_request_id or "")
        if message.role != "tool" or message.failed or call is None:
            continue
        characters += len(message.content)
        if len(found) == _MOST_RESULTS or characters > _MOST_CHARACTERS:
            break
        try:
            result = msgspec.json.decode(message.content)
        except msgspec.DecodeError:
            continue
        if isinstance(result, dict):
            found.append(Evidence(call.id, call.name, call.arguments, result))
    return found
