// A language model in a folder as Hugging Face lays it out (config.json, model.safetensors), to and fro:
// what is saved here opens in PyTorch, and a Llama or GPT-2 from there opens here.
// Next: checkpoints/folder.ts for the files, configHF.ts for the configuration.

import { ArgumentError, random } from "../core/index.ts";
import { CausalLM } from "./causalLM.ts";
import { loadModel, saveModel } from "./checkpoints/index.ts";
import { configFromHF, configToHF } from "./configHF.ts";
import { loraStateDict } from "./lora.ts";
import type { StateDict } from "./module.ts";

/** Writes a model into a folder, each file replaced atomically. Adapters are merged before, or saved apart. */
export async function saveCausalLM(folder: string, lm: CausalLM): Promise<void> {
  const adapters = Object.keys(loraStateDict(lm));
  if (adapters.length > 0) {
    throw new ArgumentError(
      `saveCausalLM: the model has adapters (${adapters[0]}, ...), which this format has no place for; ` +
        "save loraStateDict(lm) apart, and this before addLoRA",
    );
  }
  await saveModel(folder, { config: configToHF(lm.config), stateDict: lm.stateDict() });
}

/** Opens the model in a folder, onto the current device, in evaluation mode. */
export function loadCausalLM(folder: string): CausalLM {
  const { config, tensors } = loadModel(folder);
  const lm = new CausalLM(configFromHF(config), { rng: random(0) });
  lm.loadStateDict(lm.config.style === "gpt2" ? asGPT2LMHeadModel(tensors) : tensors);
  return lm.eval();
}

/** Old GPT-2 checkpoints leave "transformer." out, and hold attention masks among the weights. */
function asGPT2LMHeadModel(tensors: StateDict): StateDict {
  const weights = Object.entries(tensors).filter(([name]) => !/\.attn\.(masked_)?bias$/.test(name));
  const rename = (name: string): string =>
    /^(w[tp]e|h|ln_f)\./.test(name) ? `transformer.${name}` : name;
  return Object.fromEntries(weights.map(([name, x]) => [rename(name), x]));
}
