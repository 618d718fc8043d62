"""An address that gives rows page by page: where they are, and where the next page is. Pure.

Whatever comes next has to be at the same place: credentials go nowhere else.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

import msgspec

from app.domain.datasets import DataSource
from app.domain.errors import Invalid

_LINK = re.compile(r'<([^>]*)>\s*((?:;\s*[\w*-]+\s*=\s*(?:"[^"]*"|[^\s;,"]+)\s*)*)')
_REL = re.compile(r'rel\s*=\s*(?:"([^"]*)"|([^\s;,"]+))', re.IGNORECASE)


class ApiPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Where rows and further pages stand in the JSON of an answer."""

    rows: tuple[str, ...] | None = None
    """Keys that lead to the list of rows; None: the answer is it, or holds one list."""
    next: tuple[str, ...] | None = None
    """Keys that lead to the next page's address."""
    cursor: tuple[str, ...] | None = None
    parameter: str = ""
    """What the cursor is called in the next page's address."""

    @property
    def is_paged(self) -> bool:
        """Whether the answer itself tells of further pages."""
        return self.next is not None or self.cursor is not None


def read_api(source: DataSource) -> ApiPlan:
    """Return what a source of the kind `api` says about its answers.

    Raises:
        Invalid: something in it is not allowed; says what is.
    """
    asked = dict(parse_qsl(source.query or "", keep_blank_values=True))
    rows, following = asked.pop("rows", None), asked.pop("next", None)
    cursor, sign, parameter = asked.pop("cursor", "").partition(":")
    paths = [path for path in (rows, following, cursor or None) if path is not None]
    if (
        asked
        or (source.query and not paths)
        or not all(all(path.split(".")) for path in paths)
        or bool(cursor) != bool(parameter)
        or (sign and not cursor)
        or (following and cursor)
    ):
        raise Invalid(
            "`source.query` of an api may say rows=KEYS, and next=KEYS or cursor=KEYS:PARAMETER, "
            "where KEYS leads through the JSON, as in rows=data.items&cursor=meta.next:after"
        )
    if source.query and source.format not in (None, "json"):
        raise Invalid("Only an api that gives JSON has a `source.query`.")

    def keys(path: str | None) -> tuple[str, ...] | None:
        return None if not path else tuple(path.split("."))

    return ApiPlan(rows=keys(rows), next=keys(following), cursor=keys(cursor), parameter=parameter)


def rows_in(found: Any, plan: ApiPlan) -> list[dict[str, Any]]:
    """Return the rows of an answer.

    Raises:
        Invalid: it holds no list of objects where it should.
    """
    rows = found
    if plan.rows is not None:
        rows = _at(found, plan.rows)
        if rows is None:
            raise Invalid(f"The JSON has nothing at {'.'.join(plan.rows)}.")
    elif isinstance(found, dict):
        lists = [value for value in found.values() if isinstance(value, list)]
        if len(lists) != 1:
            raise Invalid(
                f"The JSON is an object with {len(lists)} lists: say which holds the rows "
                "(`source.query` rows=KEYS)."
            )
        (rows,) = lists
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Invalid("What came is no list of JSON objects.")
    return rows


def next_page(here: str, found: Any, headers: Mapping[str, str], plan: ApiPlan) -> str | None:
    """Return the next page's address; None where this was the last.

    Raises:
        Invalid: it is elsewhere, where the credentials are not for.
    """
    there: str | None = None
    if plan.next is not None:
        said = _at(found, plan.next)
        there = said if isinstance(said, str) and said else None
    elif plan.cursor is not None:
        said = _at(found, plan.cursor)
        if isinstance(said, str | int) and said not in ("", False):
            parts = urlsplit(here)
            kept = [one for one in parse_qsl(parts.query, True) if one[0] != plan.parameter]
            query = urlencode([*kept, (plan.parameter, str(said))])
            there = urlunsplit(parts._replace(query=query))
    else:
        there = linked(headers.get("link", ""))
    if there is None:
        return None
    target = urljoin(here, there)
    if _place(target) != _place(here):
        raise Invalid(
            f"The next page is said to be at {_place(target)}, not at {_place(here)}: credentials "
            "go nowhere else.",
            code="address_refused",
        )
    return target


def linked(header: str) -> str | None:
    """Return the address that a `Link` header calls next (RFC 8288)."""
    for address, parameters in _LINK.findall(header):
        for quoted, plain in _REL.findall(parameters):
            if "next" in (quoted or plain).lower().split():
                return str(address)
    return None


def wait_asked(header: str, now: datetime) -> float | None:
    """Return the seconds that `Retry-After` asks for: it holds a number or a date."""
    if header.isascii() and header.isdecimal() and len(header) < 10:
        return float(header)
    try:
        until = parsedate_to_datetime(header)
    except ValueError:
        return None
    return max(0.0, ((until if until.tzinfo else until.replace(tzinfo=UTC)) - now).total_seconds())


def _at(found: Any, keys: tuple[str, ...]) -> Any:
    for key in keys:
        if not isinstance(found, dict):
            return None
        found = found.get(key)
    return found


def _place(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
