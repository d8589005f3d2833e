// A language model in a folder on disk: pretrained.ts, from paths. Next: checkpoints/onDisk.ts.

import { accept, signatures } from "../core/signature.ts";
import { CausalLM } from "./causalLM.ts";
import { loadModel, saveModel } from "./checkpoints/onDisk.ts";
import { causalLMOf, partsOf } from "./pretrained.ts";

const takes = signatures(
  { saveCausalLM: "folder: string, lm: CausalLM", loadCausalLM: "folder: string" },
  () => ({ CausalLM }),
);

/** Writes a model into a folder, each file replaced atomically. Adapters are merged before, or saved apart. */
export async function saveCausalLM(folder: string, lm: CausalLM): Promise<void> {
  accept(takes.saveCausalLM, arguments);
  await saveModel(folder, partsOf("saveCausalLM", lm));
}

/** Opens the model in a folder, onto the current device, in evaluation mode. */
export function loadCausalLM(folder: string): CausalLM {
  accept(takes.loadCausalLM, arguments);
  return causalLMOf(loadModel(folder));
}
