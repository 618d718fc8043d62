/** Build a transcript from stored messages, in the same shape that their events would have given. */

import type { StoredMessage, StoredToolCall } from "../rest";
import { evidenceOf } from "./evidence";
import { newAnswer } from "./reducer";
import { openingTurn, type Answer, type Block, type Call, type Card, type Piece, type Transcript, type Turn } from "./types";

/** Return the transcript of `messages` (in any order) as it stood at `seq`. */
export function fromMessages(
  threadId: string,
  messages: readonly StoredMessage[],
  seq: number,
  runningRunId: string | null,
): Transcript {
  const ordered = messages.toSorted(
    (a, b) => a.timestamp.localeCompare(b.timestamp) || a.id.localeCompare(b.id),
  );
  const turns: Turn[] = [];
  const byQuestion = new Map<string, Turn>();
  for (const message of ordered) {
    if (message.role !== "user" || isSuperseded(message)) continue;
    const { id, content, timestamp } = message;
    const turn: Turn = { question: { id, text: content, timestamp }, answers: [] };
    turns.push(turn);
    byQuestion.set(id, turn);
  }
  const questionOfRun = new Map(
    ordered.flatMap((one) => (one.role === "user" && one.runId ? [[one.runId, one.id]] : [])),
  );
  for (const [runId, pieces] of groupByRun(ordered)) {
    // Its events are still coming: they, not the pieces stored so far, build this answer.
    if (runId === runningRunId) continue;
    const last = pieces.at(-1);
    if (last === undefined) continue;
    const parent = pieces.map((one) => one.parentId).find((id) => id && byQuestion.has(id));
    const turn = byQuestion.get(parent ?? questionOfRun.get(runId) ?? "");
    const answer = answerOf(runId, pieces);
    if (turn !== undefined) turn.answers.push(answer);
    else if (isSuperseded(last)) continue;
    // Nobody asked: it opened the conversation, or its question is not here.
    else if (last.timestamp <= (turns[0]?.question.timestamp ?? last.timestamp)) turns.unshift(openingTurn(answer));
    else turns.at(-1)?.answers.push(answer);
  }
  return { threadId, seq, turns };
}

function isSuperseded(message: StoredMessage): boolean {
  return message.superseded === true || Boolean(message.supersededAt);
}

function groupByRun(ordered: readonly StoredMessage[]): Map<string, StoredMessage[]> {
  const runs = new Map<string, StoredMessage[]>();
  for (const message of ordered) {
    if (message.role !== "assistant") continue;
    const key = message.runId ?? message.id;
    runs.set(key, [...(runs.get(key) ?? []), message]);
  }
  for (const [key, pieces] of runs) runs.set(key, inOrder(pieces));
  return runs;
}

/** The pieces of one answer share a time; each names the one before it as its parent. */
function inOrder(pieces: readonly StoredMessage[]): StoredMessage[] {
  const ids = new Set(pieces.map(({ id }) => id));
  const after = new Map(pieces.map((piece) => [piece.parentId ?? "", piece]));
  const chain: StoredMessage[] = [];
  let next = pieces.find(({ parentId }) => !parentId || !ids.has(parentId));
  while (next !== undefined && chain.length < pieces.length) {
    chain.push(next);
    next = after.get(next.id);
  }
  return chain.length === pieces.length ? chain : [...pieces];
}

function answerOf(runId: string, stored: readonly StoredMessage[]): Answer {
  const last = stored.at(-1);
  const pieces: Piece[] = stored.map(({ id, content }) => ({ messageId: id, text: content, open: false }));
  const calls = stored.flatMap((message) => message.toolCalls ?? []).map(callOf);
  const texts: Block[] = pieces.map(({ messageId }) => ({ kind: "text", messageId }));
  const used: Block[] = calls.length > 0 ? [{ kind: "calls", ids: calls.map(({ id }) => id) }] : [];
  const stopped = last?.stopped ?? null;
  return {
    ...newAnswer(runId),
    messageId: last?.id ?? null,
    status: stopped ?? "done",
    blocks: [...texts.slice(0, -1), ...used, ...texts.slice(-1)],
    pieces,
    calls,
    cards: stored.flatMap(cardsOf),
    claims: last?.claims ?? [],
    receipt: last?.receipt ?? null,
    grades: stored.flatMap((message) => message.grades ?? []),
    failure:
      stopped === "failed" ? { code: "failed", message: "This answer broke off." } : null,
    settled: true,
    timestamp: last?.timestamp ?? null,
  };
}

function callOf(stored: StoredToolCall, place: number): Call {
  const failed = stored.status === "failure";
  const evidence = failed ? null : evidenceOf(stored.output);
  const said = stored.output["error"] ?? stored.output["message"];
  return {
    id: stored.callId ?? stored.toolCallId ?? stored.id ?? `call-${place}`,
    name: stored.toolName,
    args: JSON.stringify(stored.input),
    status: stored.status,
    words: evidence?.summary ?? stored.toolName,
    evidence,
    failure: failed ? (typeof said === "string" ? said : JSON.stringify(stored.output)) : null,
    durationMs: stored.duration,
  };
}

function cardsOf(message: StoredMessage): Card[] {
  return (message.attachments ?? []).flatMap((attachment, place) => {
    const content = attachment.content;
    if (attachment.type !== "chart" || !content) return [];
    // The card itself, or the card with its type beside it.
    const inner = content["content"];
    const nested = typeof inner === "object" && inner !== null && !Array.isArray(inner);
    const body = nested ? (inner as Record<string, unknown>) : content;
    const from = body["toolCallId"] ?? content["toolCallId"];
    return [
      {
        id: attachment.id ?? `${message.id}-${place}`,
        type: typeof content["activityType"] === "string" ? content["activityType"] : "chart.candles",
        toolCallId: typeof from === "string" ? from : null,
        content: body,
      },
    ];
  });
}
