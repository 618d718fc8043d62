"""How models come in and go out: files, and addresses behind the outbound guard."""

from collections.abc import Callable

import msgspec

from app.domain.errors import Invalid, Unavailable
from app.security.outbound import Outbound, OutboundFailed, OutboundRefused
from app.security.people import utc_now
from app.services.jobs import Jobs
from app.services.models.model_files import ModelFiles
from app.services.models.model_imports import ModelImports
from app.services.models.models import Models
from app.settings import Settings
from app.storage.engine import Database
from app.storage.models import StoredModels
from app.wiring.alerts import allowed_places
from app.wiring.engine import EngineDesk, open_artifacts
from app.wiring.remote import GuardedDeployments
from inference.artifacts import ArtifactStore


class RegistryDesk(msgspec.Struct, kw_only=True):
    """What moves models over the border."""

    files: ModelFiles
    imports: ModelImports


class GuardedFetch:
    """`app.services.models.model_files.Fetch` behind the outbound guard."""

    def __init__(self, outbound: Outbound) -> None:
        self._outbound = outbound

    async def __call__(
        self, url: str, write: Callable[[bytes], object], *, most: int, total_s: float
    ) -> int:
        """Give what is at an address to `write`.

        Raises:
            Invalid: `address_refused`.
            Unavailable: it cannot be had.
        """
        try:
            return await self._outbound.download(url, write, most=most, total_s=total_s)
        except OutboundRefused as refused:
            raise Invalid(f"`url`: {refused.reason}", code="address_refused") from None
        except OutboundFailed as failed:
            raise Unavailable(
                f"The model cannot be fetched. {failed.reason}", code="not_fetched"
            ) from None


def open_registry(settings: Settings, engine: EngineDesk, jobs: Jobs) -> RegistryDesk:
    """Join the ways in and out."""
    files = model_files(settings, engine.models, engine.artifacts)
    return RegistryDesk(files=files, imports=ModelImports(jobs, files))


def model_files(settings: Settings, models: Models, artifacts: ArtifactStore) -> ModelFiles:
    """Return what takes files in and gives them out."""
    return ModelFiles(
        models,
        artifacts,
        GuardedFetch(Outbound(allowed_places(settings))),
        sources=settings.model_sources,
        most=settings.model_max_bytes,
    )


class RegistryTools(msgspec.Struct, kw_only=True):
    """The registry without what runs models, for the terminal."""

    models: Models
    files: ModelFiles


def open_registry_tools(settings: Settings, database: Database) -> RegistryTools:
    """Open the registry alone."""
    artifacts = open_artifacts(settings)
    models = Models(
        StoredModels(database),
        artifacts,
        clock=utc_now,
        judge_deployment=GuardedDeployments(allowed_places(settings)),
    )
    return RegistryTools(models=models, files=model_files(settings, models, artifacts))
