"""Sentences that several answers share."""

from agents.llms.builtin.dialogue import Ask
from agents.llms.builtin.results import Result, Results, day, number, text
from agents.llms.builtin.write import phrases as say

EXTREME = 95.0
HIGH = 80.0
FIVE_YEARS = 1_200
"""With fewer ranked days than this the history is shorter than the five years ranks look back."""


def lead(result: Result, *, asked_for_day: bool) -> str:
    """Return "GOOG closed at 806.19 on 1 March 2013", the first thing anybody wants to know."""
    symbol, close, last = result.text("symbol"), result.number("close"), result.day("lastBar")
    if close is None or last is None:
        return f"**I have no close for {symbol}.**"
    said = f"**{symbol} closed at {say.price(close)} on {say.on_day(last)}**"
    return f"{said}." if asked_for_day else f"{said}, the last bar I have."


def is_for_day(ask: Ask) -> bool:
    """Tell whether another day than the last bar was asked for."""
    return ask.period is not None and (ask.period.on is not None or ask.period.end is not None)


def trend(result: Result) -> str:
    """Return one sentence on the trend line and the averages."""
    line = result.at("trend")
    sides = averages(result)
    if not isinstance(line, dict):
        reason = result.text("notReady", "trend")
        start = f"There is no trend line yet: it {reason}" if reason else "There is no trend line"
        return f"{start}." if not sides else f"{start}; the close is {sides}."
    direction, slope, r2 = text(line, "direction"), number(line, "slope"), number(line, "r2")
    closes = number(line, "closes")
    named = {"up": "in an up-trend", "down": "in a down-trend"}.get(direction, "in no clear trend")
    inside = []
    if slope is not None and closes is not None:
        line_said = f"the line through the last {say.count(closes)} closes"
        if direction in {"up", "down"}:
            line_said += f" {'rises' if slope > 0 else 'falls'} {say.slope(abs(slope))} a day"
        inside.append(line_said)
    if r2 is not None:
        inside.append(f"R² {say.small(r2)}")
    said = f"It is {named}" + (f" ({', '.join(inside)})" if inside else "")
    return f"{said}, {sides}." if sides else f"{said}."


def averages(result: Result) -> str:
    """Return "above its 20- and 50-day averages and below its 200-day average"."""
    groups: dict[str, list[str]] = {"above": [], "below": [], "at": []}
    for length in ("20", "50", "200"):
        side = result.text("movingAverages", f"closeVsSma{length}", "side")
        if side in groups:
            groups[side].append(length)
    said = []
    for side, lengths in groups.items():
        if lengths:
            lengths_said = say.listed(
                [f"{length}-" for length in lengths[:-1]] + [f"{lengths[-1]}-day"]
            )
            said.append(f"{side} its {lengths_said} average{'s' if len(lengths) > 1 else ''}")
    return say.listed(said)


def rsi(result: Result, *, subject: str = "RSI") -> str:
    """Return one sentence on RSI, with how usual it is."""
    value, rank = result.number("rsi", "value"), result.number("rsi", "percentileRank")
    if value is None:
        reason = result.text("notReady", "rsi")
        return f"There is no RSI yet: it {reason}." if reason else "There is no RSI for that day."
    said = f"{subject} is {say.index(value)}"
    if rank is not None:
        said += f", higher than on {share_of_days(result, rank, 'rsi')}"
    return f"{said}: {stretch(value, rank)}."


def share_of_days(result: Result, rank: float, *path: str) -> str:
    """Return "83 % of days in the five years before", or of how many days there are."""
    ranked = result.number(*path, "rankedDays")
    if ranked is not None and ranked < FIVE_YEARS:
        return f"{say.rank(rank)} of the {say.count(ranked)} days there are to compare with"
    return f"{say.rank(rank)} of days in the five years before"


def stretch(value: float, rank: float | None) -> str:
    """Return what an RSI means, in plain words."""
    if value >= 70:
        return "overbought by the textbook"
    if value <= 30:
        return "oversold by the textbook"
    if rank is not None and rank >= EXTREME:
        return "high even for this one, though not overbought by the textbook"
    if rank is not None and rank <= 100 - EXTREME:
        return "low even for this one, though not oversold by the textbook"
    if value >= 60:
        return "firm, not extreme"
    if value <= 40:
        return "weak, not extreme"
    return "in the middle, nothing stretched"


def moves(result: Result) -> str:
    """Return one sentence on how much the price moves, and whether that is usual."""
    daily = result.number("volatility", "days20", "dailyPercent")
    rank = result.number("volatility", "days20", "percentileRank")
    if daily is None:
        reason = result.text("notReady", "volatility20")
        return f"There is no volatility yet: it {reason}." if reason else ""
    said = f"Daily moves have been {say.percent(daily)} over the last 20 days"
    low = result.number("volatility", "usualLowPercent")
    high = result.number("volatility", "usualHighPercent")
    usual = ""
    if low is not None and high is not None:
        usual = f"; its usual range is {say.small(low, 1)} to {say.percent(high)}"
    if rank is None:
        return f"{said}{usual}."
    return f"{said}: {calm(rank)} (higher than on {say.rank(rank)} of its days{usual})."


def calm(rank: float) -> str:
    """Return what a percentile of volatility means."""
    if rank >= EXTREME:
        return "unusually wild"
    if rank >= HIGH:
        return "livelier than usual"
    if rank <= 100 - EXTREME:
        return "unusually calm"
    if rank <= 100 - HIGH:
        return "calmer than usual"
    return "about as usual"


def edge(record: object, *, what: str = "days with a composite strength like today's") -> str:
    """Return what the track record says, with n and the base rate, and never more than it says."""
    badge = text(record, "edge")
    inner = record.get("trackRecord") if isinstance(record, dict) else None
    n, hit = number(inner, "n"), number(inner, "hitRate")
    base = number(inner, "baseRate")
    event = text(inner, "event")
    right = f" “Right” means that {event}." if event else ""
    if hit is None or base is None or n is None:
        if n is None:
            return ""
        if n == 0:
            return f"There is **no** past case of {what} to learn from.{right}"
        cases = f"(n {say.count(n)})"
        base_said = f" The base rate is {say.rank(base)}." if base is not None else ""
        return (
            f"There are **too few** past cases of {what} {cases} to give a rate.{base_said}{right}"
        )
    shown, base_shown = say.rates(hit, base)
    figures = (
        f"by the signal rules, {what} were right {shown} of the time (n {say.count(n)}), "
        f"and doing nothing clever would have been right {base_shown}."
    )
    if badge == "measured edge":
        return f"On direction there is a **measured edge**: {figures}{right}"
    return f"On direction I have **no measured edge**: {figures}{right}"


def signal_line(signal: dict[str, object]) -> str:
    """Return one list entry for one valid signal."""
    kind = text(signal, "signalType").replace("_", " ") or "signal"
    direction = text(signal, "direction")
    since, reason = day(signal, "validFrom"), text(signal, "reason")
    record = signal.get("trackRecord")
    n, hit, base = number(record, "n"), number(record, "hitRate"), number(record, "baseRate")
    head = f"**{kind[:1].upper()}{kind[1:]}**"
    if direction in {"bullish", "bearish"}:
        head += f", {direction}"
    if since is not None:
        head += f", since {say.on_day(since)}"
    said = f"{head}: {reason}." if reason else f"{head}."
    if hit is not None and base is not None and n is not None:
        # Kinds are often right about equally often: a decimal tells whose rate it is.
        shown, base_shown = (f"{rate:.1f}{say.GAP}%" for rate in (hit, base))
        badge = text(signal, "edge") or "no measured edge"
        return (
            f"{said} Right {shown} of the time (n {say.count(n)}; base rate {base_shown}): {badge}."
        )
    if n == 0:
        return f"{said} There is no past case of it to learn from."
    if n is not None:
        return f"{said} Too few past cases (n {say.count(n)}) to give a rate."
    return said


def unusual(quotes: Result | None, indicators: Result | None) -> str:
    """Answer "is that unusual?" from the ranks of everything that is ranked."""
    seen: list[str] = []
    ranked = 0
    if indicators is not None:
        for name, path in (
            ("RSI", ("rsi",)),
            ("the MACD histogram", ("macd",)),
            ("the width of the Bollinger bands", ("bollingerBands",)),
            ("daily volatility", ("volatility", "days20")),
        ):
            rank = indicators.number(*path, "percentileRank")
            if rank is None:
                continue
            ranked += 1
            if rank >= EXTREME or rank <= 100 - EXTREME:
                side = "higher" if rank >= EXTREME else "lower"
                share = rank if side == "higher" else 100 - rank
                if side == "higher":
                    seen.append(f"{name} is higher than on {say.rank(share)} of days")
                else:
                    seen.append(f"{name} is higher than on only {say.rank(rank)} of days")
    ratio = quotes.number("volumeRatio") if quotes is not None else None
    if ratio is not None:
        ranked += 1
        if ratio >= 2 or ratio <= 0.5:
            seen.append(f"volume is {say.times(ratio)} its 50-day average")
    if not ranked:
        return "**Unusual?** There is too little history to say."
    if not seen:
        return (
            "**Unusual?** No: RSI, MACD, band width, volatility and volume are all inside what "
            "is ordinary for it."
        )
    return f"**Unusual?** In part: {say.listed(seen)}."


def missing_parts(results: Results, wanted: dict[str, str]) -> str:
    """Say which parts of the answer are missing because a tool failed."""
    lost = [name for tool, name in wanted.items() if (r := results.find(tool)) and r.data is None]
    if not lost:
        return ""
    reasons = "; ".join(dict.fromkeys(reason(r) for r in results.failures if r.tool in wanted))
    return f"*Missing here: {say.listed(lost)}, because the tool failed ({reasons}).*"


def reason(result: Result) -> str:
    """Return why a tool failed as part of a sentence, without the numbers it was told."""
    plain = text({"f": result.failure}, "f").rstrip(". ")
    without = "".join(character for character in plain if not character.isdigit())
    if plain != without or not plain:
        return f"{result.tool} gave no answer"
    return plain[:1].lower() + plain[1:] if plain[:2] != plain[:2].upper() else plain


def strength(adx: float) -> str:
    if adx >= 40:
        return "a strong directional movement"
    if adx >= 25:
        return "a clear directional movement"
    return "little directional movement"


def crossing(found: Result) -> str:
    on = found.day("movingAverages", "lastCrossing", "on")
    what = found.text("movingAverages", "lastCrossing", "what")
    return f"Its latest crossing: {what} on {say.on_day(on)}." if on is not None and what else ""


def as_of(found: Result, ask: Ask) -> str:
    """Return the day and the close the figures belong to."""
    last, close = found.day("lastBar"), found.number("close")
    if last is None or close is None:
        return ""
    which = "" if is_for_day(ask) else ", the last bar I have"
    return f"As of {say.on_day(last)}{which} (close {say.price(close)})."
