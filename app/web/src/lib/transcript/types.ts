/** What a conversation looks like to a person: turns, each a question and its answers. */

import type { AgentName, Grade } from "../rest";
import type { Claim, Cost, LlmName, Receipt } from "../protocol/types";

export interface Evidence {
  data: unknown;
  asOf: string | null;
  source: string | null;
  units: Record<string, string>;
  summary: string | null;
}

export interface Call {
  id: string;
  name: string;
  /** JSON text while it streams, and after. */
  args: string;
  status: "running" | "success" | "failure" | "stopped";
  /** What is or was done, in plain words. */
  words: string;
  evidence: Evidence | null;
  /** The sentence of a tool that failed. */
  failure: string | null;
  durationMs: number | null;
}

export interface Card {
  id: string;
  type: string;
  toolCallId: string | null;
  content: Record<string, unknown>;
}

export interface Piece {
  messageId: string;
  text: string;
  open: boolean;
}

/** What stands under a question, in the order in which it happened. */
export type Block = { kind: "text"; messageId: string } | { kind: "calls"; ids: string[] };

export interface Failure {
  code: string;
  message: string;
}

export interface Answer {
  runId: string;
  /** The stored message, once it is known. */
  messageId: string | null;
  status: "running" | "done" | "cancelled" | "failed";
  blocks: Block[];
  pieces: Piece[];
  calls: Call[];
  cards: Card[];
  claims: Claim[];
  receipt: Receipt | null;
  /** Of the forecasts it shows. */
  grades: Grade[];
  cost: Cost | null;
  /** What is happening now, in plain words. */
  step: string | null;
  failure: Failure | null;
  agent: Pick<AgentName, "name"> | null;
  llm: LlmName | null;
  /** From the store: complete, so a replay of its events adds nothing. */
  settled: boolean;
  timestamp: string | null;
}

export interface Question {
  id: string;
  text: string;
  timestamp: string | null;
}

export interface Turn {
  question: Question;
  /** Regenerating adds a sibling; the newest is the one in force. */
  answers: Answer[];
}

export interface Transcript {
  threadId: string;
  /** Everything up to here has been applied. */
  seq: number;
  turns: Turn[];
}

const OPENING = "opened-";

/** The turn of an answer that nobody asked for: an alert opened the conversation with it. */
export function openingTurn(answer: Answer): Turn {
  return { question: { id: OPENING + answer.runId, text: "", timestamp: answer.timestamp }, answers: [answer] };
}

export function isOpening(turn: Turn): boolean {
  return turn.question.id.startsWith(OPENING);
}

export function emptyTranscript(threadId: string): Transcript {
  return { threadId, seq: 0, turns: [] };
}

/** The text that claims speak of: the last piece. */
export function finalPiece(answer: Answer): Piece | null {
  return answer.pieces.at(-1) ?? null;
}

export function runningAnswer(transcript: Transcript): Answer | null {
  for (const turn of transcript.turns.toReversed()) {
    const found = turn.answers.find((answer) => answer.status === "running");
    if (found !== undefined) return found;
  }
  return null;
}
