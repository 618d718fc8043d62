/** One conversation while it is open here: its transcript, its queue, and what failed. */

import { CommandRefused, type Connection } from "../protocol/connection";
import type { EventFrame } from "../protocol/types";
import { Problem, type Api, type ConversationRow, type Page, type StoredMessage } from "../rest";
import { leavesHole, reduce } from "../transcript/reducer";
import { fromMessages } from "../transcript/stored";
import { emptyTranscript, runningAnswer, type Answer, type Transcript } from "../transcript/types";
import type { Pending } from "./outbox";

export interface TalkSurroundings {
  api: Api;
  connection(): Connection | null;
  /** The queue changed: keep it. */
  keep(): void;
  /** A run of this conversation began or ended: lists and badges may show it. */
  changed(talk: Talk): void;
}

interface FirstEvents {
  items: { seq: number }[];
}

const PAGE = 200;

export class Talk {
  transcript = $state.raw<Transcript>(emptyTranscript(""));
  queue = $state.raw<Pending[]>([]);
  loading = $state(false);
  failure = $state<string | null>(null);
  missing = $state(false);
  /** The run that has been told to stop and has not ended yet. */
  stopping = $state<string | null>(null);
  stopFailure = $state<string | null>(null);
  running: Answer | null = $derived(runningAnswer(this.transcript));

  private frames: EventFrame[] = [];
  private scheduled = false;
  private loaded = false;
  private inFlight: string | null = null;
  private resuming = false;
  private retry: ReturnType<typeof setTimeout> | undefined;

  constructor(
    readonly id: string,
    private readonly around: TalkSurroundings,
  ) {
    this.transcript = emptyTranscript(id);
  }

  /** A conversation that does not exist on the server yet: there is nothing to load. */
  static fresh(id: string, around: TalkSurroundings): Talk {
    const talk = new Talk(id, around);
    talk.loaded = true;
    return talk;
  }

  /** Read what is stored, then follow the journal from there. */
  async load(): Promise<void> {
    if (this.loaded || this.loading) return;
    this.loading = true;
    this.failure = null;
    try {
      await this.read();
      this.loaded = true;
      this.around.connection()?.follow(this.id);
      this.pump();
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      this.missing = error.status === 404;
      this.failure = error.message;
    } finally {
      this.loading = false;
    }
  }

  /** The server does not know this conversation yet; its first question will create it. */
  startFresh(): void {
    this.loaded = true;
    this.missing = false;
    this.failure = null;
    this.pump();
  }

  /** The journal no longer reaches back to where we were: start over from what is stored. */
  async reload(): Promise<void> {
    this.loaded = false;
    this.frames = [];
    await this.load();
  }

  private async read(): Promise<void> {
    const { api } = this.around;
    const path = `/conversations/${this.id}`;
    const row = await api.get<ConversationRow>(path);
    const messages: StoredMessage[] = [];
    let cursor: string | undefined;
    do {
      const query = { limit: PAGE, superseded: true, cursor };
      const page = await api.get<Page<StoredMessage>>(`${path}/messages`, query);
      messages.push(...page.items);
      cursor = page.nextCursor ?? undefined;
    } while (cursor !== undefined);
    let seq = row.lastSeq;
    const running = row.running ?? null;
    if (running !== null) {
      const first = await api.get<FirstEvents>(`/runs/${running}/events`, { limit: 1 });
      seq = Math.max(0, (first.items[0]?.seq ?? seq + 1) - 1);
    }
    this.transcript = fromMessages(this.id, messages, seq, running);
  }

  /** Take an event; many that arrive together are drawn together. */
  receive(frame: EventFrame): void {
    this.frames.push(frame);
    if (this.scheduled) return;
    this.scheduled = true;
    if (document.visibilityState === "visible") requestAnimationFrame(() => this.settle());
    else setTimeout(() => this.settle(), 50);
  }

  /** Apply what has arrived, and return how far the transcript reaches. */
  settle(): number {
    this.scheduled = false;
    if (!this.loaded) return this.transcript.seq;
    const frames = this.frames;
    this.frames = [];
    let next = this.transcript;
    let turned = false;
    for (const frame of frames) {
      if (leavesHole(next, frame)) {
        this.fillHole();
        break;
      }
      const { type } = frame.event;
      turned ||= type === "RUN_STARTED" || type === "RUN_FINISHED" || type === "RUN_ERROR";
      next = reduce(next, frame);
    }
    if (next !== this.transcript) this.transcript = next;
    if (turned) this.turn();
    return next.seq;
  }

  caughtUp(): void {
    this.resuming = false;
    this.settle();
    this.pump();
  }

  private fillHole(): void {
    if (this.resuming) return;
    this.resuming = true;
    queueMicrotask(() => this.around.connection()?.resume(this.id));
  }

  private turn(): void {
    const known = new Set(
      this.transcript.turns.flatMap((turn) => turn.answers.map((answer) => answer.runId)),
    );
    if (this.stopping !== null && this.running?.runId !== this.stopping) this.stopping = null;
    this.setQueue(this.queue.filter((pending) => !known.has(pending.runId)));
    this.around.changed(this);
    this.pump();
  }

  // --- asking ---------------------------------------------------------------------------------

  ask(text: string, agentId: string | null): void {
    this.enqueue(text, { agentId });
  }

  regenerate(fromMessageId: string): void {
    this.enqueue("", { mode: "regenerate", fromMessageId });
  }

  edit(fromMessageId: string, text: string): void {
    this.enqueue(text, { mode: "edit", fromMessageId });
  }

  private enqueue(
    text: string,
    how: Partial<Pick<Pending, "agentId" | "mode" | "fromMessageId">>,
  ): void {
    const pending: Pending = {
      id: crypto.randomUUID(),
      threadId: this.id,
      runId: crypto.randomUUID(),
      messageId: crypto.randomUUID(),
      text,
      agentId: null,
      mode: "answer",
      fromMessageId: null,
      refused: null,
      ...how,
    };
    this.setQueue([...this.queue, pending]);
    this.pump();
  }

  withdraw(id: string): Pending | null {
    const found = this.queue.find((pending) => pending.id === id && id !== this.inFlight);
    if (found === undefined) return null;
    this.setQueue(this.queue.filter((pending) => pending.id !== id));
    this.pump();
    return found;
  }

  /** Send a refused question again, as a new command. */
  again(id: string): void {
    const fresh = { id: crypto.randomUUID(), runId: crypto.randomUUID(), refused: null };
    this.setQueue(
      this.queue.map((pending) => (pending.id === id ? { ...pending, ...fresh } : pending)),
    );
    this.pump();
  }

  isInFlight(id: string): boolean {
    return this.inFlight === id;
  }

  /** Send the oldest waiting question, unless an answer is being written. */
  pump(): void {
    const connection = this.around.connection();
    const head = this.queue[0];
    if (connection === null || head === undefined || head.refused !== null) return;
    if (!this.loaded || this.inFlight !== null || this.running !== null) return;
    void this.deliver(connection, head);
  }

  private async deliver(connection: Connection, head: Pending): Promise<void> {
    this.inFlight = head.id;
    const outcry = {
      ...(head.agentId === null ? {} : { agentId: head.agentId }),
      ...(head.mode === "answer" ? {} : { mode: head.mode }),
      ...(head.fromMessageId === null ? {} : { fromMessageId: head.fromMessageId }),
    };
    const said = { id: head.messageId, role: "user" as const, content: head.text };
    const input = {
      threadId: this.id,
      runId: head.runId,
      messages: head.mode === "regenerate" ? [] : [said],
      tools: [],
      context: [],
      state: {},
      forwardedProps: { outcry },
    };
    try {
      await connection.send(head.id, { type: "run", input });
      connection.adopt(this.id);
      this.inFlight = null;
      this.settle();
    } catch (error) {
      this.inFlight = null;
      if (!(error instanceof CommandRefused)) throw error;
      this.refuse(head, error);
    }
  }

  private refuse(head: Pending, error: CommandRefused): void {
    if (error.retryAfterS !== undefined) {
      // Not now, said the server: keep it queued and try then, as a new command.
      clearTimeout(this.retry);
      this.retry = setTimeout(() => this.again(head.id), error.retryAfterS * 1000);
    }
    const refused = { code: error.code, message: error.message };
    this.setQueue(
      this.queue.map((pending) => (pending.id === head.id ? { ...pending, refused } : pending)),
    );
  }

  private setQueue(queue: Pending[]): void {
    this.queue = queue;
    this.around.keep();
  }

  // --- stopping -------------------------------------------------------------------------------

  async stop(): Promise<void> {
    const connection = this.around.connection();
    const running = this.running;
    if (connection === null || running === null || this.stopping === running.runId) return;
    this.stopping = running.runId;
    this.stopFailure = null;
    try {
      await connection.send(crypto.randomUUID(), { type: "stop", runId: running.runId });
    } catch (error) {
      if (!(error instanceof CommandRefused)) throw error;
      this.stopping = null;
      this.stopFailure = error.message;
    }
  }
}
