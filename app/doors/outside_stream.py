"""Messages of a Kafka topic as rows: a window that ends where the topic does when it is asked.

Reads by itself, outside of any consumer group, so that nobody else's position moves. A broker sends
its readers on to addresses of its own choice; so only brokers are read that the operator listed.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from app.domain.errors import Conflict, Invalid, TooLarge, Unavailable
from app.security.outbound import Outbound, OutboundFailed, OutboundRefused
from app.services.datasets.dataset_sources import Fetch, Fetched
from app.services.datasets.dataset_streams import (
    Message,
    Origin,
    StreamPlace,
    Window,
    next_window,
    read_stream,
    row_of,
)
from app.services.feeds.kafka_config import KafkaConfig

MOST_BYTES = 4 * 1024**3
QUIET_S = 30.0
"""A broker that sends nothing for so long while there is more is given up."""


class OutsideStream:
    """Implements `app.services.datasets.dataset_sources.ReadSource` on a topic."""

    def __init__(
        self,
        outbound: Outbound,
        own: KafkaConfig | None,
        *,
        most_bytes: int = MOST_BYTES,
        quiet_s: float = QUIET_S,
    ) -> None:
        """Args:
        own: the cluster that the desk's feeds are read from.
        """
        self._outbound = outbound
        self._own = own
        self._most_bytes = most_bytes
        self._quiet_s = quiet_s

    async def __call__(self, fetch: Fetch) -> Fetched:
        """Write the messages since the last version as JSON lines, or those of all versions.

        Raises:
            Invalid: the brokers are not permitted, or there is no such topic.
            Conflict: the topic is another one than was read before, or lacks what it had.
            TooLarge: there are more bytes than a dataset may have.
            Unavailable: the brokers cannot be reached, or stop sending.
        """
        place = read_stream(fetch.source)
        config = await self._config(place, fetch)
        where = config.bootstrap_servers
        try:
            reach = config.client()
        except OSError as wrong:
            raise Unavailable(
                f"KAFKA_SSL_…: {wrong.strerror or wrong} ({wrong.filename}).", code="not_fetched"
            ) from None
        consumer = AIOKafkaConsumer(
            **reach,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_committed",
            max_poll_records=10_000,
        )
        try:
            async with asyncio.timeout(self._quiet_s):
                await consumer.start()
            with fetch.target.open("wb") as file:
                reading = _Reading(consumer, place, fetch, file.write, self)
                return await reading.read()
        except TimeoutError:
            raise Unavailable(
                f"{where} sent nothing for {self._quiet_s:g} s.", code="not_fetched"
            ) from None
        except (KafkaError, OSError) as failed:
            raise Unavailable(f"{where} cannot be read: {failed}", code="not_fetched") from None
        finally:
            await consumer.stop()

    @property
    def most_bytes(self) -> int:
        """How much a dataset may have."""
        return self._most_bytes

    @property
    def quiet_s(self) -> float:
        """How long a broker may be silent."""
        return self._quiet_s

    async def _config(self, place: StreamPlace, fetch: Fetch) -> KafkaConfig:
        if not place.servers:
            if self._own is None:
                raise Invalid(
                    "The desk has no Kafka of its own (KAFKA_BOOTSTRAP_SERVERS): name a broker in "
                    "`source.uri`."
                )
            return self._own
        for host, port in place.servers:
            try:
                await self._outbound.addresses(host, port, ports=frozenset())
            except OutboundRefused as refused:
                raise Invalid(f"`source.uri`: {refused.reason}", code="address_refused") from None
            except OutboundFailed as failed:
                raise Unavailable(failed.reason, code="not_fetched") from None
        user = fetch.credentials.get("user")
        if (user is not None) != place.protocol.startswith("SASL_"):
            raise Invalid(
                "A `user` and a `password` go with protocol=SASL_SSL or SASL_PLAINTEXT in "
                "`source.uri`, and only with them."
            )
        return KafkaConfig(
            bootstrap_servers=",".join(f"{host}:{port}" for host, port in place.servers),
            security_protocol=place.protocol,
            sasl_mechanism=place.mechanism,
            sasl_username=user,
            sasl_password=fetch.credentials.get("password"),
        )


class _Reading:
    """One collection."""

    def __init__(
        self,
        consumer: Any,
        place: StreamPlace,
        fetch: Fetch,
        write: Callable[[bytes], object],
        limits: OutsideStream,
    ) -> None:
        self._consumer = consumer
        self._place = place
        self._fetch = fetch
        self._write = write
        self._limits = limits
        self._rows = 0
        self._bytes = 0

    async def read(self) -> Fetched:
        """Read the window that is due, after those of earlier versions if they are wanted too."""
        place, before = self._place, self._fetch.before
        if before is not None and before.topic != place.topic:
            raise Conflict(f"Earlier versions are of the topic {before.topic!r}.")
        async with asyncio.timeout(self._limits.quiet_s):
            partitions = await self._partitions()
            firsts, ends, starts = await self._edges(partitions)
            until = None
            if place.until is not None:
                until = await self._at(partitions, place.until, ends)
        new = next_window(place, before, firsts=firsts, ends=ends, starts=starts, until=until)
        old = () if before is None else before.windows
        for window in old if self._fetch.whole else ():
            again = await self._window(window, firsts)
            if (again.rows, again.refused) != (window.rows, window.refused):
                raise Conflict(
                    f"{place.topic!r} does not hold the same messages any more that version "
                    "was made of.",
                    code="dataset_not_here",
                )
        made = await self._window(new, firsts)
        windows = (*old, made) if made.rows or (made.refused and old) else old
        return Fetched(
            format="jsonl",
            rows=self._rows,
            refused=made.refused,
            lost=made.lost,
            origin=Origin(topic=place.topic, windows=windows),
        )

    async def _partitions(self) -> list[TopicPartition]:
        place = self._place
        if place.topic not in await self._consumer.topics():
            raise Invalid(f"There is no topic {place.topic!r}.", code="no_topic")
        numbers = self._consumer.partitions_for_topic(place.topic) or set()
        partitions = [TopicPartition(place.topic, number) for number in sorted(numbers)]
        self._consumer.assign(partitions)
        return partitions

    async def _edges(
        self, partitions: list[TopicPartition]
    ) -> tuple[dict[int, int], dict[int, int], dict[int, int]]:
        """Return what is kept from, up to where, and where an unread partition begins."""
        consumer, place = self._consumer, self._place
        firsts = _by_number(await consumer.beginning_offsets(partitions))
        ends = await self._ends(partitions)
        match place.start:
            case "earliest":
                starts = dict(firsts)
            case int() as offset:
                starts = dict.fromkeys(ends, offset)
            case moment:
                starts = await self._at(partitions, moment, ends)  # type: ignore[arg-type]
        return firsts, ends, starts

    async def _ends(self, partitions: list[TopicPartition]) -> dict[int, int]:
        """Return where each partition ends now.

        Some brokers tell of all but the last batch when they are asked for the end; what they send
        with messages is right.
        """
        consumer = self._consumer
        ends = await consumer.end_offsets(partitions)
        for partition, end in ends.items():
            consumer.seek(partition, end)
        await consumer.getmany(*partitions, timeout_ms=1000, max_records=1)
        return {
            partition.partition: max(end, consumer.last_stable_offset(partition) or 0)
            for partition, end in ends.items()
        }

    async def _at(
        self, partitions: list[TopicPartition], moment: datetime, ends: dict[int, int]
    ) -> dict[int, int]:
        """Return each partition's first offset of this moment or later."""
        stamp = round(moment.timestamp() * 1000)
        found = await self._consumer.offsets_for_times(dict.fromkeys(partitions, stamp))
        return {
            # Where there is none so late, brokers say nothing, or a moment before all others.
            one.partition: ends[one.partition] if at is None or at.timestamp < 0 else at.offset
            for one, at in found.items()
        }

    async def _window(self, window: Window, firsts: dict[int, int]) -> Window:
        """Read a window in the order of partitions and offsets."""
        rows, refused = self._rows, Counter[str]()
        for number, (start, end) in window.partitions.items():
            if start < firsts.get(int(number), end):
                raise Conflict(
                    f"The broker does not keep offset {start:,} of partition {number} any more, "
                    "which an earlier version was made of.",
                    code="dataset_not_here",
                )
            await self._span(TopicPartition(self._place.topic, int(number)), start, end, refused)
        return Window(
            partitions=window.partitions,
            rows=self._rows - rows,
            refused=dict(sorted(refused.items())),
            lost=window.lost,
        )

    async def _span(
        self, partition: TopicPartition, start: int, end: int, refused: Counter[str]
    ) -> None:
        consumer = self._consumer
        consumer.pause(*consumer.assignment())
        consumer.seek(partition, start)
        consumer.resume(partition)
        quiet_since = asyncio.get_running_loop().time()
        while True:
            async with asyncio.timeout(self._limits.quiet_s):
                # Transactions leave offsets without a message: where we stand tells, not the last.
                if await consumer.position(partition) >= end:
                    return
                found = (await consumer.getmany(partition, timeout_ms=500)).get(partition, ())
            now = asyncio.get_running_loop().time()
            if found:
                quiet_since = now
            elif now - quiet_since > self._limits.quiet_s:
                raise TimeoutError
            wanted = [message for message in found if start <= message.offset < end]
            await asyncio.to_thread(self._take, wanted, refused)
            await self._fetch.told(self._rows)
            if found and found[-1].offset >= end - 1:
                return

    def _take(self, messages: list[Any], refused: Counter[str]) -> None:
        lines = []
        for one in messages:
            row = row_of(
                Message(one.partition, one.offset, one.timestamp, one.key, one.value),
                self._place.fields,
            )
            if isinstance(row, str):
                refused[row] += 1
            else:
                lines.append(msgspec.json.encode(row))
        if not lines:
            return
        data = b"\n".join(lines) + b"\n"
        self._rows += len(lines)
        self._bytes += len(data)
        if self._bytes > self._limits.most_bytes:
            raise TooLarge(
                f"The messages have more than {self._limits.most_bytes:,} bytes: take fewer with "
                "`rows` or `until`."
            )
        self._write(data)


def _by_number(found: dict[TopicPartition, int]) -> dict[int, int]:
    return {partition.partition: offset for partition, offset in found.items()}
