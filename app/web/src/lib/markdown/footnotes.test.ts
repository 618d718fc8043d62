import { expect, it } from "vitest";
import { withFootnotes } from "./footnotes";

it("puts a footnote behind each number, and its evidence below", () => {
  const text = "RSI is 68, or so.";
  const noted = withFootnotes(text, [
    {
      index: 1, start: 7, end: 9, text: "68", status: "supported", value: 67.9, toolCallId: "c",
      tool: "indicators", asOf: "2013-03-01", source: "demo",
    },
  ]);
  expect(noted).toMatch(/^RSI is 68\[\^1\], or so\.\n\n\[\^1\]: .*indicators.*2013-03-01.*demo/);
});

it("leaves a text without numbers as it is", () => {
  expect(withFootnotes("Hello.", [])).toBe("Hello.");
});
