"""`outcry dataset`: list, show, add, collect and profile."""

import os
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from app.domain.datasets import Dataset, DatasetProfile, DataSource, SourceType
from app.domain.errors import Invalid
from app.services.datasets.dataset_catalog import DatasetWish
from app.settings import Settings
from app.terminal.job_bar import follow_job
from app.terminal.opened_desk import opened_desk
from app.wiring.desk import Desk
from inference.datasets.intake import IntakeWishes
from inference.datasets.profile import DatasetFeature
from inference.datasets.quality import Roles

_MOST = 100


class AddWishes(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line says."""

    name: str
    file: Path | None
    url: str | None
    database: str | None
    stream: str | None
    query: str | None
    """Of a database or a stream; `@FILE` stands for what is in the file."""
    format: str | None
    description: str
    time: str | None
    entity: str | None
    known: str | None
    embargo_s: float
    credentials: tuple[str, ...]


async def list_all(settings: Settings) -> None:
    """Print datasets, newest first."""
    async with opened_desk(settings) as (out, desk):
        found = await desk.datasets.catalog.page(type=None, status=None, cursor=None, limit=_MOST)
        if not found.items:
            out.print("There are no datasets.")
            return
        table = Table("dataset", "source", "rows", "columns", "status", "changed (UTC)", box=None)
        for one in found.items:
            table.add_row(
                Text(one.name),
                one.source.type,
                f"{one.size:,}",
                str(len(one.features)),
                one.status,
                f"{one.updated_at.astimezone(UTC):%Y-%m-%d %H:%M}",
            )
        out.print(table)


async def show(settings: Settings, reference: str, *, as_json: bool) -> None:
    """Print one dataset."""
    async with opened_desk(settings) as (out, desk):
        dataset = await desk.datasets.catalog.find(reference)
        if as_json:
            out.print(Text(msgspec.json.encode(dataset).decode()), soft_wrap=True)
            return
        out.print(Text(f"{dataset.name} ({dataset.status}, {dataset.type})", style="bold"))
        out.print(Text(f"{dataset.source.type} {dataset.source.uri}"), soft_wrap=True)
        if dataset.description:
            out.print(Text(dataset.description), soft_wrap=True)
        _print_quality(out, dataset)
        for version in await desk.datasets.catalog.versions(dataset.id):
            when = f"{version.created_at.astimezone(UTC):%Y-%m-%d %H:%M}"
            line = f"@{version.version}  {version.size:,} rows  {version.digest[:12]}  {when}"
            out.print(Text(line))


async def add(settings: Settings, wishes: AddWishes) -> None:
    """Enter a dataset and collect it.

    Raises:
        Invalid: not exactly one source was named, or something is not allowed.
    """
    wish = DatasetWish(
        name=wishes.name,
        description=wishes.description,
        source=_source(wishes),
        credentials=dict(_credential(one) for one in wishes.credentials),
        wishes=IntakeWishes(
            roles=Roles(time=wishes.time, entity=wishes.entity, known=wishes.known),
            embargo_s=wishes.embargo_s,
        ),
    )
    async with opened_desk(settings) as (out, desk):
        dataset = await desk.datasets.catalog.create(wish, by=desk.owner.id, any_file=True)
        await _collect(out, desk, dataset)


async def collect(settings: Settings, reference: str) -> None:
    """Fetch a dataset again."""
    async with opened_desk(settings) as (out, desk):
        await _collect(out, desk, await desk.datasets.catalog.find(reference))


async def profile(
    settings: Settings, reference: str, *, version: int | None, as_json: bool
) -> None:
    """Print what is in a dataset."""
    async with opened_desk(settings) as (out, desk):
        dataset = await desk.datasets.catalog.find(reference)
        found = await desk.datasets.catalog.profile(dataset.id, version)
        if as_json:
            out.print(Text(msgspec.json.encode(found).decode()), soft_wrap=True)
            return
        out.print(Text(f"{found.name}@{found.version}, {found.size:,} rows", style="bold"))
        _print_columns(out, found.features)
        _print_quality(out, found)


async def _collect(out: Console, desk: Desk, dataset: Dataset) -> None:
    job = await desk.datasets.collecting.submit(dataset.id, by=desk.owner.id)
    result = (await follow_job(desk, job)).result or {}
    out.print(
        Text(f"{dataset.name}@{result['version']}: {result['size']:,} rows, ready."),
        soft_wrap=True,
    )
    for why, count in result.get("refused", {}).items():
        out.print(Text(f"Refused: {count:,} messages: {why}."), soft_wrap=True)
    for number, (first, after) in result.get("lost", {}).items():
        out.print(
            Text(
                f"Lost: the broker kept {after - first:,} messages of partition {number} no more "
                f"(offset {first:,} on)."
            ),
            soft_wrap=True,
        )
    _print_quality(out, await desk.datasets.catalog.get(dataset.id))


def _source(wishes: AddWishes) -> DataSource:
    named: dict[SourceType, str] = {}
    if wishes.file is not None:
        named["file"] = str(wishes.file.resolve())
    if wishes.url is not None:
        named["api"] = wishes.url
    if wishes.database is not None:
        named["database"] = wishes.database
    if wishes.stream is not None:
        named["stream"] = wishes.stream
    if len(named) != 1:
        raise Invalid("Say one of --file, --url, --database and --stream.")
    ((kind, uri),) = named.items()
    return DataSource(type=kind, uri=uri, format=wishes.format, query=_query(wishes.query))


def _query(said: str | None) -> str | None:
    """Return the query, out of its file where one is named."""
    if said is None or not said.startswith("@"):
        return said
    try:
        return Path(said[1:]).read_text()
    except (OSError, UnicodeDecodeError) as wrong:
        raise Invalid(f"--query {said}: it cannot be read: {wrong}.") from None


def _credential(said: str) -> tuple[str, str]:
    """Return name and value: a value on the command line would be seen by everybody here."""
    name, sign, variable = said.partition("=")
    if not sign or not name:
        raise Invalid(f"--credential {said!r}: write NAME=VARIABLE.")
    if variable not in os.environ:
        raise Invalid(f"--credential {name}: the environment variable {variable} is not set.")
    return name, os.environ[variable]


def _print_columns(out: Console, features: tuple[DatasetFeature, ...]) -> None:
    table = Table(box=None, padding=(0, 1, 0, 0))
    # Names are folded where the terminal is narrow; numbers are whole, or they say nothing.
    table.add_column("column", overflow="fold", min_width=8)
    for heading in ("type", "missing", "unique", "median", "min", "max"):
        table.add_column(heading, no_wrap=True, justify="left" if heading == "type" else "right")
    for one in features:
        said = one.statistics
        table.add_row(
            Text(one.name),
            one.type,
            *("" if count is None else f"{count:,}" for count in (said.missing, said.unique)),
            *(_shown(one, number) for number in (said.median, said.min, said.max)),
        )
    out.print(table)


def _shown(feature: DatasetFeature, number: float | None) -> str:
    if number is None:
        return ""
    if feature.type == "datetime":
        return f"{datetime.fromtimestamp(number, UTC):%Y-%m-%d}"
    return f"{number:.5g}"


def _print_quality(out: Console, found: Dataset | DatasetProfile) -> None:
    if found.quality is None:
        return
    told = msgspec.structs.asdict(found.quality)
    out.print(
        Text("  ".join(f"{name} {share:.3f}" for name, share in told.items())), soft_wrap=True
    )
