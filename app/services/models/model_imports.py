"""Fetching models as jobs: what takes long goes on when the request that asked for it has ended."""

from typing import Any
from uuid import UUID

from app.domain.ids import UserId, derived_id
from app.domain.jobs import Job
from app.services.job_runs import JobRun
from app.services.jobs import Jobs
from app.services.models.model_files import ModelFiles
from inference.lifecycle import label

KIND = "model.import"


class ModelImports:
    """Registers the work and takes orders for it."""

    def __init__(self, jobs: Jobs, files: ModelFiles) -> None:
        self._jobs = jobs
        self._files = files
        jobs.register(KIND, self._fetch)

    async def submit(
        self, url: str, *, by: UserId, name: str | None = None, version: str | None = None
    ) -> Job:
        """Let a packed model be fetched.

        Raises:
            Invalid: the address is not on the operator's list.
        """
        self._files.check_source(url)
        payload = {"url": url, "name": name, "version": version, "by": str(by)}
        return await self._jobs.submit(
            KIND,
            title=f"fetching a model from {url}",
            payload=payload,
            owner=by,
            dedupe_key=f"{KIND} {url}",
        )

    async def _fetch(self, run: JobRun) -> dict[str, Any]:
        asked = run.payload
        await run.progress(5.0, "fetching")
        card = await self._files.import_url(
            asked["url"],
            by=UserId(UUID(asked["by"])),
            name=asked["name"],
            version=asked["version"],
            # The same job taken up twice makes the same version.
            model_id=derived_id(run.id, "model"),
        )
        return {"modelId": str(card.id), "model": label(card)}
