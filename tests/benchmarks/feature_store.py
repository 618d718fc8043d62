"""How fast the feature store is: online reads, and the join to moments against plain ASOF joins.

    python -m tests.benchmarks.feature_store [--entities 500] [--events 2000] [--asked 200000]

The floors join by event time alone, know of no corrections and no ttl: DuckDB's ASOF join over the
same Parquet files, and `pandas.merge_asof` over frames that are in memory and sorted already. It
prints one line of JSON each, with commit and machine.
"""

import argparse
import asyncio
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import pandas  # type: ignore[import-untyped]

from app.domain.ids import new_id
from app.services.datasets.feature_store import FeatureStore
from app.storage.embedded import EmbeddedPostgres
from app.storage.engine import Database
from app.storage.features import PostgresFeatures
from app.storage.migrate import upgrade
from inference.datasets.feature_sets import FeatureSet, ValueColumn
from inference.datasets.offline_features import Cursor, OfflineFeatures
from inference.datasets.point_in_time import Asked
from inference.datasets.tables import literal
from tests.benchmarks import results
from tests.benchmarks.results import significant
from tests.fakes.feature_rows import START, day

COLUMNS = 20
VIEW = FeatureSet(
    name="benchmark",
    version=1,
    entity="who",
    columns=tuple(ValueColumn(name=f"c{number}") for number in range(COLUMNS)),
    ttl_seconds=1e9,
    source="dataset",
)


def say(what: str, **figures: object) -> None:
    """Print a line."""
    base = {"what": what, "commit": results.commit(), "load": round(os.getloadavg()[0], 1)}
    print(json.dumps(base | figures))


def filled(root: Path, entities: int, events: int) -> OfflineFeatures:
    """Return a store with so many rows, one an hour, one in a hundred corrected later."""
    store = OfflineFeatures(root)
    values = ", ".join(f"random() AS c{number}" for number in range(COLUMNS))
    moment = f"TIMESTAMP '{START.replace(tzinfo=None)}' + to_hours(h)"

    def rows(database: duckdb.DuckDBPyConnection) -> None:
        database.execute(
            f"INSERT INTO incoming SELECT 'E' || e, {moment}, NULL, {values} "
            f"FROM range({entities}) a(e), range({events}) b(h)"
        )

    def corrections(database: duckdb.DuckDBPyConnection) -> None:
        database.execute(
            f"INSERT INTO incoming SELECT 'E' || e, {moment}, NULL, {values} "
            f"FROM range({entities}) a(e), range(0, {events}, 100) b(h)"
        )

    store.add(VIEW, rows, seen=day(0))
    store.add(VIEW, corrections, seen=day(events / 48))
    return store


def median_s(work: Callable[[], object], times: int = 5) -> float:
    """Return the median of some runs, after one that is not counted."""
    work()
    taken = []
    for _ in range(times):
        begun = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken)


def measure_join(store: OfflineFeatures, entities: int, events: int, count: int) -> None:
    """Print how many asked rows a second are answered."""
    dice = np.random.default_rng(0)
    who = np.array([f"E{number}" for number in dice.integers(0, entities, count)], dtype=object)
    hours = dice.uniform(0, events, count)
    at = np.datetime64(START.replace(tzinfo=None), "us") + (hours * 3.6e9).astype("timedelta64[us]")
    asked = Asked(who.tolist(), at)
    index = store.index(VIEW)
    assert index is not None
    folder = store.folder(VIEW)
    files = ", ".join(literal(str(folder / one.name)) for one in index.files)
    names = ", ".join(f"f.{name}" for name in VIEW.names)

    def plain() -> None:
        with duckdb.connect(config={"threads": "2"}) as database:
            database.register("asked", {"who": who, "at": at})
            database.execute(
                f"SELECT {names} FROM asked a ASOF LEFT JOIN read_parquet([{files}]) f "
                "ON a.who = f.__entity AND a.at >= f.__event"
            ).fetchnumpy()

    with duckdb.connect() as database:
        found = database.execute(f"SELECT * FROM read_parquet([{files}]) ORDER BY __event")
        right = pandas.DataFrame(found.fetchnumpy())
    left = pandas.DataFrame({"__entity": who, "__event": at}).sort_values("__event")
    ours = median_s(lambda: store.at(VIEW, asked))
    duck = median_s(plain)
    panda = median_s(lambda: pandas.merge_asof(left, right, on="__event", by="__entity"))
    say(
        "point-in-time join",
        stored_rows=index.rows,
        asked_rows=count,
        columns=COLUMNS,
        rows_per_s=significant(count / ours),
        duckdb_asof_rows_per_s=significant(count / duck),
        pandas_merge_asof_rows_per_s=significant(count / panda),
        against_duckdb=significant(ours / duck),
        against_pandas=significant(ours / panda),
    )


async def measure_online(offline: OfflineFeatures, folder: Path, entities: int) -> None:
    """Print how long reading the newest values takes, and how many entities a second go online."""
    now = day(10_000)
    async with EmbeddedPostgres(folder, lambda text: None) as postgres:
        name = f"features_{new_id().hex}"
        await postgres.create_database(name)
        async with Database({**postgres.connect_kwargs, "database": name}) as database:
            await upgrade(database, lambda text: None)
            tables = PostgresFeatures(database)
            begun = time.perf_counter()
            for rows in offline.newest(VIEW, Cursor(), now=now):
                await tables.write(VIEW, rows)
            taken = time.perf_counter() - begun
            store = FeatureStore(tables, offline, None, {}, clock=lambda: now)  # type: ignore[arg-type]
            dice = np.random.default_rng(0)
            for count in (1, 100):
                times = []
                for _ in range(500):
                    wanted = [f"E{one}" for one in dice.integers(0, entities, count)]
                    begun = time.perf_counter()
                    await store.values(VIEW, wanted)
                    times.append(time.perf_counter() - begun)
                say(
                    "online read",
                    entities=count,
                    columns=COLUMNS,
                    p50_ms=significant(1e3 * statistics.median(times)),
                    p99_ms=significant(1e3 * float(np.quantile(times, 0.99))),
                )
            say("offline to online", entities=entities, seconds=significant(taken))


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entities", type=int, default=500)
    parser.add_argument("--events", type=int, default=2_000)
    parser.add_argument("--asked", type=int, default=200_000)
    told = parser.parse_args()
    print(json.dumps(results.machine()))
    with tempfile.TemporaryDirectory(prefix="outcry-features-") as root:
        store = filled(Path(root) / "features", told.entities, told.events)
        measure_join(store, told.entities, told.events, told.asked)
        asyncio.run(measure_online(store, Path(root) / "data", told.entities))


if __name__ == "__main__":
    main()
