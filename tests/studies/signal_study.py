"""Measure every kind of signal, and the placebo test of support and resistance, on what there is.

    python -m tests.studies.signal_study                  the shipped symbols
    python -m tests.studies.signal_study --fetch          and the fetched demo set
    python -m tests.studies.signal_study --breadth        and the hundred further symbols
    python -m tests.studies.signal_study --desk DATA_DIR  whatever a desk's database has

Prints Markdown: the tables of docs/signals.md.
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from msgspec.structs import replace

from app.services.market.bar_intake import BarIntake
from app.settings import read_settings
from app.storage.bars import PostgresBars
from app.storage.instruments import PostgresInstruments
from app.wiring.database import open_database
from tests.studies.placebo import placebo_table
from tools.analytics import cases, event_study
from tools.analytics.cases import Cases, Study
from tools.analytics.event_study import Baseline
from tools.analytics.firings import KINDS
from tools.analytics.outcomes import EVENTS
from tools.analytics.track_record import ENOUGH, SHRINK, of_cases
from tools.market.bars import Bars
from tools.market.breadth import PACKAGES, fetch_breadth
from tools.market.demo import load_demo, vendored_market
from tools.market.prices import prices_of
from tools.market.replays import is_replay
from tools.market.signals import market_of
from tools.market.store import BarStore, InstrumentStore

LEAST_BARS = 600


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


@asynccontextmanager
async def stores(args: argparse.Namespace) -> AsyncIterator[tuple[InstrumentStore, BarStore]]:
    """Open what is to be studied."""
    if args.desk is not None:
        settings = replace(read_settings(), data_dir=args.desk)
        async with open_database(settings, on_progress=say) as (database, _):
            yield PostgresInstruments(database), PostgresBars(database)
        return
    market = vendored_market()
    with tempfile.TemporaryDirectory() as folder:
        if args.fetch or args.breadth:
            await load_demo(market, market, Path(folder), on_progress=say)
        if args.breadth:
            intake = BarIntake(market, market, clock=lambda: datetime.now(UTC))
            for package in PACKAGES:
                for series in await fetch_breadth(package, on_progress=say):
                    await market.put(series.instrument)
                    await intake.take(series.instrument.symbol, series.timeframe, series.rows)
        yield market, market


async def main(args: argparse.Namespace) -> None:
    """Read, study, print."""
    async with stores(args) as (instruments, bars):
        markets: dict[str, list[Bars]] = {}
        for one in await instruments.all():
            read = await bars.read(one.symbol, timeframe=args.timeframe)
            if len(read) >= LEAST_BARS and not is_replay(one.symbol):
                markets.setdefault(market_of(one), []).append(read)
        for market, series in markets.items():
            report(market, series, args.timeframe)
        if len(markets) > 1:
            report("all markets", [one for some in markets.values() for one in some], "")
        say("\n### Placebo test of support and resistance\n")
        placebo_table([one for some in markets.values() for one in some], say)


def report(market: str, series: Sequence[Bars], timeframe: str) -> None:
    """Print the table of one market."""
    collected: dict[str, list[Cases]] = {kind: [] for kind in KINDS}
    baselines: dict[str, Baseline] = {}
    for bars in series:
        found: Study = cases.study(prices_of(bars))
        baselines[bars.symbol] = event_study.baseline(found.prices, found.indicators.atr)
        closed = bars.ends().astype(np.int64)
        for kind, own in cases.collect(found, bars.symbol, closed=closed).items():
            collected[kind].append(own)
    first, last = min(one.day(0) for one in series), max(one.day(-1) for one in series)
    total = sum(map(len, series))
    say(
        f"\n### {market} {timeframe}\n\n{len(series)} symbols, {total:,} bars, {first} to {last}.\n"
    )
    say(
        "| kind | h | n | hit rate [95 %] | base | lift | t (lift) | excess, ATR (t) | edge |\n"
        "|---|---|---|---|---|---|---|---|---|"
    )
    for kind in KINDS:
        pooled = cases.pool(collected[kind])
        record = of_cases(pooled, EVENTS[kind], like=kind)
        moved = event_study.measure(pooled, kind, baselines)
        if record.hit_rate is None or record.base_rate is None:
            say(f"| `{kind}` | {record.horizon_bars} | {record.n} | | | | | | {record.edge} |")
            continue
        say(
            f"| `{kind}` | {record.horizon_bars} | {record.n:,} | {record.hit_rate:.3f} "
            f"[{record.wilson_low:.3f}, {record.wilson_high:.3f}] | {record.base_rate:.3f} | "
            f"{record.hit_rate - record.base_rate:+.3f} | {_t(record.t_value)} | "
            f"{moved.mean_excess_atr:+.2f} ({_t(moved.t_value)}) | {record.edge} |"
        )
    _confidence({kind: cases.pool(some) for kind, some in collected.items()})


def _confidence(pooled: dict[str, Cases]) -> None:
    """Print how well the confidence that was shown fitted, signal by signal, walk-forward."""
    rows: dict[str, list[tuple[float, float, float]]] = {"with a direction": [], "without": []}
    for kind, some in pooled.items():
        known = np.searchsorted(some.resolved, some.fired, side="right")
        hits = np.concatenate([[0.0], np.cumsum(some.hits)])[known]
        bases = np.concatenate([[0.0], np.cumsum(some.base_rates)])[known]
        told = known >= ENOUGH
        base = np.divide(bases, known, out=np.zeros(len(known)), where=known > 0)
        shown = (hits + SHRINK * base) / (known + SHRINK)
        group = "with a direction" if kind[-1] in "+-" else "without"
        rows[group] += zip(shown[told], base[told], some.hits[told], strict=True)
    say("\n| later signals | n | Brier of p | Brier of the base rate | calibration error |")
    say("|---|---|---|---|---|")
    for group, listed in rows.items():
        if len(listed) < ENOUGH:
            continue
        shown, base, hit = np.array(listed).T
        say(
            f"| {group} | {len(hit):,} | {np.mean((shown - hit) ** 2):.4f} | "
            f"{np.mean((base - hit) ** 2):.4f} | {_calibration_error(shown, hit):.3f} |"
        )


def _calibration_error(shown: np.ndarray, hit: np.ndarray) -> float:
    """Return the mean gap between what was shown and what came, over ten equal groups."""
    groups = np.array_split(np.argsort(shown), 10)
    gaps = [abs(shown[rows].mean() - hit[rows].mean()) * len(rows) for rows in groups if len(rows)]
    return float(sum(gaps)) / len(shown)


def _t(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--fetch", action="store_true", help="also the fetched demo set")
    parser.add_argument("--breadth", action="store_true", help="also the further symbols")
    parser.add_argument("--desk", type=Path, help="a desk's data directory instead")
    parser.add_argument("--timeframe", default="1d")
    asyncio.run(main(parser.parse_args()))
