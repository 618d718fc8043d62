"""The `outcry` command: one function a verb; the work is done elsewhere.

Heavy parts are imported by the verbs that need them, so that `--help` answers at once.
"""

import asyncio
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

import rich_click as click
from click.exceptions import Exit
from rich.console import Console
from rich.text import Text

from app.settings import Settings, read_settings

if TYPE_CHECKING:
    from app.domain.principal import Scope

_err = Console(stderr=True)


def main() -> None:
    """Run the command; whatever goes wrong is told in a line or two, never as a traceback."""
    # Imported here because `app.failures` knows every package's errors.
    from app.failures import explain  # noqa: PLC0415

    try:
        cli.main(standalone_mode=False)
    except Exit as leave:
        sys.exit(leave.exit_code)
    except click.Abort:
        sys.exit(130)
    except click.ClickException as wrong:
        wrong.show()
        sys.exit(wrong.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    except asyncio.CancelledError:
        sys.exit(130)
    except Exception as failure:
        told = explain(failure)
        if told is None:
            raise
        _err.print(Text(told, style="bold red"), soft_wrap=True)
        sys.exit(1)


def _settings(**overrides: Any) -> Settings:
    import msgspec  # noqa: PLC0415 - keeps `--help` quick

    given = {name: value for name, value in overrides.items() if value is not None}
    return msgspec.structs.replace(read_settings(), **given)


def _run(work: Coroutine[Any, Any, Any]) -> Any:
    import uvloop  # noqa: PLC0415 - keeps `--help` quick

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


_data_dir = click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the embedded database and generated keys live. [default: $DATA_DIR or .outcry]",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="outcry")
def cli() -> None:
    """A desk of market agents whose every answer can be checked.

    Try: outcry serve, then open the link it prints; or: outcry ask "How does GOOG look?"
    """


@cli.command()
@click.option("--host", help="Address to listen on. [default: $HOST or 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65_535), help="[default: $PORT or 8000]")
@_data_dir
def serve(host: str | None, port: int | None, data_dir: Path | None) -> None:
    """Start the desk: web client, websocket and REST on one port.

    Starts the embedded Postgres (unless DATABASE_URL is set), brings the schema up to date, loads
    demo prices at first start, and prints a sign-in link that works once.
    """
    from app.main import serve as serve_desk  # noqa: PLC0415

    _run(serve_desk(_settings(host=host, port=port, data_dir=data_dir)))


@cli.command()
@click.argument("question", nargs=-1, required=True)
@click.option("--agent", help="Name of the agent to ask. [default: analyst]")
@click.option("--resume", type=click.UUID, help="Id of an earlier conversation to ask on in.")
@click.option("--json", "as_json", is_flag=True, help="Print the stored answer as JSON.")
@_data_dir
def ask(
    question: tuple[str, ...],
    agent: str | None,
    resume: UUID | None,
    as_json: bool,
    data_dir: Path | None,
) -> None:
    """Ask one question: outcry ask "How does GOOG look right now, and is that unusual?"

    Works with and without a running server; the answer is kept as a conversation. A question "-" is
    read from standard input. Into a file or a pipe goes the answer as Markdown with footnotes;
    tool lines and receipt go to standard error. Ends with 1 when the answer failed, with 130 when
    Ctrl-C stopped it.
    """
    from app.terminal.session import ask_once  # noqa: PLC0415

    settings = _settings(data_dir=data_dir)
    asked = sys.stdin.read() if question == ("-",) else " ".join(question)
    outcome = _run(ask_once(settings, asked, agent=agent, resume=resume, as_json=as_json))
    sys.exit({"success": 0, "failed": 1, "cancelled": 130}[outcome])


@cli.command()
@click.option("--agent", help="Name of the agent to talk to. [default: analyst]")
@click.option("--resume", type=click.UUID, help="Id of an earlier conversation to go on with.")
@_data_dir
def chat(agent: str | None, resume: UUID | None, data_dir: Path | None) -> None:
    """Hold a conversation in the terminal. Ctrl-C stops an answer, Ctrl-D leaves."""
    from app.terminal.session import chat_session  # noqa: PLC0415

    _run(chat_session(_settings(data_dir=data_dir), agent=agent, resume=resume))


@cli.command()
@_data_dir
def migrate(data_dir: Path | None) -> None:
    """Bring the database schema up to date and say at which revision it is."""
    from app.upkeep import migrate_schema  # noqa: PLC0415

    _run(migrate_schema(_settings(data_dir=data_dir)))


@cli.command()
@_data_dir
def doctor(data_dir: Path | None) -> None:
    """Check that everything the desk needs is there, and say what is not."""
    from app.upkeep import examine  # noqa: PLC0415

    sys.exit(0 if _run(examine(_settings(data_dir=data_dir))) else 1)


@cli.group()
def user() -> None:
    """Add people, list them, set a password, or print a sign-in link for one."""


@user.command("add")
@click.argument("email")
@click.option("--name", help="How the person is called. [default: the part before the @]")
@click.option("--admin", is_flag=True, help="May configure agents and see all costs.")
@_data_dir
def user_add(email: str, name: str | None, admin: bool, data_dir: Path | None) -> None:
    """Add a person and print a sign-in link that works once."""
    from app.upkeep import add_user  # noqa: PLC0415

    _run(add_user(_settings(data_dir=data_dir), email, name=name, admin=admin))


@user.command("list")
@_data_dir
def user_list(data_dir: Path | None) -> None:
    """List everybody who may sign in."""
    from app.upkeep import list_users  # noqa: PLC0415

    _run(list_users(_settings(data_dir=data_dir)))


@user.command("password")
@click.argument("email")
@click.password_option(help="Asked for when not given.")
@_data_dir
def user_password(email: str, password: str, data_dir: Path | None) -> None:
    """Set a person's password."""
    from app.upkeep import set_password  # noqa: PLC0415

    _run(set_password(_settings(data_dir=data_dir), email, password))


@user.command("link")
@click.argument("email", required=False)
@_data_dir
def user_link(email: str | None, data_dir: Path | None) -> None:
    """Print a sign-in link that works once, for a day: yours, or that of EMAIL."""
    from app.upkeep import print_link  # noqa: PLC0415

    _run(print_link(_settings(data_dir=data_dir), email))


@cli.group()
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
@_data_dir
def key_create(
    name: str, email: str | None, scopes: tuple[str, ...], data_dir: Path | None
) -> None:
    """Create an API key and print it once."""
    from app.upkeep import create_key  # noqa: PLC0415

    settings = _settings(data_dir=data_dir)
    given = cast("tuple[Scope, ...]", scopes) or ("chat", "read")
    _run(create_key(settings, name, email=email, scopes=given))


@key.command("list")
@_data_dir
def key_list(data_dir: Path | None) -> None:
    """List API keys, without their secret part."""
    from app.upkeep import list_keys  # noqa: PLC0415

    _run(list_keys(_settings(data_dir=data_dir)))


@key.command("revoke")
@click.argument("key_id", type=click.UUID)
@_data_dir
def key_revoke(key_id: UUID, data_dir: Path | None) -> None:
    """Revoke an API key; open sockets that use it close within a second."""
    from app.upkeep import revoke_key  # noqa: PLC0415

    _run(revoke_key(_settings(data_dir=data_dir), key_id))


@cli.group()
def secret() -> None:
    """Keep provider keys sealed in the database instead of in the environment."""


@secret.command("set")
@click.argument(
    "name", type=click.Choice(["OPENAI_API_KEY", "ANTHROPIC_API_KEY"], case_sensitive=False)
)
@_data_dir
def secret_set(name: str, data_dir: Path | None) -> None:
    """Seal a provider key, read from standard input. The environment stays stronger."""
    from app.upkeep import seal_secret  # noqa: PLC0415

    value = click.prompt(name, hide_input=True) if sys.stdin.isatty() else sys.stdin.read()
    _run(seal_secret(_settings(data_dir=data_dir), name.upper(), value.strip()))


@secret.command("remove")
@click.argument("name")
@_data_dir
def secret_remove(name: str, data_dir: Path | None) -> None:
    """Forget a sealed provider key."""
    from app.upkeep import remove_secret  # noqa: PLC0415

    _run(remove_secret(_settings(data_dir=data_dir), name.upper()))


if __name__ == "__main__":
    main()
