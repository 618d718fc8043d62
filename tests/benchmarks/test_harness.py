"""The instruments themselves: a benchmark that miscounts is worse than none."""

import asyncio
from collections.abc import Iterator

import pytest

from tests.benchmarks import cpu, http_load, load
from tests.benchmarks.fake_llm import script_of
from tests.benchmarks.processes import helper


@pytest.fixture(scope="module")
def relay() -> Iterator[tuple[int, int]]:
    """Process id and port of the floor relay, in front of a fake LLM."""
    with (
        helper("fake_llm") as (_, llm_port),
        helper("floor_relay", "--llm-port", str(llm_port)) as floor,
    ):
        yield floor


@pytest.mark.parametrize("text", ["stamps", "letters"])
async def test_every_token_is_counted_once_and_has_a_latency(
    relay: tuple[int, int], text: str
) -> None:
    sockets = [await load.connect(relay[1]) for _ in range(3)]

    measured = await load.run_round(sockets, f"tokens=7 interval_ms=2 text={text} spread")

    assert measured.tokens == 21
    assert 0 < measured.latency_p50_ms <= measured.latency_p99_ms
    assert measured.bytes_per_token > 20
    for socket in sockets:
        socket.close()


async def test_tokens_written_in_one_go_are_counted_too(relay: tuple[int, int]) -> None:
    socket = await load.connect(relay[1])

    answer = await socket.run("tokens=500 interval_ms=0 text=stamps")

    assert (answer.tokens, len(answer.latencies_ns)) == (500, 500)
    socket.close()


async def test_a_lost_connection_fails_the_round_instead_of_shrinking_it(
    relay: tuple[int, int],
) -> None:
    socket = await load.connect(relay[1])
    answer = socket.run("tokens=100 interval_ms=100 text=stamps")
    await asyncio.sleep(0)
    socket.close()

    with pytest.raises(load.RunFailed):
        await answer


def test_the_newest_directive_counts() -> None:
    body = b'[{"content":"tokens=1 interval_ms=2 text=words"},{"content":"tokens=3 interval_ms=4'

    assert script_of(body + b' text=stamps spread"}]') == (3, 4, b"stamps", True)


async def test_cpu_time_of_a_working_process_grows_and_the_list_holds_it(
    relay: tuple[int, int],
) -> None:
    before = cpu.cpu_seconds(cpu.descendants(relay[0]))
    socket = await load.connect(relay[1])
    await socket.run("tokens=2000 interval_ms=0 text=words")

    assert cpu.descendants(relay[0]) == [relay[0]]
    assert cpu.cpu_seconds([relay[0]]) > before
    assert cpu.rss_bytes([relay[0]]) > 5_000_000
    socket.close()


@pytest.mark.parametrize("chunked", [False, True])
async def test_every_answer_over_http_is_counted_once(chunked: bool) -> None:
    seen: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.read(65_536):
            seen.append(head)
            body = b"2\r\nok\r\n0\r\n\r\n" if chunked else b"ok"
            length = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: 2"
            writer.write(b"HTTP/1.1 200 OK\r\n" + length + b"\r\n\r\n" + body[:1])
            await writer.drain()
            await asyncio.sleep(0)
            writer.write(body[1:])
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        request = http_load.post("/x", b"{}", key="k")
        asked, bodies = await http_load.ask(port, [request] * 3, seconds=0.05)
    assert asked.requests == len(seen) == len(asked.latencies_ms) >= 3
    assert all(b"ok" in body for body in bodies)
    assert b"Authorization: Bearer k" in seen[0]


async def test_an_answer_that_is_no_200_fails_the_round() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65_536)
        writer.write(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(http_load.LoadFailed, match="503"):
            await http_load.ask(port, [http_load.post("/x", b"{}")], seconds=0.05)
