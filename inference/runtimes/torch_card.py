"""Make a network fast on a card, and only as long as its numbers stay those it has to give.

A block of rows has one of a few sizes. For each size the network's work is recorded as a CUDA graph
and replayed: a block costs one launch. For the largest size it is compiled before. Each of these
is tried at load, compared with the plain network on the same card, and left out with one line in
the log where it fails or gives other numbers; the plain network is left in the end.

Only `pytorch_net.py` imports this, once it has found torch. Nothing here needs a card but
`cuda_tools`: what is compiled and recorded is handed in.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any, TypeAlias

import torch

_LOG = logging.getLogger(__name__)
Run: TypeAlias = Callable[[Any], Any]
"""A block of rows on the card -> its outputs there, good until the next block."""
SIZES = (64, 512)
"""Rows of the smaller blocks: one row must not cost as much as four thousand."""
EXACT = 1e-4
"""How far a fast way may be from the plain network, relative to the largest output."""
NARROW = 0.02
"""How far bfloat16 may be from float32, relative to how much each output varies."""
_MEMORY_SHARE = 0.5
"""Of the card's free memory, that one block may take."""
_WARM_UPS = 3
"""Runs before one is recorded: libraries pick and allocate in them what a graph cannot."""


@dataclass(frozen=True)
class Tools:
    """How a network is made fast."""

    compile: Callable[[Run], Run]
    capture: Callable[[Run, Any], Run]
    """Records what a network does with these rows; what comes back replays it with others."""


def cuda_tools(device: Any) -> Tools:
    """Return the real ones."""
    pool = torch.cuda.graph_pool_handle()

    def capture(run: Run, rows: Any) -> Run:
        given = rows.clone()
        aside = torch.cuda.Stream(device)
        aside.wait_stream(torch.cuda.current_stream(device))
        with torch.cuda.stream(aside):
            for _ in range(_WARM_UPS):
                run(given)
        torch.cuda.current_stream(device).wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        # One pool for all sizes, which never run at once; another thread may go on with its model.
        with torch.cuda.graph(graph, pool=pool, stream=aside, capture_error_mode="thread_local"):
            outputs = run(given)

        def replay(block: Any) -> Any:
            given.copy_(block, non_blocking=True)
            graph.replay()
            return outputs

        return replay

    def compiled(run: Run) -> Run:
        made: Run = torch.compile(run, fullgraph=True, dynamic=False)
        return made

    return Tools(compiled, capture)


def block_sizes(largest: int, *, row_bytes: int, free_bytes: int) -> tuple[int, ...]:
    """Return the sizes of blocks, smallest first: those that fit into the free memory.

    Args:
        largest: rows of the largest block, where there is room.
        row_bytes: about what one row takes on its way through the network.
    """
    sizes = sorted({size for size in SIZES if size < largest} | {largest})
    room = int(free_bytes * _MEMORY_SHARE) // max(row_bytes, 1)
    fitting = [size for size in sizes if size <= room]
    if len(fitting) < len(sizes):
        _LOG.warning(
            "the card has %d MiB free: blocks have %d rows at most, not %d",
            free_bytes >> 20,
            max(fitting, default=sizes[0]),
            largest,
        )
    return tuple(fitting or sizes[:1])


def pieces(rows: int, sizes: Sequence[int]) -> list[tuple[int, int, int]]:
    """Return (start, stop, size of its blocks) of the parts of a matrix.

    The largest blocks first, as many as are full; then one block that holds the rest.
    """
    full = rows // sizes[-1] * sizes[-1]
    found = [(0, full, sizes[-1])] if full else []
    if rest := rows - full:
        found.append((full, rows, next(size for size in sizes if size >= rest)))
    return found


def prepare(net: Run, examples: Mapping[int, Any], tools: Tools, *, name: str) -> dict[int, Run]:
    """Return the fastest way that gives the network's numbers, for each size of block.

    Args:
        examples: size -> rows to try it with, on the card.
    """
    largest = max(examples)
    failed: set[str] = set()
    found: dict[int, Run] = {}
    for size in sorted(examples, reverse=True):
        rows = examples[size]
        try:
            exact = net(rows).clone()
        except torch.OutOfMemoryError:
            if size == min(examples):
                raise
            _LOG.warning("model %r: a block of %d rows does not fit into the card", name, size)
            continue
        ways: dict[str, Callable[[], Run]] = {
            "compiled": partial(_compiled, net, rows, tools),
            "recorded": partial(tools.capture, net, rows),
        }
        if size != largest:
            # Recording takes milliseconds, compiling seconds: that pays for large blocks.
            del ways["compiled"]
        found[size] = net
        for way, make in ways.items():
            if way in failed:
                continue
            run = _tried(make, rows, exact, way=way, name=name)
            if run is not None:
                found[size] = run
                break
            failed.add(way)
    return found


def _compiled(net: Run, rows: Any, tools: Tools) -> Run:
    return tools.capture(tools.compile(net), rows)


def _tried(make: Callable[[], Run], rows: Any, exact: Any, *, way: str, name: str) -> Run | None:
    """Return a way that works and gives the same numbers, also when it is asked again."""
    try:
        run = make()
        off = max(distance(run(rows), exact) for _ in range(2))
    except Exception as error:  # compilers and drivers fail with whatever they meet
        short = " ".join(str(error).split())[:200]
        _LOG.warning(
            "model %r runs without being %s: %s: %s", name, way, type(error).__name__, short
        )
        return None
    if off <= EXACT:
        return run
    _LOG.warning("model %r runs without being %s: it is off by %.2g there", name, way, off)
    return None


def distance(found: Any, exact: Any) -> float:
    """Return how far outputs are apart, relative to the largest; infinite if one is not finite."""
    if not bool(torch.isfinite(found).all()):
        return float("inf")
    scale = max(float(exact.abs().max()), 1e-12)
    return float((found - exact).abs().max()) / scale


class Narrow(torch.nn.Module):  # type: ignore[misc] # torch's types are not read
    """A network whose products are computed in bfloat16; its outputs are float32."""

    def __init__(self, net: Any, device_type: str) -> None:
        super().__init__()
        self.net = net
        self._device_type = device_type

    def forward(self, values: Any) -> Any:
        """Return the outputs of a block."""
        # No cache: a recorded graph would keep casts of weights that are gone.
        with torch.autocast(self._device_type, torch.bfloat16, cache_enabled=False):
            return self.net(values).float()


def narrowed(net: Any, rows: Any, *, name: str, usable: bool) -> Any:
    """Return the network in bfloat16 if the device has it and it stays close; else as it is."""
    if not usable:
        _LOG.warning("model %r asks for bfloat16, which this device lacks: float32", name)
        return net
    narrow = Narrow(net, rows.device.type)
    exact, found = net(rows), narrow(rows)
    varies = exact.std(dim=0).clamp_min(1e-12)
    off = float(((found - exact).abs() / varies).max())
    if off <= NARROW:
        return narrow
    _LOG.warning(
        "model %r runs in float32: bfloat16 is off by %.1f %% of what an output varies, %.0f %% "
        "are allowed",
        name,
        100.0 * off,
        100.0 * NARROW,
    )
    return net


def row_bytes(widths: Sequence[int], *, times: int = 1) -> int:
    """Return about how much memory a row takes: inputs and outputs of each layer, float32."""
    return 4 * times * sum(one + two for one, two in pairwise(widths))
