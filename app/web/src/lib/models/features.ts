/** Views of the feature store, as the REST door says them (docs/rest.md), and how they stand. */

export interface FeatureCard {
  view: string;
  description: string;
  dataset: string | null;
  timeframe: string | null;
  status: "empty" | "behind" | "stale" | "fresh";
  offline: { rows: number; newestEventAt: string } | null;
  online: { entities: number; newestEventAt: string; stale: number } | null;
}

/** "fresh, newest of 2013-03-01"; "stale" is said with the day it stopped at. */
export function standing(card: FeatureCard): string {
  if (card.status === "behind") return "new rows are not served yet";
  if (card.online === null) return "nothing is served";
  const newest = `newest of ${card.online.newestEventAt.slice(0, 10)}`;
  if (card.status === "stale") return `stale, ${newest}`;
  return card.online.stale > 0 ? `fresh, ${newest}; ${card.online.stale} stale` : `fresh, ${newest}`;
}
