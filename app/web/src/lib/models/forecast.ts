/** The card `forecast` of an answer (docs/tools.md), read strictly enough to be drawn. */

export interface FanLine {
  level: number;
  /** Seconds since 1970, price. */
  points: [number, number][];
}

export interface ForecastCard {
  symbol: string;
  currency: string;
  title: string;
  asOf: string | null;
  source: string;
  event: string;
  what: string;
  horizonBars: number;
  history: [number, number][];
  fan: FanLine[];
  baselineFan: FanLine[];
  expectedPercent?: number;
  probabilityPercent?: number;
  answer?: string;
  interval?: { lowPercent: number; highPercent: number; coveragePercent: number };
  baseline?: { name: string; valuePercent?: number; lowPercent?: number; highPercent?: number; probabilityPercent?: number };
  edge?: string;
  skill?: { skillPercent: number; skillLowPercent: number; skillHighPercent: number; against: string; metric: string; evaluatedCases: number };
  confidence?: { confidencePercent: number | null; cases: number; measuredOn: string | null; cameTruePercent: number | null };
  contributions?: { name: string; effect: string }[];
  model?: string;
  modelId?: string;
  predictionId?: string;
  resolvesAt?: string;
  /** Another version than the champion answered, which could not. */
  degraded?: boolean;
  askedModel?: string;
  degradedBecause?: string;
}

/** Who was asked and why another answered; null where the champion did itself. */
export function stoodIn(card: ForecastCard): { asked: string; why: string } | null {
  return card.degraded === true ? { asked: card.askedModel ?? "the champion", why: card.degradedBecause ?? "it was away" } : null;
}

export function forecastCard(content: Record<string, unknown>): ForecastCard | null {
  const ready = typeof content["symbol"] === "string" && typeof content["title"] === "string" && Array.isArray(content["history"]) && Array.isArray(content["fan"]);
  return ready ? (content as unknown as ForecastCard) : null;
}

export interface Plot {
  width: number;
  height: number;
  /** SVG paths. */
  history: string;
  median: string;
  bands: string[];
  baseline: string[];
  now: number;
  /** Grid lines: where, and the price there. */
  rows: { y: number; price: number }[];
  /** Labels below: where, and the day. */
  days: { x: number; time: number; anchor: "start" | "middle" | "end" }[];
}

const WIDTH = 340;
const HEIGHT = 170;
const LEFT = 4;
const RIGHT = 46;
const TOP = 8;
const BOTTOM = 20;
/** Of the width: history takes the rest. */
const AHEAD = 0.38;

/** Lay out history and fan; the days ahead are drawn wider than those behind. */
export function plot(card: ForecastCard): Plot | null {
  const end = card.fan.at(-1)?.points ?? [];
  if (card.history.length < 2 || end.length < 2) return null;
  const prices = [...card.history.map(([, price]) => price), ...card.fan.flatMap(({ points }) => points.map(([, price]) => price))];
  const low = Math.min(...prices);
  const high = Math.max(...prices);
  const room = (high - low || 1) * 0.06;
  const inner = WIDTH - LEFT - RIGHT;
  const split = LEFT + inner * (1 - AHEAD);
  const y = (price: number): number => TOP + ((high + room - price) / (high - low + 2 * room || 1)) * (HEIGHT - TOP - BOTTOM);
  const past = (index: number): number => LEFT + ((split - LEFT) * index) / (card.history.length - 1);
  const ahead = (step: number): number => split + ((LEFT + inner - split) * step) / (end.length - 1);
  const path = (points: [number, number][]): string => points.map(([x, at], place) => `${place === 0 ? "M" : "L"}${x.toFixed(1)} ${at.toFixed(1)}`).join("");
  const line = (one: FanLine): [number, number][] => one.points.map(([, price], step) => [ahead(step), y(price)]);

  const levels = [...card.fan].sort((a, b) => a.level - b.level);
  const bands: string[] = [];
  for (let place = 0; place < Math.floor(levels.length / 2); place += 1) {
    const lower = levels[place];
    const upper = levels[levels.length - 1 - place];
    if (lower === undefined || upper === undefined) continue;
    bands.push(`${path(line(lower))}${path([...line(upper)].reverse()).replace("M", "L")}Z`);
  }
  const middle = levels.find(({ level }) => level === 0.5);
  const outer = [...card.baselineFan].sort((a, b) => a.level - b.level);
  const baseline = [outer.find(({ level }) => level === 0.1), outer.find(({ level }) => level === 0.9)];
  const step = (high - low) / 3 || 1;
  const first = card.history[0]?.[0] ?? 0;
  const now = card.history.at(-1)?.[0] ?? 0;
  const last = end.at(-1)?.[0] ?? 0;
  return {
    width: WIDTH,
    height: HEIGHT,
    history: path(card.history.map(([, price], index) => [past(index), y(price)])),
    median: middle === undefined ? "" : path(line(middle)),
    bands,
    baseline: baseline.flatMap((one) => (one === undefined ? [] : [path(line(one))])),
    now: split,
    rows: [0, 1, 2, 3].map((place) => ({ y: y(low + place * step), price: low + place * step })),
    days: [
      { x: LEFT, time: first, anchor: "start" },
      { x: split, time: now, anchor: "middle" },
      { x: LEFT + inner, time: last, anchor: "end" },
    ],
  };
}
