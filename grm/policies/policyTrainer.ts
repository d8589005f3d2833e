// Training a policy against a judge, with PPO (1707.06347) or RLOO (2402.14740). A round: the policy
// writes answers, the judge scores them, the gold reward looks on, and the policy learns from them. Like
// the reward model's trainer it reads and writes no files; what happens is handed to hooks. Same settings,
// same bits, stopped and resumed or not: each round draws from a generator of its own.
// Next: rollouts.ts for a round's numbers, policyLosses.ts for what is minimised.

import {
  AnomalyError,
  ArgumentError,
  noGrad,
  type Random,
  random,
  scope,
  stack,
  type Tensor,
  tensor,
} from "../../core/index.ts";
import { accept, signatures } from "../../core/signature.ts";
import { AdamW, CausalLM, type Tokenizer } from "../../nn/index.ts";
import { breathe, changesOf, type RunHooks, stopwatch, takeSteps } from "../../nn/run/loop.ts";
import { loadOptimiser, optimiserState } from "../../nn/run/optimiser.ts";
import { chunks, makeBatch } from "../batches.ts";
import type { Sequence } from "../pairs.ts";
import { RewardModel } from "../rewardModel.ts";
import { taken } from "../scores.ts";
import { mean } from "../statistics/index.ts";
import { chooseParameters } from "../trainer/parameters.ts";
import type { Answer, Judge } from "./judges.ts";
import { adaptedCoefficient } from "./kl.ts";
import type { PolicyCheckpoint, PolicyState } from "./policyCheckpoint.ts";
import { clipShare, ppoLoss, ppoValueLoss, rlooLoss } from "./policyLosses.ts";
import type { PolicyRecord } from "./policyRecords.ts";
import { type PolicyOptions, type PolicySettings, policySettings } from "./policySettings.ts";
import {
  actionsOf,
  meanKL,
  partOf,
  ppoAdvantages,
  type Recollection,
  recall,
  rlooAdvantages,
  type Scale,
  type Usable,
  usableRewards,
  type Written,
  write,
} from "./rollouts.ts";
import type { Task } from "./task.ts";

const takes = signatures(
  {
    trainPolicy:
      "{ lm: CausalLM, reference: CausalLM, task: object, judge: object }, options: object, " +
      "{ resume?: object, signal?: object, onRecord?: function, onCheckpoint?: function, now?: function }",
  },
  () => ({ CausalLM }),
);

/** What happens around a policy's training: resuming, stopping, and what it reports. */
export interface PolicyHooks extends RunHooks<PolicyCheckpoint> {
  /** Called with each line for metrics.jsonl, and how many rounds there are. */
  readonly onRecord?: ((record: PolicyRecord, steps: number) => void) | undefined;
  /** Called with what to save, before the first round, now and then and at the end. Shares memory with the run. */
  readonly onCheckpoint?: ((checkpoint: PolicyCheckpoint) => Promise<void> | void) | undefined;
}

/** What a policy's training leaves, and how far it came. */
export interface TrainedPolicy {
  /** The policy; its reward head is the value head. */
  readonly policy: RewardModel;
  readonly step: number;
  /** False if the signal stopped it. */
  readonly finished: boolean;
}

/** Who takes part. */
export interface PolicyParts {
  /** The policy to train, in place. */
  readonly lm: CausalLM;
  /** What the KL is measured from: another copy of the same model. */
  readonly reference: CausalLM;
  readonly task: Task;
  /** What is optimised. */
  readonly judge: Judge;
}

/**
 * Trains a policy. Throws an ArgumentError for settings that can't be, and an AnomalyError, which names the
 * round, when a loss is no number any more or a whole round's rewards are none.
 */
export async function trainPolicy(
  parts: PolicyParts,
  options: PolicyOptions,
  hooks: PolicyHooks = {},
): Promise<TrainedPolicy> {
  accept(takes.trainPolicy, arguments);
  const run = new PolicyTraining(parts, policySettings(options), hooks);
  if (hooks.resume) run.load(hooks.resume);
  else await run.save();
  await takeSteps(run, hooks.signal);
  return run.end();
}

/** What an update says; means over a round's updates stand in its record. */
type Update = Readonly<Record<"policy_loss" | "value_loss" | "clip_share" | "grad_norm", number>>;

/** What is learnt from. */
interface Lesson {
  readonly sequences: readonly Sequence[];
  /** As the judge gave them. */
  readonly given: Float64Array;
  readonly usable: Usable;
  readonly recollection: Recollection;
  readonly klWeight: number;
}

class PolicyTraining {
  readonly #policy: RewardModel;
  readonly #rng: Random;
  readonly #optimiser: AdamW;
  readonly #seconds: () => number;
  #step = 0;
  #klWeight: number;
  #scale: Scale | null = null;
  #saved = -1;
  /** Whether the last answers, of which nothing is learnt, were written. */
  finished = false;

  constructor(
    readonly parts: PolicyParts,
    readonly settings: PolicySettings,
    readonly hooks: PolicyHooks,
  ) {
    const { seed, algorithm, klWeight, lr, weightDecay } = settings;
    this.#rng = random(`policy ${seed}`);
    checkParts(parts);
    const head = { type: "linear", dropout: 0 } as const;
    this.#policy = new RewardModel(parts.lm, { head, rng: this.#rng.fork("value head") });
    this.#policy.eval(); // dropout would make old and new log probabilities differ by chance
    parts.reference.eval();
    const trained = chooseParameters(
      this.#policy,
      { ...settings, frozenParameters: [], loraDropout: 0, loraLayers: [] },
      this.#rng.fork("adapters"),
    ).filter(([name]) => algorithm === "ppo" || !name.startsWith("v_head."));
    this.#optimiser = new AdamW(trained, { lr, weightDecay });
    this.#klWeight = klWeight;
    this.#seconds = stopwatch(hooks.resume?.state.seconds ?? 0, hooks.now);
  }

  // --- A round ---------------------------------------------------------------------------------------

  /** Answers, their record, and what is learnt from them; of the last answers nothing is. */
  async next(): Promise<void> {
    const { settings } = this;
    const isLast = this.#step === settings.steps;
    const rng = this.#rng.fork(`step ${this.#step}`);
    const written = await write(this.#policy, this.parts.task, settings, rng);
    const lesson = await this.#lessonOf(written);
    const updates = isLast ? [] : await this.#learn(lesson, rng.fork("updates"));
    const record = await this.#recordOf(written, lesson, updates);
    this.hooks.onRecord?.(record, settings.steps);
    this.#scale = lesson.usable.scale;
    if (settings.klTarget !== null) {
      const options = { target: settings.klTarget };
      this.#klWeight = adaptedCoefficient(this.#klWeight, record.kl_k3, options);
    }
    this.finished = isLast;
    if (isLast) return;
    this.#step++;
    if (this.#step % settings.checkpointEvery === 0) await this.save();
  }

  async #lessonOf({ answers, sequences }: Written): Promise<Lesson> {
    const { settings, parts } = this;
    const given = await parts.judge.score(answers);
    const usable = usableRewards(given, this.#scale, settings);
    if (given.length - usable.refused < settings.samples)
      this.#fail(`${usable.refused} of ${given.length} rewards are no finite numbers`);
    const { miniBatchSize } = settings;
    const recollection = await recall(this.#policy, parts.reference, sequences, miniBatchSize);
    return { sequences, given, usable, recollection, klWeight: this.#klWeight };
  }

  async #recordOf(
    { answers, ended }: Written,
    { given, usable, recollection, klWeight }: Lesson,
    updates: readonly Update[],
  ): Promise<PolicyRecord> {
    const kl = meanKL(recollection);
    return {
      step: this.#step,
      proxy: mean(given.filter((r) => Number.isFinite(r))),
      ...(await this.#measures(answers, given)),
      kl_k1: kl.k1,
      kl_k3: kl.k3,
      kl_weight: klWeight,
      entropy: mean(recollection.entropy),
      length: recollection.entropy.length / answers.length,
      ended,
      refused: usable.refused,
      clipped: usable.clipped,
      ...summaryOf(updates, this.settings),
      seconds: this.#seconds(),
    };
  }

  /** What is watched and not optimised. */
  async #measures(answers: readonly Answer[], given: Float64Array) {
    const { gold, controls, tokenizer } = this.parts.task;
    const golds = await gold.score(answers);
    const others = controls.map(async (judge) => [judge.name, mean(await judge.score(answers))]);
    const samples = answers.slice(0, 2).map((answer, i) => ({
      text: textOf(answer, tokenizer),
      proxy: Number.isFinite(given[i]) ? (given[i] ?? null) : null,
      gold: golds[i] ?? Number.NaN,
    }));
    return {
      gold: mean(golds),
      controls: Object.fromEntries(await Promise.all(others)) as Record<string, number>,
      samples,
    };
  }

  // --- Learning --------------------------------------------------------------------------------------

  async #learn(lesson: Lesson, rng: Random): Promise<Update[]> {
    const updates = this.settings.algorithm === "ppo" ? this.#ppo(lesson, rng) : this.#rloo(lesson);
    const done: Update[] = [];
    for (const update of updates) {
      done.push(await this.#apply(update));
      await breathe();
    }
    return done;
  }

  /** Several epochs over minibatches of answers. */
  *#ppo(lesson: Lesson, rng: Random): Generator<() => Loss> {
    const { settings } = this;
    const { sequences, recollection, klWeight } = lesson;
    const { rewards } = lesson.usable;
    const usable = [...rewards.keys()].filter((i) => Number.isFinite(rewards[i]));
    const { advantages, returns } = ppoAdvantages(recollection, rewards, klWeight, settings);
    for (let epoch = 0; epoch < settings.epochs; epoch++) {
      const order = Array.from(rng.permutation(usable.length), (k) => usable[k] ?? 0);
      for (const rows of chunks(order, settings.miniBatchSize)) {
        const tokens = (list: Float64Array): Tensor =>
          this.#tensor(rows.flatMap((i) => Array.from(partOf(list, recollection, i))));
        yield () => {
          const { logProbs, values } = actionsOf(this.#policy, batchOf(sequences, rows));
          const old = tokens(recollection.logProbs);
          const clip = { clip: settings.clip };
          const policy = ppoLoss(logProbs, old, tokens(advantages), clip);
          const bounds = { clip: settings.valueClip };
          const value = ppoValueLoss(values, tokens(recollection.values), tokens(returns), bounds);
          const loss = policy.add(value.mul(settings.valueWeight));
          return { loss, policy, value, clipped: clipShare(logProbs, old, clip) };
        };
      }
    }
  }

  /** One update on all answers, so that the policy is the one that wrote them. */
  *#rloo({ sequences, recollection, usable, klWeight }: Lesson): Generator<() => Loss> {
    const advantages = rlooAdvantages(
      recollection,
      usable.rewards,
      klWeight,
      this.settings.samples,
    );
    const rows = [...advantages.keys()].filter((i) => Number.isFinite(advantages[i]));
    if (rows.length === 0) this.#fail("no prompt has two answers with finite rewards");
    yield () => {
      const { ids, mask, targets } = batchOf(sequences, rows);
      const hidden = this.#policy.model.forward(ids, { mask });
      const s = this.#policy.logProbs(hidden, targets);
      const loss = rlooLoss(s, this.#tensor(rows.map((i) => advantages[i] ?? 0)));
      const none = noGrad(() => loss.mul(0));
      return { loss, policy: loss, value: none, clipped: none };
    };
  }

  #tensor(values: readonly number[]): Tensor {
    return tensor(values, { dtype: this.#policy.lmHead.weight.dtype });
  }

  /** A step of the optimiser, unless the loss or its gradient is no number. */
  async #apply(lossOf: () => Loss): Promise<Update> {
    const found = scope(() => {
      const { loss, policy, value, clipped } = lossOf();
      const values = noGrad(() => stack([loss, policy, value, clipped]));
      loss.backward();
      return values;
    });
    const [loss = Number.NaN, policy_loss = 0, value_loss = 0, clip_share = 0] = Array.from(
      await taken(found),
    );
    if (!Number.isFinite(loss)) this.#fail(`the loss is ${loss}`);
    const norm = this.#optimiser.step({ maxNorm: this.settings.maxNorm });
    const [grad_norm = 0] = norm === null ? [] : Array.from(await taken(norm));
    this.#optimiser.zeroGrad();
    if (!Number.isFinite(grad_norm)) this.#fail(`the gradients' norm is ${grad_norm}`);
    return { policy_loss, value_loss, clip_share, grad_norm };
  }

  #fail(problem: string): never {
    throw new AnomalyError(
      `${this.settings.algorithm}: round ${this.#step}: ${problem}; nothing of this round is saved. A lower lr, or a look at the rewards, may help`,
    );
  }

  // --- Checkpoints -----------------------------------------------------------------------------------

  async end(): Promise<TrainedPolicy> {
    await this.save();
    return { policy: this.#policy, step: this.#step, finished: this.finished };
  }

  /** Hands out a checkpoint, unless the one of this round was. */
  async save(): Promise<void> {
    if (this.#saved === this.#step) return;
    const { counts, tensors: optimiser } = optimiserState(this.#optimiser);
    const state: PolicyState = {
      settings: this.settings,
      step: this.#step,
      seconds: this.#seconds(),
      ...counts,
      klWeight: this.#klWeight,
      scale: this.#scale,
    };
    await this.hooks.onCheckpoint?.({ state, model: this.#policy.stateDict(), optimiser });
    this.#saved = this.#step;
  }

  load({ state, model, optimiser }: PolicyCheckpoint): void {
    checkSame(state, this.settings);
    this.#policy.loadStateDict(model);
    loadOptimiser(this.#optimiser, state, optimiser);
    this.#step = state.step;
    this.#saved = state.step;
    this.#klWeight = state.klWeight;
    this.#scale = state.scale;
  }
}

/** What an update minimises, and its parts for the record. */
interface Loss {
  readonly loss: Tensor;
  readonly policy: Tensor;
  readonly value: Tensor;
  readonly clipped: Tensor;
}

function batchOf(sequences: readonly Sequence[], rows: readonly number[]) {
  return makeBatch(rows.map((i) => sequences[i] as Sequence));
}

/** The updates' part of a record. */
function summaryOf(updates: readonly Update[], { algorithm }: PolicySettings) {
  const average = (name: keyof Update): number | null =>
    updates.length === 0 ? null : mean(updates.map((update) => update[name]));
  const isPPO = algorithm === "ppo";
  return {
    policy_loss: average("policy_loss"),
    value_loss: isPPO ? average("value_loss") : null,
    clip_share: isPPO ? average("clip_share") : null,
    grad_norm: average("grad_norm"),
  };
}

function textOf({ prompt, response }: Answer, tokenizer: Tokenizer): string {
  return tokenizer.decode([...prompt, ...response], { skipSpecial: true });
}

function checkParts({ lm, reference }: PolicyParts): void {
  if (lm === reference || lm.parameters().some((p) => reference.parameters().includes(p))) {
    throw new ArgumentError(
      "policy: policy and reference are one model, and would move together; load it twice",
    );
  }
}

/** Throws unless a run with these settings goes on where the checkpoint's stopped. */
function checkSame(state: PolicyState, settings: PolicySettings): void {
  const problems = changesOf(state.settings, settings);
  if (problems.length === 0) return;
  throw new ArgumentError(
    `policy: the run can't be resumed: ${problems.join("; ")}; leave everything as it was, or begin a new run`,
  );
}
