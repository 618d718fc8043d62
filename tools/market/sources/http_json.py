"""Bars from a vendor that answers JSON over HTTP, page by page, written down and read like a file.

Numbers keep the digits they were sent with. The key travels in a header, never in an address, and
only to the server it belongs to.
"""

import asyncio
import csv
import json
import tempfile
from collections.abc import AsyncIterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

import aiohttp
import msgspec

from tools.market.bars import TIMEFRAMES
from tools.market.sources.files import FileSource
from tools.market.sources.source import Chunk, SourceError
from tools.market.sources.typed_table import Reading
from tools.market.sources.vendors import Vendor

_PAGE_S = 60.0
_MAX_PAGE_BYTES = 64 * 1024 * 1024
_MAX_PAGES = 10_000
_TRIES = 5
_LONGEST_WAIT_S = 60.0
_DAY_S = 86_400


class VendorRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What to ask for."""

    symbols: tuple[str, ...]
    timeframe: str
    start: date
    end: date
    """Both included."""
    key: str
    secret: str | None = None
    base_url: str | None = None


class HttpSource:
    """Implements `source.BarSource` on a vendor."""

    def __init__(
        self,
        vendor: Vendor,
        request: VendorRequest,
        *,
        wait_s: float = 1.0,
        without_volume: bool = False,
    ) -> None:
        """Remember what to ask; `wait_s` is the first pause before asking again.

        Raises:
            SourceError: the vendor has no such timeframe, or nothing was asked for.
        """
        if request.timeframe not in vendor.timeframes:
            raise SourceError(
                f"{vendor.title} has no {request.timeframe} bars; "
                f"timeframes: {', '.join(vendor.timeframes)}."
            )
        if not request.symbols:
            raise SourceError("Name at least one symbol to ask for.")
        if request.end < request.start:
            raise SourceError(f"{request.end} is before {request.start}.")
        self._vendor = vendor
        self._request = request
        self._wait_s = wait_s
        self._without_volume = without_volume
        self._rows: int | None = None

    @property
    def label(self) -> str:
        """Return the vendor's name."""
        return self._vendor.title

    def row_count(self) -> int | None:
        """Return how many rows came, once all have."""
        return self._rows

    async def chunks(self) -> AsyncIterator[Chunk]:
        """Ask for one symbol after the other and hand out its rows.

        Raises:
            SourceError: the vendor cannot be reached, refuses the key or answers something else.
        """
        days = TIMEFRAMES[self._request.timeframe].total_seconds() >= _DAY_S
        reading = Reading(timezone=self._vendor.timezone if days else None, days=days)
        numbered, seen = 0, 0
        timeout = aiohttp.ClientTimeout(total=_PAGE_S)
        async with aiohttp.ClientSession(timeout=timeout, auto_decompress=True) as session:
            for symbol in self._request.symbols:
                with tempfile.TemporaryDirectory(prefix="outcry-import-") as folder:
                    written = Path(folder) / "rows.csv"
                    seen += await self._write(session, symbol, written)
                    if not written.exists():
                        continue
                    file = FileSource(
                        written,
                        symbol=symbol.upper(),
                        columns=self._vendor.columns,
                        reading=reading,
                        without_volume=self._without_volume,
                    )
                    async for chunk in file.chunks():
                        yield Chunk(chunk.symbol, chunk.rows, chunk.numbers + numbered)
                    numbered = seen
        self._rows = seen

    async def _write(self, session: aiohttp.ClientSession, symbol: str, path: Path) -> int:
        """Write every page's bars of a symbol into one file; return how many there are."""
        names = list(self._vendor.columns.values())
        count = 0
        url: str | None = self._first_url(symbol)
        query: dict[str, str] | None = self._filled(self._vendor.query, symbol)
        for _ in range(_MAX_PAGES):
            if url is None:
                return count
            answer = await self._ask(session, url, query)
            rows = _at(answer, self._vendor.rows)
            if rows is None:
                rows = []
            if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
                raise SourceError(f"{self.label} did not answer with a list of bars.")
            if rows:
                await asyncio.to_thread(_append, path, names, rows)
            count += len(rows)
            url, query = self._next(answer, url, query)
        raise SourceError(f"{self.label} sent more than {_MAX_PAGES:,} pages of {symbol}.")

    def _first_url(self, symbol: str) -> str:
        base = (self._request.base_url or self._vendor.base_url).rstrip("/")
        filled = self._filled({"path": self._vendor.path}, symbol, in_path=True)
        return base + filled["path"]

    def _filled(
        self, templates: Mapping[str, str], symbol: str, *, in_path: bool = False
    ) -> dict[str, str]:
        asked = self._request
        values = {
            "symbol": quote(symbol.upper(), safe="") if in_path else symbol.upper(),
            "timeframe": self._vendor.timeframes[asked.timeframe],
            "start": asked.start.isoformat(),
            "end": asked.end.isoformat(),
        }
        return {name: text.format(**values) for name, text in templates.items()}

    def _next(
        self, answer: Any, url: str, query: dict[str, str] | None
    ) -> tuple[str | None, dict[str, str] | None]:
        """Return the address and query of the next page, or None."""
        vendor = self._vendor
        if vendor.next_token is not None:
            path, parameter = vendor.next_token
            token = _at(answer, path)
            return (url, {**(query or {}), parameter: str(token)}) if token else (None, None)
        if vendor.next_url is not None and (following := _at(answer, vendor.next_url)):
            following = urljoin(url, str(following))
            if urlsplit(following)[:2] != urlsplit(url)[:2]:
                raise SourceError(f"{self.label} sends on to another server: {following[:100]}")
            return following, None
        return None, None

    async def _ask(
        self, session: aiohttp.ClientSession, url: str, query: dict[str, str] | None
    ) -> Any:
        """Return one answer; a vendor that is busy is asked again after as long as it says."""
        headers = {
            name: text.format(key=self._request.key, secret=self._request.secret or "")
            for name, text in self._vendor.headers.items()
        }
        pause_s = self._wait_s
        for left in reversed(range(_TRIES)):
            try:
                async with session.get(
                    url, params=query, headers=headers, allow_redirects=False
                ) as response:
                    body = await response.content.read(_MAX_PAGE_BYTES + 1)
                    while len(body) <= _MAX_PAGE_BYTES and not response.content.at_eof():
                        body += await response.content.read(_MAX_PAGE_BYTES + 1 - len(body))
                    if response.status == 200:
                        return _parsed(body, self.label)
                    problem = _refusal(response.status, body, self.label)
                    retriable = response.status == 429 or response.status >= 500
                    asked_to_wait = response.headers.get("Retry-After", "")
            except (aiohttp.ClientError, TimeoutError) as error:
                problem, retriable, asked_to_wait = _unreachable(error, self.label), True, ""
            if not retriable or not left:
                raise problem
            wait_s = float(asked_to_wait) if asked_to_wait.isdigit() else pause_s
            await asyncio.sleep(min(wait_s, _LONGEST_WAIT_S))
            pause_s *= 2
        raise AssertionError("unreachable")


def _parsed(body: bytes, label: str) -> Any:
    if len(body) > _MAX_PAGE_BYTES:
        raise SourceError(f"A page of {label} is larger than {_MAX_PAGE_BYTES // 2**20} MiB.")
    try:
        # As text: a price keeps its digits until it is judged.
        return json.loads(body, parse_float=str, parse_int=str, parse_constant=str)
    except (ValueError, RecursionError) as error:
        raise SourceError(f"{label} did not answer with JSON.") from error


def _refusal(status: int, body: bytes, label: str) -> SourceError:
    said = body[:200].decode(errors="replace").strip()
    if status in (401, 403):
        return SourceError(f"{label} refused the key (HTTP {status}): {said}")
    if 300 <= status < 400:
        return SourceError(f"{label} sends on to another address (HTTP {status}).")
    return SourceError(f"{label} answered HTTP {status}: {said}")


def _unreachable(error: Exception, label: str) -> SourceError:
    why = f"no answer within {_PAGE_S:g} s" if isinstance(error, TimeoutError) else str(error)
    return SourceError(f"{label} cannot be reached: {why}")


def _at(answer: Any, path: str) -> Any:
    """Return what stands at a dotted path, or None."""
    for name in filter(None, path.split(".")):
        if not isinstance(answer, Mapping):
            return None
        answer = answer.get(name)
    return answer


def _append(path: Path, names: list[str], rows: list[Mapping[str, Any]]) -> None:
    new = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        if new:
            writer.writerow(names)
        for row in rows:
            writer.writerow(["" if row.get(name) is None else row[name] for name in names])
