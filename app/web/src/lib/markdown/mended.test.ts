import { describe, expect, it } from "vitest";
import { GrowingMarkdown, mended } from "./blocks";

describe("growing text", () => {
  const text =
    "**GOOG** closed at 806.19.\n\nA list:\n\n- one **bold** thing\n- two `code`\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\nAnd [a link](https://example.org/) at the end.\n";

  it("never shows half of anything", () => {
    for (let end = 1; end <= text.length; end += 1) {
      const shown = new GrowingMarkdown().update(text.slice(0, end), [], true).map((block) => block.html);
      const words = shown.join(" ").replace(/<[^>]*>/g, "");
      expect(words, JSON.stringify(text.slice(0, end))).not.toMatch(/[*`|[\]]/);
    }
  });
});

describe("an unfinished block", () => {
  it.each([
    ["**GOOG clo", "**GOOG clo**"],
    ["a **b** c", "a **b** c"],
    ["a **", "a "],
    ["a *", "a "],
    ["a **b*", "a **b**"],
    ["see `cod", "see `cod`"],
    ["see [the pa", "see the pa"],
    ["see [the page](https://exa", "see the page"],
    ["| a | b |", ""],
    ["| a | b |\n|---|--", ""],
    ["| a | b |\n|---|---|\n| 1 |", "| a | b |\n|---|---|\n"],
    ["```py\nx = **", "```py\nx = **"],
    ["Text\n\n- ", "Text\n"],
    ["- two `", "- two "],
  ])("%j reads as %j", (raw, shown) => {
    expect(mended(raw)).toBe(shown);
  });
});
