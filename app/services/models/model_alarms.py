"""Alarms over models: kept until they are over, told to administrators, seen by one of them.

What is measured comes from the daily reports; what can be seen at once (a model that is away, files
that were changed, a split that cannot be believed) from a look every quarter of an hour, by one
process at a time.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

import structlog

from app.domain.errors import Invalid, NotFound, Unavailable
from app.domain.experiments import Experiment, Reading
from app.domain.ids import UserId
from app.domain.model_alarms import (
    KINDS,
    STATES,
    AlarmFilter,
    Away,
    Broken,
    Finding,
    ModelAlarm,
)
from app.domain.model_reports import ModelReport
from app.domain.views import Position
from app.protocol.frames import NoticeFrame
from app.services.live.live_ports import Notifier
from app.services.models.model_findings import (
    of_away,
    of_broken,
    of_reading,
    of_rejection,
    of_report,
)
from app.services.paging import Page, checked_limit, cut, decode_cursor

log = structlog.get_logger(__name__)

FIRST_LOOK_S = 60.0
LOOK_S = 900.0
_AWAY_WITHIN = timedelta(hours=1)
_LONGEST_TITLE = 300
_REMEMBERED = timedelta(days=7)
"""An experiment that ended longer ago raises nothing."""


class AlarmStore(Protocol):
    """Keeps alarms; met by `app.storage.model_alarms`."""

    def alone(self, what: str) -> AbstractAsyncContextManager[bool]: ...

    async def observe(self, findings: Sequence[Finding], *, now: datetime) -> list[ModelAlarm]: ...

    async def page(
        self, which: AlarmFilter, *, before: Position | None, limit: int
    ) -> list[ModelAlarm]: ...

    async def find(self, alarm_id: UUID) -> ModelAlarm | None: ...

    async def acknowledge(self, alarm_id: UUID, *, by: UserId | None, now: datetime) -> bool: ...

    async def close_out_of_use(self, *, now: datetime) -> None: ...

    async def away(self, *, since: datetime) -> list[Away]: ...

    async def broken(self) -> list[Broken]: ...

    async def admins(self) -> list[UserId]: ...


class Tests(Protocol):
    """Experiments, as far as they raise alarms; `services.experiments.experiments.Experiments`."""

    async def newest(self, *, since: datetime) -> list[Experiment]: ...

    async def reading(self, experiment_id: UUID) -> Reading: ...


class Reports(Protocol):
    """Makes the daily reports; `app.services.models.model_health.ModelHealth`."""

    async def look_after(self) -> list[ModelReport]: ...


class ModelAlarms:
    """The use cases."""

    def __init__(
        self, store: AlarmStore, notices: Notifier, *, clock: Callable[[], datetime]
    ) -> None:
        self._store = store
        self._notices = notices
        self._clock = clock

    async def page(self, which: AlarmFilter, *, cursor: str | None, limit: int) -> Page[ModelAlarm]:
        """Return alarms, the newest first.

        Raises:
            Invalid: a filter has a value it cannot have.
        """
        if which.state not in STATES:
            raise Invalid(f"`state` must be one of {', '.join(STATES)}.")
        if which.kind is not None and which.kind not in KINDS:
            raise Invalid(f"`kind` must be one of {', '.join(KINDS)}.")
        found = await self._store.page(
            which, before=decode_cursor(cursor), limit=checked_limit(limit) + 1
        )
        return cut(found, limit, lambda one: (one.opened_at, one.id))

    async def acknowledge(self, alarm_id: UUID, *, by: UserId | None) -> ModelAlarm:
        """Note that an administrator has seen an alarm; it stays until it is over.

        Raises:
            NotFound: there is none.
        """
        seen = await self._store.acknowledge(alarm_id, by=by, now=self._clock())
        found = await self._store.find(alarm_id) if seen else None
        if found is None:
            raise NotFound("There is no such alarm.")
        return found

    async def reported(self, report: ModelReport) -> list[ModelAlarm]:
        """Hear of a report; return the alarms that opened."""
        return await self.observe(of_report(report))

    async def observe(self, findings: Sequence[Finding]) -> list[ModelAlarm]:
        """Take what a look found; tell administrators of what is new, and return that."""
        opened = await self._store.observe(findings, now=self._clock())
        if opened:
            admins = await self._store.admins()
            for alarm in opened:
                log.warning("model.alarm", model=alarm.model, kind=alarm.kind, words=alarm.words)
                for admin in admins:
                    self._notices.notify(admin, notice_of(alarm))
        return opened


class ModelWatch:
    """Looks after models and experiments as long as the desk serves."""

    def __init__(
        self,
        alarms: ModelAlarms,
        store: AlarmStore,
        reports: Reports,
        tests: Tests,
        *,
        clock: Callable[[], datetime],
    ) -> None:
        self._alarms = alarms
        self._store = store
        self._reports = reports
        self._tests = tests
        self._clock = clock
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Have `keep_up` look at once: something was found out. Never waits."""
        self._woken.set()

    async def keep_up(self) -> None:
        """Look now and then, and whenever it is woken, until cancelled."""
        wait_s = FIRST_LOOK_S
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._woken.wait()
            self._woken.clear()
            wait_s = LOOK_S
            try:
                await self.look()
            except Unavailable as away:
                log.warning("model_watch.waits", reason=away.code)
            except Exception:
                log.exception("model_watch.failed")

    async def look(self) -> list[ModelAlarm]:
        """Look at everything once; return what opened. Another process may be at it: then none."""
        async with self._store.alone("model watch") as mine:
            if not mine:
                return []
            now = self._clock()
            await self._store.close_out_of_use(now=now)
            findings = [of_broken(one) for one in await self._store.broken()]
            since = now - _AWAY_WITHIN
            findings += [of_away(one) for one in await self._store.away(since=since)]
            findings += await self._experiments(now)
            opened = await self._alarms.observe(findings)
            # Each report brings its own.
            await self._reports.look_after()
            return opened

    async def _experiments(self, now: datetime) -> list[Finding]:
        found = []
        for one in await self._tests.newest(since=now - _REMEMBERED):
            if one.status == "rejected":
                found.append(of_rejection(one))
            found.append(of_reading(one, await self._tests.reading(one.id)))
        return found


def notice_of(alarm: ModelAlarm) -> NoticeFrame:
    """Return what administrators are told."""
    return NoticeFrame(
        kind="modelAlarm",
        title=f"{alarm.model}: {alarm.words}"[:_LONGEST_TITLE],
        alarm_id=alarm.id,
        model_id=alarm.model_id,
        at=alarm.opened_at,
    )
