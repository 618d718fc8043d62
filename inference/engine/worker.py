"""The process in which models run: `python -m inference.engine.worker`, started by `engine.py`.

Reads frames from the socket it inherited. Models that compute run in the main thread, one batch
after the other; models that wait for another computer, and loading, have threads. It ends when the
socket does, so it never outlives the desk.
"""

import argparse
import importlib
import os
import resource
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

from inference.engine.device import pick_device
from inference.engine.frames import (
    HEADER_BYTES,
    Alive,
    Done,
    Failure,
    FromWorker,
    Given,
    Load,
    Loaded,
    Ready,
    Run,
    Unload,
    failure_of,
    frame,
    given_of,
    length_of,
    read_to_worker,
    rows_of,
)
from inference.engine.pipeline import LoadedModel, RuntimeFor, is_distant, open_bundle, part
from inference.errors import BadModel, InferenceError, ModelFailed
from inference.requests import Answers, Rows
from inference.runtimes.connections import connections_among, take_connections
from inference.usage import parts_of

ALIVE_S = 0.5
"""So often a worker that is at work says so."""
_THREADS = 10
_NO_MEMORY = (
    "there is not enough memory for this model; OUTCRY_ENGINE_MEMORY_MIB sets how much the engine "
    "may use"
)


class Worker:
    """Serves one engine."""

    def __init__(self, line: socket.socket, *, runtime_for: RuntimeFor, device: str) -> None:
        self._line = line
        self._runtime_for = runtime_for
        self._device = device
        self._models: dict[str, LoadedModel] = {}
        self._distant: set[str] = set()
        self._locks: dict[str, threading.Lock] = {}
        self._sending = threading.Lock()
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="model")
        self._at_work = 0
        self._counting = threading.Lock()

    def serve(self) -> None:
        """Do what is asked until the engine hangs up."""
        threading.Thread(target=self._say_alive, daemon=True, name="alive").start()
        self._send(Ready(os.getpid()))
        while True:
            header = self._read(HEADER_BYTES)
            if header is None:
                return
            body = self._read(length_of(header))
            if body is None:
                return
            match read_to_worker(body):
                case Run() as run if run.artifact in self._distant:
                    self._begin()
                    self._threads.submit(self._run, run)
                case Run() as run:
                    self._begin()
                    self._run(run)
                case Load() as load:
                    self._begin()
                    self._threads.submit(self._load, load)
                case Unload(artifact):
                    self._distant.discard(artifact)
                    if (gone := self._models.pop(artifact, None)) is not None:
                        gone.close()

    def _read(self, size: int) -> bytearray | None:
        """Return exactly `size` bytes, or None when the engine has hung up."""
        data = bytearray(size)
        view, got = memoryview(data), 0
        while got < size:
            count = self._line.recv_into(view[got:])
            if not count:
                return None
            got += count
        return data

    def _send(self, message: FromWorker) -> None:
        pieces = frame(message)
        try:
            with self._sending:
                for piece in pieces:
                    self._line.sendall(piece)
        except OSError:
            os._exit(0)  # the engine has gone, perhaps without a farewell

    def _begin(self) -> None:
        with self._counting:
            self._at_work += 1

    def _end(self) -> None:
        with self._counting:
            self._at_work -= 1

    def _say_alive(self) -> None:
        parent = os.getppid()
        while True:
            time.sleep(ALIVE_S)
            if os.getppid() != parent:
                os._exit(0)
            if self._at_work:
                self._send(Alive())

    def _load(self, load: Load) -> None:
        try:
            self._send(self._loaded(load))
        finally:
            self._end()

    def _loaded(self, load: Load) -> Loaded:
        folder = Path(load.folder)
        try:
            bundle = open_bundle(folder)
            device = pick_device(self._device, bundle)
            model = LoadedModel.load(folder, runtime_for=self._runtime_for, device=device)
            model.warm_up()
            size = model.size_bytes
        except InferenceError as error:
            return Loaded(load.artifact, failure=failure_of(error))
        except MemoryError:
            return Loaded(load.artifact, failure=failure_of(BadModel(_NO_MEMORY)))
        except Exception as error:  # a framework's own: the process and its other models go on
            wrong = BadModel(f"it cannot be loaded: {type(error).__name__}: {error}")
            return Loaded(load.artifact, failure=failure_of(wrong))
        distant = is_distant(bundle)
        if distant:
            self._distant.add(load.artifact)
        self._locks.setdefault(load.artifact, threading.Lock())
        self._models[load.artifact] = model
        return Loaded(load.artifact, size, bundle.max_batch, distant)

    def _run(self, run: Run) -> None:
        begun = time.perf_counter()
        try:
            together, each = self._answers(run)
            self._send(Done(run.batch, time.perf_counter() - begun, together, tuple(each)))
        finally:
            self._end()

    def _answers(self, run: Run) -> tuple[Given | None, list[Given | Failure]]:
        """Return the answers of all calls together or, when that fails, of each by itself."""
        model = self._models.get(run.artifact)
        if model is None:
            lost = failure_of(ModelFailed("the worker does not have this model"))
            return None, [lost] * len(run.sizes)
        rows = rows_of(run)
        with self._locks[run.artifact]:
            together = self._answer(model, rows, explain=run.explain)
            if isinstance(together, Answers):
                return given_of(together), []
            if len(run.sizes) == 1:
                return None, [failure_of(together)]
            # One of them spoils it: everybody else shall have theirs.
            each: list[Given | Failure] = []
            start = 0
            for size in run.sizes:
                stop = start + size
                found = self._answer(model, part(rows, start, stop), explain=run.explain)
                # What was asked in vain before was paid too.
                usage = (*parts_of(together.usage, start, stop), *found.usage)
                if isinstance(found, Answers):
                    each.append(given_of(replace(found, usage=usage)))
                else:
                    found.usage = usage
                    each.append(failure_of(found))
                start = stop
            return None, each

    def _answer(self, model: LoadedModel, rows: Rows, *, explain: bool) -> Answers | InferenceError:
        try:
            return model.answer(rows, explain=explain)
        except InferenceError as error:
            return error
        except MemoryError:
            return ModelFailed(_NO_MEMORY)
        except Exception as error:  # whatever one batch does, the next one shall run
            return ModelFailed(f"it failed: {type(error).__name__}: {error}")


def limit_memory(mib: int) -> None:
    """Let this process allocate so much; 0 is no limit.

    What is counted is what the process can write to. Files that are only read, such as libraries
    and mapped weights, and address space that CUDA reserves, are not.
    """
    if mib:
        most = mib * 2**20
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        if hard != resource.RLIM_INFINITY:
            most = min(most, hard)
        resource.setrlimit(resource.RLIMIT_DATA, (most, hard))


def find(catalog: str) -> RuntimeFor:
    """Return the function that "module:name" stands for, with the connections it may hand on."""
    module, _, name = catalog.partition(":")
    found = getattr(importlib.import_module(module), name)
    known = take_connections(os.environ)
    made: RuntimeFor = partial(found, connections=connections_among(known)) if known else found
    return made


def main() -> None:
    """Serve the engine on the other end of an inherited socket."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fd", type=int, required=True, help="the inherited socket")
    parser.add_argument("--catalog", required=True, help="module:function that finds runtimes")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1")
    parser.add_argument("--memory-mib", type=int, default=0)
    arguments = parser.parse_args()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the desk says when to stop
    limit_memory(arguments.memory_mib)
    with socket.socket(fileno=arguments.fd) as line:
        worker = Worker(line, runtime_for=find(arguments.catalog), device=arguments.device)
        worker.serve()
    os._exit(0)  # threads that wait for another computer are not waited for


if __name__ == "__main__":
    main()
