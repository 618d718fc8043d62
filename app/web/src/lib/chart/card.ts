/** A chart as it is drawn: the card `chart.candles` of an answer, or a market page's own. */

export type Point = [time: number, value: number];
export type Bar = [time: number, open: number, high: number, low: number, close: number, volume: number];

export type Direction = "bullish" | "bearish" | "neutral";

export interface ChartLine {
  name: string;
  points: Point[];
  /** The per-bar number it shows, by which later bars bring its next point. */
  field?: string;
  shape?: "line" | "histogram";
}

export interface ChartPane {
  name: string;
  lines: ChartLine[];
  levels: number[];
}

export interface ChartMarker {
  time: number;
  text: string;
  direction: Direction;
  /** The signal it opens; a card's markers open nothing. */
  id?: string;
}

export interface ChartCard {
  symbol: string;
  name: string;
  /** Said of a chart whose other lines are not on this price: they start where it starts. */
  title: string | null;
  currency: string;
  timeframe: string;
  source: string;
  asOf: string;
  bars: Bar[];
  overlays: ChartLine[];
  panes: ChartPane[];
  markers: ChartMarker[];
  levels: { price: number; kind: string }[];
  trendLine: { direction: string; points: Point[] } | null;
  /** The last bar is still open. */
  provisional: boolean;
}

/** Return the card's content with what may be missing filled in; null when there is nothing to draw. */
export function chartCard(content: Record<string, unknown>): ChartCard | null {
  const raw = content as unknown as Partial<ChartCard>;
  if (!Array.isArray(raw.bars) || raw.bars.length === 0) return null;
  return {
    symbol: raw.symbol ?? "",
    name: raw.name ?? "",
    title: raw.title ?? null,
    currency: raw.currency ?? "",
    timeframe: raw.timeframe ?? "1d",
    source: raw.source ?? "",
    asOf: raw.asOf ?? "",
    bars: raw.bars,
    overlays: raw.overlays ?? [],
    panes: raw.panes ?? [],
    markers: raw.markers ?? [],
    levels: raw.levels ?? [],
    trendLine: raw.trendLine ?? null,
    provisional: raw.provisional ?? false,
  };
}

/**
 * Return one chart of two of the same symbol: tools that run side by side each draw what they know,
 * and in no certain order. The one that says more about the price is drawn, not both on one another.
 */
export function merged(a: ChartCard, b: ChartCard): ChartCard {
  const says = (card: ChartCard): number => card.markers.length + card.levels.length;
  const [base, other] = says(a) > says(b) ? [a, b] : [b, a];
  if (base.timeframe !== other.timeframe) return b;
  return {
    ...base,
    overlays: base.overlays.length > 0 ? base.overlays : other.overlays,
    panes: base.panes.length > 0 ? base.panes : other.panes,
    trendLine: base.trendLine ?? other.trendLine,
  };
}

export function day(time: number): string {
  return new Date(time * 1000).toISOString().slice(0, 10);
}

export function isIntraday(timeframe: string): boolean {
  return /[mh]$/.test(timeframe);
}

/** When a bar opened: the day, and the hour where bars are shorter than days. */
export function barTime(time: number, timeframe: string): string {
  const iso = new Date(time * 1000).toISOString();
  return isIntraday(timeframe) ? `${iso.slice(0, 10)} ${iso.slice(11, 16)}` : iso.slice(0, 10);
}

const WORDS: Record<string, string> = {
  "1m": "one-minute",
  "5m": "five-minute",
  "15m": "quarter-hour",
  "1h": "hourly",
  "4h": "four-hour",
  "1d": "daily",
  "1w": "weekly",
};

/** From the shortest. */
export const TIMEFRAMES = Object.keys(WORDS);

/** "daily" for "1d". */
export function timeframeWord(timeframe: string): string {
  return WORDS[timeframe] ?? timeframe;
}

/** Each line's values by time, so that moving the pointer costs a look-up. */
export function valuesOf(lines: readonly ChartLine[]): Map<string, Map<number, number>> {
  return new Map(lines.map((line) => [line.name, new Map(line.points)]));
}

/** Whether `after` only changes the last bar of `before` and adds newer ones. */
export function continues(before: readonly Bar[], after: readonly Bar[]): boolean {
  const grown = after.length - before.length;
  if (before.length === 0 || grown < 0 || grown > 50) return false;
  if (before.at(-1)?.[0] !== after[before.length - 1]?.[0]) return false;
  return before.slice(0, -1).every((bar, place) => {
    const now = after[place];
    return now === bar || (now !== undefined && bar.every((value, part) => value === now[part]));
  });
}

/** The decimals in which prices are shown: cents, and as fine as the source below ten. */
export function decimalsOf(bars: readonly Bar[]): number {
  const closes = bars.slice(-60).map((bar) => bar[4]);
  const finest = Math.max(2, ...closes.map((close) => String(close).split(".")[1]?.length ?? 0));
  const least = Math.min(...closes.map(Math.abs));
  return least >= 10 ? 2 : Math.min(finest, least >= 1 ? 4 : 6);
}
