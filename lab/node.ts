// The lab's doors to the disk: the task on real text, and the lists of words that measure it. Next: overopt/stories.ts.

export { spelledBase } from "./demo/bases.ts";
export { readLexicon, type StoriesTask, storiesTask } from "./overopt/stories.ts";
