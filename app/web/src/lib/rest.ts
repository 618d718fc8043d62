/** The REST door (docs/rest.md): typed calls, and refusals in the server's own words. */

import type { Claim, LlmName, Principal, Receipt } from "./protocol/types";

export interface Page<T> {
  items: T[];
  nextCursor: string | null;
}

export interface Me extends Principal {
  llm?: LlmName;
}

export interface AgentName {
  id: string;
  name: string;
  type: string;
}

export interface Agent extends AgentName {
  status: string;
  capabilities?: string[];
  tools?: { name: string; description: string }[];
}

export interface ConversationRow {
  id: string;
  title: string;
  pinned: boolean;
  status: string;
  startedAt: string;
  updatedAt?: string;
  agent: AgentName;
  messageCount: number;
  lastMessage?: string | { content?: string; snippet?: string; timestamp?: string } | null;
  cost?: { amount: string | null; currency?: string; priced: boolean } | null;
  running?: string | null;
  lastSeq: number;
  /** Up to where its owner has read, in whichever browser. */
  readSeq: number;
}

export interface StoredToolCall {
  id?: string;
  callId?: string;
  toolCallId?: string;
  toolName: string;
  input: Record<string, unknown>;
  output: Record<string, unknown>;
  duration: number;
  status: "success" | "failure";
}

export interface StoredAttachment {
  id?: string;
  type: string;
  url?: string;
  content?: Record<string, unknown> | null;
}

/** How a forecast that an answer shows turned out; `grade` is null while that is not known. */
export interface Grade {
  predictionId: string;
  toolCallId: string;
  grade: "hit" | "miss" | "none" | null;
  words: string;
}

export interface StoredMessage {
  id: string;
  role: "user" | "assistant" | "system";
  content: string;
  timestamp: string;
  runId?: string | null;
  parentId?: string | null;
  stopped?: "cancelled" | "failed" | null;
  supersededAt?: string | null;
  superseded?: boolean;
  toolCalls?: StoredToolCall[];
  claims?: Claim[];
  receipt?: Receipt | null;
  grades?: Grade[];
  attachments?: StoredAttachment[];
}

export interface Instrument {
  symbol: string;
  name: string;
  kind: string;
  currency: string;
  source: string;
  firstBar?: string | null;
  lastBar?: string | null;
  barCount?: number;
  exchange?: string | null;
  provenance?: Record<string, unknown>;
  listedOn?: string | null;
  delistedOn?: string | null;
  formerSymbols?: { symbol: string; validFrom: string | null; validTo: string }[];
  /** Bars that are not believed, of any timeframe. */
  suspectCount?: number;
}

export interface SearchHit {
  conversationId: string;
  messageId: string;
  title: string;
  /** Hits stand between \u0001 and \u0002. */
  snippet: string;
  timestamp: string;
}

/** A refusal (RFC 9457), or the network's silence (status 0). */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

export interface Api {
  get<T>(path: string, query?: Record<string, string | number | boolean | undefined>): Promise<T>;
  post<T>(path: string, body?: unknown): Promise<T>;
  patch<T>(path: string, body: unknown): Promise<T>;
  delete(path: string): Promise<void>;
}

async function problemOf(response: Response): Promise<Problem> {
  let body: { code?: string; detail?: string; title?: string } = {};
  if ((response.headers.get("content-type") ?? "").includes("json")) {
    body = (await response.json()) as typeof body;
  }
  const words = body.detail ?? body.title ?? `The server answered ${response.status}.`;
  return new Problem(response.status, body.code ?? `http_${response.status}`, words);
}

/** Return the API; `signedOut` hears of every 401 outside signing in. */
export function createApi(signedOut: () => void, fetcher: typeof fetch = fetch): Api {
  async function call(method: string, path: string, body?: unknown): Promise<Response> {
    const init: RequestInit = { method, credentials: "same-origin", headers: { accept: "application/json" } };
    if (body !== undefined) {
      init.body = JSON.stringify(body);
      init.headers = { ...init.headers, "content-type": "application/json" };
    }
    let response: Response;
    try {
      response = await fetcher(`/api/v1${path}`, init);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      throw new Problem(0, "unreachable", "The server cannot be reached.");
    }
    if (response.ok) return response;
    const problem = await problemOf(response);
    if (problem.status === 401 && !path.startsWith("/auth/")) signedOut();
    throw problem;
  }
  return {
    async get<T>(path: string, query: Record<string, string | number | boolean | undefined> = {}) {
      const asked = Object.entries(query).flatMap(([name, value]) =>
        value === undefined ? [] : [[name, String(value)]],
      );
      const suffix = asked.length === 0 ? "" : `?${new URLSearchParams(asked).toString()}`;
      return (await (await call("GET", path + suffix)).json()) as T;
    },
    async post<T>(path: string, body: unknown = {}) {
      const response = await call("POST", path, body);
      return (response.status === 204 ? null : await response.json()) as T;
    },
    async patch<T>(path: string, body: unknown) {
      return (await (await call("PATCH", path, body)).json()) as T;
    },
    async delete(path: string) {
      await call("DELETE", path);
    },
  };
}
