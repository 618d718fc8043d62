"""How models on other servers are reached: every request goes through the outbound guard."""

from collections.abc import Mapping

from app.domain.errors import Invalid
from app.security.outbound import (
    Allowed,
    Outbound,
    OutboundFailed,
    OutboundLimits,
    OutboundRefused,
    OutboundTimedOut,
)
from app.wiring.remote_rpc import GuardedWire
from inference.errors import BadModel, DeadlineExceeded, WorkerLost
from inference.runtimes.remote.address import read_address
from inference.runtimes.remote.line import MOST_READ, MOST_SENT, Reply


class GuardedLine:
    """`inference.runtimes.remote.line.Line` behind the outbound guard."""

    def __init__(self, allowed: Allowed) -> None:
        self._allowed = allowed

    def wire(self, server: str) -> GuardedWire:
        """Return what calls a gRPC server; it connects when it is used.

        Raises:
            MissingFramework: gRPC is not installed.
        """
        return GuardedWire(server, self._allowed)

    async def send(
        self, method: str, url: str, *, body: bytes, headers: Mapping[str, str], timeout_s: float
    ) -> Reply:
        """Send one request and return what came back.

        Raises:
            BadModel: the desk may not go there.
            DeadlineExceeded: there was no answer within `timeout_s`.
            WorkerLost: the server cannot be reached, or hung up.
        """
        limits = OutboundLimits(
            resolve_s=min(3.0, timeout_s),
            connect_s=min(5.0, timeout_s),
            total_s=timeout_s,
            most_sent=MOST_SENT,
            most_read=MOST_READ,
        )
        outbound = Outbound(self._allowed, limits=limits)
        try:
            answer = await outbound.send(method, url, body=body, headers=headers)
        except OutboundRefused as refused:
            raise BadModel(f"deploymentUrl: {refused.reason}") from None
        except OutboundTimedOut as late:
            raise DeadlineExceeded(f"the server: {late.reason}") from None
        except OutboundFailed as failed:
            raise WorkerLost(f"the server cannot be reached. {failed.reason}") from None
        return Reply(answer.status, answer.body, answer.headers, answer.cut)


class GuardedDeployments:
    """`app.services.models.model_ports.JudgeDeployment` behind the outbound guard."""

    def __init__(self, allowed: Allowed) -> None:
        self._outbound = Outbound(allowed)

    def __call__(self, url: str) -> None:
        """Let pass an address that the desk understands and may go to.

        Raises:
            Invalid: `address_refused`; says what is allowed.
        """
        try:
            self._outbound.check(read_address(url).web)
        except BadModel as wrong:
            raise Invalid(f"`deploymentUrl`: {wrong}.", code="address_refused") from None
        except OutboundRefused as refused:
            raise Invalid(f"`deploymentUrl`: {refused.reason}", code="address_refused") from None
