"""CPU time and memory of a whole process tree, and pinning it to cores (Linux only)."""

import os
import time
from collections.abc import Iterable
from pathlib import Path


def descendants(pid: int) -> list[int]:
    """Return `pid` and everything below it that is alive."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except (FileNotFoundError, ProcessLookupError):
                continue
            parent = int(stat.rsplit(")", 1)[1].split()[1])  # the name in brackets may hold any
            children.setdefault(parent, []).append(int(entry.name))
    found, queue = [], [pid] if Path(f"/proc/{pid}").exists() else []
    while queue:
        found.append(queue.pop())
        queue += children.get(found[-1], [])
    return found


def cpu_seconds(pids: Iterable[int]) -> float:
    """Return user and system time spent by `pids` so far, to the nanosecond.

    Reads each process's own CPU clock, whose id Linux makes from the process id: ended threads
    are in it, ended processes are not, so only long-lived processes may be measured with it.
    """
    total_ns = 0
    for pid in set(pids):
        try:
            total_ns += time.clock_gettime_ns((~pid << 3) | 2)
        except OSError:
            continue  # it ended between listing and reading
    return total_ns / 1e9


def rss_bytes(pids: Iterable[int]) -> int:
    """Return the resident memory of `pids`, shared pages counted in each."""
    pages = 0
    for pid in set(pids):
        try:
            pages += int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
    return pages * os.sysconf("SC_PAGE_SIZE")


def pin(pids: Iterable[int], core: int) -> None:
    """Keep every thread of `pids` on one core, if the machine has it."""
    available = os.sched_getaffinity(0) | set(range(os.cpu_count() or 1))
    if core not in available:
        return
    for pid in set(pids):
        try:
            for task in Path(f"/proc/{pid}/task").iterdir():
                os.sched_setaffinity(int(task.name), {core})
        except (FileNotFoundError, ProcessLookupError):
            continue
