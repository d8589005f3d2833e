// twoheads bon: best-of-n by a reward model, for every n at once, with what it does to the true reward.
// Next: ../../grm/policies/bestOfN.ts for the estimator.

import type { Command } from "commander";
import { random } from "../../core/index.ts";
import { bestOfNCurve, logSpaced } from "../../grm/policies/bestOfN.ts";
import { fitCurves } from "../../grm/policies/fits.ts";
import { type Answer, fluencyJudge, type Judge } from "../../grm/policies/judges.ts";
import { bestOfNKL } from "../../grm/policies/kl.ts";
import { sampleAnswers } from "../../grm/policies/preferences.ts";
import type { Task } from "../../grm/policies/task.ts";
import { checkFinite, interval } from "../../grm/statistics/index.ts";
import { aligned, plain } from "../../lab/overopt/report.ts";
import { replaceFile } from "../../nn/node.ts";
import { runOwnBon } from "./bonOwn.ts";
import { type JsonFlag, jsonOption, sayFor } from "./json.ts";
import { wholeNumber } from "./numbers.ts";
import { addOptimisedOptions, type OptimisedFlags, optimised } from "./optimised.ts";

interface Given extends OptimisedFlags, JsonFlag {
  readonly prompts: number;
  readonly samples?: number;
  readonly candidates?: readonly string[];
  readonly seed: number;
  readonly out?: string;
}

const examples = `
A line of --candidates is {"prompt": ..., "responses": [text, ...]}, or a prompt alone that --policy writes answers to.

Examples:
  $ twoheads bon                                      plain BT in "tales": proxy and gold for n = 1..405
  $ twoheads bon --judge grm-sft --prompts 50         GRM, narrower intervals
  $ twoheads bon --reward runs/train-1 runs/train-2 --rule min
  $ twoheads bon --candidates answers.jsonl --reward runs/train-1 --out best.jsonl
  $ twoheads bon --task stories --data DATA --judge bt --pairs 400 --samples 128
`;

/** Adds the command. */
export function addBon(program: Command): void {
  const command = program
    .command("bon")
    .description(
      "choose the best of n answers by a reward model, and measure what those are truly worth",
    );
  addOptimisedOptions(command)
    .option("--prompts <number>", "number of prompts that answers are written to", wholeNumber, 20)
    .option(
      "--samples <number>",
      "number of answers to each prompt, which is the largest n (default: 405, for prompts of one's own 16)",
      wholeNumber,
    )
    .option(
      "--candidates <files...>",
      "files of prompts with answers of one's own to choose from, in place of a task; needs --reward",
    )
    .option("--seed <number>", "seed that prompts and answers are drawn by", Number, 0)
    .option("--out <file>", "JSON file that the curves of every prompt are written to")
    .addOption(jsonOption("--out"))
    .addHelpText("after", examples)
    .action((given: Given) => runBon(given));
}

/** A measure of all answers, by prompt. */
interface Measure {
  readonly name: string;
  readonly values: Float64Array;
}

async function runBon(given: Given): Promise<void> {
  const { prompts: count, samples = 405, seed, out, candidates } = given;
  const say = sayFor(given);
  if (candidates !== undefined) {
    return runOwnBon({ ...given, candidates, samples: given.samples ?? 16 }, say);
  }
  const { task, policy, judge } = await optimised(given, say);
  const rng = random(`bon ${seed}`);
  const prompts = task.prompts(count, rng.fork("prompts"));
  say(`writing ${count * samples} answers`);
  const options = { samples, rng: rng.fork("answers") };
  const answers = await sampleAnswers(policy(), prompts, task, options);
  const scores = await judge.score(answers);
  const judges: Judge[] = [judge, task.gold, ...task.controls, fluencyJudge(policy())];
  const measures = await Promise.all(
    judges.map(async ({ name, score }, k) => ({
      name: k === 0 ? `proxy: ${name}` : name,
      values: k === 0 ? scores : await score(answers),
    })),
  );
  for (const { name, values } of measures) {
    checkFinite(values, (i) => {
      const [prompt, answer] = [Math.floor(i / samples) + 1, (i % samples) + 1];
      return `bon: the reward (${name}) of answer ${answer} to prompt ${prompt}`;
    });
  }
  const ns = logSpaced(samples, 13);
  const curves = measures.map((measure) => curvesOf(scores, measure, samples, ns));
  say(`\n${tableOf(measures, curves, ns)}\n\n${notes(curves[1] ?? [], ns)}\n`);
  say(bestText(answers.slice(0, samples), scores, measures[1] as Measure, task));
  const names = measures.map(({ name }) => name);
  const data = {
    given: { ...given, samples },
    ns,
    kl: ns.map(bestOfNKL),
    curves,
    measures: names,
  };
  if (out !== undefined) {
    await replaceFile(out, `${JSON.stringify(data)}\n`);
    say(`\nthe curves of every prompt: ${out}`);
  }
  if (given.json) console.log(JSON.stringify(data));
}

/** A curve for each prompt. */
function curvesOf(
  scores: Float64Array,
  { values }: Measure,
  samples: number,
  ns: readonly number[],
): number[][] {
  return Array.from({ length: scores.length / samples }, (_, p) => {
    const place = [p * samples, (p + 1) * samples] as const;
    return bestOfNCurve(scores.subarray(...place), values.subarray(...place), ns);
  });
}

function tableOf(
  measures: readonly Measure[],
  curves: readonly (readonly number[][])[],
  ns: readonly number[],
): string {
  const rows = ns.map((n, i) => [
    String(n),
    bestOfNKL(n).toFixed(2),
    ...curves.map((own) => plain(interval(own.map((curve) => curve[i] ?? Number.NaN)))),
  ]);
  return aligned([["n", "KL", ...measures.map(({ name }) => name)], ...rows]);
}

/** The fit of 2210.10760 through the gold's gains, with intervals over prompts. */
function notes(gold: readonly number[][], ns: readonly number[]): string {
  const kls = ns.map(bestOfNKL);
  const lines = [
    "± is half of a 95 % interval over prompts. KL is ln n - (n-1)/n, an upper bound where answers tie.",
  ];
  if (ns.length < 3) return lines.join("\n");
  const curves = gold.map((curve) => ({ kls, gains: curve.map((x) => x - (curve[0] ?? 0)) }));
  const fit = fitCurves(curves, "bon", { rng: random("bootstrap") });
  const between = ([low, high]: readonly [number, number]): string =>
    `[${low.toFixed(2)}, ${high.toFixed(2)}]`;
  const farthest = kls.at(-1) ?? 0;
  const peak =
    fit.peakKL === null || fit.peakInterval === null
      ? "no peak"
      : `peak at KL ${fit.peakKL.toFixed(2)} ${between(fit.peakInterval)}${fit.peakKL > farthest ? ", beyond the data" : ""}`;
  return [
    ...lines,
    `Gold's gain as d (a - b d), d = √KL: a = ${fit.a.toFixed(2)} ${between(fit.aInterval)}, b = ${fit.b.toFixed(2)} ${between(fit.bInterval)}; ${peak}.`,
  ].join("\n");
}

/** What the judge likes best of the first prompt's answers. */
function bestText(
  answers: readonly Answer[],
  scores: Float64Array,
  gold: Measure,
  { tokenizer }: Task,
): string {
  const order = [...answers.keys()].sort((a, b) => (scores[b] ?? 0) - (scores[a] ?? 0));
  const text = (i: number): string => {
    const { prompt, response } = answers[i] ?? { prompt: [], response: [] };
    return tokenizer.decode([...prompt, ...response], { skipSpecial: true }).trim();
  };
  const lines = order
    .slice(0, 3)
    .map((i) => `  ${scores[i]?.toFixed(2)} (gold ${gold.values[i]?.toFixed(2)}): ${text(i)}`);
  return ["What it likes best of the first prompt's answers:", ...lines].join("\n");
}
