import { expect, it } from "vitest";
import { loadOutbox, saveOutbox, type Pending } from "./outbox";

const PENDING: Pending = {
  id: "c",
  threadId: "t",
  runId: "r",
  messageId: "m",
  text: "Is RSI high?",
  agentId: null,
  mode: "answer",
  fromMessageId: null,
  refused: null,
};

it("keeps what was not confirmed, per person", () => {
  saveOutbox("ada", [PENDING]);
  expect(loadOutbox("ada")).toEqual([PENDING]);
  expect(loadOutbox("bob")).toEqual([]);
  saveOutbox("ada", []);
  expect(localStorage.length).toBe(0);
});

it("starts empty when what was kept cannot be read", () => {
  localStorage.setItem("outcry.outbox.ada", "{");
  expect(loadOutbox("ada")).toEqual([]);
});
