// A reward model for others to open: as AutoModelForSequenceClassification (classifier.ts), or in the layout of the
// official GRM code and of PEFT, with the chat template in Jinja beside the tokenizer. Without adapters (or with them merged) that is one folder; with
// adapters it is a folder of adapters and reward head, and the base that they belong to inside of it:
//   config.json, model.safetensors            what the official trainer saves: v_head.* and
//                                             <layer>.lora_A.default.weight (or, whole, all weights)
//   adapter_config.json, adapter_model.safetensors   the same adapters as PEFT writes them
//   base/                                     the language model below
// Layouts: https://github.com/YangRui2015/Generalizable-Reward-Model (reward_models/grm_utils.py) and
// https://huggingface.co/docs/peft/developer_guides/checkpoint. Next: rewardModelFiles.ts for our own.

import { ArgumentError } from "../core/index.ts";
import { accept, signature } from "../core/signature.ts";
import { fileExists, joinPath, readFile } from "../nn/checkpoints/files.ts";
import { parseJson } from "../nn/checkpoints/json.ts";
import { tokenIdsToHF } from "../nn/configHF.ts";
import {
  configToHF,
  loraStateDict,
  type ModelParts,
  mergeLoRA,
  Projection,
  type StateDict,
  type Tokenizer,
  unmergeLoRA,
} from "../nn/index.ts";
import { replaceFile, saveModel, saveSafetensors, saveTokenizer } from "../nn/node.ts";
import { classifierNotes, classifierParts } from "./classifier.ts";
import { jinjaOf, type Reading } from "./data/index.ts";
import { RewardModel } from "./rewardModel.ts";
import { adaptersOf, headToHF, type RewardModelFolder } from "./rewardModelFiles.ts";

const takes = signature(
  "exportRewardModel",
  "folder: string, { model: RewardModel, tokenizer: object, reading: object }, " +
    '{ merge?: boolean, as?: "grm" | "sequence-classification" }',
  () => ({ RewardModel }),
);

/** The layouts that a reward model is written in. */
export const layouts = ["grm", "sequence-classification"] as const;

/** How a reward model is written for PyTorch. */
export interface ExportOptions {
  /** As the official GRM code has it, with both heads (the default), or as a classifier, with its reward alone and no adapters. */
  readonly as?: (typeof layouts)[number];
  /** Adds the adapters to the weights: one folder, which needs no PEFT. */
  readonly merge?: boolean;
}

/**
 * Writes a reward model for PyTorch; returns what isn't as it is here. A model that transformers has no class
 * for is an ArgumentError, and nothing is written.
 */
export async function exportRewardModel(
  folder: string,
  parts: RewardModelFolder,
  options: ExportOptions = {},
): Promise<readonly string[]> {
  accept(takes, arguments);
  const { model, tokenizer, reading } = parts;
  const isClassifier = options.as === "sequence-classification";
  checkFits(model);
  if (!isClassifier && model.padding !== null && model.padding === tokenizer.special.eos) {
    throw new ArgumentError(
      "export: this classifier takes a text's end for padding, and the official code doesn't; use --as sequence-classification",
    );
  }
  const adapters = adaptersOf(model);
  const isWhole = adapters === null || options.merge === true || isClassifier;
  if (isWhole)
    await saveMerged(folder, () => (isClassifier ? classifierParts : wholeParts)(parts), model);
  else await saveAdapters(folder, parts, adapters);
  await saveTokenizerWithTemplate(folder, tokenizer, reading);
  return [...notesOn(model, tokenizer), ...(isClassifier ? classifierNotes(parts) : [])];
}

function checkFits(model: RewardModel): void {
  for (const [name, { data }] of Object.entries(model.stateDict())) {
    const at = data.findIndex((x) => !Number.isFinite(x));
    if (at < 0) continue;
    throw new ArgumentError(
      `export: "${name}" holds ${data[at]}: this model's training diverged; train it again, at a lower rate`,
    );
  }
  if (model.config.style === "lstm") {
    throw new ArgumentError("export: transformers has no LSTM language model to open this with");
  }
  const own = Object.keys(configToHF(model.config)).filter(
    (field) => field.startsWith("twoheads_") && field !== "twoheads_dropout",
  );
  if (own.length === 0) return;
  throw new ArgumentError(
    `export: ${own.join(", ")}: transformers' ${model.config.style} has no such thing, and would compute something else`,
  );
}

function notesOn({ config }: RewardModel, tokenizer: Tokenizer): string[] {
  const isJson = tokenizer.files().some(({ name }) => name === "tokenizer.json");
  return [
    ...(config.style === "llama" && config.dropout > 0
      ? [`the backbone's dropout of ${config.dropout} stays behind: transformers' Llama has none`]
      : []),
    ...(isJson ? [] : ["the tokenizer is llama2.c's: transformers doesn't open tokenizer.bin"]),
  ];
}

function configFor({ model, tokenizer, reading }: RewardModelFolder) {
  const { config, vHead } = model;
  const ids = tokenIdsToHF(tokenizer.special);
  return { ...configToHF(config), ...ids, ...headToHF(vHead.config), twoheads_reading: reading };
}

const isAdapter = (name: string): boolean => /\.lora\.[ab]$/.test(name);
const isHead = (name: string): boolean => name.startsWith("v_head.");

function only(dict: StateDict, wanted: (name: string) => boolean): StateDict {
  return Object.fromEntries(Object.entries(dict).filter(([name]) => wanted(name)));
}

/** Every weight but the adapters'. */
function wholeParts(parts: RewardModelFolder): ModelParts {
  const stateDict = only(parts.model.stateDict(), (name) => !isAdapter(name));
  return { config: configFor(parts), stateDict };
}

/** Saves what `parts` gives while adapters, if there are any, are added to the weights. */
async function saveMerged(
  folder: string,
  parts: () => ModelParts,
  model: RewardModel,
): Promise<void> {
  mergeLoRA(model);
  try {
    await saveModel(folder, parts());
  } finally {
    unmergeLoRA(model);
  }
}

type Adapters = NonNullable<ReturnType<typeof adaptersOf>>;

async function saveAdapters(
  folder: string,
  parts: RewardModelFolder,
  adapters: Adapters,
): Promise<void> {
  const { model, tokenizer, reading } = parts;
  const outside = adapters.layers.find(isHead);
  if (outside !== undefined) {
    throw new ArgumentError(
      `export: "${outside}" has an adapter, but the reward head is no part of what PEFT adapts; merge it`,
    );
  }
  const base = joinPath(folder, "base");
  const config = configFor(parts);
  const all = model.stateDict();
  await saveModel(base, {
    config,
    stateDict: only(all, (name) => !isAdapter(name) && !isHead(name)),
  });
  await saveTokenizerWithTemplate(base, tokenizer, reading);
  const weights = loraStateDict(model);
  const official = renamed(weights, (layer, matrix) => `${layer}.lora_${matrix}.default.weight`);
  const stateDict = { ...official, ...only(all, isHead) };
  await saveModel(folder, { config, stateDict });
  const peft = renamed(
    weights,
    (layer, matrix) => `base_model.model.${layer}.lora_${matrix}.weight`,
  );
  const metadata = { format: "pt" };
  await saveSafetensors(joinPath(folder, "adapter_model.safetensors"), peft, { metadata });
  await writeJson(joinPath(folder, "adapter_config.json"), adapterConfig(model, adapters));
}

/** The adapters' matrices a and b, called by layer and A or B. */
function renamed(weights: StateDict, name: (layer: string, matrix: string) => string): StateDict {
  const entries = Object.entries(weights).map(([full, x]) => {
    const [, layer = "", matrix = ""] = /^(.*)\.lora\.([ab])$/.exec(full) ?? [];
    return [name(layer, matrix.toUpperCase()), x] as const;
  });
  return Object.fromEntries(entries);
}

/** PEFT's LoraConfig. A GPT-2's projections hold their weights as [in, out], which it has to know. */
function adapterConfig(model: RewardModel, adapters: Adapters): object {
  return {
    peft_type: "LORA",
    task_type: "CAUSAL_LM",
    base_model_name_or_path: "base" /* beside this file */,
    r: adapters.rank,
    lora_alpha: adapters.alpha,
    lora_dropout: adapters.dropout,
    target_modules: targetModules(model, adapters.layers),
    fan_in_fan_out: model.config.style === "gpt2",
    bias: "none",
    inference_mode: true,
    init_lora_weights: true,
    layers_pattern: null,
    layers_to_transform: null,
    modules_to_save: null,
    revision: null,
  };
}

/** Layers by their last names, as people write them, unless others are called the same: then in full. */
function targetModules(model: RewardModel, layers: readonly string[]): readonly string[] {
  const last = (name: string): string => name.slice(name.lastIndexOf(".") + 1);
  const names = new Set(layers.map(last));
  const meant = model
    .namedModules()
    .filter(([name, layer]) => layer instanceof Projection && names.has(last(name)));
  return meant.length === layers.length ? [...names] : layers;
}

/** What a tokenizer gives a model; before transformers 5 it gave token types, too, which a Llama refuses. */
const inputs = { model_input_names: ["input_ids", "attention_mask"] };

/** The tokenizer's files, and in them the template and the longest sequence. */
async function saveTokenizerWithTemplate(
  folder: string,
  tokenizer: Tokenizer,
  { template, maxLength }: Reading,
): Promise<void> {
  await saveTokenizer(folder, tokenizer);
  const path = joinPath(folder, "tokenizer_config.json");
  if (!fileExists(path)) return; // llama2.c's
  const config = parseJson(path, readFile(path)).object();
  const chat_template = jinjaOf(template, tokenizer.special);
  const own = { model_max_length: maxLength, chat_template };
  await writeJson(path, { ...inputs, ...config, ...own });
}

function writeJson(path: string, content: object): Promise<void> {
  return replaceFile(path, `${JSON.stringify(content, null, 2)}\n`);
}
