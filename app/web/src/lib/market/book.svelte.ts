/** Everything that a market page knows of one symbol, part by part, kept up to date while it is open. */

import type { ChartCard } from "../chart/card";
import { chartCard, TIMEFRAMES } from "../chart/card";
import type { Api, Instrument, Page } from "../rest";
import type { MarketFrame } from "../protocol/types";
import type { Live } from "./live";
import { read, valueOf } from "./read";
import { barOf, chartOf, fieldsOf, markersOf, seconds, withMoment, withSignals } from "./series";
import {
  WAITING,
  type BarSeries,
  type Fundamentals,
  type IndicatorSeries,
  type MarketSignal,
  type NewsItem,
  type Part,
  type Score,
  type Sentiment,
  type ToolAnswer,
} from "./shapes";

const FIRST_BARS = 520;
const MOST_BARS = 10_000;
/** At first; with older bars in view as many as one page has. */
const SIGNALS = 80;
const MOST_SIGNALS = 200;
/** Signals settle when bars come; they are read again this long after the last of a burst. */
const CALM_MS = 800;
const LONGEST_BURST_MS = 3_000;
const FIRST_WAIT_MS = 2_000;
/** So far back a burst of bars is checked for holes. */
const VERIFIED_BARS = 50;

export class MarketBook {
  instrument = $state.raw<Part<Instrument>>(WAITING);
  bars = $state.raw<Part<BarSeries>>(WAITING);
  signals = $state.raw<Part<MarketSignal[]>>(WAITING);
  scores = $state.raw<Part<Score[]>>(WAITING);
  news = $state.raw<Part<NewsItem[]>>(WAITING);
  sentiment = $state.raw<Part<Sentiment>>(WAITING);
  fundamentals = $state.raw<Part<Fundamentals>>(WAITING);
  timeframe = $state("1d");
  adjusted = $state(true);
  /** The newest live frame, for what the page says beside the chart. */
  latest = $state.raw<MarketFrame | null>(null);
  reading = $state(false);
  /** Timeframes that are made of shorter bars, and of which. */
  made = $state.raw<ReadonlyMap<string, string>>(new Map());
  /** Timeframes of which there are no bars. */
  without = $state.raw<ReadonlySet<string>>(new Set());

  private base = $state.raw<ChartCard | null>(null);
  chart: ChartCard | null = $derived.by(() => {
    const { base } = this;
    if (base === null) return null;
    return { ...base, markers: markersOf(valueOf(this.signals) ?? [], base.bars, base.timeframe) };
  });

  /** The last bar's change in percent, as the server computed it. */
  change = $state<number | null>(null);

  /** The numbers that the chart has. */
  private fields = new Set<string>();
  private limit = FIRST_BARS;
  private turn = 0;
  private calm: ReturnType<typeof setTimeout> | undefined;
  /** When the bars that are coming now began to. */
  private burst: number | null = null;
  private again: ReturnType<typeof setTimeout> | undefined;
  private closed = false;
  private unwatch: (() => void) | null = null;

  constructor(
    readonly symbol: string,
    private readonly api: Api,
    private readonly live: Live,
    private readonly tools: () => ReadonlySet<string>,
    /** The layers that are switched off. */
    private readonly off: () => ReadonlySet<string>,
  ) {}

  open(): void {
    void this.readInstrument();
    void this.readChart();
    void this.readSignals();
    void this.readScores();
    const symbol = this.symbol;
    void read(() => this.api.get<Page<NewsItem>>("/news", { symbol, limit: 12 })).then((part) => {
      this.news = part.is === "ready" ? { is: "ready", value: part.value.items } : part;
    });
    void read(() => this.api.get<Sentiment>("/news/sentiment", { symbol })).then((part) => (this.sentiment = part));
    void read(() => this.api.get<Fundamentals>("/fundamentals", { symbol })).then((part) => (this.fundamentals = part));
    void this.readTimeframes();
    this.follow();
  }

  private async readTimeframes(): Promise<void> {
    const { symbol } = this;
    const found = await Promise.all(
      TIMEFRAMES.map(async (timeframe) => {
        const part = await read(() => this.api.get<BarSeries>("/bars", { symbol, timeframe, limit: 1 }));
        if (part.is !== "ready") return null;
        return { timeframe, none: part.value.items.length === 0, of: part.value.resampledFrom ?? null };
      }),
    );
    const known = found.filter((one) => one !== null);
    this.without = new Set(known.filter((one) => one.none).map((one) => one.timeframe));
    this.made = new Map(known.flatMap((one) => (one.of === null ? [] : [[one.timeframe, one.of] as const])));
  }

  close(): void {
    this.turn += 1;
    this.closed = true;
    clearTimeout(this.calm);
    clearTimeout(this.again);
    this.unwatch?.();
    this.unwatch = null;
  }

  use(change: { timeframe?: string; adjusted?: boolean }): void {
    const other = change.timeframe !== undefined && change.timeframe !== this.timeframe;
    this.timeframe = change.timeframe ?? this.timeframe;
    this.adjusted = change.adjusted ?? this.adjusted;
    if (other) {
      this.limit = FIRST_BARS;
      this.follow();
      void this.readSignals();
      void this.readScores();
    }
    void this.readChart();
  }

  /** Older bars came into view, or a period that needs them was asked for. */
  older(from: number | null = null): void {
    const items = valueOf(this.bars)?.items;
    const first = items?.[0];
    if (items === undefined || first === undefined || this.reading) return;
    if (items.length < this.limit || this.limit >= MOST_BARS) return;
    const missing = from === null || seconds(first.timestamp) > from;
    if (!missing) return;
    this.limit = from === null ? Math.min(MOST_BARS, this.limit * 3) : MOST_BARS;
    void this.readChart();
    void this.readSignals();
  }

  /** A layer was switched on: read what it shows, unless it is there. */
  need(): void {
    if (fieldsOf(this.off()).some((field) => !this.fields.has(field))) void this.readChart();
  }

  private async readInstrument(): Promise<void> {
    this.instrument = await read(() => this.api.get<Instrument>(`/instruments/${encodeURIComponent(this.symbol)}`));
  }

  /** Read bars, indicators and levels together, so that the chart is of one moment. */
  private async readChart(): Promise<void> {
    const turn = (this.turn += 1);
    this.reading = true;
    const { symbol, timeframe, adjusted, limit } = this;
    const asked = fieldsOf(this.off());
    const [instrument, bars, indicators, drawn] = await Promise.all([
      read(() => this.api.get<Instrument>(`/instruments/${encodeURIComponent(symbol)}`)),
      read(() => this.api.get<BarSeries>("/bars", { symbol, timeframe, limit, adjusted })),
      read(() => this.api.get<IndicatorSeries>("/indicators", { symbol, timeframe, limit, fields: asked.join(",") })),
      this.readLevels(timeframe),
    ]);
    if (turn !== this.turn) return;
    this.reading = false;
    this.fields = new Set(asked);
    this.instrument = instrument;
    this.bars = bars;
    this.change = adjusted ? (valueOf(indicators)?.series["changePercent"]?.at(-1)?.value ?? null) : null;
    const known = valueOf(instrument);
    const candles = valueOf(bars);
    this.base =
      known === null || candles === null
        ? null
        : chartOf({ instrument: known, bars: candles, indicators: valueOf(indicators), signals: [], drawn });
  }

  private async readLevels(timeframe: string): Promise<ChartCard | null> {
    // The tool speaks of daily bars.
    if (timeframe !== "1d" || !this.tools().has("levels")) return null;
    const asked = { arguments: { symbol: this.symbol } };
    const answer = valueOf(await read(() => this.api.post<ToolAnswer>("/tools/levels", asked)));
    const drawn = answer?.cards.find((one) => (one.activityType ?? one.type) === "chart.candles");
    return drawn === undefined ? null : chartCard(drawn.content);
  }

  /** Support, resistance and the trend line as they are after the newest bar. */
  private async redrawLevels(): Promise<void> {
    const turn = this.turn;
    const drawn = await this.readLevels(this.timeframe);
    if (turn !== this.turn || this.base === null || drawn === null) return;
    this.base = { ...this.base, levels: drawn.levels, trendLine: drawn.trendLine };
  }

  private async readSignals(waitMs = FIRST_WAIT_MS): Promise<void> {
    clearTimeout(this.again);
    if (!this.tools().has("scorecard")) {
      this.signals = { is: "absent" };
      return;
    }
    const { symbol, timeframe } = this;
    const limit = this.limit > FIRST_BARS ? MOST_SIGNALS : SIGNALS;
    const part = await read(() => this.api.get<Page<MarketSignal>>("/signals", { symbol, timeframe, limit }));
    if (timeframe !== this.timeframe || this.closed) return;
    this.signals = part.is === "ready" ? { is: "ready", value: part.value.items } : part;
    if (part.is !== "ready" || part.value.items.length > 0) return;
    // A desk that has just loaded its data is still reading signals from it.
    this.again = setTimeout(() => void this.readSignals(waitMs * 2), waitMs);
  }

  private async readScores(): Promise<void> {
    if (!this.tools().has("scorecard")) {
      this.scores = { is: "absent" };
      return;
    }
    const { symbol, timeframe } = this;
    const part = await read(() => this.api.get<{ items: Score[] }>("/signals/scorecard", { symbol, timeframe }));
    if (timeframe !== this.timeframe) return;
    this.scores = part.is === "ready" ? { is: "ready", value: part.value.items } : part;
  }

  private follow(): void {
    this.unwatch?.();
    this.unwatch = this.live.watch(this.symbol, this.timeframe, (frame, first) => this.take(frame, first));
  }

  private take(frame: MarketFrame, first: boolean): void {
    this.latest = frame;
    if (frame.signals.length > 0 && this.signals.is === "ready") {
      this.signals = { is: "ready", value: withSignals(this.signals.value, frame.signals) };
    }
    const { base } = this;
    if (base === null) return;
    if (!this.adjusted) {
      // Frames tell adjusted prices.
      if (!first) this.soon(() => void this.readChart());
      return;
    }
    const last = base.bars.at(-1);
    const bar = barOf(frame.bar);
    const same = last !== undefined && bar.every((value, part) => value === last[part]);
    if (first && same) return;
    // Nothing new at the end: an older bar was corrected. And what came while no socket was open is unknown.
    if (same || first || bar[0] < (last?.[0] ?? 0)) {
      this.soon(() => void this.readChart());
      return;
    }
    this.base = withMoment(base, frame);
    this.change = frame.indicators["changePercent"] ?? null;
    if (!frame.provisional) this.soon(() => void this.verify());
  }

  /** Once a burst of bars is over, or has lasted; signals settle with every bar. */
  private soon(act: () => void): void {
    const now = performance.now();
    this.burst ??= now;
    clearTimeout(this.calm);
    this.calm = setTimeout(
      () => {
        this.burst = null;
        act();
        void this.readSignals();
      },
      Math.max(0, Math.min(CALM_MS, this.burst + LONGEST_BURST_MS - now)),
    );
  }

  /** A slow socket gets only the newest bar: read anew if one between was passed over. */
  private async verify(): Promise<void> {
    const { symbol, timeframe, adjusted, turn } = this;
    const asked = { symbol, timeframe, adjusted, limit: VERIFIED_BARS };
    const recent = valueOf(await read(() => this.api.get<BarSeries>("/bars", asked)));
    if (turn !== this.turn || this.base === null || recent === null) return;
    const times = new Set(this.base.bars.map(([time]) => time));
    if (recent.items.every((item) => times.has(seconds(item.timestamp)))) await this.redrawLevels();
    else await this.readChart();
  }
}
