"""Views over collected datasets: versions in their order, what is known when, and resumption."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any

import duckdb
import pytest

from app.domain.errors import Conflict, Invalid, NotFound
from app.services.datasets import feature_materializing
from app.services.datasets.feature_sources import Filling
from app.services.datasets.feature_store import FeatureWish
from inference.datasets.feature_sets import FeatureSet, ValueColumn
from inference.datasets.offline_features import OnlineRow
from tests.integration.features.feature_desk import FeatureDesk, days_ago

HEAD = "day,company,revenue,sector,listed"
FIRST = (
    HEAD,
    "2025-11-01,ACME,90,steel,true",
    "2025-12-20,ACME,100,steel,true",
    "2025-12-30,ACME,110,,true",
)
OTHERS = tuple(f"2025-0{month}-01,OTHER,1,x,true" for month in range(1, 7))
"""A table needs some moments to be parted into training and test."""


def moment(days: float) -> str:
    return days_ago(days).strftime("%Y-%m-%dT%H:%MZ")


async def revenue(desk: FeatureDesk, view: FeatureSet, days: float) -> Any:
    (one,) = await desk.store.history(view, [("ACME", days_ago(days))])
    return None if one.values is None else one.values["revenue"]


async def test_a_view_over_a_dataset_is_declared_filled_and_read(desk: FeatureDesk) -> None:
    await desk.collect("companies", (*FIRST, *OTHERS))
    wish = FeatureWish(
        name="company.sales", dataset="companies", entity="company", time="day", lag_seconds=86_400
    )

    view = await desk.store.declare(wish, by=None)
    told = await desk.materialize("company.sales")

    assert (view.key, view.names) == ("company.sales@1", ("revenue", "sector", "listed"))
    assert [column.kind for column in view.columns] == ["number", "text", "truth"]
    assert (told["added"], told["written"]) == (9, 2)
    (now,) = await desk.store.values(view, ["ACME"])
    assert now.values == {"revenue": 110.0, "sector": None, "listed": True}
    assert now.known_at is not None
    assert now.event_time == now.known_at - timedelta(days=1)
    # Of the 30th it was known on the 31st.
    assert [await revenue(desk, view, days) for days in (5.6, 5.4)] == [100.0, 110.0]


async def test_the_same_declaration_is_the_same_version_and_another_the_next(
    desk: FeatureDesk,
) -> None:
    await desk.collect("companies", (*FIRST, *OTHERS))
    wish = FeatureWish(name="sales", dataset="companies", entity="company", time="day")

    made = [
        await desk.store.declare(one, by=None)
        for one in (
            wish,
            FeatureWish(
                name="sales", dataset="companies", entity="company", time="day", description="x"
            ),
            FeatureWish(
                name="sales",
                dataset="companies",
                entity="company",
                time="day",
                columns=("revenue",),
            ),
        )
    ]

    assert [one.key for one in made] == ["sales@1", "sales@1", "sales@2"]
    assert (await desk.store.definition("sales")).version == 2
    assert (await desk.store.definition("sales@1")).names == ("revenue", "sector", "listed")


async def test_versions_are_taken_in_their_order_each_as_of_its_collection(
    desk: FeatureDesk,
) -> None:
    """Materialised only at the end, the past reads as it was believed all along."""
    end = desk.now
    desk.now = end - timedelta(days=4)
    await desk.collect("companies", (*FIRST, *OTHERS))
    desk.now = end - timedelta(days=2)
    await desk.collect("companies", (*FIRST[:3], "2025-12-30,ACME,999,steel,true", *OTHERS))
    desk.now = end
    wish = FeatureWish(name="sales", dataset="companies", entity="company", time="day")
    view = await desk.store.declare(wish, by=None)

    told = await desk.materialize("sales")

    assert (told["added"], told["corrected"]) == (10, 1)
    assert [await revenue(desk, view, days) for days in (3, 2.01, 2, 0)] == [110, 110, 999, 999]
    assert (await desk.materialize("sales"))["added"] == 0


async def test_restatements_with_a_column_of_their_own_are_known_when_it_says(
    desk: FeatureDesk,
) -> None:
    lines = [
        "time,symbol,known_at,eps",
        *(f"2025-0{month}-28,ACME,{moment(130)},0.5" for month in range(1, 7)),
        f"2025-09-30,ACME,{moment(40)},1.0",
        f"2025-09-30,ACME,{moment(10)},0.7",
        f"2025-12-31,ACME,{(days_ago(-20)).strftime('%Y-%m-%dT%H:%MZ')},2.0",
    ]
    await desk.collect("statements", lines)
    wish = FeatureWish(name="eps", dataset="statements", ttl_seconds=400 * 86_400)
    view = await desk.store.declare(wish, by=None)
    await desk.materialize("eps")

    async def eps(days: float) -> Any:
        (one,) = await desk.store.history(view, [("ACME", days_ago(days))])
        return None if one.values is None else one.values["eps"]

    assert view.known == "known_at"
    assert [await eps(days) for days in (41, 39, 10.01, 10, 0)] == [0.5, 1.0, 1.0, 0.7, 0.7]
    # What will be published is stored, and is served only from then on.
    (now,) = await desk.store.values(view, ["ACME"])
    assert now.values == {"eps": 0.7}
    desk.now += timedelta(days=21)
    told = await desk.materialize("eps")
    (then,) = await desk.store.values(view, ["ACME"])
    assert (told["added"], told["written"], then.values) == (0, 1, {"eps": 2.0})


async def test_an_older_moment_never_replaces_a_newer_one(desk: FeatureDesk) -> None:
    view = FeatureSet(
        name="made",
        version=1,
        entity="who",
        columns=(ValueColumn(name="x"),),
        ttl_seconds=1e9,
        source="dataset",
    )

    def row(event: float, known: float, x: float) -> OnlineRow:
        return OnlineRow(
            entity="A", event_time=days_ago(event), known_at=days_ago(known), values={"x": x}
        )

    changes = [
        await desk.tables.write(view, [one])
        for one in (
            row(5, 5, 1.0),
            row(5, 5, 1.0),  # again
            row(6, 1, 2.0),  # learned later, of an older moment
            row(5, 4, 3.0),  # corrected
            row(5, 5, 1.0),  # a late writer
            row(3, 3, 1e300),
        )
    ]

    assert changes == [1, 0, 0, 1, 0, 1]
    found = await desk.tables.read(view, ["A", "B"])
    assert {one.entity: one.values["x"] for one in found.values()} == {"A": 1e300}


class Entities:
    """A source of so many entities, in one filling."""

    def __init__(self, count: int) -> None:
        self.count = count

    async def fillings(self, view: FeatureSet, *, applied: int) -> AsyncIterator[Filling]:
        def fill(database: duckdb.DuckDBPyConnection) -> None:
            columns = ", ".join("i" for _ in view.columns)
            database.execute(
                "INSERT INTO incoming SELECT lpad(i::VARCHAR, 4, '0'), TIMESTAMP '2026-01-01', "
                f"NULL, {columns} FROM range({self.count}) t(i)"
            )

        yield Filling(what="a test", fill=fill, seen=days_ago(0))


async def test_a_job_whose_process_died_goes_on_behind_what_was_written(
    desk: FeatureDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feature_materializing, "AT_ONCE", 10)
    desk.sources["market"] = Entities(35)
    written: list[str] = []
    write, died = desk.tables.write, asyncio.Event()

    async def dying(view: FeatureSet, rows: Sequence[OnlineRow]) -> int:
        if len(written) == 20 and not died.is_set():
            died.set()
            await asyncio.Event().wait()
        written.extend(row.entity for row in rows)
        return await write(view, rows)

    monkeypatch.setattr(desk.tables, "write", dying)
    job = await desk.materializing.submit("market.path_state", by=None)
    working = asyncio.create_task(desk.jobs.work_on(job.id))
    async with asyncio.timeout(30):
        await died.wait()
    working.cancel()
    await asyncio.wait([working])
    # Nobody has renewed its lease for an hour.
    desk.now += timedelta(hours=1)

    async with asyncio.timeout(30):
        ended = await desk.done(job)

    assert ended.status == "completed", ended.error
    assert written == [f"{number:04d}" for number in range(35)]
    assert ended.result is not None
    assert (ended.result["added"], ended.result["written"]) == (35, 35)
    definition = await desk.store.definition("market.path_state")
    counts = await desk.tables.counts(definition, now=desk.now)
    assert counts is not None
    assert counts.entities == 35


@pytest.mark.parametrize(
    ("change", "kind", "why"),
    [
        ({"dataset": "nothing"}, NotFound, "no dataset"),
        ({"name": "market.volatility"}, Conflict, "own views"),
        ({"name": "Sales"}, Invalid, "lower case"),
        ({"entity": None}, Invalid, "which column is the entity"),
        ({"entity": "ghost"}, Invalid, "no column 'ghost'"),
        ({"known": "revenue"}, Invalid, "does not hold moments"),
        ({"columns": ("ghost",)}, Invalid, "no column 'ghost'"),
        ({"columns": ("day",)}, Invalid, "moments"),
        ({"ttl_seconds": -1.0}, Invalid, "ttlSeconds"),
        ({"known": "day", "lag_seconds": 5.0}, Invalid, "lagSeconds"),
    ],
)
async def test_a_view_that_cannot_be_is_refused(
    desk: FeatureDesk, change: dict[str, Any], kind: type[Exception], why: str
) -> None:
    await desk.collect("companies", (*FIRST, *OTHERS))
    whole: dict[str, Any] = {
        "name": "sales",
        "dataset": "companies",
        "entity": "company",
        "time": "day",
    }

    with pytest.raises(kind, match=why):
        await desk.store.declare(FeatureWish(**{**whole, **change}), by=None)


async def test_a_version_that_lost_a_column_fails_the_job_by_name(desk: FeatureDesk) -> None:
    await desk.collect("companies", (*FIRST, *OTHERS))
    wish = FeatureWish(name="sales", dataset="companies", entity="company", time="day")
    await desk.store.declare(wish, by=None)
    await desk.collect(
        "companies", ("day,company", *(f"2025-12-{day},ACME" for day in range(20, 30)))
    )

    job = await desk.done(await desk.materializing.submit("sales", by=None))

    assert job.status == "failed"
    assert job.error == "companies@2 has no column 'revenue', which sales@1 reads."


async def test_damage_offline_fails_the_job_and_the_reading_by_name(desk: FeatureDesk) -> None:
    await desk.collect("companies", (*FIRST, *OTHERS))
    wish = FeatureWish(name="sales", dataset="companies", entity="company", time="day")
    view = await desk.store.declare(wish, by=None)
    await desk.materialize("sales")
    for file in (desk.folder / "features" / view.key).glob("*.parquet"):
        file.write_bytes(b"PAR1")
    with pytest.raises(Conflict, match=r"sales@1 cannot be read"):
        await revenue(desk, view, 1)
    await desk.collect("companies", (*FIRST, "2026-01-02,ACME,120,,true", *OTHERS))

    job = await desk.done(await desk.materializing.submit("sales", by=None))

    assert job.status == "failed"
    assert "sales@1 cannot be read" in (job.error or "")
