/** Questions that the server has not confirmed yet. They survive a reload; commands are idempotent. */

export interface Pending {
  /** The command's id: sent again under the same id, it has no further effect. */
  id: string;
  threadId: string;
  runId: string;
  messageId: string;
  text: string;
  agentId: string | null;
  mode: "answer" | "regenerate" | "edit";
  fromMessageId: string | null;
  refused: { code: string; message: string } | null;
}

const KEY = "outcry.outbox.";

export function loadOutbox(userId: string, storage: Storage = localStorage): Pending[] {
  const text = storage.getItem(KEY + userId);
  if (text === null) return [];
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? (value as Pending[]) : [];
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    storage.removeItem(KEY + userId);
    return [];
  }
}

export function saveOutbox(
  userId: string,
  pending: readonly Pending[],
  storage: Storage = localStorage,
): void {
  if (pending.length === 0) storage.removeItem(KEY + userId);
  else storage.setItem(KEY + userId, JSON.stringify(pending));
}
