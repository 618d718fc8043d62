"""`/health`: does everything this server stands on answer? Says no more than that."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Literal

import msgspec
import structlog
from litestar import Controller, Response, get
from litestar.di import NamedDependency

from app.rest.sign_in import anyone

log = structlog.get_logger(__name__)

Check = Callable[[], Awaitable[object]]
"""Returns when all is well, raises when not."""

_TIMEOUT_S = 3.0
_KEPT_S = 1.0


class CheckResult(msgspec.Struct, frozen=True, rename="camel"):
    """How one check went."""

    status: Literal["ok", "failed"]
    duration_ms: int


class Health(msgspec.Struct, frozen=True):
    """All checks by name."""

    status: Literal["ok", "degraded"]
    checks: dict[str, CheckResult]


class HealthChecks:
    """Runs the registered checks side by side, at most once a second however often one asks."""

    def __init__(self, checks: Mapping[str, Check]) -> None:
        self._checks = dict(checks)
        self._lock = asyncio.Lock()
        self._last: tuple[float, Health] | None = None

    async def run(self) -> Health:
        """Return how every check went, possibly a second ago."""
        async with self._lock:
            if self._last is not None and time.monotonic() - self._last[0] < _KEPT_S:
                return self._last[1]
            results = await asyncio.gather(*(self._one(name) for name in self._checks))
            checks = dict(zip(self._checks, results, strict=True))
            fine = all(result.status == "ok" for result in results)
            health = Health("ok" if fine else "degraded", checks)
            self._last = (time.monotonic(), health)
            return health

    async def _one(self, name: str) -> CheckResult:
        begun = time.monotonic()
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                await self._checks[name]()
        except Exception as error:
            # The boundary of foreign code: the operator reads why, the world reads "failed".
            log.warning("health.check_failed", check=name, reason=repr(error))
            return CheckResult("failed", round((time.monotonic() - begun) * 1000))
        return CheckResult("ok", round((time.monotonic() - begun) * 1000))


class HealthController(Controller):
    """For supervisors and load balancers."""

    path = "/health"
    tags = ("Health",)

    @get("/", guards=[anyone], summary="Is the server alive?")
    async def health(self, health_checks: NamedDependency[HealthChecks]) -> Health:
        """Return every check; the status code is 200 as long as the server can answer at all."""
        return await health_checks.run()

    @get("/ready", guards=[anyone], summary="Can the server do its work?")
    async def ready(self, health_checks: NamedDependency[HealthChecks]) -> Response[Health]:
        """Return every check; 503 when one of them failed."""
        health = await health_checks.run()
        return Response(health, status_code=200 if health.status == "ok" else 503)
