/** What the engine does, as `GET /models/engine` says it, in few words. */

import { whole } from "../market/words";

export interface Speed {
  model: string;
  modelId: string;
  where: "here" | "elsewhere";
  answered: number;
  failed: number;
  p50Ms: number | null;
  p99Ms: number | null;
  rowsPerS: number;
  leftAloneForS: number | null;
}

export interface EngineNow {
  since: string;
  waitingCalls: number;
  runningBatches: number;
  loadedModels: number;
  loadedBytes: number;
  workerStarts: number;
  answered: number;
  failed: number;
  rowsPerS: number;
  models: Speed[];
}

const rate = (value: number): string => (value >= 10 ? whole(Math.round(value)) : value.toFixed(1));
const ms = (value: number): string => (value >= 10 ? whole(Math.round(value)) : value.toFixed(1));

/** One line for the page: answers, throughput, queue, cache, restarts. */
export function engineWords(now: EngineNow): string {
  const restarts = Math.max(0, now.workerStarts - 1);
  const parts = [
    `${whole(now.answered)} ${now.answered === 1 ? "answer" : "answers"}${now.failed > 0 ? ` and ${whole(now.failed)} without one` : ""}`,
    `${rate(now.rowsPerS)} rows a second over the last minute`,
    now.waitingCalls > 0 ? `${whole(now.waitingCalls)} waiting` : "nothing waits",
    `${now.loadedModels} ${now.loadedModels === 1 ? "model" : "models"} loaded (${(now.loadedBytes / 2 ** 20).toFixed(1)} MiB)`,
    restarts === 0 ? "no restart" : `${restarts} ${restarts === 1 ? "restart" : "restarts"}`,
  ];
  return `${parts.join(", ")}.`;
}

/** How fast one model has answered; empty where it has not. */
export function speedWords(one: Speed | undefined): string {
  if (one === undefined || (one.answered === 0 && one.failed === 0)) return "";
  const parts = [`${whole(one.answered)} ${one.answered === 1 ? "answer" : "answers"}`];
  if (one.p50Ms !== null && one.p99Ms !== null) parts.push(`half within ${ms(one.p50Ms)}\u00a0ms, 99\u00a0% within ${ms(one.p99Ms)}\u00a0ms`);
  if (one.rowsPerS >= 0.05) parts.push(`${rate(one.rowsPerS)} rows/s`);
  if (one.failed > 0) parts.push(`${whole(one.failed)} without one`);
  if (one.leftAloneForS !== null) parts.push(`left alone for ${Math.ceil(one.leftAloneForS)}\u00a0s`);
  return parts.join(", ");
}
