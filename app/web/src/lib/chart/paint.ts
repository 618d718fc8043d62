/** The page's colours, as a canvas needs them. */

export interface Paint {
  ground: string;
  ink: string;
  grid: string;
  up: string;
  down: string;
  quiet: string;
  band: string;
  lines: string[];
  font: string;
}

export function paintOf(element: Element): Paint {
  const style = getComputedStyle(element);
  const colour = (name: string): string => style.getPropertyValue(name).trim();
  return {
    ground: colour("--paper"),
    ink: colour("--ink-3"),
    grid: colour("--line"),
    up: colour("--up"),
    down: colour("--down"),
    quiet: colour("--line-strong"),
    band: colour("--band"),
    lines: [colour("--line-a"), colour("--line-b"), colour("--line-c")],
    font: style.fontFamily,
  };
}

/** The place of an overlay among its like decides its colour, in the drawing as in the legend. */
export function toneOf(name: string, place: number): "band" | "a" | "b" | "c" {
  if (/band|bollinger/i.test(name)) return "band";
  return (["a", "b", "c"] as const)[place % 3] ?? "a";
}
