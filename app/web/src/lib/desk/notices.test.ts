import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { Api } from "../rest";
import { Alarms } from "../models/alarms.svelte";
import { Conversations } from "./conversations.svelte";
import { keyOf, Notices } from "./notices.svelte";

const HOUR_AGO = new Date(Date.now() - 3_600_000).toISOString();
const LAST_WEEK = new Date(Date.now() - 7 * 86_400_000).toISOString();

const posted: [string, unknown][] = [];

/** A server with one alert that fired into these conversations. */
function serverWith(episodes: { firedAt: string; threadId: string | null }[]): Api {
  const answers: Record<string, unknown> = {
    "/alerts": { items: [{ id: "a", name: "RSI high", symbol: "GOOG", lastFiredAt: episodes[0]?.firedAt ?? null }] },
    "/alerts/a/episodes": { items: episodes },
  };
  return {
    get: (path: string) =>
      Promise.resolve(answers[path] ?? { id: path.split("/").at(-1), title: "RSI high", lastSeq: 4, readSeq: 0, startedAt: HOUR_AGO }),
    post: (path: string, body: unknown) => {
      posted.push([path, body]);
      return Promise.resolve({});
    },
  } as unknown as Api;
}

function open(api: Api): { notices: Notices; conversations: Conversations } {
  const conversations = new Conversations(api);
  conversations.begin();
  const alarms = new Alarms(api);
  alarms.begin(true);
  const notices = new Notices(api, conversations, alarms);
  notices.begin("me");
  return { notices, conversations };
}

beforeEach(() => {
  localStorage.clear();
  posted.length = 0;
  vi.useFakeTimers({ toFake: ["setTimeout"] });
});

afterEach(() => vi.useRealTimers());

it("finds what fired while nobody was connected, and keeps it unread over a reload", async () => {
  const api = serverWith([{ firedAt: HOUR_AGO, threadId: "t1" }, { firedAt: LAST_WEEK, threadId: "t0" }]);
  const first = open(api);
  await first.notices.catchUp();
  expect(first.notices.items.map((one) => [one.title, keyOf(one)])).toEqual([["GOOG: RSI high", "t1"]]);
  expect(first.conversations.unread).toBe(1);

  const reloaded = open(api);
  await reloaded.conversations.touch("t1");
  await reloaded.notices.catchUp();
  expect(reloaded.notices.items).toEqual([]);
  expect(reloaded.conversations.unread).toBe(1);
  reloaded.conversations.saw("t1", 4);
  reloaded.conversations.saw("t1", 3);
  expect(reloaded.conversations.unread).toBe(0);
  await vi.advanceTimersByTimeAsync(1500);
  expect(posted).toEqual([["/conversations/t1/read", { seq: 4 }]]);
});

it("tells the same alert once, and a notice that is hidden stays unread in the list", async () => {
  const { notices, conversations } = open(serverWith([]));
  const frame = { type: "notice", kind: "alert", title: "x", threadId: "t1", alertId: "a", at: HOUR_AGO } as const;
  await notices.take(frame);
  await notices.take(frame);
  expect(notices.items).toHaveLength(1);
  notices.drop("t1");
  expect(notices.items).toEqual([]);
  expect(conversations.unread).toBe(1);
});

it("shows an alarm over a model without a conversation", async () => {
  const { notices, conversations } = open(serverWith([]));
  const frame = { type: "notice", kind: "modelAlarm", title: "variance@1: far", alarmId: "x", modelId: "m", at: HOUR_AGO } as const;
  await notices.take(frame);
  await notices.take(frame);
  expect(notices.items).toEqual([frame]);
  expect(conversations.unread).toBe(0);
  notices.drop("x");
  expect(notices.items).toEqual([]);
});
