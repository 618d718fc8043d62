"""What the websocket door needs from the rest of the house; `wiring` brings it."""

from collections.abc import Sequence
from typing import Protocol

from app.domain.ids import RunId
from app.domain.principal import Principal
from app.domain.runs import StartRun
from app.services.ports import StartedRun


class Runs(Protocol):
    """Begins and stops runs; `app.services.conversations.runs.Runs`."""

    async def start(self, command: StartRun, principal: Principal) -> StartedRun:
        """Store the question, begin the run, return once both are durable.

        Raises:
            Refusal: nothing was stored.
        """
        ...

    async def stop(self, run_id: RunId, principal: Principal) -> bool:
        """Stop a run of the caller's; False if it had already ended.

        Raises:
            NotFound: no such run, or not the caller's.
        """
        ...


class Authenticator(Protocol):
    """Tells who holds a credential, now."""

    async def by_session(self, token: str) -> Principal | None:
        """Return whose session cookie this is; None if it is unknown, expired or revoked."""
        ...

    async def by_api_key(self, key: str) -> Principal | None:
        """Return for whom this key acts; None if it is unknown, expired or revoked."""
        ...

    async def recheck(self, principals: Sequence[Principal]) -> Sequence[Principal | None]:
        """Return each principal with the rights it has now; None where the credential is gone.

        Asked for all streaming sockets at once, about once a second: one query, not one each.
        """
        ...


class Quotes(Protocol):
    """Knows what can be watched and brings the newest of it; `app.services.live.live`."""

    async def check(self, symbols: Sequence[str], timeframe: str) -> None:
        """Return if all of it can be watched.

        Raises:
            Refusal: `unknown_symbol` or `unknown_timeframe`, saying what there is.
        """
        ...

    def want(self, symbol: str, timeframe: str) -> None:
        """Somebody watches this from now on: publish its newest bar soon. Never waits."""
        ...


class Origins(Protocol):
    """Tells which web pages may open a socket with a person's cookie."""

    def allows(self, origin: str, *, host: str) -> bool:
        """Tell whether `origin` (as the browser sent it) is ours or listed.

        `host` is the request's own Host header, empty when it had none.
        """
        ...


class LLMInUse(Protocol):
    """What answers at the moment, for `welcome`."""

    def __call__(self) -> dict[str, str]:
        """Return `{provider, model}`."""
        ...


class Wire(Protocol):
    """One accepted websocket, as the outbox sees it. Nothing here waits but `wait_for_room`."""

    def write(self, frame: bytes) -> None:
        """Send one text frame after all earlier ones; ignored once closed."""
        ...

    def unsent(self) -> int:
        """Return how many bytes wait for the network."""
        ...

    def close(self, code: int, reason: str, *, drop: bool = False) -> None:
        """Close after what is unsent, or instead of it if `drop` and it can still be taken back."""
        ...

    async def wait_for_room(self) -> None:
        """Return at once, or when little is unsent again, or when the socket is closed."""
        ...
