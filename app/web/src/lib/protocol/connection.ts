/**
 * One lasting conversation with the server over websockets that come and go.
 *
 * Commands are kept until they are answered and sent again, under the same id, on the next socket;
 * followed threads are resumed from the last seq their owner has applied. It knows nothing of what
 * events mean.
 */

import { afterClose, backoffMs, waitFromReason } from "./backoff";
import { FrameDecoder } from "./compact";
import type { Command, EventFrame, FrameError, MarketFrame, NoticeFrame, Reply, ServerFrame, Welcome } from "./types";

export type LinkState =
  | { is: "connecting"; attempt: number }
  | { is: "open" }
  | { is: "waiting"; attempt: number; until: number }
  | { is: "offline" }
  | { is: "ended"; why: "sign-in" | "final" | "closed"; code: number; reason: string };

export interface Listener {
  state(state: LinkState): void;
  welcome(frame: Welcome): void;
  event(frame: EventFrame): void;
  caughtUp(threadId: string, seq: number): void;
  gap(threadId: string, oldestSeq: number): void;
  market(frame: MarketFrame): void;
  notice(frame: NoticeFrame): void;
  /** The prices that are on screen now, by timeframe: asked for again on every new socket. */
  watched(): ReadonlyMap<string, readonly string[]>;
  /** The last seq applied for a followed thread. */
  since(threadId: string): number;
  /** The handshake failed without a word: find out whether anybody is signed in. */
  handshakeFailed(): void;
}

interface Waiting {
  frame: string;
  sent: boolean;
  /** Subscriptions are not repeated: `hello` carries them. */
  lasting: boolean;
  resolve(reply: Reply): void;
}

export class CommandRefused extends Error {
  readonly code: string;
  readonly retryAfterS: number | undefined;

  constructor(error: FrameError) {
    super(error.message);
    this.code = error.code;
    this.retryAfterS = error.retryAfterS;
  }
}

const HANDSHAKE_MS = 10_000;
const SILENCE_MS = 12_000;

export class Connection {
  private socket: WebSocket | null = null;
  private decoder = new FrameDecoder();
  private readonly waiting = new Map<string, Waiting>();
  private readonly followed = new Set<string>();
  private attempt = 0;
  private welcomed = false;
  private ended = false;
  private pingEveryMs = 20_000;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private heartbeat: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly url: string,
    private readonly listener: Listener,
  ) {}

  start(): void {
    window.addEventListener("online", this.wake);
    window.addEventListener("offline", this.sleep);
    document.addEventListener("visibilitychange", this.wakeIfSeen);
    this.connect();
  }

  /** Leave for good. Unanswered commands stay unanswered. */
  close(): void {
    window.removeEventListener("online", this.wake);
    window.removeEventListener("offline", this.sleep);
    document.removeEventListener("visibilitychange", this.wakeIfSeen);
    this.finish("closed", 1000, "");
  }

  /** Resolve with the reply's result; reject with CommandRefused when the server says no. */
  async send(id: string, command: Command): Promise<Record<string, unknown>> {
    const frame = JSON.stringify({ v: 1, id, ...command });
    const reply = await new Promise<Reply>((resolve) => {
      const lasting = command.type === "run" || command.type === "stop";
      this.waiting.set(id, { frame, sent: false, lasting, resolve });
      this.flush();
    });
    if (!reply.ok) throw new CommandRefused(reply.error ?? { code: "refused", message: "Refused" });
    return reply.result ?? {};
  }

  /** Follow a thread from its owner's last seq, now and after each reconnect. */
  follow(threadId: string): void {
    this.followed.add(threadId);
    if (this.welcomed) this.resume(threadId);
  }

  /** The server already sends this thread: only remember to resume it. */
  adopt(threadId: string): void {
    this.followed.add(threadId);
  }

  unfollow(threadId: string): void {
    if (!this.followed.delete(threadId) || !this.welcomed) return;
    this.post({ type: "unsubscribe", threadId });
  }

  /** Have these prices pushed; what `watched` tells is asked for again on each new socket. */
  watch(symbols: readonly string[], timeframe: string): void {
    if (this.welcomed && symbols.length > 0) this.post({ type: "watch", symbols, timeframe });
  }

  unwatch(symbols: readonly string[], timeframe: string): void {
    if (this.welcomed && symbols.length > 0) this.post({ type: "unwatch", symbols, timeframe });
  }

  /** Ask again for everything after the owner's last seq (after a hole or a gap). */
  resume(threadId: string): void {
    if (!this.welcomed) return;
    this.post({ type: "subscribe", threadId, since: this.listener.since(threadId) });
  }

  /** Try now instead of at the end of the back-off. */
  readonly wake = (): void => {
    if (this.ended || this.socket !== null) return;
    clearTimeout(this.timer);
    this.connect();
  };

  private readonly wakeIfSeen = (): void => {
    if (document.visibilityState === "visible") this.wake();
  };

  private readonly sleep = (): void => {
    if (this.ended) return;
    this.drop();
    clearTimeout(this.timer);
    this.listener.state({ is: "offline" });
  };

  private post(command: Command): void {
    const id = crypto.randomUUID();
    this.waiting.set(id, {
      frame: JSON.stringify({ v: 1, id, ...command }),
      sent: false,
      lasting: false,
      resolve: () => undefined,
    });
    this.flush();
  }

  private connect(): void {
    if (!navigator.onLine) {
      this.listener.state({ is: "offline" });
      return;
    }
    this.listener.state({ is: "connecting", attempt: this.attempt });
    this.decoder = new FrameDecoder();
    const socket = new WebSocket(this.url);
    this.socket = socket;
    let opened = false;
    this.expectWithin(HANDSHAKE_MS);
    socket.onopen = () => {
      opened = true;
      const threads = [...this.followed].map((threadId) => ({
        threadId,
        since: this.listener.since(threadId),
      }));
      const hello = { v: 1, id: crypto.randomUUID(), type: "hello", protocolVersion: "1.0" };
      socket.send(JSON.stringify({ ...hello, threads, compact: true }));
    };
    socket.onmessage = (message) => {
      if (this.socket !== socket) return;
      this.receive(String(message.data));
    };
    socket.onclose = (close) => {
      if (this.socket !== socket) return;
      this.drop();
      this.lost(close.code, close.reason, opened);
    };
  }

  private receive(text: string): void {
    this.expectWithin(this.welcomed ? this.pingEveryMs : HANDSHAKE_MS);
    let frame: ServerFrame;
    try {
      frame = this.decoder.decode(text);
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      this.drop();
      this.lost(4408, "", true);
      return;
    }
    switch (frame.type) {
      case "event":
        this.listener.event(frame);
        break;
      case "welcome":
        this.welcome(frame);
        break;
      case "reply": {
        const waiting = this.waiting.get(frame.id);
        this.waiting.delete(frame.id);
        waiting?.resolve(frame);
        break;
      }
      case "caughtUp":
        this.listener.caughtUp(frame.threadId, frame.seq);
        break;
      case "gap":
        this.listener.gap(frame.threadId, frame.oldestSeq);
        break;
      case "market":
        this.listener.market(frame);
        break;
      case "notice":
        this.listener.notice(frame);
        break;
      case "error":
        this.refused(frame);
        break;
      case "pong":
        break;
    }
  }

  private welcome(frame: Welcome): void {
    this.attempt = 0;
    this.welcomed = true;
    this.pingEveryMs = Math.max(2_000, frame.limits.pingIntervalS * 1000);
    this.expectWithin(this.pingEveryMs);
    this.listener.welcome(frame);
    this.listener.state({ is: "open" });
    for (const [id, waiting] of this.waiting) {
      if (waiting.lasting) waiting.sent = false;
      else this.waiting.delete(id);
    }
    for (const [timeframe, symbols] of this.listener.watched()) this.watch(symbols, timeframe);
    this.flush();
  }

  /** A frame of ours could not be taken up: whoever waits for it must hear. */
  private refused(frame: { code: string; message: string; ref?: string }): void {
    const waiting = frame.ref === undefined ? undefined : this.waiting.get(frame.ref);
    if (waiting === undefined || frame.ref === undefined) return;
    this.waiting.delete(frame.ref);
    const { code, message } = frame;
    waiting.resolve({ type: "reply", id: frame.ref, ok: false, error: { code, message } });
  }

  private flush(): void {
    if (!this.welcomed || this.socket?.readyState !== WebSocket.OPEN) return;
    for (const waiting of this.waiting.values()) {
      if (waiting.sent) continue;
      waiting.sent = true;
      this.socket.send(waiting.frame);
    }
  }

  /** Ping after `ms` of silence; give the socket up when even that brings nothing. */
  private expectWithin(ms: number): void {
    clearTimeout(this.heartbeat);
    this.heartbeat = setTimeout(() => {
      if (this.welcomed && this.socket?.readyState === WebSocket.OPEN) {
        this.socket.send(JSON.stringify({ v: 1, id: crypto.randomUUID(), type: "ping" }));
      }
      this.heartbeat = setTimeout(() => {
        this.drop();
        this.lost(4408, "", true);
      }, SILENCE_MS);
    }, ms);
  }

  private lost(code: number, reason: string, opened: boolean): void {
    const next = afterClose(code);
    if (next !== "retry") {
      this.finish(next, code, reason);
      return;
    }
    if (!navigator.onLine) {
      this.listener.state({ is: "offline" });
      return;
    }
    if (!opened) this.listener.handshakeFailed();
    if (this.ended) return;
    const asked = code === 4429 ? waitFromReason(reason) : null;
    const wait = asked ?? backoffMs(this.attempt);
    this.attempt += 1;
    this.listener.state({ is: "waiting", attempt: this.attempt, until: Date.now() + wait });
    this.timer = setTimeout(() => this.connect(), wait);
  }

  private finish(why: "sign-in" | "final" | "closed", code: number, reason: string): void {
    this.ended = true;
    clearTimeout(this.timer);
    this.drop();
    this.listener.state({ is: "ended", why, code, reason });
  }

  private drop(): void {
    clearTimeout(this.heartbeat);
    this.welcomed = false;
    const socket = this.socket;
    this.socket = null;
    if (socket === null) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }
}
