"""Users and their credentials. Only hashes of secrets come here; times are the caller's."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

import asyncpg

from app.domain.accounts import User
from app.domain.errors import Conflict, NotFound
from app.domain.ids import UserId, new_id
from app.domain.principal import Principal
from app.domain.text import clean_text
from app.domain.views import ApiKeyView
from app.storage.engine import Database, Record

_USER = "u.id, u.email, u.name, u.role, u.disabled, u.created_at"
_KEY = """k.id, k.name, k.prefix, k.scopes, k.created_at, k.expires_at, k.revoked_at,
       k.last_used_at"""
_LIVE_SESSION = "s.revoked_at IS NULL AND s.expires_at > $2 AND NOT u.disabled"
_LIVE_KEY = (
    "k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > $2) AND NOT u.disabled"
)
_BY_SESSION = f"""
SELECT s.id AS credential_id, {_USER} FROM sessions s JOIN users u ON u.id = s.user_id
 WHERE s.token_hash = $1 AND {_LIVE_SESSION}
"""
_BY_KEY = f"""
SELECT k.id AS credential_id, k.scopes, k.last_used_at, {_USER}
  FROM api_keys k JOIN users u ON u.id = k.user_id
 WHERE k.key_hash = $1 AND {_LIVE_KEY}
"""
_USED = """
UPDATE api_keys SET last_used_at = $2
 WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < $3)
"""
_STILL_GOOD = f"""
SELECT s.id AS credential_id, NULL::text[] AS scopes, {_USER}
  FROM sessions s JOIN users u ON u.id = s.user_id
 WHERE s.id = ANY($1::uuid[]) AND {_LIVE_SESSION}
UNION ALL
SELECT k.id, k.scopes, {_USER} FROM api_keys k JOIN users u ON u.id = k.user_id
 WHERE k.id = ANY($1::uuid[]) AND {_LIVE_KEY}
UNION ALL
SELECT u.id, NULL, {_USER} FROM users u WHERE u.id = ANY($3::uuid[]) AND NOT u.disabled
"""
_CONSUME_LINK = f"""
WITH used AS (
       UPDATE sign_in_links SET used_at = $2
        WHERE token_hash = $1 AND used_at IS NULL AND expires_at > $2
       RETURNING user_id)
SELECT {_USER} FROM users u JOIN used ON used.user_id = u.id WHERE NOT u.disabled
"""
_TOLD_EVERY = timedelta(minutes=1)


class Accounts:
    """Implements what `app.security` and the account services need stored."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # --- users --------------------------------------------------------------------------------

    async def add_user(
        self,
        *,
        email: str,
        name: str,
        role: Literal["user", "admin"],
        password_hash: str | None,
        now: datetime,
    ) -> User:
        """Add somebody.

        Raises:
            Conflict: `email_taken`.
        """
        try:
            rows = await self._database.write(
                "INSERT INTO users AS u (id, email, name, role, password_hash, created_at)"
                f" VALUES ($1, $2, $3, $4, $5, $6) RETURNING {_USER}",
                new_id(),
                clean_text(email),
                clean_text(name),
                role,
                password_hash,
                now,
            )
        except asyncpg.UniqueViolationError as error:
            raise Conflict(f"There is a user {email} already.", code="email_taken") from error
        return _user(rows[0])

    async def users(self) -> list[User]:
        """Return everybody, oldest first."""
        rows = await self._database.fetch(f"SELECT {_USER} FROM users u ORDER BY created_at, id")
        return [_user(row) for row in rows]

    async def find_user(self, email: str) -> User | None:
        """Return the user with this address, None if there is none."""
        found = await self.password_of(email)
        return None if found is None else found[0]

    async def password_of(self, email: str) -> tuple[User, str | None] | None:
        """Return the user with this address and their password's hash."""
        row = await self._database.fetchrow(
            f"SELECT {_USER}, u.password_hash FROM users u WHERE email = $1", clean_text(email)
        )
        return None if row is None else (_user(row), row["password_hash"])

    async def first_admin(self) -> User:
        """Return the desk's owner: the oldest admin who is not disabled.

        Raises:
            NotFound: there is none.
        """
        row = await self._database.fetchrow(
            f"SELECT {_USER} FROM users u WHERE role = 'admin' AND NOT disabled"
            " ORDER BY created_at, id LIMIT 1"
        )
        if row is None:
            raise NotFound("There is no admin yet.")
        return _user(row)

    async def change_user(
        self,
        user_id: UserId,
        *,
        role: Literal["user", "admin"] | None = None,
        disabled: bool | None = None,
    ) -> User | None:
        """Change what is given; None if there is no such user."""
        rows = await self._database.write(
            "UPDATE users u SET role = coalesce($2, role), disabled = coalesce($3, disabled)"
            f" WHERE id = $1 RETURNING {_USER}",
            user_id,
            role,
            disabled,
        )
        return _user(rows[0]) if rows else None

    async def set_password(
        self, user_id: UserId, password_hash: str, *, end_sessions_at: datetime | None
    ) -> None:
        """Replace a password; with a time, every open session of the user ends then."""
        async with self._database.transaction() as connection:
            await connection.execute(
                "UPDATE users SET password_hash = $2 WHERE id = $1", user_id, password_hash
            )
            if end_sessions_at is not None:
                await connection.execute(
                    "UPDATE sessions SET revoked_at = $2 WHERE user_id = $1 AND revoked_at IS NULL",
                    user_id,
                    end_sessions_at,
                )

    # --- sessions and links -------------------------------------------------------------------

    async def open_session(
        self,
        user_id: UserId,
        *,
        token_hash: bytes,
        user_agent: str | None,
        now: datetime,
        expires_at: datetime,
    ) -> UUID:
        """Open a session and return its id."""
        session_id = new_id()
        await self._database.execute(
            "INSERT INTO sessions (id, user_id, token_hash, user_agent, created_at, expires_at)"
            " VALUES ($1, $2, $3, $4, $5, $6)",
            session_id,
            user_id,
            token_hash,
            None if user_agent is None else clean_text(user_agent)[:300],
            now,
            expires_at,
        )
        return session_id

    async def revoke_session(self, session_id: UUID, *, now: datetime) -> bool:
        """End a session; False if it had ended before."""
        status = await self._database.execute(
            "UPDATE sessions SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL",
            session_id,
            now,
        )
        return status == "UPDATE 1"

    async def add_link(self, user_id: UserId, *, token_hash: bytes, expires_at: datetime) -> None:
        """Store a sign-in link that works once."""
        await self._database.execute(
            "INSERT INTO sign_in_links (token_hash, user_id, expires_at) VALUES ($1, $2, $3)",
            token_hash,
            user_id,
            expires_at,
        )

    async def consume_link(self, token_hash: bytes, *, now: datetime) -> User | None:
        """Use a link up and return whose it was; of any number of callers one gets the user."""
        rows = await self._database.write(_CONSUME_LINK, token_hash, now)
        return _user(rows[0]) if rows else None

    # --- API keys -----------------------------------------------------------------------------

    async def keys(self, user_id: UserId) -> list[ApiKeyView]:
        """Return the user's keys that have not been revoked, newest first."""
        rows = await self._database.fetch(
            f"SELECT {_KEY} FROM api_keys k WHERE user_id = $1 AND revoked_at IS NULL"
            " ORDER BY created_at DESC, id DESC",
            user_id,
        )
        return [_key(row) for row in rows]

    async def add_key(self, user_id: UserId, key: ApiKeyView, *, key_hash: bytes) -> None:
        """Store a new key."""
        await self._database.execute(
            "INSERT INTO api_keys (id, user_id, name, prefix, key_hash, scopes, created_at,"
            " expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            key.id,
            user_id,
            clean_text(key.name),
            key.prefix,
            key_hash,
            list(key.scopes),
            key.created_at,
            key.expires_at,
        )

    async def revoke_key(self, user_id: UserId, key_id: UUID, *, now: datetime) -> bool:
        """Revoke one of the user's keys; False if there is no such key."""
        status = await self._database.execute(
            "UPDATE api_keys SET revoked_at = $3"
            " WHERE id = $2 AND user_id = $1 AND revoked_at IS NULL",
            user_id,
            key_id,
            now,
        )
        return status == "UPDATE 1"

    # --- who is it? ---------------------------------------------------------------------------

    async def by_session(self, token_hash: bytes, *, now: datetime) -> Principal | None:
        """Return whose open session this is."""
        row = await self._database.fetchrow(_BY_SESSION, token_hash, now)
        return None if row is None else _user(row).principal("session", str(row["credential_id"]))

    async def by_key(self, key_hash: bytes, *, now: datetime) -> Principal | None:
        """Return for whom this key acts, and note that it was used (once a minute at most)."""
        row = await self._database.fetchrow(_BY_KEY, key_hash, now)
        if row is None:
            return None
        last_used_at: datetime | None = row["last_used_at"]
        if last_used_at is None or last_used_at < now - _TOLD_EVERY:
            await self._database.execute(_USED, row["credential_id"], now, now - _TOLD_EVERY)
        return _user(row).principal("api_key", str(row["credential_id"]), frozenset(row["scopes"]))

    async def recheck(
        self, principals: Sequence[Principal], *, now: datetime
    ) -> list[Principal | None]:
        """Return each principal as it is now, None where its credential is gone: one query."""
        credentials = {UUID(p.credential_id) for p in principals if p.credential != "local"}
        local = {p.user_id for p in principals if p.credential == "local"}
        rows = await self._database.fetch(_STILL_GOOD, list(credentials), now, list(local))
        found = {row["credential_id"]: row for row in rows}
        return [_again(principal, found) for principal in principals]


def _again(principal: Principal, found: dict[UUID, Record]) -> Principal | None:
    local = principal.credential == "local"
    row = found.get(principal.user_id if local else UUID(principal.credential_id))
    if row is None:
        return None
    scopes = principal.scopes if row["scopes"] is None else frozenset(row["scopes"])
    return _user(row).principal(principal.credential, principal.credential_id, scopes)


def _user(row: Record) -> User:
    return User(
        id=UserId(row["id"]),
        email=row["email"],
        name=row["name"],
        role=row["role"],
        disabled=row["disabled"],
        created_at=row["created_at"],
    )


def _key(row: Record) -> ApiKeyView:
    values = dict(row.items())
    values["scopes"] = tuple(values["scopes"])
    return ApiKeyView(**values)
