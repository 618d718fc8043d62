/** Read what a tool answered, whether it came as an event's text or from the store. */

import type { Evidence } from "./types";

function text(value: unknown): string | null {
  return typeof value === "string" && value !== "" ? value : null;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Return the evidence in a stored `output`, or null when it holds none. */
export function evidenceOf(output: unknown): Evidence | null {
  if (!isRecord(output) || !("data" in output)) return null;
  const units: Record<string, string> = {};
  if (isRecord(output["units"])) {
    for (const [key, unit] of Object.entries(output["units"])) units[key] = String(unit);
  }
  return {
    data: output["data"],
    asOf: text(output["asOf"]),
    source: text(output["source"]),
    units,
    summary: text(output["summary"]),
  };
}

/** Return the evidence in an event's `content`, which is a plain sentence when the tool failed. */
export function evidenceIn(content: string): Evidence | null {
  if (!content.startsWith("{")) return null;
  try {
    return evidenceOf(JSON.parse(content));
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

/** Follow a JSON pointer (RFC 6901) into evidence; undefined when it leads nowhere. */
export function at(root: unknown, pointer: string): unknown {
  let value = root;
  for (const raw of pointer.split("/").slice(1)) {
    const key = raw.replaceAll("~1", "/").replaceAll("~0", "~");
    if (Array.isArray(value)) value = value[Number(key)];
    else if (isRecord(value)) value = value[key];
    else return undefined;
  }
  return value;
}
