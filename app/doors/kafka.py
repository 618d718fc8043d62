"""The Kafka door: reads topics and hands batches to `FeedIntake`, which stores them.

Where to read on is Postgres's word, not the broker's: positions are written there together with
the rows. The consumer group only shares out partitions. One batch is in flight at a time and the
client buffers a few fetches at most, so memory is bounded however far behind the feed is; while
the database is away partitions are paused and nothing is fetched. A broker that is away is tried
again for ever.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec
import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import (
    KafkaError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
)

from app.domain.errors import Unavailable
from app.domain.feeds import FeedMessage, Fenced, Partition
from app.services.feeds.feed_stats import FeedStats
from app.services.feeds.feeds import Batch, FeedIntake
from app.services.feeds.kafka_config import KafkaConfig

log = structlog.get_logger(__name__)


class KafkaPolicy(msgspec.Struct, frozen=True):
    """How much at once, and how patient."""

    batch: int = 5_000
    """Messages in one transaction, at most."""
    wait_ms: int = 100
    """How long to wait for a first message before looking at silent streams again."""
    silent_s: float = 30.0
    """A stream of trades that brings nothing for so long closes its open bars."""
    session_timeout_ms: int = 10_000
    first_pause_s: float = 0.5
    last_pause_s: float = 15.0
    report_s: float = 60.0


class KafkaFeed:
    """Reads one cluster's topics for as long as `run` runs."""

    def __init__(
        self,
        config: KafkaConfig,
        intake: FeedIntake,
        policy: KafkaPolicy | None = None,
        *,
        say: Callable[[str], None] = lambda _: None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Make a feed; `say` is told in plain words when the broker is away and back."""
        self._config = config
        self._intake = intake
        self._policy = policy or KafkaPolicy()
        self._say = say
        self._monotonic = monotonic
        self._away = False
        self.stats = FeedStats(monotonic)

    async def run(self) -> None:
        """Read until cancelled, whatever becomes of the broker."""
        pause_s = self._policy.first_pause_s
        while True:
            reader = _Reader(self._config, self._intake, self._policy, self.stats, self._monotonic)
            try:
                async with reader:
                    self._tell_back()
                    pause_s = self._policy.first_pause_s
                    await reader.read()
            except (KafkaError, OSError, Unavailable) as failed:
                self._tell_away(failed)
            except Exception:
                # A bug here must not end the feed for good; what was not stored is read again.
                log.exception("kafka.failed", servers=self._config.bootstrap_servers)
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, self._policy.last_pause_s)

    def _tell_away(self, failed: Exception) -> None:
        servers = self._config.bootstrap_servers
        log.warning("kafka.away", servers=servers, reason=str(failed) or repr(failed))
        if not self._away:
            self._away = True
            self._say(f"Kafka at {servers} cannot be read: {failed}. Trying again until it can.")

    def _tell_back(self) -> None:
        if self._away:
            self._away = False
            self._say(f"Kafka at {self._config.bootstrap_servers} is there.")


class _Reader(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """One connection to the cluster."""

    def __init__(
        self,
        config: KafkaConfig,
        intake: FeedIntake,
        policy: KafkaPolicy,
        stats: FeedStats,
        monotonic: Callable[[], float],
    ) -> None:
        self._config = config
        self._intake = intake
        self._policy = policy
        self._stats = stats
        self._monotonic = monotonic
        self._owned: set[Partition] = set()
        """Partitions whose stored position the consumer stands at."""
        self._heard_at: dict[Partition, float] = {}
        self._writing = asyncio.Lock()
        """Held while a batch is stored: a partition is given up between batches only."""
        self._failed: Exception | None = None
        self._reported_at = monotonic()
        self._consumer = AIOKafkaConsumer(
            **config.client(),
            group_id=config.group_id,
            enable_auto_commit=False,
            auto_offset_reset="none",
            max_poll_records=policy.batch,
            session_timeout_ms=policy.session_timeout_ms,
            heartbeat_interval_ms=policy.session_timeout_ms // 5,
            metadata_max_age_ms=15_000,
            fetch_max_wait_ms=policy.wait_ms,
        )

    async def __aenter__(self) -> "_Reader":
        self._consumer.subscribe(list(self._config.topics), listener=self)
        try:
            await self._consumer.start()
        except BaseException:
            await self._consumer.stop()
            raise
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._consumer.stop()

    async def read(self) -> None:
        """Read and store batch after batch.

        Raises:
            KafkaError: the cluster cannot be read.
        """
        while True:
            if self._failed is not None:
                raise self._failed
            try:
                found = await self._consumer.getmany(timeout_ms=self._policy.wait_ms)
            except NoOffsetForPartitionError:
                # It was asked for before `_stand` could say where to begin.
                continue
            except OffsetOutOfRangeError as lost:
                await self._start_over(lost.args[0])
                continue
            if found:
                await self._store(
                    {
                        (tp.topic, tp.partition): [FeedMessage(one.offset, one.value) for one in of]
                        for tp, of in found.items()
                    }
                )
            await self._close_silent()
            self._report()

    # --- storing ----------------------------------------------------------------------------------

    async def _store(self, found: Batch) -> None:
        async with self._writing:
            batch = {of: messages for of, messages in found.items() if of in self._owned}
            if not batch:
                return
            now = self._monotonic()
            self._heard_at.update(dict.fromkeys(batch, now))
            try:
                taken = await self._intake.take(batch)
            except (Fenced, Unavailable) as failed:
                await self._recover(list(batch), failed)
                return
            self._stats.batches += 1
            self._stats.messages += taken.messages
            self._stats.accepted += taken.accepted
            self._stats.refused += taken.refused
            self._stats.write.add(self._monotonic() - now)
            self._stats.behind = sum(map(self._behind, self._owned))

    async def _close_silent(self) -> None:
        """Let the open bars of streams that bring nothing close by our own clock."""
        now = self._monotonic()
        for partition in list(self._owned):
            if now - self._heard_at.get(partition, now) < self._policy.silent_s:
                continue
            self._heard_at[partition] = now
            async with self._writing:
                if partition not in self._owned:
                    continue
                try:
                    await self._intake.fall_silent(partition)
                except (Fenced, Unavailable) as failed:
                    await self._recover([partition], failed)

    async def _recover(self, partitions: Sequence[Partition], failed: Exception) -> None:
        """Stand where the database says that these partitions are; nothing is fetched meanwhile."""
        log.warning("kafka.batch_failed", reason=repr(failed), partitions=len(partitions))
        paused = self._consumer.assignment()
        self._consumer.pause(*paused)
        self._stats.pause()
        pause_s = self._policy.first_pause_s / 5
        try:
            while True:
                try:
                    await self._stand(partitions)
                    return
                except Unavailable:
                    await asyncio.sleep(pause_s)
                    pause_s = min(2 * pause_s, self._policy.last_pause_s / 5)
                    # Shows the coordinator that we live; paused, it brings nothing.
                    await self._consumer.getmany(timeout_ms=0)
        finally:
            self._stats.resume()
            self._consumer.resume(*(paused & self._consumer.assignment()))

    async def _stand(self, partitions: Iterable[Partition]) -> None:
        """Begin partitions anew, at their stored positions."""
        mine = [of for of in partitions if _topic_partition(of) in self._consumer.assignment()]
        self._owned.difference_update(mine)
        positions = await self._intake.begin(mine)
        new = [of for of in mine if of not in positions]
        first = await self._edges(new) if new else {}
        for partition in mine:
            offset = positions.get(partition, first.get(partition, 0))
            tp = _topic_partition(partition)
            if tp in self._consumer.assignment():
                self._consumer.seek(tp, offset)
                self._owned.add(partition)
                self._heard_at[partition] = self._monotonic()

    async def _edges(self, partitions: Iterable[Partition]) -> dict[Partition, int]:
        """Return where partitions without a usable position begin."""
        wanted = [_topic_partition(of) for of in partitions]
        if self._config.auto_offset_reset == "earliest":
            found = await self._consumer.beginning_offsets(wanted)
        else:
            found = await self._consumer.end_offsets(wanted)
        return {(tp.topic, tp.partition): offset for tp, offset in found.items()}

    async def _start_over(self, lost: Mapping[TopicPartition, int]) -> None:
        """Go on where the topic does, if what comes next for us is not kept any more."""
        async with self._writing:
            partitions = {
                (tp.topic, tp.partition)
                for tp, offset in lost.items()
                # Not an answer to a question of before the last `_stand`.
                if offset == self._intake.position((tp.topic, tp.partition))
            }
            for partition, offset in (await self._edges(partitions & self._owned)).items():
                log.error(
                    "kafka.messages_lost",
                    topic=partition[0],
                    partition=partition[1],
                    goes_on_at=offset,
                    why="the topic does not keep the next message any more, or was made anew",
                )
                await self._intake.start_over(partition, offset)
                self._consumer.seek(_topic_partition(partition), offset)

    def _behind(self, partition: Partition) -> int:
        tp = _topic_partition(partition)
        if tp not in self._consumer.assignment():
            return 0
        high: int | None = self._consumer.highwater(tp)
        return 0 if high is None else max(0, high - (self._intake.position(partition) or 0))

    def _report(self) -> None:
        now = self._monotonic()
        if now - self._reported_at >= self._policy.report_s:
            self._reported_at = now
            log.info("kafka.progress", **msgspec.to_builtins(self._stats.summary()))

    # --- sharing out ------------------------------------------------------------------------------

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Give partitions up after the batch in flight."""
        async with self._writing:
            gone = {(tp.topic, tp.partition) for tp in revoked}
            self._owned -= gone
            self._intake.end(gone)

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Take partitions up where the database says."""
        partitions = [(tp.topic, tp.partition) for tp in assigned]
        try:
            async with self._writing:
                pause_s = self._policy.first_pause_s / 5
                while True:
                    try:
                        await self._stand(partitions)
                        break
                    except Unavailable:
                        await asyncio.sleep(pause_s)
                        pause_s = min(2 * pause_s, self._policy.last_pause_s / 5)
        except Exception as failed:
            # aiokafka would only log it, and nobody would read these partitions.
            self._failed = failed
        else:
            log.info("kafka.assigned", partitions=len(partitions), group=self._config.group_id)


def _topic_partition(partition: Partition) -> TopicPartition:
    return TopicPartition(*partition)
