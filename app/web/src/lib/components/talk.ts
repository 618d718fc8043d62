/** What a conversation on screen needs; fetched with the first one. */

export { default as EvidencePane } from "./EvidencePane.svelte";
export { default as TalkView } from "./TalkView.svelte";
