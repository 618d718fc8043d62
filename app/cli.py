"""The `outcry` command: one function a verb; the work is done elsewhere.

Heavy parts are imported by the verbs that need them, so that `--help` answers at once.
"""

import asyncio
import gc
import sys
from pathlib import Path
from uuid import UUID

import rich_click as click
from click.exceptions import Exit
from rich.console import Console
from rich.text import Text

from app.verbs.dataset_remotes import dataset
from app.verbs.experiments import experiment
from app.verbs.features import features
from app.verbs.feeds import ingest, replay
from app.verbs.files import export_group, import_group
from app.verbs.jobs import job, worker
from app.verbs.models import model
from app.verbs.people import key, secret, user
from app.verbs.pictures import chart
from app.verbs.predictions import predict, settle
from app.verbs.records import import_encoder, import_fundamentals, import_news, score
from app.verbs.serving import serve_llm
from app.verbs.shared import data_dir_option, run, settings_with
from app.verbs.training import evaluate, train

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


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="outcry")
def cli() -> None:
    """A desk of market agents whose every answer can be checked.

    Try: outcry serve, then open the link it prints; or: outcry ask "How does GOOG look?"
    """


@cli.command()
@click.option("--host", help="Address to listen on. [default: $HOST or 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65_535), help="[default: $PORT or 8000]")
@data_dir_option
def serve(host: str | None, port: int | None, data_dir: Path | None) -> None:
    """Start the desk: web client, websocket and REST on one port.

    Starts the embedded Postgres (unless DATABASE_URL is set), brings the schema up to date, loads
    demo prices at first start, and prints a sign-in link that works once.
    """
    # Until it serves: nothing of what is imported and opened meanwhile becomes garbage.
    gc.disable()
    from app.opening import serve as serve_desk  # noqa: PLC0415

    run(serve_desk(settings_with(host=host, port=port, data_dir=data_dir)))


@cli.command()
@click.argument("question", nargs=-1, required=True)
@click.option("--agent", help="Name of the agent to ask. [default: analyst]")
@click.option("--resume", type=click.UUID, help="Id of an earlier conversation to ask on in.")
@click.option("--json", "as_json", is_flag=True, help="Print the stored answer as JSON.")
@data_dir_option
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

    settings = settings_with(data_dir=data_dir)
    asked = sys.stdin.read() if question == ("-",) else " ".join(question)
    outcome = run(ask_once(settings, asked, agent=agent, resume=resume, as_json=as_json))
    sys.exit({"success": 0, "failed": 1, "cancelled": 130}[outcome])


@cli.command()
@click.option("--agent", help="Name of the agent to talk to. [default: analyst]")
@click.option("--resume", type=click.UUID, help="Id of an earlier conversation to go on with.")
@data_dir_option
def chat(agent: str | None, resume: UUID | None, data_dir: Path | None) -> None:
    """Hold a conversation in the terminal. Ctrl-C stops an answer, Ctrl-D leaves."""
    from app.terminal.session import chat_session  # noqa: PLC0415

    run(chat_session(settings_with(data_dir=data_dir), agent=agent, resume=resume))


@cli.command()
@data_dir_option
def migrate(data_dir: Path | None) -> None:
    """Bring the database schema up to date and say at which revision it is."""
    from app.upkeep import migrate_schema  # noqa: PLC0415

    run(migrate_schema(settings_with(data_dir=data_dir)))


@cli.command()
@data_dir_option
def doctor(data_dir: Path | None) -> None:
    """Check that everything the desk needs is there, and say what is not."""
    from app.upkeep import examine  # noqa: PLC0415

    sys.exit(0 if run(examine(settings_with(data_dir=data_dir))) else 1)


for record in (import_news, import_fundamentals, import_encoder):
    import_group.add_command(record)
for verb in (
    chart,
    import_group,
    export_group,
    score,
    ingest,
    replay,
    serve_llm,
    dataset,
    experiment,
    features,
    job,
    model,
    worker,
    train,
    evaluate,
    user,
    key,
    secret,
    predict,
    settle,
):
    cli.add_command(verb)


if __name__ == "__main__":
    main()
