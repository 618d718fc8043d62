/** An answer as text that carries its evidence along: Markdown with footnotes. */

import type { Claim } from "../protocol/types";
import { exact } from "../words";
import { spansOf, superscripts } from "./marks";

const UNPROVEN = "No evidence was found for this number.";

/** Return what a footnote says about a claim. */
export function footnote(claim: Claim, args: string | null): string {
  const value = claim.value === null || claim.value === undefined ? claim.text : exact(claim.value);
  const unit = claim.unit ? ` ${claim.unit}` : "";
  const parts = [`${claim.label ?? claim.text}: ${value}${unit}`];
  if (claim.tool) parts.push(args === null ? claim.tool : `${claim.tool} ${args}`);
  if (claim.path) parts.push(claim.path);
  if (claim.asOf) parts.push(`as of ${claim.asOf}`);
  if (claim.source) parts.push(claim.source);
  return parts.join(" · ");
}

/** Return `text` with a footnote for each number that has evidence, and a word for each that has none. */
export function withFootnotes(
  text: string,
  claims: readonly Claim[],
  argsOf: (toolCallId: string) => string | null = () => null,
): string {
  const notes: string[] = [];
  let noted = "";
  let done = 0;
  const numbers = superscripts(claims);
  const spans = spansOf(text, claims);
  for (const { claim, to } of spans) {
    const number = numbers.get(claim);
    noted += `${text.slice(done, to)}[^${number ?? "?"}]`;
    done = to;
    if (number === undefined) continue;
    const args = claim.toolCallId ? argsOf(claim.toolCallId) : null;
    notes.push(`[^${number}]: ${footnote(claim, args)}`);
  }
  noted += text.slice(done);
  if (spans.some(({ claim }) => !numbers.has(claim))) notes.push(`[^?]: ${UNPROVEN}`);
  return notes.length === 0 ? noted : `${noted.trimEnd()}\n\n${notes.join("\n")}\n`;
}
