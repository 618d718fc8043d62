import { expect, it } from "vitest";
import { isPage, marketPath, parse } from "./routes";

it("knows each address", () => {
  expect(parse("/")).toEqual({ at: "home" });
  expect(parse("/sign-in")).toEqual({ at: "sign-in" });
  expect(parse("/c/01890000-0000-7000-8000-00000000000A")).toEqual({
    at: "conversation",
    id: "01890000-0000-7000-8000-00000000000a",
  });
  expect(parse("/screen")).toEqual({ at: "screen" });
  expect(parse("/scorecard/")).toEqual({ at: "scorecard" });
  expect(parse("/alerts")).toEqual({ at: "alerts" });
  expect(parse("/models")).toEqual({ at: "models" });
  expect(parse("/models/01890000-0000-7000-8000-00000000000A/")).toEqual({
    at: "model",
    id: "01890000-0000-7000-8000-00000000000a",
  });
});

it("finds its way back from a market's address, whatever is in the symbol", () => {
  for (const symbol of ["GOOG", "BRK.B", "BTC/USD", "^GSPC", "600000.SH"]) {
    expect(parse(marketPath(symbol))).toEqual({ at: "market", symbol });
  }
  expect(parse("/m/goog")).toEqual({ at: "market", symbol: "GOOG" });
  expect(parse("/m/%")).toEqual({ at: "missing", path: "/m/%" });
});

it("says of an address that nobody has that it is missing", () => {
  for (const path of ["/datasets", "/models/variance-5@1", "/c/short", "/a/b"]) {
    expect(parse(path)).toEqual({ at: "missing", path });
  }
});

it("tells pages from the talk", () => {
  expect(isPage(parse("/m/GOOG"))).toBe(true);
  expect(isPage(parse("/"))).toBe(false);
});
