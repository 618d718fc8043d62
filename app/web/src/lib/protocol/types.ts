/** The envelope and the AG-UI 1.0 events as they cross the socket (docs/protocol.md). */

import type { BarView, MarketSignal } from "../market/shapes";

export interface Claim {
  /** Which claim of the message this is: 1, 2, 3 … in reading order. */
  index: number;
  /** Offsets in Unicode code points of the message's Markdown source. */
  start: number;
  end: number;
  text: string;
  status: "supported" | "parameter" | "unverified";
  value?: number | string | null;
  toolCallId?: string | null;
  tool?: string | null;
  path?: string | null;
  label?: string | null;
  unit?: string | null;
  asOf?: string | null;
  source?: string | null;
}

export interface Receipt {
  amount: string;
  currency: string;
  priced: boolean;
  estimated: boolean;
  inputTokens: number;
  outputTokens: number;
  cachedTokens: number;
  attempts: number;
  durationMs: number;
  provider: string;
  model: string;
}

export interface Cost {
  amount: string | null;
  currency: string;
  priced: boolean;
}

export interface LlmName {
  provider: string;
  model: string;
  label?: string;
  free?: boolean;
}

export interface OutcryProps {
  agentId?: string;
  mode?: "answer" | "regenerate" | "edit" | "alert";
  fromMessageId?: string;
}

export interface InputMessage {
  id: string;
  role: "user";
  content: string;
}

export interface RunInput {
  threadId: string;
  runId: string;
  messages: InputMessage[];
  tools: unknown[];
  context: unknown[];
  state: Record<string, unknown>;
  forwardedProps: { outcry: OutcryProps };
}

interface RunEndMetadata {
  outcry?: { messageId?: string | null; receipt?: Receipt | null };
}

export type AgentEvent =
  | {
      type: "RUN_STARTED";
      threadId: string;
      runId: string;
      timestamp?: number;
      input?: {
        messages?: { id: string; role: string; content: unknown }[];
        forwardedProps?: {
          outcry?: OutcryProps & {
            userMessageId?: string;
            agent?: { id: string; name: string; version: number };
            llm?: LlmName;
          };
        };
      };
    }
  | { type: "STEP_STARTED" | "STEP_FINISHED"; stepName: string }
  | { type: "TEXT_MESSAGE_START" | "TEXT_MESSAGE_END"; messageId: string }
  | { type: "TEXT_MESSAGE_CONTENT"; messageId: string; delta: string }
  | { type: "TOOL_CALL_START"; toolCallId: string; toolCallName: string }
  | { type: "TOOL_CALL_ARGS"; toolCallId: string; delta: string }
  | { type: "TOOL_CALL_END"; toolCallId: string }
  | {
      type: "TOOL_CALL_RESULT";
      messageId: string;
      toolCallId: string;
      content: string;
      metadata?: {
        outcry?: { status?: "success" | "failure"; durationMs?: number; summary?: string };
      };
    }
  | {
      type: "ACTIVITY_SNAPSHOT";
      messageId: string;
      activityType: string;
      content: Record<string, unknown>;
    }
  | { type: "CUSTOM"; name: string; value: unknown }
  | {
      type: "RUN_FINISHED";
      threadId: string;
      runId: string;
      outcome?: { type: string };
      metadata?: RunEndMetadata;
    }
  | { type: "RUN_ERROR"; message: string; code?: string; metadata?: RunEndMetadata };

export interface Principal {
  userId: string;
  email: string;
  name: string;
  role: "user" | "admin";
}

export interface Limits {
  maxFrameBytes: number;
  maxMessageCharacters: number;
  pingIntervalS: number;
}

export interface FrameError {
  code: string;
  message: string;
  retryAfterS?: number;
}

export interface Welcome {
  type: "welcome";
  id: string;
  protocolVersion: string;
  principal: Principal;
  limits: Limits;
  llm?: LlmName;
  compact?: boolean;
}

export interface Reply {
  type: "reply";
  id: string;
  ok: boolean;
  result?: Record<string, unknown>;
  error?: FrameError;
}

export interface EventFrame {
  type: "event";
  threadId: string;
  runId: string;
  seq: number;
  event: AgentEvent;
}

/** The newest bar of a watched price and what was computed from it; kept nowhere. */
export interface MarketFrame {
  type: "market";
  symbol: string;
  timeframe: string;
  bar: BarView;
  indicators: Record<string, number | null>;
  /** Those that fired since the frame before. */
  signals: MarketSignal[];
  /** The bar is still open. */
  provisional: boolean;
  /** A bar of the past, shown again on a clock. */
  replay?: boolean;
}

export interface AlertNotice {
  type: "notice";
  kind: "alert";
  title: string;
  threadId: string;
  alertId: string;
  at: string;
}

/** Something goes wrong with a model; administrators are told. */
export interface AlarmNotice {
  type: "notice";
  kind: "modelAlarm";
  title: string;
  alarmId: string;
  modelId: string;
  at: string;
}

export type NoticeFrame = AlertNotice | AlarmNotice;

export type ServerFrame =
  | Welcome
  | Reply
  | EventFrame
  | MarketFrame
  | NoticeFrame
  | { type: "caughtUp"; threadId: string; seq: number }
  | { type: "gap"; threadId: string; oldestSeq: number }
  | { type: "pong"; id?: string }
  | { type: "error"; code: string; message: string; ref?: string };

/** A text delta that continues the message of the frame before it: `[seq, delta]`. */
export type CompactDelta = [number, string];

export type Command =
  | { type: "run"; input: RunInput }
  | { type: "stop"; runId: string }
  | { type: "subscribe"; threadId: string; since: number }
  | { type: "unsubscribe"; threadId: string }
  | { type: "ack"; threadId: string; seq: number }
  | { type: "watch" | "unwatch"; symbols: readonly string[]; timeframe: string };
