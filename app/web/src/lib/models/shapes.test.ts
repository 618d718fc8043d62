import { expect, it } from "vitest";
import { inOrder, leastSure, measures, skillWord, speedWords, trainedBy, without, type Evaluation, type Model } from "./shapes";

const score = (name: string, skill: number, skillLow: number, skillHigh: number) => ({ name, skill, skillLow, skillHigh, loss: 1, dmT: null });

it("names the baseline that it is least surely better than", () => {
  const evaluation = { baselines: [score("EWMA", 0.4, 0.3, 0.5), score("HAR", 0.1, 0.05, 0.15)] } as unknown as Evaluation;
  expect(leastSure(evaluation)?.name).toBe("HAR");
  expect(leastSure(undefined)).toBeNull();
});

it("calls skill only what lies above 0 with its whole interval", () => {
  expect(skillWord(score("x", 0.1, 0.02, 0.2))).toBe("has skill");
  expect(skillWord(score("x", 0.1, -0.02, 0.2))).toBe("no usable skill");
  expect(skillWord(score("x", -0.1, -0.2, -0.02))).toBe("worse than its baseline");
});

it("says how many trained a network, and on what", () => {
  const model = (computedWith?: object) => ({ validationMetrics: { computedWith } }) as unknown as Model;
  expect(trainedBy(model())).toBe("");
  expect(trainedBy(model({ workers: 1, device: "cpu", card: null }))).toBe(", by one worker on the CPU");
  expect(trainedBy(model({ workers: 4, device: "cuda", card: "NVIDIA H100" }))).toBe(", by 4 workers on NVIDIA H100");
});

it("shows those that serve first", () => {
  const model = (name: string, status: string) => ({ name, status, createdAt: "2026-01-01" }) as Model;
  const names = inOrder([model("b", "ready"), model("c", "deployed"), model("a", "deprecated"), model("a", "deployed")]).map((one) => one.name + one.status);
  expect(names).toEqual(["adeployed", "cdeployed", "bready", "adeprecated"]);
});

it("lists numbers in one order, and says together what has none and why", () => {
  expect(measures({ rmse: 0.5, auc: 0.8234, latencyMs: 1.2 })).toEqual([["AUC", "0.823"], ["Root mean squared error", "0.500"]]);
  expect(without({ mse: "Labels are no numbers.", rmse: "Labels are no numbers.", auc: "One label." })).toEqual([
    ["AUC", "One label."],
    ["Mean squared error, Root mean squared error", "Labels are no numbers."],
  ]);
});

it("says how fast a version answers, or why nobody knows", () => {
  const measuredAt = "2026-11-26T12:00:00Z";
  expect(speedWords({ latencyMs: 0.3141, latencyP95Ms: 0.5, throughput: 123456.7, batchRows: 512, machine: "a machine, 2 cores", measuredAt })).toBe(
    "0.31 ms a call (95 % within 0.50 ms), 123,457 rows a second at 512 rows a call; a machine, 2 cores",
  );
  expect(speedWords({ reason: "It did not answer.", measuredAt })).toBe("It did not answer.");
});
