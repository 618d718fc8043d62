/** Four questions that work on the data that is here. */

import type { Instrument } from "../rest";

const FAVOURITES = ["GOOG", "AAPL", "MSFT", "NVDA", "AMZN", "META", "FB", "IBM", "NFLX"];

export function examples(instruments: readonly Instrument[]): string[] {
  const present = new Set(instruments.map((one) => one.symbol));
  const chosen = FAVOURITES.filter((symbol) => present.has(symbol));
  const rest = instruments.map((one) => one.symbol).filter((symbol) => !chosen.includes(symbol));
  const [a, b, c] = [...chosen, ...rest];
  if (a === undefined) return ["What can you do?", "Which instruments do you know?"];
  const questions = [`How does ${a} look right now, and is that unusual?`];
  if (b !== undefined && c !== undefined) questions.push(`Compare ${b} and ${c} over the last year`);
  questions.push(`Is ${(b ?? a)}'s RSI high?`);
  questions.push(`Where are support and resistance for ${c ?? b ?? a}?`);
  return questions;
}
