/** What can be switched on and off in a chart. */

import type { ChartCard, ChartLine } from "./card";

export interface Layer {
  id: string;
  name: string;
  /** Whether it has a strip of its own below the prices. */
  pane: boolean;
}

const GROUPS: [id: string, name: string, is: RegExp][] = [
  ["averages", "Averages (SMA)", /^SMA/],
  ["exponential", "Averages (EMA)", /^EMA/],
  ["bands", "Bollinger bands", /band|bollinger/i],
];

/** The layer an overlay belongs to; null when it is what the chart is about. */
export function layerOf(line: ChartLine): string | null {
  return GROUPS.find(([, , is]) => is.test(line.name))?.[0] ?? null;
}

export function layersOf(card: ChartCard): Layer[] {
  const present = new Set(card.overlays.map(layerOf));
  const layers = GROUPS.filter(([id]) => present.has(id)).map(([id, name]) => ({ id, name, pane: false }));
  if (card.levels.length > 0) layers.push({ id: "levels", name: "Support and resistance", pane: false });
  if (card.trendLine !== null) layers.push({ id: "trend", name: "Trend line", pane: false });
  if (card.markers.length > 0) layers.push({ id: "signals", name: "Signals", pane: false });
  layers.push({ id: "volume", name: "Volume", pane: false });
  return [...layers, ...card.panes.map(({ name }) => ({ id: paneId(name), name, pane: true }))];
}

export function paneId(name: string): string {
  return `pane ${name}`;
}

/** Return the card with only what is switched on. */
export function withoutLayers(card: ChartCard, off: ReadonlySet<string>): ChartCard {
  return {
    ...card,
    overlays: card.overlays.filter((line) => !off.has(layerOf(line) ?? "")),
    panes: card.panes.filter(({ name }) => !off.has(paneId(name))),
    markers: off.has("signals") ? [] : card.markers,
    levels: off.has("levels") ? [] : card.levels,
    trendLine: off.has("trend") ? null : card.trendLine,
  };
}

const PERIODS: [name: string, days: number][] = [
  ["1D", 1],
  ["5D", 7],
  ["1M", 31],
  ["3M", 92],
  ["6M", 183],
  ["1Y", 366],
  ["5Y", 1827],
];
const FITTING: Record<string, string[]> = {
  "1m": ["1D", "5D"],
  "5m": ["1D", "5D", "1M"],
  "15m": ["1D", "5D", "1M"],
  "1h": ["5D", "1M", "3M"],
  "4h": ["1M", "3M", "6M"],
  "1d": ["1M", "3M", "6M", "1Y", "5Y"],
  "1w": ["6M", "1Y", "5Y"],
};

export interface Period {
  name: string;
  /** Seconds back from the last bar; null is everything. */
  seconds: number | null;
}

/** The periods that show neither a handful of bars nor a grey wall of them. */
export function periodsOf(timeframe: string): Period[] {
  const fitting = FITTING[timeframe] ?? ["1M", "1Y"];
  const known = PERIODS.filter(([name]) => fitting.includes(name));
  return [...known.map(([name, days]) => ({ name, seconds: days * 86_400 })), { name: "All", seconds: null }];
}

export const FIRST_PERIOD: Record<string, string> = { "1m": "1D", "5m": "1D", "15m": "5D", "1h": "1M", "4h": "3M", "1d": "6M", "1w": "5Y" };

export function flipped(set: ReadonlySet<string>, id: string): ReadonlySet<string> {
  const next = new Set(set);
  if (!next.delete(id)) next.add(id);
  return next;
}
