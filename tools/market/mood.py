"""How the news on one instrument sounds at a moment, read from the store with nothing after it."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta

import msgspec

from tools.analytics.sentiment_summary import WINDOW, Summary, summarise
from tools.market.instruments import Instrument
from tools.market.news import NewsItem, NewsStore
from tools.market.symbols import ALIASES

SYNTHETIC = (
    "Invented for the demonstration (synthetic): these headlines are not real news, and nothing "
    "in them happened."
)


class Mood(msgspec.Struct, frozen=True):
    """What can be said about the news on one instrument at one moment."""

    symbol: str
    summary: Summary
    items: list[NewsItem]
    """Visible ones, newest first."""
    as_of: datetime | None
    """The moment spoken of; None when there is no news at all."""
    synthetic: int
    """Visible items that were invented for a demonstration."""
    age_days: int | None
    """Whole days from the newest visible item to now."""
    notes: list[str]


async def read_mood(
    news: NewsStore, instrument: Instrument, *, now: datetime, day: date | None = None
) -> Mood:
    """Return how the news sounds at the end of a day, or now.

    Now means the newest news there is: when it is older than the 30 days that count, the moment
    moves back to it and the age is said. A day that was asked for is not moved, and only what was
    known at its end is seen.
    """
    moment = now if day is None else min(now, _end_of(day))
    found = await news.read(symbol=instrument.symbol, until=moment, known_by=moment)
    at, known_by = moment, moment
    if found and day is None and found[0].published_at <= now - WINDOW:
        at = found[0].published_at
    seen = [item for item in found if item.published_at > at - WINDOW]
    return Mood(
        symbol=instrument.symbol,
        summary=await asyncio.to_thread(
            lambda: summarise(
                [item.reading() for item in seen],
                at=at,
                known_by=known_by,
                without=no_keywords(instrument),
            )
        ),
        items=seen,
        as_of=at if seen else None,
        synthetic=sum(item.synthetic for item in seen),
        age_days=(now - seen[0].published_at).days if seen else None,
        notes=_notes(instrument.symbol, found, seen, at, now, day),
    )


def no_keywords(instrument: Instrument) -> tuple[str, ...]:
    """Return the words that say nothing in news on this instrument: its own names."""
    names = ALIASES.get(instrument.symbol, ())
    return (instrument.symbol, instrument.name, *names, "demo invented")


def _end_of(day: date) -> datetime:
    return datetime.combine(day, time(23, 59, 59), UTC)


def _notes(
    symbol: str,
    found: Sequence[NewsItem],
    seen: Sequence[NewsItem],
    at: datetime,
    now: datetime,
    day: date | None,
) -> list[str]:
    notes = []
    if any(item.synthetic for item in seen):
        notes.append(SYNTHETIC)
    if not seen and not found:
        until = "" if day is None else f" published and known by {day}"
        notes.append(f"There is no news on {symbol} here{until}.")
    elif not seen:
        newest = found[0].published_at.date()
        notes.append(
            f"There is no news on {symbol} in the {WINDOW.days} days to {day}; the newest before "
            f"is of {newest}."
        )
    elif at < now - timedelta(days=2) and day is None:
        notes.append(f"The newest news on {symbol} is of {at.date()}.")
    return notes
