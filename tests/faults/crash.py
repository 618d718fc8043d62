"""Drive many conversations through one kill after another, then put everything before the checker.

The provider lives in the test's own process and is never killed, so what it was asked is known for
sure. Moments are drawn from a seed: a failure names it, and the same seed kills at the same moments
(counted from "ready"), as far as a busy machine allows.
"""

import asyncio
import os
import random
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import asyncpg

from app.storage.embedded import EmbeddedPostgres
from tests.faults.client import Wire
from tests.faults.history import (
    Killed,
    Log,
    Seen,
    StoredConversation,
    StoredCost,
    StoredMessage,
    Violation,
    violations,
)
from tests.faults.people import Person, Watcher
from tests.faults.provider import Provider
from tests.faults.server import Server


@dataclass(frozen=True)
class Plan:
    """How much is to happen."""

    seed: int
    kills: int = 20
    conversations: int = 20
    earliest_s: float = 0.02
    latest_s: float = 1.2
    """The next kill comes so long after the server said that it was ready."""
    settle_s: float = 60.0
    """How long all answers may take to end after the last kill."""


@dataclass
class Outcome:
    """What the test asserts on."""

    violations: list[Violation]
    log: Log
    answers: int
    kills_while_streaming: int
    refusals: list[Any]
    recovery_s: list[float]
    """From each kill to the first event that any client saw after it."""
    printed: str

    def report(self) -> str:
        """Return what a person needs to find the cause."""
        lines = [str(violation) for violation in self.violations[:20]]
        lines += [f"{len(self.violations)} violations; {self.answers} answers", self.printed]
        return "\n".join(lines)


async def survive(server: Server, plan: Plan, what: Literal["server", "postgres"]) -> Outcome:
    """Carry out `plan` on a fresh data directory."""
    log = Log()
    async with Provider(log) as provider:
        server.environment = {
            "OPENAI_API_KEY": "sk-fault-tests-0123456789",
            "OPENAI_BASE_URL": provider.base_url,
            "OUTCRY_MODEL": "fake-1",
        }
        await asyncio.to_thread(server.start)
        key = await asyncio.to_thread(server.api_key)
        people = [
            Person(
                f"person {number}",
                server.port,
                key,
                log,
                compact=number % 2 == 0,
                seed=plan.seed * 1000 + number,
            )
            for number in range(plan.conversations)
        ]
        watchers = [
            Watcher(f"watcher {number}", server.port, key, log, people) for number in (1, 2)
        ]
        killer = Killer(server, what, log, people, plan)
        stop = asyncio.Event()
        try:
            async with asyncio.timeout(None) as patience, asyncio.TaskGroup() as group:
                for person in people:
                    group.create_task(person.talk(stop), name=person.name)
                for watcher in watchers:
                    group.create_task(watcher.watch(stop), name=watcher.name)
                await killer.work()
                stop.set()
                patience.reschedule(asyncio.get_running_loop().time() + plan.settle_s)
        except TimeoutError:
            raise AssertionError(_who_waits(people, watchers, server, plan)) from None
        stored = await _read_back(server, key, people)
        return Outcome(
            violations=violations(log, stored),
            log=log,
            answers=sum(person.answers for person in people),
            kills_while_streaming=killer.while_streaming,
            refusals=[r for reader in [*people, *watchers] for r in reader.refusals],
            recovery_s=_recoveries(log),
            printed=server.output(),
        )


class Killer:
    """Ends the server, or its Postgres, at drawn moments and sees that it comes back."""

    def __init__(
        self,
        server: Server,
        what: Literal["server", "postgres"],
        log: Log,
        people: Sequence[Person],
        plan: Plan,
    ) -> None:
        self.server = server
        self.what: Literal["server", "postgres"] = what
        self.log = log
        self.people = people
        self.plan = plan
        self.while_streaming = 0

    async def work(self) -> None:
        """Kill as often as planned; return when the last one has been survived."""
        rng = random.Random(self.plan.seed)
        kill = self._kill_server if self.what == "server" else self._kill_postgres
        await asyncio.wait_for(asyncio.gather(*(p.known.wait() for p in self.people)), 30)
        for _ in range(self.plan.kills):
            await asyncio.sleep(rng.uniform(self.plan.earliest_s, self.plan.latest_s))
            self.while_streaming += any(p.waiting and p.acknowledged for p in self.people)
            await kill()

    async def _kill_server(self) -> None:
        self.server.kill()
        self.log.add(Killed("server", time.monotonic()))
        await asyncio.to_thread(self.server.start)

    async def _kill_postgres(self) -> None:
        # After the last kill it answers before its new pid file is readable.
        old = await self._postmaster_other_than(None)
        os.kill(old, signal.SIGKILL)
        self.log.add(Killed("postgres", time.monotonic()))
        await self._postmaster_other_than(old)
        await asyncio.to_thread(self.server.wait_ready)

    async def _postmaster_other_than(self, old: int | None) -> int:
        try:
            async with asyncio.timeout(60):
                while (new := self.server.postmaster()) in (old, None):  # noqa: ASYNC110 - a file
                    await asyncio.sleep(0.02)
        except TimeoutError:
            said = f"{self.server.output()}\n--- Postgres:\n{self.server.postgres_log()}"
            raise AssertionError(f"Postgres {old} did not come back in 60 s\n{said}") from None
        assert new is not None
        return new


def _who_waits(
    people: Sequence[Person], watchers: Sequence[Watcher], server: Server, plan: Plan
) -> str:
    lines = [f"not everything ended {plan.settle_s} s after the last kill (seed {plan.seed}):"]
    for person in people:
        if person.waiting is not None:
            where = person.since.get(person.conversation, 0)
            run_id = person.waiting["input"]["runId"]
            lines.append(
                f"{person.name} stands at {where} of {person.conversation} and waits for run "
                f"{run_id} (acknowledged: {person.acknowledged})"
            )
    lines += [f"{watcher.name} stands at {watcher.since}" for watcher in watchers]
    return "\n".join([*lines, server.output()])


def _recoveries(log: Log) -> list[float]:
    """Return the seconds from each kill to the first event that any client saw after it."""
    seconds: list[float] = []
    killed_at: float | None = None
    for entry in log.entries:
        if isinstance(entry, Killed):
            killed_at = entry.at_s
        elif isinstance(entry, Seen) and killed_at is not None:
            seconds.append(entry.at_s - killed_at)
            killed_at = None
    return seconds


async def _read_back(
    server: Server, key: str, people: Sequence[Person]
) -> list[StoredConversation]:
    """Return what is stored: messages over REST, events over a fresh socket, the rest by SQL."""
    conversations = [StoredConversation(person.conversation) for person in people]
    for conversation in conversations:
        path = f"/api/v1/conversations/{conversation.id}/messages"
        for message in reversed(await asyncio.to_thread(server.pages, path, key=key)):
            conversation.messages.append(
                StoredMessage(
                    message["id"],
                    message["runId"],
                    message["role"],
                    message["content"],
                    message["stopped"],
                )
            )
        async with Wire.open(server.port, key=key) as wire:
            await wire.hello(threads=[{"threadId": conversation.id, "since": 0}])
            _, frames = await wire.until(lambda f: f["type"] == "caughtUp")
        conversation.events = [(f["seq"], f["event"]) for f in frames if f["type"] == "event"]
    by_id = {conversation.id: conversation for conversation in conversations}
    async with EmbeddedPostgres(server.data_dir) as postgres:
        connection = await asyncpg.connect(**postgres.connect_kwargs)
        try:
            for row in await connection.fetch("SELECT conversation_id, id, status FROM runs"):
                by_id[str(row["conversation_id"])].runs[str(row["id"])] = row["status"]
            for row in await connection.fetch(
                "SELECT conversation_id, id, run_id, status, amount_usd FROM cost_entries"
            ):
                amount = None if row["amount_usd"] is None else str(row["amount_usd"])
                by_id[str(row["conversation_id"])].costs.append(
                    StoredCost(str(row["id"]), str(row["run_id"]), row["status"], amount)
                )
        finally:
            await connection.close()
    return conversations
