/** The list at the left: pages, search, and the small changes one makes there. */

import { Problem, type Api, type ConversationRow, type Page } from "../rest";

const SEEN_KEY = "outcry.seen.";

export class Conversations {
  rows = $state.raw<ConversationRow[]>([]);
  query = $state("");
  loading = $state(false);
  loaded = $state(false);
  failure = $state<string | null>(null);
  nextCursor = $state.raw<string | null>(null);
  private seen = $state.raw<Record<string, number>>({});
  private asked = 0;
  private userId = "";

  constructor(private readonly api: Api) {}

  begin(userId: string): void {
    this.userId = userId;
    const kept = localStorage.getItem(SEEN_KEY + userId);
    this.seen = kept === null ? {} : (JSON.parse(kept) as Record<string, number>);
  }

  /** Read the first page again; an older answer never overwrites a newer one. */
  async refresh(): Promise<void> {
    await this.read(null);
  }

  async more(): Promise<void> {
    if (this.nextCursor !== null && !this.loading) await this.read(this.nextCursor);
  }

  private async read(cursor: string | null): Promise<void> {
    const turn = (this.asked += 1);
    this.loading = true;
    const query = {
      limit: 50,
      query: this.query.trim() || undefined,
      cursor: cursor ?? undefined,
    };
    try {
      const page = await this.api.get<Page<ConversationRow>>("/conversations", query);
      if (turn !== this.asked) return;
      this.rows = cursor === null ? page.items : [...this.rows, ...page.items];
      this.nextCursor = page.nextCursor;
      this.failure = null;
      this.loaded = true;
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      if (turn === this.asked) this.failure = error.message;
    } finally {
      if (turn === this.asked) this.loading = false;
    }
  }

  find(id: string): ConversationRow | null {
    return this.rows.find((row) => row.id === id) ?? null;
  }

  /** Read one row again and put it where it belongs. */
  async touch(id: string): Promise<void> {
    try {
      this.put(await this.api.get<ConversationRow>(`/conversations/${id}`));
    } catch (error) {
      // A row that cannot be read now is read with the next refresh of the list.
      if (!(error instanceof Problem)) throw error;
    }
  }

  private put(row: ConversationRow): void {
    const others = this.rows.filter((other) => other.id !== row.id);
    if (this.query.trim() !== "" && others.length === this.rows.length) return;
    this.rows = [row, ...others].toSorted(
      (a, b) => timeOf(b).localeCompare(timeOf(a)) || b.id.localeCompare(a.id),
    );
  }

  async change(id: string, change: { title?: string; pinned?: boolean }): Promise<void> {
    this.put(await this.api.patch<ConversationRow>(`/conversations/${id}`, change));
  }

  async remove(id: string): Promise<void> {
    await this.api.delete(`/conversations/${id}`);
    this.rows = this.rows.filter((row) => row.id !== id);
  }

  saw(id: string, seq: number): void {
    if ((this.seen[id] ?? 0) >= seq) return;
    this.seen = { ...this.seen, [id]: seq };
    localStorage.setItem(SEEN_KEY + this.userId, JSON.stringify(this.seen));
  }

  /** Whether it was opened here, or has been waiting to be. */
  knows(id: string): boolean {
    return this.seen[id] !== undefined;
  }

  /** A conversation that nobody here began: unread until it is opened. */
  awaitReading(id: string): void {
    if (this.seen[id] !== undefined) return;
    this.seen = { ...this.seen, [id]: 0 };
    localStorage.setItem(SEEN_KEY + this.userId, JSON.stringify(this.seen));
  }

  unread = $derived.by(() => this.rows.filter((row) => this.isUnread(row)).length);

  /** Something was said since this browser last looked. Never opened here: nothing to miss. */
  isUnread(row: ConversationRow): boolean {
    const seen = this.seen[row.id];
    return seen !== undefined && row.lastSeq > seen;
  }
}

export function timeOf(row: ConversationRow): string {
  return row.updatedAt ?? row.startedAt;
}
