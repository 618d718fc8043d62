"""What a batch of messages says: which bars and trades can be taken, and why the rest cannot. Pure.

Every message ends in exactly one of three ways: it is taken, it is superseded by a later one of
the same bar, or it is refused with a reason.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import numpy as np

from app.domain.feeds import FeedMessage, FeedSuspects, Partition, Refusal
from tools.market.bars import Bars, Basis
from tools.market.calendars import calendar_name
from tools.market.checks import (
    DUPLICATE,
    MAY_BE_NEGATIVE,
    Circumstances,
    Rows,
    as_bars,
    as_suspect,
    judge,
)
from tools.market.feed_messages import TickMessage, Unreadable, read_bar, read_tick
from tools.market.instruments import Instrument
from tools.market.ticks import OpenBar, TickBars

_PAYLOAD_BYTES = 65_536
"""So much of a refused message is kept."""
_HIGHEST = 1e12
_EPOCH_YEAR_1800_US = -5_364_662_400_000_000

SeriesKey = tuple[str, str]
Tick = tuple[FeedMessage, TickMessage, int]
"""A message, the trade in it, and when that was done in microseconds since 1970."""
Refused = dict[Partition, list[Refusal]]


class GivenBars:
    """Rows of one symbol and timeframe, gathered from a batch in the order of their coming."""

    def __init__(self) -> None:
        self.times: list[int] = []
        self.numbers: list[tuple[float, float, float, float, float, float]] = []
        self.origins: list[tuple[Partition, FeedMessage]] = []

    def newest_first(self) -> Rows:
        """Return the rows, the last that came first: of one time the first is taken."""
        columns = np.array(self.numbers[::-1], dtype=np.float64).T
        adjusted = columns[5]
        return Rows(
            timestamps=np.array(self.times[::-1], dtype=np.int64).astype("datetime64[us]"),
            open=columns[0],
            high=columns[1],
            low=columns[2],
            close=columns[3],
            volume=columns[4],
            adjusted_close=None if np.isnan(adjusted).all() else adjusted,
        )


def read_bars(
    partition: Partition,
    messages: Iterable[FeedMessage],
    into: dict[SeriesKey, GivenBars],
    refused: list[Refusal],
) -> None:
    """Sort a partition's messages of bars into their series."""
    for message in messages:
        try:
            bar, opened_us = read_bar(message.value)
        except Unreadable as why:
            refused.append(refusal(message, str(why)))
            continue
        key = (bar.symbol, bar.timeframe)
        given = into.get(key)
        if given is None:
            given = into[key] = GivenBars()
        adjusted = np.nan if bar.adjusted_close is None else bar.adjusted_close
        given.times.append(opened_us)
        given.numbers.append((bar.open, bar.high, bar.low, bar.close, bar.volume, adjusted))
        given.origins.append((partition, message))


def judge_bars(
    series: Mapping[SeriesKey, GivenBars],
    known: Mapping[str, Instrument],
    refused: Refused,
    *,
    now: datetime,
    bases: Mapping[SeriesKey, Basis],
    before: Mapping[SeriesKey, Bars],
) -> tuple[list[Bars], list[FeedSuspects]]:
    """Return the bars that can be taken, of several of one time the last that came; and suspects.

    They are as traded, but where `bases` says what a series is. `before`: the last bar that is
    believed of each series.
    """
    found: list[Bars] = []
    suspects: list[FeedSuspects] = []
    for (symbol, timeframe), given in series.items():
        instrument = known.get(symbol)
        if instrument is None:
            for partition, message in given.origins:
                refused[partition].append(refusal(message, unknown(symbol)))
            continue
        rows = given.newest_first()
        by = Circumstances(
            timeframe=timeframe,
            now=now,
            kind=instrument.kind,
            basis=bases.get((symbol, timeframe), "as_traded"),
            calendar=calendar_name(instrument.exchange, instrument.kind),
            listed_on=instrument.listed_on,
            delisted_on=instrument.delisted_on,
            before=before.get((symbol, timeframe)),
        )
        verdict = judge(rows, by)
        wrong = [(one.index, one.reason) for one in verdict.refused if one.reason != DUPLICATE]
        wrong += [(one.index, f"suspect: {one.reason}") for one in verdict.doubted]
        for index, reason in wrong:
            partition, message = given.origins[-1 - index]
            refused[partition].append(refusal(message, reason))
        if verdict.doubted:
            doubted = [as_suspect(rows, one) for one in verdict.doubted]
            suspects.append(FeedSuspects(symbol, timeframe, instrument.source, doubted))
        if len(verdict.taken):
            found.append(
                as_bars(
                    rows,
                    verdict.taken,
                    symbol=symbol,
                    timeframe=timeframe,
                    source=instrument.source,
                    basis=by.basis,
                )
            )
    return found, suspects


def read_ticks(messages: Iterable[FeedMessage], refused: list[Refusal]) -> list[Tick]:
    """Return a partition's trades in their order."""
    found: list[Tick] = []
    for message in messages:
        try:
            tick, at_us = read_tick(message.value)
        except Unreadable as why:
            refused.append(refusal(message, str(why)))
        else:
            found.append((message, tick, at_us))
    return found


def count_ticks(
    bars: TickBars,
    ticks: Iterable[Tick],
    known: Mapping[str, Instrument],
    refused: list[Refusal],
    *,
    newest_us: int,
) -> list[OpenBar]:
    """Add trades to a partition's open bars and return the bars that closed.

    A trade after `newest_us` is refused: it would close every bar that is open.
    """
    for message, tick, at_us in ticks:
        instrument = known.get(tick.symbol)
        if instrument is None:
            reason: str | None = unknown(tick.symbol)
        else:
            reason = _wrong_with(tick, at_us, kind=instrument.kind, newest_us=newest_us)
        if reason is None and not bars.add(tick.symbol, at_us, tick.price, tick.size):
            reason = "late: its bar has closed already"
        if reason is not None:
            refused.append(refusal(message, reason))
    return bars.take_closed()


def closed_bars(
    closed: Sequence[OpenBar],
    timeframe: str,
    known: Mapping[str, Instrument],
    bases: Mapping[SeriesKey, Basis],
) -> list[Bars]:
    """Return closed bars as histories, one a symbol; those of unknown symbols are left out."""
    by_symbol: dict[str, list[OpenBar]] = {}
    for bar in closed:
        by_symbol.setdefault(bar.symbol, []).append(bar)
    return [
        Bars(
            symbol=symbol,
            timeframe=timeframe,
            source=known[symbol].source,
            timestamps=np.array([bar.opened_us // 1_000_000 for bar in bars]).astype(
                "datetime64[s]"
            ),
            open=np.array([bar.open for bar in bars]),
            high=np.array([bar.high for bar in bars]),
            low=np.array([bar.low for bar in bars]),
            close=np.array([bar.close for bar in bars]),
            volume=np.array([bar.volume for bar in bars]),
            basis=bases.get((symbol, timeframe), "as_traded"),
        )
        for symbol, bars in by_symbol.items()
        if symbol in known
    ]


def refusal(message: FeedMessage, reason: str) -> Refusal:
    """Return a message with the reason why it was not taken."""
    return Refusal(message.offset, reason, (message.value or b"")[:_PAYLOAD_BYTES])


def unknown(symbol: str) -> str:
    """Return the reason for a symbol that nobody knows."""
    return f"unknown symbol {symbol}: make it known with POST /api/v1/instruments"


def _wrong_with(tick: TickMessage, at_us: int, *, kind: str, newest_us: int) -> str | None:
    if not -_HIGHEST <= tick.price <= _HIGHEST:
        return f"price is not a price: {tick.price}"
    if tick.price <= 0 and kind not in MAY_BE_NEGATIVE:
        return f"price is {tick.price:g}; a price must be above 0"
    if not 0 <= tick.size <= _HIGHEST:
        return f"size is {tick.size:g}; it must be 0 or more"
    if at_us > newest_us:
        return "timestamp is in the future"
    if at_us < _EPOCH_YEAR_1800_US:
        return "timestamp is before 1800"
    return None


def microseconds(moment: datetime) -> int:
    """Return an aware time as microseconds since 1970."""
    return (moment - datetime.fromtimestamp(0, moment.tzinfo)) // timedelta(microseconds=1)
