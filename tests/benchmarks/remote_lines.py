"""What a batch costs over HTTP and over gRPC, asked of the same real server.

    python -m tests.environments.remote_servers build triton mlserver kserve
    python -m tests.benchmarks.remote_lines [--rows 1000] [--times 30] [NAME ...]

The model adds up 64 columns, so that what is measured is the way there and back. The desk asks as
it always does: through the guard, with the deadline, one batch after the other, the two lines by
turns. Milliseconds are of the whole call; the desk's share is the time that its process computed.
"""

import argparse
import asyncio
import os
import platform
import tempfile
import time
from pathlib import Path

import numpy as np

from app.security.outbound import Allowed
from app.wiring.remote import GuardedLine
from inference.bundle import Member
from inference.requests import Rows
from inference.runtimes.remote.runtime import Deployment
from tests.environments.remote_servers import PRODUCTS, Serving, serving, version
from tests.environments.servers import arithmetic

LINES = {"HTTP": "oip", "gRPC": "oip+grpc"}
NAMES = ("triton", "mlserver", "kserve")


async def measure(server: Serving, *, rows: int, times: int) -> dict[str, tuple[float, ...]]:
    """Return median and 90th percentile of milliseconds, and the desk's own, of each line."""
    columns = tuple(f"c{index}" for index in range(arithmetic.WIDE))
    asked = Rows(columns, np.random.default_rng(0).normal(size=(rows, arithmetic.WIDE)))
    line = GuardedLine(Allowed.read(["127.0.0.1:*"]))
    member = Member(name="away", runtime="remote", columns=columns)
    deployments = {
        name: Deployment(server.url(protocol, "wide"), member, line)
        for name, protocol in LINES.items()
    }
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in LINES}
    for turn in range(times + 3):
        for name, deployment in deployments.items():
            began, computed = time.perf_counter(), time.process_time()
            await deployment.ask(asked, timeout_s=30.0)
            if turn >= 3:  # the first ones look, connect and warm up
                taken[name].append((time.perf_counter() - began, time.process_time() - computed))
    for deployment in deployments.values():
        await deployment.aclose()
    found: dict[str, tuple[float, ...]] = {}
    for name, seconds in taken.items():
        whole, own = np.array(seconds).T * 1000.0
        found[name] = (
            float(np.median(whole)), float(np.percentile(whole, 90)), float(np.median(own)),
        )  # fmt: skip
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--times", type=int, default=30)
    told = parser.parse_args()
    load = os.getloadavg()[0]
    print(f"{platform.machine()}, {os.cpu_count()} cores, load {load:.1f}")
    print(f"{told.rows:,} rows of {arithmetic.WIDE} float64, {told.times} batches a line")
    for name in told.names or NAMES:
        product = PRODUCTS[name]
        with tempfile.TemporaryDirectory() as work, serving(product, Path(work)) as server:
            found = asyncio.run(measure(server, rows=told.rows, times=told.times))
        for line, (median, high, own) in found.items():
            print(
                f"{name} {version(product)} {line}: {median:.1f} ms a batch (p90 {high:.1f}), "
                f"of it {own:.1f} ms the desk's own"
            )


if __name__ == "__main__":
    main()
