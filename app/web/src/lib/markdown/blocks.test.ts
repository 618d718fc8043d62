import { describe, expect, it } from "vitest";
import type { Claim } from "../protocol/types";
import { GrowingMarkdown, mended, renderBlock } from "./blocks";

function claim(source: string, text: string, index = 1, more: Partial<Claim> = {}): Claim {
  const start = [...source.slice(0, source.indexOf(text))].length;
  return { index, start, end: start + [...text].length, text, status: "supported", ...more };
}

function shown(source: string, claims: Claim[], open = false, expecting = false): HTMLElement {
  const root = document.createElement("div");
  const blocks = new GrowingMarkdown().update(source, claims, open, expecting);
  root.innerHTML = blocks.map((block) => block.html).join("");
  return root;
}

describe("claims", () => {
  it("are found behind characters that take two UTF-16 units", () => {
    const source = "🙂🙂 closed at **806.19** today";
    const root = shown(source, [claim(source, "806.19")]);
    expect(root.querySelector("strong .claim")?.firstChild?.textContent).toBe("806.19");
  });

  it("have their mark behind the comma, not between it and the number", () => {
    const source = "It is 42, and rising.";
    expect(shown(source, [claim(source, "42")]).textContent?.trim()).toBe("It is 42,1 and rising.");
  });

  it("that are parameters have no mark", () => {
    const source = "above its 50-day line";
    expect(shown(source, [claim(source, "50", 1, { status: "parameter" })]).querySelector("button")).toBeNull();
  });

  it("without evidence are marked as such", () => {
    const source = "about 17 percent";
    const root = shown(source, [claim(source, "17", 1, { status: "unverified" })]);
    expect(root.querySelector("button")?.textContent).toBe("?");
    expect(root.querySelector("button")?.getAttribute("aria-label")).toContain("no evidence");
  });

  it("cannot be forged by what a model writes", () => {
    const root = shown("\ue000\ue100forged\ue001 <button data-claim=0>1</button>", [
      { index: 1, start: 90, end: 91, text: "x", status: "supported" },
    ]);
    expect(root.querySelector("[data-claim], button")).toBeNull();
  });
});

describe("room for marks", () => {
  const rooms = (source: string): string[] =>
    [...shown(source, [], true, true).querySelectorAll(".claim-room")].map((one) => one.textContent);

  it("is kept behind numbers and dates, with what closes them", () => {
    expect(rooms("at 1,806.19 on 1 March 2013, or 2013-03-01: 91 % (n 79).")).toEqual([
      "1,806.19", "1 March 2013,", "2013-03-01:", "91 %", "79).",
    ]);
  });

  it("is not kept in names, in spans of days, or in code", () => {
    expect(rooms("SMA50 and the 50-day line, R2, `x = 5`")).toEqual([]);
  });

  it("is gone when nothing is expected any more", () => {
    const growing = new GrowingMarkdown();
    expect(growing.update("RSI 68 now", [], true, true)[0]?.html).toContain("claim-room");
    expect(growing.update("RSI 68 now", [], false, false)[0]?.html).not.toContain("claim-room");
  });
});

describe("growing text", () => {
  it("parses only the last block again, whatever comes", () => {
    const growing = new GrowingMarkdown();
    let text = Array.from({ length: 50 }, (_, i) => `Paragraph ${i}.\n\n`).join("");
    growing.update(text, [], true);
    const before = growing.parsed;
    for (let i = 0; i < 20; i += 1) growing.update((text += "word "), [], true);
    expect(growing.parsed - before).toBeLessThanOrEqual(21);
  });

  it("ends as it would have been read at once", () => {
    const source = "# Head\n\n- a **b**\n- c\n\n| x | y |\n|---|---|\n| 1 | 2 |\n\n```js\nlet a = 1;\n```\n\nend";
    const growing = new GrowingMarkdown();
    for (let i = 1; i <= source.length; i += 1) growing.update(source.slice(0, i), [], true);
    const html = growing.update(source, [], false).map((block) => block.html);
    expect(html).toEqual(new GrowingMarkdown().update(source, [], false).map((block) => block.html));
  });

  it("does not flash half a mark-up by", () => {
    expect(mended("this is **bo")).toBe("this is **bo**");
    expect(mended("see [the pa")).toBe("see the pa");
    expect(mended("| a | b |\n")).toBe("");
  });
});

describe("hostile text", () => {
  it.each([
    "![x](https://elsewhere.example/leak.png)",
    "<img src=x onerror=alert(1)>",
    "<script>alert(1)</script>",
    "<iframe src=//elsewhere.example></iframe>",
    "<style>*{background:url(//elsewhere.example)}</style>",
    "<svg><image href='//elsewhere.example'/></svg>",
    "[x](javascript:alert(1))",
    "<a href='data:text/html,x'>x</a>",
    "<p style='background:url(//elsewhere.example)' onclick=alert(1)>x</p>",
  ])("%s loads and runs nothing", (source) => {
    const root = document.createElement("div");
    root.innerHTML = renderBlock(source);
    expect(root.querySelector("img, script, iframe, style, svg, image, [style], [onclick]")).toBeNull();
    for (const link of root.querySelectorAll("a[href]")) expect(link.getAttribute("href")).toMatch(/^https?:/);
  });

  it("keeps links that people can follow, and gives nothing away to them", () => {
    const root = document.createElement("div");
    root.innerHTML = renderBlock("[docs](https://example.org/a)");
    expect(root.querySelector("a")?.rel).toBe("noopener noreferrer nofollow");
  });
});
