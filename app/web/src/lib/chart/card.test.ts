import { expect, it } from "vitest";
import { chartCard, merged, type ChartCard } from "./card";

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
