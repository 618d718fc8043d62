/** How long to wait before trying again, and which endings forbid it. */

const FIRST_MS = 250;
const MOST_MS = 10_000;

/** Return the wait before attempt `n` (0, 1, 2 …): doubling, capped, with full jitter above half. */
export function backoffMs(n: number, random: () => number = Math.random): number {
  const ceiling = Math.min(MOST_MS, FIRST_MS * 2 ** n);
  return Math.round(ceiling / 2 + (ceiling / 2) * random());
}

/** What the client should do after a close code. */
export function afterClose(code: number): "retry" | "sign-in" | "final" {
  if (code === 4401) return "sign-in";
  if (code === 1009 || (code >= 4400 && code <= 4407)) return "final";
  return "retry";
}

/** Return the wait that a 4429 names in its reason, if it names one. */
export function waitFromReason(reason: string): number | null {
  const found = /(\d+(?:\.\d+)?)/.exec(reason);
  return found?.[1] === undefined ? null : Number(found[1]) * 1000;
}
