"""G1, G3 and G4: what one streamed token costs in CPU, in waiting and in bytes."""

import asyncio
import re
import time
from dataclasses import asdict

from tests.benchmarks import cpu, load
from tests.benchmarks.load import Round
from tests.benchmarks.processes import helper
from tests.benchmarks.results import Figures, median, significant
from tests.benchmarks.server import LOAD_CORE, SERVER_CORE, Product, product

STREAMS = 100
PROSE = "tokens=100 interval_ms=10 text=letters spread"
NUMBERS = "tokens=100 interval_ms=10 text=stamps spread"
LONG = "tokens=1000 interval_ms=10 text=letters spread"


async def g1(*, rounds: int = 5) -> Figures:
    """CPU per streamed token, 100 streams of 100 tokens a second, beside the relay floor."""
    with (
        helper("fake_llm") as (llm_pid, llm_port),
        helper("floor_relay", "--llm-port", str(llm_port)) as (floor_pid, floor_port),
        product(llm_port) as desk,
    ):
        cpu.pin([llm_pid], LOAD_CORE)
        cpu.pin([floor_pid], SERVER_CORE)
        floor = [await load.connect(floor_port) for _ in range(STREAMS)]
        ours = [await load.connect(desk.port, key=desk.key) for _ in range(STREAMS)]
        plain = [await load.connect(desk.port, key=desk.key, compact=False) for _ in range(STREAMS)]
        await load.run_round(floor, PROSE)
        await load.run_round(ours, PROSE)
        desk.pin()
        floor_us, server_us, postgres_us, floor_rounds, our_rounds = [], [], [], [], []
        for number in range(rounds):
            before = cpu.cpu_seconds([floor_pid])
            measured = await load.run_round(floor, PROSE)
            floor_us.append((cpu.cpu_seconds([floor_pid]) - before) / measured.tokens * 1e6)
            floor_rounds.append(measured)
            server, postgres, measured = await _one_round(desk, ours, PROSE)
            server_us.append(server)
            postgres_us.append(postgres)
            our_rounds.append(measured)
            print(
                f"  round {number + 1}: floor {floor_us[-1]:.1f}, server {server:.1f}, "
                f"Postgres {postgres:.1f} us/token, p50 {measured.latency_p50_ms:.1f} ms, "
                f"p99 {measured.latency_p99_ms:.1f} ms"
            )
        numbers = [await _one_round(desk, ours, NUMBERS) for _ in range(2)]
        whole = [await _one_round(desk, plain, PROSE) for _ in range(2)]
        before = cpu.cpu_seconds([floor_pid])
        measured = await load.run_round(floor, LONG)
        long_floor = (cpu.cpu_seconds([floor_pid]) - before) / measured.tokens * 1e6
        long_server, long_postgres, _ = await _one_round(desk, ours, LONG)
        for socket in (*floor, *ours, *plain):
            socket.close()
    total = [a + b for a, b in zip(server_us, postgres_us, strict=True)]
    ratios = [ours / floor for ours, floor in zip(total, floor_us, strict=True)]
    return {
        "floor_us_per_token": median(floor_us),
        "server_us_per_token": median(server_us),
        "postgres_us_per_token": median(postgres_us),
        "total_us_per_token": median(total),
        "ratio_to_floor": median(ratios),
        "ratio_server_alone": median([a / b for a, b in zip(server_us, floor_us, strict=True)]),
        "numbers_only_total_us_per_token": median([a + b for a, b, _ in numbers]),
        "plain_mode_total_us_per_token": median([a + b for a, b, _ in whole]),
        "long_floor_us_per_token": significant(long_floor),
        "long_server_us_per_token": significant(long_server),
        "long_postgres_us_per_token": significant(long_postgres),
        "tokens_per_second": median([r.tokens_per_second for r in our_rounds]),
        "added_latency_p50_ms": median([r.latency_p50_ms for r in our_rounds]),
        "added_latency_p99_ms": median([r.latency_p99_ms for r in our_rounds]),
        "floor_latency_p50_ms": median([r.latency_p50_ms for r in floor_rounds]),
        "floor_latency_p99_ms": median([r.latency_p99_ms for r in floor_rounds]),
        "frames_per_token": median([r.frames_per_token for r in our_rounds]),
        "bytes_per_token": median([r.bytes_per_token for r in our_rounds]),
        "rounds": {
            "floor_us": [significant(v) for v in floor_us],
            "server_us": [significant(v) for v in server_us],
            "postgres_us": [significant(v) for v in postgres_us],
            "last": {k: significant(v) for k, v in asdict(our_rounds[-1]).items()},
        },
    }


async def _one_round(
    desk: Product, sockets: list[load.Socket], text: str
) -> tuple[float, float, Round]:
    """Return CPU microseconds per token of server and Postgres, and what the client saw."""
    before = desk.cpu()
    measured = await load.run_round(sockets, text)
    spent = desk.cpu() - before
    per_token = 1e6 / measured.tokens
    return spent.server_s * per_token, spent.postgres_s * per_token, measured


# --- time to the first token ------------------------------------------------------------------


async def g3(*, rounds: int = 5) -> Figures:
    """Added time to the first token: alone, and when 100 answers start in the same moment."""
    with helper("fake_llm") as (llm_pid, llm_port), product(llm_port) as desk:
        cpu.pin([llm_pid], LOAD_CORE)
        sockets = [await load.connect(desk.port, key=desk.key) for _ in range(STREAMS)]
        text = "tokens=5 interval_ms=10 text=letters"
        await load.run_round(sockets, text)
        alone = [(await sockets[0].run(text)).ttft_ms for _ in range(40)]
        direct_alone = [await _direct_ttft_ms(llm_port) for _ in range(40)]
        burst_p50, burst_p99, direct_p99 = [], [], []
        for number in range(rounds):
            measured = await load.run_round(sockets, text)
            burst_p50.append(measured.ttft_p50_ms)
            burst_p99.append(measured.ttft_p99_ms)
            times = await asyncio.gather(*(_direct_ttft_ms(llm_port) for _ in range(STREAMS)))
            direct_p99.append(load.percentile(times, 0.99))
            print(
                f"  round {number + 1}: p50 {burst_p50[-1]:.0f} ms, p99 {burst_p99[-1]:.0f} ms, "
                f"direct p99 {direct_p99[-1]:.0f} ms"
            )
        for socket in sockets:
            socket.close()
    return {
        "alone_ttft_ms": median(alone),
        "alone_direct_ms": median(direct_alone),
        "alone_added_ms": significant(median(alone) - median(direct_alone)),
        "burst_ttft_p50_ms": median(burst_p50),
        "burst_ttft_p99_ms": median(burst_p99),
        "burst_direct_p99_ms": median(direct_p99),
        "burst_added_p99_ms": significant(median(burst_p99) - median(direct_p99)),
    }


async def _direct_ttft_ms(llm_port: int) -> float:
    """Ask the fake LLM without anything between; return the time to its first token."""
    body = b'{"messages":[{"role":"user","content":"tokens=1 interval_ms=10 text=letters"}]}'
    started = time.monotonic_ns()
    reader, writer = await asyncio.open_connection("127.0.0.1", llm_port)
    writer.write(
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s"
        % (len(body), body)
    )
    seen = b""
    while not re.search(rb"[a-j]{19} ", seen):
        seen += await reader.read(65536)
    took = (time.monotonic_ns() - started) / 1e6
    writer.close()
    return took


# --- bytes ------------------------------------------------------------------------------------


def _allow_long_answers(desk: Product) -> None:
    """Let agents say 40,000 characters, which by default is far beyond what they may."""
    for agent in desk.server.pages("/api/v1/agents", key=desk.key):
        path = f"/api/v1/agents/{agent['id']}"
        changed = desk.server.request("PATCH", path, {"maxTokens": 32_768}, key=desk.key)
        if changed.status != 200:
            raise RuntimeError(f"PATCH {path}: {changed.status} {changed.body}")


async def g4() -> Figures:
    """Bytes on the wire per 20-character token, for answers of 20, 200 and 2,000 tokens."""
    figures: Figures = {}
    with helper("fake_llm") as (llm_pid, llm_port), product(llm_port) as desk:
        cpu.pin([llm_pid], LOAD_CORE)
        await asyncio.to_thread(_allow_long_answers, desk)
        for mode, compact in (("compact", True), ("plain", False)):
            socket = await load.connect(desk.port, key=desk.key, compact=compact)
            for tokens in (20, 200, 2000):
                answer = await socket.run(f"tokens={tokens} interval_ms=10 text=words")
                figures[f"{mode}_{tokens}"] = {
                    "text_bytes_per_token": significant(answer.text_bytes / tokens),
                    "run_bytes_per_token": significant(answer.bytes_received / tokens),
                    "frames_per_token": significant(answer.frames / tokens),
                }
                print(f"  {mode} {tokens}: {figures[f'{mode}_{tokens}']}")
            socket.close()
        crowd = [await load.connect(desk.port, key=desk.key) for _ in range(STREAMS)]
        measured = await load.run_round(crowd, PROSE)
        figures["compact_at_100_streams_run_bytes_per_token"] = significant(
            measured.bytes_per_token
        )
        for socket in crowd:
            socket.close()
    for mode in ("compact", "plain"):
        figures[f"{mode}_growth_2000_to_20"] = significant(
            figures[f"{mode}_2000"]["text_bytes_per_token"]
            / figures[f"{mode}_20"]["text_bytes_per_token"]
        )
    return figures
