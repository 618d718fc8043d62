"""Datasets from a real broker: a window at a time, each message once, and the same again."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.domain.datasets import DataSource
from app.doors.outside_stream import OutsideStream
from app.security.outbound import Allowed, Outbound
from app.services.datasets.dataset_sources import Fetch, Fetched
from app.services.feeds.kafka_config import KafkaConfig
from app.storage.engine import Database
from tests.integration.datasets.collecting_desk import CollectingDesk, now
from tests.integration.feeds.broker import Broker

TRADE = "fields=time:ts,symbol:s,price:trade.p,size:trade.v?"


def trade(number: int, **more: Any) -> tuple[str, bytes]:
    value = {
        "ts": f"2026-03-{1 + number // 1440 % 28:02d}T{number // 60 % 24:02d}:{number % 60:02d}Z",
        "s": f"S{number % 3}",
        "trade": {"p": 100 + number, "v": 1.5},
    }
    return str(number), json.dumps(value | more).encode()


class Stream:
    """A desk that reads one topic."""

    def __init__(self, database: Database, root: Path, broker: Broker) -> None:
        self.broker = broker
        outbound = Outbound(Allowed.read([broker.servers]))
        self.reader = OutsideStream(outbound, KafkaConfig(bootstrap_servers=broker.servers))
        self.desk = CollectingDesk(database, root, {"stream": self.reader})

    def source(self, query: str | None = TRADE, topic: str = "trades") -> DataSource:
        return DataSource(type="stream", uri=f"kafka://{self.broker.servers}/{topic}", query=query)

    async def prices(self, dataset: Any) -> list[int]:
        return sorted(row[2] for row in await self.desk.rows(dataset))


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    broker = Broker(tmp_path)
    broker.start()
    yield broker
    broker.kill()


@pytest.fixture
async def stream(database: Database, tmp_path: Path, broker: Broker) -> Stream:
    await broker.create("trades", 3)
    return Stream(database, tmp_path, broker)


async def test_messages_become_rows_and_the_next_collection_goes_on(stream: Stream) -> None:
    await stream.broker.produce("trades", [trade(number) for number in range(300)])
    dataset = await stream.desk.enter(stream.source())

    first = await stream.desk.collect(dataset)
    again = await stream.desk.collect(dataset)

    assert first.status == "completed", first.error
    assert first.result is not None
    assert again.result == first.result
    assert await stream.desk.columns(dataset) == [
        ("time", "TIMESTAMP"),
        ("symbol", "VARCHAR"),
        ("price", "BIGINT"),
        ("size", "DOUBLE"),
    ]
    await stream.broker.produce("trades", [trade(number) for number in range(300, 450)])
    second = await stream.desk.collect(dataset)
    assert second.result is not None
    assert (second.result["version"], second.result["size"]) == (2, 450)
    assert await stream.prices(dataset) == list(range(100, 550))
    newest, oldest = await stream.desk.catalog.versions(dataset.id)
    windows = newest.manifest["origin"]["windows"]
    assert windows[0] == oldest.manifest["origin"]["windows"][0]
    assert sum(window["rows"] for window in windows) == 450
    for number, (_, end) in windows[0]["partitions"].items():
        assert windows[1]["partitions"].get(number, [end])[0] == end


async def test_what_is_no_record_is_counted_with_its_reason(stream: Stream) -> None:
    poison = [
        ("k", b"\xff"),
        ("k", b"[]"),
        ("k", b"{}"),
        ("k", b'{"s": "A"}'),
        trade(1, trade=None),
    ]
    await stream.broker.produce("trades", [trade(0), *poison, *map(trade, range(2, 9))])
    dataset = await stream.desk.enter(stream.source())

    job = await stream.desk.collect(dataset)

    assert job.result is not None
    assert job.result["size"] == 8
    assert job.result["refused"] == {
        "is no JSON": 1,
        "is no JSON object": 1,
        "has no ts": 2,
        "has no trade.p": 1,
    }
    (version,) = await stream.desk.catalog.versions(dataset.id)
    assert version.manifest["origin"]["windows"][0]["refused"] == job.result["refused"]


async def test_a_version_is_made_again_from_the_broker_when_its_file_is_gone(
    stream: Stream,
) -> None:
    dataset = await stream.desk.enter(stream.source())
    for start in (0, 50, 80):
        await stream.broker.produce(
            "trades", [trade(number) for number in range(start, start + 30)]
        )
        last = await stream.desk.collect(dataset)
    assert last.result is not None
    rows = await stream.desk.rows(dataset)
    for kept in stream.desk.root.iterdir():
        kept.unlink()

    again = await stream.desk.collect(dataset)

    assert again.result == last.result, again.error
    assert await stream.desk.rows(dataset) == rows


async def test_a_collection_that_died_leaves_nothing_twice_and_nothing_out(stream: Stream) -> None:
    await stream.broker.produce("trades", [trade(number) for number in range(40)])
    dataset = await stream.desk.enter(stream.source())
    await stream.desk.collect(dataset)
    await stream.broker.produce("trades", [trade(number) for number in range(40, 70)])
    reading = asyncio.Event()

    class Dying(OutsideStream):
        """Reads everything, and never comes back."""

        async def __call__(self, fetch: Fetch) -> Fetched:
            await super().__call__(fetch)
            reading.set()
            await asyncio.sleep(60)
            raise AssertionError("it lives")

    outbound = Outbound(Allowed.read([stream.broker.servers]))
    dying = CollectingDesk(
        stream.desk.database, stream.desk.root.parent, {"stream": Dying(outbound, None)}
    )
    job = await dying.collecting.submit(dataset.id, by=None)
    work = asyncio.create_task(dying.jobs.work_on(job.id))
    async with asyncio.timeout(20):
        await reading.wait()
    work.cancel()
    await asyncio.wait({work})

    await stream.broker.produce("trades", [trade(number) for number in range(70, 90)])
    await stream.desk.jobs.work_on(job.id)

    assert (await stream.desk.jobs.wait(job.id)).status == "completed"
    assert await stream.prices(dataset) == list(range(100, 190))


async def test_two_collections_at_once_do_not_both_go_on_from_one_version(stream: Stream) -> None:
    await stream.broker.produce("trades", [trade(number) for number in range(10)])
    dataset = await stream.desk.enter(stream.source())
    await stream.desk.collect(dataset)
    await stream.broker.produce("trades", [trade(number) for number in range(10, 20)])
    second = CollectingDesk(
        stream.desk.database, stream.desk.root.parent, {"stream": stream.reader}
    )

    class Overtaken(OutsideStream):
        """Is slow: somebody else collects while it reads."""

        async def __call__(self, fetch: Fetch) -> Fetched:
            found = await super().__call__(fetch)
            await stream.broker.produce("trades", [trade(20)])
            # Another process that took the job for dead has it now.
            await stream.desk.database.execute("UPDATE jobs SET dedupe_key = NULL")
            assert (await second.collect(dataset)).status == "completed"
            return found

    outbound = Outbound(Allowed.read([stream.broker.servers]))
    slow = CollectingDesk(
        stream.desk.database, stream.desk.root.parent, {"stream": Overtaken(outbound, None)}
    )
    job = await slow.collect(dataset)

    assert job.error == "outside was collected by somebody else meanwhile; collect it again."
    assert await stream.prices(dataset) == list(range(100, 121))


async def test_a_part_of_a_stream_is_taken_by_moment_offset_and_number(stream: Stream) -> None:
    cuts = []
    for start in (0, 40, 70):
        numbers = range(start, {0: 40, 40: 70, 70: 100}[start])
        await stream.broker.produce("trades", [trade(one) for one in numbers], partition=0)
        await asyncio.sleep(0.01)  # the broker stamps messages itself, by the millisecond
        cuts.append(now().isoformat(timespec="milliseconds").replace("+", "%2B"))
        await asyncio.sleep(0.01)
    desk = stream.desk

    async def prices(name: str, query: str) -> list[int]:
        dataset = await desk.enter(stream.source(f"{TRADE}&{query}"), name=name)
        job = await desk.collect(dataset)
        assert job.status == "completed", job.error
        return await stream.prices(dataset)

    assert await prices("offset", "from=90") == list(range(190, 200))
    assert await prices("number", "rows=7") == list(range(100, 107))
    assert await prices("moments", f"from={cuts[0]}&until={cuts[1]}") == list(range(140, 170))
    assert await prices("since", f"from={cuts[1]}") == list(range(170, 200))
    dataset = await desk.catalog.find("number")
    await desk.collect(dataset)
    assert await stream.prices(dataset) == list(range(100, 114))


async def test_what_cannot_be_read_is_told(stream: Stream, tmp_path: Path) -> None:
    desk, broker = stream.desk, stream.broker

    async def failed(name: str, source: DataSource, **credentials: str) -> str:
        job = await desk.collect(await desk.enter(source, credentials, name=name))
        assert job.status == "failed"
        return job.error or ""

    empty = await failed("empty", stream.source())
    assert empty == "There are no messages to make rows of yet."
    assert "no topic 'absent'" in await failed("absent", stream.source(topic="absent"))
    other = DataSource(type="stream", uri="kafka://127.0.0.1:9/trades")
    assert "OUTCRY_OUTBOUND_ALLOW lists: 127.0.0.1:9" in await failed("other", other)
    assert "protocol=SASL_SSL" in await failed("user", stream.source(), user="ann", password="x")
    own = DataSource(type="stream", uri="kafka:///trades")
    assert await failed("own", own) == empty
    broker.kill()
    assert "cannot be read" in await failed("gone", stream.source())


async def test_a_topic_that_was_made_anew_is_told_apart(stream: Stream) -> None:
    await stream.broker.produce("trades", [trade(number) for number in range(30)])
    dataset = await stream.desk.enter(stream.source())
    await stream.desk.collect(dataset)
    stream.broker.kill()
    stream.broker.start()  # what it held is gone
    await stream.broker.create("trades", 3)
    await stream.broker.produce("trades", [trade(0)])

    job = await stream.desk.collect(dataset)

    assert job.status == "failed"
    assert "made anew" in (job.error or "")
    assert (await stream.desk.find(dataset.id)).status == "ready"
