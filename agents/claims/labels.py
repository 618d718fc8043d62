"""Say in words what a value of a tool result is, for a person who points at the number.

Programs name values by where they stand ("technicalAnalysis/trendLine/r2"); people leave out
what only files them and say what tells them apart ("trend line R²").
"""

import re

from agents.claims.facts import Fact
from agents.claims.words import name_parts, word_set

_UPPER = word_set("rsi macd sma ema atr adx obv mfi cci usd")
_NOTHING = word_set("data value values items rows result results")
_FILING = word_set(
    """
    signals instruments indicators notes changes volatility technicalAnalysis movingAverages
    fundamentalAnalysis
    trackRecord kinds rows parts signalsFired levelsPassed
    """
)
"""Keys that say where the values below them are kept and not what they are."""

_SPAN = re.compile(r"days([0-9]{1,4})")
_CONTEXTS = {
    "oneDay": "one-day change",
    "oneBar": "change of one bar",
    "fiveDays": "five-day change",
    "oneMonth": "one-month change",
    "oneYear": "one-year change",
    "yearRange": "one-year",
    "bollingerBands": "Bollinger band",
    "trend": "trend line",
    "crossings": "crossing",
    "correlations": "correlation",
    "headlines": "headline",
    "sentimentAnalysis": "news sentiment",
    "sources": "source",
    "definitions": "definition of the",
    "forecasts": "forecast",
    "quantiles": "quantile",
    "contributions": "contribution",
}
_AFTER = {"then": "at the start", "now": "at the end"}
"""Keys that are said behind what they hold."""

_PHRASES = {
    "r2": "R²",
    "n": "past cases",
    "tValue": "t-value",
    "tStatistic": "t-value",
    "meanExcessAtr": "mean excess",
    "percentB": "position (%B)",
    "percentileRank": "percentile",
    "rankedDays": "days behind the {} percentile",
    "dailyPercent": "{}, daily",
    "annualisedPercent": "{}, annualised",
    "usualLowPercent": "usual daily move, low end",
    "usualHighPercent": "usual daily move, high end",
    "since": "start of the {}",
    "closeThen": "close before the {}",
    "price": "{}",
    "distancePercent": "{} distance",
    "lowOn": "day of the {} low",
    "highOn": "day of the {} high",
    "placePercent": "place in the {} range",
    "from": "start of the period",
    "to": "end of the period",
    "startClose": "close at the start",
    "endClose": "close at the end",
    "lastTouchOn": "{} last touched",
    "on": "day of the {}",
    "what": "{}",
    "newestBarAgeDays": "age of the newest bar",
    "suspectBars": "bars in quarantine",
    "averageVolume50": "50-day average volume",
    "volumeRatio": "volume against its average",
    "wilsonLow": "hit rate, low end",
    "wilsonHigh": "hit rate, high end",
    "baseDays": "days behind the base rate",
    "horizonBars": "horizon",
    "event": "definition of a past case",
    "like": "days like it",
    "asOfDay": "day of the screen",
    "matched": "number that meet the condition",
    "judged": "number judged",
    "count": "number {}",
    "excessPercent": "return in excess of the baseline",
    "fromHigh52wPercent": "distance from the 52-week high",
    "high52w": "52-week high",
    "low52w": "52-week low",
    "volatility20": "20-bar volatility",
    "volatility60": "60-bar volatility",
    "distanceInAtr": "{} distance in ATR",
    "atLevelsPercent": "turned at levels",
    "atShiftedLinesPercent": "turned at shifted lines",
    "cases": "cases behind the {}",
    "measuredOn": "day of the {} study",
    "closeVsLinePercent": "close against the {}",
    "firedOn": "day of the {}",
    "signalsLeftOut": "further signals",
    "obvChange20": "20-bar change of OBV",
    "k": "{} %K",
    "d": "{} %D",
    "plusDi": "+DI",
    "minusDi": "−DI",
    "kindsExamined": "kinds of signals examined",
    "notes": "note",
    "publishedAt": "day of publication",
    "newestAgeDays": "age of the newest news",
    "headlineCount": "headlines",
    "beforeShrinking": "{} score before it is drawn to zero",
    "periodEnd": "end of the reported period",
    "twelveMonths": "twelve reported months",
    "peRatio": "P/E ratio",
    "pbRatio": "P/B ratio",
    "divYield": "dividend yield",
    "roe": "return on equity",
    "name": "{}",
    "valuePercent": "forecast",
    "expectedPercent": "forecast",
    "cameTruePercent": "came true at that {}",
    "dataClosedAt": "close of the last bar",
    "learnedUntil": "end of what the model learned from",
    "madeOf": "day of the {}",
    "happenedPercent": "outcome of the {}",
    "resolvesAt": "day of the outcome",
    "forecastCount": "number of forecasts",
    "settledCount": "settled forecasts",
    "openCount": "open forecasts",
    "rightCount": "right forecasts",
    "lossAgainstBaselinePercent": "loss against the baseline",
    "levelPercent": "level of the {}",
    "coveragePercent": "coverage of the {}",
    "intervalPercent": "coverage of the {} interval",
    "evaluatedCases": "cases behind the {}",
}
"""What people call a value; {} is what it belongs to, which otherwise stands in front."""


def label_of(fact: Fact) -> str:
    """Return for instance "GOOG RSI", "GOOG breakout hit rate", "asked: limit"."""
    if fact.path == ("asOf",):
        return "data as of"
    if not fact.path:
        return "a setting"
    label = words_of(fact.path, symbol=fact.symbol, named=fact.named, unit=fact.unit)
    if fact.path[0] != "data":
        return f"asked: {label}"
    if fact.symbol:
        label = f"{fact.symbol} {label}"
    if fact.bulk and fact.row_day is not None and fact.day is None:
        label = f"{label} on {fact.row_day.isoformat()}"
    return label


def words_of(path: tuple[str, ...], *, symbol: str = "", named: str = "", unit: str = "") -> str:
    """Return what the value at `path` is called, without the symbol it belongs to."""
    places = [part for part in path if not part.isdigit() and part not in {symbol, *_NOTHING}]
    if path[0] in {"from", "to"}:  # what was asked, in the words it was asked with
        return path[0]
    # A listed instrument is known by its symbol; what kind it is tells nothing more.
    name = "" if "instruments" in path or named == symbol else _spoken(named)
    before = [part for part in places[:-1] if part not in _FILING]
    after = _AFTER.get(before[-1], "") if before else ""
    context = _context(before[-1]) if before and not after else ""
    last = places[-1] if places else ""
    if name and last in _FILING and path[-1] in _NOTHING:
        last = ""  # a named row's value is what the row is called
    label = _joined(context or name, last, unit) if last else context or name or "value"
    if name and name.lower() not in label.lower():
        label = f"{name} {label}"
    return f"{label} {after}" if after else label


def _context(key: str) -> str:
    """Return what the values below `key` belong to."""
    span = _SPAN.fullmatch(key)
    return f"{span[1]}-day volatility" if span else _CONTEXTS.get(key) or _plain(key)


def _joined(context: str, last: str, unit: str) -> str:
    """Return the name of a value together with what it belongs to."""
    phrase = _PHRASES.get(last, "")
    if "{}" in phrase and context:
        return phrase.format(context)
    words = (_plain(last) if not phrase or "{}" in phrase else phrase).split()
    if len(words) > 1 and words[-1] == "percent" and "%" in unit:
        words.pop()
    before = context.split()
    said_twice = before and before[-1].lower() in {words[0].lower(), words[-1].lower()}
    if said_twice:
        before.pop()
    return " ".join([*before, *words])


def _plain(key: str) -> str:
    """Return the words inside a program's name: "sma50" is "SMA 50"."""
    parts = [part.upper() if part in _UPPER else part for part in name_parts(key)]
    return " ".join(parts)


def _spoken(named: str) -> str:
    """Return what an object is called, where that is a name and not a text."""
    return named.replace("_", " ") if named.isascii() and len(named) <= 32 else ""
