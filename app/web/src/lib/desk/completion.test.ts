import { expect, it } from "vitest";
import { completionAt } from "./completion";
import type { Agent, Instrument } from "../rest";

function instrument(symbol: string, name: string): Instrument {
  return { symbol, name, kind: "equity", currency: "USD", source: "s" };
}

const known = {
  instruments: [instrument("AAPL", "Apple Inc."), instrument("GOOG", "Google Inc."), instrument("IBM", "International")],
  agents: [{ id: "1", name: "analyst", type: "analyst", status: "active" }] satisfies Agent[],
};

it("offers symbols after a dollar, by symbol or name", () => {
  const offered = (text: string): string[] | undefined =>
    completionAt(text, text.length, known)?.choices.map((choice) => choice.label);
  expect(offered("$")).toEqual(["AAPL", "GOOG", "IBM"]);
  expect(offered("How is $go")).toEqual(["GOOG"]);
  expect(offered("How is $app")).toEqual(["AAPL"]);
  expect(offered("costs 5$a")).toBeUndefined();
  expect(offered("$GOOG now")).toBeUndefined();
});

it("offers agents after an at sign, and says where the trigger stands", () => {
  expect(completionAt("ask @an", 7, known)).toMatchObject({ what: "Agents", from: 4, choices: [{ label: "analyst" }] });
});
