// The lab's doors to the disk: the task on real text with the lists of words that measure it, and what was measured once.
// Next: overopt/stories.ts, map/summary.ts.

export { spelledBase } from "./demo/bases.ts";
export { type GainAtRate, type MapSummary, mapSummaries } from "./map/summary.ts";
export { readLexicon, type StoriesTask, storiesTask } from "./overopt/stories.ts";
