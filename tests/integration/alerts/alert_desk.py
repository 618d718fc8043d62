"""Alerts over a real Postgres, with a clock, moments and notices that tests decide on."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from app.domain.alerts import AlertMoment
from app.domain.ids import UserId
from app.domain.principal import Principal
from app.protocol.frames import NoticeFrame
from app.security.outbound import Allowed, Outbound
from app.security.sealing import Sealer
from app.services.agents import Agents
from app.services.alerts.alert_openings import Openings
from app.services.alerts.alert_ports import Moments, Post
from app.services.alerts.alert_wishes import AlertWishes
from app.services.alerts.alerts import Alerts
from app.services.alerts.moments import StoredMoments
from app.services.alerts.webhooks import Webhooks
from app.services.alerts.withdrawals import Withdrawals
from app.services.conversations.runs import Runs
from app.storage.agent_reads import AgentReads
from app.storage.alerts import StoredAlerts
from app.storage.deliveries import StoredDeliveries
from app.storage.engine import Database
from app.storage.withdrawals import StoredWithdrawals
from app.wiring.alerts import GuardedPost
from tests.integration.storage.desk import NOW
from tools.market.store import BarStore, InstrumentStore
from tools.registry import ToolBox

SEALER = Sealer(["a secret key that only tests ever use"])
OVER_800 = {"field": "close", "op": ">", "value": 800}


class Told:
    """Notices that were sent."""

    def __init__(self) -> None:
        self.notices: list[tuple[UserId, NoticeFrame]] = []

    def notify(self, user_id: UserId, notice: NoticeFrame) -> None:
        self.notices.append((user_id, notice))


class Given:
    """Moments that a test hands out."""

    def __init__(self) -> None:
        self.moments: list[AlertMoment] = []

    async def newest(self, symbol: str, timeframe: str, **_: object) -> list[AlertMoment]:
        return self.moments


class AlertsAt:
    """What `app/wiring/alerts.py` joins, its parts in reach; nothing works by itself."""

    def __init__(
        self,
        database: Database,
        market: tuple[InstrumentStore, BarStore],
        runs: Runs,
        toolbox: ToolBox,
        agents: Agents,
        *,
        moments: Moments | None = None,
        allow: Sequence[str] = (),
        post: Post | None = None,
    ) -> None:
        self.now = datetime(2026, 11, 26, 12, tzinfo=UTC)
        self.notices = Told()
        self.store = StoredAlerts(database)
        self.deliveries = StoredDeliveries(database, SEALER)
        instruments, bars = market
        self.moments = moments or StoredMoments(bars, clock=self.clock)
        self.webhooks = Webhooks(
            self.deliveries,
            post or GuardedPost(Outbound(Allowed.read(allow))),
            clock=self.clock,
            jitter=lambda: 0.5,
        )
        self.openings = Openings(
            self.store,
            runs,
            toolbox,
            self.notices,
            address=lambda: "https://desk.example.com",
            sent=self.webhooks.wake,
            clock=self.clock,
        )
        self.alerts = Alerts(
            self.store,
            self.deliveries,
            instruments,
            agents,
            self.moments,
            self.openings,
            self.webhooks,
            clock=self.clock,
        )
        self.withdrawals = Withdrawals(
            StoredWithdrawals(database),
            self.alerts,
            runs,
            self.notices,
            address=lambda: "https://desk.example.com",
            sent=self.webhooks.wake,
            clock=self.clock,
        )

    def clock(self) -> datetime:
        return self.now

    def later(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    async def make(self, owner: Principal, **wishes: object) -> UUID:
        given = {"symbol": "GOOG", "condition": OVER_800, **wishes}
        return (await self.alerts.create(owner, AlertWishes(**given))).id  # type: ignore[arg-type]


def agents_of(database: Database, toolbox: ToolBox, prompts: object) -> Agents:
    """Return the agents of a database."""
    return Agents(AgentReads(database), tools=toolbox.specs, prompts=prompts, clock=lambda: NOW)  # type: ignore[arg-type]


def bar(close: float | None, day: int, **more: object) -> AlertMoment:
    """Return a daily bar of GOOG in February 2013."""
    given = {"signals": (), "before": None, **more}
    return AlertMoment(
        symbol="GOOG",
        timeframe="1d",
        bar_time=datetime(2013, 2, day, tzinfo=UTC),
        now={"close": close},
        **given,  # type: ignore[arg-type]
    )
