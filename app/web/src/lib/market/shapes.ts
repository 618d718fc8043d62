/** What the market side of the REST door answers (docs/rest.md). Nothing here is computed. */

import type { Direction } from "../chart/card";

export interface BarView {
  timestamp: string;
  open: number;
  high: number;
  low: number;
  close: number;
  volume: number;
}

export interface BarSeries {
  symbol: string;
  timeframe: string;
  source: string;
  adjusted: boolean;
  /** What the source gives: prices as traded, or divided by later splits already. */
  basis?: "as_traded" | "split_adjusted";
  /** The shorter bars that these were made of, where they are not stored. */
  resampledFrom?: string | null;
  items: BarView[];
}

/** A bar that is not believed, and so neither drawn nor computed with. */
export interface Suspect {
  id: string;
  timeframe: string;
  timestamp: string;
  open: number | null;
  high: number | null;
  low: number | null;
  close: number | null;
  reason: string;
  /** Whether it can be accepted at all. */
  possible: boolean;
  source: string;
  status: "quarantined" | "accepted" | "rejected";
}

export interface Gaps {
  calendar: string;
  expected: number;
  stored: number;
  missing: number;
  gaps: { first: string; last: string; bars: number }[];
  notes: string[];
}

/** What a company did to its shares; numbers are decimal strings. */
export interface CorporateAction {
  kind: string;
  exDate: string;
  newShares: string | null;
  oldShares: string | null;
  amount: string | null;
  currency: string | null;
  newSymbol: string | null;
  fromContract?: string | null;
  toContract?: string | null;
  fromPrice?: string | null;
  toPrice?: string | null;
  note: string | null;
  withdrawnAt?: string | null;
}

export interface IndicatorSeries {
  symbol: string;
  timeframe: string;
  source: string;
  asOf: string | null;
  series: Record<string, { timestamp: string; value: number }[]>;
}

/** How a kind of signal has fared. Rates are shares of 1. */
export interface TrackRecord {
  event?: string | null;
  horizonBars?: number | null;
  n?: number | null;
  hits?: number | null;
  hitRate?: number | null;
  wilsonLow?: number | null;
  wilsonHigh?: number | null;
  baseRate?: number | null;
  /** Which earlier signals were counted. */
  like?: string | null;
  /** The same on this symbol alone. */
  own?: { n: number; hits: number; hitRate: number | null; baseRate: number | null } | null;
}

export interface Vote {
  name: string;
  value: number | null;
  signal: "buy" | "sell" | "neutral";
  weight: number;
}

/** How a signal turned out. */
export interface Grade {
  result: "hit" | "miss" | "none";
  /** What was compared, in `unit`. */
  value: number | null;
  unit: string;
  resolvedAt: string | null;
  note?: string | null;
}

/** How the news sounded, −1 to 1. */
export interface SentimentAnalysis {
  score: number;
  sources: { type: string; name: string; score: number; weight: number; timestamp: string }[];
  keywords: string[];
  topics: string[];
}

/** Ratios and sums of what was reported; money as decimal strings. */
export type FundamentalAnalysis = Partial<
  Record<"peRatio" | "pbRatio" | "divYield" | "marketCap" | "revenue" | "earnings" | "debtToEquity" | "roe", number | string | null>
>;

export interface MarketSignal {
  id: string;
  symbol: string;
  signalType: string;
  /** Which of the two kinds of `volatility`. */
  variant?: string | null;
  direction: Direction;
  strength: number;
  timeframe: string;
  reason?: string;
  confidence: number | null;
  baseRate?: number | null;
  edge?: string | null;
  state: "active" | "superseded" | "expired" | "resolved";
  endedAt?: string | null;
  endReason?: string | null;
  outcome?: Grade | null;
  /** When the bar opened at whose close it fired. */
  validFrom: string;
  validUntil: string | null;
  indicators?: Vote[];
  technicalAnalysis?: Record<string, unknown> | null;
  sentimentAnalysis?: SentimentAnalysis | null;
  fundamentalAnalysis?: FundamentalAnalysis | null;
  trackRecord?: TrackRecord | null;
}

export interface CurvePoint {
  bar: number;
  mean: number;
  baseline: number;
  low: number | null;
  high: number | null;
}

export interface Score {
  signalType: string;
  variant?: string | null;
  market?: string;
  direction: Direction;
  symbol: string | null;
  timeframe: string;
  n: number;
  hits: number;
  hitRate: number | null;
  wilsonLow: number | null;
  wilsonHigh: number | null;
  baseRate: number | null;
  edge: string;
  meanExcessAtr: number | null;
  tStatistic: number | null;
  horizonBars: number;
  event: string;
  curve: CurvePoint[];
}

export interface NewsItem {
  id: string;
  type: string;
  sourceName: string;
  title: string;
  url: string | null;
  publishedAt: string;
  symbols: string[];
  score: number | null;
  label: string | null;
  /** The scorer found nothing to go by. */
  abstained?: boolean;
  keywords?: string[];
  topics?: string[];
  synthetic?: boolean;
  duplicateOf?: string | null;
}

export interface Sentiment {
  score: number | null;
  sources: { type: string; name: string; score: number; weight: number; timestamp: string }[];
  keywords: string[];
  topics: string[];
  n: number;
  disagreement: number | null;
  asOf: string | null;
  /** How many of the items were invented for the demonstration. */
  synthetic?: number;
  notes?: string[];
}

export interface Fundamentals {
  periodEnd?: string | null;
  publishedAt?: string | null;
  source?: string | null;
  currency?: string | null;
  definitions?: Record<string, string>;
  /** Why a value is not known. */
  reasons?: Record<string, string>;
  notes?: string[];
  [name: string]: unknown;
}

export interface ToolAnswer {
  data: Record<string, unknown>;
  asOf: string | null;
  source: string;
  units: Record<string, string>;
  summary: string;
  cards: { activityType?: string; type?: string; content: Record<string, unknown> }[];
}

export interface ToolSpec {
  name: string;
  description: string;
  parameters?: Record<string, unknown>;
}

/** One thing that a page reads, as it stands. */
export type Part<T> =
  | { is: "waiting" }
  | { is: "ready"; value: T }
  /** There is none of it; `words` may say why. */
  | { is: "none"; words: string }
  /** This server does not know the question. */
  | { is: "absent" }
  | { is: "failed"; words: string };

export const WAITING = { is: "waiting" } as const;
