"""A TCP connection between the browser and a desk that a test can cut."""

import asyncio
import contextlib


class Cable:
    """Start with `async with`; `origin` is where the browser goes."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._broken = False
        self._ends: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> "Cable":
        self._server = await asyncio.start_server(self._connection, "127.0.0.1", 0)
        self.origin = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.cut()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> None:
        """Reset every connection; whoever connects anew is reset too, until `mend`."""
        self._broken = True
        for writer in tuple(self._ends):
            writer.transport.abort()

    def mend(self) -> None:
        """Let connections through again."""
        self._broken = False

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            if self._broken:
                writer.transport.abort()
                return
            there, back = await asyncio.open_connection("127.0.0.1", self._to)
            self._ends |= {writer, back}
            await asyncio.gather(self._carry(reader, back), self._carry(there, writer))
            self._ends -= {writer, back}
        finally:
            self._tasks.discard(task)

    async def _carry(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await source.read(65536):
                sink.write(data)
                await sink.drain()
        sink.close()
        with contextlib.suppress(ConnectionError):
            await sink.wait_closed()
