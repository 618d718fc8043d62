"""Datasets from somebody else's Postgres: typed, read only, bounded, stopped where it works."""

import asyncio
import math
from typing import Any
from uuid import uuid4

import pytest

from app.domain.datasets import DataSource
from app.domain.errors import Invalid
from app.doors.outside_database import OutsideDatabase
from app.security.outbound import Allowed, Outbound
from tests.integration.datasets.collecting_desk import CollectingDesk
from tests.integration.datasets.conftest import Outside
from tests.integration.storage.desk import Desk

SOLD = """
CREATE TABLE sold (at timestamptz, day date, local timestamp, shop text, pieces int, price numeric,
                   share double precision, open bool, more jsonb, id uuid);
INSERT INTO sold VALUES
 ('2026-03-01 10:00+02', '2026-03-01', '2026-03-01 10:00', '007', 3, 12.50, 'NaN', true,
  '{"a": [1]}', '00000000-0000-0000-0000-000000000001'),
 ('2026-03-02 10:00+02', '2026-03-02', '2026-03-02 10:00', '', NULL, -0.1, 'Infinity', false,
  NULL, NULL),
 ('2026-03-03 10:00+02', '2026-03-03', '2026-03-03 10:00', 'two
lines, "quoted"', 5, NULL, 1e300, NULL, '"x"', NULL),
 ('2026-03-04 10:00+02', '2026-03-04', '2026-03-04 10:00', NULL, -7, 1e20, 0, true, '1', NULL);
"""


def source(outside: Outside, query: str, uri: str | None = None) -> DataSource:
    return DataSource(type="database", uri=uri or outside.uri, query=query)


async def failed(outside: Outside, query: str, **changes: Any) -> str:
    """Return why a collection failed; the dataset is as it was."""
    credentials = changes.get("credentials", outside.credentials)
    asked = source(outside, query, changes.get("uri"))
    dataset = await outside.desk.enter(asked, credentials, name=uuid4().hex)
    job = await outside.desk.collect(dataset)
    assert job.status == "failed", job
    assert (await outside.desk.find(dataset.id)).status == "collecting"
    assert job.error is not None
    assert outside.credentials["password"] not in job.error
    return job.error


async def test_columns_come_in_the_types_that_the_server_says(outside: Outside) -> None:
    await outside.connection.execute(SOLD)
    asked = source(outside, "SELECT * FROM sold ORDER BY at; ")
    dataset = await outside.desk.enter(asked, outside.credentials, time="at")

    job = await outside.desk.collect(dataset)

    assert job.status == "completed", job.error
    assert job.result is not None
    assert job.result["size"] == 4
    assert await outside.desk.columns(dataset) == [
        ("at", "TIMESTAMP"),
        ("day", "TIMESTAMP"),
        ("local", "TIMESTAMP"),
        ("shop", "VARCHAR"),
        ("pieces", "INTEGER"),
        ("price", "DOUBLE"),
        ("share", "DOUBLE"),
        ("open", "BOOLEAN"),
        ("more", "VARCHAR"),
        ("id", "VARCHAR"),
    ]
    rows = await outside.desk.rows(dataset)
    assert [str(row[0]) for row in rows] == [f"2026-03-0{day} 08:00:00" for day in (1, 2, 3, 4)]
    assert [row[3] for row in rows] == ["007", "", 'two\nlines, "quoted"', None]
    assert [row[4] for row in rows] == [3, None, 5, -7]
    assert [row[5] for row in rows] == [12.5, -0.1, None, 1e20]
    assert math.isnan(rows[0][6])
    assert rows[1][6] == math.inf
    assert [row[7] for row in rows] == [True, False, None, True]
    assert [row[8] for row in rows] == ['{"a": [1]}', None, '"x"', "1"]
    again = await outside.desk.collect(dataset)
    assert again.result is not None
    assert again.result["digest"] == job.result["digest"]


async def test_many_rows_are_counted_as_they_come(outside: Outside) -> None:
    asked = source(
        outside, "SELECT i, 'a \"text\"\n' || i AS said FROM generate_series(1, 50000) i"
    )
    dataset = await outside.desk.enter(asked, outside.credentials)
    job = await outside.desk.collecting.submit(dataset.id, by=None)
    said: list[str] = []

    watching = asyncio.create_task(
        outside.desk.jobs.wait(job.id, seen=lambda one: said.append(one.stage))
    )
    await outside.desk.jobs.work_on(job.id)
    ended = await watching

    assert ended.status == "completed", ended.error
    assert (await outside.desk.find(dataset.id)).size == 50_000
    assert any("rows so far" in stage for stage in said), said


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("SELECT 1; DELETE FROM sold", "syntax error"),
        ("SELECT 1) AS x; DELETE FROM sold; SELECT * FROM (SELECT 1", "multiple commands"),
        ("SELECT 1) AS x; COMMIT; DELETE FROM sold --", "syntax error"),
        ("DELETE FROM sold RETURNING shop", "syntax error"),
        ("WITH gone AS (DELETE FROM sold RETURNING *) SELECT * FROM gone", "top level"),
        ("SELECT nextval('counter')", "read-only transaction"),
        ("SELECT set_config('transaction_read_only', 'off', true), nextval('counter')", "read"),
    ],
)
async def test_nothing_is_changed_at_the_other_side(
    outside: Outside, query: str, says: str
) -> None:
    await outside.connection.execute(SOLD)
    await outside.connection.execute("CREATE SEQUENCE IF NOT EXISTS counter")
    before = await outside.connection.fetchval("SELECT last_value FROM counter")

    assert says in await failed(outside, query)

    assert await outside.connection.fetchval("SELECT count(*) FROM sold") == 4
    assert await outside.connection.fetchval("SELECT last_value FROM counter") == before


async def test_what_is_wrong_with_a_query_is_said_in_the_servers_words(outside: Outside) -> None:
    said = await failed(outside, "SELECT 1 AS one,\n  nothing FROM generate_series(1, 2)")
    assert 'column "nothing" does not exist (line 2, character 3).' in said
    assert 'relation "absent" does not exist' in await failed(outside, "SELECT * FROM absent")
    assert "division by zero" in await failed(
        outside, "SELECT 1 / (i - 2) FROM generate_series(1, 3) i"
    )
    assert "bytea" in await failed(outside, "SELECT 'a'::bytea AS raw")
    assert "cast it" in await failed(outside, "SELECT ARRAY[1, 2] AS many")
    assert "'a'" in await failed(outside, "SELECT 1 AS a, 2 AS a")
    assert "more than 60,000 rows" in await failed(outside, "SELECT generate_series(1, 60001)")
    big = "SELECT repeat('x', 10000) FROM generate_series(1, 2000)"
    assert "more than 8,000,000 bytes" in await failed(outside, big)
    assert "no rows" in await failed(outside, "SELECT 1 AS a WHERE false")


async def test_who_may_not_come_in_is_told_why(outside: Outside) -> None:
    wrong = {**outside.credentials, "password": "not this one"}
    assert "password authentication failed" in await failed(outside, "SELECT 1", credentials=wrong)
    absent = outside.uri.replace("somebody_else", "absent")
    assert 'database "absent" does not exist' in await failed(outside, "SELECT 1", uri=absent)
    assert "is not a public address" in await failed(
        outside, "SELECT 1", uri="postgresql://127.0.0.1:5432/a"
    )
    assert "OUTCRY_OUTBOUND_ALLOW" in await failed(
        outside, "SELECT 1", uri="postgresql://10.0.0.7:5433/a"
    )
    assert "means this machine" in await failed(
        outside, "SELECT 1", uri="postgresql://localhost:5432/a"
    )


async def test_a_name_that_nobody_knows_is_said_to_be_unknown(outside: Outside) -> None:
    async def unknown(host: str, port: int) -> list[str]:
        raise OSError("no such name")

    reader = OutsideDatabase(Outbound(Allowed(), resolve=unknown))
    root = outside.desk.root.parent / "other"
    desk = CollectingDesk(outside.desk.database, root, {"database": reader})
    job = await desk.collect(
        await desk.enter(
            source(outside, "SELECT 1", "postgresql://db.example.org/a"), outside.credentials
        )
    )
    assert job.error == "The name db.example.org is not known."


async def test_a_server_that_takes_too_long_is_given_up(outside: Outside) -> None:
    reader = OutsideDatabase(Outbound(Allowed.read([outside.uri.split("/")[2]])), statement_s=0.2)
    root = outside.desk.root.parent / "other"
    desk = CollectingDesk(outside.desk.database, root, {"database": reader})
    dataset = await desk.enter(source(outside, "SELECT pg_sleep(30)"), outside.credentials)

    job = await desk.collect(dataset)

    assert job.error == "127.0.0.1 took longer than 0.2 s."


@pytest.mark.parametrize(
    "slow",
    [
        # A first row at once, and then nothing for long.
        "SELECT i, CASE WHEN i > 1 THEN pg_sleep(60)::text END AS s FROM generate_series(1, 2) i",
        # Rows without end.
        "SELECT i, pg_sleep(0.002)::text AS s, repeat('x', 4000) FROM generate_series(1, 59000) i",
    ],
)
async def test_cancelling_stops_the_query_where_it_runs(outside: Outside, slow: str) -> None:
    ann = await Desk(outside.desk.database).user("ann@example.test")
    dataset = await outside.desk.enter(source(outside, slow), outside.credentials)
    job = await outside.desk.collecting.submit(dataset.id, by=ann.user_id)
    working = asyncio.create_task(outside.desk.jobs.work_on(job.id))
    active = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'outcry' "
    active += "AND datname = 'somebody_else' AND state = 'active' AND query LIKE 'COPY%'"

    async with asyncio.timeout(20):
        while not await outside.connection.fetchval(active):  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.02)
        await outside.desk.jobs.cancel(ann, job.id)
        await working
        while await outside.connection.fetchval(active):  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.02)

    assert (await outside.desk.jobs.wait(job.id)).status == "cancelled"
    assert (await outside.desk.find(dataset.id)).status == "collecting"


async def test_a_server_without_tls_is_not_read_where_tls_is_required(outside: Outside) -> None:
    said = await failed(outside, "SELECT 1", uri=f"{outside.uri}?sslmode=require")

    assert "cannot be reached" in said
    assert "SSL" in said


@pytest.mark.parametrize(
    ("uri", "query", "says"),
    [
        ("postgresql://ann:word@a.example.org/b", "SELECT 1", "credentials"),
        ("mysql://a.example.org/b", "SELECT 1", "begins with"),
        ("postgresql://a.example.org", "SELECT 1", "postgresql://host:5432/database"),
        ("postgresql:///b?host=/run/postgresql", "SELECT 1", "postgresql://host:5432/database"),
        ("postgresql://a.example.org/b?passfile=/etc/passwd", "SELECT 1", "sslmode"),
        ("postgresql://a.example.org:99999/b", "SELECT 1", "cannot be read"),
        ("postgresql://a.example.org/b", " ; ", "one SELECT"),
    ],
)
async def test_what_is_no_address_of_a_database_is_refused_at_once(
    outside: Outside, uri: str, query: str, says: str
) -> None:
    with pytest.raises(Invalid, match=says.replace("?", "\\?")):
        await outside.desk.enter(source(outside, query, uri), outside.credentials)


async def test_a_database_needs_to_know_who_asks(outside: Outside) -> None:
    with pytest.raises(Invalid, match="needs a `user`"):
        await outside.desk.enter(source(outside, "SELECT 1"), {"password": "x"})
