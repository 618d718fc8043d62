"""`/alerts`: conditions that are told once per episode, by conversation and by webhook."""

from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Controller, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from app.domain.alerts import AlertStatus
from app.domain.principal import Principal
from app.rest.pages import Cursor, Limit
from app.rest.requests import Body
from app.rest.sign_in import may_read, may_write
from app.services.alerts.alert_views import (
    AlertView,
    EpisodeView,
    NewAlertView,
    ParsedView,
    SecretView,
    TrialView,
)
from app.services.alerts.alert_wishes import AlertWishes
from app.services.alerts.alerts import Alerts
from app.services.paging import DEFAULT_LIMIT, Page

Unset = msgspec.UnsetType
UNSET = msgspec.UNSET


class AlertBody(Body, frozen=True):
    """What makes an alert; only symbol and condition are needed."""

    symbol: str
    condition: dict[str, Any]
    timeframe: str | Unset = UNSET
    name: str | Unset = UNSET
    words: str | Unset = UNSET
    """The phrase it was made from."""
    agent_id: UUID | Unset | None = UNSET
    fire_if_already_true: bool | Unset = UNSET
    cooldown_bars: int | Unset = UNSET
    ends_after_bars: int | Unset = UNSET
    webhook_url: str | Unset | None = UNSET


class AlertPatchBody(Body, frozen=True):
    """What is to change; what is left out stays."""

    symbol: str | Unset = UNSET
    condition: dict[str, Any] | Unset = UNSET
    timeframe: str | Unset = UNSET
    name: str | Unset = UNSET
    words: str | Unset = UNSET
    status: AlertStatus | Unset = UNSET
    agent_id: UUID | Unset | None = UNSET
    fire_if_already_true: bool | Unset = UNSET
    cooldown_bars: int | Unset = UNSET
    ends_after_bars: int | Unset = UNSET
    webhook_url: str | Unset | None = UNSET


class ParseBody(Body, frozen=True):
    """A condition in plain words."""

    text: str


class AlertsController(Controller):
    """The caller's alerts."""

    path = "/alerts"
    tags = ("Alerts",)

    @get("/", guards=[may_read], summary="My alerts")
    async def page(
        self,
        principal: NamedDependency[Principal],
        alerts: NamedDependency[Alerts],
        symbol: Annotated[str | None, QueryParameter(name="symbol", max_length=64)] = None,
        status: FromQuery[AlertStatus | None] = None,
        cursor: Cursor = None,
        limit: Limit = DEFAULT_LIMIT,
    ) -> Page[AlertView]:
        """Return alerts, newest first."""
        return await alerts.page(
            principal, symbol=symbol, status=status, cursor=cursor, limit=limit
        )

    @post("/", guards=[may_write], summary="Make an alert")
    async def add(
        self,
        data: JSONBody[AlertBody],
        principal: NamedDependency[Principal],
        alerts: NamedDependency[Alerts],
    ) -> NewAlertView:
        """Make an alert and judge it at the newest bar. `webhookSecret` is shown this once."""
        return await alerts.create(principal, AlertWishes(**msgspec.structs.asdict(data)))

    @post("/parse", status_code=200, guards=[may_write], summary="Read a condition in plain words")
    async def parse(self, data: JSONBody[ParseBody], alerts: NamedDependency[Alerts]) -> ParsedView:
        """Return what a phrase says, to be confirmed before it is stored; nothing is."""
        return await alerts.parse(data.text)

    @get("/{alert_id:uuid}", guards=[may_read], summary="One alert")
    async def one(
        self,
        alert_id: FromPath[UUID],
        principal: NamedDependency[Principal],
        alerts: NamedDependency[Alerts],
    ) -> AlertView:
        """Return an alert and what it waits for."""
        return await alerts.get(principal, alert_id)

    @patch("/{alert_id:uuid}", guards=[may_write], summary="Change, pause or resume")
    async def change(
        self,
        alert_id: FromPath[UUID],
        data: JSONBody[AlertPatchBody],
        principal: NamedDependency[Principal],
        alerts: NamedDependency[Alerts],
    ) -> NewAlertView:
        """Change an alert. A new condition, symbol, timeframe or status begins anew."""
        wishes = AlertWishes(**msgspec.structs.asdict(data))
        return await alerts.change(principal, alert_id, wishes)

    @delete("/{alert_id:uuid}", guards=[may_write], summary="Delete an alert")
    async def delete(
        self,
        alert_id: FromPath[UUID],
        principal: NamedDependency[Principal],
        alerts: NamedDependency[Alerts],
    ) -> None:
        """Delete an alert with its episodes; the conversations they opened stay."""
        await alerts.delete(principal, alert_id)

    @get("/{alert_id:uuid}/episodes", guards=[may_read], summary="When it fired")
    async def episodes(
        self,
        alert_id: FromPath[UUID],
        principal: NamedDependency[Principal],
        alerts: NamedDependency[Alerts],
        cursor: Cursor = None,
        limit: Limit = DEFAULT_LIMIT,
    ) -> Page[EpisodeView]:
        """Return episodes with their evidence and deliveries, newest first."""
        return await alerts.episodes(principal, alert_id, cursor=cursor, limit=limit)

    @post(
        "/{alert_id:uuid}/test", status_code=200, guards=[may_write], summary="What would it say?"
    )
    async def test(
        self,
        alert_id: FromPath[UUID],
        principal: NamedDependency[Principal],
        alerts: NamedDependency[Alerts],
    ) -> TrialView:
        """Judge an alert at the newest bar without storing, opening or sending anything."""
        return await alerts.test(principal, alert_id)

    @post("/{alert_id:uuid}/secret", status_code=200, guards=[may_write], summary="A new secret")
    async def secret(
        self,
        alert_id: FromPath[UUID],
        principal: NamedDependency[Principal],
        alerts: NamedDependency[Alerts],
    ) -> SecretView:
        """Sign with another secret from now on; it is shown this once."""
        return await alerts.new_secret(principal, alert_id)
