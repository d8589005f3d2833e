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
import { type ModelConfig, matrixNumbers } from "./config.ts";
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
  const fits = configFromHF(config);
  checkFits(fits, tensors);
  const head = Object.keys(tensors).find((name) => /^(score|value_head)\.weight$/.test(name));
  if (head !== undefined && !("lm_head.weight" in tensors)) {
    throw new ArgumentError(
      `the weights are a classifier's (${head}), which gives rewards; a language model that writes is needed`,
    );
  }
  const lm = new CausalLM(fits, { rng: random(0) });
  lm.loadStateDict(asWritten(lm.config.style, tensors));
  return lm.eval();
}

/**
 * Throws where a configuration describes a far larger model than its weights hold: that would take time and memory
 * before anything could be compared. Which tensor doesn't fit is said of all others when they are loaded.
 */
export function checkFits(config: ModelConfig, tensors: StateDict): void {
  const described = matrixNumbers(config);
  const stored = Object.values(tensors).reduce((sum, x) => sum + x.size, 0);
  if (described <= 2 * stored + 1_000_000) return;
  const sizes = Object.entries(config).filter(([, value]) => Number(value) >= 1);
  const listed = sizes.map(([field, value]) => `${field} ${value}`).join(", ");
  throw new ArgumentError(
    `config.json describes a model of ${described.toPrecision(3)} numbers (${listed}), the weights hold ${stored}; ` +
      "they don't belong together",
  );
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

const notWeights: Readonly<Record<string, RegExp>> = {
  gpt2: /\.attn\.(masked_)?bias$/, // attention masks
  llama: /\.rotary_emb\.inv_freq$/,
};
const prefixes: Readonly<Record<string, readonly [RegExp, string]>> = {
  gpt2: [/^(w[tp]e|h|ln_f)\./, "transformer."],
  llama: [/^(embed_tokens|layers|norm)\./, "model."],
};

/** What packed weights have beside them: GPTQ's and AWQ's, bitsandbytes', and those of 8 bits with a scale. */
const packed =
  /\.(qweight|qzeros|absmax|quant_map|quant_state\..*|SCB|weight_scale|weight_scale_inv)$/;

/**
 * Tensors under the names of a whole language model. Some files leave the backbone's prefix out, and older
 * ones hold masks and the frequencies of rotary angles among the weights. An ArgumentError where they are quantised.
 */
export function asWritten(style: string, tensors: StateDict): StateDict {
  const quantised = Object.keys(tensors).find((name) => packed.test(name));
  if (quantised !== undefined) {
    throw new ArgumentError(
      `the weights are quantised (${quantised}), which isn't read; the model they were made of is`,
    );
  }
  const [bare, prefix] = prefixes[style] ?? [/(?!)/, ""];
  const weights = Object.entries(tensors).filter(([name]) => !notWeights[style]?.test(name));
  return Object.fromEntries(
    weights.map(([name, x]) => [bare.test(name) ? prefix + name : name, x]),
  );
}
