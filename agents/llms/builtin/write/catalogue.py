"""Which instruments there are, and what is known about the data."""

from agents.llms.builtin.dialogue import Ask
from agents.llms.builtin.results import Result, Results, day, number, text
from agents.llms.builtin.write import phrases as say

SHOWN = 20


def symbols(ask: Ask, results: Results) -> str:
    """Write which instruments there are, or whether the one asked for is there."""
    if ask.symbols:
        asked = results.find("instruments", query=ask.symbols[0])
        if asked is not None and asked.rows("instruments"):
            found = asked.rows("instruments")
            names = say.listed(_named(row) for row in found[:SHOWN])
            return say.paragraphs(f"**Yes, I have {names}.**", _table(found[:SHOWN]))
    found_all = _all(results)
    if found_all is None:
        return ""
    listed = found_all.rows("instruments")
    if not listed:
        return "**There are no prices here yet.** Import some bars, then ask again."
    count = found_all.number("count") or float(len(listed))
    head = f"**I have daily prices for {say.count(count)} instruments.**"
    if ask.symbols:
        head = (
            f"**No, I have nothing on {ask.symbols[0]}.** There are {say.count(count)} instruments:"
        )
    more = "I show the first ones; ask for another by its name." if count > SHOWN else ""
    return say.paragraphs(head, _table(listed[:SHOWN]), more)


def data(ask: Ask, results: Results) -> str:
    """Write how old the data is and where it comes from."""
    found = None
    if ask.symbols:
        found = results.find("instruments", query=ask.symbols[0])
    if found is None or not found.rows("instruments"):
        found = _all(results)
    if found is None:
        return ""
    listed = found.rows("instruments")
    last_days = [d for row in listed if (d := day(row, "lastBar")) is not None]
    if not last_days:
        return "**There are no prices here yet.** Import some bars, then ask again."
    newest = max(last_days)
    sources = dict.fromkeys(text(row, "source") for row in listed)
    return say.paragraphs(
        f"**The last bar I have is from {say.on_day(newest)}**; these are daily closing prices "
        "from a store, not a live feed.",
        _table(listed[:SHOWN]),
        f"Source: {say.listed(_plain(source) for source in sources if source)}.",
    )


def names(results: Results) -> str:
    """Return the symbols there are as a list in a sentence, empty when that is not known."""
    found = _all(results)
    if found is None:
        return ""
    known = [text(row, "symbol") for row in found.rows("instruments")]
    if len(known) > SHOWN:
        return f"{', '.join(known[:SHOWN])} and more"
    return say.listed(known)


def _all(results: Results) -> Result | None:
    for result in reversed(results.items):
        if result.tool == "instruments" and result.data is not None and not result.arguments:
            return result
    return None


def _named(row: dict[str, object]) -> str:
    symbol, name = text(row, "symbol"), text(row, "name")
    return f"{symbol} ({name})" if name and name != symbol else symbol


def _table(rows: list[dict[str, object]]) -> str:
    body = []
    for row in rows:
        first, last, bars = day(row, "firstBar"), day(row, "lastBar"), number(row, "bars")
        body.append(
            [
                text(row, "symbol"),
                text(row, "name") or "–",
                "–" if first is None else say.on_day(first),
                "–" if last is None else say.on_day(last),
                "–" if bars is None else say.count(bars),
            ]
        )
    return say.table(["Symbol", "Name", "First bar", "Last bar", "Bars"], body, words=2)


def _plain(source: str) -> str:
    """Drop version numbers: they are in the evidence, not in the sentence."""
    return " ".join(word for word in source.split() if not any(c.isdigit() for c in word))
