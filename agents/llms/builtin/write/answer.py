"""Pick the writer for what was asked, and say plainly what could not be answered."""

from collections.abc import Callable

from agents.llms.builtin.dialogue import Ask
from agents.llms.builtin.results import Results
from agents.llms.builtin.write import (
    advice,
    catalogue,
    change,
    compare,
    define,
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
    "forecast": advice.forecast,
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
    if ask.cut:
        said = f"{said}\n\n*Your message was very long; I read only its beginning.*"
    return said
