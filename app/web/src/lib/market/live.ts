/** Which symbols are on screen, and what the server pushes about them. */

import type { Connection } from "../protocol/connection";
import type { MarketFrame } from "../protocol/types";

/** `first`: the state of things as a socket begins, of which bars may have been missed before. */
type Watcher = (frame: MarketFrame, first: boolean) => void;

export class Live {
  private readonly watchers = new Map<string, Set<Watcher>>();
  private readonly beginning = new Set<string>();

  constructor(private readonly connection: () => Connection | null) {}

  /** Follow a symbol until the returned function is called; reconnecting asks for it anew. */
  watch(symbol: string, timeframe: string, watcher: Watcher): () => void {
    const key = `${timeframe} ${symbol}`;
    const known = this.watchers.get(key);
    if (known === undefined) {
      this.watchers.set(key, new Set([watcher]));
      this.beginning.add(key);
      this.connection()?.watch([symbol], timeframe);
    } else known.add(watcher);
    return () => {
      const left = this.watchers.get(key);
      left?.delete(watcher);
      if (left === undefined || left.size > 0) return;
      this.watchers.delete(key);
      this.connection()?.unwatch([symbol], timeframe);
    };
  }

  /** Everything that is on screen now, by timeframe, for a socket that begins. */
  wanted(): Map<string, string[]> {
    for (const key of this.watchers.keys()) this.beginning.add(key);
    const found = new Map<string, string[]>();
    for (const key of this.watchers.keys()) {
      const [timeframe = "", ...symbol] = key.split(" ");
      found.set(timeframe, [...(found.get(timeframe) ?? []), symbol.join(" ")]);
    }
    return found;
  }

  receive(frame: MarketFrame): void {
    const key = `${frame.timeframe} ${frame.symbol}`;
    const first = this.beginning.delete(key);
    for (const watcher of this.watchers.get(key) ?? []) watcher(frame, first);
  }
}
