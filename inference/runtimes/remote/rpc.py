"""How an adapter calls a gRPC server, and what the server's refusals mean.

The wire is given from outside, as the line of the HTTP protocols is. Nothing here opens a socket.
"""

from typing import NoReturn

from inference.errors import BadInput, BadModel, ModelFailed, NotReady, Overloaded, WorkerLost
from inference.runtimes.remote.line import MOST_SAID, MOST_SENT, Call, Spoken, Wire, is_full


async def ask(call: Call, wire: Wire, method: str, message: bytes) -> Spoken:
    """Call a method, once more where the server hung up and that is allowed.

    Raises:
        BadInput: it is more than may be sent.
        NotAnswered, BadModel: as `Wire.unary` says.
    """
    if len(message) > MOST_SENT:
        raise BadInput(f"the rows have {len(message):,} bytes; {MOST_SENT:,} may be sent at once")

    async def once(left_s: float) -> Spoken:
        metadata = {"x-request-id": call.request_id}
        return await wire.unary(method, message, metadata=metadata, timeout_s=left_s)

    return await call.repeat(once)


def refuse(spoken: Spoken) -> NoReturn:
    """Raise what a refused inference means: as the HTTP status that stands for the code does.

    Raises:
        Overloaded, NotReady, WorkerLost, BadInput, BadModel, ModelFailed: as the code says.
    """
    code, said = spoken.code, _said(spoken)
    match code:
        case "RESOURCE_EXHAUSTED" if "larger than max" in spoken.details:
            raise BadInput(f"the server takes no message as long as this one{said}")
        case "RESOURCE_EXHAUSTED":
            raise _busy(spoken)
        case "UNAVAILABLE" if spoken.retry_after_s is not None or is_full(said):
            raise _busy(spoken)
        case "UNAVAILABLE":
            raise NotReady(f"the server is not ready ({code}){said}")
        case "INVALID_ARGUMENT" if "not ready" in said:  # MLServer, of a model that is loading
            raise NotReady(f"the server is not ready ({code}){said}")
        case "NOT_FOUND":
            raise WorkerLost(f"the model is gone from its server ({code}){said}")
        case "CANCELLED":
            raise WorkerLost(f"the server hung up ({code}){said}")
        case "INVALID_ARGUMENT" | "FAILED_PRECONDITION" | "OUT_OF_RANGE":
            raise BadInput(f"the server refuses the rows ({code}){said}")
        case "PERMISSION_DENIED" | "UNAUTHENTICATED" | "UNIMPLEMENTED":
            raise _shut(code)
    raise ModelFailed(f"the server failed ({code}){said}")


def not_ready(spoken: Spoken, what: str) -> NoReturn:
    """Raise what a refused look at a model means.

    Raises:
        NotReady: it is there and does not answer yet.
        WorkerLost: it is not there.
        BadModel: the desk is not let in, or the server speaks another protocol.
    """
    code, said = spoken.code, _said(spoken)
    if code == "NOT_FOUND":
        raise WorkerLost(f"there is no {what} on its server ({code}){said}")
    if code in {"PERMISSION_DENIED", "UNAUTHENTICATED", "UNIMPLEMENTED"}:
        raise _shut(code)
    raise NotReady(f"{what} is not ready on its server ({code}){said}")


def _busy(spoken: Spoken) -> Overloaded:
    again_s = 1.0 if spoken.retry_after_s is None else spoken.retry_after_s
    said = f"the server is too busy ({spoken.code}){_said(spoken)}"
    return Overloaded(said, retry_after_s=again_s)


def _shut(code: str) -> BadModel:
    if code == "UNIMPLEMENTED":
        return BadModel(f"the server does not speak the protocol of deploymentUrl ({code})")
    return BadModel(f"the server does not let the desk in ({code})")


def _said(spoken: Spoken) -> str:
    """Return the server's own words, if it has some: one line, for a traceback may follow."""
    words = spoken.details.strip()
    return f": {words.splitlines()[0][:MOST_SAID]}" if words else ""
