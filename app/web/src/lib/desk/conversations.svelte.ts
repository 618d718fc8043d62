/** The list at the left: pages, search, and the small changes one makes there. */

import { Problem, type Api, type ConversationRow, type Page } from "../rest";

/** What streams in is told of once a second, not at every piece. */
const TELL_AFTER_MS = 1000;

export class Conversations {
  rows = $state.raw<ConversationRow[]>([]);
  query = $state("");
  loading = $state(false);
  loaded = $state(false);
  failure = $state<string | null>(null);
  nextCursor = $state.raw<string | null>(null);
  /** Read here, perhaps further than the server has heard of. */
  private seen = $state.raw<Record<string, number>>({});
  private asked = 0;
  private readonly unsent = new Set<string>();
  private sending: ReturnType<typeof setTimeout> | null = null;

  constructor(private readonly api: Api) {}

  begin(): void {
    this.seen = {};
    this.unsent.clear();
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

  /** It is on screen up to here: so it is in every other browser, in a moment. */
  saw(id: string, seq: number): void {
    if ((this.seen[id] ?? this.find(id)?.readSeq ?? -1) >= seq) return;
    this.seen = { ...this.seen, [id]: seq };
    this.unsent.add(id);
    this.sending ??= setTimeout(() => void this.send(), TELL_AFTER_MS);
  }

  private async send(): Promise<void> {
    this.sending = null;
    const ids = [...this.unsent];
    this.unsent.clear();
    for (const id of ids) {
      try {
        await this.api.post(`/conversations/${id}/read`, { seq: this.seen[id] });
      } catch (error) {
        if (!(error instanceof Problem)) throw error;
        // Deleted, or not stored yet: then there is more to come. What the network lost goes with the next.
        if (error.status !== 404) this.unsent.add(id);
      }
    }
  }

  unread = $derived.by(() => this.rows.filter((row) => this.isUnread(row)).length);

  /** Something was said since its owner last looked, here or in another browser. */
  isUnread(row: ConversationRow): boolean {
    return row.lastSeq > Math.max(row.readSeq, this.seen[row.id] ?? 0);
  }
}

export function timeOf(row: ConversationRow): string {
  return row.updatedAt ?? row.startedAt;
}
