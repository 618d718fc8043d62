import { describe, expect, it } from "vitest";
import type { Claim } from "../protocol/types";
import { GrowingMarkdown } from "./blocks";

function claim(source: string, text: string, more: Partial<Claim> = {}): Claim {
  const start = [...source.slice(0, source.indexOf(text))].length;
  return { index: 1, start, end: start + [...text].length, text, status: "supported", label: text, ...more };
}

function html(source: string, claims: Claim[]): Element {
  const holder = document.createElement("div");
  holder.innerHTML = new GrowingMarkdown()
    .update(source, claims, false)
    .map((block) => block.html)
    .join("");
  return holder;
}

/** What each mark says, beside the words it belongs to. */
function marked(source: string, claims: Claim[]): [said: string, mark: string][] {
  const root = html(source, claims);
  return [...root.querySelectorAll<HTMLElement>(".claim-mark")].map((mark) => {
    const parts = root.querySelectorAll(`.claim[data-claim="${mark.dataset["claim"]}"]`);
    const said = [...parts].map((part) => part.firstChild?.textContent ?? "").join("");
    return [said, mark.textContent ?? ""];
  });
}

describe("claims", () => {
  it("survive bold, emphasis and code", () => {
    const source = "GOOG at **806.19** and *68* and `12`.";
    const claims = [
      claim(source, "806.19", { index: 1 }),
      claim(source, "68", { index: 2 }),
      claim(source, "12", { index: 3 }),
    ];
    expect(marked(source, claims)).toEqual([["806.19", "1"], ["68", "2"], ["12", "3"]]);
    expect(html(source, claims).querySelector("strong .claim")?.textContent).toContain("806.19");
  });

  it("survive tables and lists", () => {
    const source = "| a | b |\n|---|---:|\n| AAPL | −20.9 % |\n\n- strength **74** of 100\n1. 5 days\n";
    const claims = [claim(source, "−20.9 %", { index: 1 }), claim(source, "74", { index: 2 }), claim(source, "5 days", { index: 3 })];
    expect(marked(source, claims)).toEqual([["−20.9 %", "1"], ["74", "2"], ["5 days", "3"]]);
    expect(html(source, claims).querySelector("td .claim")).not.toBeNull();
    expect(html(source, claims).querySelector("td.align-right")).not.toBeNull();
  });

  it("cross the edges of markup in one piece", () => {
    const source = "at 8**06**.19 now";
    const spanning = { ...claim(source, "8**06**.19"), index: 4 };
    const root = html(source, [spanning]);
    expect([...root.querySelectorAll(".claim")].map((part) => part.firstChild?.textContent)).toEqual(["8", "06", ".19"]);
    expect(root.querySelectorAll(".claim-mark")).toHaveLength(1);
    expect(root.textContent?.trim()).toBe("at 806.191 now");
  });

  it("put the mark after the punctuation that follows", () => {
    const source = "RSI is **68**, they say (43).";
    const root = html(source, [claim(source, "68", { index: 1 }), claim(source, "43", { index: 2 })]);
    expect(root.textContent?.trim()).toBe("RSI is 68,1 they say (43).2");
  });

  it("never take a mark from one cell or line to the next", () => {
    const source = "- 12\n- , and 13";
    const root = html(source, [claim(source, "12", { index: 1 }), claim(source, "13", { index: 2 })]);
    expect([...root.querySelectorAll("li")].map((item) => item.textContent)).toEqual(["121", ", and 132"]);
  });

  it("are numbered without the gaps of what was only asked for", () => {
    const source = "RSI 14 is 68 and 70";
    const claims = [
      claim(source, "14", { index: 1, status: "parameter" }),
      claim(source, "68", { index: 2 }),
      claim(source, "70", { index: 3 }),
    ];
    expect(marked(source, claims)).toEqual([["68", "1"], ["70", "2"]]);
  });

  it("leave a list's own numbers alone", () => {
    const source = "1. first\n2. second";
    const root = html(source, [{ index: 1, start: 0, end: 1, text: "1", status: "supported" }]);
    expect(root.querySelectorAll("ol li")).toHaveLength(2);
    expect(root.querySelector(".claim-mark")).toBeNull();
  });

  it("show what has no evidence and pass over what was asked for", () => {
    const source = "RSI 14 could reach 850";
    const root = html(source, [
      claim(source, "14", { index: 1, status: "parameter" }),
      claim(source, "850", { index: 2, status: "unverified" }),
    ]);
    expect(root.querySelectorAll(".claim")).toHaveLength(1);
    expect(root.querySelector(".claim-mark")?.textContent).toBe("?");
    expect(root.querySelector(".claim.unverified .claim-mark")?.getAttribute("aria-label")).toContain("no evidence");
  });

  it("ignore spans that are out of range, empty or overlapping", () => {
    const source = "one 12 two";
    const bad = [
      { index: 1, start: 50, end: 52, text: "x", status: "supported" as const },
      { index: 2, start: 4, end: 4, text: "", status: "supported" as const },
      claim(source, "12", { index: 3 }),
      { index: 4, start: 5, end: 8, text: "2 t", status: "supported" as const },
    ];
    expect(marked(source, bad)).toEqual([["12", "2"]]);
  });

  it.each(["see [page](https://example.org/12)", "see https://example.org/12 now", "www.example.org/12"])(
    "never become part of where a link leads: %s",
    (source) => {
      const root = html(source, [claim(source, "12")]);
      expect(root.querySelector("a")?.getAttribute("href")).toMatch(/^https?:\/\/(www\.)?example\.org\/12$/);
      expect(root.querySelector(".claim-mark")).toBeNull();
    },
  );

  it("are still shown in the words of a link", () => {
    const source = "see [page 12](https://example.org/)";
    expect(html(source, [claim(source, "12")]).querySelector("a .claim-mark")).not.toBeNull();
  });
});
