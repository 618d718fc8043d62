"""What an owner wishes of an alert, checked."""

from typing import Any
from uuid import UUID

import msgspec

from app.domain.alerts import MOST_BARS, Alert, AlertStatus, Rules
from app.domain.errors import Invalid, NotFound
from app.domain.ids import AgentId
from app.domain.text import clean_text
from app.services.agents import Agents
from app.services.alerts.webhooks import Webhooks
from tools.analytics.conditions import BadCondition, describe, parse, to_json
from tools.errors import UnknownSymbol
from tools.market.bars import TIMEFRAMES
from tools.market.store import InstrumentStore
from tools.market.symbols import resolve

_LONGEST_NAME = 120
_LONGEST_WORDS = 500


class AlertWishes(msgspec.Struct, frozen=True, kw_only=True):
    """What an owner says of an alert; UNSET leaves it alone, or takes the default."""

    name: str | msgspec.UnsetType = msgspec.UNSET
    symbol: str | msgspec.UnsetType = msgspec.UNSET
    timeframe: str | msgspec.UnsetType = msgspec.UNSET
    condition: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET
    words: str | msgspec.UnsetType = msgspec.UNSET
    status: AlertStatus | msgspec.UnsetType = msgspec.UNSET
    agent_id: UUID | msgspec.UnsetType | None = msgspec.UNSET
    fire_if_already_true: bool | msgspec.UnsetType = msgspec.UNSET
    cooldown_bars: int | msgspec.UnsetType = msgspec.UNSET
    ends_after_bars: int | msgspec.UnsetType = msgspec.UNSET
    webhook_url: str | msgspec.UnsetType | None = msgspec.UNSET


class Wisher:
    """Turns wishes into alerts."""

    def __init__(self, instruments: InstrumentStore, agents: Agents, webhooks: Webhooks) -> None:
        self._instruments = instruments
        self._agents = agents
        self._webhooks = webhooks

    async def apply(self, alert: Alert, wishes: AlertWishes) -> Alert:
        """Return `alert` as it is wished.

        Raises:
            Invalid: something about it is wrong; says what is allowed.
            NotFound: `unknown_symbol`, or there is no such agent.
        """
        given = {
            name: value
            for name in wishes.__struct_fields__
            if (value := getattr(wishes, name)) is not msgspec.UNSET
        }
        changed: dict[str, Any] = {}
        if "symbol" in given:
            changed["symbol"] = await self._symbol(given["symbol"])
        if "timeframe" in given:
            if given["timeframe"] not in TIMEFRAMES:
                raise Invalid(f"`timeframe` must be one of {', '.join(TIMEFRAMES)}.")
            changed["timeframe"] = given["timeframe"]
        if "condition" in given:
            changed["condition"] = _condition(given["condition"])
        if "words" in given:
            changed["words"] = _text(given["words"], "words", most=_LONGEST_WORDS)
        if "status" in given:
            changed["status"] = given["status"]
        if "agent_id" in given:
            changed["agent_id"] = await self._agent(given["agent_id"])
        if "webhook_url" in given:
            changed |= self._webhook(given["webhook_url"])
        name = given.get("name", alert.name)
        condition = changed.get("condition", alert.condition)
        changed["name"] = (
            _text(name, "name", most=_LONGEST_NAME)
            or _text(describe(parse(condition)), "name", most=None)[:_LONGEST_NAME]
        )
        changed["rules"] = _rules(alert.rules, given)
        return msgspec.structs.replace(alert, **changed)

    async def _symbol(self, said: str) -> str:
        found = await self._instruments.find(said.strip().upper())
        if found is None:
            try:
                found = resolve(clean_text(said), await self._instruments.all())
            except UnknownSymbol as unknown:
                raise NotFound(unknown.message, code="unknown_symbol") from None
        return found.symbol

    async def _agent(self, agent_id: UUID | None) -> AgentId | None:
        if agent_id is None:
            return None
        return AgentId((await self._agents.get(agent_id)).id)

    def _webhook(self, url: str | None) -> dict[str, str | None]:
        if url is not None:
            self._webhooks.check(url)
        return {"webhook_url": url, "webhook_off": None}


def _condition(given: dict[str, Any]) -> dict[str, Any]:
    try:
        return to_json(parse(given))
    except BadCondition as wrong:
        raise Invalid(f"`condition`: {wrong}.", code="bad_condition") from None


def _rules(rules: Rules, given: dict[str, Any]) -> Rules:
    changed = {name: given[name] for name in Rules.__struct_fields__ if name in given}
    for name, least, said in (
        ("cooldown_bars", 0, "cooldownBars"),
        ("ends_after_bars", 1, "endsAfterBars"),
    ):
        if name in changed and not least <= changed[name] <= MOST_BARS:
            raise Invalid(f"`{said}` must be from {least} to {MOST_BARS:,}.")
    return msgspec.structs.replace(rules, **changed)


def _text(said: str, name: str, *, most: int | None) -> str:
    text = " ".join(clean_text(said).split())
    if most is not None and len(text) > most:
        raise Invalid(f"`{name}` may have {most} characters; it has {len(text)}.")
    return text
