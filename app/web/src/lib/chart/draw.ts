/** Draw a chart with lightweight-charts. Loaded with the first chart only. */

import {
  CandlestickSeries,
  ColorType,
  createChart,
  createSeriesMarkers,
  HistogramSeries,
  LineSeries,
  LineStyle,
  type CandlestickData,
  type IChartApi,
  type IPriceLine,
  type ISeriesApi,
  type ISeriesMarkersPluginApi,
  type LogicalRange,
  type SeriesMarker,
  type SeriesType,
  type Time,
  type UTCTimestamp,
} from "lightweight-charts";
import { continues, type Bar, type ChartCard, type ChartLine, type ChartPane, type Point } from "./card";
import { paintOf, toneOf, type Paint } from "./paint";

export interface Listening {
  /** The bar under the pointer. */
  hover(time: number | null): void;
  /** A bar was clicked. */
  choose(time: number): void;
  /** The oldest bar came into view. */
  oldest(): void;
  /** Where each pane begins, in pixels from the top. */
  panes(tops: number[]): void;
}

export interface Options extends Listening {
  height: number;
  paneHeight: number;
  volume: boolean;
  digits: number;
  /** Times within the days are on the axis. */
  clock: boolean;
}

type Series = ISeriesApi<SeriesType>;
/** Markers carry words while no more than so many are in view. */
const WORDED_MARKERS = 12;
const PLAIN = { lastValueVisible: false, priceLineVisible: false, crosshairMarkerVisible: false } as const;

function at(time: number): UTCTimestamp {
  return time as UTCTimestamp;
}

interface Level {
  kind: string;
  price: number;
}

function isNearest(level: Level, levels: readonly Level[], price: number): boolean {
  const away = (one: Level): number => Math.abs(one.price - price);
  return levels.every((one) => one.kind !== level.kind || away(one) >= away(level));
}

export class Drawing {
  private readonly chart: IChartApi;
  private readonly paint: Paint;
  private readonly candles: ISeriesApi<"Candlestick">;
  private readonly volume: ISeriesApi<"Histogram"> | null;
  private readonly lines = new Map<string, Series>();
  private readonly markers: ISeriesMarkersPluginApi<Time>;
  private levels: IPriceLine[] = [];
  private card: ChartCard;
  private worded: boolean | null = null;
  private pointing = false;
  /** The time of the bar that the keyboard is at. */
  private pointed: number | null = null;
  private readonly still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  private readonly resized: ResizeObserver;

  constructor(
    private readonly element: HTMLElement,
    card: ChartCard,
    private readonly options: Options,
  ) {
    this.card = card;
    this.paint = paintOf(element);
    this.chart = this.makeChart();
    this.candles = this.chart.addSeries(CandlestickSeries, {
      upColor: this.paint.up,
      borderUpColor: this.paint.up,
      wickUpColor: this.paint.up,
      downColor: this.paint.down,
      borderDownColor: this.paint.down,
      wickDownColor: this.paint.down,
      priceLineVisible: false,
      priceFormat: { type: "price", precision: options.digits, minMove: 10 ** -options.digits },
    });
    this.candles.priceScale().applyOptions({ scaleMargins: { top: 0.08, bottom: options.volume ? 0.18 : 0.06 } });
    this.volume = options.volume ? this.makeVolume() : null;
    this.markers = createSeriesMarkers(this.candles, []);
    this.build();
    this.fill();
    this.listen();
    this.resized = new ResizeObserver(() => this.tellPanes());
    this.resized.observe(element);
  }

  private makeChart(): IChartApi {
    const { paint } = this;
    return createChart(this.element, {
      autoSize: true,
      layout: {
        background: { type: ColorType.Solid, color: paint.ground },
        textColor: paint.ink,
        fontSize: 11,
        fontFamily: paint.font,
        // The logo brings its own <style>, which the page's policy forbids; the link stands below.
        attributionLogo: false,
        panes: { separatorColor: paint.grid, enableResize: false },
      },
      grid: { vertLines: { visible: false }, horzLines: { color: paint.grid } },
      crosshair: {
        mode: 0,
        vertLine: { color: paint.quiet, labelBackgroundColor: paint.ink, width: 1 },
        horzLine: { color: paint.quiet, labelBackgroundColor: paint.ink, width: 1 },
      },
      rightPriceScale: { borderVisible: false, entireTextOnly: true, minimumWidth: 56 },
      timeScale: { borderColor: paint.grid, rightOffset: 3, timeVisible: this.options.clock, secondsVisible: false },
      kineticScroll: { touch: !this.still, mouse: false },
      // A page scrolls; the chart zooms by pinching, by its keys and by Ctrl and the wheel.
      handleScroll: { mouseWheel: false, vertTouchDrag: false },
      handleScale: { mouseWheel: false },
    });
  }

  private makeVolume(): ISeriesApi<"Histogram"> {
    const volume = this.chart.addSeries(HistogramSeries, {
      priceScaleId: "volume",
      priceFormat: { type: "volume" },
      color: `${this.paint.quiet}66`,
      lastValueVisible: false,
      priceLineVisible: false,
    });
    volume.priceScale().applyOptions({ scaleMargins: { top: 0.87, bottom: 0 } });
    return volume;
  }

  private build(): void {
    const { paint, card } = this;
    for (const [place, line] of card.overlays.entries()) {
      const tone = toneOf(line.name, place);
      const series = this.chart.addSeries(LineSeries, {
        ...PLAIN,
        color: tone === "band" ? paint.band : (paint.lines["abc".indexOf(tone)] ?? paint.ink),
        lineWidth: 1,
        lineStyle: tone === "band" ? LineStyle.Dashed : LineStyle.Solid,
      });
      this.lines.set(`over ${line.name}`, series);
    }
    if (card.trendLine !== null) {
      const look = { color: paint.ink, lineWidth: 2, lineStyle: LineStyle.LargeDashed } as const;
      this.lines.set("trend", this.chart.addSeries(LineSeries, { ...PLAIN, ...look }));
    }
    for (const [index, pane] of card.panes.entries()) this.buildPane(pane, index + 1);
    const { height, paneHeight } = this.options;
    this.chart.panes().forEach((pane, index) => pane.setStretchFactor(index === 0 ? height : paneHeight));
  }

  private buildPane(pane: ChartPane, index: number): void {
    const { paint } = this;
    for (const [place, line] of pane.lines.entries()) {
      // Not the colour of an average in the pane above.
      const color = place === 0 ? paint.ink : (paint.lines[(place - 1) % paint.lines.length] ?? paint.ink);
      const big = Math.max(...line.points.slice(-50).map(([, value]) => Math.abs(value))) >= 100_000;
      const format = big ? ({ priceFormat: { type: "volume" } } as const) : {};
      const series: Series =
        line.shape === "histogram"
          ? this.chart.addSeries(HistogramSeries, { ...PLAIN, ...format, color: `${paint.quiet}88` }, index)
          : this.chart.addSeries(LineSeries, { ...PLAIN, ...format, lastValueVisible: place === 0, color, lineWidth: 1 }, index);
      series.priceScale().applyOptions({ scaleMargins: { top: 0.24, bottom: 0.08 } });
      this.lines.set(`${pane.name} ${line.name}`, series);
      if (place > 0) continue;
      for (const price of pane.levels) {
        const look = { color: paint.quiet, lineWidth: 1, lineStyle: LineStyle.Dotted } as const;
        series.createPriceLine({ price, ...look, axisLabelVisible: false, title: "" });
      }
    }
  }

  private everyLine(card: ChartCard): [key: string, line: Pick<ChartLine, "points">][] {
    return [
      ...card.overlays.map((line): [string, ChartLine] => [`over ${line.name}`, line]),
      ...(card.trendLine === null ? [] : [["trend", card.trendLine] as [string, { points: Point[] }]]),
      ...card.panes.flatMap((pane) => pane.lines.map((line): [string, ChartLine] => [`${pane.name} ${line.name}`, line])),
    ];
  }

  private fill(): void {
    const { card } = this;
    this.candles.setData(card.bars.map((_, place) => this.candle(card, place)));
    this.volume?.setData(card.bars.map((bar) => ({ time: at(bar[0]), value: bar[5] })));
    for (const [key, line] of this.everyLine(card)) {
      this.lines.get(key)?.setData(line.points.map(([time, value]) => ({ time: at(time), value })));
    }
    this.decorate();
  }

  private candle(card: ChartCard, place: number): CandlestickData<Time> {
    const [time, open, high, low, close] = card.bars[place] as Bar;
    const candle = { time: at(time), open, high, low, close };
    if (!card.provisional || place < card.bars.length - 1) return candle;
    // A bar that is still open is an outline.
    return { ...candle, color: `${this.paint.ground}00` };
  }

  private decorate(before: ChartCard | null = null): void {
    const { card, paint } = this;
    if (before?.markers !== card.markers) {
      this.worded = null;
      this.mark();
    }
    if (before !== null && before.levels === card.levels) return;
    for (const line of this.levels) this.candles.removePriceLine(line);
    const last = card.bars.at(-1)?.[4] ?? 0;
    const seen = card.bars.slice(-130);
    const height = Math.max(...seen.map((bar) => bar[2])) - Math.min(...seen.map((bar) => bar[3]));
    this.levels = card.levels.map((level) =>
      this.candles.createPriceLine({
        price: level.price,
        color: paint.quiet,
        lineWidth: 1,
        lineStyle: LineStyle.Dashed,
        // The axis has room for the nearest one each way; all of them are listed below the chart.
        axisLabelVisible: isNearest(level, card.levels, last) && Math.abs(level.price - last) > height / 8,
        axisLabelColor: paint.grid,
        axisLabelTextColor: paint.ink,
        title: isNearest(level, card.levels, last) ? level.kind : "",
      }),
    );
  }

  /** Arrows and squares; with words while few are in view. */
  private mark(): void {
    const seen = this.chart.timeScale().getVisibleRange();
    const inView = this.card.markers.filter(
      ({ time }) => seen === null || (time >= Number(seen.from) && time <= Number(seen.to)),
    );
    const worded = inView.length <= WORDED_MARKERS && this.element.clientWidth > 520;
    if (worded === this.worded) return;
    this.worded = worded;
    this.markers.setMarkers(
      this.card.markers.map((marker): SeriesMarker<Time> => {
        const bullish = marker.direction === "bullish";
        const bearish = marker.direction === "bearish";
        return {
          time: at(marker.time),
          position: bullish ? "belowBar" : "aboveBar",
          shape: bullish ? "arrowUp" : bearish ? "arrowDown" : "square",
          color: bullish ? this.paint.up : bearish ? this.paint.down : this.paint.quiet,
          // Where they would cover one another, their words stand in the legend under the pointer.
          text: worded ? marker.text : "",
          size: bullish || bearish ? 0.7 : 0.4,
        };
      }),
    );
  }

  private listen(): void {
    // It also moves when data comes; only a pointer's moves say which bar is meant.
    this.chart.subscribeCrosshairMove(({ time }) => {
      if (this.pointing && typeof time === "number") this.options.hover(time);
    });
    this.element.addEventListener("pointerenter", () => {
      this.pointing = true;
      this.pointed = null;
    });
    this.element.addEventListener("pointerleave", ({ pointerType }) => {
      this.pointing = false;
      // A finger that was lifted leaves the crosshair where it was.
      if (pointerType === "mouse") this.options.hover(null);
    });
    this.chart.subscribeClick(({ time }) => {
      if (typeof time === "number") this.options.choose(time);
    });
    this.chart.timeScale().subscribeVisibleLogicalRangeChange((range) => {
      if (range === null) return;
      this.mark();
      if (range.from < 5) this.options.oldest();
    });
    this.element.addEventListener(
      "wheel",
      (event) => {
        if (!event.ctrlKey && !event.metaKey) return;
        event.preventDefault();
        this.zoom(event.deltaY < 0 ? 0.85 : 1.18);
      },
      { passive: false },
    );
  }

  private tellPanes(): void {
    let top = 0;
    const tops: number[] = [];
    for (const pane of this.chart.panes()) {
      tops.push(top);
      top += pane.getHeight() + 1;
    }
    this.options.panes(tops);
  }

  /** Take over newer or older bars; what is in view stays where it is. */
  update(card: ChartCard): void {
    const before = this.card;
    this.card = card;
    const grown = card.bars.length - before.bars.length;
    if (continues(before.bars, card.bars)) {
      for (let place = before.bars.length - 1; place < card.bars.length; place += 1) {
        const bar = card.bars[place] as Bar;
        this.candles.update(this.candle(card, place));
        this.volume?.update({ time: at(bar[0]), value: bar[5] });
      }
      const known = new Map(this.everyLine(before));
      for (const [key, line] of this.everyLine(card)) this.extend(key, line.points, known.get(key)?.points ?? [], grown);
      this.decorate(before);
    } else {
      const seen = this.chart.timeScale().getVisibleRange();
      this.fill();
      if (seen !== null) this.chart.timeScale().setVisibleRange(seen);
    }
    const close = this.pointed === null ? undefined : card.bars.find(([time]) => time === this.pointed)?.[4];
    if (close !== undefined && this.pointed !== null) this.chart.setCrosshairPosition(close, at(this.pointed), this.candles);
  }

  /** Add what came to a line; one that is new as a whole is drawn anew. */
  private extend(key: string, points: readonly Point[], before: readonly Point[], grown: number): void {
    const series = this.lines.get(key);
    if (points === before || series === undefined) return;
    const more = points.length - before.length;
    if (before.length === 0 || points[0]?.[0] !== before[0]?.[0] || more < 0 || more > grown) {
      series.setData(points.map(([time, value]) => ({ time: at(time), value })));
      return;
    }
    for (const [time, value] of points.slice(before.length - 1)) series.update({ time: at(time), value });
  }

  /** Show from this time on; null shows everything. */
  show(from: number | null): void {
    const { bars } = this.card;
    const first = from === null ? 0 : Math.max(0, bars.findIndex(([time]) => time >= from));
    this.chart.timeScale().setVisibleLogicalRange({ from: first - 0.5, to: bars.length + 2 });
  }

  range(): LogicalRange | null {
    return this.chart.timeScale().getVisibleLogicalRange();
  }

  look(range: LogicalRange): void {
    this.chart.timeScale().setVisibleLogicalRange(range);
  }

  /** Whether the bar that was the first at that time is in view. */
  reaches(time: number | null): boolean {
    const seen = this.chart.timeScale().getVisibleRange();
    return seen !== null && time !== null && Number(seen.from) <= time;
  }

  zoom(factor: number): void {
    const range = this.chart.timeScale().getVisibleLogicalRange();
    if (range === null) return;
    const width = Math.max(10, (range.to - range.from) * factor);
    this.chart.timeScale().setVisibleLogicalRange({ from: range.to - width, to: range.to });
  }

  /** Put the crosshair on a bar and bring it into view. */
  point(place: number | null): void {
    const bar = place === null ? undefined : this.card.bars[place];
    this.pointed = bar?.[0] ?? null;
    if (place === null || bar === undefined) {
      this.chart.clearCrosshairPosition();
      return;
    }
    const range = this.chart.timeScale().getVisibleLogicalRange();
    if (range !== null && (place < range.from || place > range.to)) {
      const half = (range.to - range.from) / 2;
      this.chart.timeScale().setVisibleLogicalRange({ from: place - half, to: place + half });
    }
    this.chart.setCrosshairPosition(bar[4], at(bar[0]), this.candles);
  }

  remove(): void {
    this.resized.disconnect();
    this.chart.remove();
  }
}

export function draw(element: HTMLElement, card: ChartCard, options: Options): Drawing {
  return new Drawing(element, card, options);
}
