"""Views as a Feast repository that serves what the desk serves, now and as of any moment.

Feast joins by one time: the newest row by then. A row is therefore exported at the moment since
which it could be used, and only if it was then the newest of its entity; where a value outlives its
ttl before the next one comes, a row without values says so. On such rows Feast's join gives what
ours gives, late corrections and all. Feast itself is not needed to write it.
"""

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import duckdb

from inference.datasets.commands import TookTooLong, find_command, run_cleanly
from inference.datasets.feature_sets import FeatureSet
from inference.datasets.offline_features import OfflineFeatures
from inference.datasets.point_in_time import timeline
from inference.datasets.tables import literal, quoted
from inference.errors import BadInput, InferenceError

MARK = "# Written by `outcry features export-feast`; changes are lost when it runs again.\n"
TIME = "event_timestamp"
_TYPES = {"number": "Float64", "text": "String", "truth": "Bool"}
_SETTINGS = f"""{MARK}project: outcry
provider: local
registry: data/registry.db
online_store:
  type: sqlite
  path: data/online_store.db
offline_store:
  type: file
entity_key_serialization_version: 3
"""
_HEAD = f"""{MARK}from datetime import timedelta

from feast import Entity, FeatureView, Field, FileSource, ValueType
from feast.types import Bool, Float64, String

"""
_COMMAND_S = 1_800.0


class FeastFailed(InferenceError):
    """`feast` could not do it; the message is what it said."""

    code = "feast_failed"


def feast_name(view: FeatureSet) -> str:
    """Return what a view is called in Feast, which allows neither @ nor dots in references."""
    return f"{view.name.replace('.', '_')}_v{view.version}"


def export_feast(store: OfflineFeatures, views: Sequence[FeatureSet], folder: Path) -> list[str]:
    """Write a repository of these views; return their names in Feast.

    Doing it again brings it up to date.

    Raises:
        BadInput: a view has no rows or a name that Feast does not take, or the folder holds a
            repository of somebody else.
        DamagedArtifact: what is stored cannot be read.
    """
    if not views:
        raise BadInput("there is no view to export")
    settings = folder / "feature_store.yaml"
    if settings.exists() and not settings.read_text("utf-8").startswith(MARK):
        raise BadInput(f"{folder} holds a Feast repository that was not written by this desk")
    names = [feast_name(view) for view in views]
    if len(set(names)) < len(names):
        raise BadInput("two of the views have the same name in Feast; export them apart")
    for view in views:
        _check(store, view)
    (folder / "data").mkdir(parents=True, exist_ok=True)
    for view in views:
        _write_rows(store, view, folder / "data" / f"{feast_name(view)}.parquet")
    _replace(folder / "views.py", _definitions(views))
    _replace(settings, _SETTINGS)
    return names


def find_feast(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return Feast's command.

    Raises:
        MissingFramework: there is none.
    """
    return find_command("feast", module="feast.cli.cli", path=environment.get("PATH"))


async def apply_feast(
    store: OfflineFeatures,
    views: Sequence[FeatureSet],
    folder: Path,
    *,
    now: datetime,
    environment: Mapping[str, str],
) -> None:
    """Have Feast register the exported views and serve them online.

    Raises:
        MissingFramework: there is no Feast here.
        FeastFailed: says what it said.
    """
    command = find_feast(environment)
    first = min(index.first_event_at for view in views if (index := store.index(view)) is not None)
    until = f"{now.astimezone(UTC):%Y-%m-%dT%H:%M:%S}"
    for arguments in (
        ("apply",),
        ("materialize", f"{first.astimezone(UTC):%Y-%m-%dT%H:%M:%S}", until),
    ):
        try:
            ended = await run_cleanly(
                (*command, *arguments),
                within=_COMMAND_S,
                folder=folder,
                environment=environment,
                more={"FEAST_USAGE": "False", "FEAST_USAGE_DISABLED": "True"},
            )
        except TookTooLong:
            raise FeastFailed(f"feast {arguments[0]} took longer than {_COMMAND_S:g} s") from None
        if ended.rc:
            raise FeastFailed(f"feast {arguments[0]}: {ended.said}")


def _check(store: OfflineFeatures, view: FeatureSet) -> None:
    if store.index(view) is None:
        raise BadInput(f"{view.key} has no rows yet: outcry features materialize {view.key}")
    for name in view.names:
        if name in (view.entity, TIME) or ":" in name or "@" in name:
            raise BadInput(f"{view.key}: Feast takes no feature called {name!r} here")


def _write_rows(store: OfflineFeatures, view: FeatureSet, path: Path) -> None:
    ttl = f"to_microseconds({round(view.ttl_seconds * 1e6)})"
    kept = "".join(f", {quoted(name)}" for name in view.names)
    gone = "".join(f", NULL AS {quoted(name)}" for name in view.names)
    ends = f"__event + {ttl} + INTERVAL 1 MICROSECOND"

    def use(database: duckdb.DuckDBPyConnection, rows: str) -> None:
        partial = path.with_name(f".{path.name}.{uuid4().hex}")
        query = f"""
            WITH line AS (
                SELECT *, lead(__from) OVER (PARTITION BY __entity ORDER BY __from) AS __next
                  FROM ({timeline(rows, view.names)})
            )
            SELECT __entity AS {quoted(view.entity)},
                   timezone('UTC', __from) AS {TIME}{kept}
              FROM line WHERE __from < {ends}
            UNION ALL
            SELECT __entity, timezone('UTC', greatest({ends}, __from)){gone}
              FROM line WHERE __next IS NULL OR __next > {ends}
             ORDER BY 1, 2
        """
        try:
            database.execute(
                f"COPY ({query}) TO {literal(str(partial.resolve()))} "
                "(FORMAT parquet, COMPRESSION zstd)"
            )
            os.replace(partial, path)
        finally:
            partial.unlink(missing_ok=True)

    store.read(view, use)


def _definitions(views: Sequence[FeatureSet]) -> str:
    """Return Feast's own words for the views: Python that `feast apply` reads."""
    parts = [_HEAD]
    for number, entity in enumerate(dict.fromkeys(view.entity for view in views)):
        parts.append(
            f"entity_{number} = Entity(name={entity!r}, join_keys=[{entity!r}], "
            "value_type=ValueType.STRING)\n"
        )
    entities = list(dict.fromkeys(view.entity for view in views))
    for view in views:
        name = feast_name(view)
        fields = "".join(
            f"        Field(name={column.name!r}, dtype={_TYPES[column.kind]}),\n"
            for column in view.columns
        )
        parts.append(
            f"\n{name} = FeatureView(\n"
            f"    name={name!r},\n"
            f"    entities=[entity_{entities.index(view.entity)}],\n"
            f"    ttl=timedelta(seconds={view.ttl_seconds!r}),\n"
            f"    schema=[\n        Field(name={view.entity!r}, dtype=String),\n{fields}    ],\n"
            "    source=FileSource(\n"
            f"        name={name + '_rows'!r},\n"
            f"        path={f'data/{name}.parquet'!r},\n"
            f"        timestamp_field={TIME!r},\n"
            "    ),\n"
            "    online=True,\n"
            f"    description={view.description!r},\n"
            f"    tags={{'outcry': {view.key!r}}},\n"
            ")\n"
        )
    return "".join(parts)


def _replace(path: Path, text: str) -> None:
    partial = path.with_name(f".{path.name}.{uuid4().hex}")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, path)
