"""People, API keys and provider keys."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, cast
from uuid import UUID

import rich_click as click

from app.verbs.shared import data_dir_option, run, settings_with

_SECRETS = (
    "OPENAI_API_KEY",
    "ANTHROPIC_API_KEY",
    "VLLM_API_KEY",
    "ALPACA_API_KEY",
    "ALPACA_API_SECRET",
    "MASSIVE_API_KEY",
    "TIINGO_API_KEY",
)

if TYPE_CHECKING:
    from app.domain.principal import Scope


@click.group()
def user() -> None:
    """Add people, list them, set a password, or print a sign-in link for one."""


@user.command("add")
@click.argument("email")
@click.option("--name", help="How the person is called. [default: the part before the @]")
@click.option("--admin", is_flag=True, help="May configure agents and see all costs.")
@data_dir_option
def user_add(email: str, name: str | None, admin: bool, data_dir: Path | None) -> None:
    """Add a person and print a sign-in link that works once."""
    from app.upkeep import add_user  # noqa: PLC0415

    run(add_user(settings_with(data_dir=data_dir), email, name=name, admin=admin))


@user.command("list")
@data_dir_option
def user_list(data_dir: Path | None) -> None:
    """List everybody who may sign in."""
    from app.upkeep import list_users  # noqa: PLC0415

    run(list_users(settings_with(data_dir=data_dir)))


@user.command("password")
@click.argument("email")
@click.password_option(help="Asked for when not given.")
@data_dir_option
def user_password(email: str, password: str, data_dir: Path | None) -> None:
    """Set a person's password."""
    from app.upkeep import set_password  # noqa: PLC0415

    run(set_password(settings_with(data_dir=data_dir), email, password))


@user.command("link")
@click.argument("email", required=False)
@data_dir_option
def user_link(email: str | None, data_dir: Path | None) -> None:
    """Print a sign-in link that works once, for a day: yours, or that of EMAIL."""
    from app.upkeep import print_link  # noqa: PLC0415

    run(print_link(settings_with(data_dir=data_dir), email))


@click.group()
def key() -> None:
    """Give programs API keys, list them, or revoke one."""


@key.command("create")
@click.argument("name")
@click.option("--email", help="Whose rights it carries. [default: the first admin]")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice(["chat", "read", "write", "admin"]),
    help="May be given several times. [default: chat and read]",
)
@data_dir_option
def key_create(
    name: str, email: str | None, scopes: tuple[str, ...], data_dir: Path | None
) -> None:
    """Create an API key and print it once."""
    from app.upkeep import create_key  # noqa: PLC0415

    settings = settings_with(data_dir=data_dir)
    given = cast("tuple[Scope, ...]", scopes) or ("chat", "read")
    run(create_key(settings, name, email=email, scopes=given))


@key.command("list")
@data_dir_option
def key_list(data_dir: Path | None) -> None:
    """List API keys, without their secret part."""
    from app.upkeep import list_keys  # noqa: PLC0415

    run(list_keys(settings_with(data_dir=data_dir)))


@key.command("revoke")
@click.argument("key_id", type=click.UUID)
@data_dir_option
def key_revoke(key_id: UUID, data_dir: Path | None) -> None:
    """Revoke an API key; open sockets that use it close within a second."""
    from app.upkeep import revoke_key  # noqa: PLC0415

    run(revoke_key(settings_with(data_dir=data_dir), key_id))


@click.group()
def secret() -> None:
    """Keep provider keys sealed in the database instead of in the environment."""


@secret.command("set")
@click.argument("name", type=click.Choice(_SECRETS, case_sensitive=False))
@data_dir_option
def secret_set(name: str, data_dir: Path | None) -> None:
    """Seal a provider key, read from standard input. The environment stays stronger."""
    from app.upkeep import seal_secret  # noqa: PLC0415

    value = click.prompt(name, hide_input=True) if sys.stdin.isatty() else sys.stdin.read()
    run(seal_secret(settings_with(data_dir=data_dir), name.upper(), value.strip()))


@secret.command("remove")
@click.argument("name")
@data_dir_option
def secret_remove(name: str, data_dir: Path | None) -> None:
    """Forget a sealed provider key."""
    from app.upkeep import remove_secret  # noqa: PLC0415

    run(remove_secret(settings_with(data_dir=data_dir), name.upper()))
