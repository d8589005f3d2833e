// Language-model pretraining as a function: a corpus and settings in, a trained model out, with records
// on the way and checkpoints from which it goes on to the bit. Reads and writes no files: who calls it
// does (../cli/commands/pretrain.ts). The rate rises, stays, and falls to 0 over the last steps (2405.18392),
// so that the number of steps may be found out late: a run of five minutes fixes it when the fall begins,
// and is then to the bit the run of that many steps.
// Next: pretrain/trainer.ts for a step, pretrain/corpus.ts for the data, pretrain/settings.ts.

import { AnomalyError, ArgumentError } from "../core/index.ts";
import { accept, signature } from "../core/signature.ts";
import { CausalLM } from "./causalLM.ts";
import type { PretrainCheckpoint } from "./pretrain/checkpoint.ts";
import type { Corpus } from "./pretrain/corpus.ts";
import type { PretrainRecord } from "./pretrain/records.ts";
import {
  checkSameSettings,
  type PretrainOptions,
  type PretrainSettings,
  pretrainSettings,
} from "./pretrain/settings.ts";
import { Trainer } from "./pretrain/trainer.ts";
import { type RunHooks, stopwatch, takeSteps } from "./run/loop.ts";
import { constantSchedule } from "./schedule.ts";

export type { PretrainCheckpoint } from "./pretrain/checkpoint.ts";
export {
  type Corpus,
  type CorpusFacts,
  documentStart,
  documentsOf,
  makeCorpus,
} from "./pretrain/corpus.ts";
export {
  type PretrainMetrics,
  type PretrainRecord,
  parsePretrainMetrics,
  pretrainRecordSchema,
} from "./pretrain/records.ts";
export {
  type PretrainOptions,
  type PretrainSettings,
  pretrainSchema,
  pretrainSettings,
  quickPretrain,
  shapeOf,
} from "./pretrain/settings.ts";

const takes = signature(
  "pretrain",
  "options: object, { corpus: object, base?: CausalLM, resume?: object, signal?: object, " +
    "onModel?: function, onProgress?: function, onRecord?: function, onCheckpoint?: function, now?: function }",
  () => ({ CausalLM }),
);

/** How far a run is. */
export interface PretrainProgress {
  readonly step: number;
  /** How many there will be; null while a run by minutes doesn't know it yet. */
  readonly steps: number | null;
  readonly tokens: number;
  /** Share of the run that is done, of its steps or its minutes. */
  readonly done: number;
  readonly seconds: number;
  /** Of the last step. */
  readonly loss: number;
}

/** What happens around a run of pretrain(): its corpus, a base, resuming, stopping, and what it reports. */
export interface PretrainHooks extends RunHooks<PretrainCheckpoint> {
  readonly corpus: Corpus;
  /**
   * A model to go on training, rather than a new one: domain adaptation. It is trained in place, its shape
   * holds in place of the settings' (see shapeOf), and the corpus must be in its tokens.
   */
  readonly base?: CausalLM | undefined;
  /** Called with the model before the first step. */
  readonly onModel?: (lm: CausalLM) => void;
  /** Called after every step. */
  readonly onProgress?: (progress: PretrainProgress) => void;
  /** Called with each line for metrics.jsonl. */
  readonly onRecord?: (record: PretrainRecord) => void;
  /** Called with what to save, at the begin, now and then, and at the end. Shares memory with the run. */
  readonly onCheckpoint?: (checkpoint: PretrainCheckpoint, lm: CausalLM) => Promise<void> | void;
}

/** What a run of pretrain() leaves, and how far it came. */
export interface Pretrained {
  readonly lm: CausalLM;
  readonly settings: PretrainSettings;
  readonly step: number;
  /** Steps of the whole run; null if it was stopped before that was known. */
  readonly steps: number | null;
  /** False if the signal stopped it. */
  readonly finished: boolean;
}

/**
 * Trains a language model, from scratch or on from a base. Same settings, same corpus, same bits; stopped anywhere and
 * resumed, the same bits again. Throws an ArgumentError for settings that can't be, an AnomalyError when
 * the loss is no number any more.
 */
export async function pretrain(
  options: PretrainOptions,
  hooks: PretrainHooks,
): Promise<Pretrained> {
  accept(takes, arguments);
  const settings = pretrainSettings(options);
  const run = new Pretraining(settings, hooks);
  await run.begin();
  await takeSteps(run, hooks.signal);
  await run.save();
  const { lm } = run.trainer;
  return { lm: lm.eval(), settings, step: run.step, steps: run.steps, finished: run.finished };
}

/** Where the rate begins to fall. */
function decayStart(steps: number, decay: number): number {
  return Math.round(steps * (1 - decay));
}

class Pretraining {
  readonly trainer: Trainer;
  readonly #settings: PretrainSettings;
  readonly #hooks: PretrainHooks;
  readonly #seconds: () => number;
  step = 0;
  steps: number | null;
  #clipped = 0;
  #saved = -1;

  constructor(settings: PretrainSettings, hooks: PretrainHooks) {
    const { resume, corpus, base, now } = hooks;
    if (resume) checkSame(resume, settings, corpus);
    if (base) checkTokens(base, corpus);
    this.#settings = settings;
    this.#hooks = hooks;
    this.trainer = new Trainer(settings, corpus, base);
    this.steps = settings.steps;
    if (resume) {
      this.trainer.load(resume);
      ({ step: this.step, steps: this.steps, clipped: this.#clipped } = resume.state);
      this.#saved = this.step;
    }
    this.#seconds = stopwatch(resume?.state.seconds ?? 0, now);
  }

  get finished(): boolean {
    return this.step === this.steps;
  }

  /** How an untrained model does, and a checkpoint for a run that ends early. */
  async begin(): Promise<void> {
    this.#hooks.onModel?.(this.trainer.lm);
    if (this.#hooks.resume) return;
    await this.#validate();
    await this.save();
  }

  /** A step, and what is due after it. */
  async next(): Promise<void> {
    const { clip, logEvery, validateEvery, sampleEvery, checkpointEvery } = this.#settings;
    const lr = this.#rate();
    const { loss, gradNorm } = await this.trainer.train(lr);
    this.step++;
    if (gradNorm > clip) this.#clipped++;
    this.#checkFinite(loss, gradNorm);
    const seconds = this.#seconds();
    this.#plan(seconds);
    const due = (every: number): boolean => this.finished || this.step % every === 0;
    const { step } = this;
    const tokens = step * this.trainer.tokensPerStep;
    if (due(logEvery)) {
      const clipped = this.#clipped;
      this.#record({ kind: "train", step, tokens, loss, lr, gradNorm, clipped, seconds });
    }
    if (due(validateEvery)) await this.#validate();
    if (due(sampleEvery)) {
      this.#record({ kind: "sample", step, ...(await this.trainer.sample(step)) });
    }
    if (due(checkpointEvery)) await this.save();
    this.#hooks.onProgress?.({
      step,
      steps: this.steps,
      tokens,
      done: this.#done(),
      seconds,
      loss,
    });
  }

  /** The learning rate of the next step. */
  #rate(): number {
    const { lr, warmup, decay } = this.#settings;
    const rate = constantSchedule({ lr, warmup })(this.step);
    if (this.steps === null) return rate;
    const start = decayStart(this.steps, decay);
    return this.step < start ? rate : (rate * (this.steps - this.step)) / (this.steps - start);
  }

  /** Fixes the number of steps of a run by minutes, once its time before the decay is used up. */
  #plan(seconds: number): void {
    const { minutes, decay } = this.#settings;
    if (this.steps !== null || minutes === null || seconds < 60 * minutes * (1 - decay)) return;
    this.steps = Math.round(this.step / (1 - decay)); // decayStart of it is this step
  }

  #done(): number {
    if (this.steps !== null) return this.step / this.steps;
    return Math.min(1, this.#seconds() / (60 * (this.#settings.minutes ?? 0)));
  }

  async #validate(): Promise<void> {
    const found = await this.trainer.validate();
    if (!Number.isFinite(found.loss)) this.#fail(`the validation loss is ${found.loss}`);
    this.#record({ kind: "validation", step: this.step, ...found, seconds: this.#seconds() });
  }

  #record(record: PretrainRecord): void {
    this.#hooks.onRecord?.(record);
  }

  #checkFinite(loss: number, gradNorm: number): void {
    if (Number.isFinite(loss) && Number.isFinite(gradNorm)) return;
    this.#fail(`loss ${loss} and gradient norm ${gradNorm}`);
  }

  #fail(problem: string): never {
    throw new AnomalyError(
      `pretrain: ${problem} at step ${this.step}; ` +
        `the last checkpoint is of step ${this.#saved}; a smaller lr (it was ${this.#settings.lr}) helps`,
    );
  }

  /** Hands out a checkpoint, unless the one of this step was. */
  async save(): Promise<void> {
    if (this.#saved === this.step) return;
    const { model, optimiser, ...rest } = this.trainer.state();
    const state = {
      settings: this.#settings,
      digest: this.#hooks.corpus.facts.digest,
      step: this.step,
      steps: this.steps,
      seconds: this.#seconds(),
      clipped: this.#clipped,
      ...rest,
    };
    await this.#hooks.onCheckpoint?.({ state, model, optimiser }, this.trainer.lm);
    this.#saved = this.step;
  }
}

/** Throws unless a model has a row for every token of a corpus. */
function checkTokens({ config }: CausalLM, { tokenizer }: Corpus): void {
  if (tokenizer.vocabSize <= config.vocabSize) return;
  throw new ArgumentError(
    `pretrain: the base knows ${config.vocabSize} tokens, and the corpus's tokenizer has ` +
      `${tokenizer.vocabSize}; make the corpus with the base's own tokenizer`,
  );
}

/** Throws unless a run with these settings and corpus goes on where the checkpoint's stopped. */
function checkSame(
  { state }: PretrainCheckpoint,
  settings: PretrainSettings,
  corpus: Corpus,
): void {
  checkSameSettings(state.settings, settings);
  if (state.digest !== corpus.facts.digest) {
    throw new ArgumentError(
      "pretrain: the corpus isn't the one that the run to resume was trained on; give that one, or begin a new run",
    );
  }
}
