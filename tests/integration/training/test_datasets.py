"""Versions of bars on a real Postgres: one row for one content."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.domain.errors import Conflict, Invalid, NotFound
from app.services.datasets.datasets import BarsWanted, Datasets
from app.storage.bars import PostgresBars
from app.storage.datasets import PostgresDatasets
from app.storage.engine import Database
from app.storage.instruments import PostgresInstruments
from tests.fakes.panels import random_bars
from tools.market.instruments import Instrument

LATE = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
async def datasets(untrained: Database, tmp_path: Path) -> Datasets:
    database = untrained
    instruments, bars = PostgresInstruments(database), PostgresBars(database)
    for symbol in ("AAA", "BBB"):
        await instruments.put(
            Instrument(
                symbol=symbol,
                name=symbol,
                source="made up",
                provenance={"survivorship": "Invented."},
            )
        )
        await bars.replace(random_bars(symbol, 120))
    return Datasets(PostgresDatasets(database), instruments, bars, tmp_path / "datasets")


async def test_recording_the_same_bars_again_finds_their_version(datasets: Datasets) -> None:
    wanted = BarsWanted(symbols=("BBB", "AAA"), as_of=LATE)

    first, again = await asyncio.gather(
        datasets.record_bars(wanted, by=None), datasets.record_bars(wanted, by=None)
    )

    assert first.version == again.version
    assert first.version.name == "Bars of AAA, BBB, 1d"
    assert first.version.version == 1
    assert first.version.size == 240
    assert first.survivorship == ("Invented.",)


async def test_other_bars_are_the_next_version_of_the_dataset(datasets: Datasets) -> None:
    early = datetime(2015, 5, 1, tzinfo=UTC)
    first = await datasets.record_bars(BarsWanted(market="equity USD", as_of=early), by=None)
    second = await datasets.record_bars(BarsWanted(market="equity USD", as_of=LATE), by=None)

    assert (first.version.version, second.version.version) == (1, 2)
    assert first.version.dataset_id == second.version.dataset_id
    assert first.version.as_of is not None
    assert second.version.as_of is not None
    assert first.version.as_of <= early < second.version.as_of


async def test_bars_as_of_the_past_are_those_that_were_known_then(
    untrained: Database, tmp_path: Path
) -> None:
    now = [LATE]
    instruments = PostgresInstruments(untrained)
    bars = PostgresBars(untrained, clock=lambda: now[0])
    await instruments.put(Instrument(symbol="AAA", name="AAA", source="made up"))
    history = random_bars("AAA", 120)
    await bars.replace(history)
    datasets = Datasets(PostgresDatasets(untrained), instruments, bars, tmp_path / "datasets")
    early, later = history.time(60), LATE + timedelta(days=30)
    # Of a moment before the desk had anything: as it first came; and of one at which it had it.
    wanted = [BarsWanted(as_of=at, as_known=True) for at in (early, LATE)]
    before = [await datasets.record_bars(one, by=None) for one in wanted]
    assert before[1].version.size == 120

    now[0] = later
    close = history.close.copy()
    close[30] *= 1.01
    await bars.add(replace(history, close=close).slice(30, 31))

    again = [await datasets.record_bars(one, by=None) for one in wanted]
    assert [one.version.digest for one in again] == [one.version.digest for one in before]
    believed = await datasets.record_bars(BarsWanted(as_of=LATE), by=None)
    assert believed.version.digest != before[1].version.digest
    nothing_new = await datasets.record_bars(BarsWanted(as_of=later, as_known=True), by=None)
    assert nothing_new.version.digest == believed.version.digest


async def test_a_version_is_found_by_name_number_and_address(datasets: Datasets) -> None:
    made = await datasets.record_bars(BarsWanted(as_of=LATE), by=None)
    name, digest = made.version.name, made.version.digest

    for reference in (name, f"{name}@1", digest, digest[:12]):
        found = await datasets.recorded(reference)
        assert found.version == made.version
        assert found.manifest == made.manifest
    panel = await datasets.read(found)
    assert [one.symbol for one in panel.series] == ["AAA", "BBB"]


@pytest.mark.parametrize("reference", ["nothing", "nothing@1", "0" * 64, "@", "%", "a@99999999999"])
async def test_an_unknown_version_is_not_found(datasets: Datasets, reference: str) -> None:
    await datasets.record_bars(BarsWanted(as_of=LATE), by=None)

    with pytest.raises(NotFound):
        await datasets.recorded(reference)


async def test_a_version_whose_numbers_are_gone_says_so(datasets: Datasets) -> None:
    made = await datasets.record_bars(BarsWanted(as_of=LATE), by=None)
    made.path.unlink()

    with pytest.raises(Conflict, match="not on this machine"):
        await datasets.recorded(made.version.digest)


async def test_what_is_not_there_is_refused_by_name(datasets: Datasets) -> None:
    with pytest.raises(NotFound, match="ZZZ"):
        await datasets.record_bars(BarsWanted(symbols=("ZZZ",), as_of=LATE), by=None)
    with pytest.raises(Invalid, match="equity USD"):
        await datasets.record_bars(BarsWanted(market="fx", as_of=LATE), by=None)
    with pytest.raises(Invalid, match="no 1d bars"):
        await datasets.record_bars(BarsWanted(as_of=datetime(1990, 1, 1, tzinfo=UTC)), by=None)
