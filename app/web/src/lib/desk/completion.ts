/** What the composer offers after `$` (symbols) and `@` (agents). */

import type { Agent, Instrument } from "../rest";

export interface Choice {
  label: string;
  detail: string;
  extra?: string;
  insert: string;
  agent?: Agent;
}

export interface Completion {
  what: string;
  /** Where the trigger stands. */
  from: number;
  /** Identifies this trigger, so that it can be waved away. */
  key: string;
  choices: Choice[];
}

const MOST = 8;
const TRIGGER = /(^|[\s(])([$@])([\p{L}\d._-]*)$/u;

export function completionAt(
  text: string,
  cursor: number,
  known: { instruments: readonly Instrument[]; agents: readonly Agent[] },
): Completion | null {
  const found = TRIGGER.exec(text.slice(0, cursor));
  if (found === null) return null;
  const [, lead = "", sign = "", word = ""] = found;
  const from = found.index + lead.length;
  const key = `${sign}${from}`;
  const sought = word.toLowerCase();
  if (sign === "$") {
    const choices = ranked(known.instruments, sought, (one) => [one.symbol, one.name]).map((one) => ({
      label: one.symbol,
      detail: one.name,
      extra: one.lastBar ? `to ${one.lastBar.slice(0, 10)}` : one.kind,
      insert: `${one.symbol} `,
    }));
    return { what: "Symbols", from, key, choices };
  }
  const choices = ranked(known.agents, sought, (one) => [one.name, one.type]).map((one) => ({
    label: one.name,
    detail: one.capabilities?.join(", ") || one.type.replaceAll("_", " "),
    insert: "",
    agent: one,
  }));
  return { what: "Agents", from, key, choices };
}

/** Return what begins with `sought` first, then what contains it. */
function ranked<T>(items: readonly T[], sought: string, words: (item: T) => string[]): T[] {
  const score = (item: T): number => {
    const texts = words(item).map((word) => word.toLowerCase());
    if (texts.some((word) => word.startsWith(sought))) return 0;
    return texts.some((word) => word.includes(sought)) ? 1 : 2;
  };
  return items
    .map((item) => ({ item, rank: score(item) }))
    .filter(({ rank }) => rank < 2)
    .toSorted((a, b) => a.rank - b.rank)
    .slice(0, MOST)
    .map(({ item }) => item);
}
