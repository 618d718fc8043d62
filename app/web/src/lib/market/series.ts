/** From what REST and the socket tell to a chart, and from one chart to the next. Pure. */

import type { Bar, ChartCard, ChartLine, ChartMarker, ChartPane, Point } from "../chart/card";
import { layerOf, paneId } from "../chart/layers";
import type { Instrument } from "../rest";
import type { BarSeries, BarView, IndicatorSeries, MarketSignal, Score } from "./shapes";

const OVERLAYS: [field: string, name: string][] = [
  ["sma20", "SMA 20"],
  ["sma50", "SMA 50"],
  ["sma200", "SMA 200"],
  ["ema12", "EMA 12"],
  ["ema26", "EMA 26"],
  ["bollingerUpper", "Upper band"],
  ["bollingerMiddle", "Middle band"],
  ["bollingerLower", "Lower band"],
];

interface PanePlan {
  name: string;
  levels: number[];
  lines: [field: string, name: string, shape?: "histogram"][];
}

export const PANES: PanePlan[] = [
  { name: "RSI", levels: [30, 70], lines: [["rsi", "RSI 14"]] },
  {
    name: "MACD",
    levels: [0],
    lines: [["macd", "MACD 12/26"], ["macdSignal", "Signal 9"], ["macdHistogram", "Histogram", "histogram"]],
  },
  { name: "Stochastic", levels: [20, 80], lines: [["stochasticK", "%K 14/3"], ["stochasticD", "%D 3"]] },
  { name: "ADX", levels: [20], lines: [["adx", "ADX 14"], ["plusDi", "+DI"], ["minusDi", "−DI"]] },
  { name: "ATR", levels: [], lines: [["atr", "ATR 14"]] },
  { name: "On-balance volume", levels: [], lines: [["obv", "OBV"]] },
  { name: "Volatility, % a year", levels: [], lines: [["volatility20", "20 bars"], ["volatility60", "60 bars"]] },
  { name: "Composite strength", levels: [0], lines: [["strength", "Strength −100 to 100"]] },
];

/** The fields that a chart with these layers off shows; nothing else needs to be asked for. */
export function fieldsOf(off: ReadonlySet<string>): string[] {
  const overlays = OVERLAYS.filter(([, name]) => !off.has(layerOf({ name, points: [] }) ?? "")).map(([field]) => field);
  const below = PANES.filter(({ name }) => !off.has(paneId(name))).flatMap(({ lines }) => lines.map(([field]) => field));
  return ["changePercent", ...overlays, ...below];
}

export function seconds(iso: string): number {
  return Math.floor(Date.parse(iso) / 1000);
}

export function barOf(view: BarView): Bar {
  return [seconds(view.timestamp), view.open, view.high, view.low, view.close, view.volume];
}

function pointsOf(series: IndicatorSeries | null, field: string): Point[] {
  return (series?.series[field] ?? []).map(({ timestamp, value }) => [seconds(timestamp), value]);
}

export function markersOf(signals: readonly MarketSignal[], bars: readonly Bar[], timeframe: string): ChartMarker[] {
  const times = bars.map(([time]) => time);
  const first = times[0];
  const found: ChartMarker[] = [];
  for (const signal of signals) {
    if (signal.timeframe !== timeframe) continue;
    const time = seconds(signal.validFrom);
    const place = times.findLastIndex((one) => one <= time);
    const bar = times[place];
    if (bar === undefined || first === undefined || time < first) continue;
    found.push({ time: bar, text: kindWord(signal), direction: signal.direction, id: signal.id });
  }
  return found.toSorted((a, b) => a.time - b.time);
}

export function typeWord(signalType: string): string {
  return signalType.replaceAll("_", " ");
}

/** "volatility squeeze": what people call this kind of signal. */
export function kindWord(signal: { signalType: string; variant?: string | null }): string {
  const type = typeWord(signal.signalType);
  return signal.variant ? `${type} ${typeWord(signal.variant)}` : type;
}

export function scoreKey(score: Score): string {
  return [score.market ?? "", score.symbol ?? "", kindWord(score), score.direction].join(" ");
}

export interface Ingredients {
  instrument: Instrument;
  bars: BarSeries;
  indicators: IndicatorSeries | null;
  signals: readonly MarketSignal[];
  /** What the tool `levels` drew, if it did. */
  drawn: Pick<ChartCard, "levels" | "trendLine"> | null;
}

/** Return the market page's chart; null without bars. */
export function chartOf({ instrument, bars, indicators, signals, drawn }: Ingredients): ChartCard | null {
  if (bars.items.length === 0) return null;
  const candles = bars.items.map(barOf);
  const line = ([field, name, shape]: [string, string, "histogram"?]): ChartLine => ({
    name,
    field,
    points: pointsOf(indicators, field),
    ...(shape === undefined ? {} : { shape }),
  });
  // What was asked for and has no values does not exist here; what was not can still be switched on.
  const possible = ([field]: [string, ...unknown[]]): boolean => indicators?.series[field]?.length !== 0;
  // What is computed on split-adjusted prices has no place on prices as traded.
  const overlays = bars.adjusted ? OVERLAYS.filter(possible).map(line) : [];
  const panes: ChartPane[] = PANES.map(({ name, levels, lines }) => ({
    name,
    levels,
    lines: lines.filter(possible).map(line),
  })).filter(({ lines }) => lines.length > 0);
  return {
    symbol: instrument.symbol,
    name: instrument.name,
    title: null,
    currency: instrument.currency,
    timeframe: bars.timeframe,
    source: bars.source,
    asOf: bars.items.at(-1)?.timestamp ?? "",
    bars: candles,
    overlays,
    panes,
    markers: markersOf(signals, candles, bars.timeframe),
    levels: bars.adjusted ? (drawn?.levels ?? []) : [],
    trendLine: bars.adjusted ? (drawn?.trendLine ?? null) : null,
    provisional: false,
  };
}

/** A bar that arrived while the page was open. */
export interface Moment {
  symbol: string;
  timeframe: string;
  bar: BarView;
  indicators: Record<string, number | null>;
  provisional: boolean;
}

function withPoint(points: readonly Point[], time: number, value: number | null | undefined): Point[] {
  const kept = points.at(-1)?.[0] === time ? points.slice(0, -1) : [...points];
  if (value !== null && value !== undefined) kept.push([time, value]);
  return kept;
}

/**
 * Return the chart with a newer bar in place; the same chart when the bar is older than its last
 * one, for then the stored history was changed and has to be read again.
 */
export function withMoment(card: ChartCard, moment: Moment): ChartCard {
  if (moment.symbol !== card.symbol || moment.timeframe !== card.timeframe) return card;
  const bar = barOf(moment.bar);
  const last = card.bars.at(-1)?.[0] ?? 0;
  if (bar[0] < last) return card;
  const bars = bar[0] === last ? [...card.bars.slice(0, -1), bar] : [...card.bars, bar];
  const grow = (line: ChartLine): ChartLine =>
    line.field === undefined ? line : { ...line, points: withPoint(line.points, bar[0], moment.indicators[line.field]) };
  return {
    ...card,
    bars,
    asOf: moment.bar.timestamp,
    overlays: card.overlays.map(grow),
    panes: card.panes.map((pane) => ({ ...pane, lines: pane.lines.map(grow) })),
    provisional: moment.provisional,
  };
}

/** Return the signals with newly fired ones in front, each once. */
export function withSignals(signals: readonly MarketSignal[], fired: readonly MarketSignal[]): MarketSignal[] {
  const fresh = new Set(fired.map(({ id }) => id));
  return [...fired, ...signals.filter(({ id }) => !fresh.has(id))];
}
