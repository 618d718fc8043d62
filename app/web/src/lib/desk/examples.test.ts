import { describe, expect, it } from "vitest";
import type { Instrument } from "../rest";
import { examples } from "./examples";

function instrument(symbol: string, firstBar: string | null, lastBar: string | null): Instrument {
  return { symbol, name: symbol, kind: "equity", currency: "USD", source: "demo", firstBar, lastBar };
}

describe("examples", () => {
  it("compare only what has bars for the same year", () => {
    const questions = examples([
      instrument("AAPL", "2013-01-02", "2023-09-21"),
      instrument("GOOG", "2013-01-02", "2023-09-21"),
      instrument("MSFT", "2000-03-01", "2013-03-01"),
      instrument("IBM", "2000-03-01", "2013-03-01"),
    ]);
    expect(questions).toContain("Compare MSFT and IBM over the last year");
    expect(questions).toHaveLength(4);
  });

  it("do not compare where nothing overlaps", () => {
    const questions = examples([
      instrument("A", "2001-01-02", "2003-09-21"),
      instrument("B", "2010-01-02", "2013-09-21"),
    ]);
    expect(questions.some((question) => question.startsWith("Compare"))).toBe(false);
  });

  it("speak of no instrument without bars, and still offer something on an empty desk", () => {
    expect(examples([instrument("GOOG", null, null)]).join()).not.toContain("GOOG");
    expect(examples([]).length).toBeGreaterThan(0);
  });
});
