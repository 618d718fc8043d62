/** The card `chart.candles` as it is drawn; numbers here are rounded for drawing only. */

export type Point = [time: number, value: number];
export type Bar = [time: number, open: number, high: number, low: number, close: number, volume: number];

export interface ChartLine {
  name: string;
  points: Point[];
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
  panes: { name: string; lines: ChartLine[]; levels: number[] }[];
  markers: { time: number; text: string; direction: "bullish" | "bearish" | "neutral" }[];
  levels: { price: number; kind: string }[];
  trendLine: { direction: string; points: Point[] } | null;
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
