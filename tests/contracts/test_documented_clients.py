"""The programs of docs/clients.md run as they are written there."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from tests.contracts.documented import code_of
from tests.contracts.running_desk import RunningDesk
from tests.faults.provider import answer_text

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("running_desk")]


class Line:
    """A relay to the desk that cuts every connection after so many bytes of answers."""

    def __init__(self, port: int, *, cut_after: list[int]) -> None:
        self._target = port
        self._cut_after = cut_after
        self.connections = 0

    @asynccontextmanager
    async def open(self) -> AsyncIterator[int]:
        """Yield the port to connect to."""
        async with await asyncio.start_server(self._carry, "127.0.0.1", 0) as server:
            yield server.sockets[0].getsockname()[1]

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        left = self._cut_after.pop(0) if self._cut_after else sys.maxsize
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        upwards = asyncio.create_task(_copy(reader, far_writer))
        try:
            while left > 0 and (data := await far_reader.read(min(left, 4096))):
                left -= len(data)
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            upwards.cancel()
            writer.transport.abort()
            far_writer.transport.abort()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(4096):
        writer.write(data)


async def ask(
    desk: RunningDesk, folder: Path, *arguments: str, **environment: str
) -> tuple[int, str, str]:
    """Run the documented program; return its exit code and what it printed."""
    (folder / "ask.py").write_text(code_of("clients.md")["ask.py"])
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("ask.py", *arguments),
        cwd=folder,
        env={**desk.environment, **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(45):
        out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


async def test_the_python_program_prints_the_answer_and_asks_on(
    running_desk: RunningDesk, tmp_path: Path
) -> None:
    thread = str(uuid4())
    first = await ask(running_desk, tmp_path, "script=steady tokens=12", thread)
    second = await ask(running_desk, tmp_path, "script=steady tokens=5", thread)

    assert (first[0], first[1]) == (0, answer_text(12) + "\n")
    assert (second[0], second[1]) == (0, answer_text(5) + "\n")
    stored = await asyncio.to_thread(running_desk.messages, thread)
    assert [message["role"] for message in stored] == ["user", "assistant"] * 2


async def test_the_python_program_goes_on_where_the_line_was_cut(
    running_desk: RunningDesk, tmp_path: Path
) -> None:
    line = Line(running_desk.server.port, cut_after=[3000, 3000])
    async with line.open() as port:
        rc, out, err = await ask(
            running_desk,
            tmp_path,
            "script=steady tokens=60 ms=10",
            OUTCRY_URL=f"ws://127.0.0.1:{port}/ws",
        )

    assert (rc, out) == (0, answer_text(60) + "\n"), err
    assert line.connections == 3


@pytest.mark.parametrize(
    ("question", "told"), [("  ", "The message is empty."), ("script=refuse status=401", "401")]
)
async def test_the_python_program_tells_what_went_wrong(
    running_desk: RunningDesk, tmp_path: Path, question: str, told: str
) -> None:
    rc, _, err = await ask(running_desk, tmp_path, question)
    assert rc == 1
    assert told in err
    assert "Traceback" not in err


async def test_the_shell_commands_read_what_is_stored(running_desk: RunningDesk) -> None:
    process = await asyncio.create_subprocess_exec(
        "sh",
        *("-ec", code_of("clients.md")["read.sh"].replace('"\n', '"; echo\n')),
        env={**running_desk.environment, "PATH": "/usr/bin:/bin"},
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    assert process.returncode == 0
    for line in out.decode().splitlines():
        assert set(json.loads(line)) == {"items", "nextCursor"}
