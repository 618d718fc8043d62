import { expect, it } from "vitest";
import { chartCard, type ChartCard } from "./card";
import { FIRST_PERIOD, flipped, layerOf, layersOf, paneId, periodsOf, withoutLayers } from "./layers";

function card(): ChartCard {
  const made = chartCard({
    symbol: "GOOG",
    bars: [[0, 1, 2, 0.5, 1.5, 10]],
    overlays: [
      { name: "SMA 20", points: [] },
      { name: "Upper band", points: [] },
      { name: "MSFT", points: [] },
    ],
    panes: [{ name: "RSI", lines: [], levels: [] }],
    levels: [{ price: 1, kind: "support" }],
  });
  if (made === null) throw new Error("no card");
  return made;
}

it("offers what the chart has, and volume", () => {
  expect(layersOf(card()).map(({ id }) => id)).toEqual(["averages", "bands", "levels", "volume", "pane RSI"]);
});

it("leaves out what is off, and never what the chart is about", () => {
  const left = withoutLayers(card(), new Set(["averages", "bands", "levels", paneId("RSI")]));
  expect(left.overlays.map(({ name }) => name)).toEqual(["MSFT"]);
  expect([left.levels, left.panes]).toEqual([[], []]);
  expect(layerOf({ name: "MSFT", points: [] })).toBeNull();
});

it("switches one thing at a time", () => {
  expect([...flipped(new Set(["a"]), "b")]).toEqual(["a", "b"]);
  expect([...flipped(new Set(["a"]), "a")]).toEqual([]);
});

it("begins every timeframe with a period that it offers", () => {
  for (const [timeframe, first] of Object.entries(FIRST_PERIOD)) {
    expect(periodsOf(timeframe).map(({ name }) => name)).toContain(first);
  }
});
