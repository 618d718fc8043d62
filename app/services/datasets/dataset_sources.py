"""Where datasets come from: what may be asked of each kind of source, and who asks it."""

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Literal, Protocol, get_args
from urllib.parse import SplitResult, parse_qsl, urlsplit

import msgspec

from app.domain.datasets import DataSource, SourceType
from app.domain.errors import Invalid
from app.services.datasets.dataset_apis import read_api
from app.services.datasets.dataset_streams import Origin, read_stream

FORMATS = ("csv", "parquet", "jsonl", "json")
BARS_OF_THE_DESK = "bars"
"""The address of what trainings make of the desk's own database: nobody collects it."""
SslMode = Literal["disable", "prefer", "require"]
SSL_MODES: tuple[SslMode, ...] = get_args(SslMode)
CREDENTIALS: dict[SourceType, tuple[str, ...]] = {
    "api": ("authorization", "x-api-key"),
    "database": ("user", "password"),
    "file": (),
    "stream": ("user", "password"),
}
"""Kind of source -> what its credentials may hold. Of an api they are headers."""
_SCHEMES: dict[SourceType, tuple[str, ...]] = {
    "api": ("https://", "http://"),
    "database": ("postgresql://", "postgres://"),
    "stream": ("kafka://",),
}
_LONGEST = 20_000


class Fetch(msgspec.Struct, frozen=True, kw_only=True):
    """What a reader is to bring."""

    source: DataSource
    credentials: Mapping[str, str]
    target: Path
    """Where to put it."""
    told: Callable[[int], Awaitable[None]]
    """Hears how many rows there are so far; raises where nobody wants them any more."""
    before: Origin | None = None
    """Of a stream: where the rows of the newest version came from. Only what came since is read."""
    whole: bool = False
    """The rows of that version are not here any more: they are to be brought again too."""


class Fetched(msgspec.Struct, frozen=True, kw_only=True):
    """What a reader has brought."""

    format: str | None = None
    """Of the target; None: the source or its name says it."""
    rows: int | None = None
    refused: dict[str, int] = {}
    """Of a stream: why -> how many messages are no rows."""
    lost: dict[str, tuple[int, int]] = {}
    """Of a stream: partition -> offsets that the broker did not keep for us."""
    origin: Origin | None = None
    """Of a stream: where the rows of the version came from, these and those before."""


class ReadSource(Protocol):
    """Brings what a source holds onto this machine."""

    async def __call__(self, fetch: Fetch) -> Fetched:
        """Write it to the target; cancelled, it leaves nothing running elsewhere.

        Raises:
            Invalid, TooLarge, Unavailable: it cannot be had; says why.
        """
        ...


def check_source(source: DataSource, credentials: Mapping[str, str]) -> None:
    """See that a source can be asked.

    Raises:
        Invalid: it cannot; says what is allowed.
    """
    kind = source.type
    if not 0 < len(source.uri) <= _LONGEST or len(source.query or "") > _LONGEST:
        raise Invalid(f"`source.uri` and `source.query` may have {_LONGEST:,} characters.")
    schemes = _SCHEMES.get(kind, ())
    if schemes and not source.uri.startswith(schemes):
        raise Invalid(f"`source.uri` of a {kind} begins with {' or '.join(schemes)}.")
    if schemes and "@" in source.uri.split("://", 1)[1].split("/", 1)[0]:
        raise Invalid("Put user and password into `source.credentials`: `uri` is shown.")
    _check_format(source)
    match kind:
        case "database":
            read_database(source)
            if not any(name.lower() == "user" for name in credentials):
                raise Invalid("A database needs a `user` in `source.credentials`.")
        case "stream":
            read_stream(source)
        case "api":
            read_api(source)
        case _ if source.query is not None:
            raise Invalid(f"A {kind} has no `source.query`.")
    allowed = CREDENTIALS[kind]
    for name in credentials:
        if name.lower() not in allowed:
            raise Invalid(
                f"`source.credentials` of a {kind} may hold "
                f"{', '.join(allowed) or 'nothing'}; not {name!r}."
            )


def _check_format(source: DataSource) -> None:
    if source.format is None:
        return
    if source.type in ("database", "stream"):
        raise Invalid(f"A {source.type} has no `source.format`.")
    if source.format not in FORMATS:
        raise Invalid(f"`source.format` must be one of {', '.join(FORMATS)}.")


class DatabasePlace(msgspec.Struct, frozen=True, kw_only=True):
    """Where a database is, and what is asked of it."""

    host: str
    port: int
    database: str
    ssl: SslMode
    query: str


def read_database(source: DataSource) -> DatabasePlace:
    """Return what a source of the kind `database` names.

    Raises:
        Invalid: it is no `postgresql://host[:port]/database[?sslmode=…]`, or has no query.
    """
    parts, port = _parts(source.uri, "postgresql://host:5432/database")
    database = parts.path.removeprefix("/")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    if not parts.hostname or not database or "/" in database or parts.fragment:
        raise Invalid("`source.uri` of a database is postgresql://host:5432/database.")
    said = options.pop("sslmode", "prefer")
    ssl = next((mode for mode in SSL_MODES if mode == said), None)
    if options or ssl is None:
        raise Invalid(
            "After the `?` of `source.uri` may stand sslmode="
            f"{'|'.join(SSL_MODES)}, and nothing else."
        )
    query = (source.query or "").strip().rstrip(";").strip()
    if not query:
        raise Invalid("`source.query` of a database is the one SELECT that gives its rows.")
    if "\0" in query:
        raise Invalid("`source.query` has a NUL in it.")
    return DatabasePlace(
        host=parts.hostname, port=port or 5432, database=database, ssl=ssl, query=query
    )


def _parts(uri: str, example: str) -> tuple[SplitResult, int | None]:
    try:
        parts = urlsplit(uri)
        return parts, parts.port
    except ValueError:
        raise Invalid(f"`source.uri` cannot be read; write {example}.") from None
