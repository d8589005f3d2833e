// Bases by name: the language models that come with the package can be said as stories, spelled-1 and
// spelled-2 wherever a command takes a language model's folder, from a checkout and from an installed package alike.
// Next: ../../lab/demo/run.ts for where they lie.

import { ArgumentError } from "../../core/index.ts";
import { committedBase, storiesBase } from "../../lab/demo/bases.ts";
import { fileExists } from "../../nn/checkpoints/files.ts";

/**
 * For commander: the folder that `text` is the path of, or else the one of the base with this name. An
 * ArgumentError where there is neither.
 */
export function baseFolder(text: string): string {
  if (fileExists(text)) return text;
  const seed = /^spelled-(\d+)$/.exec(text)?.[1];
  const committed = text === "stories" ? storiesBase() : committedBase(Number(seed));
  if (committed !== undefined) return committed;
  throw new ArgumentError(
    `there is no folder ${text}, and no base of that name; stories, spelled-1 and spelled-2 come with the package`,
  );
}

/** A reward model's folder; an ArgumentError where there is no such folder. */
export function modelFolder(text: string): string {
  if (fileExists(text)) return text;
  throw new ArgumentError(
    `there is no folder ${text}; needed the folder of a reward model, such as twoheads train writes`,
  );
}
