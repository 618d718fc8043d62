/** What is open on this screen. Nothing here is data. */

import type { Claim } from "../protocol/types";
import type { Answer } from "../transcript/types";

export interface ClaimAt {
  answer: Answer;
  claim: Claim;
}

export class View {
  /** The answer in view: what the evidence pane shows. */
  runId = $state<string | null>(null);
  /** Somebody asked for that answer's evidence: it stays until they move on by themselves. */
  private held = false;
  evidence = $state(localStorage.getItem("outcry.evidence") !== "closed");
  /** On a narrow screen evidence is a sheet and the list a drawer; both start closed. */
  sheet = $state(false);
  drawer = $state(false);
  palette = $state(false);
  keys = $state(false);
  /** The claim that was clicked, by run and index. */
  chosen = $state.raw<{ runId: string; index: number } | null>(null);
  /** The claim under the pointer or the focus, and its element. */
  hover = $state.raw<(ClaimAt & { anchor: Element }) | null>(null);
  /** What the composer should take up: a text to edit, or an example. */
  draft = $state.raw<{ text: string; turn: number } | null>(null);
  /** A question is being written. */
  drafting = $state(false);
  wide = $state(matchMedia("(min-width: 1180px)").matches);
  private turn = 0;

  constructor() {
    const query = matchMedia("(min-width: 1180px)");
    query.addEventListener("change", (event) => (this.wide = event.matches));
  }

  get evidenceShown(): boolean {
    return this.wide ? this.evidence : this.sheet;
  }

  toggleEvidence(open = !this.evidenceShown): void {
    if (!this.wide) {
      this.sheet = open;
      return;
    }
    this.evidence = open;
    localStorage.setItem("outcry.evidence", open ? "open" : "closed");
  }

  /** The answer in view changed, by scrolling or by growing. */
  follow(runId: string | null): void {
    if (!this.held) this.runId = runId;
  }

  release(): void {
    this.held = false;
  }

  show(answer: Answer): void {
    this.runId = answer.runId;
    this.held = true;
    this.toggleEvidence(true);
  }

  choose(answer: Answer, claim: Claim): void {
    this.chosen = { runId: answer.runId, index: claim.index };
    this.hover = null;
    this.show(answer);
  }

  write(text: string): void {
    this.turn += 1;
    this.draft = { text, turn: this.turn };
  }
}
