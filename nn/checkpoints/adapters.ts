// LoRA adapters in the layout of PEFT, which TRL, the official GRM code and our own export write too: adapter_config.json
// says to which model they belong, and the matrices stand in adapter_model.safetensors, or in model.safetensors
// beside other weights that were trained. They are added to the model's weights while these are read: what is loaded is
// one model. Layout: https://huggingface.co/docs/peft/developer_guides/checkpoint. Next: folder.ts.

import { cat, noGrad, type Tensor, zeros } from "../../core/index.ts";
import { FileError, type Folder, readAll } from "./byteSource.ts";
import { parseJson } from "./json.ts";
import type { Tensors } from "./safetensors.ts";

const configName = "adapter_config.json";
/** What PEFT calls the file of matrices. */
export const adaptersName = "adapter_model.safetensors";

type AdapterConfig = Readonly<Record<string, unknown>>;

function adapterConfig(folder: Folder): AdapterConfig {
  const source = folder.open(configName);
  return parseJson(source.name, readAll(source)).object();
}

/** The folder of the model that a folder's adapters belong to; null where it holds no adapters. */
export function baseOfAdapters(folder: Folder): Folder | null {
  if (!folder.has(configName)) return null;
  const { base_model_name_or_path: name } = adapterConfig(folder);
  const paths = [...(typeof name === "string" && name !== "" ? [name] : []), "base"];
  const found = paths.map((path) => folder.within(path)).find(isWhole);
  if (found !== undefined) return found;
  const problem = `the adapters belong to ${JSON.stringify(name)}, which is no folder here; put that model's files into ${folder.name}/base`;
  throw new FileError(configName, "base_model_name_or_path", problem);
}

/** Whether a folder holds a model by itself. */
function isWhole(folder: Folder): boolean {
  return folder.has("config.json") && !folder.has(configName);
}

const isAbsent = (value: unknown): boolean =>
  [undefined, null, false].includes(value as null) ||
  (typeof value === "object" && Object.keys(value as object).length === 0);

/** Settings of PEFT, the first that fits a field, and what they may be for the sum of weights to be the model. */
const plain: readonly (readonly [field: RegExp, isPlain: (value: unknown) => boolean])[] = [
  [/^peft_type$/, (value) => value === "LORA"],
  [/^lora_alpha$/, (value) => typeof value === "number"],
  // others, such as "pissa", change the model's own weights before training
  [/^init_lora_weights$/, (value) => /^(true|false|gaussian|eva|orthogonal)$/.test(String(value))],
  [/^(use_rslora|eva_config)$/, () => true],
  [/^(use_.*|.*_config|alpha_pattern|layer_replication|lora_bias)$/, isAbsent],
];

/** A FileError that names a setting under which adapters are more than a sum of weights. */
function checkPlain(config: AdapterConfig): void {
  for (const [field, value] of Object.entries({ peft_type: null, lora_alpha: null, ...config })) {
    const [, isPlain] = plain.find(([pattern]) => pattern.test(field)) ?? [];
    if (isPlain === undefined || isPlain(value)) continue;
    const problem = `${JSON.stringify(value)} isn't supported, only plain LoRA; merge it by PEFT's merge_and_unload`;
    throw new FileError(configName, field, problem);
  }
}

/** A model's tensors with a folder's adapters, in `files`, added to them, and what was trained beside put in their place. */
export function withAdapters(folder: Folder, model: Tensors, files: readonly Tensors[]): Tensors {
  const config = adapterConfig(folder);
  checkPlain(config);
  const named = files.flatMap((file) => Object.entries(file));
  const given = Object.fromEntries(named.map(([name, x]) => [plainName(name), x]));
  const all: Record<string, Tensor> = { ...model };
  for (const [name, x] of Object.entries(given)) {
    const [, layer = "", matrix] = /^(.*)\.lora_([AB])\.weight$/.exec(name) ?? [];
    if (matrix === undefined) all[name] = x;
    if (matrix !== "A") continue;
    const update = updateOf(name, config, x, given[`${layer}.lora_B.weight`]);
    const names = [layer, layer.replace(/^(model|transformer)\./, "")].map((at) => `${at}.weight`);
    const target = names.find((weight) => String(all[weight]?.shape) === String(update.shape));
    if (target === undefined) {
      const problem = `changes a weight of [${update.shape}], which its model hasn't`;
      throw new FileError(folder.name, name, problem);
    }
    all[target] = noGrad(() => (all[target] as Tensor).add(update));
  }
  return all;
}

/** The name that a tensor has in the model without adapters; of a matrix, with lora_A or lora_B behind it. */
function plainName(name: string): string {
  return name
    .replace(/^base_model\.model\./, "")
    .replace(/\.lora_([AB])\.default\.weight$/, ".lora_$1.weight");
}

/** (alpha / rank) B A, or by √rank; as the weight lies, [out, in] or [in, out]. */
function updateOf(name: string, config: AdapterConfig, a: Tensor, b: Tensor | undefined): Tensor {
  const rank = a.shape[0] ?? 1;
  if (b === undefined || b.shape[1] !== rank) {
    const problem = `[${a.shape}] has ${b === undefined ? "no lora_B" : `a lora_B of [${b.shape}]`} beside it`;
    throw new FileError(adaptersName, name, problem);
  }
  const scale = Number(config.lora_alpha) / (config.use_rslora === true ? Math.sqrt(rank) : rank);
  const update = noGrad(() => b.matmul(a).mul(scale));
  return config.fan_in_fan_out === true ? noGrad(() => update.transpose()) : update;
}

/**
 * Tensors with as many rows as there are tokens: where a token for padding was added after the model was read, as the
 * official code adds one, its rows were never trained or saved, and are 0.
 */
export function withRows(tensors: Tensors, tokens: number): Tensors {
  const grown = Object.entries(tensors).map(([name, x]) => {
    const [have = 0, width = 0] = x.shape;
    const isShort = /(embed_tokens|wte|lm_head)\.weight$/.test(name) && have < tokens;
    return [name, isShort ? noGrad(() => cat([x, zeros([tokens - have, width])])) : x] as const;
  });
  return Object.fromEntries(grown);
}
