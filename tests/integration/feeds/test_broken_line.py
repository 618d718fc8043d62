"""The line to the broker is cut while bars are read: they go on where they were, each once."""

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Any

from app.storage.engine import Database
from tests.integration.feeds.broker import Broker, free_port
from tests.integration.feeds.conftest import Receiver
from tests.integration.feeds.test_kafka import at_least, bar, expected, stored


class Line:
    """A way to the broker that can be cut and mended."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.to = 0
        self.cuts = 0
        self._open: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    async def mend(self) -> None:
        """Take connections."""
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", self.port)

    def cut(self) -> None:
        """Drop what is open in mid-word and take nothing more."""
        if self._server is not None:
            self._server.close()
        for writer in self._open:
            writer.transport.abort()
        self._open.clear()
        self.cuts += 1

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self.to)
        self._open |= {writer, back}
        with suppress(OSError, asyncio.CancelledError):
            await asyncio.gather(_pump(reader, back), _pump(there, writer))
        for one in (writer, back):
            one.close()


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while data := await source.read(65_536):
        sink.write(data)
        await sink.drain()
    sink.close()


async def test_a_line_that_breaks_again_and_again_loses_and_doubles_nothing(
    database: Database, tmp_path: Path
) -> None:
    line = Line(free_port())
    broker = Broker(tmp_path, advertised_port=line.port)
    line.to = broker.port
    broker.start()
    try:
        await line.mend()
        for table in ("feed_positions", "feed_refusals"):
            await database.execute(f"DELETE FROM {table}")
        receiver: Any = Receiver(database, f"127.0.0.1:{line.port}")
        await receiver.know("A", "B")
        await broker.create("bars", 2)
        async with receiver.reading() as feed:
            for stretch in range(4):
                first = stretch * 500
                numbers = range(first, first + 500)
                await broker.produce("bars", [bar(s, n) for n in numbers for s in ("A", "B")])
                await receiver.until(lambda done=2 * first + 1: at_least(receiver, done))
                line.cut()
                await asyncio.sleep(0.3)
                await line.mend()
            await receiver.until(lambda: at_least(receiver, 4_000), within_s=50)
            assert feed.stats.messages == 4_000, "each message once"
        for symbol in ("A", "B"):
            assert await stored(receiver, symbol) == expected(2_000)
        assert line.cuts == 4
    finally:
        line.cut()
        broker.kill()
