"""Who asks: a signed-in person, or a program with an API key acting for one."""

from typing import Literal

import msgspec

from app.domain.ids import UserId

Scope = Literal["chat", "read", "write", "admin"]
ALL_SCOPES: frozenset[Scope] = frozenset({"chat", "read", "write", "admin"})


class Principal(msgspec.Struct, frozen=True):
    """The user on whose behalf something is done, and what this credential may do."""

    user_id: UserId
    email: str
    name: str
    role: Literal["user", "admin"]
    scopes: frozenset[Scope]
    credential: Literal["session", "api_key", "local"]
    credential_id: str
    """Identifies the session or key, never a secret; "local" for the terminal."""

    def may(self, scope: Scope) -> bool:
        """Tell whether this credential carries `scope`; `admin` needs the role as well."""
        return scope in self.scopes and (scope != "admin" or self.role == "admin")
