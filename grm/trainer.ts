// Training a reward model on pairs: settings, the loop, a step, in this order. The same loop trains GRM
// (2406.10216) and its baselines; a method is one word. Reads and writes no files and knows no terminal:
// what happens is handed to hooks (../cli/commands/train.ts makes files and a progress bar of it).
// Same settings, same pairs, same bits; stopped anywhere and resumed from a checkpoint, the same bits again.
// Next: trainer/objective.ts for what a step minimises, trainer/parameters.ts for what is trained,
// trainer/records.ts for what is logged; evaluation.ts.

import * as z from "zod";
import {
  AnomalyError,
  ArgumentError,
  detectAnomaly,
  globalNorm,
  noGrad,
  Random,
  type RandomState,
  random,
  scope,
  stack,
  type Tensor,
  tensor,
} from "../core/index.ts";
import { accept, signatures } from "../core/signature.ts";
import { settingsFrom } from "../nn/checked.ts";
import { AdamW, cosineSchedule, type Schedule, type StateDict } from "../nn/index.ts";
import { type RunHooks, type Steps, stopwatch, takeSteps } from "../nn/run/loop.ts";
import { loadOptimiser, optimiserState } from "../nn/run/optimiser.ts";
import {
  beta2,
  count,
  largestNorm,
  loraSettings,
  positive,
  seed,
  share,
  weightDecay,
} from "../nn/run/settings.ts";
import { chunks, DataOrder, pairLength } from "./batches.ts";
import type { Pair, Sequence } from "./pairs.ts";
import { RewardModel } from "./rewardModel.ts";
import { perplexityOf, scorePairs, taken } from "./scores.ts";
import { type PairSummary, summarize } from "./statistics/index.ts";
import type { TrainCheckpoint } from "./trainer/checkpoint.ts";
import { pairsDigest } from "./trainer/digest.ts";
import { methods, Objective, type TrainMethod } from "./trainer/objective.ts";
import {
  checkPairs,
  checkTexts,
  flipCount,
  flipped,
  isLabelled,
  placesOf,
} from "./trainer/pairs.ts";
import { chooseParameters } from "./trainer/parameters.ts";
import { hiddenPushes, parameterPushes } from "./trainer/pushes.ts";
import type { DriftRecord, EvaluationRecord, StepRecord, TrainRecord } from "./trainer/records.ts";
import { checkBest, checkReference, checkResumable } from "./trainer/resumed.ts";
import { isOfHead } from "./trainer/startingPoint.ts";

// --- Settings ----------------------------------------------------------------------------------------

/** The names of all methods of training, in the order of the tables. */
export const trainMethods = Object.keys(methods) as [TrainMethod, ...TrainMethod[]];

const names = z.array(z.string().min(1)).default([]);

/**
 * Settings of a training run with their ranges, defaults and descriptions: what train() checks its options
 * with.
 */
export const trainSchema = z.strictObject({
  method: z
    .enum(trainMethods)
    .default("grm-sft")
    .describe(`method of training: ${trainMethods.join(", ")}`),
  mode: z
    .enum(["full", "lora", "frozen"])
    .default("full")
    .describe(
      "what is trained: full (everything), lora (adapters) or frozen (the reward head alone)",
    ),
  seed,

  epochs: z
    .number()
    .positive()
    .default(1)
    .describe("number of times that all pairs are seen; may be a fraction"),
  steps: count
    .nullable()
    .default(null)
    .describe("number of steps, in place of --epochs (default: as the epochs take)"),
  batchSize: count.default(16).describe("number of pairs in a step"),
  microBatchSize: count
    .nullable()
    .default(null)
    .describe(
      "number of pairs that are computed at once; gradients of a step add up (default: all of a step)",
    ),

  lr: positive.default(1e-3).describe("highest learning rate of the schedule"),
  warmup: share
    .default(0.03)
    .describe(
      "share of the steps in which the learning rate rises to its highest; a cosine follows",
    ),
  minLr: share
    .default(0)
    .describe("learning rate at the end of the cosine, as a share of the highest"),
  weightDecay: weightDecay(0.01),
  beta1: share.default(0.9).describe("decay rate of AdamW's mean of gradients"),
  beta2: beta2(0.98),
  clip: largestNorm,

  alpha: z
    .number()
    .min(0)
    .max(1)
    .default(0.01)
    .describe(
      "weight alpha of the text-generation loss, from 0 to 1; the reward loss has the rest",
    ),
  beta: positive
    .default(0.1)
    .describe("factor beta inside the sigmoid of the text-generation loss"),
  sftForm: z
    .enum(["logSigmoid", "nll"])
    .default("logSigmoid")
    .describe("form of the text-generation loss of grm-sft: logSigmoid or nll"),
  l2spAlpha: z
    .number()
    .min(0)
    .default(0.01)
    .describe("strength alpha of the decay of weights towards the base, of the method l2-sp"),
  l2spBeta: z
    .number()
    .min(0)
    .default(0.01)
    .describe("strength beta of the decay of the reward head towards 0, of the method l2-sp"),
  probeEpochs: z
    .number()
    .positive()
    .default(10)
    .describe("epochs in which the method lp-ft trains the reward head alone, before --epochs"),
  probeLr: z
    .number()
    .positive()
    .default(3e-2)
    .describe("highest learning rate of these epochs of the method lp-ft"),
  labelSmoothing: share
    .default(0.1)
    .describe("label smoothing of the method label-smoothing, from 0 to 1"),
  centering: z
    .number()
    .min(0)
    .default(0)
    .describe("weight of (r_c + r_r)², which keeps the rewards of a pair around 0"),
  positive: z
    .number()
    .min(0)
    .default(0)
    .describe("weight of -log sigmoid(mean r_c), which keeps chosen rewards above 0"),
  flips: share
    .default(0)
    .describe("share of the training pairs whose labels are flipped, as noise"),

  frozenParameters: names.describe(
    "names of parameters that stay as they are; * stands for any part (default: none)",
  ),
  ...loraSettings,
  loraDropout: share.default(0).describe("probability of dropout on what goes into LoRA adapters"),
  loraLayers: names.describe(
    "names of layers that get LoRA adapters (default: all of the backbone)",
  ),

  best: z
    .enum(["none", "loss", "accuracy"])
    .default("none")
    .describe(
      "keep the weights of the evaluation that was best by this measure: none (the last ones), loss or accuracy",
    ),
  logEvery: count.default(1).describe("number of steps from one record of metrics to the next"),
  evaluateEvery: count
    .nullable()
    .default(null)
    .describe("number of steps from one evaluation to the next (default: those of an epoch)"),
  parameterGradEvery: count
    .nullable()
    .default(50)
    .describe(
      "number of steps from one measurement of both losses' gradients over the parameters to the next",
    ),
  checkpointEvery: count.default(100).describe("number of steps from one checkpoint to the next"),
});

const trainTakes =
  "model: RewardModel, pairs: any[], options: object, { validation?: any[], texts?: any[], resume?: object, " +
  "signal?: object, onProgress?: function, onRecord?: function, drift?: function, " +
  "onCheckpoint?: function, now?: function }";
const takes = signatures({ train: trainTakes, beginTraining: trainTakes }, () => ({ RewardModel }));

/** Complete settings. */
export type TrainSettings = Readonly<z.infer<typeof trainSchema>>;

/** What a person says; the rest has defaults. */
export type TrainOptions = Readonly<z.input<typeof trainSchema>>;

/** Fills in defaults and checks; an ArgumentError names each field that is wrong. */
export function trainSettings(options: TrainOptions): TrainSettings {
  const settings = settingsFrom("train", options, trainSchema);
  const { method, mode, alpha } = settings;
  if (method === "frozen" && (options.mode ?? "frozen") !== "frozen") {
    const why = mode === "lora" ? "trains no adapters" : "isn't trained";
    throw new ArgumentError(
      `train: method frozen with mode ${mode}: a frozen backbone ${why}; method bt would go with it`,
    );
  }
  if (method === "l2-sp" && mode !== "full") {
    throw new ArgumentError(
      `train: method l2-sp with mode ${mode}: no weight of the base is trained that could be held to it; use mode full`,
    );
  }
  if (method === "lp-ft" && mode === "frozen") {
    throw new ArgumentError(
      "train: method lp-ft with mode frozen: the head alone is what it trains first; use mode full or lora, or method frozen",
    );
  }
  if (mode === "frozen" && "regularizer" in methods[method] && alpha > 0) {
    throw new ArgumentError(
      `train: method ${method} with mode frozen: there is no hidden state to regularise; use mode full or lora`,
    );
  }
  return method === "frozen" ? { ...settings, mode: "frozen" } : settings;
}

// --- Training ----------------------------------------------------------------------------------------

/** How far a run is. */
export interface TrainProgress {
  readonly step: number;
  readonly steps: number;
  readonly seconds: number;
  /** Of the last step. */
  readonly record: StepRecord;
}

/** What happens around a run of train(): validation pairs, resuming, stopping, and what it reports. */
export interface TrainHooks extends RunHooks<TrainCheckpoint> {
  /** Pairs that are evaluated now and then, never trained on. */
  readonly validation?: readonly Pair[] | undefined;
  /** One for each pair: texts that grm-sft's loss is taken on in place of the chosen answers. */
  readonly texts?: readonly Sequence[] | undefined;
  /** Called after every step. */
  readonly onProgress?: ((progress: TrainProgress) => void) | undefined;
  /** Called with each line for metrics.jsonl. */
  readonly onRecord?: ((record: TrainRecord) => void) | undefined;
  /** Called at every evaluation; what it says of the model's hidden states becomes a record of drift. */
  readonly drift?: ((model: RewardModel) => Promise<DriftRecord["layers"]>) | undefined;
  /** Called with what to save, now and then and at the end. Shares memory with the run. */
  readonly onCheckpoint?: ((checkpoint: TrainCheckpoint) => Promise<void> | void) | undefined;
}

/** What a run of train() leaves: the model, trained in place, and how far it came. */
export interface Trained {
  readonly model: RewardModel;
  readonly settings: TrainSettings;
  readonly step: number;
  readonly steps: number;
  /** False if the signal stopped it. */
  readonly finished: boolean;
  /** The evaluation whose weights the model has now; null if those of the last step. */
  readonly best: { readonly step: number; readonly loss: number; readonly accuracy: number } | null;
}

/**
 * Trains a reward model in place. Throws an ArgumentError for settings or pairs that can't be, and an
 * AnomalyError, which names step, lines and op, when the loss is no number any more; the model then has
 * the weights from before that step.
 */
export async function train(
  model: RewardModel,
  pairs: readonly Pair[],
  options: TrainOptions,
  hooks: TrainHooks = {},
): Promise<Trained> {
  accept(takes.train, arguments);
  const run = await beginTraining(model, pairs, options, hooks);
  await takeSteps(run, hooks.signal);
  return run.end();
}

/** A run of train() between two of its steps; next() takes one, end() says what came of it. */
export interface TrainingRun extends Steps {
  /** Steps taken, of how many. */
  readonly step: number;
  readonly steps: number;
  readonly settings: TrainSettings;
  end(): Promise<Trained>;
}

/** What train() does, for whoever takes the steps: a page that pauses, two runs in lock step. Same bits. */
export async function beginTraining(
  model: RewardModel,
  pairs: readonly Pair[],
  options: TrainOptions,
  hooks: TrainHooks = {},
): Promise<TrainingRun> {
  accept(takes.beginTraining, arguments);
  const run = new RewardTraining(model, pairs, trainSettings(options), hooks);
  await run.begin();
  return run;
}

/** What a micro-batch says. */
interface StepNumbers {
  /** Of the step's pairs. */
  readonly share: number;
  readonly loss: number;
  readonly reward_loss: number;
  readonly reg_loss: number;
  readonly summary: PairSummary;
  /** Norms at the final hidden states. */
  readonly rewardPush: number;
  readonly regPush: number;
  /** Norms over the parameters, and their inner product, where they were measured. */
  readonly split: readonly number[] | null;
}

class RewardTraining implements TrainingRun {
  readonly #pairs: readonly Pair[];
  readonly #objective: Objective;
  readonly #trained: readonly (readonly [name: string, parameter: Tensor])[];
  #optimiser: AdamW;
  readonly #order: DataOrder;
  readonly #schedule: Schedule;
  readonly #stepsOfEpoch: number;
  /** Steps in which the head is trained alone: of LP-FT. */
  readonly #probeSteps: number;
  readonly #now: () => number;
  readonly steps: number;
  step = 0;
  #dropout: Random;
  #clipped = 0;
  #saved = -1;
  #digest = "";
  #seconds = () => 0;
  #best: Trained["best"] = null;
  #bestWeights: StateDict = {};

  constructor(
    readonly model: RewardModel,
    pairs: readonly Pair[],
    readonly settings: TrainSettings,
    readonly hooks: TrainHooks,
  ) {
    const { seed, method, batchSize, flips } = settings;
    const rng = random(seed);
    if (pairs.length === 0) throw new ArgumentError("train: got no pairs to train on");
    checkPairs(model, pairs, { needsMargin: method === "margin" });
    checkPairs(model, hooks.validation ?? []);
    checkTexts(model, pairs, settings, hooks.texts);
    this.#pairs = flipped(pairs, flips, rng.fork("flips"));
    this.#trained = chooseParameters(model, settings, rng.fork("adapters"));
    this.#objective = new Objective(model, this.#pairs, settings, this.#trained, hooks.texts);
    this.#optimiser = this.#newOptimiser();
    this.#order = new DataOrder(this.#pairs.map(pairLength), batchSize, rng.fork("order"));
    this.#stepsOfEpoch = Math.ceil(pairs.length / batchSize);
    const epochs = (count: number): number => Math.ceil(this.#stepsOfEpoch * count);
    const steps = settings.steps ?? epochs(settings.epochs);
    const probe = "probed" in methods[method] ? epochs(settings.probeEpochs) : 0;
    this.#probeSteps = probe;
    this.steps = probe + steps;
    const alone = probe > 0 ? this.#scheduleOf(settings.probeLr, probe) : () => 0;
    const whole = this.#scheduleOf(settings.lr, steps);
    this.#schedule = (step) => (step < probe ? alone(step) : whole(step - probe));
    this.#dropout = rng.fork("dropout");
    this.#now = hooks.now ?? (() => performance.now());
  }

  #newOptimiser(): AdamW {
    const { lr, weightDecay, beta1, beta2 } = this.settings;
    return new AdamW(this.#trained, { lr, weightDecay, beta1, beta2 });
  }

  #scheduleOf(lr: number, steps: number): Schedule {
    const { minLr, warmup } = this.settings;
    const rises = Math.floor(warmup * steps); // fewer than steps, as warmup < 1
    return cosineSchedule({ lr, minLr: lr * minLr, warmup: rises, steps });
  }

  get finished(): boolean {
    return this.step >= this.steps;
  }

  // --- The loop --------------------------------------------------------------------------------------

  /** Everything before the first step, or back to where the checkpoint was made. */
  async begin(): Promise<void> {
    const { resume, validation = [], texts = [] } = this.hooks;
    const asPairs = texts.map((text) => ({ chosen: text, rejected: text }));
    this.#digest = await pairsDigest([...this.#pairs, ...validation, ...asPairs]);
    if (resume) await this.#load(resume);
    else await this.#objective.refer();
    await this.#enterPart();
    this.#seconds = stopwatch(resume?.state.seconds ?? 0, this.#now);
    if (resume) return;
    this.#recordStart();
    await this.#evaluate();
    await this.#save();
  }

  /** LP-FT has two parts: in the first only the head asks for gradients, and the backbone is frozen. */
  async #enterPart(): Promise<void> {
    if (this.#probeSteps === 0) return this.#objective.remember();
    const isProbing = this.step < this.#probeSteps;
    for (const [name, p] of this.#trained) if (!isOfHead(name)) p.requiresGrad_(!isProbing);
    await this.#objective.remember(isProbing);
  }

  /** The second part of LP-FT begins with an optimiser that remembers nothing of the first. */
  async #beginSecondPart(): Promise<void> {
    for (const x of Object.values(optimiserState(this.#optimiser).tensors)) x.release();
    this.#optimiser = this.#newOptimiser();
    await this.#enterPart();
  }

  /** A step, and what is due after it. */
  async next(): Promise<void> {
    if (this.#probeSteps > 0 && this.step === this.#probeSteps) await this.#beginSecondPart();
    const { logEvery, evaluateEvery, checkpointEvery } = this.settings;
    const record = await this.#update(this.#order.next());
    const due = (every: number): boolean => this.finished || this.step % every === 0;
    if (due(logEvery)) this.hooks.onRecord?.(record);
    if (due(evaluateEvery ?? this.#stepsOfEpoch)) await this.#evaluate();
    if (due(checkpointEvery)) await this.#save();
    const { step, steps } = this;
    this.hooks.onProgress?.({ step, steps, seconds: record.seconds, record });
  }

  /** What came of it: the checkpoint has the last weights, the model the best if those were kept. */
  async end(): Promise<Trained> {
    await this.#save();
    for (const [, p] of this.#trained) p.requiresGrad_(true); // which LP-FT's first part took away
    const { model, settings, step, steps, finished } = this;
    const best = finished ? this.#best : null;
    if (best !== null) model.loadStateDict(this.#bestWeights, { strict: false });
    return { model: model.eval(), settings, step, steps, finished, best };
  }

  // --- A step ----------------------------------------------------------------------------------------

  /** Gradients of every micro-batch, then one update; the record of it. */
  async #update(indices: readonly number[]): Promise<StepRecord> {
    const { clip, microBatchSize } = this.settings;
    const started = this.#now();
    const dropout = this.#dropout.state();
    this.model.train({ rng: this.#dropout });
    const micros = chunks(indices, microBatchSize ?? indices.length);
    const parts: StepNumbers[] = [];
    for (const [i, micro] of micros.entries()) {
      const numbers = await this.#accumulate(micro, micro.length / indices.length, i === 0);
      if (!Number.isFinite(numbers.loss))
        this.#fail(indices, dropout, `the loss is ${numbers.loss}`);
      parts.push(numbers);
    }
    const norm = await this.#gradNorm();
    if (!Number.isFinite(norm)) this.#fail(indices, dropout, `the gradients' norm is ${norm}`);
    const lr = this.#schedule(this.step);
    this.#optimiser.lr = lr;
    this.#optimiser.step({ maxNorm: clip })?.release(); // the norm again
    this.#optimiser.zeroGrad();
    this.step++;
    if (norm > clip) this.#clipped++;
    const tokens = sumOf(indices, (i) => tokensOf(this.#pairs[i]));
    const elapsed = Math.max(1e-3, (this.#now() - started) / 1000);
    return {
      kind: "train",
      step: this.step,
      epoch: this.step / this.#stepsOfEpoch,
      ...stepSummary(parts, this.#objective),
      grad_norm: norm,
      clipped: this.#clipped,
      lr,
      tokens,
      tokens_per_second: tokens / elapsed,
      seconds: this.#seconds(),
    };
  }

  /** Adds a micro-batch's gradients, which count `share` of the step's, to the parameters'. */
  async #accumulate(
    indices: readonly number[],
    share: number,
    isFirst: boolean,
  ): Promise<StepNumbers> {
    const every = this.settings.parameterGradEvery;
    const isMeasured = isFirst && every !== null && this.step % every === 0;
    const { alpha } = this.settings;
    const parameters = this.#trained.map(([, p]) => p);
    const found = scope(() => {
      const { loss, rewardLoss, regLoss, seen, ...losses } = this.#objective.losses(indices);
      const rewards = losses.rewards.detach(); // before backward() gives the memory back
      const values = noGrad(() => stack([loss, rewardLoss, regLoss ?? rewardLoss.mul(0)]));
      const split =
        isMeasured && regLoss !== null
          ? parameterPushes({ rewardLoss, regLoss }, parameters, alpha)
          : null;
      if (seen?.hidden.requiresGrad) seen.hidden.retainGrad();
      loss.mul(share).backward();
      const pushes = seen?.hidden.grad ? hiddenPushes(seen) : null;
      seen?.hidden.grad?.release();
      return { values, rewards, pushes, split };
    });
    const [loss = 0, reward_loss = 0, reg_loss = 0] = Array.from(await taken(found.values));
    const rewards = Array.from(await taken(found.rewards));
    const [rewardPush = 0, regPush = 0] = found.pushes ? Array.from(await taken(found.pushes)) : [];
    const split = found.split && Array.from(await taken(found.split));
    const B = indices.length;
    const summary = summarize(rewards.slice(0, B), rewards.slice(B));
    return { share, loss, reward_loss, reg_loss, summary, rewardPush, regPush, split };
  }

  async #gradNorm(): Promise<number> {
    const gradients = this.#trained.flatMap(([, p]) => p.grad ?? []);
    const [norm = 0] = Array.from(await taken(globalNorm(gradients)));
    return norm;
  }

  // --- When the numbers stop being numbers -----------------------------------------------------------

  /** Runs the batch of a failed step again, watching every op, and says where it came from. */
  #fail(indices: readonly number[], dropout: RandomState, problem: string): never {
    this.#optimiser.zeroGrad();
    this.model.train({ rng: Random.restore(dropout) });
    const again = (): void => {
      const size = this.settings.microBatchSize ?? indices.length;
      for (const micro of chunks(indices, size)) {
        scope(() =>
          this.#objective
            .losses(micro)
            .loss.mul(micro.length / indices.length)
            .backward(),
        );
      }
    };
    const origin = this.#nonFiniteParameter() ?? anomalyIn(again) ?? "it didn't come again";
    this.#optimiser.zeroGrad();
    throw new AnomalyError(
      `train: ${problem} at step ${this.step + 1}, on ${placesOf(this.#pairs, indices)}\n` +
        `  ${origin}\n  the last checkpoint is of step ${this.#saved}; a smaller lr ` +
        `(it was ${this.settings.lr}) may help`,
    );
  }

  #nonFiniteParameter(): string | null {
    const bad = this.model.namedParameters().find(([, p]) => !p.data.every(Number.isFinite));
    return bad === undefined ? null : `the parameter ${bad[0]} isn't finite any more`;
  }

  // --- Evaluation ------------------------------------------------------------------------------------

  async #evaluate(): Promise<void> {
    const { validation = [], onRecord } = this.hooks;
    if (validation.length === 0) return;
    const { chosen, rejected } = await scorePairs(this.model, validation, { logProbs: true });
    const summary = summarize(chosen.rewards, rejected.rewards);
    if (!Number.isFinite(summary.loss)) {
      throw new AnomalyError(
        `train: the validation loss is ${summary.loss} after step ${this.step}; ` +
          `the last checkpoint is of step ${this.#saved}; a smaller lr may help`,
      );
    }
    const record: EvaluationRecord = {
      kind: "evaluation",
      step: this.step,
      pairs: validation.length,
      loss: summary.loss,
      accuracy: summary.accuracy,
      ties: summary.ties,
      margin: summary.margin,
      chosen_reward: summary.chosenReward,
      rejected_reward: summary.rejectedReward,
      min_reward: summary.minReward,
      max_reward: summary.maxReward,
      chosen_perplexity: perplexityOf(chosen),
      rejected_perplexity: perplexityOf(rejected),
      best: this.#keepIfBest(summary),
      seconds: this.#seconds(),
    };
    onRecord?.(record);
    await this.#recordDrift();
  }

  async #recordDrift(): Promise<void> {
    const { drift, onRecord } = this.hooks;
    if (drift === undefined) return;
    onRecord?.({ kind: "drift", step: this.step, layers: await drift(this.model) });
  }

  /** Keeps the trained parameters if this is the best evaluation so far, by the settings' measure. */
  #keepIfBest({ loss, accuracy }: PairSummary): boolean {
    const { best: by } = this.settings;
    if (by === "none") return false;
    const before = this.#best;
    const isBetter =
      before === null || (by === "loss" ? loss < before.loss : accuracy > before.accuracy);
    if (!isBetter) return false;
    this.#best = { step: this.step, loss, accuracy };
    for (const x of Object.values(this.#bestWeights)) x.release();
    this.#bestWeights = Object.fromEntries(
      this.#trained.map(([name, p]) => [name, noGrad(() => p.mul(1)).keep()]),
    );
    return true;
  }

  #recordStart(): void {
    const { model, settings, steps } = this;
    const pairs = this.#pairs;
    const { validation = [], onRecord } = this.hooks;
    const isSilent = (pair: Pair): boolean =>
      !isLabelled(pair.chosen) && !isLabelled(pair.rejected);
    onRecord?.({
      kind: "start",
      step: 0,
      pairs: pairs.length,
      flipped: flipCount(pairs, settings.flips),
      unlabelled: pairs.filter(isSilent).length,
      validation_pairs: validation.length,
      steps,
      parameters: model.parameterCount(),
      trained_parameters: sumOf(this.#trained, ([, p]) => p.size),
    });
  }

  // --- Checkpoints -----------------------------------------------------------------------------------

  /** Hands out a checkpoint, unless the one of this step was; never one with numbers that are none. */
  async #save(): Promise<void> {
    if (this.#saved === this.step || this.hooks.onCheckpoint === undefined) return;
    const [size = 0] = Array.from(await taken(globalNorm(this.#trained.map(([, p]) => p))));
    if (!Number.isFinite(size)) {
      throw new AnomalyError(
        `train: ${this.#nonFiniteParameter() ?? "the parameters overflow"} after step ${this.step}; ` +
          `the last checkpoint is of step ${this.#saved}; a smaller lr (it was ${this.settings.lr}) may help`,
      );
    }
    const { counts, tensors: optimiser } = optimiserState(this.#optimiser);
    const state = {
      settings: this.settings,
      digest: this.#digest,
      step: this.step,
      steps: this.steps,
      seconds: this.#seconds(),
      clipped: this.#clipped,
      ...counts,
      position: this.#order.position,
      dropout: this.#dropout.state(),
      best: this.#best,
    };
    const reference = Object.entries(this.#objective.reference).map(([name, x]) => [
      name,
      tensor(x),
    ]);
    await this.hooks.onCheckpoint({
      state,
      model: this.model.stateDict(),
      optimiser,
      best: this.#bestWeights,
      reference: Object.fromEntries(reference),
    });
    this.#saved = this.step;
  }

  async #load({ state, model, optimiser, best, reference }: TrainCheckpoint): Promise<void> {
    checkResumable(state, this.settings, this.#digest);
    checkReference(reference, this.#objective);
    checkBest(state, best, this.#trained);
    this.model.loadStateDict(model);
    loadOptimiser(this.#optimiser, state, optimiser);
    this.#order.position = state.position;
    this.#dropout = Random.restore(state.dropout);
    this.#best = state.best;
    this.#bestWeights = best;
    for (const x of Object.values(best)) x.keep();
    const read = Object.entries(reference).map(async ([name, x]) => [name, await x.read()]);
    this.#objective.reference = Object.fromEntries(await Promise.all(read));
    ({ step: this.step, clipped: this.#clipped } = state);
    this.#saved = this.step;
  }
}

// --- Small parts -------------------------------------------------------------------------------------

function tokensOf(pair: Pair | undefined): number {
  return (pair?.chosen.ids.length ?? 0) + (pair?.rejected.ids.length ?? 0);
}

function sumOf<T>(list: readonly T[], value: (item: T) => number): number {
  return list.reduce((sum, item) => sum + value(item), 0);
}

/** What the records of a step say, from its micro-batches. */
function stepSummary(parts: readonly StepNumbers[], { isRegularized, hasHidden }: Objective) {
  const average = (value: (part: StepNumbers) => number): number =>
    sumOf(parts, (part) => part.share * value(part));
  const rewardPush = sumOf(parts, (part) => part.rewardPush ** 2);
  const regPush = sumOf(parts, (part) => part.regPush ** 2);
  const [reward = null, reg = null, inner = 0] = parts[0]?.split ?? [];
  return {
    loss: average((part) => part.loss),
    reward_loss: average((part) => part.reward_loss),
    reg_loss: isRegularized ? average((part) => part.reg_loss) : null,
    accuracy: average(({ summary }) => summary.accuracy),
    margin: average(({ summary }) => summary.margin),
    chosen_reward: average(({ summary }) => summary.chosenReward),
    rejected_reward: average(({ summary }) => summary.rejectedReward),
    min_reward: Math.min(...parts.map(({ summary }) => summary.minReward)),
    max_reward: Math.max(...parts.map(({ summary }) => summary.maxReward)),
    reward_hidden_grad: hasHidden ? Math.sqrt(rewardPush) : null,
    reg_hidden_grad: isRegularized ? Math.sqrt(regPush) : null,
    reg_hidden_share: isRegularized ? ratio(regPush, regPush + rewardPush) : null,
    reward_param_grad: reward,
    reg_param_grad: reg,
    grad_cosine: reward === null || reg === null ? null : ratio(inner, reward * reg),
  };
}

function ratio(part: number, whole: number): number | null {
  return whole > 0 ? part / whole : null;
}

/** What anomaly mode says of `fn`; null if every number is finite. */
function anomalyIn(fn: () => void): string | null {
  try {
    detectAnomaly(fn);
    return null;
  } catch (error) {
    if (error instanceof AnomalyError) return error.message;
    throw error;
  }
}
