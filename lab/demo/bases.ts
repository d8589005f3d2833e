// The demo's bases that come with the package, by their seeds. Next: bases/README.md for how they were made.

import { fileURLToPath } from "node:url";
import { ArgumentError } from "../../core/index.ts";
import { fileExists, joinPath } from "../../nn/checkpoints/files.ts";

/** Where the base of a seed is that came with the program, if one did. */
export function committedBase(seed: number): string | undefined {
  return committedFolder(String(seed));
}

/** Where the base for plain text is, 80,000 parameters that have read TinyStories, if it came with the program. */
export function storiesBase(): string | undefined {
  return committedFolder("stories");
}

function committedFolder(name: string): string | undefined {
  const folder = fileURLToPath(new URL(`bases/${name}`, import.meta.url));
  return fileExists(joinPath(folder, "model.safetensors")) ? folder : undefined;
}

/** The folder of a base of the world "spelled" that comes with the package, for loadCausalLM; an ArgumentError if none does. */
export function spelledBase(seed: number): string {
  const folder = committedBase(seed);
  if (folder !== undefined) return folder;
  throw new ArgumentError(
    `spelledBase: there is no base of seed ${seed}; 1 and 2 come with the package, and ` +
      "`npx twoheads base spelled --seed SEED --out FOLDER` makes others",
  );
}
