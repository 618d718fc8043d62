"""What verbs share: settings with what the command line overrides, a loop to run in, an option."""

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import rich_click as click

from app.settings import Settings, read_settings


def settings_with(**overrides: Any) -> Settings:
    """Return the settings of the environment, with what the command line gave instead."""
    import msgspec  # noqa: PLC0415 - keeps `--help` quick

    given = {name: value for name, value in overrides.items() if value is not None}
    return msgspec.structs.replace(read_settings(), **given)


def run(work: Coroutine[Any, Any, Any]) -> Any:
    """Carry `work` out to its end in a loop of its own."""
    import uvloop  # noqa: PLC0415 - keeps `--help` quick

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


data_dir_option = click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the embedded database and generated keys live. [default: $DATA_DIR or .outcry]",
)
