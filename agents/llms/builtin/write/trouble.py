"""What could not be done: unknown symbols, no symbol at all, failed or missing tools."""

import re

from agents.llms.builtin.dialogue import ABOUT_ONE, Ask
from agents.llms.builtin.results import Result, Results
from agents.llms.builtin.write import catalogue, common
from agents.llms.builtin.write import phrases as say

_NAMED = re.compile(r"no instrument called ['\"](?P<name>[^'\"]{1,80})['\"]")
_NEAREST = re.compile(r"Did you mean (?P<names>[A-Za-z0-9.,^ -]{1,80})\?")


def cannot(ask: Ask, results: Results, offered: frozenset[str]) -> str:
    """Return what to say instead of an answer, or nothing when there is an answer to write."""
    unknown = _unknown(ask, results)
    if unknown:
        return unknown
    if ask.intent in ABOUT_ONE and not ask.symbols:
        known = catalogue.names(results)
        have = f" I have {known}." if known else ""
        return f"**Which symbol do you mean?**{have}"
    if ask.intent == "compare" and len(ask.symbols) < 2:
        return "**Name two symbols to compare**, for instance “compare GOOG and MSFT”."
    return _no_data(ask, results)


def nothing(ask: Ask, results: Results, offered: frozenset[str]) -> str:
    """Return what to say when no tool gave anything to write from."""
    failed = results.failures
    if failed:
        tools = say.listed(dict.fromkeys(result.tool for result in failed))
        why = "; ".join(dict.fromkeys(common.reason(result) for result in failed))
        return (
            f"**I could not answer that: {tools} failed** ({why}). Nothing is lost; ask again in a "
            "moment."
        )
    return (
        "**I could not look that up: the tools for it are not offered to this agent.** An "
        "administrator can add them in the agent's settings."
    )


def _unknown(ask: Ask, results: Results) -> str:
    name, nearest = "", ""
    if ask.unknown:
        name = _plain(ask.unknown)
        looked_up = results.find("instruments", query=ask.unknown)
        close = looked_up.at("nearest") if looked_up is not None else None
        several = looked_up.rows("instruments") if looked_up is not None else []
        if len(several) > 1:
            found = say.listed((str(row.get("symbol")) for row in several[:5]), word="or")
            return f"**Which one do you mean by “{name}”: {found}?**"
        if isinstance(close, list):
            nearest = say.listed([str(one) for one in close[:3]], word="or")
    else:
        for result in results.failures:
            found_name = _NAMED.search(result.failure)
            if found_name:
                name = _plain(found_name["name"])
                hint = _NEAREST.search(result.failure)
                nearest = _plain(hint["names"]).replace(", ", " or ") if hint else ""
                break
    if not name:
        return ""
    known = catalogue.names(results)
    return say.sentences(
        f"**I have no prices for “{name}”.**",
        f"Did you mean {nearest}?" if nearest else "",
        f"There are {known}." if known else "Ask which symbols there are, and I list them.",
    )


def _no_data(ask: Ask, results: Results) -> str:
    """Return which dates there are, where none fit."""
    if (
        not results.failures
        or not ask.symbols
        or any(result.data is not None and result.tool != "instruments" for result in results.items)
    ):
        return ""
    listed = results.find("instruments", query=ask.symbols[0])
    rows = listed.rows("instruments") if listed is not None else []
    if len(rows) != 1 or ask.period is None:
        return ""
    row = Result("instruments", {}, data=rows[0])
    first, last = row.day("firstBar"), row.day("lastBar")
    if first is None or last is None:
        return ""
    symbol = row.text("symbol")
    return (
        f"**I have no prices of {symbol} for that time.** Its bars go from {say.on_day(first)} to "
        f"{say.on_day(last)}."
    )


def _plain(name: str) -> str:
    kept = "".join(c for c in name if c.isalnum() or c in " .,&-")
    return kept.strip()[:40]
