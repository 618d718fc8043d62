"""Positions of feeds, and the one transaction that writes a batch together with its position."""

from collections.abc import Iterable

from app.domain.feeds import FeedWrite, Fenced, Partition, PartitionWrite, Position
from app.storage.bars import PostgresBars
from app.storage.engine import Database, PooledConnection
from tools.market.intake import BarsStored
from tools.market.ticks import OpenBar

MAX_REFUSALS = 100_000
"""Refused messages kept per topic and group; of more, the newest."""
_TRIM_EVERY = 1_000
_BAR_COLUMNS = "symbol, opened_us, open, high, low, close, volume, ticks, first_us, last_us"


class PostgresFeeds:
    """Implements `app.services.feeds.feeds.FeedStore` for one consumer group."""

    def __init__(self, database: Database, bars: PostgresBars, group_id: str) -> None:
        self._database = database
        self._bars = bars
        self._group_id = group_id
        self._untrimmed: dict[str, int] = {}

    async def positions(self, partitions: Iterable[Partition]) -> dict[Partition, Position]:
        """Return where each partition was left, from one moment; those never read are missing."""
        wanted = list(partitions)
        topics, numbers = [topic for topic, _ in wanted], [number for _, number in wanted]
        rows = await self._database.fetch(
            f"""
            SELECT p.topic, p.partition, p.next_offset, p.watermark_us,
                   array_agg(b.* ORDER BY b.opened_us, b.symbol)
                       FILTER (WHERE b.symbol IS NOT NULL) AS open_bars
              FROM unnest($2::text[], $3::int[]) AS wanted (topic, partition)
              JOIN feed_positions p
                ON p.group_id = $1 AND (p.topic, p.partition) = (wanted.topic, wanted.partition)
              LEFT JOIN LATERAL (
                  SELECT {_BAR_COLUMNS} FROM feed_open_bars
                   WHERE group_id = p.group_id AND topic = p.topic AND partition = p.partition
              ) b ON true
             GROUP BY p.topic, p.partition, p.next_offset, p.watermark_us
            """,
            self._group_id,
            topics,
            numbers,
        )
        return {
            (row["topic"], row["partition"]): Position(
                row["next_offset"],
                row["watermark_us"],
                tuple(OpenBar(*bar) for bar in row["open_bars"] or ()),
            )
            for row in rows
        }

    async def write(self, batch: FeedWrite) -> list[BarsStored]:
        """Write a batch whole and return what it changed.

        Raises:
            Fenced: a position is not the expected one; nothing was written.
            UnknownSymbol: an instrument has gone; nothing was written.
            Unavailable: the database is away; nothing was written, or the answer was lost.
        """
        async with self._database.transaction() as connection:
            # The positions first: whoever is too late waits here and writes nothing.
            for one in sorted(batch.partitions, key=lambda one: one.partition):
                await self._move(connection, one)
            # In one order everywhere, so that two writers never wait for each other's symbols.
            series = sorted(batch.bars, key=lambda bars: (bars.symbol, bars.timeframe))
            stored = [
                await self._bars.add_within(connection, bars, of_today=True) for bars in series
            ]
            for of in batch.suspects:
                await self._bars.quarantine_within(
                    connection, of.symbol, of.timeframe, of.rows, source=of.source
                )
            for one in batch.partitions:
                await self._keep_open_bars(connection, one)
                await self._keep_refusals(connection, one)
        return [one for one in stored if one is not None]

    async def reset(self, partition: Partition, next_offset: int) -> None:
        """Let a partition be read from `next_offset`, whatever was stored."""
        topic, number = partition
        await self._database.execute(
            """
            INSERT INTO feed_positions (group_id, topic, partition, next_offset)
            VALUES ($1, $2, $3, $4)
            ON CONFLICT (group_id, topic, partition)
            DO UPDATE SET next_offset = excluded.next_offset, updated_at = now()
            """,
            self._group_id,
            topic,
            number,
            next_offset,
        )

    async def _move(self, connection: PooledConnection, one: PartitionWrite) -> None:
        topic, number = one.partition
        if one.expected_offset is None:
            moved = await connection.fetchval(
                """
                INSERT INTO feed_positions (group_id, topic, partition, next_offset, watermark_us)
                VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING RETURNING true
                """,
                self._group_id,
                topic,
                number,
                one.next_offset,
                one.watermark_us,
            )
        else:
            moved = await connection.fetchval(
                """
                UPDATE feed_positions
                   SET next_offset = $4, watermark_us = $5, updated_at = now()
                 WHERE group_id = $1 AND topic = $2 AND partition = $3 AND next_offset = $6
                RETURNING true
                """,
                self._group_id,
                topic,
                number,
                one.next_offset,
                one.watermark_us,
                one.expected_offset,
            )
        if not moved:
            raise Fenced(f"{topic}[{number}] is not at {one.expected_offset} any more")

    async def _keep_open_bars(self, connection: PooledConnection, one: PartitionWrite) -> None:
        topic, number = one.partition
        if one.closed:
            await connection.execute(
                """
                DELETE FROM feed_open_bars
                 WHERE group_id = $1 AND topic = $2 AND partition = $3
                   AND (symbol, opened_us) IN (SELECT * FROM unnest($4::text[], $5::bigint[]))
                """,
                self._group_id,
                topic,
                number,
                [bar.symbol for bar in one.closed],
                [bar.opened_us for bar in one.closed],
            )
        if one.touched:
            names = _BAR_COLUMNS.split(", ")
            await connection.execute(
                f"""
                INSERT INTO feed_open_bars (group_id, topic, partition, timeframe, {_BAR_COLUMNS})
                SELECT $1, $2, $3, $4, * FROM unnest($5::text[], $6::bigint[], $7::float8[],
                    $8::float8[], $9::float8[], $10::float8[], $11::float8[], $12::bigint[],
                    $13::bigint[], $14::bigint[])
                ON CONFLICT (group_id, topic, partition, symbol, opened_us) DO UPDATE
                   SET open = excluded.open, high = excluded.high, low = excluded.low,
                       close = excluded.close, volume = excluded.volume, ticks = excluded.ticks,
                       first_us = excluded.first_us, last_us = excluded.last_us
                """,
                self._group_id,
                topic,
                number,
                one.timeframe,
                *([getattr(bar, name) for bar in one.touched] for name in names),
            )

    async def _keep_refusals(self, connection: PooledConnection, one: PartitionWrite) -> None:
        if not one.refusals:
            return
        topic, number = one.partition
        await connection.execute(
            """
            INSERT INTO feed_refusals (group_id, topic, partition, message_offset, reason, payload)
            SELECT $1, $2, $3, * FROM unnest($4::bigint[], $5::text[], $6::bytea[])
            ON CONFLICT DO NOTHING
            """,
            self._group_id,
            topic,
            number,
            [refusal.offset for refusal in one.refusals],
            [refusal.reason.replace("\x00", "�") for refusal in one.refusals],
            [refusal.payload for refusal in one.refusals],
        )
        self._untrimmed[topic] = self._untrimmed.get(topic, 0) + len(one.refusals)
        if self._untrimmed[topic] >= _TRIM_EVERY:
            self._untrimmed[topic] = 0
            await connection.execute(
                """
                DELETE FROM feed_refusals
                 WHERE group_id = $1 AND topic = $2 AND refused_at < (
                     SELECT refused_at FROM feed_refusals
                      WHERE group_id = $1 AND topic = $2
                      ORDER BY refused_at DESC OFFSET $3 LIMIT 1)
                """,
                self._group_id,
                topic,
                MAX_REFUSALS,
            )
