// From runs in their folders to pages: what is read and computed for each kind of run. Loaded only when a
// page is wanted, as the libraries that draw take a while. Next: runs.ts, ../report/.

import { dirname } from "node:path";
import * as z from "zod";
import { ArgumentError } from "../../core/index.ts";
import { type Evaluation, evaluate } from "../../grm/evaluation.ts";
import { type Inspection, inspectModels } from "../../grm/inspect/inspect.ts";
import type { Pair } from "../../grm/pairs.ts";
import { PolicyFolder } from "../../grm/policies/policyFolder.ts";
import { scorePairs } from "../../grm/scores.ts";
import { committedFrontier } from "../../lab/frontier.ts";
import { readResults } from "../../lab/overopt/resultFile.ts";
import { problemsOf } from "../../nn/checked.ts";
import { joinPath, readFile } from "../../nn/checkpoints/files.ts";
import { type Field, parseJson } from "../../nn/checkpoints/json.ts";
import { FileError } from "../../nn/index.ts";
import { PretrainFolder } from "../../nn/pretrain/folder.ts";
import type { NamedComparison } from "../../report/evaluation.ts";
import { bestOfNPage, overoptPage } from "../../report/overoptPages.ts";
import { policyPage } from "../../report/policyPage.ts";
import { pretrainPage } from "../../report/pretrainPage.ts";
import { type RewardPage, rewardPage } from "../../report/rewardPage.ts";
import { demoPageOf, keptPageOf } from "./demoReport.ts";
import { sayUnfinished } from "./opened.ts";
import { pairedComparisons } from "./pairedComparisons.ts";
import { readPretrainRun } from "./pretrainRun.ts";
import {
  kindOf,
  lossesOf,
  nameOf,
  namesOf,
  type OpenRun,
  openRun,
  type Progress,
  probesFor,
  readsAlike,
} from "./runs.ts";

/** The page of a run, or of two of one kind. */
export async function pageOf(
  paths: readonly string[],
  progress: Progress,
  say: (message: string) => void,
): Promise<string> {
  const kinds = paths.map(kindOf);
  for (const unfinished of paths.map(sayUnfinished)) if (unfinished !== null) say(unfinished);
  const [first = "", second] = paths;
  const kind = kinds[0] ?? "train";
  if (kinds.some((other) => other !== kind)) {
    throw new ArgumentError(
      `report: ${first} is a run of ${kind} and ${second} one of ${kinds[1]}; needed two of one kind`,
    );
  }
  if (second !== undefined && kind !== "train" && kind !== "policy" && kind !== "kept") {
    throw new ArgumentError(
      `report: two runs of ${kind} have no common page; needed training runs or policies, or one run alone`,
    );
  }
  switch (kind) {
    case "train":
      return pageOfRuns(await Promise.all(paths.map((path) => openRun(path, say))), progress);
    case "kept":
      return keptPageOf(paths, progress);
    case "policy":
      return policyPage(policiesOf(paths));
    case "pretrain":
      return pretrainPageOf(first);
    case "overopt":
      return overoptPageOf(first);
    case "demo":
      return demoPageOf(first, progress);
    case "bon":
      return bestOfNPageOf(first);
  }
}

const fields = z.record(z.string(), z.unknown());
const policyRunSchema = z.object({ flags: fields, settings: fields });
const numbers = z.array(z.number());

/** What `twoheads bon --out` writes. */
const bonSchema = z.object({
  given: fields,
  ns: numbers.min(1),
  kl: numbers,
  measures: z.array(z.string()).min(2),
  /** Of each measure, and each prompt. */
  curves: z.array(z.array(numbers).min(1)),
});

/** What a file holds, if it is what the schema says. */
function checked<T>(json: Field, schema: z.ZodType<T>, before = ""): T {
  const parsed = schema.safeParse(json.value);
  return parsed.success ? parsed.data : json.fail(before + problemsOf(parsed.error));
}

function policiesOf(paths: readonly string[]) {
  const names = namesOf(paths);
  return paths.map((path, i) => {
    const folder = new PolicyFolder(path);
    const { flags, settings } = checked(folder.run(), policyRunSchema);
    const shown = { ...withoutPaths(flags), ...settings };
    return { name: names[i] ?? "", settings: shown, records: folder.metrics() };
  });
}

/** Files and folders by their own names: a page says what was used, not where it lay. */
function withoutPaths(flags: object): Record<string, unknown> {
  const short = (value: unknown): unknown => (typeof value === "string" ? nameOf(value) : value);
  const paths = ["policy", "data", "reward"];
  return Object.fromEntries(
    Object.entries(flags).map(([name, value]) => {
      if (!paths.includes(name)) return [name, value];
      return [name, Array.isArray(value) ? value.map(short) : short(value)];
    }),
  );
}

function pretrainPageOf(path: string): string {
  const folder = new PretrainFolder(path);
  const { corpus, settings } = readPretrainRun(folder);
  return pretrainPage(nameOf(path), { corpus: corpus.map(nameOf), ...settings }, folder.metrics());
}

function overoptPageOf(path: string): string {
  const found = readResults(joinPath(path, "results.json"));
  if (found !== null) return overoptPage(nameOf(path), found);
  throw new FileError(path, "results.json", "isn't there any more");
}

function bestOfNPageOf(path: string): string {
  const json = parseJson(path, readFile(path));
  const { given, ns, kl, measures, curves } = checked(
    json,
    bonSchema,
    "is no file of `twoheads bon`: ",
  );
  const isWhole = curves.every((of) => of.every((curve) => curve.length === ns.length));
  if (kl.length !== ns.length || curves.length !== measures.length || !isWhole)
    return json.fail("is no file of `twoheads bon`: its curves have other lengths than n");
  const { json: _json, out: _file, ...flags } = given; // of files that were written before --out too
  const shown = withoutPaths(flags);
  return bestOfNPage({ name: nameOf(dirname(path)), settings: shown, ns, kl, measures, curves });
}

// --- Reward models -----------------------------------------------------------------------------------

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
    comparisons: await comparedRuns(runs, pairs),
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

async function comparedRuns(
  [first, second]: readonly OpenRun[],
  pairs: readonly Pair[],
): Promise<NamedComparison[]> {
  if (!first || !second || pairs.length === 0) return [];
  if (!readsAlike(first.tokenizer, second.tokenizer)) return [];
  const both = {
    first: await scorePairs(first.model, pairs),
    second: await scorePairs(second.model, pairs),
  };
  return pairedComparisons({ pairs, ...both }, { pairs: "all pairs", has: () => true });
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
    probes: probesFor(tokenizer),
    onProgress,
  });
  const others = runs.filter(({ run }) => run.base !== first.run.base);
  const note = "The models began with different bases; drift of both is from the first one's.";
  return others.length === 0 ? inspected : { ...inspected, notes: [...inspected.notes, note] };
}
