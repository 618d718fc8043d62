/**
 * Carry claim spans through a Markdown parser.
 *
 * Claims count Unicode code points of the Markdown *source*, and what a parser makes of it has no
 * offsets. So private-use characters are put around each span before parsing, travel through bold,
 * lists and tables like any letter, and are turned into elements once the HTML is clean.
 */

import type { Claim } from "../protocol/types";

const OPEN = 0xe000;
const CLOSE = "\ue001";
/** The claim's place in the list, written with 4096 private-use digits, follows OPEN. */
const DIGIT = 0xe100;
const DIGITS = 0x1000;

const RESERVED = /[\ue000-\uf0ff]/g;

/** Return `text` with every reserved character made harmless, one for one, so offsets hold. */
export function withoutReserved(text: string): string {
  return text.replace(RESERVED, "\ufffd");
}

/**
 * Return the superscript of each claim that has evidence: 1, 2, 3 … in reading order, without the
 * gaps that what was only asked for would leave.
 */
export function superscripts(claims: readonly Claim[]): Map<Claim, number> {
  const shown = claims
    .filter(({ status }) => status === "supported")
    .toSorted((a, b) => a.start - b.start);
  return new Map(shown.map((claim, place) => [claim, place + 1]));
}

/** Return where each code point of `text` starts, in UTF-16 units, and where the text ends. */
function offsets(text: string): (codePoint: number) => number {
  // eslint-disable-next-line no-control-regex
  if (!/[\ud800-\udfff]/.test(text)) return (place) => Math.min(place, text.length);
  const starts: number[] = [];
  let unit = 0;
  for (const character of text) {
    starts.push(unit);
    unit += character.length;
  }
  return (place) => starts[place] ?? unit;
}

export interface Span {
  claim: Claim;
  /** UTF-16 offsets into the source. */
  from: number;
  to: number;
}

/** Return the spans to show, in reading order, none overlapping another. */
export function spansOf(source: string, claims: readonly Claim[]): Span[] {
  const at = offsets(source);
  const spans: Span[] = [];
  const ordered = claims
    .filter(({ status, start, end }) => status !== "parameter" && start >= 0 && end > start)
    .toSorted((a, b) => a.start - b.start);
  for (const claim of ordered) {
    const span = { claim, from: at(claim.start), to: at(claim.end) };
    const last = spans.at(-1);
    if (span.to > span.from && (last === undefined || span.from >= last.to)) spans.push(span);
  }
  return spans;
}

/** "1." at the start of a line is a list's number; a mark before it would make it plain text. */
function isListNumber(source: string, { from, to }: Span): boolean {
  const lineStart = source.lastIndexOf("\n", from - 1) + 1;
  return /^[\s>]*$/.test(source.slice(lineStart, from)) && /^[.)](\s|$)/.test(source.slice(to, to + 2));
}

/** Inside a link's address a mark would become part of where the link leads. */
function isAddress(source: string, { from }: Span): boolean {
  const line = source.slice(source.lastIndexOf("\n", from - 1) + 1, from);
  return /(?:\]\([^)\s]*|\bhttps?:\/\/\S*|\bwww\.\S*)$/i.test(line);
}

/** Return `source` with each claim between marks. */
export function withMarks(source: string, claims: readonly Claim[]): string {
  const clean = withoutReserved(source);
  let marked = "";
  let done = 0;
  for (const span of spansOf(clean, claims)) {
    const number = claims.indexOf(span.claim);
    if (number >= DIGITS || isListNumber(clean, span) || isAddress(clean, span)) continue;
    const open = String.fromCharCode(OPEN, DIGIT + number);
    marked += clean.slice(done, span.from) + open + clean.slice(span.from, span.to) + CLOSE;
    done = span.to;
  }
  return marked + clean.slice(done);
}

const MARK = /\ue000([\ue100-\uf0ff])|\ue001/g;
/** As a printer would: the mark comes after the comma, not between it and the number. */
const CLOSING = /^[,.;:!?)\]\u2019\u201d]+/;
const BLOCKS = "p, li, td, th, h1, h2, h3, h4, h5, h6, blockquote, pre";

/** Put elements in place of the marks in `root`; whatever is left of them is removed. */
export function placeClaims(root: DocumentFragment | Element, claims: readonly Claim[]): void {
  const document = root.ownerDocument;
  const walker = document.createTreeWalker(root, 4 /* NodeFilter.SHOW_TEXT */);
  const texts: Text[] = [];
  while (walker.nextNode()) texts.push(walker.currentNode as Text);

  let open: number | null = null;
  let part: Element | null = null;
  /** A mark that waits to see whether punctuation follows its number. */
  let waiting: { part: Element; button: Element; block: Element | null } | null = null;

  const settle = (): void => {
    waiting?.part.append(waiting.button);
    waiting = null;
  };
  const numbers = superscripts(claims);
  const close = (text: Text): void => {
    const claim = open === null ? undefined : claims[open];
    if (part !== null && claim !== undefined && open !== null) {
      const block = text.parentElement?.closest(BLOCKS) ?? null;
      waiting = { part, button: buttonFor(document, claim, open, numbers.get(claim)), block };
    }
    open = null;
    part = null;
  };

  for (const text of texts) {
    if (open === null && waiting === null && text.data.search(RESERVED) < 0) continue;
    const parts = document.createDocumentFragment();
    const here = text.parentElement?.closest(BLOCKS) ?? null;
    const say = (piece: string): void => {
      let words = piece.replace(RESERVED, "");
      if (words === "") return;
      const closing = waiting?.block === here && open === null ? CLOSING.exec(words)?.[0] : undefined;
      if (waiting !== null && closing !== undefined) {
        const place = document.createElement("span");
        place.className = "claim-place";
        place.append(closing, waiting.button);
        parts.append(place);
        words = words.slice(closing.length);
        waiting = null;
      }
      settle();
      if (words === "") return;
      const claim = open === null ? undefined : claims[open];
      if (claim === undefined || open === null) {
        parts.append(words);
        return;
      }
      part = spanFor(document, claim, open, words);
      parts.append(part);
    };
    let done = 0;
    for (const mark of text.data.matchAll(MARK)) {
      say(text.data.slice(done, mark.index));
      done = mark.index + mark[0].length;
      if (mark[1] !== undefined) {
        settle();
        open = mark[1].charCodeAt(0) - DIGIT;
        part = null;
      } else close(text);
    }
    say(text.data.slice(done));
    // What is open here may end in a later text; what waits may be followed by one.
    text.before(parts);
    const last = texts.at(-1) === text;
    // A span whose end got lost (a table cell was cut off, say) still shows its number.
    if (last && open !== null) close(text);
    text.remove();
  }
  settle();
  for (const element of root.querySelectorAll("*")) {
    for (const attribute of element.attributes) {
      if (attribute.value.search(RESERVED) >= 0) {
        element.setAttribute(attribute.name, attribute.value.replace(RESERVED, ""));
      }
    }
  }
}

/** What will most likely become a claim, with the punctuation that its mark goes behind. */
const NUMBER = new RegExp(
  "(?:\\d{4}-\\d\\d-\\d\\d|\\d{1,2} (?:January|February|March|April|May|June|July|August|September|" +
    "October|November|December) \\d{4}|\\d+(?:[.,]\\d+)*(?:[ \u00a0\u202f]?%)?)(?![\\w-])[,.;:!?)\\]\u2019\u201d]*",
  "g",
);

/**
 * Make room behind the numbers of `root` for the marks that come when the answer is complete, so
 * that they then move next to nothing of what has been read.
 */
export function makeRoom(root: DocumentFragment | Element): void {
  const document = root.ownerDocument;
  const walker = document.createTreeWalker(root, 4 /* NodeFilter.SHOW_TEXT */);
  const texts: Text[] = [];
  while (walker.nextNode()) texts.push(walker.currentNode as Text);
  for (const text of texts) {
    if (text.data.search(/\d/) < 0 || text.parentElement?.closest("code, pre")) continue;
    const parts = document.createDocumentFragment();
    let done = 0;
    for (const number of text.data.matchAll(NUMBER)) {
      if (/[\w$]/.test(text.data[number.index - 1] ?? "")) continue;
      parts.append(text.data.slice(done, number.index));
      done = number.index + number[0].length;
      const span = document.createElement("span");
      span.className = "claim-room";
      span.append(number[0]);
      parts.append(span);
    }
    parts.append(text.data.slice(done));
    text.replaceWith(parts);
  }
}

/** Up to here a claim and its mark stay together on one line. */
const SHORT = 24;

function spanFor(document: Document, claim: Claim, place: number, words: string): Element {
  const span = document.createElement("span");
  span.className = claim.status === "unverified" ? "claim unverified" : "claim";
  if (words.length <= SHORT) span.classList.add("short");
  span.dataset["claim"] = String(place);
  span.append(words);
  return span;
}

function buttonFor(
  document: Document,
  claim: Claim,
  place: number,
  number: number | undefined,
): Element {
  const button = document.createElement("button");
  button.type = "button";
  button.dataset["claim"] = String(place);
  if (number === undefined) {
    button.className = "claim-mark unverified";
    button.setAttribute("aria-label", `${claim.text}: no evidence for this number`);
    button.append("?");
  } else {
    button.className = "claim-mark";
    button.setAttribute("aria-label", `Evidence ${number}: ${claim.label ?? claim.text}`);
    button.append(String(number));
  }
  return button;
}
