/**
 * Markdown that grows without flickering.
 *
 * The source is cut into top-level blocks; a block that something else follows can no longer change,
 * so only the last one is parsed again when text arrives.
 */

import DOMPurify from "dompurify";
import { Marked } from "marked";
import type { Claim } from "../protocol/types";
import { linkSymbols } from "./symbols";
import { makeRoom, placeClaims, withMarks, withoutReserved } from "./marks";

const marked = new Marked({ gfm: true, breaks: false, async: false });

export interface Block {
  /** Where the block starts in the source: its identity while the text grows. */
  start: number;
  raw: string;
  html: string;
}

const TAGS = [
  "p", "br", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "strong", "em", "del", "code", "pre",
  "blockquote", "ul", "ol", "li", "table", "thead", "tbody", "tr", "th", "td", "a", "sub", "sup",
];

function isSafeLink(href: string): boolean {
  return /^(https?:|mailto:)/i.test(href);
}

/** Return clean HTML for one block: no images, no styles, no scripts, links that cannot reach back. */
export function renderBlock(
  raw: string,
  claims: readonly Claim[] = [],
  expecting = false,
  symbols: ReadonlySet<string> = new Set(),
): string {
  const dirty = marked.parse(raw) as string;
  const fragment = DOMPurify.sanitize(dirty, {
    ALLOWED_TAGS: TAGS,
    ALLOWED_ATTR: ["href", "start", "align", "colspan", "rowspan"],
    ALLOW_DATA_ATTR: false,
    ALLOW_ARIA_ATTR: false,
    RETURN_DOM_FRAGMENT: true,
  });
  for (const link of fragment.querySelectorAll("a")) {
    const href = link.getAttribute("href") ?? "";
    if (!isSafeLink(href)) {
      link.removeAttribute("href");
      continue;
    }
    link.target = "_blank";
    link.rel = "noopener noreferrer nofollow";
    link.referrerPolicy = "no-referrer";
  }
  for (const table of fragment.querySelectorAll("table")) wrapTable(table);
  placeClaims(fragment, claims);
  if (expecting && claims.length === 0) makeRoom(fragment);
  linkSymbols(fragment, symbols);
  const holder = document.createElement("div");
  holder.append(fragment);
  return holder.innerHTML;
}

/** Wide tables scroll by themselves, also by keyboard, instead of widening the page. */
function wrapTable(table: Element): void {
  for (const cell of table.querySelectorAll("th, td")) {
    const align = cell.getAttribute("align");
    cell.removeAttribute("align");
    if (align !== null) cell.classList.add(`align-${align}`);
  }
  const frame = document.createElement("div");
  frame.className = "table-scroll";
  frame.tabIndex = 0;
  frame.setAttribute("role", "region");
  frame.setAttribute("aria-label", "Table");
  table.replaceWith(frame);
  frame.append(table);
}

/**
 * Return `raw`, the unfinished last block, as it will most likely read once it is finished, so that
 * half a `**bold**`, a link without its end or half a table does not flash by.
 */
export function mended(raw: string): string {
  if (/^\s*(```|~~~)/.test(raw)) return raw;
  if (/^\s*\|/.test(raw)) return wholeRows(raw);
  let text = raw
    // The beginning of a list item, a heading or a quote, with nothing in it yet.
    .replace(/(^|\n)\s*(?:[-*+]|#{1,6}|\d{1,9}[.)]?|>)\s*$/, "$1")
    // A link whose address is still coming: its words for now.
    .replace(/!?\[([^\]\n]*)(?:\](?:\([^)\n]*)?)?$/, "$1");
  if (count(text.replace(/`[^`\n]*`/g, ""), /`/g) % 2 === 1) {
    return text.endsWith("`") ? text.slice(0, -1) : `${text}\``;
  }
  const single = /(?<!\*)\*$/.test(text);
  if (single) text = text.slice(0, -1);
  if (count(text.replace(/`[^`\n]*`/g, ""), /\*\*/g) % 2 === 0) return text;
  return text.endsWith("**") ? text.slice(0, -2) : `${text.trimEnd()}**`;
}

function count(text: string, what: RegExp): number {
  return text.match(what)?.length ?? 0;
}

/** Return a table without the row that is still being written; nothing before its head is whole. */
function wholeRows(raw: string): string {
  const rows = raw.slice(0, raw.lastIndexOf("\n") + 1);
  const rule = rows.split("\n")[1] ?? "";
  return /^\s*\|?\s*:?-+/.test(rule) ? rows : "";
}

/** Reference definitions reach across blocks; such a text is parsed as one. */
function isEntangled(source: string): boolean {
  return /^\s{0,3}\[[^\]]+\]:\s/m.test(source);
}

interface Cut {
  start: number;
  raw: string;
}

function cut(source: string): Cut[] {
  if (isEntangled(source)) return [{ start: 0, raw: source }];
  let start = 0;
  const cuts: Cut[] = [];
  for (const token of marked.lexer(source)) {
    if (token.type !== "space") cuts.push({ start, raw: token.raw });
    start += token.raw.length;
  }
  return start === source.length ? cuts : [{ start: 0, raw: source }];
}

export class GrowingMarkdown {
  private source = "";
  private cuts: Cut[] = [];
  private blocks: Block[] = [];
  private claims: readonly Claim[] = [];
  private expecting = false;
  /** How many blocks have been parsed so far; tests hold it to the stable prefix. */
  parsed = 0;

  /** `symbols`: those that have a page of their own. */
  constructor(private readonly symbols: () => ReadonlySet<string> = () => new Set()) {}

  /** Return the blocks of `text`; `open` while more is to come, `expecting` while claims may. */
  update(text: string, claims: readonly Claim[], open: boolean, expecting = false): Block[] {
    const none = claims.length === 0 && this.claims.length === 0;
    const alike = (none || claims === this.claims) && expecting === this.expecting;
    const marks = claims.length > 0 ? withMarks(text, claims) : withoutReserved(text);
    const source = marks.replace(/\r\n?/g, "\n");
    const grows = alike && source.startsWith(this.source) && !isEntangled(source);
    const stable = grows ? Math.max(0, this.cuts.length - 1) : 0;
    const from = grows ? (this.cuts.at(-1)?.start ?? 0) : 0;
    const fresh = cut(source.slice(from)).map(({ start, raw }) => ({ start: start + from, raw }));
    const before = this.blocks;
    const rendered = fresh.map(({ start, raw }, place): Block => {
      const shown = open && place === fresh.length - 1 ? mended(raw) : raw;
      const known = before[stable + place];
      if (known?.raw === shown && alike) return { ...known, start };
      this.parsed += 1;
      return { start, raw: shown, html: renderBlock(shown, claims, expecting, this.symbols()) };
    });
    this.cuts = [...this.cuts.slice(0, stable), ...fresh];
    this.blocks = [...before.slice(0, stable), ...rendered];
    this.source = source;
    this.claims = claims;
    this.expecting = expecting;
    return this.blocks;
  }
}
