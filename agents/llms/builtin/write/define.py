"""What the words mean. No digits: a definition is not evidence, and numbers here need evidence."""

from agents.llms.builtin.dialogue import Ask
from agents.llms.builtin.results import Results
from agents.llms.builtin.write import phrases as say

TERMS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("macd",),
     "**MACD is the gap between a fast and a slow exponential average of the close** (twelve "
     "and twenty-six days). Its signal line is a nine-day average of that gap, and the "
     "histogram is the difference of the two: above zero momentum is picking up, below zero it "
     "is fading."),
    (("overbought", "oversold"),
     "**Overbought and oversold mean that a price has run far, fast.** By the textbook an RSI "
     "of seventy and more is overbought and thirty and less oversold. Measured, that says "
     "little about what comes next: strong stocks stay overbought for a long time."),
    (("rsi", "relative strength"),
     "**RSI, the relative strength index, says how one-sided recent moves were**, from zero (only "
     "falls) to one hundred (only rises), here over fourteen closes with Wilder's smoothing. The "
     "textbook calls seventy and more overbought, thirty and less oversold."),
    (("bollinger", "band"),
     "**Bollinger bands are an envelope around the twenty-day average**, two standard "
     "deviations up and down. Prices near a band are stretched for recent habits; narrow bands "
     "mean calm. %b says where the close stands between them: zero at the lower band, one at "
     "the upper."),
    (("golden cross", "death cross"),
     "**A golden cross is the fifty-day average rising above the two-hundred-day average**; a "
     "death cross is the opposite. Both tell of a trend that has already turned."),
    (("ema", "exponential"),
     "**An exponential moving average (EMA) is an average of closes in which the newest count "
     "most**, so that it turns sooner than a simple one."),
    (("sma", "moving average"),
     "**A moving average is the mean of the last so many closes**, drawn day by day. I use twenty, "
     "fifty and two hundred days. It smooths the noise and always lags behind the price."),
    (("atr", "true range"),
     "**The average true range (ATR) is how far a price usually travels in a day**, from low to "
     "high and with overnight gaps, smoothed over fourteen days."),
    (("adx", "directional"),
     "**ADX says how strongly a price moves one way, whichever way that is.** Below twenty-five "
     "there is little direction; above forty there is a lot."),
    (("drawdown",),
     "**A drawdown is the fall from a peak to a later low**, in percent of the peak: what it would "
     "have felt like to hold on."),
    (("support", "resistance"),
     "**Support is a price below where falls stopped before; resistance one above where rises "
     "stopped.** I draw them from earlier turning points. Measured, prices turn there hardly "
     "more often than at lines that mean nothing, so I give no confidence with them."),
    (("trend", "r squared", "r2", "slope"),
     "**A trend, here, is the straight line that fits the last fifty closes best.** R² says how "
     "much of the movement the line explains, from zero to one; below a quarter I call it "
     "sideways."),
    (("edge", "hit rate", "base rate", "track record", "expected"),
     "**A hit rate is how often signals of one kind were right; the base rate is how often one "
     "would have been right without any signal.** Only if the hit rate lies above the base rate "
     "by more than chance explains do I speak of a measured edge. Otherwise I say: no measured "
     "edge."),
    (("volatility", "standard deviation"),
     "**Volatility is how much a price moves, up or down alike**: the typical size of its daily "
     "returns. Unlike direction it is quite predictable, because calm tends to follow calm."),
    (("percentile", "rank"),
     "**A percentile rank says on how large a share of earlier days a value was lower.** Near "
     "fifty is ordinary, near one hundred is about as high as it ever was."),
    (("breakout",),
     "**A breakout is a close beyond the range of the last fifty-five days**, here only on clearly "
     "heavier volume than usual."),
    (("reversal",),
     "**A reversal signal says that a stretched price has begun to come back**: RSI leaves its "
     "extreme or the close returns inside the Bollinger bands."),
    (("correlation",),
     "**Correlation says how closely two series of returns move together**: one means in step, "
     "zero means not at all, minus one means opposite."),
    (("total return", "return"),
     "**The return is the change of the price in percent; the total return also counts "
     "dividends.**"),
    (("volume",),
     "**Volume is the number of shares traded in a day.** I compare it with its fifty-day "
     "average."),
    (("candle", "ohlc", "bar"),
     "**A bar, or candle, sums up one day: open, high, low and close**, with the volume beside "
     "it."),
    (("signal", "strength", "composite"),
     "**A signal is a fixed rule that has fired at the close of a bar**, such as a breakout. "
     "The strength adds up the votes of the indicators, from minus one hundred to plus one "
     "hundred; it is a summary and not a probability."),
)  # fmt: skip


def define(ask: Ask, results: Results) -> str:
    """Explain one word, and offer to show it on real prices."""
    low = f"{ask.text.lower()} {' '.join(ask.indicators)}"
    if ask.unsupported:
        return (
            f"**I do not compute {ask.unsupported}, so I would rather not explain it by half.** I "
            "can explain RSI, MACD, moving averages, Bollinger bands, trend, volatility and the "
            "like."
        )
    said = next((said for words, said in TERMS if any(word in low for word in words)), "")
    if not said:
        return (
            "**That word is not in my glossary.** I can explain RSI, MACD, moving averages, "
            "Bollinger bands, ATR, ADX, trend, support and resistance, volatility, drawdown, hit "
            "rate and base rate."
        )
    subject = ask.about.symbols[0] if ask.about is not None and ask.about.symbols else "GOOG"
    what = _SHORT.get(ask.indicators[0], "") if ask.indicators else ""
    offer = (
        f"To see it on real prices, ask for instance “What is the {what} of {subject}?”"
        if what
        else ""
    )
    return say.paragraphs(said, offer)


_SHORT = {
    "rsi": "RSI", "macd": "MACD", "sma": "moving average", "ema": "EMA",
    "bollinger": "Bollinger band position", "atr": "ATR", "adx": "ADX",
}  # fmt: skip
