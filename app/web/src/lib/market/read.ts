/** Read one part of a page: a refusal becomes words in its place, not the end of the page. */

import { Problem } from "../rest";
import type { Part } from "./shapes";

export async function read<T>(ask: () => Promise<T>): Promise<Part<T>> {
  try {
    return { is: "ready", value: await ask() };
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    if (error.code === "not_found") return { is: "absent" };
    if (error.status === 404) return { is: "none", words: error.message };
    return { is: "failed", words: error.message };
  }
}

export function valueOf<T>(part: Part<T>): T | null {
  return part.is === "ready" ? part.value : null;
}
