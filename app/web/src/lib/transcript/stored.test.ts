import { describe, expect, it } from "vitest";
import type { StoredMessage } from "../rest";
import { fromMessages } from "./stored";
import { isOpening } from "./types";

function message(id: string, role: "user" | "assistant", more: Partial<StoredMessage> = {}): StoredMessage {
  return { id, role, content: id, timestamp: "2026-01-01T00:00:00Z", ...more };
}

describe("a stored conversation", () => {
  it("puts each answer under its question, pieces in the order of their parents", () => {
    const { turns, seq } = fromMessages(
      "t",
      [
        message("a-last", "assistant", {
          runId: "r1",
          parentId: "z-first",
          timestamp: "2026-01-01T00:00:05Z",
          toolCalls: [
            {
              id: "c1",
              toolName: "quotes",
              input: { symbol: "GOOG" },
              output: { data: { close: 1 }, summary: "read GOOG" },
              duration: 9,
              status: "success",
            },
          ],
          attachments: [
            { id: "k", type: "chart", content: { activityType: "signal", content: { toolCallId: "c1", symbol: "GOOG" } } },
          ],
        }),
        message("z-first", "assistant", { runId: "r1", parentId: "q1", timestamp: "2026-01-01T00:00:05Z" }),
        message("q1", "user", { runId: "r1" }),
      ],
      12,
      null,
    );
    expect(seq).toBe(12);
    const answer = turns[0]?.answers[0];
    expect(answer?.pieces.map((piece) => piece.messageId)).toEqual(["z-first", "a-last"]);
    expect(answer?.blocks.map((block) => block.kind)).toEqual(["text", "calls", "text"]);
    expect(answer?.calls[0]).toMatchObject({ id: "c1", words: "read GOOG", status: "success" });
    expect(answer?.cards[0]).toMatchObject({ type: "signal", toolCallId: "c1", content: { symbol: "GOOG" } });
    expect(answer?.settled).toBe(true);
  });

  it("keeps replaced answers as siblings and hides replaced questions", () => {
    const { turns } = fromMessages(
      "t",
      [
        message("q1", "user", { runId: "r1" }),
        message("a1", "assistant", { runId: "r1", parentId: "q1", superseded: true, timestamp: "2026-01-01T00:00:01Z" }),
        message("q2", "user", { superseded: true, runId: "r2", timestamp: "2026-01-01T00:00:02Z" }),
        message("a2", "assistant", { runId: "r2", parentId: "q2", superseded: true, timestamp: "2026-01-01T00:00:03Z" }),
        message("a3", "assistant", { runId: "r3", parentId: "q1", timestamp: "2026-01-01T00:00:04Z" }),
      ],
      9,
      null,
    );
    expect(turns.map((turn) => turn.question.id)).toEqual(["q1"]);
    expect(turns[0]?.answers.map((answer) => answer.messageId)).toEqual(["a1", "a3"]);
  });

  it("leaves the answer that is being written to its events", () => {
    const { turns } = fromMessages(
      "t",
      [message("q1", "user", { runId: "r1" }), message("a1", "assistant", { runId: "r1", parentId: "q1" })],
      3,
      "r1",
    );
    expect(turns[0]?.answers).toEqual([]);
  });

  it("says which answers were stopped or broke off, and what a failed tool said", () => {
    const { turns } = fromMessages(
      "t",
      [
        message("q1", "user", { runId: "r1" }),
        message("a1", "assistant", {
          runId: "r1",
          parentId: "q1",
          stopped: "cancelled",
          toolCalls: [
            { id: "c", toolName: "quotes", input: {}, output: { error: "No NOPE." }, duration: 1, status: "failure" },
          ],
        }),
      ],
      3,
      null,
    );
    expect(turns[0]?.answers[0]).toMatchObject({ status: "cancelled", failure: null });
    expect(turns[0]?.answers[0]?.calls[0]).toMatchObject({ status: "failure", failure: "No NOPE." });
  });

  it("keeps the answer that opened a conversation nobody asked for, before what was asked since", () => {
    const { turns } = fromMessages(
      "t",
      [
        message("opening", "assistant", { runId: "r0" }),
        message("q1", "user", { runId: "r1", timestamp: "2026-01-01T00:01:00Z" }),
        message("a1", "assistant", { runId: "r1", parentId: "q1", timestamp: "2026-01-01T00:01:01Z" }),
      ],
      9,
      null,
    );
    expect(turns.map((turn) => [isOpening(turn), turn.answers.length])).toEqual([
      [true, 1],
      [false, 1],
    ]);
  });
});
