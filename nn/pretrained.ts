// A language model as Hugging Face lays it out (config.json, model.safetensors), to and fro: what is saved
// here opens in PyTorch, and a Llama or GPT-2 from there opens here. A browser fetches the files and hands
// them over. Next: modelFolder.ts for paths, checkpoints/folder.ts for the files, configHF.ts for the
// configuration.

import { ArgumentError, random } from "../core/index.ts";
import { accept, signatures } from "../core/signature.ts";
import { CausalLM } from "./causalLM.ts";
import {
  type Files,
  type LoadedModel,
  type ModelParts,
  modelFiles,
  modelFromFiles,
} from "./checkpoints/index.ts";
import { configFromHF, configToHF } from "./configHF.ts";
import { loraStateDict } from "./lora.ts";
import type { StateDict } from "./module.ts";

const takes = signatures(
  { causalLMFromFiles: "files: object", causalLMFiles: "lm: CausalLM" },
  () => ({ CausalLM }),
);

/**
 * A language model from files in memory, by name: config.json, and model.safetensors or an index with its
 * shards. Onto the current device, in evaluation mode. `tokenizerFromFiles` reads the tokenizer from the
 * same files.
 */
export function causalLMFromFiles(files: Files): CausalLM {
  accept(takes.causalLMFromFiles, arguments);
  return causalLMOf(modelFromFiles(files));
}

/** The files that causalLMFromFiles reads, in memory. Adapters are merged before, or saved apart. */
export function causalLMFiles(lm: CausalLM): Promise<Map<string, Uint8Array>> {
  accept(takes.causalLMFiles, arguments);
  return modelFiles(partsOf("causalLMFiles", lm));
}

/** The language model that files describe. */
export function causalLMOf({ config, tensors }: LoadedModel): CausalLM {
  const lm = new CausalLM(configFromHF(config), { rng: random(0) });
  lm.loadStateDict(lm.config.style === "gpt2" ? asGPT2LMHeadModel(tensors) : tensors);
  return lm.eval();
}

/** What is saved of a model; an ArgumentError of function `name` if it has adapters. */
export function partsOf(name: string, lm: CausalLM): ModelParts {
  const adapters = Object.keys(loraStateDict(lm));
  if (adapters.length > 0) {
    throw new ArgumentError(
      `${name}: the model has adapters (${adapters[0]}, ...), which this format has no place for; ` +
        "save loraStateDict(lm) apart, and this before addLoRA",
    );
  }
  return { config: configToHF(lm.config), stateDict: lm.stateDict() };
}

/** Old GPT-2 checkpoints leave "transformer." out, and hold attention masks among the weights. */
function asGPT2LMHeadModel(tensors: StateDict): StateDict {
  const weights = Object.entries(tensors).filter(([name]) => !/\.attn\.(masked_)?bias$/.test(name));
  const rename = (name: string): string =>
    /^(w[tp]e|h|ln_f)\./.test(name) ? `transformer.${name}` : name;
  return Object.fromEntries(weights.map(([name, x]) => [rename(name), x]));
}
