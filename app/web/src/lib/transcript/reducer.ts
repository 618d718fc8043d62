/**
 * Events in, view out. Pure: the same events give the same transcript however often the socket
 * dropped in between, because whatever was seen before (`seq` not above the last) changes nothing.
 */

import type { AgentEvent, Claim, Cost, EventFrame, Receipt } from "../protocol/types";
import { evidenceIn } from "./evidence";
import { openingTurn, type Answer, type Block, type Call, type Piece, type Question, type Transcript, type Turn } from "./types";

/** A hole before this event: it must not be applied, the missing ones must be fetched first. */
export function leavesHole(transcript: Transcript, frame: EventFrame): boolean {
  return frame.seq > transcript.seq + 1;
}

/** Return the transcript after `frame`; the very same object when it brings nothing new. */
export function reduce(transcript: Transcript, frame: EventFrame): Transcript {
  if (frame.seq <= transcript.seq || frame.threadId !== transcript.threadId) return transcript;
  const turns = applied(transcript.turns, frame.runId, frame.event);
  return { ...transcript, seq: frame.seq, turns };
}

function applied(turns: Turn[], runId: string, event: AgentEvent): Turn[] {
  if (event.type === "RUN_STARTED") return started(turns, event);
  // A run that began before this view of the journal did: show what there is to show.
  const known = turns.some((turn) => turn.answers.some((answer) => answer.runId === runId));
  const ready = known ? turns : [...turns.slice(0, -1), ...adopt(turns.at(-1), runId)];
  return ready.map((turn) => {
    const answers = turn.answers.map((answer) =>
      answer.runId === runId && !answer.settled ? progressed(answer, event) : answer,
    );
    const same = answers.every((answer, i) => answer === turn.answers[i]);
    return same ? turn : { ...turn, answers };
  });
}

function adopt(last: Turn | undefined, runId: string): Turn[] {
  if (last === undefined) {
    const question = { id: `before-${runId}`, text: "", timestamp: null };
    return [{ question, answers: [newAnswer(runId)] }];
  }
  return [{ ...last, answers: [...last.answers, newAnswer(runId)] }];
}

export function newAnswer(runId: string): Answer {
  return {
    runId,
    messageId: null,
    status: "running",
    blocks: [],
    pieces: [],
    calls: [],
    cards: [],
    claims: [],
    receipt: null,
    grades: [],
    cost: null,
    step: null,
    failure: null,
    agent: null,
    llm: null,
    settled: false,
    timestamp: null,
  };
}

function plainText(content: unknown): string {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return "";
  return content
    .map((part: unknown) =>
      typeof part === "object" && part !== null && "text" in part ? String(part.text) : "",
    )
    .join("");
}

function started(turns: Turn[], event: Extract<AgentEvent, { type: "RUN_STARTED" }>): Turn[] {
  const { runId } = event;
  if (turns.some((turn) => turn.answers.some((answer) => answer.runId === runId))) return turns;
  const timestamp = event.timestamp === undefined ? null : new Date(event.timestamp).toISOString();
  const props = event.input?.forwardedProps?.outcry;
  const answer: Answer = {
    ...newAnswer(runId),
    agent: props?.agent ? { name: props.agent.name } : null,
    llm: props?.llm ?? null,
    timestamp,
  };
  const asked = event.input?.messages?.find((message) => message.role === "user");
  const from = props?.userMessageId ?? props?.fromMessageId ?? null;
  if (props?.mode === "alert") return [...turns, openingTurn(answer)];
  if (props?.mode === "regenerate" || asked === undefined) return regenerated(turns, from, answer);
  const question: Question = { id: asked.id, text: plainText(asked.content), timestamp };
  const kept = props?.mode === "edit" ? before(turns, props.fromMessageId ?? "") : turns;
  const known = kept.findIndex((turn) => turn.question.id === question.id);
  if (known < 0) return [...kept, { question, answers: [answer] }];
  return kept.map((turn, i) =>
    i === known ? { ...turn, answers: [...turn.answers, answer] } : turn,
  );
}

function before(turns: Turn[], questionId: string): Turn[] {
  const place = turns.findIndex((turn) => turn.question.id === questionId);
  return place < 0 ? turns : turns.slice(0, place);
}

function regenerated(turns: Turn[], from: string | null, answer: Answer): Turn[] {
  const meant = turns.findIndex(
    (turn) =>
      turn.question.id === from ||
      turn.answers.some(
        (one) => one.messageId === from || one.pieces.some((piece) => piece.messageId === from),
      ),
  );
  const place = from === null || meant < 0 ? turns.length - 1 : meant;
  const turn = turns[place];
  if (turn === undefined) return adopt(undefined, answer.runId);
  return [...turns.slice(0, place), { ...turn, answers: [...turn.answers, answer] }];
}

function progressed(answer: Answer, event: AgentEvent): Answer {
  switch (event.type) {
    case "STEP_STARTED":
      return { ...answer, step: event.stepName };
    case "STEP_FINISHED":
      return answer.step === event.stepName ? { ...answer, step: null } : answer;
    case "TEXT_MESSAGE_START":
      return withPiece(answer, event.messageId);
    case "TEXT_MESSAGE_CONTENT":
      return onPiece(withPiece(answer, event.messageId), event.messageId, (piece) => ({
        ...piece,
        text: piece.text + event.delta,
      }));
    case "TEXT_MESSAGE_END":
      return onPiece(answer, event.messageId, (piece) => ({ ...piece, open: false }));
    case "TOOL_CALL_START":
      return withCall(answer, event.toolCallId, event.toolCallName);
    case "TOOL_CALL_ARGS":
      return onCall(answer, event.toolCallId, (call) => ({ ...call, args: call.args + event.delta }));
    case "TOOL_CALL_END":
      return answer;
    case "TOOL_CALL_RESULT":
      return onCall(answer, event.toolCallId, (call) => answered(call, event));
    case "ACTIVITY_SNAPSHOT":
      return withCard(answer, event);
    case "CUSTOM":
      return customised(answer, event.name, event.value);
    case "RUN_FINISHED": {
      const cancelled = event.outcome?.type === "cancelled";
      return ended(answer, cancelled ? "cancelled" : "done", event.metadata?.outcry);
    }
    case "RUN_ERROR": {
      const failure = { code: event.code ?? "failed", message: event.message };
      return { ...ended(answer, "failed", event.metadata?.outcry), failure };
    }
    default:
      // AG-UI grows: an event this client does not know yet changes nothing it shows.
      return answer;
  }
}

function withPiece(answer: Answer, messageId: string): Answer {
  if (answer.pieces.some((piece) => piece.messageId === messageId)) return answer;
  const piece: Piece = { messageId, text: "", open: true };
  const blocks: Block[] = [...answer.blocks, { kind: "text", messageId }];
  return { ...answer, pieces: [...answer.pieces, piece], blocks, messageId };
}

function onPiece(answer: Answer, messageId: string, change: (piece: Piece) => Piece): Answer {
  const pieces = answer.pieces.map((piece) =>
    piece.messageId === messageId ? change(piece) : piece,
  );
  return { ...answer, pieces };
}

function withCall(answer: Answer, id: string, name: string): Answer {
  if (answer.calls.some((call) => call.id === id)) return answer;
  const call: Call = {
    id,
    name,
    args: "",
    status: "running",
    words: answer.step ?? name,
    evidence: null,
    failure: null,
    durationMs: null,
  };
  const last = answer.blocks.at(-1);
  const blocks: Block[] =
    last?.kind === "calls"
      ? [...answer.blocks.slice(0, -1), { kind: "calls", ids: [...last.ids, id] }]
      : [...answer.blocks, { kind: "calls", ids: [id] }];
  return { ...answer, calls: [...answer.calls, call], blocks };
}

function onCall(answer: Answer, id: string, change: (call: Call) => Call): Answer {
  return { ...answer, calls: answer.calls.map((call) => (call.id === id ? change(call) : call)) };
}

function answered(call: Call, event: Extract<AgentEvent, { type: "TOOL_CALL_RESULT" }>): Call {
  const told = event.metadata?.outcry;
  const evidence = evidenceIn(event.content);
  const failed = told?.status === "failure" || (told?.status === undefined && evidence === null);
  return {
    ...call,
    status: failed ? "failure" : "success",
    words: told?.summary || evidence?.summary || call.words,
    evidence: failed ? null : evidence,
    failure: failed ? event.content : null,
    durationMs: told?.durationMs ?? null,
  };
}

function withCard(
  answer: Answer,
  event: Extract<AgentEvent, { type: "ACTIVITY_SNAPSHOT" }>,
): Answer {
  const from = event.content["toolCallId"];
  const card = {
    id: event.messageId,
    type: event.activityType,
    toolCallId: typeof from === "string" ? from : null,
    content: event.content,
  };
  const others = answer.cards.filter((one) => one.id !== card.id);
  return { ...answer, cards: [...others, card] };
}

function customised(answer: Answer, name: string, value: unknown): Answer {
  if (name === "outcry.claims") {
    const { messageId, claims } = value as { messageId: string; claims: Claim[] };
    return { ...answer, messageId, claims };
  }
  if (name === "outcry.cost") return { ...answer, cost: value as Cost };
  return answer;
}

function ended(
  answer: Answer,
  status: "done" | "cancelled" | "failed",
  told: { messageId?: string | null; receipt?: Receipt | null } | undefined,
): Answer {
  const stopped = (call: Call): Call =>
    call.status === "running" ? { ...call, status: "stopped" } : call;
  return {
    ...answer,
    status,
    step: null,
    messageId: told?.messageId ?? answer.messageId,
    receipt: told?.receipt ?? null,
    calls: answer.calls.map(stopped),
    pieces: answer.pieces.map((piece) => (piece.open ? { ...piece, open: false } : piece)),
  };
}
