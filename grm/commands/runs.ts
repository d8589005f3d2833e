// Runs in their folders, opened for a look: which kind a folder holds, and of a training run everything
// that there is to inspect. What is missing (a base that was deleted, data that moved) becomes a sentence,
// not an error. Next: report.ts, inspect.ts.

import { basename, dirname, resolve } from "node:path";
import { random } from "../../core/index.ts";
import { fileExists, joinPath, readFile } from "../../nn/checkpoints/files.ts";
import { parseJson } from "../../nn/checkpoints/json.ts";
import { type CausalLM, FileError, loadCausalLM, type Tokenizer } from "../../nn/index.ts";
import { compareScores, type Evaluation, evaluate, type ModelComparison } from "../evaluation.ts";
import { committedFrontier } from "../inspect/frontier.ts";
import type { ProbeStories } from "../inspect/goldFeatures.ts";
import { type Inspection, inspectModels } from "../inspect/inspect.ts";
import type { Pair } from "../pairs.ts";
import { type RewardPage, rewardPage } from "../report/rewardPage.ts";
import { loadRewardModel, type RewardModelFolder } from "../rewardModelFiles.ts";
import { scorePairs } from "../scores.ts";
import { TrainFolder } from "../trainer/folder.ts";
import { methods } from "../trainer/objective.ts";
import type { TrainRecord } from "../trainer/records.ts";
import type { TrainSettings } from "../trainer.ts";
import { spelled, spelledPairs } from "../worlds/index.ts";
import { type RunData, readRunData, readTrainRun, type TrainRun } from "./trainRun.ts";

/** A training run with what is needed to look into it. */
export interface OpenRun extends RewardModelFolder {
  readonly path: string;
  readonly run: TrainRun;
  readonly records: readonly TrainRecord[];
  readonly data: RunData;
  /** The language model that it began with. */
  readonly base: CausalLM | undefined;
  /** If it was made already. */
  readonly evaluation?: Evaluation | null;
}

/** Called with a share and what is done. */
export type Progress = (done: number, status: string) => void;

/** What kind of run stands in a folder, by its files; a FileError if none does. */
export function kindOf(path: string): "train" | "pretrain" | "policy" | "overopt" | "demo" | "bon" {
  if (path.endsWith(".json") && fileExists(path)) return "bon";
  if (fileExists(joinPath(path, "demo.jsonl"))) return "demo";
  if (fileExists(joinPath(path, "results.json"))) return "overopt";
  const file = joinPath(path, "run.json");
  if (!fileExists(file)) {
    throw new FileError(
      path,
      "",
      "holds no run: there is no run.json, results.json or demo.jsonl, and it is no .json file of `twoheads bon`",
    );
  }
  const run = parseJson(file, readFile(file)).object();
  if (run.corpus !== undefined) return "pretrain";
  return run.flags === undefined ? "train" : "policy";
}

/** A name for figures: the folder's own. */
export function nameOf(path: string): string {
  return basename(resolve(path));
}

/** Names that differ: with the folder above where they would be the same. */
export function namesOf(paths: readonly string[]): string[] {
  const names = paths.map(nameOf);
  if (new Set(names).size === names.length) return names;
  return paths.map((path) => `${nameOf(dirname(resolve(path)))}/${nameOf(path)}`);
}

/** Opens a training run: its model, records, pairs and base. */
export async function openRun(path: string, say: (message: string) => void): Promise<OpenRun> {
  const run = readTrainRun(path);
  const model = loadRewardModel(path);
  const data = await readRunData(run, model);
  return {
    ...model,
    path,
    run,
    data,
    records: new TrainFolder(path).metrics(),
    base: baseOf(run.base, say),
  };
}

/** The base of a run, if it is still there. */
export function baseOf(folder: string, say: (message: string) => void): CausalLM | undefined {
  try {
    return loadCausalLM(folder);
  } catch (error) {
    if (!(error instanceof FileError)) throw error;
    say(`perplexities stand alone, as the base isn't there any more: ${error.message}`);
    return undefined;
  }
}

/** The page of one training run, or of two on the first one's pairs. */
export async function pageOfRuns(runs: readonly OpenRun[], progress: Progress): Promise<string> {
  const names = namesOf(runs.map(({ path }) => path));
  const pairs = (runs[0] as OpenRun).data.validation;
  const evaluations: (Evaluation | string)[] = [];
  for (const [i, run] of runs.entries()) {
    const tell = (done: number): void => progress((i + done) / (2 * runs.length), "evaluating");
    evaluations.push(await evaluationOf(run, runs[0] as OpenRun, tell));
  }
  const inspection = await inspectionOf(runs, names, (done, next) => {
    progress(0.5 + done / 2, `inspecting ${next}`);
  });
  const page: RewardPage = {
    runs: runs.map((run, i) => ({
      name: names[i] ?? "",
      settings: settingsOf(run),
      records: run.records,
      evaluation: evaluations[i] ?? "",
    })),
    comparison: await comparisonOf(runs, pairs),
    inspection,
    frontier: committedFrontier(),
  };
  return rewardPage(page);
}

/** Data by file name and not by path: a page says what was run, not where. */
function settingsOf({ run }: OpenRun): Record<string, unknown> {
  const { base, data, validation, where, limit, holdOut, settings } = run;
  return {
    base: nameOf(base),
    data: data.map(nameOf),
    ...(where && { where }),
    ...(limit && { limit }),
    ...(validation ? { validation: validation.map(nameOf) } : { "held out": holdOut }),
    ...settings,
  };
}

async function evaluationOf(
  run: OpenRun,
  first: OpenRun,
  onProgress: (done: number) => void,
): Promise<Evaluation | string> {
  const pairs = first.data.validation;
  if (pairs.length === 0) return "no validation pairs; train with --validation or --hold-out";
  if (!readsAlike(run.tokenizer, first.tokenizer)) {
    return "its tokenizer differs from the first model's, whose pairs these are";
  }
  if (run.evaluation && run === first) return run.evaluation;
  const { training } = run.data;
  return evaluate(run.model, pairs, { training, base: run.base, onProgress });
}

/** Whether two tokenizers are the same. */
function readsAlike(a: Tokenizer, b: Tokenizer): boolean {
  const bytes = (tokenizer: Tokenizer): string =>
    tokenizer
      .files()
      .map((file) => `${file.name} ${new TextDecoder().decode(file.bytes)}`)
      .join("\n");
  return a === b || bytes(a) === bytes(b);
}

async function comparisonOf(
  [first, second]: readonly OpenRun[],
  pairs: readonly Pair[],
): Promise<ModelComparison | null> {
  if (!first || !second || pairs.length === 0) return null;
  if (!readsAlike(first.tokenizer, second.tokenizer)) return null;
  const [a, b] = [await scorePairs(first.model, pairs), await scorePairs(second.model, pairs)];
  return compareScores(a, b, { rng: random("report") });
}

/** All views; or why there are none. */
async function inspectionOf(
  runs: readonly OpenRun[],
  names: readonly string[],
  onProgress: Progress,
): Promise<Inspection | string> {
  const [first] = runs as [OpenRun, ...OpenRun[]];
  const { base, tokenizer, data } = first;
  const pairs = data.validation.length > 0 ? data.validation : data.training;
  if (base === undefined) return "the base that training began with isn't there any more.";
  if (runs.some((run) => !readsAlike(run.tokenizer, tokenizer))) {
    return "the models read text with different tokenizers, and can't be held against each other token by token.";
  }
  const inspected = await inspectModels({
    models: runs.map(({ model }, i) => ({ name: names[i] ?? "", model })),
    base,
    tokenizer,
    pairs,
    losses: lossesOf(runs.map(({ run }) => run.settings)),
    stories: storiesFor(tokenizer),
    onProgress,
  });
  const others = runs.filter(({ run }) => run.base !== first.run.base);
  const note = "The models began with different bases; drift of both is from the first one's.";
  return others.length === 0 ? inspected : { ...inspected, notes: [...inspected.notes, note] };
}

/** The losses of the first run that has a text-generation loss. */
export function lossesOf(
  settings: readonly TrainSettings[],
): { method: TrainSettings["method"]; alpha: number; beta: number } | undefined {
  const found = settings.find(
    ({ method, alpha }) => "regularizer" in methods[method] && alpha > 0 && alpha < 1,
  );
  return found && { method: found.method, alpha: found.alpha, beta: found.beta };
}

/** Stories for probes, where the tokenizer is that of the world whose truth is known. */
export function storiesFor(tokenizer: Tokenizer, count = 300): ProbeStories | undefined {
  if (!readsAlike(tokenizer, spelled.tokenizer)) return undefined;
  const stories = (split: "id" | "all", pairs: number) =>
    spelledPairs(split, pairs, { labels: "true" }, random(`probes ${split} ${pairs}`)).flatMap(
      ({ chosen, rejected }) => [chosen, rejected],
    );
  const held = Math.ceil(count / 2);
  return {
    training: stories("id", count),
    tests: { id: stories("id", held), all: stories("all", held) },
  };
}
