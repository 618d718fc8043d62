import { expect, it } from "vitest";
import { linkSymbols } from "./symbols";

function linked(html: string, ...known: string[]): string {
  const holder = document.createElement("div");
  holder.innerHTML = html;
  linkSymbols(holder, new Set(known));
  return [...holder.querySelectorAll("a.symbol")]
    .map((link) => `${link.textContent} ${link.getAttribute("href")}`)
    .join(", ");
}

it("links what is known: with a sign always, without it once", () => {
  expect(linked("<p>GOOG and GOOG, then $GOOG; not FOO or $FOO</p>", "GOOG")).toBe("GOOG /m/GOOG, $GOOG /m/GOOG");
  expect(linked("<p>GOOG@REPLAY is no GOOG</p>", "GOOG", "GOOG@REPLAY")).toBe("GOOG@REPLAY /m/GOOG%40REPLAY, GOOG /m/GOOG");
  expect(linked("<p>GOOG@REPLAY</p>", "GOOG")).toBe("");
  expect(linked("<p>$BRK.B, not GOOGL</p>", "BRK.B", "GOOG")).toBe("$BRK.B /m/BRK.B");
});

it("leaves words, code, links and numbers with evidence alone", () => {
  expect(linked("<p>Its RSI is high. I know IT.</p>", "RSI", "I", "IT")).toBe("");
  expect(linked("<p>$RSI</p>", "RSI")).toBe("$RSI /m/RSI");
  expect(linked("<p><code>GOOG</code> <a href='#'>GOOG</a> <span class='claim'>GOOG</span></p>", "GOOG")).toBe("");
});

it("changes nothing but the links", () => {
  const holder = document.createElement("div");
  holder.innerHTML = "<p><strong>GOOG closed</strong> at 131.</p>";
  linkSymbols(holder, new Set(["GOOG"]));
  expect(holder.textContent).toBe("GOOG closed at 131.");
  expect(holder.querySelector("strong > a")?.textContent).toBe("GOOG");
});
