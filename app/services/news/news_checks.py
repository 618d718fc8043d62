"""Which news items can be taken. Pure: one reason per refused item, the rest is taken."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal
from urllib.parse import urlsplit

import msgspec

from app.domain.text import clean_text
from tools.market.quoting import plain_line

MAX_ITEMS = 1_000
LONGEST_TITLE = 500
LONGEST_BODY = 20_000
LONGEST_NAME = 120
LONGEST_URL = 2_000
MOST_SYMBOLS = 20
_EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
_CLOCKS_DIFFER = timedelta(minutes=5)
_SYMBOL = re.compile(r"[A-Z0-9.^=/_-]{1,32}")
_LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[A-Za-z0-9]{2,8})*")
_ISO = "an ISO 8601 time that ends in Z or an offset"


class NewItem(
    msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True
):
    """One item as it is posted, imported or streamed."""

    type: Literal["news", "social", "analyst"] = "news"
    source_name: str
    title: str
    published_at: datetime
    known_at: datetime | None = None
    """When it could have been known; default: when it arrives."""
    body: str | None = None
    url: str | None = None
    language: str = "en"
    symbols: tuple[str, ...] = ()
    """Tagged by the source; more are found by name in the title."""
    synthetic: bool = False


class RefusedItem(msgspec.Struct, frozen=True):
    """One item that was not taken."""

    index: int
    reason: str


_decoder = msgspec.json.Decoder(NewItem)


def check_items(
    items: Sequence[msgspec.Raw], *, now: datetime, backfill: bool = False
) -> tuple[list[NewItem], list[RefusedItem]]:
    """Return the items to take, cleaned, and the refused ones with reasons.

    Every one that is taken has its `known_at`: its own, or now, or with `backfill` when it was
    published.
    """
    taken: list[NewItem] = []
    refused: list[RefusedItem] = []
    for index, raw in enumerate(items):
        try:
            item = _cleaned(_decoder.decode(raw), now, backfill)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            refused.append(RefusedItem(index, _plain_reason(error)))
        except _Wrong as wrong:
            refused.append(RefusedItem(index, str(wrong)))
        else:
            taken.append(item)
    return taken, refused


class _Wrong(Exception):
    """What is wrong with an item."""


def _cleaned(item: NewItem, now: datetime, backfill: bool) -> NewItem:
    """Return the item as it is kept: one-line title, times in UTC, symbols in capitals."""
    published, known = _times(item, now, backfill)
    return msgspec.structs.replace(
        item,
        source_name=_line("sourceName", item.source_name, LONGEST_NAME),
        title=_line("title", item.title, LONGEST_TITLE),
        body=_body(item.body),
        url=_url(item.url),
        language=_language(item.language),
        symbols=_symbols(item.symbols),
        published_at=published,
        known_at=known,
    )


def _line(name: str, text: str, longest: int) -> str:
    if len(text) > longest:
        raise _Wrong(f"{name} has {len(text):,} characters; {longest} are allowed")
    line = plain_line(clean_text(text))
    if not any(char.isalnum() for char in line):
        raise _Wrong(f"{name} has no words")
    return line


def _body(body: str | None) -> str | None:
    if body is None or not body.strip():
        return None
    if len(body) > LONGEST_BODY:
        raise _Wrong(f"body has {len(body):,} characters; {LONGEST_BODY:,} are allowed")
    return clean_text(body)


def _url(url: str | None) -> str | None:
    if url is None or not url.strip():
        return None
    address = clean_text(url.strip())
    try:
        parts = urlsplit(address)
        sound = parts.scheme in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        sound = False
    if not sound or len(address) > LONGEST_URL or re.search(r"[\s<>\"\x00-\x1f]", address):
        raise _Wrong(f"url must be an http or https address of at most {LONGEST_URL:,} characters")
    return address


def _language(language: str) -> str:
    if _LANGUAGE.fullmatch(language) is None or len(language) > 35:
        raise _Wrong("language must be a tag such as en or pt-BR")
    return language


def _symbols(symbols: Sequence[str]) -> tuple[str, ...]:
    if len(symbols) > MOST_SYMBOLS:
        raise _Wrong(f"symbols has {len(symbols)} entries; {MOST_SYMBOLS} are allowed")
    plain = [symbol.strip().removeprefix("$").upper() for symbol in symbols]
    for symbol in plain:
        if _SYMBOL.fullmatch(symbol) is None:
            raise _Wrong(
                f"symbol {clean_text(symbol)[:40]!r} is none: "
                "1 to 32 letters, digits or any of . - ^ = / _"
            )
    return tuple(dict.fromkeys(plain))


def _times(item: NewItem, now: datetime, backfill: bool) -> tuple[datetime, datetime]:
    """Return when it was published and when it was known, in UTC."""
    published = _utc("publishedAt", item.published_at)
    if published > now + _CLOCKS_DIFFER:
        raise _Wrong("publishedAt is in the future")
    if published < _EARLIEST:
        raise _Wrong("publishedAt is before 1900")
    if item.known_at is None:
        return published, published if backfill else max(now, published)
    known = _utc("knownAt", item.known_at)
    if known < published:
        raise _Wrong("knownAt is before publishedAt")
    if known > now + _CLOCKS_DIFFER:
        raise _Wrong("knownAt is in the future")
    return published, known


def _utc(name: str, time: datetime) -> datetime:
    if time.tzinfo is None:
        raise _Wrong(f"{name} has no zone; give {_ISO}")
    try:
        return time.astimezone(UTC)
    except OverflowError:
        raise _Wrong(f"{name} is no time that can be kept; give {_ISO}") from None


def _plain_reason(error: Exception) -> str:
    said = str(error).replace("Invalid RFC3339 encoded datetime", f"Expected {_ISO}")
    return said.replace(" - at `$.", " at `").replace(" - at `$`", "")
