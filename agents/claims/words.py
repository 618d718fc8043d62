"""Which words of an answer speak of which values of a tool result.

Values are named by programs ("hitRate", "sma50"), sentences by people ("was right", "50-day line").
Both are brought to the same small set of ideas so that they can be compared.
"""

import re
from functools import lru_cache


def word_set(words: str) -> frozenset[str]:
    """Return the words of a text as a set."""
    return frozenset(words.split())


_CAMEL = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+(?:\.[0-9]+)?|[^\W\d_]+")

_IDEAS = {
    "close": (
        "close closed closes closing finished ended settled price priced last trades traded "
        "trading stands quote value worth"
    ),
    "open": "open opened opens opening",
    "high": "high highs highest peak peaked top maximum max",
    "low": "low lows lowest bottom trough minimum min",
    "volume": "volume volumes turnover shares share traded",
    "change": (
        "change changed changes rose risen rise fell fallen fall gained gain lost lose "
        "loss up down performance performed return returned returns climbed dropped drop "
        "advanced declined decline move moved slipped added shed jumped grew difference "
        "since"
    ),
    "average": "average averages avg mean sma ema ma moving line",
    "rsi": "rsi overbought oversold strength",
    "macd": "macd convergence",
    "histogram": "histogram hist",
    "signal": "signal signals",
    "trend": "trend trends trending slope rising falling sloping uptrend downtrend regression",
    "r2": "r2 r² squared fit",
    "atr": "atr range",
    "adx": "adx directional di",
    "band": "band bands bollinger bandwidth upper lower middle",
    "upper": "upper",
    "lower": "lower",
    "percentile": "percentile percentiles rank higher quantile unusual",
    "volatility": (
        "volatility volatile vol moves swings swing variance sigma stdev deviation std calm"
    ),
    "annual": "annual annualised annualized yearly year",
    "day": "day days daily",
    "drawdown": "drawdown drawdowns draw",
    "hit": "hit hits right correct accuracy worked",
    "base": "base baseline chance otherwise nothing anyway unconditional",
    "rate": "rate rates proportion share probability",
    "n": (
        "n count sample samples times cases occurrences number observations occasions "
        "bars rows past"
    ),
    "support": "support supports floor",
    "resistance": "resistance resistances ceiling",
    "touch": "touch touches touched tested",
    "distance": "distance away above below from",
    "correlation": "correlation correlated together",
    "beta": "beta",
    "ratio": "ratio relative times multiple",
    "interval": "interval range between",
    "forecast": "forecast forecasts expected expect prediction predicted",
    "score": "score strength",
    "composite": "composite together overall combined",
    "lift": "lift edge",
    "first": "first start starts started starting begin begins beginning from since",
    "end": "end ended ends ending until to through latest newest",
    "date": "date dated on day",
    "count": "count number n",
    "horizon": "horizon next ahead over within later following",
    "spread": "spread gap difference",
    "wilson": "wilson confidence interval between",
}
_BY_WORD: dict[str, tuple[str, ...]] = {}
for _idea, _words in _IDEAS.items():
    for _word in {_idea, *_words.split()}:
        _BY_WORD[_word] = (*_BY_WORD.get(_word, ()), _idea)

_EMPTY = word_set(
    """
    the a an of in on at is it its and or by for with as was are be has had that this than data
    value values not no i we you
    """
)


@lru_cache(maxsize=8192)
def ideas_of(word: str) -> tuple[str, ...]:
    """Return the ideas a lower-case word stands for: itself where no idea is known."""
    if word in _EMPTY:
        return ()
    known = _BY_WORD.get(word)
    if known is not None:
        return known
    if len(word) > 4 and word.endswith("s") and word[:-1] in _BY_WORD:
        return _BY_WORD[word[:-1]]
    return (word,)


@lru_cache(maxsize=8192)
def name_parts(name: str) -> tuple[str, ...]:
    """Return the lower-case words inside a program's name: "sma50Slope" -> sma, 50, slope."""
    return tuple(part.lower() for part in _CAMEL.findall(name[:200]))
