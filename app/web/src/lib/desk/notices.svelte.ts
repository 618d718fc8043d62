/**
 * Alerts that fired, and alarms over models. The conversation that an alert opened is the lasting copy, unread until
 * it is opened in any browser (the server keeps that); an alarm stays on the models page until it is over.
 * What fired while nobody was connected is found by asking.
 */

import type { Alert, Episode } from "../market/alerts";
import { read, valueOf } from "../market/read";
import type { NoticeFrame } from "../protocol/types";
import type { Api, Page } from "../rest";
import type { Alarms } from "../models/alarms.svelte";
import type { Conversations } from "./conversations.svelte";

const MOST = 5;
const KEY = "outcry.alerts-seen.";
const DAY_MS = 86_400_000;

export class Notices {
  items = $state.raw<NoticeFrame[]>([]);
  private readonly told = new Set<string>();
  private userId = "";

  constructor(
    private readonly api: Api,
    private readonly conversations: Conversations,
    private readonly alarms: Alarms,
  ) {}

  begin(userId: string): void {
    this.userId = userId;
    this.items = [];
    this.told.clear();
  }

  /** Show a notice and have its conversation unread. */
  async take(frame: NoticeFrame): Promise<void> {
    const one = `${keyOf(frame)} ${frame.at}`;
    if (this.told.has(one)) return;
    this.told.add(one);
    this.items = [frame, ...this.items].slice(0, MOST);
    if (frame.kind === "modelAlarm") {
      await this.alarms.load();
      return;
    }
    this.remember(frame.at);
    await this.conversations.touch(frame.threadId);
  }

  /** Ask for what fired since this browser last heard of any. */
  async catchUp(): Promise<void> {
    const since = localStorage.getItem(KEY + this.userId) ?? new Date(Date.now() - DAY_MS).toISOString();
    const alerts = valueOf(await read(() => this.api.get<Page<Alert>>("/alerts", { limit: 200 })));
    for (const alert of alerts?.items ?? []) {
      if (alert.lastFiredAt === null || alert.lastFiredAt <= since) continue;
      const path = `/alerts/${alert.id}/episodes`;
      const episodes = valueOf(await read(() => this.api.get<Page<Episode>>(path, { limit: 20 })));
      for (const { firedAt, threadId } of episodes?.items ?? []) {
        if (threadId === null || firedAt <= since) continue;
        const title = `${alert.symbol}: ${alert.name}`;
        await this.take({ type: "notice", kind: "alert", title, threadId, alertId: alert.id, at: firedAt });
      }
    }
  }

  private remember(at: string): void {
    const known = localStorage.getItem(KEY + this.userId) ?? "";
    if (at > known) localStorage.setItem(KEY + this.userId, at);
  }

  /** It was read, or waved away. */
  drop(key: string): void {
    if (this.items.some((one) => keyOf(one) === key)) {
      this.items = this.items.filter((one) => keyOf(one) !== key);
    }
  }
}

/** What a notice is about: a conversation, or an alarm. */
export function keyOf(frame: NoticeFrame): string {
  return frame.kind === "alert" ? frame.threadId : frame.alarmId;
}
