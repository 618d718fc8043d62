/** How this person likes charts: kept in this browser. */

import { flipped, paneId } from "../chart/layers";
import { PANES } from "./series";

const LAYERS = "outcry.layers-off";

function kept(): ReadonlySet<string> {
  const text = localStorage.getItem(LAYERS);
  if (text !== null) return new Set(JSON.parse(text) as string[]);
  const panes = PANES.map(({ name }) => paneId(name)).filter((id) => id !== paneId("RSI"));
  return new Set(["exponential", "bands", ...panes]);
}

class ChartSettings {
  off = $state.raw(kept());

  toggle(id: string): void {
    this.off = flipped(this.off, id);
    localStorage.setItem(LAYERS, JSON.stringify([...this.off]));
  }
}

export const chartSettings = new ChartSettings();
