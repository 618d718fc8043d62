"""G7: what a socket costs that only waits, with and without a browser's offer to compress."""

import asyncio
import resource

from tests.benchmarks import cpu, load
from tests.benchmarks.processes import helper
from tests.benchmarks.results import Figures, significant
from tests.benchmarks.server import LOAD_CORE, SERVER_CORE, Product, product

SOCKETS = 5000
PER_USER = 200
"""As many as one user may open."""
AT_ONCE = 50
IDLE_S = 5.0


async def g7() -> Figures:
    """Memory per idle socket, CPU to connect and CPU while 5,000 sockets wait."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(65_536, most), most))
    figures: Figures = {"sockets": SOCKETS}
    with helper("fake_llm") as (llm_pid, llm_port):
        cpu.pin([llm_pid], LOAD_CORE)
        with helper("floor_relay", "--llm-port", str(llm_port)) as (floor_pid, floor_port):
            cpu.pin([floor_pid], SERVER_CORE)
            figures["floor"] = await _measure_floor(floor_pid, floor_port)
        for name, offer in (("plain", False), ("deflate_offered", True)):
            # A fresh server for each: memory once taken is not given back.
            with product(llm_port) as desk:
                keys = await _keys(desk, SOCKETS // PER_USER)
                figures[name] = await _measure(desk, keys, offer_deflate=offer)
            print(f"  {name}: {figures[name]}")
    figures["connect_to_floor"] = significant(
        figures["plain"]["connect_us"] / figures["floor"]["connect_us"]
    )
    return figures


async def _keys(desk: Product, count: int) -> list[str]:
    """Return API keys of so many users."""
    made = [
        await asyncio.to_thread(desk.server.add_user, f"idle{number}@desk.test")
        for number in range(count - 1)
    ]
    return [desk.key, *made]


async def _measure(desk: Product, keys: list[str], *, offer_deflate: bool) -> Figures:
    # The first sockets pay for imports and pools.
    warm = [await load.connect(desk.port, key=keys[0]) for _ in range(20)]
    for socket in warm:
        socket.close()
    await asyncio.sleep(1)
    before_rss, before_cpu = desk.rss_bytes(), desk.cpu()
    sockets: list[load.Socket] = []
    for start in range(0, SOCKETS, AT_ONCE):
        key = keys[start // PER_USER % len(keys)]
        sockets += await asyncio.gather(
            *(load.connect(desk.port, key=key, offer_deflate=offer_deflate) for _ in range(AT_ONCE))
        )
    connected = desk.cpu() - before_cpu
    await asyncio.sleep(2)
    idle_from = desk.cpu()
    await asyncio.sleep(IDLE_S)
    idle = desk.cpu() - idle_from
    rss = desk.rss_bytes()
    compressed = sum(socket.deflate for socket in sockets)
    for socket in sockets:
        socket.close()
    await asyncio.sleep(1)
    return {
        "rss_kib_per_socket": significant((rss - before_rss) / SOCKETS / 1024),
        "connect_us": significant(connected.total_s / SOCKETS * 1e6),
        "connect_server_us": significant(connected.server_s / SOCKETS * 1e6),
        "idle_cpu_percent": significant(idle.total_s / IDLE_S * 100, 3),
        "idle_cpu_server_percent": significant(idle.server_s / IDLE_S * 100, 3),
        "sockets_compressed": compressed,
    }


async def _measure_floor(pid: int, port: int) -> Figures:
    warm = [await load.connect(port) for _ in range(20)]
    for socket in warm:
        socket.close()
    before_rss, before_cpu = cpu.rss_bytes([pid]), cpu.cpu_seconds([pid])
    sockets: list[load.Socket] = []
    for _ in range(0, SOCKETS, AT_ONCE):
        sockets += await asyncio.gather(*(load.connect(port) for _ in range(AT_ONCE)))
    figures = {
        "connect_us": significant((cpu.cpu_seconds([pid]) - before_cpu) / SOCKETS * 1e6),
        "rss_kib_per_socket": significant((cpu.rss_bytes([pid]) - before_rss) / SOCKETS / 1024),
    }
    for socket in sockets:
        socket.close()
    await asyncio.sleep(1)
    return figures
