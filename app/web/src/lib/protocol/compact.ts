/** Turn what the socket says into whole frames: `[seq, delta]` borrows its ids from the frame before it. */

import type { CompactDelta, EventFrame, ServerFrame } from "./types";

interface OpenMessage {
  threadId: string;
  runId: string;
  messageId: string;
}

export class FrameDecoder {
  private open: OpenMessage | null = null;

  /**
   * Return the frame in `text`.
   *
   * Throws a SyntaxError when the text is no frame, or a delta comes with no message before it:
   * the stream can then not be trusted and must be resumed.
   */
  decode(text: string): ServerFrame {
    const value: unknown = JSON.parse(text);
    if (Array.isArray(value)) return this.expand(value as CompactDelta);
    if (typeof value !== "object" || value === null || !("type" in value)) {
      throw new SyntaxError("not a frame");
    }
    const frame = value as ServerFrame;
    if (frame.type === "event") this.follow(frame);
    return frame;
  }

  private expand([seq, delta]: CompactDelta): EventFrame {
    const open = this.open;
    if (open === null || typeof seq !== "number" || typeof delta !== "string") {
      throw new SyntaxError("a delta that continues nothing");
    }
    const { threadId, runId, messageId } = open;
    const event = { type: "TEXT_MESSAGE_CONTENT", messageId, delta } as const;
    return { type: "event", threadId, runId, seq, event };
  }

  private follow({ threadId, runId, event }: EventFrame): void {
    const text = event.type === "TEXT_MESSAGE_START" || event.type === "TEXT_MESSAGE_CONTENT";
    this.open = text ? { threadId, runId, messageId: event.messageId } : null;
  }
}
