"""Where distant models are reached and with which key: told from outside, never by a bundle."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from inference.errors import BadModel


@dataclass(frozen=True)
class Connection:
    """One provider or server."""

    base_url: str
    """For instance "https://api.openai.com/v1"."""
    api_key: str = field(default="", repr=False)


Connections: TypeAlias = Callable[[str], Connection]
"""Name of a connection -> the connection; raises BadModel where there is none of that name."""


def no_connections(name: str) -> Connection:
    """Refuse: nothing was set up.

    Raises:
        BadModel: always.
    """
    raise BadModel(
        f"no connection {name!r} is set up here; the settings of the desk say which there are"
    )
