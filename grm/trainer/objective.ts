// What a step minimises: both losses on some pairs, mixed as the method says. What is trained is all of the
// model, or adapters (LoRA: small matrices added to fixed ones), or the reward head alone on a frozen backbone,
// whose hidden states are then computed once (features.ts). The base is the language model it began as.
// Next: ../trainer.ts for the loop around it, ../losses.ts for the formulas, pushes.ts for how hard each pushes.

import { type Tensor, tensor } from "../../core/index.ts";
import { answersOf, makeBatch, type PaddedBatch } from "../batches.ts";
import {
  bradleyTerry,
  dpoRegularizer,
  grmLoss,
  positiveRegularizer,
  rewardCentering,
  sftRegularizer,
} from "../losses.ts";
import type { Pair, Sequence } from "../pairs.ts";
import type { RewardModel } from "../rewardModel.ts";
import { scorePairs } from "../scores.ts";
import type { TrainSettings } from "../trainer.ts";
import { Features } from "./features.ts";
import { type Named, StartingPoint } from "./startingPoint.ts";

/** What a method adds to the Bradley-Terry loss. */
interface MethodParts {
  readonly regularizer?: "sft" | "dpo";
  /** Whether DPO looks at the base's log probabilities. */
  readonly reference?: boolean;
  /** Whether the pairs' margins stand inside the sigmoid. */
  readonly margin?: boolean;
  readonly smoothing?: boolean;
  /** Whether weights are held to what they were in the base (L2-SP). */
  readonly anchored?: boolean;
  /** Whether the head is trained alone before everything is (LP-FT). */
  readonly probed?: boolean;
}

/**
 * The methods by name: GRM's three, and the baselines. "frozen" trains the reward head alone; "l2-sp" adds weight decay
 * towards the base (1802.01483); "lp-ft" trains the head alone first, then everything (Kumar et al. 2022, 2202.10054).
 */
export const methods = {
  frozen: {},
  bt: {},
  margin: { margin: true },
  "label-smoothing": { smoothing: true },
  "l2-sp": { anchored: true },
  "lp-ft": { probed: true },
  "grm-sft": { regularizer: "sft" },
  "grm-dpo": { regularizer: "dpo", reference: true },
  "grm-dpo-noref": { regularizer: "dpo" },
} as const satisfies Readonly<Record<string, MethodParts>>;

/**
 * How a reward model is trained: "bt" and its variants, "frozen", or GRM by the name of its regulariser.
 * `trainMethods` lists them.
 */
export type TrainMethod = keyof typeof methods;

/** Both losses of some pairs. */
export interface Losses {
  /** [2B]: of the chosen answers, then of the rejected ones. */
  readonly rewards: Tensor;
  readonly rewardLoss: Tensor;
  /** null without regulariser. */
  readonly regLoss: Tensor | null;
  readonly loss: Tensor;
  /** What both heads read; null where a frozen backbone's states were remembered. */
  readonly seen: Seen | null;
}

/** The final hidden states of some pairs, and where they were read. */
export interface Seen {
  /** [2B,T,C] */
  readonly hidden: Tensor;
  /** Of last tokens, [2B]. */
  readonly places: Tensor;
  readonly batch: PaddedBatch;
}

export class Objective {
  readonly #parts: MethodParts;
  #features: Features | null = null;
  #start: StartingPoint | null = null;
  /** Of the base: s_c and s_r of the pairs, [N] each, for DPO; its weights, for L2-SP. Empty where no loss needs them. */
  reference: Readonly<Record<string, Float64Array>> = {};

  constructor(
    readonly model: RewardModel,
    readonly pairs: readonly Pair[],
    readonly settings: TrainSettings,
    /** The parameters that are trained, by their names. */
    readonly trained: Named = [],
    /** One for each pair: what the text-generation loss reads in place of the chosen answers. */
    readonly texts: readonly Sequence[] | null = null,
  ) {
    this.#parts = methods[settings.method];
  }

  /** Whether there is a text-generation loss; with alpha 0 it isn't computed at all. */
  get isRegularized(): boolean {
    return this.#parts.regularizer !== undefined && this.settings.alpha > 0;
  }

  /** Whether the final hidden states are computed anew in every step. */
  get hasHidden(): boolean {
    return this.#features === null;
  }

  /** DPO's frozen reference is the model without adapters, L2-SP's the weights, both before the first step. */
  async refer(): Promise<void> {
    if (this.#parts.anchored) this.reference = await StartingPoint.read(this.trained);
    if (!this.isRegularized || !this.#parts.reference) return;
    const options = { logProbs: true, withoutAdapters: true };
    const { chosen, rejected } = await scorePairs(this.model, this.pairs, options);
    this.reference = { s_c: chosen.logProbs, s_r: rejected.logProbs };
  }

  /** Before the first step, and where the backbone begins to move: a frozen one is asked once. */
  async remember(isFrozen = this.settings.mode === "frozen"): Promise<void> {
    this.#features = isFrozen ? await Features.of(this.model, this.pairs) : null;
    if (this.#parts.anchored) this.#start = new StartingPoint(this.trained, this.reference);
  }

  /** The losses on the pairs at these indices. */
  losses(indices: readonly number[]): Losses {
    const pairs = indices.map((i) => this.pairs[i] as Pair);
    const { rewards, seen } = this.#forward(pairs, indices);
    const [r_c, r_r] = rewards.split(pairs.length) as [Tensor, Tensor];
    const rewardLoss = this.#rewardLoss(r_c, r_r, pairs);
    const regLoss = seen !== null && this.isRegularized ? this.#regLoss(seen, indices) : null;
    const { alpha, l2spAlpha, l2spBeta } = this.settings;
    let loss = regLoss === null ? rewardLoss : grmLoss(rewardLoss, regLoss, { alpha });
    if (this.#start !== null)
      loss = loss.add(this.#start.penalty({ alpha: l2spAlpha, beta: l2spBeta }));
    return { rewards, rewardLoss, regLoss, loss, seen };
  }

  /** Chosen and rejected answers in one pass, behind other texts where the text-generation loss reads those. */
  #forward(pairs: readonly Pair[], indices: readonly number[]) {
    if (this.#features !== null) {
      return { rewards: this.model.reward(this.#features.batch(indices)), seen: null };
    }
    const isSft = this.#parts.regularizer === "sft"; // which never looks at rejected answers
    const withTargets = this.isRegularized ? (isSft ? pairs.length : 2 * pairs.length) : 0;
    const others = this.isRegularized ? indices.flatMap((i) => this.texts?.[i] ?? []) : [];
    const batch = makeBatch([...others, ...answersOf(pairs)], { withTargets });
    const { rewards, ...states } = this.model.forward(batch.ids, { mask: batch.mask });
    const ofAnswers = others.length > 0 ? rewards.slice({ dim: 0, start: others.length }) : rewards;
    return { rewards: ofAnswers, seen: { ...states, batch } };
  }

  #rewardLoss(r_c: Tensor, r_r: Tensor, pairs: readonly Pair[]): Tensor {
    const { centering, positive, labelSmoothing } = this.settings;
    const { margin, smoothing } = this.#parts;
    const margins = pairs.map((pair) => pair.margin ?? 0);
    const gaps = margin ? rowsOf(margins, r_c) : undefined;
    const options = { margin: gaps, labelSmoothing: smoothing ? labelSmoothing : 0 };
    let loss = bradleyTerry(r_c, r_r, options);
    if (centering > 0) loss = loss.add(rewardCentering(r_c, r_r).mul(centering));
    if (positive > 0) loss = loss.add(positiveRegularizer(r_c, { eps: positive }));
    return loss;
  }

  #regLoss({ hidden, batch }: Seen, indices: readonly number[]): Tensor {
    const { beta, sftForm: form } = this.settings;
    const s = this.model.logProbs(hidden, batch.targets);
    const [s_c, s_r] = s.split(indices.length) as [Tensor, Tensor];
    if (this.#parts.regularizer === "sft") return sftRegularizer(s_c, { beta, form });
    const { s_c: base_c, s_r: base_r } = this.reference;
    if (base_c === undefined || base_r === undefined) return dpoRegularizer(s_c, s_r, { beta });
    const rows = (of: Float64Array): number[] => indices.map((i) => of[i] ?? 0);
    const reference = { s_c: rowsOf(rows(base_c), s_c), s_r: rowsOf(rows(base_r), s_r) };
    return dpoRegularizer(s_c, s_r, { beta, reference });
  }
}

/** Numbers for each pair, in the dtype of `like`. */
function rowsOf(values: readonly number[], { dtype }: Tensor): Tensor {
  return tensor(values, { dtype });
}
