// The demo's report: its results file and the two models that were kept beside it, looked into on the
// first seed's tests; and the page of those two alone. Next: ../../report/demoPage.ts.

import { ArgumentError, random, TwoheadsError } from "../../core/index.ts";
import { evaluate } from "../../grm/evaluation.ts";
import { inspectModels } from "../../grm/inspect/inspect.ts";
import type { Pair } from "../../grm/pairs.ts";
import { loadRewardModel } from "../../grm/rewardModelFolder.ts";
import type { PairScores } from "../../grm/scores.ts";
import { TrainFolder } from "../../grm/trainer/folder.ts";
import { dataOf } from "../../lab/demo/data.ts";
import { isKeptOf, type KeptRun, keptFile, keptMethods, readKept } from "../../lab/demo/kept.ts";
import { quickPlan, rateText, rowTitles } from "../../lab/demo/plan.ts";
import { demoFile, readResults } from "../../lab/demo/resultFile.ts";
import type { DemoResultFile } from "../../lab/demo/results.ts";
import { conclusion, manySeeds } from "../../lab/demo/text.ts";
import { committedFrontier } from "../../lab/frontier.ts";
import { documents, spelled } from "../../lab/worlds/index.ts";
import { joinPath } from "../../nn/checkpoints/files.ts";
import { FileError } from "../../nn/index.ts";
import { loadCausalLM } from "../../nn/node.ts";
import { demoPage } from "../../report/demoPage.ts";
import type { NamedComparison } from "../../report/evaluation.ts";
import { type RewardPage, rewardPage } from "../../report/rewardPage.ts";
import { pairedComparisons } from "./pairedComparisons.ts";
import { type Progress, probesFor } from "./runs.ts";

/** The whole page of a demo's folder. */
export async function demoPageOf(path: string, progress: Progress): Promise<string> {
  const file = readResults(joinPath(path, demoFile));
  if (file === null) throw new FileError(path, demoFile, "isn't there any more");
  const { results, plan } = file;
  const models = await lookInside(path, file, progress);
  return demoPage({ file, many: manySeeds(plan), printed: conclusion(results, plan), models });
}

/** Everything about the kept models; or why there are none. */
async function lookInside(
  path: string,
  file: DemoResultFile,
  progress: Progress,
): Promise<RewardPage | string> {
  const seed = Math.min(...file.results.map((result) => result.seed));
  const found = [...keptMethods].flatMap((method) => {
    const kept = readKept(joinPath(path, method));
    return kept !== null && isKeptOf(kept, seed, file.plan) ? [{ method, kept }] : [];
  });
  if (found.length < keptMethods.size) {
    return "its models weren't kept, as their results were known already; a demo without --results trains them anew.";
  }
  try {
    return await modelsPage(
      found.map(({ method, kept }) => ({ path: joinPath(path, method), kept })),
      progress,
    );
  } catch (error) {
    if (error instanceof TwoheadsError) return error.message;
    throw error;
  }
}

interface KeptModel {
  readonly path: string;
  readonly kept: KeptRun;
}

/** The page of models that a demo kept, one or two of the same seed and plan. */
export async function keptPageOf(paths: readonly string[], progress: Progress): Promise<string> {
  const found = paths.map((path): KeptModel => {
    const kept = readKept(path);
    if (kept !== null) return { path, kept };
    throw new FileError(path, keptFile, "says that this model isn't finished; run the demo again");
  });
  const [first, second] = found as [KeptModel, KeptModel?];
  if (second !== undefined && !isKeptOf(second.kept, first.kept.seed, first.kept.plan)) {
    throw new ArgumentError(
      `report: ${first.path} and ${second.path} are of different seeds or plans, with tests of their own; needed two models of one demo`,
    );
  }
  return rewardPage(await modelsPage(found, progress));
}

async function modelsPage(found: readonly KeptModel[], progress: Progress): Promise<RewardPage> {
  const [{ path, kept }] = found as [KeptModel, ...KeptModel[]];
  const { plan } = kept;
  const isQuick = JSON.stringify(plan) === JSON.stringify(quickPlan);
  const { training, tests } = dataOf(kept.seed, plan);
  const all = Object.values(tests).flat();
  const few = inTurn(Object.values(tests)).slice(0, isQuick ? 10 : 100); // enough for a look inside
  const base = loadCausalLM(joinPath(path, "base"));
  const neutral = documents(spelled, isQuick ? 8 : 60, random("neutral")).map((ids) => ({
    ids,
    labels: ids,
  }));
  const models = found.map((one) => ({
    name: nameOf(one.kept),
    model: loadRewardModel(one.path).model,
    ...one,
  }));
  const runs: RewardPage["runs"][number][] = [];
  const scored: PairScores[] = [];
  for (const [i, { name, model, ...own }] of models.entries()) {
    progress(i / 8, `the report: evaluating ${name}`);
    const onScores = (scores: PairScores): void => void scored.push(scores);
    const evaluation = await evaluate(model, all, { training, base, neutral, onScores });
    const records = new TrainFolder(own.path).metrics();
    runs.push({ name, settings: settingsOf(own.kept), records, evaluation });
  }
  const inspection = await inspectModels({
    models,
    base,
    tokenizer: spelled.tokenizer,
    pairs: few,
    neutral,
    losses: { method: "grm-sft", alpha: plan.alpha, beta: plan.beta },
    probes: probesFor(spelled.tokenizer, isQuick ? 40 : 150),
    onProgress: (done, next) => progress(0.25 + 0.75 * done, `the report: ${next}`),
  });
  const comparisons = comparedOn(all, scored);
  return { runs, comparisons, inspection, frontier: committedFrontier() };
}

/** What is concluded is of the pairs unlike those of training. */
function comparedOn(
  pairs: readonly Pair[],
  [first, second]: readonly PairScores[],
): NamedComparison[] {
  if (first === undefined || second === undefined) return [];
  const has = ({ source }: Pair): boolean => source !== "id";
  return pairedComparisons({ pairs, first, second }, { pairs: "out of distribution", has });
}

const nameOf = ({ arm }: KeptRun): string => rowTitles[arm.method] ?? arm.method;

function settingsOf({ seed, arm, plan }: KeptRun): Record<string, unknown> {
  const { pairs, epochs, alpha, beta } = plan;
  const text = arm.method === "bt" ? {} : { alpha, beta };
  return { method: arm.method, rate: rateText(arm.lr), seed, pairs, epochs, ...text };
}

/** The first of each list, then the second of each, and so on. */
function inTurn(lists: readonly (readonly Pair[])[]): Pair[] {
  const longest = Math.max(...lists.map(({ length }) => length));
  return Array.from({ length: longest }, (_, i) => lists.flatMap((list) => list[i] ?? [])).flat();
}
