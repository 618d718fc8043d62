"""What an operator does from the terminal: the schema, people, keys, secrets, a check-up."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import msgspec
from rich.console import Console
from rich.text import Text

from app.domain.accounts import User, plain_email
from app.domain.errors import Invalid, NotFound
from app.domain.principal import Scope
from app.security.passwords import Passwords
from app.security.people import People
from app.security.sealing import Sealer, load_secret_key
from app.settings import Settings
from app.storage.accounts import Accounts
from app.storage.engine import Database
from app.storage.migrate import revisions
from app.storage.secrets import StoredSecrets
from app.wiring.database import open_database

_out = Console(highlight=False)
_err = Console(stderr=True, highlight=False)


class _Office(msgspec.Struct, frozen=True):
    database: Database
    label: str
    accounts: Accounts
    people: People

    async def person(self, email: str | None) -> User:
        """Return the user of that address; without one, the first admin."""
        if email is None:
            return await self.accounts.first_admin()
        found = await self.accounts.find_user(plain_email(email))
        if found is None:
            raise NotFound(f"There is no user {email}. 'outcry user list' shows who there is.")
        return found


@asynccontextmanager
async def _office(settings: Settings) -> AsyncIterator[_Office]:
    with _err.status("Opening the database …") as status:
        async with open_database(settings, on_progress=status.update) as (database, label):
            status.stop()
            accounts = Accounts(database)
            yield _Office(database, label, accounts, People(accounts, Passwords()))


def _print_table(*rows: tuple[str, ...]) -> None:
    """Print rows in columns as wide as they need: ids are there to be copied, never cut."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for number, row in enumerate(rows):
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        _out.print(Text(line.rstrip(), "bold" if number == 0 else ""), soft_wrap=True)


async def migrate_schema(settings: Settings) -> None:
    """Bring the schema up to date and say at which revision it is."""
    async with _office(settings) as office:
        head, _ = revisions()
        _out.print(f"{office.label}\nThe schema is at {head}, the newest this version knows.")


async def examine(settings: Settings) -> bool:
    """Check what the desk needs, line by line; True when all is well."""
    # Imported here because only this verb opens the whole desk.
    from app.checkup import checkup  # noqa: PLC0415

    return await checkup(settings, _out)


async def add_user(settings: Settings, email: str, *, name: str | None, admin: bool) -> None:
    """Add somebody and print their sign-in link."""
    async with _office(settings) as office:
        user = await office.people.add_user(
            email, role="admin" if admin else "user", name=name or ""
        )
        await _print_link(office, settings, user)


async def list_users(settings: Settings) -> None:
    """Print everybody who may sign in."""
    rows = [("e-mail", "name", "role", "since")]
    async with _office(settings) as office:
        for user in await office.accounts.users():
            role = f"{user.role} (disabled)" if user.disabled else user.role
            rows.append((user.email, user.name, role, f"{user.created_at:%Y-%m-%d}"))
    _print_table(*rows)


async def set_password(settings: Settings, email: str, password: str) -> None:
    """Replace somebody's password; their sessions end."""
    async with _office(settings) as office:
        user = await office.people.set_password(email, password)
        _out.print(f"{user.email} has a new password; all their sessions have ended.")


async def print_link(settings: Settings, email: str | None) -> None:
    """Print a sign-in link that works once, without `email` for the first admin."""
    async with _office(settings) as office:
        await _print_link(office, settings, await office.person(email))


async def _print_link(office: _Office, settings: Settings, user: User) -> None:
    token = await office.people.new_sign_in_link(user.id)
    _out.print(f"{user.email} signs in, once and within a day, with:")
    _out.print(f"{settings.address()}/sign-in#{token}", soft_wrap=True)


async def create_key(
    settings: Settings, name: str, *, email: str | None, scopes: tuple[Scope, ...]
) -> None:
    """Make an API key and print it, this once.

    Raises:
        Invalid: the key has no name.
    """
    if not name.strip():
        raise Invalid("Give the key a name, so that you know it again.")
    async with _office(settings) as office:
        user = await office.person(email)
        key, secret = await office.people.create_key(user.id, name=name, scopes=frozenset(scopes))
    _err.print(f"{key.name} acts for {user.email} with {', '.join(key.scopes)}. It is shown once:")
    _out.print(secret, soft_wrap=True)


async def list_keys(settings: Settings) -> None:
    """Print all keys that are not revoked, without their secret part."""
    rows = [("id", "name", "begins with", "scopes", "of", "last used")]
    async with _office(settings) as office:
        for user in await office.accounts.users():
            for key in await office.people.list_keys(user.id):
                used = f"{key.last_used_at:%Y-%m-%d}" if key.last_used_at else "never"
                scopes = ", ".join(key.scopes)
                rows.append((str(key.id), key.name, key.prefix, scopes, user.email, used))
    _print_table(*rows)


async def revoke_key(settings: Settings, key_id: UUID) -> None:
    """Revoke a key, whoever's it is."""
    async with _office(settings) as office:
        for user in await office.accounts.users():
            if await office.people.revoke_key(user.id, key_id):
                _out.print("Revoked.")
                return
    raise NotFound(f"There is no API key {key_id}. 'outcry key list' shows which there are.")


async def seal_secret(settings: Settings, name: str, value: str) -> None:
    """Store a provider key sealed."""
    if not value:
        raise Invalid(f"No value came for {name}: give it on standard input.")
    async with _office(settings) as office:
        sealer = Sealer(load_secret_key(settings.secret_key, settings.data_dir))
        await StoredSecrets(office.database, sealer).set(name, value)
    _out.print(f"{name} is sealed; it is used from the next start on.")


async def remove_secret(settings: Settings, name: str) -> None:
    """Forget a sealed provider key."""
    async with _office(settings) as office:
        sealer = Sealer(load_secret_key(settings.secret_key, settings.data_dir))
        if not await StoredSecrets(office.database, sealer).delete(name):
            raise NotFound(f"No secret {name} is stored.")
    _out.print(f"{name} is forgotten.")
