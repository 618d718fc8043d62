import { describe, expect, test } from "vitest";

import { standing, type FeatureCard } from "./features";

const card: FeatureCard = {
  view: "market.volatility@1",
  description: "",
  dataset: null,
  timeframe: "1d",
  status: "fresh",
  offline: { rows: 10, newestEventAt: "2026-03-01T21:00:00Z" },
  online: { entities: 3, newestEventAt: "2026-03-01T21:00:00Z", stale: 0 },
};

describe("how a view stands", () => {
  test("is said with the day of its newest value", () => {
    expect(standing(card)).toBe("fresh, newest of 2026-03-01");
    expect(standing({ ...card, status: "stale" })).toBe("stale, newest of 2026-03-01");
  });

  test("tells of single entities that are stale", () => {
    expect(standing({ ...card, online: { ...card.online!, stale: 2 } })).toBe("fresh, newest of 2026-03-01; 2 stale");
  });

  test("tells what is not served", () => {
    expect(standing({ ...card, status: "empty", offline: null, online: null })).toBe("nothing is served");
    expect(standing({ ...card, status: "behind", online: null })).toBe("new rows are not served yet");
  });
});
