"""Make scorecards from cases: a row for each kind of signal, with its event study."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import numpy as np

from tools.analytics import event_study, track_record
from tools.analytics.cases import Cases
from tools.analytics.event_study import Baseline
from tools.analytics.firings import KINDS, kind_of
from tools.analytics.outcomes import EVENTS
from tools.cards import direction
from tools.case_book import CaseBook
from tools.market.signals import CurvePoint, Scorecard, ScorecardItem


async def scorecard(
    book: CaseBook,
    markets: Sequence[str],
    timeframe: str,
    *,
    before: datetime,
    symbol: str | None = None,
    signal_type: str | None = None,
) -> Scorecard:
    """Return how signals settled by `before` did: over each market, and on `symbol` alone."""
    kinds = [k for k in KINDS if signal_type is None or kind_of(k)[0] == signal_type]
    items: list[ScorecardItem] = []
    newest = 0
    for market in markets:
        cases = await book.cases(market, timeframe, before=before, kinds=kinds, paths=True)
        symbols = sorted({one for some in cases.values() for one in some.symbols.tolist()})
        baselines = await book.baselines(symbols, timeframe, before=before)
        items += await asyncio.to_thread(_items, cases, baselines, market, timeframe, symbol)
        newest = max(newest, *(int(c.resolved[-1]) if len(c) else 0 for c in cases.values()))
    as_of = datetime.fromtimestamp(newest, UTC) if newest else None
    return Scorecard(items=items, as_of=as_of)


def _items(
    cases: Mapping[str, Cases],
    baselines: Mapping[str, Baseline],
    market: str,
    timeframe: str,
    symbol: str | None,
) -> list[ScorecardItem]:
    rows = []
    for kind, pooled in cases.items():
        rows.append(_item(kind, pooled, baselines, market, timeframe, None))
        if symbol is not None:
            own = pooled.of_symbol(symbol)
            rows.append(_item(kind, own, baselines, market, timeframe, symbol))
    return rows


def _item(
    kind: str,
    cases: Cases,
    baselines: Mapping[str, Baseline],
    market: str,
    timeframe: str,
    symbol: str | None,
) -> ScorecardItem:
    record = track_record.of_cases(cases, EVENTS[kind], like=kind)
    study = event_study.measure(cases, kind, baselines)
    signal_type, variant, side = kind_of(kind)
    months = np.unique(cases.fired.astype("datetime64[s]").astype("datetime64[M]"))
    lift = (
        None
        if record.hit_rate is None or record.base_rate is None
        else record.hit_rate - record.base_rate
    )
    return ScorecardItem(
        signal_type=signal_type,
        variant=variant,
        direction=direction(side),
        market=market,
        symbol=symbol,
        timeframe=timeframe,
        event=record.event,
        horizon_bars=record.horizon_bars,
        n=record.n,
        hits=record.hits,
        hit_rate=record.hit_rate,
        wilson_low=record.wilson_low,
        wilson_high=record.wilson_high,
        base_rate=record.base_rate,
        lift=lift,
        edge=record.edge,
        edge_t_statistic=record.t_value,
        mean_excess_atr=study.mean_excess_atr,
        t_statistic=study.t_value,
        months=len(months),
        curve=[
            CurvePoint(bar=p.bar, mean=p.mean, baseline=p.baseline, low=p.low, high=p.high)
            for p in study.curve
        ],
    )
