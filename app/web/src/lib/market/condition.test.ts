import { expect, it } from "vitest";
import { fromJson, numberRow, signalRow, toJson, Unready, type Row } from "./condition";

it("writes one line as a leaf and several as a group", () => {
  expect(toJson([numberRow("rsi", ">", "70")], "all")).toEqual({ field: "rsi", op: ">", value: 70 });
  expect(toJson([numberRow(), signalRow("breakout", "bullish", true)], "any")).toEqual({
    any: [
      { field: "rsi", op: "<", value: 30 },
      { signal: "breakout", direction: "bullish", fired: true },
    ],
  });
});

it("compares with another field, times a factor when it is not one", () => {
  const row: Row = { ...numberRow("close", "crosses_above"), against: "field", other: "sma200" };
  expect(toJson([row], "all")).toEqual({ field: "close", op: "crosses_above", value: { field: "sma200" } });
  expect(toJson([{ ...row, times: "1.02" }], "all")).toMatchObject({ value: { times: 1.02 } });
});

it("says what is missing instead of sending half a condition", () => {
  expect(() => toJson([], "all")).toThrow(Unready);
  expect(() => toJson([numberRow("rsi", ">", "seventy")], "all")).toThrow('The value is not a number: "seventy"');
  expect(toJson([numberRow("strength", ">", "−30")], "all")).toMatchObject({ value: -30 });
});

it("shows what it wrote, and admits what it cannot show", () => {
  const rows: Row[] = [numberRow("rsi", ">", "70"), { ...numberRow("close", ">", ""), against: "field", times: "1.1" }, signalRow("entry")];
  expect(fromJson(toJson(rows, "any"))).toEqual({ rows, join: "any" });
  expect(fromJson({ not: { field: "rsi", op: ">", value: 70 } })).toBeNull();
  expect(fromJson({ all: [{ any: [] }] })).toBeNull();
});
