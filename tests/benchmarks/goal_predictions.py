"""G10: predictions of one small network over HTTP, beside the servers that are made for it.

The whole desk serves: sign-in by key, its Postgres, the worker process. Every product has one core,
the client the other. The peers read the same weights and compute with the same lines of numpy.
"""

import asyncio
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from safetensors.numpy import save

from app.domain.models import NewModel
from app.settings import Settings
from app.wiring.database import open_database
from app.wiring.engine import open_engine
from inference.bundle import BUNDLE_FILE, Bundle, Head, InputColumn, Member
from inference.engine.pipeline import LoadedModel
from inference.requests import Rows
from inference.runtimes.catalog import runtime_for
from tests.benchmarks import cpu, prediction_peers
from tests.benchmarks.http_load import Asked, LoadFailed, ask, post
from tests.benchmarks.load import percentile
from tests.benchmarks.prediction_peers import Absent, running
from tests.benchmarks.results import ROOT, Figures, median, significant
from tests.benchmarks.server import LOAD_CORE
from tests.fakes.cards import evaluation
from tests.faults.server import Server

ROUNDS = 3
SECONDS = 2.0
CLIENTS = 64
COLUMNS = 64
SMALL, LARGE = "small", "large"
_NAMES = tuple(f"x{index}" for index in range(COLUMNS))


def network(hidden: tuple[int, ...]) -> list[tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]]:
    """Return weights and biases of an MLP over 64 numbers."""
    rng = np.random.default_rng(10)
    widths = (COLUMNS, *hidden, 1)
    return [
        (rng.normal(0, 1 / np.sqrt(wide), (out, wide)), rng.normal(0, 0.1, out))
        for wide, out in pairwise(widths)
    ]


def save_network(folder: Path, hidden: tuple[int, ...], runtime: str) -> Path:
    """Write a network as a bundle of ours; beside it, as `.npz` for the peers."""
    folder.mkdir(parents=True)
    layers = network(hidden)
    options = {"inputs": COLUMNS, "hidden": list(hidden), "outputs": 1, "activation": "relu"}
    member = Member(
        name="mlp",
        runtime=runtime,  # type: ignore[arg-type]
        file="weights.safetensors",
        architecture="mlp",
        options=options,
    )
    bundle = Bundle(
        name=folder.name,
        recipe="benchmark",
        task="benchmark",
        model_type="regression",
        framework="numpy" if runtime == "numpy" else "pytorch",
        inputs=tuple(InputColumn(name=name) for name in _NAMES),
        members=(member,),
        head=Head(kind="value"),
        max_batch=1024,
    )
    kind = np.float64 if runtime == "numpy" else np.float32
    tensors = {}
    for index, (weight, bias) in enumerate(layers):
        tensors[f"layers.{index}.weight"] = weight.astype(kind)
        tensors[f"layers.{index}.bias"] = bias.astype(kind)
    (folder / "weights.safetensors").write_bytes(save(tensors))
    (folder / BUNDLE_FILE).write_bytes(msgspec.json.encode(bundle))
    return folder


def save_for_peers(path: Path, hidden: tuple[int, ...]) -> Path:
    """Write the same network as `.npz`."""
    arrays: dict[str, Any] = {}
    for index, (weight, bias) in enumerate(network(hidden)):
        arrays[f"w{index}"], arrays[f"b{index}"] = weight, bias
    np.savez(path, **arrays)
    return path


async def seed(data_dir: Path, folders: list[Path]) -> None:
    """Deploy the models in a desk's storage before it starts."""
    settings = Settings(data_dir=data_dir)
    async with open_database(settings, on_progress=lambda _: None) as (database, _):
        async with open_engine(settings, database) as desk:
            for folder in folders:
                bundle = msgspec.json.decode((folder / BUNDLE_FILE).read_bytes(), type=Bundle)
                card = await desk.models.create(
                    NewModel(
                        name=folder.name,
                        type="regression",
                        framework=bundle.framework,  # type: ignore[arg-type]
                        architecture="mlp",
                    )
                )
                await desk.models.attach(
                    card.id, folder, validation_metrics={"evaluation": evaluation()}
                )
                await desk.models.transition(card.id, "ready", by=None)
                await desk.models.transition(card.id, "deployed", by=None)


class Product:
    """Our desk, or a peer, under the same load."""

    def __init__(self, port: int, requests: list[bytes], pids: list[int]) -> None:
        self.port = port
        self.requests = requests
        self.pids = pids
        self.alone: list[Asked] = []
        self.together: list[Asked] = []
        self.us_per_request: list[float] = []
        self.bodies: list[bytes] = []

    async def warm(self) -> None:
        await ask(self.port, self.requests, seconds=1.0)

    async def measure(self) -> None:
        """Do one round with one client and one with many."""
        alone, _ = await ask(self.port, self.requests[:1], seconds=SECONDS)
        before = cpu.cpu_seconds(self.pids)
        together, self.bodies = await ask(self.port, self.requests, seconds=SECONDS)
        spent = cpu.cpu_seconds(self.pids) - before
        self.alone.append(alone)
        self.together.append(together)
        self.us_per_request.append(spent / together.requests * 1e6)

    def figures(self, *, last: int = 0) -> Figures:
        """Return the medians of all rounds, or of the last ones: those beside one peer."""
        alone, together = self.alone[-last:], self.together[-last:]
        return {
            "one_client_per_s": median([asked.per_second for asked in alone]),
            "one_client_p50_ms": median([percentile(a.latencies_ms, 0.5) for a in alone]),
            "clients_64_per_s": median([asked.per_second for asked in together]),
            "clients_64_p50_ms": median([percentile(a.latencies_ms, 0.5) for a in together]),
            "clients_64_p99_ms": median([percentile(a.latencies_ms, 0.99) for a in together]),
            "cpu_us_per_request": median(self.us_per_request[-last:]),
            "rss_mib": significant(cpu.rss_bytes(self.pids) / 2**20),
        }


def inputs() -> np.ndarray[Any, Any]:
    """Return one row per client."""
    return np.random.default_rng(64).normal(size=(CLIENTS, COLUMNS))


def _packed(row: np.ndarray[Any, Any]) -> dict[str, Any]:
    shape = [1, COLUMNS]
    return {"name": "rows", "shape": shape, "datatype": "FP64", "data": row.tolist()}


def our_requests(model: str, key: str) -> list[bytes]:
    """Return the requests of our door: one packed tensor, one wanted output."""
    return [
        post(
            f"/v2/models/{model}/infer",
            json.dumps({"inputs": [_packed(row)], "outputs": [{"name": "value"}]}).encode(),
            key=key,
        )
        for row in inputs()
    ]


@contextmanager
def desk(data_dir: Path) -> Iterator[tuple[Server, str]]:
    """Run our desk on its core."""
    server = Server(data_dir, {"OUTCRY_DEMO_FETCH": "0"})
    try:
        server.start()
        yield server, server.api_key()
    finally:
        server.clean_up()


def pids_of(server: Server) -> list[int]:
    """Return the desk's processes, Postgres and worker included."""
    postmaster = server.postmaster()
    postgres = cpu.descendants(postmaster) if postmaster is not None else []
    return [*cpu.descendants(server.pid), *postgres]


def bodies_of_peers() -> list[bytes]:
    return [json.dumps({"x": row.tolist()}).encode() for row in inputs()]


async def predictions() -> Figures:
    """G10: one small network, one client and 64, beside LitServe, TorchServe and Ray Serve."""
    with_torch = importlib.util.find_spec("torch") is not None
    figures: Figures = {}
    with tempfile.TemporaryDirectory(prefix="outcry-bench-") as name:
        os.chmod(name, 0o711)
        work = Path(name)
        folders = [save_network(work / SMALL, (256,), "numpy")]
        if with_torch:
            folders.append(save_network(work / LARGE, (1024,) * 4, "pytorch"))
        figures["engine"] = await asyncio.to_thread(_engine_alone, folders[0])
        await seed(work / "data", folders)
        weights = save_for_peers(work / "weights.npz", (256,))
        large = save_for_peers(work / "large.npz", (1024,) * 4)
        with desk(work / "data") as (server, key):
            try:
                await asyncio.to_thread(cpu.pin, [os.getpid()], LOAD_CORE)
                figures |= await _against_peers(server, key, work, weights, folders[0])
                if with_torch:
                    figures["large"] = await _large(server, key, work, large)
            finally:
                os.sched_setaffinity(0, range(os.cpu_count() or 1))
    return figures


def _engine_alone(folder: Path) -> Figures:
    """Measure without HTTP in a process whose numpy has one thread, as the worker's has."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.engine_alone", str(folder)],
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        check=True,
        cwd=ROOT,
    )
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    return figures


async def _ours(server: Server, key: str, model: str) -> Product:
    ours = Product(server.port, our_requests(model, key), [])
    # The worker starts, and loads the model; on a busy machine that may take a while.
    first = {"inputs": [_packed(inputs()[0])], "parameters": {"deadline_s": 60}}
    path = f"/v2/models/{model}/infer"
    await asyncio.to_thread(server.request, "POST", path, first, key=key, timeout_s=90)
    await ours.warm()
    ours.pids = pids_of(server)
    cpu.pin(ours.pids, 0)
    return ours


async def _against_peers(
    server: Server, key: str, work: Path, weights: Path, folder: Path
) -> Figures:
    ours = await _ours(server, key, SMALL)
    figures: Figures = {}
    best: dict[str, Figures] = {}
    for name, start in _peers(work, weights).items():
        print(f"  beside {name}", flush=True)
        try:
            best[name] = await _beside(ours, start)
        except Absent as absent:
            print(f"  {name}: {absent}", flush=True)
            best[name] = {"absent": str(absent)}
            await _round(ours)
    figures["ours"] = ours.figures()
    figures["peers"] = best
    figures["bit_equal"] = _equal(ours.bodies, folder)
    return figures


def _peers(work: Path, weights: Path) -> dict[str, Any]:
    def litserve(batch: int) -> Any:
        bins = prediction_peers.environment("litserve", work)
        port = prediction_peers.free_port()
        return prediction_peers.litserve(bins, weights, port, batch=batch, torch=False), port

    def rayserve() -> Any:
        bins = prediction_peers.environment("rayserve", work)
        port = prediction_peers.free_port()
        return prediction_peers.rayserve(bins, weights, port), port

    def torchserve() -> Any:
        bins = prediction_peers.environment("torchserve", work)
        port = prediction_peers.free_port()
        return prediction_peers.torchserve(bins, weights, port, work), port

    return {
        "litserve": (lambda: litserve(1), "/predict", work),
        "litserve_batched": (lambda: litserve(64), "/predict", work),
        "torchserve": (torchserve, "/predictions/net", work),
        "rayserve": (rayserve, "/", work),
    }


async def _beside(ours: Product, start: Any) -> Figures:
    """Measure a peer and us in turns: us, it, us, it, ..."""
    make, path, work = start
    command, port = await asyncio.to_thread(make)
    bodies = bodies_of_peers()
    with ExitStack() as stack:
        entering = running(command, port, path, bodies[0], work)
        peer = await asyncio.to_thread(stack.enter_context, entering)
        product = Product(port, [post(path, body) for body in bodies], peer.pids())
        try:
            await product.warm()
        except (LoadFailed, TimeoutError) as failed:
            raise Absent(f"does not stand the load: {failed}") from failed
        for _ in range(ROUNDS):
            await ours.measure()
            await product.measure()
        found, beside = product.figures(), ours.figures(last=ROUNDS)
        found["times_64_clients"] = significant(
            beside["clients_64_per_s"] / found["clients_64_per_s"], 3
        )
        found["p50_share"] = significant(
            beside["one_client_p50_ms"] / found["one_client_p50_ms"], 3
        )
        return found


async def _round(ours: Product) -> None:
    for _ in range(ROUNDS):
        await ours.measure()


async def _large(server: Server, key: str, work: Path, weights: Path) -> Figures:
    """A torch network of four layers of 1,024: batching has something to share."""
    ours = await _ours(server, key, LARGE)
    found: Figures = {}
    try:
        bins = await asyncio.to_thread(prediction_peers.environment, "litserve", work)
        port = prediction_peers.free_port()
        command = prediction_peers.litserve(bins, weights, port, batch=64, torch=True)
        peer = await _beside(ours, (lambda: (command, port), "/predict", work))
        found["litserve_batched"] = peer
    except Absent as absent:
        print(f"  litserve, large: {absent}", flush=True)
        await _round(ours)
    found["ours"] = ours.figures()
    return found


def _equal(bodies: list[bytes], folder: Path) -> bool:
    """Tell whether what 64 clients got at once is what each row gives by itself, to the bit."""
    model = LoadedModel.load(folder, runtime_for=runtime_for)
    for row, body in zip(inputs(), bodies, strict=True):
        value = json.loads(body)["outputs"][0]["data"][0]
        if value != model.answer(Rows(_NAMES, row[None, :])).values[0]:
            return False
    return True
