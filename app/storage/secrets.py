"""Secrets that people typed in (a provider's key, say): stored sealed, never as they are."""

from typing import Protocol

from app.domain.text import clean_text
from app.storage.engine import Database


class Sealer(Protocol):
    """Seals and opens; `app.security.sealing.Sealer`."""

    @property
    def key_id(self) -> str:
        """Name the key that seals now."""
        ...

    def seal(self, name: str, secret: str) -> bytes:
        """Return `secret` sealed under `name`."""
        ...

    def open(self, name: str, key_id: str, sealed: bytes) -> str:
        """Return what was sealed.

        Raises:
            SealBroken: it was changed, moved from another name, or sealed by an unknown key.
        """
        ...


class StoredSecrets:
    """Named secrets."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._sealer = sealer

    async def get(self, name: str) -> str | None:
        """Return a secret, None if there is none of that name."""
        row = await self._database.fetchrow(
            "SELECT key_id, sealed FROM secrets WHERE name = $1", name
        )
        return None if row is None else self._sealer.open(name, row["key_id"], row["sealed"])

    async def set(self, name: str, secret: str) -> None:
        """Keep a secret under `name`, in place of an older one."""
        await self._database.execute(
            "INSERT INTO secrets (name, key_id, sealed) VALUES ($1, $2, $3) ON CONFLICT (name)"
            " DO UPDATE SET key_id = $2, sealed = $3, updated_at = now()",
            name,
            self._sealer.key_id,
            self._sealer.seal(name, clean_text(secret)),
        )

    async def delete(self, name: str) -> bool:
        """Forget a secret; False if there was none."""
        status = await self._database.execute("DELETE FROM secrets WHERE name = $1", name)
        return status == "DELETE 1"

    async def names(self) -> list[str]:
        """Return the names of all secrets."""
        rows = await self._database.fetch("SELECT name FROM secrets ORDER BY name")
        return [row["name"] for row in rows]

    async def rotate(self) -> int:
        """Open every secret and seal it again by the newest key; return how many were not yet.

        Row by row, so that a crash leaves each readable; doubles as the check at start that all
        can be opened.

        Raises:
            SealBroken: one cannot be opened; those before it are done.
        """
        rows = await self._database.fetch("SELECT name, key_id, sealed FROM secrets")
        old = 0
        for name, key_id, sealed in rows:
            secret = self._sealer.open(name, key_id, sealed)
            if key_id == self._sealer.key_id:
                continue
            old += 1
            # Somebody may have set it meanwhile: then theirs stays.
            await self._database.execute(
                "UPDATE secrets SET key_id = $3, sealed = $4 WHERE name = $1 AND sealed = $2",
                name,
                sealed,
                self._sealer.key_id,
                self._sealer.seal(name, secret),
            )
        return old
