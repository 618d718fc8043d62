/** Numbers, money and times as people read them. Nothing here computes what an answer claims. */

import type { Cost, LlmName, Receipt } from "./protocol/types";

const PROVIDERS: Record<string, string> = {
  builtin: "built-in model",
  openai: "OpenAI",
  anthropic: "Anthropic",
  google: "Google",
  cohere: "Cohere",
  huggingface: "Hugging Face",
};

export function providerName(provider: string): string {
  return PROVIDERS[provider] ?? provider;
}

export function llmLabel(llm: LlmName): string {
  if (llm.label) return llm.label;
  return llm.provider === "builtin" ? providerName(llm.provider) : `${providerName(llm.provider)} ${llm.model}`;
}

/** Return a value in full: what the popover and footnotes show. */
export function exact(value: number | string): string {
  if (typeof value === "number") return String(value);
  return /^\d{4}-\d\d-\d\dT00:00:00Z$/.test(value) ? value.slice(0, 10) : value;
}

/** Return a number for a table cell: grouped, and no more digits than carry meaning on screen. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  const digits = Number.isInteger(value) ? 0 : size >= 1000 ? 2 : size >= 1 ? 4 : 6;
  return value.toLocaleString("en-US", { maximumFractionDigits: digits });
}

/** Return a decimal string's amount: cents, or two significant digits below a cent; no exponents. */
export function money(amount: string, currency: string): string {
  if (isZero(amount)) return `0 ${currency}`;
  const zeros = /^0*\.(0*)/.exec(amount)?.[1]?.length ?? 0;
  const digits = Math.max(2, zeros + 2);
  return `${Number(amount).toFixed(digits)} ${currency}`;
}

export function isZero(amount: string): boolean {
  return /^0*\.?0*$/.test(amount);
}

export function costWords(cost: Cost): string {
  const { amount, currency, priced } = cost;
  if (amount === null) return "price unknown";
  if (!priced) return isZero(amount) ? "price unknown" : `${money(amount, currency)} + unpriced`;
  return isZero(amount) ? "free" : money(amount, currency);
}

export function seconds(ms: number): string {
  if (ms < 1) return "under 1 ms";
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  return `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1000)} s`;
}

/** Return the line under an answer: "0.0021 USD · 812 tokens · 1.9 s", "free · built-in model · 0.2 s". */
export function receiptWords(receipt: Receipt): string[] {
  const tokens = receipt.inputTokens + receipt.outputTokens;
  const words = [costWords(receipt)];
  if (receipt.provider === "builtin") words.push(providerName(receipt.provider));
  else if (tokens > 0) words.push(`${tokens.toLocaleString("en-US")} tokens${receipt.estimated ? ", estimated" : ""}`);
  words.push(seconds(receipt.durationMs));
  return words;
}

const UNITS: [limit: number, size: number, unit: Intl.RelativeTimeFormatUnit][] = [
  [3600, 60, "minute"],
  [86_400, 3600, "hour"],
  [7 * 86_400, 86_400, "day"],
];

/** Return how long ago: "now", "5 min. ago", "yesterday", "3 Mar", "3 Mar 2024". */
export function ago(iso: string, now: number = Date.now()): string {
  const then = new Date(iso);
  const passed = (now - then.getTime()) / 1000;
  if (passed < 45) return "now";
  const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto", style: "narrow" });
  for (const [limit, size, unit] of UNITS) {
    if (passed < limit) return relative.format(-Math.max(1, Math.round(passed / size)), unit);
  }
  const sameYear = then.getFullYear() === new Date(now).getFullYear();
  return then.toLocaleDateString("en-GB", {
    day: "numeric",
    month: "short",
    ...(sameYear ? {} : { year: "numeric" }),
  });
}

/** Return a moment of data: a date, and the hour only where the data has one. */
export function moment(iso: string): string {
  const [day = iso, time = ""] = iso.split("T");
  const date = new Date(`${day}T00:00:00Z`);
  if (Number.isNaN(date.getTime())) return iso;
  const said = date.toLocaleDateString("en-GB", {
    day: "numeric",
    month: "long",
    year: "numeric",
    timeZone: "UTC",
  });
  const clock = time.slice(0, 5);
  return clock === "" || clock === "00:00" ? said : `${said}, ${clock} UTC`;
}
