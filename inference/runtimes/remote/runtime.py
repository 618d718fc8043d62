"""Run a member on another server: look whether it is there and fits, then ask it within a deadline.

`Deployment` is one server and what is known of it; it lives as long as the model is used.
`RemoteRuntime` makes of it a member for one call, whose deadline it carries.
"""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Protocol

from inference.bundle import Member
from inference.errors import BadModel, DeadlineExceeded, ModelFailed, NotReady, WorkerLost
from inference.requests import Floats, Rows
from inference.runtimes.options import read_options
from inference.runtimes.remote.address import Address, read_address
from inference.runtimes.remote.line import Call, Line, Wire
from inference.runtimes.remote.open_inference import OpenInference
from inference.runtimes.remote.open_inference_rpc import OpenInferenceRpc
from inference.runtimes.remote.signature import RemoteOptions, Shape, Signature, fit
from inference.runtimes.remote.tf_serving import TensorFlowServing
from inference.runtimes.remote.tf_serving_rpc import TensorFlowServingRpc
from inference.runtimes.remote.torchserve import TorchServe
from inference.runtimes.runtime import Loaded, Outputs

BELIEVED_S = 60.0
"""For so long a server is taken to have what it had when it was looked at."""
_GRACE_S = 1.0
SIZE_BYTES = 16 * 1024


class Server(Protocol):
    """One protocol, spoken with one model's server."""

    async def ready(self, call: Call) -> None:
        """Return when the model can be asked; raises NotReady or WorkerLost."""
        ...

    async def signature(self, call: Call) -> Signature:
        """Return what the server says that the model takes and gives."""
        ...

    async def infer(self, call: Call, rows: Rows, member: Member, shape: Shape) -> Floats:
        """Return the outputs of some rows, one row a row."""
        ...


def server_at(address: Address, options: RemoteOptions, wire: Wire | None) -> Server:
    """Return what speaks the protocol of an address, over the wire if it is a gRPC server.

    Raises:
        MissingFramework: gRPC is not installed.
    """
    if wire is not None:
        if address.protocol == "tfs":
            return TensorFlowServingRpc(address, options.signature, wire)
        return OpenInferenceRpc(address, wire)
    match address.protocol:
        case "oip" | "ray":
            return OpenInference(address)
        case "tfs":
            return TensorFlowServing(address, options.signature)
        case "torchserve":
            return TorchServe(address)


def remote_options(member: Member) -> RemoteOptions:
    """Return what a remote member says of its server.

    Raises:
        BadModel: it says something that is not allowed.
    """
    options = read_options(member, RemoteOptions)
    if not 0.05 <= options.timeout_s <= 60.0:
        raise BadModel(
            f"model {member.name!r}: timeout_s is {options.timeout_s:g}; 0.05 to 60 is allowed"
        )
    return options


class Deployment:
    """One remote member at one address. All its questions are asked from one event loop."""

    def __init__(self, url: str, member: Member, line: Line) -> None:
        """Raises:
        BadModel: the address or the member's options are wrong.
        MissingFramework: it is a gRPC server, and gRPC is not installed.
        """
        self.member = member
        self.options = remote_options(member)
        address = read_address(url)
        self._wire = line.wire(address.server) if address.is_rpc else None
        self._server = server_at(address, self.options, self._wire)
        self._line = line
        self._shape: Shape | None = None
        self._looked_at = 0.0

    @staticmethod
    def check(url: str, member: Member) -> None:
        """Let pass what could be asked.

        Raises:
            BadModel: the address or the member's options are wrong.
        """
        read_address(url)
        remote_options(member)

    async def aclose(self) -> None:
        """Hang up, where a connection is held."""
        if self._wire is not None:
            await self._wire.aclose()

    async def look(self, *, timeout_s: float) -> Shape:
        """Return how rows go there, after the server said that it is ready and what it takes.

        Raises:
            NotReady, WorkerLost, DeadlineExceeded: it is not there now.
            BadModel: it takes something else than the bundle gives.
        """
        until = monotonic() + timeout_s
        await self._server.ready(Call(self._line, until))
        told = await self._server.signature(Call(self._line, until))
        shape = fit(self.member, self.options, told)
        self._shape, self._looked_at = shape, monotonic()
        return shape

    async def ask(self, rows: Rows, *, timeout_s: float) -> Floats:
        """Return the outputs of some rows.

        Raises:
            BadInput: they do not fit.
            NotAnswered: it did not answer, or answered nonsense.
            BadModel: it takes something else than the bundle gives.
        """
        until = monotonic() + timeout_s
        shape = self._shape
        if shape is None or monotonic() - self._looked_at > BELIEVED_S:
            shape = await self.look(timeout_s=timeout_s)
        call = Call(self._line, until, may_repeat=self.options.idempotent)
        try:
            return await self._server.infer(call, rows, self.member, shape)
        except (NotReady, WorkerLost, ModelFailed):
            self._shape = None  # whoever comes next looks first
            raise


@dataclass(frozen=True)
class RemoteRuntime:
    """Makes of a deployment a member for one call, which is made from another thread."""

    deployment: Deployment
    loop: asyncio.AbstractEventLoop
    until: float
    """When the call has to be answered, on the monotonic clock."""

    def load(self, folder: Path, member: Member, *, device: str) -> Loaded:
        """Return the member; nothing is sent yet.

        Raises:
            BadModel: it is another than the deployment's.
        """
        if member != self.deployment.member:
            raise BadModel(f"member {member.name!r} is not what runs at this deployment")
        return RemoteCall(self)


@dataclass(frozen=True)
class RemoteCall:
    """The member for one call."""

    runtime: RemoteRuntime

    @property
    def size_bytes(self) -> int:
        """Next to nothing: it runs elsewhere."""
        return SIZE_BYTES

    def run(self, rows: Rows, *, explain: bool = False) -> Outputs:
        """Ask the server; explanations are not part of any of the protocols."""
        left = self.runtime.until - monotonic()
        if left <= 0.0:
            raise DeadlineExceeded("the server did not answer in time")
        asking = self.runtime.deployment.ask(rows, timeout_s=left)
        future = asyncio.run_coroutine_threadsafe(asking, self.runtime.loop)
        try:
            return Outputs(future.result(left + _GRACE_S))
        except TimeoutError:
            future.cancel()
            raise DeadlineExceeded("the server did not answer in time") from None

    def close(self) -> None:
        """There is nothing to give back."""
