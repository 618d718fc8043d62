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

it("numbers only what has evidence, without gaps, and says once what has none", () => {
  const text = "RSI 14 is 68; 850 or 900 is a guess.";
  const at = (words: string) => ({ start: text.indexOf(words), end: text.indexOf(words) + words.length, text: words });
  const noted = withFootnotes(text, [
    { index: 1, status: "parameter", ...at("14") },
    { index: 2, status: "supported", value: "2013-03-01T00:00:00Z", label: "Day", ...at("68") },
    { index: 3, status: "unverified", ...at("850") },
    { index: 4, status: "unverified", ...at("900") },
  ]);
  expect(noted).toBe(
    "RSI 14 is 68[^1]; 850[^?] or 900[^?] is a guess.\n\n" +
      "[^1]: Day: 2013-03-01\n[^?]: No evidence was found for this number.\n",
  );
});
