// One job of a sweep, done: a base, pairs, a training, tests. What comes out depends on the job's words alone.
// Next: words.ts for what may be said of a job; results.ts for what is kept.

import { AnomalyError, random } from "../../core/index.ts";
import type { Pair } from "../../grm/pairs.ts";
import { RewardModel } from "../../grm/rewardModel.ts";
import { scorePairs } from "../../grm/scores.ts";
import { mean, summarize, winsOf } from "../../grm/statistics/index.ts";
import { flipped } from "../../grm/trainer/pairs.ts";
import { train } from "../../grm/trainer.ts";
import {
  asPair,
  documents,
  perplexity,
  type SplitName,
  spelledPairs,
  splits,
} from "../worlds/index.ts";
import { titleLength } from "../worlds/world.ts";
import { ensureBase, openBase, worldOf } from "./bases.ts";
import type { JobFailure, JobResult } from "./results.ts";
import { baseOf, type JobWords, type SweepJob, trainingOf, wordsFrom } from "./words.ts";

/** What the jobs of a seed have in common. */
interface JobData {
  readonly training: readonly Pair[];
  readonly validation: readonly Pair[];
  readonly tests: readonly Pair[];
  readonly held: readonly Int32Array[];
}

/** The words that data depends on. */
type DataWords = ReturnType<typeof dataWords>;

function dataWords(words: JobWords) {
  const { pairs, validation, tests, heldOut, flips } = words;
  return { ...baseOf(words), pairs, validation, tests, heldOut, flips };
}

/**
 * Pairs of a seed, drawn as the demo's are. The validation pairs are as noisy as those of training, as whoever has noisy
 * labels has them there, too; tests have true labels.
 */
function drawData(words: DataWords): JobData {
  const world = worldOf(words);
  const rng = random(`demo ${words.seed}`);
  const draw = (name: string, split: SplitName, count: number, labels: "noisy" | "true"): Pair[] =>
    spelledPairs(split, count, { labels }, rng.fork(name)).map((c) => asPair(world, c, split));
  const validation = draw("validation", "id", words.validation, "noisy");
  const names = Object.keys(splits) as SplitName[];
  return {
    training: draw("training", "id", words.pairs, "noisy"),
    validation: flipped(validation, words.flips, rng.fork("validation flips")),
    tests: names.flatMap((name) => draw(`test ${name}`, name, words.tests, "true")),
    held: documents(world, words.heldOut, random("held out")),
  };
}

/** Data that was drawn last; neighbouring jobs share it. */
const recent: { readonly key: string; readonly data: JobData }[] = [];
const mostRecent = 6;

function dataOf(words: JobWords): JobData {
  const wanted = dataWords(words);
  const key = JSON.stringify(wanted);
  const known = recent.find((one) => one.key === key);
  if (known !== undefined) return known.data;
  const data = drawData(wanted);
  recent.unshift({ key, data });
  recent.splice(mostRecent);
  return data;
}

/** Share of pairs whose chosen answer gets the higher reward, by the source of the pairs. */
async function accuracies(
  model: RewardModel,
  pairs: readonly Pair[],
): Promise<JobResult["accuracy"]> {
  const { chosen, rejected } = await scorePairs(model, pairs);
  const wins = winsOf(chosen.rewards, rejected.rewards);
  const share = (name: SplitName): number => mean(wins.filter((_, i) => pairs[i]?.source === name));
  const names = Object.keys(splits) as SplitName[];
  return Object.fromEntries(names.map((name) => [name, share(name)])) as JobResult["accuracy"];
}

function finite(x: number): number | null {
  return Number.isFinite(x) ? x : null;
}

/** Does a job; its base is looked for, and else made, in the folder. `onProgress` hears the share that is done. */
export async function doJob(
  { id, words: given }: SweepJob,
  folder: string,
  onProgress: (done: number) => void = () => {},
): Promise<JobResult | JobFailure> {
  const words = wordsFrom(`sweep: the job ${id}`, given);
  const { seed, dropout, headDropout, best } = words;
  const data = dataOf(words);
  const lm = openBase(await ensureBase(folder, baseOf(words)), dropout);
  const rng = random(`demo ${seed}`).fork("head");
  const model = new RewardModel(lm, { head: { type: words.head, dropout: headDropout }, rng });
  model.eval(); // which a fresh one isn't, and train() sees to itself
  const first = words.tokens === "bytes" ? 1 : titleLength; // a title has as many bytes as it has
  try {
    const perplexityBefore = perplexity(lm, data.held, first);
    const trained = await train(model, data.training, trainingOf(words), {
      ...(best !== "none" && { validation: data.validation }),
      onProgress: ({ step, steps }) => onProgress(step / steps),
    });
    const { chosen, rejected } = await scorePairs(model, data.validation);
    const { accuracy, loss } = summarize(chosen.rewards, rejected.rewards);
    const found = await accuracies(model, data.tests);
    if (![accuracy, loss, ...Object.values(found)].every(Number.isFinite))
      return { job: id, words: given, failed: "a reward is no finite number" };
    return {
      job: id,
      words: given,
      step: trained.best?.step ?? trained.step,
      validation: { accuracy, loss },
      accuracy: found,
      perplexityBefore,
      perplexity: finite(perplexity(lm, data.held, first)),
    };
  } catch (error) {
    if (!(error instanceof AnomalyError)) throw error; // numbers that stop being numbers are a result
    return { job: id, words: given, failed: error.message.split("\n")[0] ?? "" };
  } finally {
    for (const p of model.parameters()) p.release();
  }
}
