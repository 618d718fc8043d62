/** The one place where the client's parts meet: who is signed in, what is open, what is followed. */

import { Connection, type LinkState } from "../protocol/connection";
import type { Limits, LlmName, Welcome } from "../protocol/types";
import {
  createApi,
  Problem,
  type Agent,
  type Api,
  type Instrument,
  type Me,
  type Page,
} from "../rest";
import { llmLabel } from "../words";
import { Conversations } from "./conversations.svelte";
import { Live } from "../market/live";
import type { Part, ToolSpec } from "../market/shapes";
import { read } from "../market/read";
import { Alarms } from "../models/alarms.svelte";
import { Notices } from "./notices.svelte";
import { loadOutbox, saveOutbox, type Pending } from "./outbox";
import { Router } from "./router.svelte";
import { Talk, type TalkSurroundings } from "./talk.svelte";

type Phase = "starting" | "signed-out" | "ready" | "unreachable";

/** More are found by asking for them. */
const MOST_INSTRUMENTS = 2000;
const DEFAULT_LIMITS: Limits = {
  maxFrameBytes: 262_144,
  maxMessageCharacters: 32_000,
  pingIntervalS: 20,
};

export class Desk {
  phase = $state<Phase>("starting");
  me = $state.raw<Me | null>(null);
  llm = $state.raw<LlmName | null>(null);
  link = $state.raw<LinkState>({ is: "connecting", attempt: 0 });
  limits = $state.raw<Limits>(DEFAULT_LIMITS);
  agents = $state.raw<Agent[]>([]);
  instruments = $state.raw<Instrument[]>([]);
  /** Symbols that have a page of their own. */
  symbols: ReadonlySet<string> = $derived(new Set(this.instruments.map(({ symbol }) => symbol)));
  /** The tools that REST offers, by name; what is not offered is not shown either. */
  tools = $state.raw<ReadonlySet<string>>(new Set());
  hasAlerts = $state(false);
  /** What this server can do is known. */
  learned = $state(false);
  failure = $state<string | null>(null);
  current = $state.raw<Talk | null>(null);

  /** What the agents think with, in words; says when it is free. */
  llmWords = $derived.by(() => {
    if (this.llm === null) return "";
    const free = this.llm.free ?? this.llm.provider === "builtin";
    return llmLabel(this.llm) + (free ? " · free" : "");
  });

  readonly router = new Router();
  readonly api: Api = createApi(() => this.signedOut());
  readonly conversations = new Conversations(this.api);
  readonly alarms = new Alarms(this.api);
  readonly notices = new Notices(this.api, this.conversations, this.alarms);
  readonly live = new Live(() => this.connection);
  private readonly talks = new Map<string, Talk>();
  private connection: Connection | null = null;
  private readonly around: TalkSurroundings = {
    api: this.api,
    connection: () => this.connection,
    keep: () => this.keep(),
    changed: (talk) => this.changed(talk),
  };

  /** Find out who is here; a one-time link in the fragment signs in at once. */
  async start(): Promise<void> {
    this.failure = null;
    const token = this.router.route.at === "sign-in" ? location.hash.slice(1) : "";
    try {
      if (token !== "") {
        // Out of the address bar and the history before anything else.
        history.replaceState(null, "", "/sign-in");
        await this.api.post("/auth/link", { token });
      }
      await this.enter();
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      if (error.status === 0 || error.status >= 500) this.phase = "unreachable";
      else this.phase = "signed-out";
      if (error.status !== 401 || token !== "") this.failure = error.message;
    }
  }

  async signIn(email: string, password: string): Promise<void> {
    await this.api.post("/auth/login", { email, password });
    this.failure = null;
    await this.enter();
  }

  async signOut(): Promise<void> {
    await this.api.post("/auth/logout");
    this.signedOut();
  }

  private async enter(): Promise<void> {
    const me = await this.api.get<Me>("/me");
    this.me = me;
    this.llm = me.llm ?? null;
    this.conversations.begin();
    this.notices.begin(me.userId);
    this.alarms.begin(me.role === "admin");
    this.phase = "ready";
    if (this.router.route.at === "sign-in") this.router.go("/", "replace");
    this.connect();
    for (const pending of loadOutbox(me.userId)) this.restore(pending);
    await Promise.all([this.conversations.refresh(), this.learn()]);
  }

  /** What the composer can complete, and what this server can do. The desk works without it. */
  private async learn(): Promise<void> {
    const [agents, instruments, tools, alerts] = await Promise.all([
      read(() => this.api.get<Page<Agent>>("/agents", { limit: 200 })),
      read(() => this.everyInstrument()),
      read(() => this.api.get<{ items: ToolSpec[] } | ToolSpec[]>("/tools")),
      read(() => this.api.get<Page<unknown>>("/alerts", { limit: 1 })),
    ]);
    if (agents.is === "ready") this.agents = agents.value.items;
    if (instruments.is === "ready") this.instruments = instruments.value;
    if (tools.is === "ready") {
      const specs = Array.isArray(tools.value) ? tools.value : tools.value.items;
      this.tools = new Set(specs.map(({ name }) => name));
    }
    this.hasAlerts = alerts.is === "ready";
    this.learned = true;
    if (this.hasAlerts) void this.notices.catchUp();
    void this.alarms.load();
    const failed = [agents, instruments, tools, alerts].find((part): part is Part<never> & { is: "failed" } => part.is === "failed");
    this.failure = failed?.words ?? null;
  }

  private async everyInstrument(): Promise<Instrument[]> {
    const found: Instrument[] = [];
    let cursor: string | undefined;
    do {
      const page = await this.api.get<Page<Instrument>>("/instruments", { limit: 200, cursor });
      found.push(...page.items);
      cursor = page.nextCursor ?? undefined;
    } while (cursor !== undefined && found.length < MOST_INSTRUMENTS);
    return found;
  }

  private signedOut(): void {
    this.connection?.close();
    this.connection = null;
    this.talks.clear();
    this.current = null;
    this.me = null;
    this.phase = "signed-out";
  }

  private connect(): void {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    this.connection = new Connection(`${scheme}://${location.host}/ws`, {
      state: (state) => this.linked(state),
      welcome: (frame) => this.welcomed(frame),
      event: (frame) => this.talks.get(frame.threadId)?.receive(frame),
      caughtUp: (threadId) => this.talks.get(threadId)?.caughtUp(),
      gap: (threadId) => void this.talks.get(threadId)?.reload(),
      market: (frame) => this.live.receive(frame),
      notice: (frame) => void this.notices.take(frame),
      watched: () => this.live.wanted(),
      since: (threadId) => this.talks.get(threadId)?.settle() ?? 0,
      handshakeFailed: () => void this.askWhoIsHere(),
    });
    this.connection.start();
  }

  private linked(state: LinkState): void {
    const back = state.is === "open" && this.link.is !== "open";
    this.link = state;
    if (state.is === "ended" && state.why === "sign-in") this.signedOut();
    if (!back) return;
    for (const talk of this.talks.values()) talk.pump();
    if (this.conversations.loaded) void this.conversations.refresh();
    if (this.hasAlerts) void this.notices.catchUp();
    if (this.learned) void this.alarms.load();
    if (this.current?.failure) void this.current.load();
  }

  private welcomed(frame: Welcome): void {
    this.limits = frame.limits;
    if (frame.llm) this.llm = { ...this.llm, ...frame.llm };
  }

  private async askWhoIsHere(): Promise<void> {
    try {
      await this.api.get<Me>("/me");
    } catch (error) {
      // Nobody: the API has already signed us out. Unreachable: the back-off goes on.
      if (!(error instanceof Problem)) throw error;
    }
  }

  reconnect(): void {
    this.connection?.wake();
  }

  // --- conversations --------------------------------------------------------------------------

  /** Open what the address names. */
  show(): void {
    const { route } = this.router;
    if (this.phase !== "ready") return;
    if (route.at !== "conversation") {
      this.leave();
      return;
    }
    if (this.current?.id === route.id) return;
    this.leave();
    const talk = this.talk(route.id);
    this.current = talk;
    void talk.load().then(() => this.look(talk));
  }

  private leave(): void {
    const talk = this.current;
    this.current = null;
    if (talk !== null) this.release(talk);
  }

  /** Keep following only what is on screen, being written, or waiting to be sent. */
  private release(talk: Talk): void {
    if (talk === this.current || talk.running !== null || talk.queue.length > 0) return;
    this.talks.delete(talk.id);
    this.connection?.unfollow(talk.id);
  }

  private talk(id: string): Talk {
    const known = this.talks.get(id);
    if (known !== undefined) return known;
    const talk = new Talk(id, this.around);
    this.talks.set(id, talk);
    return talk;
  }

  /** Begin a conversation with its first question. */
  begin(text: string, agentId: string | null): void {
    const talk = Talk.fresh(crypto.randomUUID(), this.around);
    this.talks.set(talk.id, talk);
    this.leave();
    this.current = talk;
    this.router.go(`/c/${talk.id}`);
    talk.ask(text, agentId);
  }

  private restore(pending: Pending): void {
    const talk = this.talk(pending.threadId);
    talk.queue = [...talk.queue, pending];
    void talk.load().then(() => {
      // The server never heard of it: the question itself will create the conversation.
      if (talk.missing) talk.startFresh();
    });
  }

  private keep(): void {
    if (this.me === null) return;
    saveOutbox(this.me.userId, [...this.talks.values()].flatMap((talk) => talk.queue));
  }

  private changed(talk: Talk): void {
    void this.conversations.touch(talk.id);
    this.look(talk);
    if (talk !== this.current) this.release(talk);
  }

  /** What is on screen counts as read. */
  private look(talk: Talk): void {
    if (talk !== this.current) return;
    this.conversations.saw(talk.id, talk.transcript.seq);
    this.notices.drop(talk.id);
  }

  seen(): void {
    if (this.current !== null) this.look(this.current);
    // Another browser may have read something meanwhile.
    if (this.conversations.loaded) void this.conversations.refresh();
  }

  async remove(id: string): Promise<void> {
    await this.conversations.remove(id);
    const talk = this.talks.get(id);
    this.talks.delete(id);
    if (talk !== undefined) this.connection?.unfollow(id);
    if (this.current?.id === id) {
      this.current = null;
      this.router.go("/");
    }
  }
}
