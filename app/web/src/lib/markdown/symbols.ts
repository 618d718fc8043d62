/** Lead from a symbol in a text to its market page: `$GOOG` always, plain GOOG once a block. */

import { marketPath } from "../desk/routes";

/** Symbols that mean something else in nearly every answer. */
const WORDS = new Set(["A", "I", "RSI", "MACD", "SMA", "EMA", "ATR", "ADX", "OBV", "UTC", "USD", "EUR", "IT", "AI", "ALL", "NOW"]);
const MENTION = /(?<![\w$@])(\$)?([A-Z^][A-Z0-9^=]*(?:[.\-/@][A-Z0-9]+)*)(?![\w$@])/g;
const APART = "a, button, code, pre, .claim, .claim-place";

export function linkSymbols(root: DocumentFragment | Element, known: ReadonlySet<string>): void {
  if (known.size === 0) return;
  const document = root.ownerDocument;
  const walker = document.createTreeWalker(root, 4 /* NodeFilter.SHOW_TEXT */);
  const texts: Text[] = [];
  while (walker.nextNode()) texts.push(walker.currentNode as Text);
  const linked = new Set<string>();
  for (const text of texts) {
    if (!/[A-Z^]/.test(text.data) || text.parentElement?.closest(APART)) continue;
    const parts = document.createDocumentFragment();
    let done = 0;
    for (const mention of text.data.matchAll(MENTION)) {
      const [whole, sign, symbol = ""] = mention;
      if (!known.has(symbol)) continue;
      if (sign === undefined && (linked.has(symbol) || symbol.length < 2 || WORDS.has(symbol))) continue;
      linked.add(symbol);
      parts.append(text.data.slice(done, mention.index));
      done = mention.index + whole.length;
      const link = document.createElement("a");
      link.href = marketPath(symbol);
      link.className = "symbol";
      link.dataset["symbol"] = symbol;
      link.append(whole);
      parts.append(link);
    }
    if (done === 0) continue;
    parts.append(text.data.slice(done));
    text.replaceWith(parts);
  }
}
