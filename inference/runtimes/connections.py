"""Where distant models are reached and with which key: told from outside, never by a bundle.

The desk hands its worker what it may use in one variable of the worker's environment, which the
worker takes out of there when it starts.
"""

from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import TypeAlias

import msgspec

from inference.errors import BadModel

VARIABLE = "OUTCRY_ENGINE_CONNECTIONS"
"""Set by the desk for its worker; nothing that a person sets."""


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


def connections_among(known: Mapping[str, Connection]) -> Connections:
    """Return a way to find those connections by name."""

    def find(name: str) -> Connection:
        if name not in known:
            there = ", ".join(sorted(known)) or "none"
            raise BadModel(f"no connection {name!r} is set up here; there are {there}")
        return known[name]

    return find


def write_connections(known: Mapping[str, Connection]) -> str:
    """Return the value of `VARIABLE`."""
    return msgspec.json.encode(dict(known)).decode()


def take_connections(environment: MutableMapping[str, str]) -> dict[str, Connection]:
    """Take the connections out of an environment; there may be none."""
    told = environment.pop(VARIABLE, "{}")
    return msgspec.json.decode(told, type=dict[str, Connection])
