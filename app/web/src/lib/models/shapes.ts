/** Models, their cards, jobs and experiments, as the REST door says them (docs/rest.md). */

export interface BaselineScore {
  name: string;
  loss: number;
  skill: number;
  skillLow: number;
  skillHigh: number;
  dmT: number | null;
}

export interface Evaluation {
  metric: string;
  loss: number;
  n: number;
  nRefits: number;
  first: string;
  last: string;
  purgeBars: number;
  baselines: BaselineScore[];
  byYear: Record<string, number>;
  bySymbol: Record<string, number>;
  coverage: Record<string, number>;
  calibrationError: number | null;
  /** Without what luck makes of it; older evaluations lack it. */
  debiasedCalibrationError?: number | null;
  /** Mean forecast, observed rate, cases. */
  reliability: [number, number, number][];
  other: Record<string, number>;
  notes: string[];
}

/** Where its networks were trained, for models that torch trained. */
export interface ComputedWith {
  workers: number;
  device: string;
  card: string | null;
}

export interface Model {
  id: string;
  name: string;
  version: string;
  type: string;
  framework: string;
  architecture: string;
  status: string;
  task: string | null;
  timeframe: string | null;
  horizonBars: number | null;
  recipe: string | null;
  aliases: string[];
  failure: string | null;
  deployedDespite: string | null;
  trainedAt: string | null;
  createdAt: string;
  validationMetrics: { evaluation?: Evaluation; notes?: string[]; computedWith?: ComputedWith };
}

/** Where and how a version was timed, or why it was not. */
export type Speed =
  | { latencyMs: number; latencyP95Ms: number; throughput: number; batchRows: number; machine: string; measuredAt: string }
  | { reason: string; measuredAt: string };

export interface Performance {
  performance: Record<string, number>;
  /** Fields without a number, and why. */
  absent: Record<string, string>;
  speed: Speed | null;
}

export interface Lineage {
  dataset: { name: string; version: number; digest: string; asOf: string | null; size: number } | null;
  recipe: string | null;
  artifact: string | null;
  predictions: number;
  signals: number;
}

export interface ModelEvent {
  id: string;
  kind: string;
  details: Record<string, unknown>;
  createdAt: string;
}

export interface ColumnDrift {
  column: string;
  psi: number | null;
  p: number | null;
  level: string;
}

export interface Report {
  createdAt: string;
  calls: { since: string; n: number; failed: number; timedOut: number; latencyP50Ms: number | null; latencyP95Ms: number | null };
  skill: { n: number; moments: number; skill: number | null; low: number | null; high: number | null };
  calibration: { n: number; nominal: number | null; coverage: number | null; low: number | null; high: number | null };
  inputs: ColumnDrift[];
  alarms: string[];
  notes: string[];
}

export interface Job {
  id: string;
  kind: string;
  title: string;
  status: "queued" | "running" | "completed" | "failed" | "cancelled";
  percent: number;
  stage: string;
  error: string | null;
  createdAt: string;
  startedAt: string | null;
  endedAt: string | null;
}

export interface Experiment {
  id: string;
  model: string;
  mode: string;
  share: number;
  championVersion: string;
  challengerVersion: string;
  status: string;
  startedAt: string;
  endedAt: string | null;
  decision: { reason?: string } | null;
}

export interface Reading {
  verdict: string;
  words: string;
  pairs: number;
  waiting: number;
  evidenceBetter: number;
  evidenceWorse: number;
  evidenceNeeded: number;
}

export interface Dataset {
  id: string;
  name: string;
  source: { type: string; uri: string };
  features: { name: string; type: string }[];
}

export interface Recipe {
  name: string;
  task: string;
  description: string;
  options: Record<string, unknown>;
}

const MEASURES: Record<string, string> = {
  accuracy: "Accuracy",
  precision: "Precision",
  recall: "Recall",
  f1Score: "F1",
  auc: "AUC",
  mse: "Mean squared error",
  mae: "Mean absolute error",
  rmse: "Root mean squared error",
  latencyMs: "Latency",
  throughput: "Throughput",
};

/** The seed's numbers that there are, in one order, without those about speed. */
export function measures(performance: Record<string, number>): [name: string, value: string][] {
  return Object.entries(MEASURES)
    .filter(([field]) => performance[field] !== undefined && field !== "latencyMs" && field !== "throughput")
    .map(([field, name]) => [name, (performance[field] ?? 0).toPrecision(3)]);
}

/** Those without a number, several of one reason together. */
export function without(absent: Record<string, string>): [names: string, why: string][] {
  const by = new Map<string, string[]>();
  for (const [field, name] of Object.entries(MEASURES)) {
    const why = absent[field];
    if (why !== undefined) by.set(why, [...(by.get(why) ?? []), name]);
  }
  return [...by].map(([why, names]) => [names.join(", "), why]);
}

/** How fast it answers, in a sentence. */
export function speedWords(speed: Speed): string {
  if ("reason" in speed) return speed.reason;
  const rows = speed.batchRows === 1 ? "1 row" : `${speed.batchRows.toLocaleString("en-US")} rows`;
  return (
    `${speed.latencyMs.toPrecision(2)} ms a call (95 % within ${speed.latencyP95Ms.toPrecision(2)} ms), ` +
    `${Math.round(speed.throughput).toLocaleString("en-US")} rows a second at ${rows} a call; ${speed.machine}`
  );
}

/** The baseline that it is least surely better than, on which the verdict rests; null when there was no evaluation. */
export function leastSure(evaluation: Evaluation | undefined): BaselineScore | null {
  const all = evaluation?.baselines ?? [];
  return all.reduce<BaselineScore | null>((found, one) => (found === null || one.skillLow < found.skillLow ? one : found), null);
}

/** What an interval of skill says: only one that lies above 0 is skill. */
export function skillWord(score: { skillLow: number; skillHigh: number }): string {
  return score.skillLow > 0 ? "has skill" : score.skillHigh < 0 ? "worse than its baseline" : "no usable skill";
}

/** How many trained it, on what: ", by 2 workers on the CPU"; nothing where torch trained nothing. */
export function trainedBy(model: Model): string {
  const where = model.validationMetrics.computedWith;
  if (where === undefined) return "";
  const many = where.workers === 1 ? "one worker" : `${where.workers} workers`;
  return `, by ${many} on ${where.device === "cpu" ? "the CPU" : (where.card ?? where.device)}`;
}

const ORDER = ["deployed", "ready", "validating", "training", "failed", "deprecated"];

/** Those that serve first, then by name and age. */
export function inOrder(models: readonly Model[]): Model[] {
  const rank = (one: Model): number => ORDER.indexOf(one.status);
  return [...models].sort((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name) || b.createdAt.localeCompare(a.createdAt));
}
