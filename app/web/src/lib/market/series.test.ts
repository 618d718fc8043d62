import { expect, it } from "vitest";
import type { Instrument } from "../rest";
import { paneId } from "../chart/layers";
import { chartOf, fieldsOf, markersOf, PANES, withMoment, withSignals, type Moment } from "./series";
import type { BarSeries, IndicatorSeries, MarketSignal } from "./shapes";

const GOOG: Instrument = { symbol: "GOOG", name: "Alphabet", kind: "equity", currency: "USD", source: "test" };

function bars(...days: number[]): BarSeries {
  return {
    symbol: "GOOG",
    timeframe: "1d",
    source: "test",
    adjusted: true,
    items: days.map((day) => ({ timestamp: `2020-01-0${day}T00:00:00Z`, open: 1, high: 3, low: 1, close: 2, volume: 10 })),
  };
}

const INDICATORS: IndicatorSeries = {
  symbol: "GOOG",
  timeframe: "1d",
  source: "test",
  asOf: null,
  series: {
    sma20: [{ timestamp: "2020-01-02T00:00:00Z", value: 2 }],
    macd: [{ timestamp: "2020-01-02T00:00:00Z", value: 0.1 }],
    sma200: [],
    rsi: [],
    macdHistogram: [{ timestamp: "2020-01-02T00:00:00Z", value: 0.2 }],
  },
};

function signal(id: string, validFrom: string, timeframe = "1d"): MarketSignal {
  return {
    id,
    symbol: "GOOG",
    signalType: "trend_change",
    direction: "bullish",
    strength: 40,
    timeframe,
    confidence: null,
    state: "active",
    validFrom,
    validUntil: null,
  };
}

function chart(series = bars(1, 2)) {
  const made = chartOf({ instrument: GOOG, bars: series, indicators: INDICATORS, signals: [], drawn: null });
  if (made === null) throw new Error("no chart");
  return made;
}

function moment(day: number, more: Partial<Moment> = {}): Moment {
  return {
    symbol: "GOOG",
    timeframe: "1d",
    bar: { timestamp: `2020-01-0${day}T00:00:00Z`, open: 2, high: 4, low: 2, close: 3, volume: 20 },
    indicators: { sma20: 2.5, macd: null },
    provisional: false,
    ...more,
  };
}

it("leaves out what does not exist here, and keeps what can still be asked for", () => {
  const card = chart();
  expect(card.overlays.map(({ name }) => name)).not.toContain("SMA 200");
  expect(card.overlays.find(({ name }) => name === "SMA 20")?.points).toHaveLength(1);
  expect(card.panes.find(({ name }) => name === "MACD")?.lines).toHaveLength(3);
  expect(card.panes.map(({ name }) => name)).not.toContain("RSI");
  expect(chartOf({ instrument: GOOG, bars: bars(), indicators: null, signals: [], drawn: null })).toBeNull();
});

it("asks only for what is switched on", () => {
  const off = new Set(["averages", "exponential", "bands", ...PANES.map(({ name }) => paneId(name))]);
  expect(fieldsOf(off)).toEqual(["changePercent"]);
  off.delete("averages");
  off.delete(paneId("RSI"));
  expect(fieldsOf(off)).toEqual(["changePercent", "sma20", "sma50", "sma200", "rsi"]);
});

it("puts nothing computed on adjusted prices over prices as traded", () => {
  const card = chart({ ...bars(1, 2), adjusted: false });
  expect(card.overlays).toEqual([]);
});

it("appends a newer bar with its indicators and replaces an open one", () => {
  const opened = withMoment(chart(), moment(3, { provisional: true }));
  expect(opened.bars).toHaveLength(3);
  expect(opened.provisional).toBe(true);
  expect(opened.overlays[0]?.points.at(-1)?.[1]).toBe(2.5);
  expect(opened.panes.find(({ name }) => name === "MACD")?.lines[0]?.points).toHaveLength(1);
  const closed = withMoment(opened, moment(3, { indicators: { sma20: 2.75 } }));
  expect(closed.bars).toHaveLength(3);
  expect(closed.provisional).toBe(false);
  expect(closed.overlays[0]?.points.map(([, value]) => value)).toEqual([2, 2.75]);
});

it("leaves the chart alone for an older bar and for somebody else's", () => {
  const card = chart();
  expect(withMoment(card, moment(1))).toBe(card);
  expect(withMoment(card, moment(3, { symbol: "MSFT" }))).toBe(card);
  expect(withMoment(card, moment(3, { timeframe: "1h" }))).toBe(card);
});

it("marks the bar a signal fired at, oldest first, and only of this timeframe", () => {
  const card = chart();
  const signals = [
    signal("c", "2020-01-02T21:00:00Z"),
    signal("b", "2020-01-01T00:00:00Z"),
    signal("a", "2019-12-31T00:00:00Z"),
    signal("d", "2020-01-02T00:00:00Z", "1w"),
  ];
  const marks = markersOf(signals, card.bars, "1d");
  expect(marks.map(({ id, text }) => [id, text])).toEqual([
    ["b", "trend change"],
    ["c", "trend change"],
  ]);
  expect(marks.map(({ time }) => time)).toEqual(card.bars.map(([time]) => time));
});

it("lists a signal that fired again once", () => {
  const known = [signal("a", "2020-01-01T00:00:00Z"), signal("b", "2020-01-02T00:00:00Z")];
  const fired = [{ ...signal("a", "2020-01-01T00:00:00Z"), strength: 50 }];
  expect(withSignals(known, fired).map(({ id, strength }) => [id, strength])).toEqual([
    ["a", 50],
    ["b", 40],
  ]);
});
