import { describe, expect, it } from "vitest";
import type { AgentEvent, EventFrame } from "../protocol/types";
import { leavesHole, reduce } from "./reducer";
import type { Transcript } from "./types";

const RECEIPT = {
  amount: "0", currency: "USD", priced: true, estimated: false, inputTokens: 1, outputTokens: 2,
  cachedTokens: 0, attempts: 1, durationMs: 9, provider: "builtin", model: "desk-1",
};

const EVENTS = [
  {
    type: "RUN_STARTED", threadId: "t", runId: "r",
    input: { messages: [{ id: "q", role: "user", content: "How is GOOG?" }], forwardedProps: { outcry: {} } },
  },
  { type: "TOOL_CALL_START", toolCallId: "c", toolCallName: "bars" },
  { type: "TOOL_CALL_ARGS", toolCallId: "c", delta: '{"symbol":"GOOG"}' },
  { type: "TOOL_CALL_END", toolCallId: "c" },
  {
    type: "TOOL_CALL_RESULT", messageId: "x", toolCallId: "c",
    content: '{"data":{"close":806.19},"asOf":"2013-03-01","source":"demo","units":{},"summary":"read bars"}',
    metadata: { outcry: { status: "success", durationMs: 3, summary: "read bars" } },
  },
  { type: "TEXT_MESSAGE_START", messageId: "m", role: "assistant" },
  { type: "TEXT_MESSAGE_CONTENT", messageId: "m", delta: "It closed at " },
  { type: "TEXT_MESSAGE_CONTENT", messageId: "m", delta: "806.19." },
  { type: "TEXT_MESSAGE_END", messageId: "m" },
  {
    type: "CUSTOM", name: "outcry.claims",
    value: { messageId: "m", claims: [{ index: 1, start: 13, end: 19, text: "806.19", status: "supported" }] },
  },
  {
    type: "RUN_FINISHED", threadId: "t", runId: "r", outcome: { type: "success" },
    metadata: { outcry: { messageId: "m", receipt: RECEIPT } },
  },
] as unknown as AgentEvent[];

const FRAMES = EVENTS.map((event, place): EventFrame => ({ type: "event", threadId: "t", runId: "r", seq: place + 1, event }));
const EMPTY: Transcript = { threadId: "t", seq: 0, turns: [] };
const WHOLE = FRAMES.reduce(reduce, EMPTY);

describe("a transcript", () => {
  it("holds the question, the call, the text, its claims and the receipt", () => {
    const [turn] = WHOLE.turns;
    const answer = turn?.answers[0];
    expect(turn?.question.text).toBe("How is GOOG?");
    expect(answer?.pieces.map((piece) => piece.text)).toEqual(["It closed at 806.19."]);
    expect(answer?.calls[0]).toMatchObject({ status: "success", durationMs: 3 });
    expect(answer?.claims).toHaveLength(1);
    expect(answer?.receipt?.durationMs).toBe(9);
    expect(answer?.status).toBe("done");
  });

  it("is the same wherever the socket dropped and however much was sent again", () => {
    for (let cut = 0; cut <= FRAMES.length; cut += 1) {
      for (let again = 0; again <= cut; again += 1) {
        const resumed = [...FRAMES.slice(0, cut), ...FRAMES.slice(again)].reduce(reduce, EMPTY);
        expect(resumed).toEqual(WHOLE);
      }
    }
  });

  it("notices a hole, and takes nothing of another conversation", () => {
    const [first, , third] = FRAMES;
    if (first === undefined || third === undefined) throw new Error("no frames");
    const started = reduce(EMPTY, first);
    expect(leavesHole(started, third)).toBe(true);
    expect(reduce(started, { ...third, threadId: "other" })).toBe(started);
  });
});
