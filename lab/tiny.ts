// The smallest reward model with two heads, and one pair: small enough that its whole tape can be drawn and read.
// The loss is the trainer's own. Next: ../report/tape/svg.ts, which draws it.

import { type DType, random, type Tensor } from "../core/index.ts";
import { RewardModel } from "../grm/index.ts";
import type { Pair } from "../grm/pairs.ts";
import { type Losses, Objective, type TrainMethod } from "../grm/trainer/objective.ts";
import { trainSettings } from "../grm/trainer.ts";
import { CausalLM } from "../nn/index.ts";
import { tinyAnswers, tinyWords } from "./tinyWords.ts";

const titleLength = 2;

/** A sequence whose words after the title carry text-generation loss. */
function sequenceOf(answer: string): Pair["chosen"] {
  const words = `<bos> fox ${answer}`.split(" ");
  const ids = Int32Array.from(words, (word) => tinyWords.indexOf(word));
  return { ids, labels: ids.map((id, t) => (t < titleLength ? -100 : id)) };
}

/** How the tiny loss is made up. */
export interface TinySettings {
  readonly method: TrainMethod;
  readonly alpha: number;
  readonly beta: number;
  /** Of parameters and all that is computed of them. */
  readonly dtype: DType;
}

/** A tiny model, and its losses: a run of the trainer's objective on the pair. */
export interface Tiny {
  readonly model: RewardModel;
  losses(): Losses;
}

/** One block of width 4, a head for the next of five words and a linear reward head; weights drawn from a seed. */
export async function tinyModel(settings: TinySettings): Promise<Tiny> {
  const { method, alpha, beta, dtype } = settings;
  const rng = random("tiny");
  const shape = { vocabSize: tinyWords.length, context: 4, dim: 4, layers: 1, heads: 1, ffDim: 4 };
  const lm = new CausalLM({ ...shape, tied: false, initStd: 0.5 }, { rng: rng.fork("lm") });
  const head = { type: "linear", dropout: 0 } as const;
  const model = new RewardModel(lm, { head, rng: rng.fork("head") }).to(dtype);
  const pair = {
    chosen: sequenceOf(tinyAnswers.chosen),
    rejected: sequenceOf(tinyAnswers.rejected),
  };
  const objective = new Objective(model, [pair], trainSettings({ method, alpha, beta }));
  await objective.refer();
  return { model, losses: () => objective.losses([0]) };
}

/** What losses are called where they are drawn. */
export function namedLosses({ rewardLoss, regLoss }: Losses): Record<string, Tensor | null> {
  return { "reward loss": rewardLoss, ...(regLoss && { "text loss": regLoss }) };
}
