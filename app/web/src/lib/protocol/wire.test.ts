import { describe, expect, it } from "vitest";
import { afterClose, backoffMs, waitFromReason } from "./backoff";
import { FrameDecoder } from "./compact";

const start = JSON.stringify({
  type: "event", threadId: "t", runId: "r", seq: 4,
  event: { type: "TEXT_MESSAGE_START", messageId: "m", role: "assistant" },
});

describe("compact deltas", () => {
  it("belong to the message before them, also over frames that are no events", () => {
    const decoder = new FrameDecoder();
    decoder.decode(start);
    decoder.decode(JSON.stringify({ type: "pong", id: "x" }));
    expect(decoder.decode('[5,"Hi"]')).toEqual({
      type: "event", threadId: "t", runId: "r", seq: 5,
      event: { type: "TEXT_MESSAGE_CONTENT", messageId: "m", delta: "Hi" },
    });
  });

  it("that continue nothing make the stream untrusted", () => {
    const decoder = new FrameDecoder();
    expect(() => decoder.decode('[5,"Hi"]')).toThrow(SyntaxError);
    decoder.decode(start);
    decoder.decode(JSON.stringify({ type: "event", threadId: "t", runId: "r", seq: 5, event: { type: "TEXT_MESSAGE_END", messageId: "m" } }));
    expect(() => decoder.decode('[6,"Hi"]')).toThrow(SyntaxError);
  });
});

describe("coming back", () => {
  it("waits 250 ms at first and never more than 10 s, with jitter", () => {
    expect(backoffMs(0, () => 1)).toBe(250);
    expect(backoffMs(0, () => 0)).toBe(125);
    expect(backoffMs(30, () => 1)).toBe(10_000);
  });

  it.each([
    [4400, "final"], [4401, "sign-in"], [4403, "final"], [4407, "final"], [1009, "final"],
    [4408, "retry"], [4429, "retry"], [1012, "retry"], [1006, "retry"], [1001, "retry"],
  ] as const)("after %i: %s", (code, next) => {
    expect(afterClose(code)).toBe(next);
  });

  it("takes the wait from the reason when there is one", () => {
    expect(waitFromReason("retry after 2.5 s")).toBe(2500);
    expect(waitFromReason("")).toBeNull();
  });
});
