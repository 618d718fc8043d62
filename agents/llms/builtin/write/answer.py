"""Pick the writer for what was asked, and say plainly what could not be answered."""

import re
from collections.abc import Callable

from agents.llms.builtin.dialogue import Ask
from agents.llms.builtin.plan import timeframe_of
from agents.llms.builtin.results import Results
from agents.llms.builtin.write import (
    advice,
    catalogue,
    change,
    compare,
    define,
    forecast,
    fundamentals,
    indicator,
    news,
    outlook,
    picture,
    price,
    signals,
    talk,
    trouble,
    wishes,
)

_ON_BARS = ("indicators", "signals", "levels", "what_changed")

Writer = Callable[[Ask, Results], str]

WRITERS: dict[str, Writer] = {
    "outlook": outlook.outlook,
    "indicator": indicator.indicator,
    "trend": picture.trend,
    "levels": picture.levels,
    "volatility": picture.volatility,
    "price": price.price,
    "performance": price.performance,
    "changed": change.changed,
    "extremes": price.extremes,
    "volume": price.volume,
    "compare": compare.compare,
    "rank": compare.rank,
    "screen": wishes.screen,
    "alert": wishes.alert,
    "signals": signals.signals,
    "record": signals.record,
    "why": signals.why,
    "advice": advice.advice,
    "forecast": forecast.forecast,
    "graded": forecast.past,
    "news": news.news,
    "fundamentals": fundamentals.fundamentals,
    "define": define.define,
    "symbols": catalogue.symbols,
    "data": catalogue.data,
    "hello": talk.hello,
    "thanks": talk.thanks,
    "bye": talk.bye,
    "who": talk.who,
    "help": talk.help_,
    "missing": talk.missing,
    "other": talk.other,
    "unclear": talk.unclear,
    "empty": talk.empty,
    "foreign": talk.foreign,
}


def write(ask: Ask, results: Results, offered: frozenset[str]) -> str:
    """Return the answer to `ask` from `results`, and from nothing else."""
    said = trouble.cannot(ask, results, offered) or WRITERS[ask.intent](ask, results)
    if not said:
        said = trouble.nothing(ask, results, offered)
    said = _on_bars(said, timeframe_of(ask), results)
    if ask.cut:
        said = f"{said}\n\n*Your message was very long; I read only its beginning.*"
    return said


def _on_bars(said: str, timeframe: str, results: Results) -> str:
    """Return an answer in the bars that it was computed on, and say which those are."""
    spans = [found for one in _ON_BARS if (found := results.good(one)) is not None]
    made = next((one for one in spans if one.text("timeframe") == timeframe), None)
    if timeframe == "1d" or made is None:
        return said
    unit, name = ("week", "weekly") if timeframe == "1w" else ("month", "monthly")
    for days, longer in (
        (r"(?<=\d)-day\b", f"-{unit}"),
        (r"(?<=% of )days\b", f"{unit}s"),
        (r"(?<=[\d,] )days (?=there are)", "bars "),
        (r"\b(a|one) day\b", rf"\1 {unit}"),
        (r"\bdaily bars?\b", f"{name} bars"),
    ):
        said = re.sub(days, longer, said)
    of = {"1d": "daily"}.get(made.text("resampledFrom"), made.text("resampledFrom"))
    how = f" made of {of} ones" if of else ""
    return f"On {name} bars{how}, closed ones only:\n\n{said}"
