import { expect, it } from "vitest";
import { chartCard, continues, decimalsOf, merged, type Bar, type ChartCard } from "./card";

function card(more: Partial<ChartCard>): ChartCard {
  const made = chartCard({ symbol: "GOOG", bars: [[0, 1, 2, 0.5, 1.5, 10]], ...more });
  if (made === null) throw new Error("no card");
  return made;
}

it("is the same chart in whichever order the tools answered", () => {
  const indicators = card({ overlays: [{ name: "Upper band", points: [] }] });
  const signals = card({ levels: [{ price: 1, kind: "support" }] });
  expect(merged(indicators, signals)).toEqual(merged(signals, indicators));
  expect(merged(indicators, signals).levels).toHaveLength(1);
  expect(merged(indicators, signals).overlays).toHaveLength(1);
});

it("is nothing without bars", () => {
  expect(chartCard({ symbol: "GOOG", bars: [] })).toBeNull();
});

it("goes on with a drawing only while nothing but the end has changed", () => {
  const bar = (time: number, close = 1): Bar => [time, 1, 1, 1, close, 1];
  const before = [bar(1), bar(2)];
  expect(continues(before, [bar(1), bar(2, 5), bar(3)])).toBe(true);
  expect(continues(before, [bar(1, 5), bar(2)])).toBe(false);
  expect(continues(before, [bar(0), bar(1), bar(2)])).toBe(false);
  expect(continues(before, [bar(1)])).toBe(false);
});

it("shows prices in cents, and small ones as fine as they are", () => {
  const closing = (close: number): Bar[] => [[0, 1, 1, 1, close, 1]];
  expect([806.1799, 30, 1.23456, 1.5, 0.00012345].map((close) => decimalsOf(closing(close)))).toEqual([2, 2, 4, 2, 6]);
});
