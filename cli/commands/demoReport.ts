// The demo's report: its results file and the two models that were kept beside it, looked into on the
// first seed's tests. Next: ../../report/demoPage.ts.

import { random, TwoheadsError } from "../../core/index.ts";
import { compareScores, evaluate } from "../../grm/evaluation.ts";
import { inspectModels } from "../../grm/inspect/inspect.ts";
import type { Pair } from "../../grm/pairs.ts";
import { loadRewardModel } from "../../grm/rewardModelFolder.ts";
import { scorePairs } from "../../grm/scores.ts";
import { TrainFolder } from "../../grm/trainer/folder.ts";
import { dataOf } from "../../lab/demo/data.ts";
import { isKeptOf, type KeptRun, keptMethods, readKept } from "../../lab/demo/kept.ts";
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
import type { RewardPage } from "../../report/rewardPage.ts";
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

async function modelsPage(found: readonly KeptModel[], progress: Progress): Promise<RewardPage> {
  const [{ path, kept }] = found as [KeptModel, ...KeptModel[]];
  const { seed, plan } = kept;
  const isQuick = JSON.stringify(plan) === JSON.stringify(quickPlan);
  const { training, tests } = dataOf(seed, plan);
  const pairs = inTurn(Object.values(tests).map((test) => test.slice(0, 50))); // enough for a look
  const base = loadCausalLM(joinPath(path, "base"));
  const models = found.map((one) => ({
    name: nameOf(one.kept),
    model: loadRewardModel(one.path).model,
    ...one,
  }));
  const neutral = documents(spelled, isQuick ? 8 : 60, random("neutral")).map((ids) => ({
    ids,
    labels: ids,
  }));
  const runs: RewardPage["runs"][number][] = [];
  for (const [i, { name, model, ...own }] of models.entries()) {
    progress(i / 8, `the report: evaluating ${name}`);
    const evaluation = await evaluate(model, pairs, { training, base, neutral });
    const records = new TrainFolder(own.path).metrics();
    runs.push({ name, settings: settingsOf(own.kept), records, evaluation });
  }
  const inspection = await inspectModels({
    models,
    base,
    tokenizer: spelled.tokenizer,
    pairs: pairs.slice(0, isQuick ? 10 : 100),
    neutral,
    losses: { method: "grm-sft", alpha: plan.alpha, beta: plan.beta },
    probes: probesFor(spelled.tokenizer, isQuick ? 40 : 150),
    onProgress: (done, next) => progress(0.25 + 0.75 * done, `the report: ${next}`),
  });
  const [a, b] = models.map(({ model }) => scorePairs(model, pairs));
  const comparison = a && b ? compareScores(await a, await b, { rng: random("report") }) : null;
  return { runs, comparison, inspection, frontier: committedFrontier() };
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
