/** Alarms over models, as administrators see them: what lasts, and what of it nobody has seen yet. */

import { read, valueOf } from "../market/read";
import { Problem, type Api, type Page } from "../rest";

export interface Alarm {
  id: string;
  modelId: string;
  model: string;
  kind: string;
  figure: number | null;
  threshold: number | null;
  measuredOver: string;
  words: string;
  openedAt: string;
  looks: number;
  reopened: number;
  acknowledgedAt: string | null;
}

export class Alarms {
  open = $state.raw<Alarm[]>([]);
  failure = $state<string | null>(null);
  readonly unseen = $derived.by(() => this.open.filter((one) => one.acknowledgedAt === null).length);
  private admin = false;

  constructor(private readonly api: Api) {}

  begin(admin: boolean): void {
    this.admin = admin;
    this.open = [];
    this.failure = null;
  }

  /** Ask for what lasts; people who are no administrators are shown none. */
  async load(): Promise<void> {
    if (!this.admin) return;
    const page = valueOf(await read(() => this.api.get<Page<Alarm>>("/models/alarms", { limit: 200 })));
    if (page !== null) this.open = page.items;
  }

  /** It was seen; it stays until it is over. */
  async acknowledge(id: string): Promise<void> {
    this.failure = null;
    try {
      await this.api.post<Alarm>(`/models/alarms/${id}/acknowledge`);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      this.failure = error.message;
    }
    await this.load();
  }
}

const NUMBER = new Intl.NumberFormat("en-US", { maximumSignificantDigits: 3 });

/** The figure beside its threshold, in a few words; empty where nothing is measured. */
export function figures(alarm: Alarm): string {
  if (alarm.figure === null) return "";
  const beyond = alarm.threshold === null ? "" : `, threshold ${NUMBER.format(alarm.threshold)}`;
  return `${NUMBER.format(alarm.figure)}${beyond}, over ${alarm.measuredOver}`;
}
