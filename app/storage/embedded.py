"""Our own Postgres: start it, share it between processes, keep it alive, stop it.

Several processes may enter the same data directory at once; the last one out stops Postgres. Who
is there is told by file locks, which a crash releases:

- `users.lock`, shared: held by every process that uses the cluster.
- `start.lock`, exclusive: held while somebody decides to start or stop it.
- `postmaster.lock`, exclusive: inherited by the server, so it is held exactly as long as any
  process of that server lives, whoever started it and whatever its pid file says.

Whether Postgres is well is asked by a query, never by a pid.
"""

import asyncio
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Literal
from urllib.parse import quote

import asyncpg
import structlog

from app.domain.errors import Unavailable
from app.storage import embedded_place as places
from app.storage.embedded_place import Place
from app.storage.embedded_server import PORT, SUPERUSER, Server
from app.storage.engine import DATABASE_ERRORS
from app.storage.errors import DiskFull, EmbeddedPostgresError, StartFailed
from app.storage.locks import exclusive, open_lock, try_lock

log = structlog.get_logger(__name__)

_ROLE = "outcry"
_LEAST_FREE_BYTES = 512 * 1024 * 1024
_ORPHANS_S = 5.0
"""How long the processes of a dead postmaster may take to notice."""

Health = Literal["ready", "starting", "down"]


class EmbeddedPostgres:
    """Postgres from the wheel's binaries, as an async context manager."""

    def __init__(
        self,
        data_dir: Path,
        on_progress: Callable[[str], None] = lambda _: None,
        *,
        patience_s: float = 300.0,
        least_free_bytes: int = _LEAST_FREE_BYTES,
    ) -> None:
        self._data_dir = data_dir
        self._on_progress = on_progress
        self._patience_s = patience_s
        self._least_free_bytes = least_free_bytes
        self._place: Place | None = None
        self._socket_dir = Path()
        self._password = ""
        self._users: int | None = None
        self._supervisor: asyncio.Task[None] | None = None

    # --- for its users ------------------------------------------------------------------------

    @property
    def connect_kwargs(self) -> dict[str, Any]:
        """Return the arguments of `asyncpg.connect` for the application's role and database."""
        return self._kwargs(_ROLE, self._password, _ROLE)

    @property
    def dsn(self) -> str:
        """Return the same as a URL; it holds the password."""
        host = quote(str(self._socket_dir), safe="")
        return f"postgresql://{_ROLE}:{quote(self._password)}@/{_ROLE}?host={host}&port={PORT}"

    @property
    def place(self) -> Place:
        """Return where the cluster lives."""
        if self._place is None:
            raise RuntimeError("EmbeddedPostgres is not entered")
        return self._place

    @property
    def _server(self) -> Server:
        return Server(self.place)

    def ensure_room(self) -> None:
        """Refuse new work while there is still room to finish what was begun.

        Raises:
            Unavailable: `storage_full`.
        """
        free = shutil.disk_usage(self.place.base).free
        if free < self._least_free_bytes:
            raise Unavailable(
                f"The disk is nearly full ({free // 2**20} MiB are free,"
                f" {self._least_free_bytes // 2**20} are needed), so nothing new is begun.",
                code="storage_full",
                retry_after_s=30,
            )

    async def create_database(self, name: str) -> None:
        """Create a further database of the application's role, if there is none of that name."""
        connection = await asyncpg.connect(**self._superuser_kwargs())
        try:
            found = await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", name)
            if not found:
                await connection.execute(f'CREATE DATABASE "{name}" OWNER {_ROLE}')
        finally:
            await connection.close()

    async def __aenter__(self) -> "EmbeddedPostgres":
        place = await asyncio.to_thread(places.find_place, self._data_dir, self._on_progress)
        self._place = place
        try:
            await self._enter(place)
        except TimeoutError as error:
            self._leave_users()
            raise StartFailed(
                f"Another process has been starting or stopping the database in {place.control}"
                f" for {self._patience_s:.0f} s"
            ) from error
        except OSError as error:
            self._leave_users()
            raise places.unwritable(error, place.control) from error
        except BaseException:
            self._leave_users()
            raise
        self._supervisor = asyncio.create_task(self._supervise(), name="embedded postgres")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._supervisor is not None:
            self._supervisor.cancel()
            await asyncio.wait([self._supervisor])
            self._supervisor = None
        try:
            async with self._deciding():
                if self._users is not None and try_lock(self._users):
                    await self._server.stop()
        finally:
            self._leave_users()

    # --- starting -----------------------------------------------------------------------------

    async def _enter(self, place: Place) -> None:
        async with self._deciding():
            self._users = open_lock(place.control / "users.lock")
            try_lock(self._users, shared=True)
            self._password = places.password(place, "password")
            self._socket_dir = places.socket_directory(place)
            await self._ensure_running()
            places.lay_ballast(place)

    def _deciding(self) -> Any:
        def tell() -> None:
            self._on_progress("waiting for another process that starts or stops the database")

        return exclusive(
            self.place.control / "start.lock", timeout_s=self._patience_s, on_wait=tell
        )

    def _leave_users(self) -> None:
        if self._users is not None:
            os.close(self._users)
            self._users = None

    async def _ensure_running(self) -> None:
        """Return once a query succeeds; starts the server if no process of one is alive."""
        place, server = self.place, self._server
        if not (place.cluster / "PG_VERSION").exists():
            self._on_progress("creating the database")
            await asyncio.to_thread(server.create_cluster)
        waited = _Patience(self._patience_s, self._on_progress)
        launched = False
        log_from = 0
        while True:
            health = await self._health()
            if health == "ready":
                return
            if health == "down" and not launched and waited.longer_than(_ORPHANS_S):
                await asyncio.to_thread(server.end_orphans)
            if health == "down" and not server.is_alive():
                if launched:
                    error = await asyncio.to_thread(server.diagnosis, log_from)
                    if not (isinstance(error, DiskFull) and places.drop_ballast(place)):
                        raise error
                    self._on_progress("the disk is full: freed the space kept for this moment")
                log_from = await asyncio.to_thread(server.launch, self._socket_dir)
                launched = True
            await waited.a_little(health)

    async def _health(self) -> Health:
        """Ask the server, through the socket, as the application does."""
        try:
            connection = await asyncpg.connect(**self.connect_kwargs, timeout=5)
        except (asyncpg.InvalidPasswordError, asyncpg.InvalidCatalogNameError):
            await self._make_role_and_database()
            return "starting"
        except asyncpg.CannotConnectNowError:
            return "starting"
        except (OSError, asyncpg.PostgresConnectionError, asyncpg.InternalClientError):
            return "down"
        except asyncpg.TooManyConnectionsError:
            return "ready"
        try:
            await connection.execute("SELECT 1", timeout=5)
        except DATABASE_ERRORS:
            return "down"
        finally:
            connection.terminate()
        return "ready"

    async def _make_role_and_database(self) -> None:
        try:
            connection = await asyncpg.connect(**self._superuser_kwargs(), timeout=5)
        except asyncpg.InvalidPasswordError as error:
            raise StartFailed(
                f"The passwords in {self.place.control} do not fit this cluster: restore the files"
                " 'password' and 'superuser-password' from a backup"
            ) from error
        try:
            known = await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", _ROLE)
            verb = "ALTER" if known else "CREATE"
            # The password is URL-safe base64: nothing in it needs quoting.
            await connection.execute(
                f"{verb} ROLE {_ROLE} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION"
                f" PASSWORD '{self._password}'"
            )
        finally:
            await connection.close()
        await self.create_database(_ROLE)

    # --- keeping it alive ---------------------------------------------------------------------

    async def _supervise(self) -> None:
        """Start the server again whenever it dies while we use it."""
        pause_s = 0.1
        while True:
            await self._server.gone()
            log.warning("postgres.died", place=str(self.place.base))
            self._on_progress("the database stopped; starting it again")
            try:
                async with self._deciding():
                    await self._ensure_running()
            except (EmbeddedPostgresError, *DATABASE_ERRORS) as error:
                log.error("postgres.not_started", error=str(error))
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, 5.0)
            else:
                pause_s = 0.1
                log.info("postgres.started_again")

    # --- connecting ---------------------------------------------------------------------------

    def _kwargs(self, user: str, password: str, database: str) -> dict[str, Any]:
        return {
            "host": str(self._socket_dir),
            "port": PORT,
            "user": user,
            "password": password,
            "database": database,
        }

    def _superuser_kwargs(self) -> dict[str, Any]:
        password = places.password(self.place, "superuser-password")
        return self._kwargs(SUPERUSER, password, "postgres")


class _Patience:
    """Waits in growing steps up to a limit, and says every few seconds that it still waits."""

    def __init__(self, limit_s: float, on_progress: Callable[[str], None]) -> None:
        self._began = asyncio.get_running_loop().time()
        self._limit_s = limit_s
        self._on_progress = on_progress
        self._step_s = 0.01
        self._next_word_s = 3.0

    def longer_than(self, seconds: float) -> bool:
        return self._waited_s() > seconds

    def _waited_s(self) -> float:
        return asyncio.get_running_loop().time() - self._began

    async def a_little(self, health: Health) -> None:
        waited_s = self._waited_s()
        if waited_s > self._limit_s:
            raise StartFailed(f"Postgres did not become ready within {self._limit_s:.0f} s")
        if waited_s > self._next_word_s:
            what = "recovering" if health == "starting" else "starting"
            self._on_progress(f"the database is {what} ({waited_s:.0f} s)")
            self._next_word_s += 3.0
        await asyncio.sleep(self._step_s)
        self._step_s = min(self._step_s * 1.3, 0.2)
