import { describe, expect, it } from "vitest";
import type { AgentEvent, EventFrame } from "../protocol/types";
import { leavesHole, reduce } from "./reducer";
import { emptyTranscript, isOpening, runningAnswer, type Transcript } from "./types";

const RECEIPT = {
  amount: "0.0021",
  currency: "USD",
  priced: true,
  estimated: false,
  inputTokens: 700,
  outputTokens: 112,
  cachedTokens: 0,
  attempts: 1,
  durationMs: 1900,
  provider: "openai",
  model: "small",
};

function frames(events: [runId: string, event: AgentEvent][], from = 1): EventFrame[] {
  return events.map(([runId, event], place) => ({
    type: "event",
    threadId: "t",
    runId,
    seq: from + place,
    event,
  }));
}

function started(runId: string, question: string | null, more: object = {}): AgentEvent {
  const messages = question === null ? [] : [{ id: `q-${runId}`, role: "user", content: question }];
  return {
    type: "RUN_STARTED",
    threadId: "t",
    runId,
    input: { messages, forwardedProps: { outcry: { agent: { id: "a", name: "analyst", version: 1 }, ...more } } },
  };
}

function finished(runId: string, messageId: string, type = "success"): AgentEvent {
  const metadata = { outcry: { messageId, receipt: RECEIPT } };
  return { type: "RUN_FINISHED", threadId: "t", runId, outcome: { type }, metadata };
}

const CLAIM = { index: 1, start: 9, end: 11, text: "68", status: "supported" as const };

const RUN: [string, AgentEvent][] = [
  ["r1", started("r1", "Is RSI high?")],
  ["r1", { type: "TEXT_MESSAGE_START", messageId: "m0" }],
  ["r1", { type: "TEXT_MESSAGE_CONTENT", messageId: "m0", delta: "Let me look." }],
  ["r1", { type: "TEXT_MESSAGE_END", messageId: "m0" }],
  ["r1", { type: "STEP_STARTED", stepName: "reading 500 bars of GOOG" }],
  ["r1", { type: "TOOL_CALL_START", toolCallId: "c1", toolCallName: "indicators" }],
  ["r1", { type: "TOOL_CALL_ARGS", toolCallId: "c1", delta: '{"symbol":' }],
  ["r1", { type: "TOOL_CALL_ARGS", toolCallId: "c1", delta: '"GOOG"}' }],
  ["r1", { type: "TOOL_CALL_END", toolCallId: "c1" }],
  [
    "r1",
    {
      type: "TOOL_CALL_RESULT",
      messageId: "x",
      toolCallId: "c1",
      content: JSON.stringify({ data: { rsi: 68.1 }, asOf: null, source: "S", units: {}, summary: "read" }),
      metadata: { outcry: { status: "success", durationMs: 12, summary: "read 500 bars" } },
    },
  ],
  ["r1", { type: "ACTIVITY_SNAPSHOT", messageId: "k", activityType: "chart.candles", content: { toolCallId: "c1" } }],
  ["r1", { type: "STEP_FINISHED", stepName: "reading 500 bars of GOOG" }],
  ["r1", { type: "TEXT_MESSAGE_START", messageId: "m1" }],
  ["r1", { type: "TEXT_MESSAGE_CONTENT", messageId: "m1", delta: "RSI is **68" }],
  ["r1", { type: "TEXT_MESSAGE_CONTENT", messageId: "m1", delta: "**." }],
  ["r1", { type: "TEXT_MESSAGE_END", messageId: "m1" }],
  ["r1", { type: "CUSTOM", name: "outcry.claims", value: { messageId: "m1", claims: [CLAIM] } }],
  ["r1", finished("r1", "m1")],
];

function play(all: readonly EventFrame[], from: Transcript = emptyTranscript("t")): Transcript {
  return all.reduce(reduce, from);
}

describe("a run", () => {
  it("becomes a turn with its pieces, calls, cards, claims and receipt", () => {
    const { turns, seq } = play(frames(RUN));
    expect(seq).toBe(RUN.length);
    expect(turns).toHaveLength(1);
    const answer = turns[0]?.answers[0];
    expect(turns[0]?.question).toMatchObject({ id: "q-r1", text: "Is RSI high?" });
    expect(answer).toMatchObject({
      status: "done",
      messageId: "m1",
      claims: [CLAIM],
      receipt: RECEIPT,
      step: null,
      agent: { name: "analyst" },
    });
    expect(answer?.pieces.map((piece) => piece.text)).toEqual(["Let me look.", "RSI is **68**."]);
    expect(answer?.blocks).toEqual([
      { kind: "text", messageId: "m0" },
      { kind: "calls", ids: ["c1"] },
      { kind: "text", messageId: "m1" },
    ]);
    expect(answer?.calls[0]).toMatchObject({
      args: '{"symbol":"GOOG"}',
      status: "success",
      words: "read 500 bars",
      durationMs: 12,
      evidence: { data: { rsi: 68.1 }, source: "S" },
    });
    expect(answer?.cards).toHaveLength(1);
  });

  it("leaves the transcript itself untouched by what was seen before", () => {
    const all = frames(RUN);
    const whole = play(all);
    expect(play(all, whole)).toBe(whole);
  });

  it("keeps what was streamed when it is stopped, and closes the dangling call", () => {
    const { turns } = play([
      ...frames(RUN.slice(0, 8)),
      ...frames([["r1", finished("r1", "m0", "cancelled")]], 9),
    ]);
    const answer = turns[0]?.answers[0];
    expect(answer).toMatchObject({ status: "cancelled", step: null });
    expect(answer?.pieces[0]).toMatchObject({ text: "Let me look.", open: false });
    expect(answer?.calls[0]?.status).toBe("stopped");
  });

  it("tells why it failed", () => {
    const error: AgentEvent = { type: "RUN_ERROR", code: "llm_unavailable", message: "The provider is away." };
    const { turns } = play([...frames(RUN.slice(0, 3)), ...frames([["r1", error]], 4)]);
    expect(turns[0]?.answers[0]).toMatchObject({
      status: "failed",
      failure: { code: "llm_unavailable", message: "The provider is away." },
    });
  });

  it("shows a failed tool's sentence", () => {
    const failure: AgentEvent = {
      type: "TOOL_CALL_RESULT",
      messageId: "x",
      toolCallId: "c1",
      content: "There is no NOPE.",
      metadata: { outcry: { status: "failure", durationMs: 3 } },
    };
    const { turns } = play([...frames(RUN.slice(0, 9)), ...frames([["r1", failure]], 10)]);
    expect(turns[0]?.answers[0]?.calls[0]).toMatchObject({
      status: "failure",
      failure: "There is no NOPE.",
      evidence: null,
    });
  });
});

describe("later runs", () => {
  const first = frames(RUN);
  const next = first.length + 1;

  it("add a sibling when they regenerate", () => {
    const again = frames([["r2", started("r2", null, { mode: "regenerate", fromMessageId: "m1" })]], next);
    const { turns } = play([...first, ...again]);
    expect(turns).toHaveLength(1);
    expect(turns[0]?.answers.map((answer) => answer.runId)).toEqual(["r1", "r2"]);
  });

  it("drop what followed the question they answer again", () => {
    const more = frames([["r2", started("r2", "And MSFT?")], ["r2", finished("r2", "m2")]], next);
    const again = frames([["r3", started("r3", null, { mode: "regenerate", userMessageId: "q-r1" })]], next + 2);
    const { turns } = play([...first, ...more, ...again]);
    expect(turns.map((turn) => turn.question.id)).toEqual(["q-r1"]);
  });

  it("replace the question they edit and all that followed", () => {
    const edit = frames([["r2", started("r2", "Is RSI low?", { mode: "edit", fromMessageId: "q-r1" })]], next);
    const { turns } = play([...first, ...edit]);
    expect(turns.map((turn) => turn.question.text)).toEqual(["Is RSI low?"]);
  });

  it("are the one that is running until they end", () => {
    const going = play([...first, ...frames([["r2", started("r2", "And MSFT?")]], next)]);
    expect(runningAnswer(going)?.runId).toBe("r2");
    expect(runningAnswer(play(first))).toBeNull();
  });
});

it("notices a hole, and not a replay", () => {
  const here = play(frames(RUN.slice(0, 5)));
  const [after, later] = frames([["r1", { type: "STEP_FINISHED", stepName: "x" }], ["r1", finished("r1", "m1")]], 6);
  if (after === undefined || later === undefined) throw new Error("two frames were made");
  expect(leavesHole(here, after)).toBe(false);
  expect(leavesHole(here, later)).toBe(true);
  expect(leavesHole(here, { ...after, seq: 2 })).toBe(false);
});

it("takes up an answer whose beginning lies before what it has seen", () => {
  const late = frames([["r9", { type: "TEXT_MESSAGE_CONTENT", messageId: "m", delta: "tail" }]], 8);
  const { turns } = play(late, { ...emptyTranscript("t"), seq: 7 });
  expect(turns[0]?.answers[0]?.pieces[0]?.text).toBe("tail");
});

it("passes over events it does not know", () => {
  const strange = { type: "REASONING_START", messageId: "z" } as unknown as AgentEvent;
  const one = play(frames(RUN.slice(0, 3)));
  const two = reduce(one, { type: "event", threadId: "t", runId: "r1", seq: 4, event: strange });
  expect(two.turns).toEqual(one.turns);
  expect(two.seq).toBe(4);
});

describe("a conversation that an alert opened", () => {
  it("shows an alert's opening as a turn of its own, and the question after it below", () => {
    const opening = started("r0", null, { mode: "alert" });
    const turns = frames([["r0", opening], ["r0", finished("r0", "m0")], ["r1", started("r1", "Why?")]]).reduce(reduce, {
      ...emptyTranscript("t"),
    }).turns;
    expect(turns.map((turn) => [isOpening(turn), turn.question.text])).toEqual([
      [true, ""],
      [false, "Why?"],
    ]);
  });
});
