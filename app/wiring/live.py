"""Live prices, joined: the pipeline, and the wake-ups from and to other processes."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import msgspec

from app.domain.ids import UserId, new_id
from app.protocol.frames import LiveBar, NoticeFrame
from app.security.people import utc_now
from app.services.live.live import Live
from app.services.live.live_ports import Nobody, Notifier, Ticker
from app.services.market.bar_intake import BarIntake
from app.services.signals.signals import SignalBook
from app.storage.bars import PostgresBars
from app.storage.engine import Database
from app.storage.instruments import PostgresInstruments
from app.storage.liveness import new_owner
from app.storage.wakeups import Announcer, Listener
from tools.market.intake import BarsStored


class Sockets(msgspec.Struct, frozen=True):
    """Where a process with sockets shows prices and tells people."""

    ticker: Ticker
    notices: Notifier


class LiveDesk(msgspec.Struct, frozen=True):
    """What is open of it."""

    live: Live
    announcer: Announcer
    sockets: Sockets | None

    def bar_open(self, symbol: str, timeframe: str, bar: LiveBar) -> None:
        """Show how an open bar stands, here and in the other processes."""
        self.live.bar_open(symbol, timeframe, bar)
        self.announcer.bar_open(symbol, timeframe, bar)

    def notify(self, user_id: UserId, notice: NoticeFrame) -> None:
        """Tell a person, here and in the other processes."""
        if self.sockets is not None:
            self.sockets.notices.notify(user_id, notice)
        self.announcer.notify(user_id, notice)


@asynccontextmanager
async def open_live(
    database: Database,
    instruments: PostgresInstruments,
    bars: PostgresBars,
    intake: BarIntake,
    sockets: Sockets | None,
    signals: SignalBook | None = None,
) -> AsyncIterator[LiveDesk]:
    """Open the pipeline. A process without sockets only tells the others of what it stores."""
    origin = new_owner(new_id())
    ticker = sockets.ticker if sockets else Nobody()
    live = Live(instruments, bars, ticker, clock=utc_now, signals=signals)
    async with AsyncExitStack() as stack:
        announcer = await stack.enter_async_context(Announcer(database, origin))
        intake.announce = announcer.bars_stored
        if sockets is not None:
            intake.listeners.append(live.bars_stored)
            if signals is not None:

                def unfollowed(stored: BarsStored) -> None:
                    # What the pipeline follows it refreshes itself, once.
                    if stored.corrected or not live.follows(stored.symbol, stored.timeframe):
                        signals.bars_stored(stored)

                intake.listeners.append(unfollowed)
            await stack.enter_async_context(live)
            await stack.enter_async_context(
                Listener(
                    database.connect,
                    origin,
                    bars_stored=intake.hear,
                    bar_open=live.bar_open,
                    notify=sockets.notices.notify,
                    may_have_missed=live.may_have_missed,
                )
            )
        yield LiveDesk(live, announcer, sockets)
