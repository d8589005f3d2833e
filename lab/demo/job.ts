// One piece of the demo's work, done by one worker: a base pretrained from its seed, or one reward model
// trained from a base and tested. A job depends on its own words alone, so that any worker may do it at
// any time, and gives the same bits.
// Next: data.ts for what it trains and tests on, ../workers.ts for who does jobs, ../../grm/trainer.ts.

import { random } from "../../core/index.ts";
import { RewardModel } from "../../grm/rewardModel.ts";
import { train } from "../../grm/trainer.ts";
import { type CausalLM, generateAsync } from "../../nn/index.ts";
import { loadCausalLM, saveCausalLM, saveTokenizer } from "../../nn/node.ts";
import { breathe } from "../../nn/run/loop.ts";
import { type BaseProgress, perplexity, pretrainBase, spelled } from "../worlds/index.ts";
import { accuracies, dataOf, settingsOf } from "./data.ts";
import { Kept } from "./kept.ts";
import type { Arm, DemoPlan, RowName } from "./plan.ts";
import type { DemoResult } from "./results.ts";

export type DemoJob =
  | {
      readonly kind: "base";
      readonly seed: number;
      readonly folder: string;
      readonly plan: DemoPlan;
    }
  | {
      readonly kind: "arm";
      readonly seed: number;
      /** Where the base is. */
      readonly folder: string;
      readonly arm: Arm;
      readonly plan: DemoPlan;
      /** A folder for the model, its base and its metrics; changes nothing of the results. */
      readonly keep?: string;
    };

/** What a worker says of a job while it is at it. */
export interface JobProgress {
  /** Share that is done. */
  readonly done: number;
  /** Of a base: the loss of late. */
  readonly loss?: number;
  /** Of a base, now and then: what it writes at this step. */
  readonly sample?: { readonly step: number; readonly text: string };
}

export async function runJob(
  job: DemoJob,
  report: (report: JobProgress) => void,
): Promise<DemoResult[]> {
  if (job.kind === "arm") return trainArm(job, report);
  await makeBase(job, report);
  return [];
}

// --- Bases -------------------------------------------------------------------------------------------

/** Pretrains a base into a folder, and lets it write at the beginning and at steps that double up to the end. */
async function makeBase(
  { seed, folder, plan: { baseSteps } }: DemoJob & { kind: "base" },
  report: (report: JobProgress) => void,
): Promise<void> {
  const sampled = new Set([1, ...[32, 16, 8, 4, 2, 1].map((part) => Math.ceil(baseSteps / part))]);
  let mean = Number.NaN;
  const onStep = async ({ step, loss, lm }: BaseProgress): Promise<void> => {
    mean = Number.isNaN(mean) ? loss : 0.95 * mean + 0.05 * loss;
    const isSampled = sampled.has(step);
    const text = isSampled ? { sample: { step, text: await sample(lm, seed) } } : {};
    if (isSampled || step % 20 === 0) report({ done: step / baseSteps, loss: mean, ...text });
    await breathe();
  };
  const lm = await pretrainBase(spelled, seed, onStep, baseSteps);
  await saveCausalLM(folder, lm);
  await saveTokenizer(folder, spelled.tokenizer);
}

/** What a language model makes of a title, spelled words put together. */
async function sample(lm: CausalLM, seed: number): Promise<string> {
  const { tokenizer } = spelled;
  const title = [...tokenizer.encode("<bos> fox woods :")];
  const rng = random(`sample ${seed}`);
  const stop = [tokenizer.special.eos ?? -1];
  const [written] = await generateAsync(lm, [title], { maxTokens: spelled.longest, stop, rng });
  return tokenizer.decode(written?.tokens ?? [], { skipSpecial: true }).replaceAll(" -", "-");
}

// --- Reward models -----------------------------------------------------------------------------------

async function trainArm(
  { seed, folder, arm, plan, keep }: DemoJob & { kind: "arm" },
  report: (report: JobProgress) => void,
): Promise<DemoResult[]> {
  const { training, validation, tests, held } = dataOf(seed, plan);
  const lm = loadCausalLM(folder);
  const perplexityBefore = perplexity(lm, held);
  const rng = random(`demo ${seed}`).fork("head");
  const model = new RewardModel(lm, { head: { type: "linear", dropout: 0 }, rng });
  const isBT = arm.method === "bt";
  const test = async (row: RowName, step: number): Promise<DemoResult> => ({
    seed,
    row,
    lr: arm.lr,
    step,
    accuracy: await accuracies(model, tests),
    perplexityBefore,
    perplexity: perplexity(lm, held),
  });
  const results: DemoResult[] = [];
  const kept = keep === undefined ? null : await Kept.begin(keep, { seed, arm, plan }, folder);
  const trained = await train(model, training, settingsOf(seed, arm, plan), {
    ...((isBT || kept) && { validation }),
    ...kept?.hooks(validation),
    onProgress: ({ step, steps }) => report({ done: step / steps }),
    async onCheckpoint({ state }) {
      // the last weights, before the best ones take their place
      if (state.step !== state.steps) return;
      results.push(await test(arm.method, state.step));
      await kept?.save(model);
    },
  });
  if (trained.best !== null) results.push(await test("bt-early", trained.best.step));
  for (const p of model.parameters()) p.release();
  return results;
}
