"""Stop guessing: after repeated failures an account and an address must wait.

Pure bookkeeping in memory, with the time given; bounded, whatever an attacker sends. Unknown
accounts are counted like known ones, so that being locked tells nothing.
"""

from collections import OrderedDict

import msgspec

from app.domain.errors import TooManyAttempts


class LockoutPolicy(msgspec.Struct, frozen=True):
    """How many failures within `window_s` lead to waiting until they are that old."""

    account_failures: int = 5
    address_failures: int = 30
    """More, because many people may share one address."""
    window_s: float = 900.0
    remembered: int = 20_000


class Lockout:
    """Counts failures by account and by address."""

    def __init__(self, policy: LockoutPolicy | None = None) -> None:
        self._policy = policy or LockoutPolicy()
        self._failures: OrderedDict[tuple[str, str], list[float]] = OrderedDict()

    def check(self, account: str | None, address: str, *, now: float) -> None:
        """Let an attempt pass.

        Raises:
            TooManyAttempts: with the time to wait.
        """
        waits = [
            self._wait(key, limit, now)
            for key, limit in self._keys(account, address)
            if key in self._failures
        ]
        longest = max(waits, default=0.0)
        if longest > 0:
            raise TooManyAttempts(
                f"Too many attempts. Try again in {max(1, round(longest / 60))} min.",
                retry_after_s=longest,
            )

    def failed(self, account: str | None, address: str, *, now: float) -> None:
        """Count a failure."""
        for key, limit in self._keys(account, address):
            times = self._failures.pop(key, [])
            self._failures[key] = [*times, now][-limit:]
        while len(self._failures) > self._policy.remembered:
            self._failures.popitem(last=False)

    def succeeded(self, account: str, address: str) -> None:
        """Forget the account's failures, and of the address's the newest: it was none."""
        self._failures.pop(("account", account), None)
        if times := self._failures.get(("address", address)):
            times.pop()

    def _keys(self, account: str | None, address: str) -> list[tuple[tuple[str, str], int]]:
        keys = [(("address", address), self._policy.address_failures)]
        if account is not None:
            keys.append((("account", account), self._policy.account_failures))
        return keys

    def _wait(self, key: tuple[str, str], limit: int, now: float) -> float:
        times = self._failures[key]
        if len(times) < limit:
            return 0.0
        return times[0] + self._policy.window_s - now
