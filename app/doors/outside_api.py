"""What is at an address, page by page, through the outbound guard.

A server that is busy is asked again, a few times and as late as it says; whoever wants to wait for
longer collects again. Its words are never shown: they may repeat what was sent.
"""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit

import msgspec

from app.domain.errors import Invalid, TooLarge, Unavailable
from app.security.outbound import (
    Outbound,
    OutboundAnswered,
    OutboundFailed,
    OutboundRefused,
    OutboundTimedOut,
)
from app.security.people import utc_now
from app.services.datasets.dataset_apis import (
    ApiPlan,
    linked,
    next_page,
    read_api,
    rows_in,
    wait_asked,
)
from app.services.datasets.dataset_collecting import FETCH_S, MOST_BYTES
from app.services.datasets.dataset_sources import Fetch, Fetched

_AGAIN = frozenset({429, 502, 503, 504})
"""Statuses that may pass."""


class ApiPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How patiently, and how much."""

    tries: int = 5
    """Of one page."""
    first_wait_s: float = 1.0
    """Doubled from try to try, where the server does not say."""
    longest_wait_s: float = 60.0
    """A server that asks for more is given up."""
    most_pages: int = 10_000
    page_bytes: int = 256 * 1024**2
    """Of JSON, which is read as a whole."""
    most_bytes: int = MOST_BYTES


class OutsideApi:
    """Implements `app.services.datasets.dataset_sources.ReadSource` on an address."""

    def __init__(
        self,
        outbound: Outbound,
        *,
        policy: ApiPolicy | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._outbound = outbound
        self._policy = policy or ApiPolicy()
        self._clock = clock

    async def __call__(self, fetch: Fetch) -> Fetched:
        """Write what is at the address to the target; of JSON the rows of all pages, a line each.

        Raises:
            Invalid: the address is not permitted, or what is there are no rows.
            TooLarge: it is more than a dataset may have.
            Unavailable: it cannot be had.
        """
        plan = read_api(fetch.source)
        first = fetch.target.with_suffix(".first")
        headers = await self._page(fetch.source.uri, first, fetch)
        if not _is_json(fetch, headers):
            if linked(headers.get("link", "")) is not None:
                raise Invalid("There are further pages: they are followed where they are JSON.")
            first.replace(fetch.target)
            return Fetched()
        rows = await self._pages(fetch, plan, first, headers)
        return Fetched(format="jsonl", rows=rows)

    async def _pages(
        self, fetch: Fetch, plan: ApiPlan, page: Path, headers: Mapping[str, str]
    ) -> int:
        here, seen, rows, size = fetch.source.uri, set[str](), 0, 0
        with fetch.target.open("wb") as out:
            while True:
                found = await asyncio.to_thread(_read_json, page, self._policy.page_bytes)
                some = rows_in(found, plan)
                size += await asyncio.to_thread(_write_lines, some, out)
                rows += len(some)
                if size > self._policy.most_bytes:
                    raise TooLarge(f"It has more than {self._policy.most_bytes:,} bytes.")
                await fetch.told(rows)
                seen.add(here)
                there = next_page(here, found, headers, plan)
                if there is None:
                    return rows
                if there in seen:
                    raise Invalid("A page leads back to one that was read: there is no end to it.")
                if len(seen) >= self._policy.most_pages:
                    raise TooLarge(f"It has more than {self._policy.most_pages:,} pages.")
                here = there
                headers = await self._page(here, page, fetch)

    async def _page(self, url: str, target: Path, fetch: Fetch) -> Mapping[str, str]:
        """Write one page, and return its headers; what may pass is tried again."""
        policy, wait_s = self._policy, self._policy.first_wait_s
        heard: dict[str, str] = {}
        for attempt in range(1, policy.tries + 1):
            try:
                with target.open("wb") as file:
                    await self._outbound.download(
                        url,
                        file.write,
                        most=policy.most_bytes,
                        total_s=FETCH_S,
                        headers=fetch.credentials,
                        heard=heard.update,
                    )
            except OutboundRefused as refused:
                raise Invalid(f"`source.uri`: {refused.reason}", code="address_refused") from None
            except OutboundAnswered as answered:
                asked = wait_asked(answered.headers.get("retry-after", ""), self._clock())
                if answered.status not in _AGAIN:
                    raise _not_fetched(answered) from None
                if asked is not None and asked > policy.longest_wait_s:
                    raise Unavailable(
                        f"The server answered {answered.status} and asks to wait {asked:,.0f} s; "
                        f"{policy.longest_wait_s:g} are waited. Collect it again later.",
                        code="not_fetched",
                        retry_after_s=asked,
                    ) from None
                failed: OutboundFailed = answered
            except OutboundTimedOut as late:
                raise _not_fetched(late) from None
            except OutboundFailed as other:
                failed, asked = other, None
                if not other.may_pass:
                    raise _not_fetched(other) from None
            else:
                return heard
            if attempt == policy.tries:
                raise _not_fetched(failed, f" It was asked {attempt} times.") from None
            await asyncio.sleep(wait_s if asked is None else asked)
            wait_s = min(2 * wait_s, policy.longest_wait_s)
        raise AssertionError("unreachable")


def _not_fetched(failed: OutboundFailed, more: str = "") -> Unavailable:
    return Unavailable(f"It cannot be fetched. {failed.reason}{more}", code="not_fetched")


def _is_json(fetch: Fetch, headers: Mapping[str, str]) -> bool:
    """Tell whether the answer is one JSON value: as the source says, its name, or the server."""
    if fetch.source.format is not None:
        return fetch.source.format == "json"
    if fetch.source.query is not None:
        return True
    ending = Path(urlsplit(fetch.source.uri).path).suffix.lower()
    if ending:
        return ending == ".json"
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind == "application/json" or kind.endswith("+json")


def _read_json(page: Path, most: int) -> Any:
    size = page.stat().st_size
    if size > most:
        raise TooLarge(
            f"One page of JSON has {size:,} bytes; {most:,} can be read. JSON lines, CSV and "
            "Parquet may be larger."
        )
    try:
        return msgspec.json.decode(page.read_bytes())
    except (msgspec.DecodeError, RecursionError) as wrong:
        raise Invalid(f"What came is no JSON: {wrong}.") from None


def _write_lines(rows: list[dict[str, Any]], out: BinaryIO) -> int:
    data = b"".join(msgspec.json.encode(row) + b"\n" for row in rows)
    return out.write(data)
