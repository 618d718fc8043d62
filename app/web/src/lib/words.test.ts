import { expect, it } from "vitest";
import { ago, costWords, moment, money, receiptWords, seconds } from "./words";

const RECEIPT = {
  amount: "0.002149",
  currency: "USD",
  priced: true,
  estimated: false,
  inputTokens: 700,
  outputTokens: 112,
  cachedTokens: 0,
  attempts: 1,
  durationMs: 1900,
  provider: "openai",
  model: "small",
};

it("writes money with cents, or two digits that count below a cent", () => {
  expect(money("0.002149", "USD")).toBe("0.0021 USD");
  expect(money("1.5", "USD")).toBe("1.50 USD");
  expect(money("12.3456", "USD")).toBe("12.35 USD");
  expect(money("0.00000042", "USD")).toBe("0.00000042 USD");
  expect(money("0", "USD")).toBe("0 USD");
});

it("never calls an unknown price free", () => {
  expect(costWords({ amount: "0", currency: "USD", priced: false })).toBe("price unknown");
  expect(costWords({ amount: null, currency: "USD", priced: true })).toBe("price unknown");
  expect(costWords({ amount: "0.02", currency: "USD", priced: false })).toBe("0.020 USD + unpriced");
  expect(costWords({ amount: "0.000", currency: "USD", priced: true })).toBe("free");
});

it("writes the receipt in a line", () => {
  expect(receiptWords(RECEIPT)).toEqual(["0.0021 USD", "812 tokens", "1.9 s"]);
  expect(receiptWords({ ...RECEIPT, amount: "0", provider: "builtin", durationMs: 42 })).toEqual([
    "free",
    "built-in model",
    "42 ms",
  ]);
  expect(receiptWords({ ...RECEIPT, estimated: true })[1]).toBe("812 tokens, estimated");
});

it("tells times as people do", () => {
  const now = Date.parse("2026-03-10T12:00:00Z");
  expect(ago("2026-03-10T11:59:40Z", now)).toBe("now");
  expect(ago("2026-03-10T11:55:00Z", now)).toBe("5m ago");
  expect(ago("2025-12-01T00:00:00Z", now)).toMatch(/1 Dec 2025/);
  expect(moment("2013-03-01T00:00:00Z")).toBe("1 March 2013");
  expect(moment("2013-03-01T15:30:00Z")).toBe("1 March 2013, 15:30 UTC");
  expect(seconds(72_000)).toBe("1 min 12 s");
});
