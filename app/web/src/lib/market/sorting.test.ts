import { expect, it } from "vitest";
import { sorted } from "./sorting";

it("orders numbers as numbers and words as words, what is not known last", () => {
  const rows = [{ s: "B", n: 10 }, { s: "a", n: null }, { s: "C", n: 9 }];
  expect(sorted(rows, "n", false).map(({ n }) => n)).toEqual([9, 10, null]);
  expect(sorted(rows, "n", true).map(({ n }) => n)).toEqual([10, 9, null]);
  expect(sorted(rows, "s", false).map(({ s }) => s)).toEqual(["a", "B", "C"]);
});
