"""Read an answer and say of each of its numbers where it came from.

Deterministic, and linear in the length of the text.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime

from agents.claims.context import Reader
from agents.claims.facts import Fact, collect_facts
from agents.claims.labels import label_of
from agents.claims.matcher import Match, Matcher
from agents.claims.mentions import Mention, NumberMention, find_mentions
from agents.claims.values import Claim, Evidence

_RESULT = frozenset(("data", "asOf"))


def find_claims(text: str, evidence: Iterable[Evidence]) -> list[Claim]:
    """Return one claim for each number and date that `text` shows, in reading order."""
    sources = list(evidence)
    facts = collect_facts(sources)
    mentions = find_mentions(text)
    if not mentions:
        return []
    reader = Reader(text, _names(facts, sources))
    matcher = Matcher(facts, reader, mentions)
    return [
        _claim(index, mention, matcher.match(mention), sources)
        for index, mention in enumerate(mentions, start=1)
    ]


def _names(facts: list[Fact], evidence: list[Evidence]) -> dict[str, str]:
    """Return every word that may stand for one of the instruments in the evidence."""
    names = {fact.symbol: fact.symbol for fact in facts if fact.symbol}
    for one in evidence:
        stack: list[object] = [one.result.get("data")]
        looked = 0
        while stack and looked < 2000:
            node = stack.pop()
            looked += 1
            if isinstance(node, dict):
                symbol, name = node.get("symbol"), node.get("name")
                if isinstance(symbol, str) and isinstance(name, str):
                    first = re.match(r"[A-Z][a-z]{2,20}", name)
                    if first:
                        names.setdefault(first.group(), symbol.upper())
                stack.extend(node.values())
            elif isinstance(node, (list, tuple)):
                stack.extend(node[:400])
    return names


def _claim(
    index: int,
    mention: Mention,
    match: Match | None,
    evidence: list[Evidence],
) -> Claim:
    if match is None:
        return Claim(
            index=index,
            start=mention.start,
            end=mention.end,
            text=mention.text,
            status="unverified",
        )
    status, fact = match
    source = evidence[fact.evidence]
    cited = source.result.get("source")
    in_result = bool(fact.path) and fact.path[0] in _RESULT
    return Claim(
        index=index,
        start=mention.start,
        end=mention.end,
        text=mention.text,
        status=status,
        value=_value(mention, fact, status),
        tool_call_id=source.tool_call_id,
        tool=source.tool,
        path=_pointer(fact.path) if in_result else None,
        label=label_of(fact),
        unit=fact.unit or None,
        as_of=_moment(fact.as_of),
        source=cited if isinstance(cited, str) else None,
    )


def _value(mention: Mention, fact: Fact, status: str) -> float | str:
    """Return the exact value: for a setting that only a name tells (sma50), the setting."""
    if status == "parameter" and isinstance(mention, NumberMention) and mention.window:
        wanted = mention.shown
        if fact.number not in (wanted, wanted / 100) and int(wanted) in fact.lengths:
            return int(wanted)
    return fact.original


def _pointer(path: tuple[str, ...]) -> str:
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in path)


def _moment(value: str) -> datetime | None:
    if not 10 <= len(value) <= 40:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
