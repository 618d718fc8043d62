import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { CommandRefused, Connection, type LinkState, type Listener } from "./connection";
import type { EventFrame, MarketFrame } from "./types";

/** A socket whose other end is the test. */
class FakeSocket {
  static all: FakeSocket[] = [];
  static readonly OPEN = 1;
  readyState = 0;
  sent: Record<string, unknown>[] = [];
  onopen: (() => void) | null = null;
  onmessage: ((message: { data: string }) => void) | null = null;
  onclose: ((close: { code: number; reason: string }) => void) | null = null;

  constructor(readonly url: string) {
    FakeSocket.all.push(this);
  }

  send(text: string): void {
    this.sent.push(JSON.parse(text) as Record<string, unknown>);
  }

  close(): void {
    this.readyState = 3;
  }

  welcome(): void {
    this.readyState = 1;
    this.onopen?.();
    this.say({
      type: "welcome",
      id: "h",
      protocolVersion: "1.0",
      limits: { maxFrameBytes: 1, maxMessageCharacters: 1, pingIntervalS: 20 },
    });
  }

  say(frame: unknown): void {
    this.onmessage?.({ data: JSON.stringify(frame) });
  }

  drop(code = 1006, reason = ""): void {
    this.onclose?.({ code, reason });
  }
}

function latest(): FakeSocket {
  const socket = FakeSocket.all.at(-1);
  if (socket === undefined) throw new Error("no socket was opened");
  return socket;
}

describe("a connection", () => {
  const states: LinkState[] = [];
  const events: EventFrame[] = [];
  const prices: MarketFrame[] = [];
  let watched = new Map<string, string[]>();
  let seq = 0;
  let failures = 0;
  const listener: Listener = {
    state: (state) => states.push(state),
    welcome: () => undefined,
    event: (frame) => events.push(frame),
    caughtUp: () => undefined,
    gap: () => undefined,
    market: (frame) => prices.push(frame),
    notice: () => undefined,
    watched: () => watched,
    since: () => seq,
    handshakeFailed: () => (failures += 1),
  };
  let connection: Connection;

  beforeEach(() => {
    vi.useFakeTimers();
    vi.stubGlobal("WebSocket", FakeSocket);
    FakeSocket.all = [];
    states.length = events.length = seq = failures = 0;
    connection = new Connection("ws://desk/ws", listener);
    connection.start();
  });

  afterEach(() => {
    connection.close();
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });

  it("resumes followed threads from where their owner is", async () => {
    latest().welcome();
    connection.follow("t");
    expect(latest().sent.at(-1)).toMatchObject({ type: "subscribe", threadId: "t", since: 0 });
    seq = 41;
    latest().drop();
    await vi.advanceTimersByTimeAsync(300);
    latest().welcome();
    expect(latest().sent[0]).toMatchObject({
      type: "hello",
      compact: true,
      threads: [{ threadId: "t", since: 41 }],
    });
  });

  it("sends a command that was never answered again, under the same id", async () => {
    latest().welcome();
    const answer = connection.send("c1", { type: "stop", runId: "r" });
    latest().drop();
    await vi.advanceTimersByTimeAsync(300);
    latest().welcome();
    expect(latest().sent.filter((frame) => frame["id"] === "c1")).toHaveLength(1);
    latest().say({ type: "reply", id: "c1", ok: true, result: { stopped: true } });
    await expect(answer).resolves.toEqual({ stopped: true });
    latest().drop();
    await vi.advanceTimersByTimeAsync(300);
    latest().welcome();
    expect(latest().sent.filter((frame) => frame["id"] === "c1")).toHaveLength(0);
  });

  it("keeps a command given before the welcome until after it", () => {
    void connection.send("c1", { type: "stop", runId: "r" });
    expect(latest().sent).toHaveLength(0);
    latest().welcome();
    expect(latest().sent.map((frame) => frame["type"])).toEqual(["hello", "stop"]);
  });

  it("tells a refusal in the server's words", async () => {
    latest().welcome();
    const refused = connection.send("c1", { type: "stop", runId: "r" });
    const error = { code: "not_found", message: "There is no such run." };
    latest().say({ type: "reply", id: "c1", ok: false, error });
    await expect(refused).rejects.toThrow("There is no such run.");
    await expect(refused).rejects.toBeInstanceOf(CommandRefused);
  });

  it("stops for good after a final code and after 4401", async () => {
    latest().welcome();
    latest().drop(4403, "not yours");
    await vi.advanceTimersByTimeAsync(60_000);
    expect(FakeSocket.all).toHaveLength(1);
    expect(states.at(-1)).toEqual({ is: "ended", why: "final", code: 4403, reason: "not yours" });
  });

  it("waits as long as a 4429 asks", async () => {
    latest().welcome();
    latest().drop(4429, "7 s");
    await vi.advanceTimersByTimeAsync(6_900);
    expect(FakeSocket.all).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(200);
    expect(FakeSocket.all).toHaveLength(2);
  });

  it("watches what is on screen, on each new socket anew, and passes prices on", async () => {
    watched = new Map([["1d", ["GOOG", "MSFT"]]]);
    latest().welcome();
    const asked = { type: "watch", symbols: ["GOOG", "MSFT"], timeframe: "1d" };
    expect(latest().sent.filter((frame) => frame["type"] === "watch")).toMatchObject([asked]);
    latest().drop();
    await vi.advanceTimersByTimeAsync(300);
    latest().welcome();
    expect(latest().sent.filter((frame) => frame["type"] === "watch")).toMatchObject([asked]);
    connection.unwatch(["MSFT"], "1d");
    expect(latest().sent.at(-1)).toMatchObject({ type: "unwatch", symbols: ["MSFT"] });
    latest().say({ type: "market", symbol: "GOOG", timeframe: "1d" });
    expect(prices).toHaveLength(1);
    watched = new Map();
  });

  it("asks who is here when a handshake fails without a word", async () => {
    latest().drop();
    expect(failures).toBe(1);
    await vi.advanceTimersByTimeAsync(300);
    latest().welcome();
    latest().drop();
    expect(failures).toBe(1);
  });

  it("gives a silent socket up after a ping that nobody answers", async () => {
    latest().welcome();
    await vi.advanceTimersByTimeAsync(20_000);
    expect(latest().sent.at(-1)).toMatchObject({ type: "ping" });
    await vi.advanceTimersByTimeAsync(12_500);
    expect(FakeSocket.all.length).toBeGreaterThan(1);
  });

  it("resumes when a delta continues nothing", async () => {
    latest().welcome();
    latest().say([3, "lost"]);
    await vi.advanceTimersByTimeAsync(300);
    expect(FakeSocket.all).toHaveLength(2);
    expect(events).toHaveLength(0);
  });
});
