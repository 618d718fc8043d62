"""Materialisation as jobs: new rows of a view are stored offline, then served online.

Each part can be done again without harm: offline only news is added, online an older moment never
replaces a newer one. A job whose process died goes on behind the last entity that was written.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import datetime
from typing import Any

import msgspec

from app.domain.ids import UserId
from app.domain.jobs import Job
from app.services.datasets.feature_sources import FeatureSource, Filling
from app.services.datasets.feature_store import FeatureStore, FeatureTables
from app.services.job_runs import JobRun
from app.services.jobs import Jobs
from inference.datasets.feature_merge import News
from inference.datasets.feature_sets import FeatureSet
from inference.datasets.offline_features import Cursor, OfflineFeatures, OnlineRow
from inference.datasets.offline_index import OfflineIndex

KIND = "features.materialize"
AT_ONCE = 1_000
"""Entities written in one statement."""
_OFFLINE = 70.0
"""Percent of the work, about, that the offline half is."""
_WRITE_S = 60.0


class _Online(msgspec.Struct, frozen=True, kw_only=True):
    """Where an earlier attempt was."""

    cursor: Cursor = Cursor()
    """What it was bringing online."""
    entity: str = ""
    """Entities up to this one have been written."""
    written: int = 0
    added: int = 0


class FeatureMaterializing:
    """Registers the work and takes orders for it."""

    def __init__(
        self,
        store: FeatureStore,
        tables: FeatureTables,
        offline: OfflineFeatures,
        sources: Mapping[str, FeatureSource],
        jobs: Jobs,
        *,
        clock: Callable[[], datetime],
    ) -> None:
        """Args:
        sources: by what a definition's `source` says.
        """
        self._store = store
        self._tables = tables
        self._offline = offline
        self._sources = sources
        self._jobs = jobs
        self._clock = clock
        jobs.register(KIND, self._materialize)

    async def submit(self, reference: str, *, by: UserId | None) -> Job:
        """Queue a materialisation; the one of this view that is under way, if there is one.

        Raises:
            NotFound: there is no such view.
        """
        view = await self._store.definition(reference)
        return await self._jobs.submit(
            KIND,
            title=f"materializing {view.key}",
            payload={"view": view.key, "by": str(by) if by else None},
            owner=by,
            dedupe_key=f"{KIND} {view.key}",
        )

    async def _materialize(self, run: JobRun) -> dict[str, Any]:
        view = await self._store.definition(run.payload["view"])
        state = msgspec.convert(run.state, _Online)
        news = await self._store_offline(run, view)
        added = state.added + news.rows
        index = await self._store.offline_index(view)
        written = 0
        if index is not None:
            await run.progress(_OFFLINE, "serving online")
            written = await self._serve(run, view, index, state, added)
        return {
            "view": view.key,
            "added": added,
            "late": news.late,
            "corrected": news.corrected,
            "written": written,
            "rows": 0 if index is None else index.rows,
        }

    async def _store_offline(self, run: JobRun, view: FeatureSet) -> News:
        """Add what is news offline; return how much it was."""
        index = await self._store.offline_index(view)
        source = self._sources[view.source]
        total = News(new=0, late=0, corrected=0)
        await run.progress(1.0, "reading")
        async for filling in source.fillings(view, applied=0 if index is None else index.applied):
            run.check()
            found = await self._add(run, view, filling)
            total = News(
                new=total.new + found.new,
                late=total.late + found.late,
                corrected=total.corrected + found.corrected,
            )
        return total

    async def _add(self, run: JobRun, view: FeatureSet, filling: Filling) -> News:
        loop = asyncio.get_running_loop()

        def progress(share: float, stage: str) -> None:
            told = asyncio.run_coroutine_threadsafe(
                run.progress(_OFFLINE * share, f"{stage} {filling.what}"), loop
            )
            told.result(timeout=_WRITE_S)

        return await asyncio.to_thread(
            self._offline.add,
            view,
            filling.fill,
            seen=filling.seen,
            applied=filling.applied,
            progress=progress,
        )

    async def _serve(
        self, run: JobRun, view: FeatureSet, index: OfflineIndex, state: _Online, added: int
    ) -> int:
        """Bring online what it has not got yet; return how many entities changed."""
        taken = await self._tables.cursor(view)
        since = Cursor() if taken is None else taken[0]
        to = Cursor(store=index.store, batch=index.batch, until=self._clock())
        after, written = "", 0
        if (state.cursor.store, state.cursor.batch) == (to.store, to.batch):
            # The same rows, up to the same moment: what was written then needs no second look.
            to, after, written = state.cursor, state.entity, state.written
        loop, done = asyncio.get_running_loop(), 0

        async def write(rows: list[OnlineRow]) -> None:
            nonlocal written, done
            written += await self._tables.write(view, rows)
            done += len(rows)
            share = min(done / max(1, index.entities), 1.0)
            reached = _Online(cursor=to, entity=rows[-1].entity, written=written, added=added)
            await run.progress(
                _OFFLINE + (99.0 - _OFFLINE) * share,
                f"{done:,} entities online",
                msgspec.to_builtins(reached),
            )

        def work() -> None:
            batches = self._offline.newest(view, since, now=to.until, after=after, at_once=AT_ONCE)
            with closing(batches):
                for rows in batches:
                    told = asyncio.run_coroutine_threadsafe(write(rows), loop)
                    told.result(timeout=_WRITE_S)

        await asyncio.to_thread(work)
        await self._tables.set_cursor(view, to, now=self._clock())
        return written
