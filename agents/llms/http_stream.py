"""Post a request and hand on the bytes of the answer as they arrive.

One wake-up of the socket is one call of the reader: no task, timer or queue per token. Knows HTTP
and deadlines, no provider's format. Never retries.
"""

from collections.abc import Callable, Mapping

import aiohttp

from agents.errors import LLMError, LLMRejected, LLMStalled, LLMUnavailable
from agents.llms.deadlines import StreamTimeouts, Watchdog
from agents.llms.llm import StreamMeter
from agents.llms.refusals import read_refusal, refused, unreachable
from agents.llms.sse import EventTooLong

_MAX_ERROR_BODY = 65_536
_LEFTOVER_S = 0.25
"""How long a finished stream may take to end its HTTP body before its connection is dropped."""

_STALLED = {
    "first_byte": "sent nothing for {s:g} s",
    "idle": "went silent for {s:g} s",
    "total": "took longer than {s:g} s",
}


class HttpStream:
    """One provider's HTTP side. Connections are kept alive between requests."""

    def __init__(
        self,
        base_url: str,
        *,
        label: str,
        headers: Mapping[str, str],
        secret: str = "",
        timeouts: StreamTimeouts | None = None,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.label = label
        self.timeouts = timeouts or StreamTimeouts()
        self._headers = {
            "Content-Type": "application/json",
            "Accept": "text/event-stream",
            # Compressed events would arrive in lumps.
            "Accept-Encoding": "identity",
            **headers,
        }
        self._secret = secret
        self._session: aiohttp.ClientSession | None = None

    async def aclose(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def post(
        self, path: str, body: bytes, feed: Callable[[bytes], bool], meter: StreamMeter
    ) -> None:
        """Send `body`, give `feed` the answer's bytes until it says that it has all, or they end.

        Cancelling closes the connection.

        Raises:
            LLMError: whatever went wrong, with what `meter` had counted by then.
        """
        watchdog = Watchdog(self.timeouts)
        try:
            async with watchdog:
                response = await self._sessions().post(
                    self.base_url + path, data=body, headers=self._headers, allow_redirects=False
                )
                whole = False
                try:
                    await self._check(response)
                    read = response.content.readany
                    while data := await read():
                        watchdog.fed()
                        if feed(data):
                            break
                    whole = True
                finally:
                    if not whole:
                        response.close()
            await _let_end(response)
        except TimeoutError as error:
            raise self._stalled(watchdog, meter) from error
        except EventTooLong as error:
            raise self.broken(f"sent {error}", meter) from error
        except aiohttp.ClientConnectorError as error:
            raise self.broken(f"cannot be reached: {unreachable(error)}", meter) from error
        except aiohttp.InvalidURL as error:
            raise LLMRejected(f"{self.label}: {self.base_url!r} is no address") from error
        except (aiohttp.ClientError, OSError) as error:
            raise self.broken("broke the connection", meter) from error

    async def get(self, path: str) -> bytes:
        """Fetch a small JSON document.

        Raises:
            LLMError: it cannot be had.
        """
        meter = StreamMeter(lambda _: None)
        try:
            async with (
                Watchdog(self.timeouts),
                self._sessions().get(
                    self.base_url + path,
                    headers={**self._headers, "Accept": "application/json"},
                    allow_redirects=False,
                ) as response,
            ):
                if response.status != 200:
                    raise await self._refusal(response)
                return await _whole_body(response, most=1 << 20)
        except TimeoutError as error:
            raise LLMStalled(f"{self.label} did not answer in time") from error
        except (aiohttp.ClientError, OSError) as error:
            raise self.broken(f"cannot be reached: {unreachable(error)}", meter) from error

    def refused(self, value: bytes, meter: StreamMeter) -> LLMError:
        """Return the error for one that came inside a stream."""
        return refused(
            self.label,
            read_refusal(value),
            secret=self._secret,
            started=meter.shown > 0,
            streamed_characters=meter.characters,
        )

    def broken(self, what: str, meter: StreamMeter) -> LLMUnavailable:
        """Return the error for a stream that cannot go on."""
        return LLMUnavailable(
            f"{self.label} {what}",
            started=meter.shown > 0,
            streamed_characters=meter.characters,
        )

    def _sessions(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                # The deadlines are the watchdog's; a pool limit would queue runs unseen.
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=60),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session

    async def _check(self, response: aiohttp.ClientResponse) -> None:
        if response.status != 200:
            raise await self._refusal(response)
        if response.content_type not in ("text/event-stream", "application/octet-stream"):
            body = await _whole_body(response)
            if response.content_type == "application/json" and b'"error"' in body:
                raise refused(self.label, read_refusal(body), secret=self._secret)
            raise LLMRejected(
                f"{self.label} answered with {response.content_type} instead of a stream of "
                f"events: is {self.base_url} the right address?"
            )

    async def _refusal(self, response: aiohttp.ClientResponse) -> LLMError:
        body = await _whole_body(response)
        return refused(
            self.label,
            read_refusal(body),
            status=response.status,
            headers=response.headers,
            secret=self._secret,
        )

    def _stalled(self, watchdog: Watchdog, meter: StreamMeter) -> LLMError:
        which = watchdog.expired
        if which is None:
            return self.broken("did not answer in time", meter)
        seconds = getattr(self.timeouts, f"{which}_s")
        return LLMStalled(
            f"{self.label} {_STALLED[which].format(s=seconds)}",
            started=meter.shown > 0,
            streamed_characters=meter.characters,
        )


async def _whole_body(response: aiohttp.ClientResponse, *, most: int = _MAX_ERROR_BODY) -> bytes:
    body = b""
    while len(body) < most and (data := await response.content.readany()):
        body += data
    return body[:most]


async def _let_end(response: aiohttp.ClientResponse) -> None:
    """Read what follows the last event, so that the connection can be used again."""
    if not response.content.at_eof():
        ended = Watchdog(StreamTimeouts(_LEFTOVER_S, _LEFTOVER_S, _LEFTOVER_S))
        try:
            async with ended:
                while await response.content.readany():
                    pass
        except (TimeoutError, aiohttp.ClientError, OSError):
            # The answer is complete; only the connection is of no more use.
            response.close()
            return
        except BaseException:
            response.close()
            raise
    response.release()
