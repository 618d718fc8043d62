/** How the market pages say numbers and names. Formatting only. */

import type { Direction } from "../chart/card";

export const ARROW: Record<string, string> = { bullish: "▲", bearish: "▼", neutral: "■" };

/** The class that colours a direction; it never stands without its arrow. */
export function tone(direction: string | null | undefined): "up" | "down" | "" {
  return direction === "bullish" ? "up" : direction === "bearish" ? "down" : "";
}

export function toneOfSign(value: number | null | undefined): "up" | "down" | "" {
  return value === null || value === undefined || value === 0 ? "" : value > 0 ? "up" : "down";
}

export function directionWord(direction: Direction | string): string {
  return `${ARROW[direction] ?? ""} ${direction}`.trim();
}

/** "53.8 %" of 0.538; the sign never stands alone on a line. */
export function share(rate: number | null | undefined, digits = 1): string {
  return rate === null || rate === undefined ? "unknown" : `${(rate * 100).toFixed(digits)}\u00a0%`;
}

/** "+14", "−3.2". */
export function signed(value: number | null | undefined, digits = 0): string {
  if (value === null || value === undefined) return "–";
  const said = Math.abs(value).toFixed(digits);
  const sign = Number(said) === 0 ? "" : value > 0 ? "+" : "−";
  return sign + said;
}

export function whole(value: number): string {
  return value.toLocaleString("en-US");
}

/** "1.23 tn", "45.6 bn" of a decimal string; exact below a million. */
export function big(value: number): string {
  const size = Math.abs(value);
  const [unit, word] = size >= 1e12 ? [1e12, " tn"] : size >= 1e9 ? [1e9, " bn"] : size >= 1e6 ? [1e6, " m"] : [1, ""];
  return (value / unit).toLocaleString("en-US", { maximumFractionDigits: unit === 1 ? 2 : 1 }) + word;
}

export function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
