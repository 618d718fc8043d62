"""People who may sign in, and what they sign in with. Secrets travel only as hashes."""

from datetime import datetime
from typing import Literal

import msgspec

from app.domain.ids import UserId
from app.domain.principal import ALL_SCOPES, Principal, Scope


class User(msgspec.Struct, frozen=True):
    """Somebody with an account."""

    id: UserId
    email: str
    """Lower case; what they sign in with."""
    name: str
    role: Literal["user", "admin"]
    disabled: bool
    created_at: datetime

    def principal(
        self,
        credential: Literal["session", "api_key", "local"],
        credential_id: str,
        scopes: frozenset[Scope] = ALL_SCOPES,
    ) -> Principal:
        """Return this user as who asks, by a credential of theirs."""
        return Principal(
            user_id=self.id,
            email=self.email,
            name=self.name,
            role=self.role,
            scopes=scopes,
            credential=credential,
            credential_id=credential_id,
        )


def plain_email(email: str) -> str:
    """Return the form in which e-mail addresses are compared and stored."""
    return email.strip().lower()
