/** Alerts as the REST door tells them (docs/rest.md), and the words a new one begins with. */

import type { Json } from "./condition";
import { typeWord } from "./series";

export interface Alert {
  id: string;
  name: string;
  symbol: string;
  timeframe: string;
  condition: Json;
  description: string;
  status: "active" | "paused";
  /** What it waits for, in a sentence. */
  note?: string;
  /** Why nothing is sent any more. */
  webhookOff?: string | null;
  webhookUrl: string | null;
  lastFiredAt: string | null;
  episodeOpen: boolean;
  createdAt: string;
}

export interface Understood {
  condition: Json;
  description: string;
  symbol: string;
  timeframe: string;
}

export interface Delivery {
  status?: string;
  attempts?: unknown;
  [name: string]: unknown;
}

export interface Episode {
  id: string;
  firedAt: string;
  barTime: string;
  endedAt: string | null;
  threadId: string | null;
  /** Since when it is known that a correction took away what fired. */
  withdrawnAt?: string | null;
  withdrawnBecause?: string | null;
  evidence: Record<string, unknown>;
  deliveries?: Delivery[];
}

/** What the field begins with when a page sends somebody here. */
export function firstWords(query: URLSearchParams): string {
  const symbol = query.get("symbol");
  const signal = query.get("signal");
  if (symbol === null || signal === null) return "";
  const direction = query.get("direction") ?? "neutral";
  return `${direction === "neutral" ? "" : `${direction} `}${typeWord(signal)} signal on ${symbol}`;
}

/** Sentences that are understood. */
export function exampleWords(symbol: string): string[] {
  return [
    `Tell me when the RSI of ${symbol} rises above 70`,
    `Tell me when ${symbol} crosses below its 200-day line`,
    `Tell me when there is a bullish breakout on ${symbol}`,
  ];
}

/** Return the alerts with one changed, in its place; a new one comes first. */
export function withAlert(alerts: readonly Alert[], changed: Alert): Alert[] {
  return alerts.some(({ id }) => id === changed.id)
    ? alerts.map((one) => (one.id === changed.id ? changed : one))
    : [changed, ...alerts];
}
