"""What was asked of training before: read from its jobs and from the models it made."""

from uuid import UUID

from app.domain.text import clean_text
from app.storage.engine import Database

_ASKED = """
    SELECT EXISTS (SELECT FROM jobs WHERE kind = 'train' AND payload->>'once' = $1)
        OR EXISTS (SELECT FROM models WHERE validation_metrics->'training'->>'once' = $1)
"""
_CHAMPIONS = """
    SELECT m.id FROM models m JOIN model_aliases a ON a.model_id = m.id
     WHERE a.alias = 'champion' AND m.status = 'deployed'
       AND m.validation_metrics->'training' IS NOT NULL
     ORDER BY m.name
"""

_ABANDONED = """
    SELECT j.id AS job_id, m.id AS model_id, coalesce(j.error, 'It was cancelled.') AS why
      FROM jobs j JOIN models m ON m.id = (j.state->>'modelId')::uuid
     WHERE j.kind = 'train' AND j.status IN ('failed', 'cancelled')
       AND m.status IN ('training', 'validating')
"""
_UNDER_WAY = """
    SELECT EXISTS (SELECT FROM jobs WHERE id = $1 AND status IN ('queued', 'running'))
"""


class StoredTrainings:
    """Implements `app.services.training.training_ports.TrainingHistory`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def was_asked(self, once: str) -> bool:
        """Tell whether a training of this name is under way or has ended, however."""
        return bool(await self._database.fetchval(_ASKED, clean_text(once)))

    async def cancel_asked(self, job_id: UUID) -> bool:
        """Tell whether somebody asked for a job's end."""
        return bool(
            await self._database.fetchval("SELECT cancel_asked FROM jobs WHERE id = $1", job_id)
        )

    async def champions(self) -> list[UUID]:
        """Return the champions that were trained here."""
        return [row["id"] for row in await self._database.fetch(_CHAMPIONS)]

    async def abandoned(self) -> list[tuple[UUID, UUID, str]]:
        """Return versions in training whose job has ended without them: job, model, why."""
        rows = await self._database.fetch(_ABANDONED)
        return [(row["job_id"], row["model_id"], row["why"]) for row in rows]

    async def is_over(self, job_id: UUID) -> bool:
        """Tell whether a job has ended, or is unknown."""
        return not await self._database.fetchval(_UNDER_WAY, job_id)
