"""Finish runs whose process died: keep what they had said, settle what they had spent.

Nothing is executed again. The journal tells what was shown; from it the partial answer, its tool
calls and claims are stored, its open provider attempts are settled by estimate, and the run ends
as failed with the code `interrupted`, as one commit.
"""

from collections.abc import Sequence
from typing import Any, Literal, Protocol
from uuid import UUID

import msgspec
import structlog

from agents.citing import cite
from agents.claims import Claim, Evidence
from agents.events import RunError, StepFinished, TextEnded, ToolCallEnded, ToolCallResult
from agents.messages import Message, Usage
from agents.runs import RunOutcome, TextPiece, ToolCallRecord
from app.domain.costs import CostEntry
from app.domain.ids import RunId
from app.domain.journal import CostSettlement
from app.domain.runs import Run, RunMode
from app.domain.transcript import ToolTrace, Transcript, fold
from app.services.conversations.completion import completion
from app.services.conversations.journal import Journal
from app.services.conversations.pricing import PriceBook
from app.services.conversations.recorder import Clock, RunRecorder, utc_now
from app.services.conversations.run_commands import run_started
from app.services.ports import EventStore
from tools.tool import Card

log = structlog.get_logger(__name__)

_CUT_OFF = "The server stopped while this was being done."


class OrphanStore(Protocol):
    """Finds what dead processes left."""

    async def orphans(self) -> Sequence[Run]:
        """Return runs marked running whose owning process no longer lives."""
        ...

    async def question(self, run: Run) -> tuple[str, RunMode]:
        """Return what the run was to answer, and how."""
        ...

    async def history(self, run: Run) -> Sequence[Message]:
        """Return the turns before the run, which its answer may repeat numbers of."""
        ...

    async def cost_entries(self, run_id: RunId) -> Sequence[CostEntry]: ...

    async def abandoned_entries(self) -> Sequence[CostEntry]:
        """Return open cost entries whose run was deleted, and with it whoever would settle them."""
        ...


async def recover(
    orphans: OrphanStore,
    events: EventStore,
    journal: Journal,
    prices: PriceBook,
    *,
    clock: Clock = utc_now,
) -> int:
    """End every orphaned run; return how many there were."""
    ended = 0
    for run in await orphans.orphans():
        try:
            await _finish(run, orphans, events, journal, prices, clock)
        except Exception:
            # Somebody else may have ended it meanwhile; if not, the next round finds it again.
            log.exception("run.not_recovered", run_id=str(run.id))
        else:
            ended += 1
    await _settle_abandoned(await orphans.abandoned_entries(), journal, prices, clock)
    return ended


async def _settle_abandoned(
    entries: Sequence[CostEntry], journal: Journal, prices: PriceBook, clock: Clock
) -> None:
    """Settle by estimate what nobody is left to settle: all that was sent, and no answer."""
    for entry in entries:
        usage = Usage(input_tokens=entry.usage.input_tokens)
        settlement = CostSettlement(
            id=entry.id,
            outcome="interrupted",
            usage=usage,
            amount_usd=prices.price(entry.provider, entry.model, usage, at=entry.created_at),
            estimated=True,
            latency_ms=0,
            settled_at=clock(),
        )
        run_log = journal.open(entry.conversation_id, entry.run_id, 0)
        run_log.record(settlements=[settlement])
        await run_log.durable()
        log.warning("attempt.settled_for_nobody", attempt_id=str(entry.id))


async def _finish(
    run: Run,
    orphans: OrphanStore,
    events: EventStore,
    journal: Journal,
    prices: PriceBook,
    clock: Clock,
) -> None:
    transcript = fold(await events.of_run(run.id, run.conversation_id))
    _, head = await events.bounds(run.conversation_id)
    run_log = journal.open(run.conversation_id, run.id, head)
    recorder = RunRecorder(run_log, run, prices, clock=clock)
    if transcript.last_seq == 0:
        # It died between storing the question and telling of it.
        question, mode = await orphans.question(run)
        recorder.emit(run_started(run, question=question, mode=mode))
    recorder.restore(
        await orphans.cost_entries(run.id),
        # Text that was ended belongs to an attempt that was settled.
        streamed_characters=sum(len(p.text) for p in transcript.pieces if not p.ended),
    )
    now = clock()
    outcome = await _outcome(transcript, run, orphans)
    if not transcript.ended:
        for event in _closing_events(transcript):
            recorder.emit(event)
    receipt = recorder.receipt(
        duration_ms=max(0, round((now - run.started_at).total_seconds() * 1000)),
        provider=recorder.last_provider,
        model=recorder.last_model,
    )
    done = completion(run, outcome, recorder=recorder, receipt=receipt, now=now)
    if not transcript.ended:
        recorder.emit(
            RunError(
                message=outcome.error_message or _CUT_OFF,
                code="interrupted",
                metadata=done.told(),
            )
        )
    run_log.record(**done.rows)
    await run_log.durable()
    log.warning("run.recovered", run_id=str(run.id), pieces=len(transcript.pieces))


async def _outcome(transcript: Transcript, run: Run, orphans: OrphanStore) -> RunOutcome:
    calls = tuple(_call(trace, transcript.cards) for trace in transcript.tools)
    pieces = tuple(
        TextPiece(message_id=UUID(piece.message_id), text=piece.text)
        for piece in transcript.pieces
        if piece.text
    )
    evidence = [
        Evidence(call.call_id, call.name, call.arguments, call.output)
        for call in calls
        if call.status == "success"
    ]
    claims: tuple[Claim, ...] = ()
    if pieces:
        try:
            claims = cite(pieces[-1].text, evidence, await orphans.history(run))
        except Exception:
            # The answer stands without its evidence; the operator learns why.
            log.exception("claims.failed", run_id=str(run.id))
    return RunOutcome(
        status="failed",
        pieces=pieces,
        tool_calls=calls,
        claims=claims,
        error_code="interrupted",
        error_message=_CUT_OFF,
    )


def _call(trace: ToolTrace, cards: list[dict[str, Any]]) -> ToolCallRecord:
    status: Literal["success", "failure"] = "failure"
    output: dict[str, Any] = {"error": trace.result or _CUT_OFF}
    if trace.result is not None and trace.status == "success":
        status, output = "success", _json_object(trace.result)
    return ToolCallRecord(
        call_id=trace.call_id,
        name=trace.name,
        arguments=_json_object(trace.arguments_json),
        output=output,
        duration_ms=trace.duration_ms,
        status=status,
        cards=tuple(
            Card(event["activityType"], event["content"])
            for event in cards
            if event["content"].get("toolCallId") == trace.call_id
        ),
    )


def _json_object(text: str) -> dict[str, Any]:
    try:
        value = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return {}
    return value if isinstance(value, dict) else {}


def _closing_events(
    transcript: Transcript,
) -> list[TextEnded | ToolCallEnded | ToolCallResult | StepFinished]:
    """Return what keeps the sequence valid: ends for all that was begun."""
    closing: list[TextEnded | ToolCallEnded | ToolCallResult | StepFinished] = [
        TextEnded(message_id=piece.message_id) for piece in transcript.pieces if not piece.ended
    ]
    for trace in transcript.tools:
        if not trace.ended:
            closing.append(ToolCallEnded(tool_call_id=trace.call_id))
        if trace.result is None:
            closing.append(
                ToolCallResult(
                    message_id=f"{trace.call_id}-result",
                    tool_call_id=trace.call_id,
                    content=_CUT_OFF,
                    metadata={"outcry": {"status": "failure", "durationMs": 0}},
                )
            )
    closing.extend(StepFinished(step_name=name) for name in transcript.steps_open)
    return closing
