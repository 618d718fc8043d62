import { expect, it } from "vitest";
import { big, directionWord, share, signed, toneOfSign } from "./words";

it("says shares, signs and sizes as people read them", () => {
  expect(share(0.538)).toBe("53.8\u00a0%");
  expect(share(null)).toBe("unknown");
  expect([signed(14.2), signed(-0.04, 1), signed(-3.25, 1), signed(null)]).toEqual(["+14", "0.0", "−3.3", "–"]);
  expect([big(1.5e12), big(-2.34e9), big(12345.678)]).toEqual(["1.5 tn", "-2.3 bn", "12,345.68"]);
});

it("never colours a direction without its arrow", () => {
  expect(["bullish", "bearish", "neutral"].map((one) => directionWord(one))).toEqual(["▲ bullish", "▼ bearish", "■ neutral"]);
  expect([toneOfSign(1), toneOfSign(-1), toneOfSign(0)]).toEqual(["up", "down", ""]);
});
