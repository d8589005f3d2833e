// Small reward models in folders, for the tests of what opens, scores and exports them.
// Next: grm.score.test.ts, grm.export.test.ts.

import { noGrad, randn, random } from "../core/index.ts";
import {
  encodeJudged,
  type HeadOptions,
  type Reading,
  RewardModel,
  type RewardModelFolder,
  type Sequence,
  sequenceOf,
  transcript,
} from "../grm/index.ts";
import {
  addLoRA,
  CausalLM,
  type LoRAOptions,
  type ModelOptions,
  type Tokenizer,
  trainBPE,
} from "../nn/index.ts";

export const tokenizer: Tokenizer = trainBPE(
  ["Human: the cat sat\n\nAssistant: on the mat the cat sat on the mat"],
  { vocabSize: 280, special: { bos: "<s>", eos: "</s>", pad: "<pad>" } },
);

const small = { vocabSize: 280, dim: 16, layers: 2 };

/** One of each kind of backbone. */
export const backbones: Readonly<Record<string, ModelOptions>> = {
  llama: { ...small, heads: 4, kvHeads: 2, context: 96 },
  "llama untied": { ...small, heads: 2, tied: false, context: 96 },
  gpt2: { ...small, style: "gpt2", heads: 2, context: 96 },
  lstm: { ...small, style: "lstm" },
};

/** One of each kind of head. */
export const heads: Readonly<Record<string, HeadOptions>> = {
  linear: { type: "linear" },
  mlp: {},
  "mlp of two layers": { layers: 2, neurons: 12, dropout: 0 },
};

export const reading: Reading = { maxLength: 64, truncation: "prompt", template: transcript };

/** A model whose weights, adapters' too, are all drawn, so that none is 0 or 1. */
export function drawnModel(
  backbone: ModelOptions,
  head: HeadOptions,
  lora?: Omit<LoRAOptions, "rng">,
  seed = 0,
): RewardModel {
  const model = new RewardModel(new CausalLM(backbone, { rng: random("lm") }), {
    head,
    rng: random("head"),
  });
  if (lora !== undefined) addLoRA(model, { ...lora, rng: random("lora") });
  for (const [name, p] of model.namedParameters()) {
    const noise = noGrad(() =>
      randn(p.shape, { rng: random(seed === 0 ? name : `${name} ${seed}`) }).mul(0.2),
    );
    p.assign(noGrad(() => p.add(noise)));
  }
  return model.eval();
}

/** All that a folder of this model holds. */
export function whole(model: RewardModel): RewardModelFolder {
  return { model, tokenizer, reading };
}

/** Answers to one question, as tokens. */
export function sequencesOf(answers: readonly string[]): readonly Sequence[] {
  const prompt = [{ role: "user", content: "who?" }] as const;
  return answers.map((answer) =>
    sequenceOf(encodeJudged({ prompt, answer }, tokenizer, transcript)),
  );
}
