/** Alerts that fired while this tab was open. The conversation each one opened is the lasting copy. */

import type { NoticeFrame } from "../protocol/types";
import type { Conversations } from "./conversations.svelte";

const MOST = 5;

export class Notices {
  items = $state.raw<NoticeFrame[]>([]);

  constructor(private readonly conversations: Conversations) {}

  async take(frame: NoticeFrame): Promise<void> {
    this.items = [frame, ...this.items.filter(({ threadId }) => threadId !== frame.threadId)].slice(0, MOST);
    this.conversations.awaitReading(frame.threadId);
    await this.conversations.touch(frame.threadId);
  }

  /** It was read, or waved away. */
  drop(threadId: string): void {
    if (this.items.some((one) => one.threadId === threadId)) {
      this.items = this.items.filter((one) => one.threadId !== threadId);
    }
  }
}
