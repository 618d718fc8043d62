"""Wake-ups between the processes of one desk, by Postgres's LISTEN and NOTIFY.

They carry which series changed, how an open bar stands, and notices to people: never the only
copy of anything. What is told gathers while the last telling is under way, so a flood of bars costs
one statement at a time and memory by the number of series. Whoever listens hears its own process's
words too and leaves them out; after a lost connection it is told to look at everything.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Self

import asyncpg
import msgspec
import structlog

from app.domain.errors import Unavailable
from app.domain.ids import UserId
from app.protocol.frames import LiveBar, NoticeFrame
from app.storage.engine import Connection, Database
from tools.market.intake import BarsStored

log = structlog.get_logger(__name__)

CHANNEL = "outcry_live"
_MOST_BYTES = 7_800
"""Postgres takes 8,000 in one payload."""
_GATHER_S = 0.02
_RETRY_S = 0.5
_CHECK_S = 15.0


class OpenBarTold(msgspec.Struct, frozen=True):
    """How the open bar of a series stands."""

    symbol: str
    timeframe: str
    bar: LiveBar


class NoticeTold(msgspec.Struct, frozen=True):
    """A notice to one person."""

    user_id: UserId
    notice: NoticeFrame


class _Told(msgspec.Struct, omit_defaults=True):
    """One payload."""

    origin: str
    stored: list[BarsStored] = []
    open_bars: list[OpenBarTold] = []
    notices: list[NoticeTold] = []


_encode = msgspec.json.Encoder().encode
_decoder = msgspec.json.Decoder(_Told)


class Announcer:
    """Tells the other processes, as an async context manager: it tells while it is entered."""

    def __init__(self, database: Database, origin: str) -> None:
        self._database = database
        self._origin = origin
        self._stored: dict[tuple[str, str], BarsStored] = {}
        self._open: dict[tuple[str, str], OpenBarTold] = {}
        self._notices: list[NoticeTold] = []
        self._wake = asyncio.Event()
        self._teller: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._teller = asyncio.create_task(self._tell(), name="announcer")
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        if self._teller is not None:
            self._teller.cancel()
            await asyncio.wait({self._teller})
            try:
                async with asyncio.timeout(2):
                    await self._send(self._take())
            except (TimeoutError, Unavailable):
                log.warning("wakeups.untold")  # they will look for themselves

    def bars_stored(self, stored: BarsStored) -> None:
        """Tell that a series changed; see `BarIntake.listeners`."""
        key = (stored.symbol, stored.timeframe)
        old = self._stored.get(key)
        self._stored[key] = stored if old is None else _merged(old, stored)
        self._wake.set()

    def bar_open(self, symbol: str, timeframe: str, bar: LiveBar) -> None:
        """Tell how an open bar stands; the newest word wins."""
        self._open[symbol, timeframe] = OpenBarTold(symbol, timeframe, bar)
        self._wake.set()

    def notify(self, user_id: UserId, notice: NoticeFrame) -> None:
        """Tell a person, wherever they have a socket."""
        self._notices.append(NoticeTold(user_id, notice))
        self._wake.set()

    async def _tell(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            told = self._take()
            try:
                await self._send(told)
            except Unavailable as away:
                log.warning("wakeups.wait", reason=away.code)
                self._put_back(told)
                await asyncio.sleep(_RETRY_S)
            await asyncio.sleep(_GATHER_S)

    def _take(self) -> _Told:
        told = _Told(
            self._origin,
            list(self._stored.values()),
            list(self._open.values()),
            self._notices,
        )
        self._stored, self._open, self._notices = {}, {}, []
        return told

    def _put_back(self, told: _Told) -> None:
        for stored in told.stored:
            self.bars_stored(stored)
        for one in told.open_bars:
            self._open.setdefault((one.symbol, one.timeframe), one)
        self._notices = told.notices + self._notices

    async def _send(self, told: _Told) -> None:
        payloads = [_encode(part).decode() for part in _parts(told)]
        if payloads:
            await self._database.execute(
                "SELECT pg_notify($1, payload) FROM unnest($2::text[]) AS payload",
                CHANNEL,
                payloads,
            )


class Listener:
    """Hears what other processes tell, as an async context manager."""

    def __init__(
        self,
        connect: Callable[[], Awaitable[Connection]],
        origin: str,
        *,
        bars_stored: Callable[[BarsStored], None],
        bar_open: Callable[[str, str, LiveBar], None],
        notify: Callable[[UserId, NoticeFrame], None],
        may_have_missed: Callable[[], None],
    ) -> None:
        """Make a listener that calls what it is given; none of these may wait."""
        self._connect = connect
        self._origin = origin
        self._bars_stored = bars_stored
        self._bar_open = bar_open
        self._notify = notify
        self._may_have_missed = may_have_missed
        self._task: asyncio.Task[None] | None = None
        self.listening = asyncio.Event()
        """Set while a connection listens."""

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._listen(), name="wake-ups")
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _listen(self) -> None:
        first = True
        while True:
            try:
                connection = await self._connect()
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await asyncio.sleep(_RETRY_S)
                continue
            try:
                await connection.add_listener(CHANNEL, self._hear)
                self.listening.set()
                if not first:
                    self._may_have_missed()
                first = False
                gone = asyncio.Event()
                connection.add_termination_listener(lambda _, gone=gone: gone.set())
                while not connection.is_closed():
                    with suppress(TimeoutError):
                        async with asyncio.timeout(_CHECK_S):
                            await gone.wait()
                        break
                    # A line that is dead without saying so is found out here.
                    await connection.execute("SELECT 1", timeout=_CHECK_S)
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                log.warning("wakeups.lost")
            finally:
                self.listening.clear()
                connection.terminate()
            await asyncio.sleep(_RETRY_S)

    def _hear(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        try:
            told = _decoder.decode(str(payload))
        except msgspec.DecodeError:
            # Another version of us, or a stranger on our channel.
            log.warning("wakeups.not_understood", payload=str(payload)[:200])
            return
        if told.origin == self._origin:
            return
        for stored in told.stored:
            self._bars_stored(stored)
        for one in told.open_bars:
            self._bar_open(one.symbol, one.timeframe, one.bar)
        for notice in told.notices:
            self._notify(notice.user_id, notice.notice)


def _merged(old: BarsStored, new: BarsStored) -> BarsStored:
    return BarsStored(
        symbol=new.symbol,
        timeframe=new.timeframe,
        first=min(old.first, new.first),
        last=max(old.last, new.last),
        count=old.count + new.count,
        corrected=old.corrected or new.corrected,
    )


def _parts(told: _Told) -> list[_Told]:
    """Cut what is told into payloads that Postgres takes."""
    parts: list[_Told] = []
    size = _MOST_BYTES
    for name in ("stored", "open_bars", "notices"):
        for one in getattr(told, name):
            bytes_of_one = len(_encode(one)) + 2
            if size + bytes_of_one > _MOST_BYTES:
                parts.append(_Told(told.origin, [], [], []))
                size = 200
            getattr(parts[-1], name).append(one)
            size += bytes_of_one
    return parts
