"""The engine with the models that run on other servers: who is asked is told by the name.

A name is an artifact's digest, for what runs here, or `digest@deploymentUrl`. A server that failed
again and again is left alone for a while; each address has a breaker of its own.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Protocol

from inference.bundle import Bundle
from inference.engine.breaker import Breaker
from inference.engine.pipeline import LoadedModel, open_bundle
from inference.engine.requests import ModelStats, ModelView, Priority
from inference.errors import (
    BadModel,
    DeadlineExceeded,
    ModelFailed,
    NotReady,
    Overloaded,
    WorkerLost,
)
from inference.requests import Answers, Rows
from inference.runtimes.remote.line import Line
from inference.runtimes.remote.runtime import Deployment, RemoteRuntime

PARALLEL = 8
"""Calls of one deployment at once; more wait within their deadlines."""
MOST_WAITING = 256
"""Calls of one deployment that are running or waiting."""
SHARE = 0.7
"""Of a call's deadline that a server gets, so that somebody else can still answer."""
_KEPT = 256


class LocalEngine(Protocol):
    """What runs models here."""

    async def predict(
        self,
        artifact: str,
        rows: Rows,
        *,
        deadline_s: float,
        priority: Priority = "interactive",
        explain: bool = False,
    ) -> Answers:
        """Return one answer per row."""
        ...


@dataclass
class _Place:
    """One deployment, and how it has done."""

    bundle: Bundle
    deployment: Deployment
    breaker: Breaker = field(default_factory=Breaker)
    places: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(PARALLEL))
    asking: int = 0
    stats: ModelStats = field(default_factory=ModelStats)


def check_remote(bundle: Bundle) -> None:
    """Let pass a bundle whose one member runs elsewhere.

    Raises:
        BadModel: it is another.
    """
    if [member.runtime for member in bundle.members] != ["remote"]:
        runtimes = ", ".join(member.runtime for member in bundle.members)
        raise BadModel(
            "a model with a deploymentUrl has one member, of runtime 'remote'; this bundle has "
            f"{runtimes or 'none'}"
        )


def check_place(bundle: Bundle, url: str | None) -> None:
    """Let pass a bundle that runs where its card says: here, or at a deployment.

    Raises:
        BadModel: a remote member without an address, or an address for what runs here.
    """
    if url is not None:
        check_remote(bundle)
        Deployment.check(url, bundle.members[0])
    elif any(member.runtime == "remote" for member in bundle.members):
        raise BadModel("a remote member needs the model's deploymentUrl, which this one lacks")


class RoutedEngine:
    """Answers rows like the engine behind it, and asks other servers for what runs there."""

    def __init__(
        self,
        here: LocalEngine,
        open_artifact: Callable[[str], Path],
        line: Line,
        *,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._here = here
        self._open_artifact = open_artifact
        self._line = line
        self._clock = clock
        self._places: dict[str, _Place] = {}

    async def predict(
        self,
        artifact: str,
        rows: Rows,
        *,
        deadline_s: float,
        priority: Priority = "interactive",
        explain: bool = False,
    ) -> Answers:
        """Return one answer per row.

        Raises:
            NotReady: the server does not answer yet, or is left alone for a while.
            WorkerLost: it cannot be reached, or does not have the model.
            InferenceError: as `Engine.predict` says.
        """
        digest, elsewhere, url = artifact.partition("@")
        if not elsewhere:
            return await self._here.predict(
                artifact, rows, deadline_s=deadline_s, priority=priority, explain=explain
            )
        place = self._places.get(artifact)
        if place is None:
            place = await self._open(artifact, digest, url)
        if place.asking >= MOST_WAITING:
            raise Overloaded(f"{place.asking} calls of this deployment are waiting already")
        rest = place.breaker.refuses_for(now=self._clock())
        if rest is not None:
            place.stats.failed += 1
            raise NotReady(
                f"the server failed too often and is left alone for {rest:.0f} s; the last time: "
                f"{place.breaker.reason}"
            )
        place.asking += 1
        begun = monotonic()
        try:
            answers = await self._ask(place, rows, deadline_s=deadline_s)
        except BaseException:
            place.stats.failed += 1
            raise
        finally:
            place.asking -= 1
        place.stats.count_batch(rows=len(rows), calls=1)
        place.stats.count_answer(monotonic() - begun)
        return answers

    def elsewhere(self) -> dict[str, ModelView]:
        """Return what was asked of other servers so far, by the name it was asked under."""
        now = self._clock()
        return {
            name: place.stats.view(open_until_s=place.breaker.open_for(now=now))
            for name, place in self._places.items()
        }

    async def aclose(self) -> None:
        """Hang up on every server that a connection is held with."""
        while self._places:
            await self._places.popitem()[1].deployment.aclose()

    async def _ask(self, place: _Place, rows: Rows, *, deadline_s: float) -> Answers:
        options = place.deployment.options
        allowed_s = min(options.timeout_s, SHARE * deadline_s)
        until = monotonic() + allowed_s
        settled = False
        try:
            async with asyncio.timeout(allowed_s), place.places:
                runtime = RemoteRuntime(place.deployment, asyncio.get_running_loop(), until)
                answers = await asyncio.to_thread(_answer, place.bundle, runtime, rows)
            place.breaker.succeeded()
            settled = True
            return answers
        except TimeoutError:
            settled = True
            place.breaker.failed("it did not answer in time", now=self._clock())
            raise DeadlineExceeded(f"the server did not answer within {allowed_s:g} s") from None
        except (DeadlineExceeded, WorkerLost, NotReady, ModelFailed) as failure:
            settled = True
            place.breaker.failed(str(failure), now=self._clock())
            raise
        finally:
            if not settled:  # the rows were wrong, it is too busy, or who asked has gone
                place.breaker.gave_up()

    async def _open(self, name: str, digest: str, url: str) -> _Place:
        bundle = await asyncio.to_thread(self._read, digest)
        place = self._places.get(name)
        if place is None:
            place = _Place(bundle, Deployment(url, bundle.members[0], self._line))
            self._places[name] = place
            if len(self._places) > _KEPT:
                await self._places.pop(next(iter(self._places))).deployment.aclose()
        return place

    def _read(self, digest: str) -> Bundle:
        bundle = open_bundle(self._open_artifact(digest))
        check_remote(bundle)
        return bundle


def _answer(bundle: Bundle, runtime: RemoteRuntime, rows: Rows) -> Answers:
    member = bundle.members[0]
    # Nothing is read from the folder: what runs elsewhere has no files here.
    return LoadedModel(bundle, [runtime.load(Path(), member, device="cpu")]).answer(rows)
