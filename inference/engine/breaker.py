"""When a model has failed again and again, stop asking it for a while.

Pure: the caller has the clock. Five failures in a row open the breaker; after half a minute one
call may try, and what becomes of it decides.
"""

from dataclasses import dataclass

OPENS_AFTER = 5
RESTS_S = 30.0


@dataclass
class Breaker:
    """Of one model."""

    failures: int = 0
    open_until: float | None = None
    trying: bool = False
    reason: str = ""

    def refuses_for(self, *, now: float) -> float | None:
        """Return for how many seconds calls are refused; None when this one may go.

        Whoever may go while the breaker is half open is the one that tries: call it once a call.
        """
        if self.open_until is None:
            return None
        if now < self.open_until:
            return self.open_until - now
        if self.trying:
            return 1.0
        self.trying = True
        return None

    def open_for(self, *, now: float) -> float | None:
        """Return how much longer it is open; None when it is closed."""
        return None if self.open_until is None else max(0.0, self.open_until - now)

    def succeeded(self) -> None:
        """Note an answer."""
        self.failures, self.open_until, self.trying = 0, None, False

    def failed(self, reason: str, *, now: float) -> None:
        """Note a failure of the model itself, not of its caller."""
        self.failures += 1
        self.reason = reason
        if self.trying or self.failures >= OPENS_AFTER:
            self.open_until, self.trying = now + RESTS_S, False

    def gave_up(self) -> None:
        """Note that the one who tried went away before it was known."""
        self.trying = False
