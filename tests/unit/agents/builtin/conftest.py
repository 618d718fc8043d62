"""A desk for conversations with the built-in model: the real tools on the vendored prices."""

import asyncio
import json
from collections.abc import Coroutine, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from agents.claims import Claim, Evidence, find_claims
from agents.llms.builtin import BuiltinLLM
from agents.llms.llm import LLMReply, LLMRequest
from agents.messages import Message
from tests.unit.tools.shipped_news import demo_news
from tools.analytics.fundamentals import Statement
from tools.desk import market_tools
from tools.errors import ToolError
from tools.market.demo import vendored_market
from tools.market.fundamentals import InProcessStatements
from tools.market.news import InProcessNews
from tools.registry import ToolBox
from tools.tool import ToolContext

NOW = datetime(2026, 11, 23, tzinfo=UTC)
_REPORT = Statement(
    symbol="IBM",
    period_end=date(2012, 12, 31),
    months=12,
    published_at=datetime(2013, 2, 20, tzinfo=UTC),
    currency="USD",
    revenue=Decimal("1234567890"),
    net_income=Decimal("-98765432"),
    equity=Decimal("4000000000"),
    total_debt=Decimal("1500000000"),
    shares=Decimal("100000000"),
    dividends_per_share=Decimal("3.30"),
    source="made-up report for a test",
)


class Answer(msgspec.Struct, frozen=True):
    """What came of one question."""

    text: str
    pieces: list[str]
    claims: list[Claim]
    evidence: list[Evidence]
    history: list[Message]
    """Everything said, the answer included."""
    replies: list[LLMReply]

    @property
    def calls(self) -> list[tuple[str, dict[str, Any]]]:
        return [(one.tool, one.arguments) for one in self.evidence]

    def unverified(self) -> list[str]:
        return [
            f"{claim.text!r} in …{self.text[max(0, claim.start - 50) : claim.end + 20]}…"
            for claim in self.claims
            if claim.status == "unverified"
        ]


def _everything() -> ToolBox:
    market = vendored_market()
    news = _now(demo_news(market))
    statements = InProcessStatements([_REPORT])
    return ToolBox(market_tools(market, market, news=news, statements=statements))


class Desk:
    """Runs turns as the agent loop does; `broken` tools fail with a sentence."""

    def __init__(self, toolbox: ToolBox | None = None) -> None:
        self.toolbox = _everything() if toolbox is None else toolbox
        self.llm = BuiltinLLM()
        self._known: dict[str, dict[str, Any] | str] = {}

    async def ask(
        self,
        question: str,
        history: Sequence[Message] = (),
        *,
        broken: Sequence[str] = (),
        offered: Sequence[str] | None = None,
    ) -> Answer:
        messages = [*history, Message(role="user", content=question)]
        evidence: list[Evidence] = []
        replies: list[LLMReply] = []
        while len(replies) < 8:
            pieces: list[str] = []
            request = LLMRequest(
                model="outcry-builtin-1",
                system="You are an analyst.",
                messages=tuple(messages),
                tools=self.toolbox.specs(offered),
            )
            reply = await self.llm.complete(request, pieces.append)
            replies.append(reply)
            messages.append(
                Message(role="assistant", content=reply.text, tool_requests=reply.tool_requests)
            )
            if not reply.tool_requests:
                claims = find_claims(reply.text, evidence)
                return Answer(reply.text, pieces, claims, evidence, messages, replies)
            for call in reply.tool_requests:
                result = await self._call(call.name, call.arguments, broken)
                failed = isinstance(result, str)
                messages.append(
                    Message(
                        role="tool",
                        content=result if isinstance(result, str) else json.dumps(result),
                        tool_request_id=call.id,
                        failed=failed,
                    )
                )
                if isinstance(result, dict):
                    evidence.append(
                        Evidence(
                            tool_call_id=call.id,
                            tool=call.name,
                            arguments=call.arguments,
                            result=result,
                        )
                    )
        raise AssertionError(f"{question!r} never came to an answer")

    async def _call(
        self, name: str, arguments: dict[str, Any], broken: Sequence[str]
    ) -> dict[str, Any] | str:
        if name in broken:
            return f"{name} did not answer within 20 seconds and was stopped."
        key = f"{name} {json.dumps(arguments, sort_keys=True)}"
        if key not in self._known:
            context = ToolContext(principal_id="somebody", now=NOW)
            try:
                result = await self.toolbox.call(name, arguments, context)
                self._known[key] = result.evidence()
            except ToolError as error:
                self._known[key] = error.message
        return self._known[key]


def _now(work: Coroutine[Any, Any, InProcessNews]) -> InProcessNews:
    """Do something that never really waits, outside of any test's loop."""
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(work)
    finally:
        loop.close()


@pytest.fixture(scope="session")
def desk() -> Desk:
    return Desk()
