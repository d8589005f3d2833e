// A reward model as files: config.json, model.safetensors and the tokenizer's files. Names and fields
// are those of Hugging Face and of the official GRM code (v_head.summary.*, vhead_*), so what is trained
// without adapters opens there as it is; what they have no field for begins with "twoheads_".
// Next: rewardModelFolder.ts for paths; export.ts for the layouts with adapters; data/sequences.ts for Reading.

import * as z from "zod";
import { ArgumentError, random } from "../core/index.ts";
import { accept, signatures } from "../core/signature.ts";
import { problemsOf } from "../nn/checked.ts";
import { baseOfAdapters } from "../nn/checkpoints/adapters.ts";
import { type Folder, filesAsFolder } from "../nn/checkpoints/byteSource.ts";
import { configIn, modelIn, weightsIn } from "../nn/checkpoints/folder.ts";
import { tokenIdsToHF } from "../nn/configHF.ts";
import {
  addLoRA,
  CausalLM,
  configFromHF,
  configToHF,
  FileError,
  type Files,
  type LoadedModel,
  LoRA,
  type ModelConfig,
  type ModelParts,
  modelFiles,
  type RawConfig,
  type Tokenizer,
} from "../nn/index.ts";
import { asWritten, checkFits } from "../nn/pretrained.ts";
import { tokenizerFolder, tokenizerIn } from "../nn/tokenizers/folder.ts";
import { paddingOf, scoreNameOf, withValueHead } from "./classifier.ts";
import { chatTemplateIn } from "./data/chat.ts";
import { type Reading, truncations } from "./data/sequences.ts";
import { chatTemplateSchema, transcript } from "./data/template.ts";
import { type HeadConfig, type HeadOptions, RewardModel } from "./rewardModel.ts";

const takes = signatures({
  rewardModelFiles: "folder: { model: object, tokenizer: object, ... }",
  rewardModelFromFiles: "files: object",
});

/** A reward model with all that it takes to score text. */
export interface RewardModelFolder {
  readonly model: RewardModel;
  readonly tokenizer: Tokenizer;
  /** How text was read in training. */
  readonly reading: Reading;
}

const count = z.int().min(1);
const share = z.number().min(0).lt(1);

const configSchema = z.object({
  vhead_layer_type: z.enum(["linear", "mlp"]),
  vhead_num_neurons: count.optional(),
  vhead_num_layers: count.optional(),
  summary_dropout_prob: share.default(0.1), // the official code's default
  twoheads_lora: z
    .strictObject({ layers: z.array(z.string()), rank: count, alpha: z.number(), dropout: share })
    .optional(),
  twoheads_reading: z
    .strictObject({
      maxLength: count,
      truncation: z.enum(truncations),
      template: chatTemplateSchema,
    })
    .optional(),
});

/** The reward head in the official code's terms. */
export function headToHF({ type, layers, neurons, dropout }: HeadConfig) {
  return {
    vhead_layer_type: type,
    vhead_num_neurons: neurons,
    vhead_num_layers: layers,
    summary_dropout_prob: dropout,
  };
}

/** The adapters of a model: which layers have them, and their common settings; null for none. */
export function adaptersOf(model: RewardModel) {
  const found = model
    .namedModules()
    .filter((pair): pair is [string, LoRA] => pair[1] instanceof LoRA)
    .map(([name, lora]) => {
      const rank = lora.a.shape[0] ?? 0;
      const settings = { rank, alpha: lora.scale * rank, dropout: lora.dropout.p };
      return { layer: name.replace(/\.lora$/, ""), lora, settings };
    });
  const [first, ...others] = found;
  if (first === undefined) return null;
  const differs = others.find(
    ({ settings }) => JSON.stringify(settings) !== JSON.stringify(first.settings),
  );
  if (differs !== undefined) {
    throw new ArgumentError(
      `reward model: the adapters of "${first.layer}" and "${differs.layer}" have other settings; ` +
        "one rank, alpha and dropout for all can be saved",
    );
  }
  if (found.some(({ lora }) => lora.isMerged)) {
    throw new ArgumentError("reward model: the adapters are merged; call unmergeLoRA before");
  }
  return { layers: found.map(({ layer }) => layer), ...first.settings };
}

/** What is saved of a reward model beside its tokenizer. */
export function rewardModelParts({ model, tokenizer, reading }: RewardModelFolder): ModelParts {
  const lora = adaptersOf(model);
  const config = {
    ...configToHF(model.config),
    ...tokenIdsToHF(tokenizer.special),
    ...headToHF(model.vHead.config),
    ...(lora !== null && { twoheads_lora: lora }),
    twoheads_reading: reading,
  };
  return { config, stateDict: model.stateDict() };
}

/** The files that rewardModelFromFiles reads, in memory. */
export async function rewardModelFiles(
  folder: RewardModelFolder,
): Promise<Map<string, Uint8Array>> {
  accept(takes.rewardModelFiles, arguments);
  const tokenizer = folder.tokenizer.files().map(({ name, bytes }) => [name, bytes] as const);
  return new Map([...(await modelFiles(rewardModelParts(folder))), ...tokenizer]);
}

/**
 * A reward model from files in memory, by name, ours or the official code's: config.json, the weights, the
 * tokenizer's. In evaluation mode. Weights that don't fit the configuration are a FileError, and nothing is
 * loaded.
 */
export function rewardModelFromFiles(files: Files): RewardModelFolder {
  accept(takes.rewardModelFromFiles, arguments);
  return rewardModelIn(filesAsFolder(files));
}

/** The reading that is taken where a folder doesn't say one: conversations by its chat template, if it has one. */
function defaultReading(config: ModelConfig, folder: Folder): Reading {
  const maxLength = config.style === "lstm" ? 1024 : config.context;
  const template = chatTemplateIn(tokenizerFolder(folder))?.template ?? transcript;
  return { maxLength, truncation: "prompt", template };
}

/**
 * The reward model that a folder holds, `load` has it from elsewhere. What can't be right is said
 * before its weights are read.
 */
export function rewardModelIn(
  folder: Folder,
  load: () => LoadedModel = () => modelIn(folder),
): RewardModelFolder {
  const { name } = folder;
  const described = configIn(folder);
  const config = configFromHF(described);
  if (!hasHead(folder, described)) readFields(name, described);
  const tokenizer = tokenizerIn(folder);
  if (tokenizer.vocabSize > config.vocabSize) {
    const problem = `the tokenizer has ${tokenizer.vocabSize} tokens, the model ${config.vocabSize}; they don't belong together`;
    throw new FileError(name, "", problem);
  }
  const { config: raw, tensors } = withValueHead(name, load());
  const fields = readFields(name, raw);
  const head = headFromHF(fields);
  try {
    checkFits(config, tensors);
    const lm = new CausalLM(config, { rng: random(0) });
    const model = new RewardModel(lm, { head, rng: random(0) });
    if (fields.twoheads_lora) addLoRA(model, { ...fields.twoheads_lora, rng: random(0) });
    model.loadStateDict(asWritten(config.style, tensors));
    model.padding = paddingOf(raw);
    const reading = fields.twoheads_reading ?? defaultReading(config, folder);
    return { model: model.eval(), tokenizer, reading };
  } catch (cause) {
    if (!(cause instanceof ArgumentError)) throw cause;
    const problem = `config.json and the weights don't go together\n${cause.message}`;
    throw new FileError(name, "", problem, { cause });
  }
}

/** Whether a folder has a reward head, by its configuration or, as a classifier and adapters, by its weights. */
function hasHead(folder: Folder, raw: RawConfig): boolean {
  if (raw.vhead_layer_type !== undefined || baseOfAdapters(folder) !== null) return true;
  const weights = weightsIn(folder);
  weights.close();
  return weights.stored.has(scoreNameOf(raw));
}

type Fields = z.infer<typeof configSchema>;

function readFields(folder: string, raw: RawConfig): Fields {
  const parsed = configSchema.safeParse(raw);
  if (parsed.success) return parsed.data;
  const problem =
    raw.vhead_layer_type === undefined
      ? "describes no reward head (vhead_layer_type); `twoheads train` puts one on a language model"
      : problemsOf(parsed.error);
  throw new FileError(folder, "config.json", problem);
}

function headFromHF(fields: Fields): HeadOptions {
  return {
    type: fields.vhead_layer_type,
    dropout: fields.summary_dropout_prob,
    ...(fields.vhead_num_layers !== undefined && { layers: fields.vhead_num_layers }),
    ...(fields.vhead_num_neurons !== undefined && { neurons: fields.vhead_num_neurons }),
  };
}
