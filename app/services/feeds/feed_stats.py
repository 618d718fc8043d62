"""What a feed did and how far behind it is, in numbers an operator can act on."""

from collections.abc import Callable

import msgspec

from app.services.live.lag import Lag, LagSummary


class FeedSummary(msgspec.Struct, frozen=True, rename="camel"):
    """A feed at a glance."""

    messages: int
    accepted: int
    refused: int
    batches: int
    behind: int
    """Messages that wait in the topics, as of the last batch."""
    paused_s: float
    """Seconds in which nothing was fetched because the database was away."""
    write: LagSummary
    """Seconds from a batch being read to its commit."""


class FeedStats:
    """Counts, in a fixed amount of memory."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._paused_at: float | None = None
        self._paused_s = 0.0
        self.messages = 0
        self.accepted = 0
        self.refused = 0
        self.batches = 0
        self.behind = 0
        self.write = Lag()

    def pause(self) -> None:
        """The database is away."""
        if self._paused_at is None:
            self._paused_at = self._monotonic()

    def resume(self) -> None:
        """The database is back."""
        if self._paused_at is not None:
            self._paused_s += self._monotonic() - self._paused_at
            self._paused_at = None

    def summary(self) -> FeedSummary:
        """Return the counts as they stand."""
        since = 0.0 if self._paused_at is None else self._monotonic() - self._paused_at
        return FeedSummary(
            messages=self.messages,
            accepted=self.accepted,
            refused=self.refused,
            batches=self.batches,
            behind=self.behind,
            paused_s=round(self._paused_s + since, 3),
            write=self.write.summary(),
        )
