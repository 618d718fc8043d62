import { expect, it } from "vitest";
import { forecastCard, plot, stoodIn } from "./forecast";

const content = {
  symbol: "GOOG",
  title: "GOOG, next 5 bars: how much it may move",
  history: [
    [0, 100],
    [86_400, 110],
  ],
  fan: [0.1, 0.5, 0.9].map((level) => ({
    level,
    points: [
      [86_400, 110],
      [172_800, 110 + 20 * (level - 0.5)],
    ],
  })),
  baselineFan: [],
};

it("draws the past, a band and the middle inside the picture", () => {
  const card = forecastCard(content);
  expect(card).not.toBeNull();
  const drawn = card === null ? null : plot(card);
  expect(drawn).not.toBeNull();
  expect(drawn?.bands).toHaveLength(1);
  expect(drawn?.median).not.toBe("");
  const numbers = `${drawn?.history} ${drawn?.bands.join(" ")}`.match(/-?[\d.]+/g)?.map(Number) ?? [];
  expect(Math.min(...numbers)).toBeGreaterThanOrEqual(0);
  expect(Math.max(...numbers)).toBeLessThanOrEqual(drawn?.width ?? 0);
});

it("draws nothing where there is no fan, and refuses what is no forecast", () => {
  const card = forecastCard({ ...content, fan: [] });
  expect(card === null ? "refused" : plot(card)).toBeNull();
  expect(forecastCard({ symbol: "GOOG" })).toBeNull();
});

it("survives a price that never moves", () => {
  const flat = { ...content, history: [[0, 5], [1, 5]], fan: [{ level: 0.5, points: [[1, 5], [2, 5]] }] };
  const card = forecastCard(flat);
  const drawn = card === null ? null : plot(card);
  expect(JSON.stringify(drawn)).not.toContain("null");
});

it("says who was away only where another version answered", () => {
  const whole = forecastCard({ ...content, model: "variance@1", degraded: false });
  const degraded = forecastCard({ ...content, model: "variance@1", degraded: true, askedModel: "variance@2", degradedBecause: "the server cannot be reached." });
  expect(whole === null ? "refused" : stoodIn(whole)).toBeNull();
  expect(degraded === null ? null : stoodIn(degraded)).toEqual({ asked: "variance@2", why: "the server cannot be reached." });
});
