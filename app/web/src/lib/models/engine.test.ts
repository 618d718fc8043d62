import { expect, it } from "vitest";
import { engineWords, speedWords, type EngineNow, type Speed } from "./engine";

const now: EngineNow = {
  since: "2026-11-26T12:00:00Z", waitingCalls: 0, runningBatches: 0, loadedModels: 1, loadedBytes: 2 ** 21, workerStarts: 1,
  answered: 1, failed: 0, rowsPerS: 0.05, models: [],
};
const speed: Speed = { model: "m@1", modelId: "m", where: "here", answered: 1200, failed: 0, p50Ms: 1.23, p99Ms: 41.7, rowsPerS: 20.4, leftAloneForS: null };

it("says in one line what the engine does", () => {
  expect(engineWords(now)).toBe("1 answer, 0.1 rows a second over the last minute, nothing waits, 1 model loaded (2.0 MiB), no restart.");
  expect(engineWords({ ...now, answered: 1500, failed: 3, waitingCalls: 4, loadedModels: 2, workerStarts: 3, rowsPerS: 123.4 })).toBe(
    "1,500 answers and 3 without one, 123 rows a second over the last minute, 4 waiting, 2 models loaded (2.0 MiB), 2 restarts.",
  );
});

it("says how fast a model answers, and that it is left alone", () => {
  expect(speedWords(speed)).toBe("1,200 answers, half within 1.2\u00a0ms, 99\u00a0% within 42\u00a0ms, 20 rows/s");
  expect(speedWords({ ...speed, answered: 0, failed: 5, p50Ms: null, p99Ms: null, rowsPerS: 0, leftAloneForS: 12.2 })).toBe(
    "0 answers, 5 without one, left alone for 13\u00a0s",
  );
  expect(speedWords(undefined)).toBe("");
  expect(speedWords({ ...speed, answered: 0 })).toBe("");
});
