// A language model in a folder on disk: pretrained.ts, from paths. Next: checkpoints/onDisk.ts.

import type { CausalLM } from "./causalLM.ts";
import { loadModel, saveModel } from "./checkpoints/onDisk.ts";
import { causalLMOf, partsOf } from "./pretrained.ts";

/** Writes a model into a folder, each file replaced atomically. Adapters are merged before, or saved apart. */
export async function saveCausalLM(folder: string, lm: CausalLM): Promise<void> {
  await saveModel(folder, partsOf("saveCausalLM", lm));
}

/** Opens the model in a folder, onto the current device, in evaluation mode. */
export function loadCausalLM(folder: string): CausalLM {
  return causalLMOf(loadModel(folder));
}
