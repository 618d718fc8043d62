/** Four questions that work on the data that is here. */

import type { Instrument } from "../rest";

const FAVOURITES = ["GOOG", "AAPL", "MSFT", "NVDA", "AMZN", "META", "FB", "IBM", "NFLX"];
const YEAR_MS = 365 * 86_400_000;

/** How long both have bars for, counted back from where the one that ends first ends. */
function sharedMs(a: Instrument, b: Instrument): number {
  const time = (text: string | null | undefined): number => (text ? Date.parse(text) : Number.NaN);
  const from = Math.max(time(a.firstBar), time(b.firstBar));
  const to = Math.min(time(a.lastBar), time(b.lastBar));
  return Number.isFinite(to - from) ? to - from : 0;
}

/** Whether "the last year" means nearly the same year for both. */
function comparable(a: Instrument, b: Instrument): boolean {
  const apart = Math.abs(Date.parse(a.lastBar ?? "") - Date.parse(b.lastBar ?? ""));
  return sharedMs(a, b) >= YEAR_MS && apart <= YEAR_MS / 12;
}

function firstPair(list: readonly Instrument[]): [Instrument, Instrument] | null {
  for (const [place, a] of list.entries()) {
    const b = list.slice(place + 1).find((one) => comparable(a, one));
    if (b !== undefined) return [a, b];
  }
  return null;
}

export function examples(instruments: readonly Instrument[]): string[] {
  const rank = ({ symbol }: Instrument): number => {
    const place = FAVOURITES.indexOf(symbol);
    return place < 0 ? FAVOURITES.length : place;
  };
  const known = instruments.filter((one) => one.lastBar).toSorted((a, b) => rank(a) - rank(b));
  const [first] = known;
  if (first === undefined) return ["What can you do?", "Which instruments do you know?"];
  // The first question is about the first one already: let others have their turn.
  const others = known.slice(1);
  const pair = firstPair(others) ?? firstPair(known);
  const second = others[0] ?? first;
  const third = others.find((one) => one !== second && !pair?.includes(one)) ?? others[1] ?? first;
  return [
    `How does ${first.symbol} look right now, and is that unusual?`,
    ...(pair ? [`Compare ${pair[0].symbol} and ${pair[1].symbol} over the last year`] : []),
    `Is ${second.symbol}'s RSI high?`,
    `Where are support and resistance for ${third.symbol}?`,
  ];
}
