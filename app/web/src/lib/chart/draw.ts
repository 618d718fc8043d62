/** Draw a chart card with lightweight-charts. Loaded with the first chart only. */

import {
  CandlestickSeries,
  ColorType,
  createChart,
  createSeriesMarkers,
  HistogramSeries,
  LineSeries,
  LineStyle,
  type SeriesMarker,
  type Time,
  type UTCTimestamp,
} from "lightweight-charts";
import type { ChartCard, Point } from "../desk/chart";

interface Colours {
  ground: string;
  ink: string;
  grid: string;
  up: string;
  down: string;
  quiet: string;
  band: string;
  lines: string[];
}

function colours(element: Element): Colours {
  const style = getComputedStyle(element);
  const colour = (name: string): string => style.getPropertyValue(name).trim();
  return {
    ground: colour("--paper"),
    ink: colour("--ink-3"),
    grid: colour("--line"),
    up: colour("--up"),
    down: colour("--down"),
    quiet: colour("--line-strong"),
    band: colour("--band"),
    lines: [colour("--line-a"), colour("--line-b"), colour("--line-c")],
  };
}

function line(points: readonly Point[]): { time: UTCTimestamp; value: number }[] {
  return points.map(([time, value]) => ({ time: time as UTCTimestamp, value }));
}

const SHOWN_BARS = 130;

interface Level {
  kind: string;
  price: number;
}

function isNearest(level: Level, levels: readonly Level[], price: number): boolean {
  const away = (one: Level): number => Math.abs(one.price - price);
  return levels.every((one) => one.kind !== level.kind || away(one) >= away(level));
}

/** Draw into `element`; return what takes the drawing away. */
export function draw(
  element: HTMLElement,
  card: ChartCard,
  { hover }: { dark: boolean; hover: (time: number | null) => void },
): () => void {
  const paint = colours(element);
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const chart = createChart(element, {
    autoSize: true,
    layout: {
      background: { type: ColorType.Solid, color: paint.ground },
      textColor: paint.ink,
      fontSize: 11,
      fontFamily: getComputedStyle(element).fontFamily,
      // The logo brings its own <style>, which the page's policy forbids; the link stands below.
      attributionLogo: false,
      panes: { separatorColor: paint.grid, enableResize: false },
    },
    grid: { vertLines: { visible: false }, horzLines: { color: paint.grid } },
    rightPriceScale: { borderVisible: false, entireTextOnly: true },
    timeScale: { borderColor: paint.grid, rightOffset: 3 },
    kineticScroll: { touch: !still, mouse: false },
  });

  const candles = chart.addSeries(CandlestickSeries, {
    upColor: paint.up,
    borderUpColor: paint.up,
    wickUpColor: paint.up,
    downColor: paint.down,
    borderDownColor: paint.down,
    wickDownColor: paint.down,
    priceLineVisible: false,
  });
  candles.setData(
    card.bars.map(([time, open, high, low, close]) => ({
      time: time as UTCTimestamp,
      open,
      high,
      low,
      close,
    })),
  );
  candles.priceScale().applyOptions({ scaleMargins: { top: 0.08, bottom: 0.18 } });

  const volume = chart.addSeries(HistogramSeries, {
    priceScaleId: "volume",
    priceFormat: { type: "volume" },
    color: `${paint.quiet}66`,
    lastValueVisible: false,
    priceLineVisible: false,
  });
  volume.setData(card.bars.map((bar) => ({ time: bar[0] as UTCTimestamp, value: bar[5] })));
  volume.priceScale().applyOptions({ scaleMargins: { top: 0.87, bottom: 0 } });

  const plain = { lastValueVisible: false, priceLineVisible: false, crosshairMarkerVisible: false } as const;
  for (const [place, overlay] of card.overlays.entries()) {
    const band = overlay.name.includes("band");
    const series = chart.addSeries(LineSeries, {
      ...plain,
      color: band ? paint.band : (paint.lines[place % paint.lines.length] ?? paint.ink),
      lineWidth: 1,
      lineStyle: band ? LineStyle.Dashed : LineStyle.Solid,
    });
    series.setData(line(overlay.points));
  }
  if (card.trendLine !== null) {
    const series = chart.addSeries(LineSeries, {
      ...plain,
      color: paint.ink,
      lineWidth: 2,
      lineStyle: LineStyle.LargeDashed,
    });
    series.setData(line(card.trendLine.points));
  }
  const last = card.bars.at(-1)?.[4] ?? 0;
  const seen = card.bars.slice(-SHOWN_BARS);
  const height = Math.max(...seen.map((bar) => bar[2])) - Math.min(...seen.map((bar) => bar[3]));
  for (const level of card.levels) {
    candles.createPriceLine({
      price: level.price,
      color: paint.quiet,
      lineWidth: 1,
      lineStyle: LineStyle.Dotted,
      // The axis has room for the nearest one each way; all of them are listed below the chart.
      axisLabelVisible: isNearest(level, card.levels, last) && Math.abs(level.price - last) > height / 6,
      axisLabelColor: paint.grid,
      axisLabelTextColor: paint.ink,
      title: "",
    });
  }
  createSeriesMarkers(
    candles,
    card.markers.map((marker): SeriesMarker<Time> => {
      const bullish = marker.direction === "bullish";
      const bearish = marker.direction === "bearish";
      return {
        time: marker.time as UTCTimestamp,
        position: bullish ? "belowBar" : "aboveBar",
        shape: bullish ? "arrowUp" : bearish ? "arrowDown" : "circle",
        color: bullish ? paint.up : bearish ? paint.down : paint.ink,
        // Their words stand in the legend under the pointer, where they cover nothing.
        text: "",
        size: 0.7,
      };
    }),
  );

  for (const [index, pane] of card.panes.entries()) {
    for (const [place, one] of pane.lines.entries()) {
      const series = chart.addSeries(
        LineSeries,
        {
          ...plain,
          lastValueVisible: true,
          // Not the colour of an average in the pane above.
          color: place === 0 ? paint.ink : (paint.lines[place % paint.lines.length] ?? paint.ink),
          lineWidth: 1,
        },
        index + 1,
      );
      series.setData(line(one.points));
      if (place > 0) continue;
      for (const price of pane.levels) {
        series.createPriceLine({
          price,
          color: paint.quiet,
          lineWidth: 1,
          lineStyle: LineStyle.Dotted,
          axisLabelVisible: false,
          title: "",
        });
      }
    }
  }
  chart.panes().forEach((pane, index) => pane.setStretchFactor(index === 0 ? 290 : 84));

  const count = card.bars.length;
  // What starts at one price is seen from that start on.
  const from = card.title === null ? Math.max(0, count - SHOWN_BARS) : 0;
  chart.timeScale().setVisibleLogicalRange({ from, to: count + 2 });
  chart.subscribeCrosshairMove(({ time }) => hover(typeof time === "number" ? time : null));
  return () => chart.remove();
}
