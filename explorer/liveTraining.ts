// A training of the explorer: one base, one set of preferences, two reward models in lock step, plain
// Bradley-Terry and a regularised one, which differ in nothing else. Trains with the demo's data and settings
// through the public trainer, knows no page, and runs as well in Node: same settings, same bits.
// Next: host.ts, which drives it in a worker; code.ts, the same as a program to copy.

import { currentDevice, random, use } from "../core/index.ts";
import {
  beginTraining,
  type Pair,
  RewardModel,
  type StepRecord,
  scorePairs,
  statistics,
  type TrainingRun,
  type TrainOptions,
} from "../grm/index.ts";
import { type Data, dataOf, settingsOf } from "../lab/demo/data.ts";
import { type DemoPlan, fullPlan } from "../lab/demo/plan.ts";
import { worlds } from "../lab/index.ts";
import { type CausalLM, causalLMFromFiles, type Files, generate } from "../nn/index.ts";
import { type ExplorerSettings, type Regulariser, storyTitles } from "./settings.ts";

const { spelled, perplexity, outOfDistribution } = worlds;

/** How many test pairs of each kind, and held-out documents, a look on the way takes; at the end all. */
export const glance = { pairs: 60, documents: 60 };
/** Steps between two looks. */
export const lookEvery = 16;
const storyTokens = 28;

/** A model of a training. */
export interface ModelInTraining {
  readonly method: Regulariser;
  readonly model: RewardModel;
  readonly run: TrainingRun;
  /** Records of its steps, the last one last. */
  readonly records: StepRecord[];
}

/** What the tests say of one model at one step. */
export interface ModelLook {
  readonly id: statistics.Share;
  /** All four tests together, of as many pairs each. */
  readonly ood: statistics.Share;
  /** Of held-out stories of the whole world, under the model's language-model head. */
  readonly perplexity: number;
  /** What the language-model head writes after each of the titles. */
  readonly stories: readonly string[];
}

/** What the tests say of both models. */
export interface Look {
  readonly step: number;
  /** Whether all tests were taken, and not the first of each. */
  readonly isFull: boolean;
  /** Plain, then regularised. */
  readonly models: readonly ModelLook[];
  /** Accuracy out of distribution, regularised less plain, pair by pair; null with one model. */
  readonly gain: statistics.Interval | null;
}

export class LiveTraining {
  private constructor(
    readonly settings: ExplorerSettings,
    readonly data: Data,
    /** The language model that both began as. */
    readonly base: CausalLM,
    /** Plain Bradley-Terry, then the regularised one if there is one. */
    readonly models: readonly ModelInTraining[],
    /** The device that trains, if it isn't the current one: its numbers come later, and what looks at them has copies. */
    readonly device: string | null,
    readonly files: Files,
  ) {}

  #copies: readonly ModelInTraining[] = [];
  #copiedAt = -1;

  static begin(
    settings: ExplorerSettings,
    files: Files,
    device: string | null = null,
  ): Promise<LiveTraining> {
    return onDevice(device, () => LiveTraining.#begin(settings, files, device));
  }

  static async #begin(settings: ExplorerSettings, files: Files, device: string | null) {
    const { method } = settings;
    const data = dataOf(settings.seed, planOf(settings));
    const methods: Regulariser[] = method === "bt" ? ["bt"] : ["bt", method];
    const models: ModelInTraining[] = [];
    for (const one of methods) {
      const model = newModel(settings, causalLMFromFiles(files));
      const records: StepRecord[] = [];
      const run = await beginTraining(model, data.training, trainOptions(settings, one), {
        onProgress: ({ record }) => records.push(record),
      });
      models.push({ method: one, model, run, records });
    }
    const base = await onDevice(device && "wasm", async () => causalLMFromFiles(files));
    return new LiveTraining(settings, data, base, models, device, files);
  }

  get step(): number {
    return this.models[0]?.run.step ?? 0;
  }

  get steps(): number {
    return this.models[0]?.run.steps ?? 0;
  }

  get finished(): boolean {
    return this.step >= this.steps;
  }

  /** One step of each model, on the same pairs; their records. */
  async next(): Promise<readonly StepRecord[]> {
    await onDevice(this.device, async () => {
      for (const { run } of this.models) await run.next();
    });
    return this.models.flatMap(({ records }) => records.at(-1) ?? []);
  }

  /** The models as they can be looked at: themselves, or copies of them as they are now. */
  async seen(): Promise<readonly ModelInTraining[]> {
    if (this.device === null) return this.models;
    if (this.#copies.length === 0)
      this.#copies = this.models.map((one) => {
        return { ...one, model: newModel(this.settings, causalLMFromFiles(this.files)) };
      });
    if (this.#copiedAt !== this.step)
      for (const [i, { model }] of this.models.entries())
        await copyInto(this.#copies[i]?.model ?? model, model);
    this.#copiedAt = this.step;
    return this.#copies;
  }

  /** Whether the tests are due after this step. */
  get isLookDue(): boolean {
    return this.finished || this.step % lookEvery === 0;
  }

  /** Takes the tests: a glance on the way, all of them at the end. */
  async look(isFull = this.finished): Promise<Look> {
    const { tests, held } = this.data;
    const count = isFull ? held.length : glance.documents;
    const some = (pairs: readonly Pair[]) => (isFull ? pairs : pairs.slice(0, glance.pairs));
    const id = some(tests.id);
    const ood = outOfDistribution.flatMap((split) => some(tests[split]));
    const wins: Float64Array[] = [];
    const models: ModelLook[] = [];
    for (const { model } of await this.seen()) {
      const found = await winsOn(model, [...id, ...ood]);
      wins.push(found.slice(id.length));
      models.push({
        id: statistics.wilson(found.slice(0, id.length)),
        ood: statistics.wilson(found.slice(id.length)),
        perplexity: perplexity(model.lm, held.slice(0, count)),
        stories: storiesOf(model.lm),
      });
    }
    return { step: this.step, isFull, models, gain: gainOf(wins) };
  }

  /** Gives the memory of both models back. */
  release(): void {
    for (const { model } of [...this.models, ...this.#copies])
      for (const p of model.parameters()) p.release();
    for (const p of this.base.parameters()) p.release();
  }
}

/** Runs something with new tensors on a device; null for the current one. */
async function onDevice<T>(name: string | null, fn: () => Promise<T>): Promise<T> {
  if (name === null) return fn();
  const before = currentDevice().name;
  use(name);
  try {
    return await fn();
  } finally {
    use(before);
  }
}

/** Gives a model the numbers of another one, from whichever device. */
async function copyInto(copy: RewardModel, model: RewardModel): Promise<void> {
  const places = copy.parameters();
  for (const [i, p] of model.parameters().entries()) places[i]?.assign(await p.read());
}

/** A fresh reward head on a base. */
function newModel({ seed, head }: ExplorerSettings, lm: CausalLM): RewardModel {
  const options = head === "linear" ? ({ type: "linear", dropout: 0 } as const) : { type: head };
  return new RewardModel(lm, { head: options, rng: random(`demo ${seed}`).fork("head") });
}

/** The demo's plan with these settings: everything that isn't chosen is as in `npm run demo`. */
function planOf({ pairs, alpha, beta }: ExplorerSettings): DemoPlan {
  return { ...fullPlan, pairs, alpha, beta };
}

/** The demo's settings, with the flips that the page adds. */
export function trainOptions(settings: ExplorerSettings, method: Regulariser): TrainOptions {
  const { seed, lr, flips } = settings;
  return { ...settingsOf(seed, { method, lr }, planOf(settings)), flips, best: "none" };
}

/** One for each pair: 1 where the better story gets the higher reward. */
async function winsOn(model: RewardModel, pairs: readonly Pair[]): Promise<Float64Array> {
  const { chosen, rejected } = await scorePairs(model, pairs);
  return statistics.winsOf(chosen.rewards, rejected.rewards);
}

function gainOf([plain, regularised]: readonly Float64Array[]): statistics.Interval | null {
  if (plain === undefined || regularised === undefined) return null;
  return statistics.interval(Array.from(regularised, (win, i) => win - (plain[i] ?? 0)));
}

/** What a language model writes after the titles, drawn in the same way for every model at every step. */
function storiesOf(lm: CausalLM): string[] {
  const { tokenizer } = spelled;
  const prompts = storyTitles.map((title) => [...tokenizer.encode(`<bos> ${title} :`)]);
  const stop = [tokenizer.special.eos ?? -1];
  const rng = random("explorer story");
  const written = generate(lm, prompts, { maxTokens: storyTokens, stop, rng });
  return written.map(({ tokens }) =>
    tokenizer.decode(tokens, { skipSpecial: true }).replaceAll(" -", "-").replaceAll(" .", "."),
  );
}
