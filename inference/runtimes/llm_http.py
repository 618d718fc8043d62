"""Ask a provider about several rows at once, each within its deadline, and say what it used.

Calls go out from a loop of their own thread: whoever runs a model waits for it in an ordinary one.
Nothing is asked twice: a failed call is told, and who called decides.
"""

import asyncio
import threading
from collections.abc import Callable, Sequence
from typing import Any

import aiohttp
import msgspec

from inference.errors import (
    BadModel,
    DeadlineExceeded,
    InferenceError,
    ModelFailed,
    Overloaded,
    WorkerLost,
)
from inference.runtimes.connections import Connection

MOST_BYTES = 4 * 2**20
"""Of one answer."""
_CONNECT_S = 10.0
_GRACE_S = 5.0
_MOST_SAID = 300


class Caller:
    """One connection, and the thread that its calls go out from."""

    def __init__(
        self, name: str, connection: Connection, headers: dict[str, str], *, parallel: int
    ) -> None:
        self._name = name
        self._base = connection.base_url.rstrip("/")
        self._headers = headers
        self._parallel = parallel
        self._loop = asyncio.new_event_loop()
        self._session: aiohttp.ClientSession | None = None
        self._thread = threading.Thread(
            target=self._loop.run_forever, daemon=True, name=f"model-{name}"
        )
        self._thread.start()
        self._closed = False

    def post_all(
        self, path: str, bodies: Sequence[dict[str, Any]], *, timeout_s: float
    ) -> list[Any]:
        """Return the answers' JSON, in order; the first failure ends the other calls.

        Raises:
            BadModel: the provider refuses key, model or request.
            NotAnswered: it did not answer.
        """
        if self._closed:
            raise ModelFailed(f"model {self._name!r} was closed")
        rounds = -(-len(bodies) // self._parallel)
        future = asyncio.run_coroutine_threadsafe(
            self._all(path, bodies, timeout_s=timeout_s), self._loop
        )
        try:
            return future.result(rounds * timeout_s + _GRACE_S)
        except TimeoutError:
            future.cancel()
            raise DeadlineExceeded(f"model {self._name!r} did not answer in time") from None

    def close(self) -> None:
        """Close the connections and end the thread."""
        if self._closed:
            return
        self._closed = True
        asyncio.run_coroutine_threadsafe(self._hang_up(), self._loop).result(_GRACE_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_GRACE_S)
        self._loop.close()

    async def _hang_up(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def _all(
        self, path: str, bodies: Sequence[dict[str, Any]], *, timeout_s: float
    ) -> list[Any]:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                headers=self._headers,
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_S),
            )
        session = self._session
        places = asyncio.Semaphore(self._parallel)

        async def one(body: dict[str, Any]) -> Any:
            async with places:
                return await self._post(session, path, body, timeout_s=timeout_s)

        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(one(body)) for body in bodies]
        except BaseExceptionGroup as errors:
            raise _first(errors) from None
        return [task.result() for task in tasks]

    async def _post(
        self, session: aiohttp.ClientSession, path: str, body: dict[str, Any], *, timeout_s: float
    ) -> Any:
        try:
            async with asyncio.timeout(timeout_s):
                async with session.post(
                    self._base + path,
                    data=msgspec.json.encode(body),
                    headers={"Content-Type": "application/json"},
                    allow_redirects=False,
                ) as response:
                    data = await _read(response)
        except TimeoutError:
            raise DeadlineExceeded(
                f"model {self._name!r} did not answer in {timeout_s:g} s"
            ) from None
        except aiohttp.ClientError as error:
            raise WorkerLost(
                f"model {self._name!r} cannot be reached: {type(error).__name__}"
            ) from None
        if response.status != 200:
            raise self._refusal(response, data)
        try:
            return msgspec.json.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise ModelFailed(f"model {self._name!r} did not answer with JSON") from None

    def _refusal(self, response: aiohttp.ClientResponse, data: bytes) -> InferenceError:
        status, said = response.status, _said(data)
        if status == 429 or status in {503, 529}:
            return Overloaded(
                f"the provider of model {self._name!r} is too busy ({status}){said}",
                retry_after_s=_retry_after(response.headers.get("Retry-After")),
            )
        if status in {401, 403}:
            return BadModel(f"the provider of model {self._name!r} refuses the key ({status})")
        if status == 408 or status >= 500:
            return WorkerLost(f"the provider of model {self._name!r} failed ({status}){said}")
        return BadModel(
            f"the provider of model {self._name!r} refuses the request ({status}){said}"
        )


def map_all(read: Callable[[Any], Any], found: Sequence[Any], *, model: str) -> list[Any]:
    """Return what `read` makes of each answer; one of another form is a failed answer.

    Raises:
        ModelFailed: an answer lacks what every answer has.
    """
    try:
        return [read(one) for one in found]
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise ModelFailed(f"model {model!r} answered in another form: {error!r}") from None


async def _read(response: aiohttp.ClientResponse) -> bytes:
    data = bytearray()
    async for chunk in response.content.iter_any():
        data += chunk
        if len(data) > MOST_BYTES:
            raise ModelFailed(f"the answer is longer than {MOST_BYTES} bytes")
    return bytes(data)


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    found: BaseException = errors
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found


def _said(data: bytes) -> str:
    """Return the provider's own message, if it has one."""
    try:
        error = msgspec.json.decode(data)["error"]
        message = error["message"] if isinstance(error, dict) else error
    except (msgspec.DecodeError, UnicodeDecodeError, KeyError, TypeError):
        return ""
    return f": {str(message)[:_MOST_SAID]}"


def _retry_after(told: str | None) -> float:
    try:
        return max(0.0, min(float(told or 1.0), 3600.0))
    except ValueError:
        return 1.0
