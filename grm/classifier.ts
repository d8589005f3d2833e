// AutoModelForSequenceClassification with one label, which TRL, OpenRLHF and reward-bench take for a reward model: its
// score.weight is a linear reward head without a bias, there is no language-model head, and it reads the last token that
// isn't padding. In both directions. Next: rewardModelFiles.ts and export.ts, which call this.

import { ArgumentError, type Tensor, zeros } from "../core/index.ts";
import { configToHF, tokenIdsToHF } from "../nn/configHF.ts";
import { FileError, type LoadedModel, type ModelParts, type RawConfig } from "../nn/index.ts";
import type { SpecialIds } from "../nn/tokenizers/index.ts";
import type { RewardModelFolder } from "./rewardModelFiles.ts";

/** The weight that gives a classifier's reward; OpenRLHF's configuration may call it otherwise. */
export function scoreNameOf({ value_head_prefix: prefix }: RawConfig): string {
  return `${typeof prefix === "string" ? prefix : "score"}.weight`;
}

/**
 * A classifier's folder in the official code's names. It has no language-model head; the embedding stands in for it,
 * and only rewards mean something. Other folders are returned as they are.
 */
export function withValueHead(name: string, loaded: LoadedModel): LoadedModel {
  const at = scoreNameOf(loaded.config);
  const { [at]: score, ...rest } = loaded.tensors;
  if (score === undefined || loaded.config.vhead_layer_type !== undefined) return loaded;
  if (score.shape[0] !== 1) {
    const problem = `${at} is [${score.shape}]: a classifier of ${score.shape[0]} labels, no reward model`;
    throw new FileError(name, "", problem);
  }
  const head = { vhead_layer_type: "linear", summary_dropout_prob: 0, twoheads_classifier: true };
  const bias = { "v_head.summary.weight": score, "v_head.summary.bias": zeros([1]) };
  const tables = ["model.embed_tokens", "embed_tokens", "transformer.wte", "wte"];
  const embedding = tables.map((table) => rest[`${table}.weight`]).find((x) => x !== undefined);
  const { model_type, tie_word_embeddings: isTied = model_type === "gpt2" } = loaded.config;
  const isAbsent = embedding === undefined || isTied === true;
  const lmHead: LoadedModel["tensors"] = isAbsent ? {} : { "lm_head.weight": embedding };
  return {
    ...loaded,
    config: { ...loaded.config, ...head },
    tensors: { ...lmHead, ...rest, ...bias },
  };
}

/** What a classifier takes for padding, by the configuration that withValueHead gives; null of other models. */
export function paddingOf({ twoheads_classifier, pad_token_id: id }: RawConfig): number | null {
  return twoheads_classifier === true && typeof id === "number" ? id : null;
}

/** What is written of a reward model as a classifier; an ArgumentError where its head isn't one matrix. */
export function classifierParts({ model, tokenizer, reading }: RewardModelFolder): ModelParts {
  const { config, vHead } = model;
  if (vHead.config.type !== "linear") {
    throw new ArgumentError(
      "export: a classifier's head is one matrix, and this one is an MLP; train with --head-type linear",
    );
  }
  const raw = configToHF(config);
  const [name = ""] = raw.architectures as readonly string[];
  const { pad: own, ...ids } = tokenizer.special;
  const pad = model.padding ?? (padsApart(tokenizer.special) ? own : undefined);
  const label = { id2label: { 0: "LABEL_0" }, label2id: { LABEL_0: 0 } };
  const { "v_head.summary.weight": score, ...all } = model.stateDict();
  const kept = Object.entries(all).filter(
    ([key]) => !/^(v_head|lm_head)\.|\.lora\.[ab]$/.test(key),
  );
  return {
    config: {
      ...raw,
      architectures: [name.replace(/(ForCausalLM|LMHeadModel)$/, "ForSequenceClassification")],
      ...label,
      ...tokenIdsToHF({ ...ids, ...(pad !== undefined && { pad }) }),
      twoheads_reading: reading,
    },
    stateDict: { ...Object.fromEntries(kept), "score.weight": score as Tensor },
  };
}

/** Whether padding is told from a text's end: a classifier would read the token before an end that is padding. */
function padsApart({ pad, eos }: SpecialIds): boolean {
  return pad !== undefined && pad !== eos;
}

/** What a classifier doesn't have of a reward model. */
export function classifierNotes({ model, tokenizer }: RewardModelFolder): string[] {
  const bias = model.stateDict()["v_head.summary.bias"]?.data[0] ?? 0;
  const unpadded =
    "the tokenizer has no token for padding alone, so config.json names none: transformers scores one text at a time";
  return [
    "the language-model head stays behind: a classifier has none",
    ...(bias === 0
      ? []
      : [
          `the head's bias stays behind: rewards there are ${bias} lower, and their order is the same`,
        ]),
    ...(model.padding !== null || padsApart(tokenizer.special) ? [] : [unpadded]),
  ];
}
