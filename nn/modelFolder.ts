// A language model in a folder on disk: pretrained.ts, from paths. Next: checkpoints/onDisk.ts.

import { random } from "../core/index.ts";
import { accept, signatures } from "../core/signature.ts";
import { CausalLM } from "./causalLM.ts";
import { loadModel, readConfig, saveModel } from "./checkpoints/onDisk.ts";
import { configFromHF, tokenIdsToHF } from "./configHF.ts";
import { causalLMOf, partsOf } from "./pretrained.ts";
import type { SpecialIds } from "./tokenizers/index.ts";

const takes = signatures(
  {
    saveCausalLM: "folder: string, lm: CausalLM, special?: object, metadata?: object",
    loadCausalLM: "folder: string",
  },
  () => ({ CausalLM }),
);

/**
 * Writes a model into a folder, each file replaced atomically, the weights, with `metadata`, last. Adapters are merged before, or saved apart. With a
 * tokenizer's roles (`tokenizer.special`), config.json and generation_config.json say what ends a text.
 */
export async function saveCausalLM(
  folder: string,
  lm: CausalLM,
  special: SpecialIds = {},
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  accept(takes.saveCausalLM, arguments);
  const { config, ...parts } = partsOf("saveCausalLM", lm);
  await saveModel(folder, { ...parts, metadata, config: { ...config, ...tokenIdsToHF(special) } });
}

/** A model whose shape is in a folder, with weights that are still to be loaded. */
export function causalLMShapedAs(folder: string): CausalLM {
  return new CausalLM(configFromHF(readConfig(folder)), { rng: random(0) });
}

/** Opens the model in a folder, onto the current device, in evaluation mode. */
export function loadCausalLM(folder: string): CausalLM {
  accept(takes.loadCausalLM, arguments);
  configFromHF(readConfig(folder)); // what can't be opened is said before its weights are read
  return causalLMOf(loadModel(folder));
}
