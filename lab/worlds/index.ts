// The demo worlds by name, and what is asked of them from outside this folder.
// Next: world.ts.

import { ArgumentError } from "../../core/index.ts";
import { deeds } from "./deeds.ts";
import { spelled } from "./spelled.ts";
import { tales } from "./tales.ts";
import type { World } from "./world.ts";

export { type BaseProgress, documents, newBase, perplexity, pretrainBase } from "./base.ts";
export { deeds } from "./deeds.ts";
export {
  asPair,
  compare,
  comparisons,
  type LabelOptions,
  type StoryComparison,
  spelledPairs,
} from "./preferences.ts";
export { markedText, storyText } from "./show.ts";
export { outOfDistribution, type SplitName, type StoryStyle, spelled, splits } from "./spelled.ts";
export { setB, tales, titleFor } from "./tales.ts";
export type { BaseRecipe, PreferenceWorld, Story, World } from "./world.ts";

/** All worlds by name. */
export const worlds: Readonly<Record<string, World>> = { spelled, tales, deeds };

/** A world by its name; an ArgumentError lists the names. */
export function worldNamed(name: string): World {
  const world = Object.hasOwn(worlds, name) ? worlds[name] : undefined;
  if (world !== undefined) return world;
  throw new ArgumentError(
    `there is no world "${name}"; there are ${Object.keys(worlds).join(", ")}`,
  );
}
