// One job of a sweep, done: a base, pairs, a training, tests. What comes out depends on the job's words alone.
// Next: words.ts for what may be said of a job; results.ts for what is kept.

import { AnomalyError, ArgumentError, random } from "../../core/index.ts";
import { IGNORE } from "../../grm/losses.ts";
import type { Sequence } from "../../grm/pairs.ts";
import { RewardModel } from "../../grm/rewardModel.ts";
import { scorePairs } from "../../grm/scores.ts";
import { summarize } from "../../grm/statistics/index.ts";
import { flipped } from "../../grm/trainer/pairs.ts";
import { train } from "../../grm/trainer.ts";
import { accuracies, dataOf } from "../demo/data.ts";
import { documents, perplexity } from "../worlds/index.ts";
import { titleLength } from "../worlds/world.ts";
import { ensureBase, openBase, worldOf } from "./bases.ts";
import { type FilesData, readFilesData } from "./files.ts";
import type { JobFailure, JobResult } from "./results.ts";
import { baseOf, type JobWords, type SweepJob, trainingOf, wordsFrom } from "./words.ts";

/** The words that data depends on. */
type DataWords = ReturnType<typeof dataWords>;

function dataWords(words: JobWords) {
  const { pairs, validation, tests, heldOut, flips, files } = words;
  return { ...baseOf(words), pairs, validation, tests, heldOut, flips, files };
}

/** What one seed's reward models learn from, are chosen by and are tested on. */
interface JobData extends FilesData {
  /** Documents that the language model is read on; none where there is no world that writes them. */
  readonly held: readonly Int32Array[];
}

/**
 * The demo's data of a seed, or that of files. The validation pairs are as noisy as those of training, as whoever has noisy labels has them
 * there, too; tests have true labels.
 */
async function drawData(words: DataWords): Promise<JobData> {
  const { files, seed } = words;
  const data = files
    ? { ...(await readFilesData(files, words)), held: [] }
    : dataOf(seed, words, worldOf(words));
  const rng = random(`demo ${seed}`).fork("validation flips");
  return { ...data, validation: flipped(data.validation, words.flips, rng) };
}

/** Data that was drawn last; neighbouring jobs share it. */
const recent: { readonly key: string; readonly data: JobData }[] = [];
const mostRecent = 6;

async function sharedData(words: JobWords): Promise<JobData> {
  const wanted = dataWords(words);
  const key = JSON.stringify(wanted);
  const known = recent.find((one) => one.key === key);
  if (known !== undefined) return known.data;
  const data = await drawData(wanted);
  recent.unshift({ key, data });
  recent.splice(mostRecent);
  return data;
}

/** The first token of a document that a language model is asked for: behind the title, which in bytes may have any length. */
function firstRead({ tokens }: JobWords): number {
  return tokens === "bytes" ? 1 : titleLength;
}

/** What the text-generation loss reads, where that isn't the chosen answers; texts of the base are fresh ones. */
function textsOf(words: JobWords, { training }: JobData): Sequence[] | undefined {
  if (words.method !== "grm-sft" || words.sftOn === "chosen") return undefined;
  if (words.sftOn === "rejected") return training.map(({ rejected }) => rejected);
  const rng = random(`demo ${words.seed}`).fork("texts of the base");
  return documents(worldOf(baseOf(words)), training.length, rng).map((ids) => ({
    ids,
    labels: ids.map((id, i) => (i < firstRead(words) ? IGNORE : id)),
  }));
}

/** Rewards that are no numbers are told by an ArgumentError. */
function asAnomaly(error: Error): never {
  throw error instanceof ArgumentError ? new AnomalyError(error.message, { cause: error }) : error;
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
  const data = await sharedData(words);
  const lm = openBase(await ensureBase(folder, baseOf(words)), dropout);
  const rng = random(`demo ${seed}`).fork("head");
  const model = new RewardModel(lm, { head: { type: words.head, dropout: headDropout }, rng });
  model.eval(); // which a fresh one isn't, and train() sees to itself
  const first = firstRead(words);
  try {
    const perplexityBefore = finite(perplexity(lm, data.held, first));
    const trained = await train(model, data.training, trainingOf(words), {
      ...(best !== "none" && { validation: data.validation }),
      texts: textsOf(words, data),
      onProgress: ({ step, steps }) => onProgress(step / steps),
    });
    const { chosen, rejected } = await scorePairs(model, data.validation);
    const { accuracy: right, loss } = summarize(chosen.rewards, rejected.rewards);
    if (!Number.isFinite(loss)) throw new AnomalyError("sweep: the validation loss is no number");
    return {
      job: id,
      words: given,
      step: trained.best?.step ?? trained.step,
      validation: { accuracy: right, loss },
      accuracy: await accuracies(model, data.tests).catch(asAnomaly),
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
