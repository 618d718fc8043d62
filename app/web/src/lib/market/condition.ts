/** The rows of the condition builder, and the JSON that the server reads. Pure. */

export interface NumberRow {
  kind: "number";
  field: string;
  op: string;
  /** Compared with a number, or with another field. */
  against: "number" | "field";
  value: string;
  other: string;
  times: string;
}

export interface SignalRow {
  kind: "signal";
  signal: string;
  /** Empty: any. */
  direction: string;
  /** Only when it fires at this very bar, not while it is valid. */
  fired: boolean;
}

export type Row = NumberRow | SignalRow;
export type Join = "all" | "any";
export type Json = Record<string, unknown>;

export class Unready extends Error {}

export function numberRow(field = "rsi", op = "<", value = "30"): NumberRow {
  return { kind: "number", field, op, against: "number", value, other: "sma200", times: "1" };
}

export function signalRow(signal = "breakout", direction = "", fired = false): SignalRow {
  return { kind: "signal", signal, direction, fired };
}

function numberOf(text: string, what: string): number {
  const value = Number(text.trim().replace("−", "-"));
  if (text.trim() === "" || !Number.isFinite(value)) throw new Unready(`${what} is not a number: "${text}"`);
  return value;
}

function leaf(row: Row): Json {
  if (row.kind === "signal") {
    return {
      signal: row.signal,
      ...(row.direction === "" ? {} : { direction: row.direction }),
      ...(row.fired ? { fired: true } : {}),
    };
  }
  const { field, op } = row;
  if (row.against === "number") return { field, op, value: numberOf(row.value, "The value") };
  const times = numberOf(row.times, "The factor");
  return { field, op, value: { field: row.other, ...(times === 1 ? {} : { times }) } };
}

/**
 * Return the condition of the rows.
 *
 * @throws Unready when a row cannot be said yet.
 */
export function toJson(rows: readonly Row[], join: Join): Json {
  const leaves = rows.map(leaf);
  const [only] = leaves;
  if (only === undefined) throw new Unready("Add at least one line.");
  return leaves.length === 1 ? only : { [join]: leaves };
}

function rowOf(json: unknown): Row | null {
  if (typeof json !== "object" || json === null) return null;
  const one = json as Json;
  if (typeof one["signal"] === "string") {
    const direction = typeof one["direction"] === "string" ? one["direction"] : "";
    return signalRow(one["signal"], direction, one["fired"] === true);
  }
  if (typeof one["field"] !== "string" || typeof one["op"] !== "string") return null;
  const row = numberRow(one["field"], one["op"], "");
  const value = one["value"];
  if (typeof value === "number") return { ...row, value: String(value) };
  if (typeof value !== "object" || value === null) return null;
  const other = value as Json;
  if (typeof other["field"] !== "string") return null;
  return { ...row, against: "field", other: other["field"], times: String(other["times"] ?? 1) };
}

/** Return the rows that a condition has; null when it is nested deeper than rows can show. */
export function fromJson(json: Json): { rows: Row[]; join: Join } | null {
  const join: Join = Array.isArray(json["any"]) ? "any" : "all";
  const parts = Array.isArray(json[join]) ? (json[join] as unknown[]) : [json];
  const rows = parts.map(rowOf);
  return rows.every((row) => row !== null) ? { rows, join } : null;
}
