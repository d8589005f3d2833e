// Bases by name: the language models that come with the package can be said as spelled-1 and spelled-2
// wherever a command takes a language model's folder, from a checkout and from an installed package alike.
// Next: ../../lab/demo/run.ts for where they lie.

import { committedBase } from "../../lab/demo/bases.ts";
import { fileExists } from "../../nn/checkpoints/files.ts";

/** For commander: the folder that `text` is the path of, or else the one of the base with this name. */
export function baseFolder(text: string): string {
  const seed = /^spelled-(\d+)$/.exec(text)?.[1];
  const committed = seed === undefined ? undefined : committedBase(Number(seed));
  return committed === undefined || fileExists(text) ? text : committed;
}
