// twoheads compare: whether one reward model is better than another on the same pairs, or whether that
// could be chance. Next: ../../grm/evaluation.ts, ../../grm/statistics/ for the tests.

import type { Command } from "commander";
import { ArgumentError, random } from "../../core/index.ts";
import { compareScores, type ModelComparison } from "../../grm/evaluation.ts";
import type { RewardModelFolder } from "../../grm/rewardModelFiles.ts";
import type { PairScores, Scores } from "../../grm/scores.ts";
import { type Difference, mostExact } from "../../grm/statistics/index.ts";
import { share } from "./eval.ts";
import { displayFor, type JsonFlag, jsonOption, printFound } from "./json.ts";
import { wholeNumber } from "./numbers.ts";
import { openRewardModel, type UnfinishedFlag, unfinishedOption } from "./opened.ts";
import { addPreferenceOptions, type PreferenceFlags } from "./preferences.ts";
import type { Display } from "./progress.ts";
import { addReadingOptions, type ReadingFlags } from "./reading.ts";
import { readAndScore } from "./scored.ts";

interface Given extends PreferenceFlags, ReadingFlags, JsonFlag, UnfinishedFlag {
  readonly rounds: number;
  readonly seed: number;
}

const examples = `
Examples:
  $ twoheads compare runs/grm runs/bt --data test.jsonl.gz
  $ twoheads compare runs/grm runs/bt --data hhh.jsonl.gz mt-bench.jsonl.gz --json
`;

/** Adds the command. */
export function addCompare(program: Command): void {
  const command = program
    .command("compare")
    .description(
      "tell which of two reward models is better on the same pairs, and how sure that is",
    )
    .argument("<first>", "folder of the first reward model")
    .argument("<second>", "folder of the second reward model");
  addPreferenceOptions(command);
  addReadingOptions(command);
  command
    .option(
      "--rounds <number>",
      "number of resamples for the intervals, and of random flips for p where it isn't exact",
      wholeNumber,
      10_000,
    )
    .option("--seed <number>", "seed that resamples and flips are drawn by", Number, 0)
    .addOption(unfinishedOption())
    .addOption(jsonOption())
    .addHelpText("after", examples)
    .action((first: string, second: string, given: Given) => runCompare(first, second, given));
}

async function runCompare(first: string, second: string, given: Given): Promise<void> {
  const screen = displayFor(given);
  try {
    const models = [first, second].map((path) => [path, openRewardModel(path, given)] as const);
    const [a, b] = [new Map<string, Scored>(), new Map<string, Scored>()];
    for (const [i, [path, model]] of models.entries())
      await score(path, model, given, screen, i === 0 ? a : b);
    const both = [...a.keys()].filter((place) => b.has(place));
    const skipped = a.size + b.size - 2 * both.length;
    if (skipped > 0) {
      screen.say(`${skipped} pairs that only one of the models could read are left out`);
    }
    if (both.length === 0) throw new ArgumentError("compare: no pair was read by both models");
    const { rounds, seed } = given;
    const found = compareScores(picked(a, both), picked(b, both), { rng: random(seed), rounds });
    screen.end();
    const data = { models: [first, second], pairs: both.length, skipped, ...found };
    printFound(given, data, describeComparison(first, second, found));
  } finally {
    screen.end();
  }
}

/** A pair's rewards. */
interface Scored {
  readonly r_c: number;
  readonly r_r: number;
}

/** Adds every pair that a model can read, by file and line. */
async function score(
  path: string,
  opened: RewardModelFolder,
  given: Given,
  screen: Display,
  result: Map<string, Scored>,
): Promise<void> {
  const { pairs, chosen, rejected } = await readAndScore("compare", path, opened, given, screen);
  pairs.forEach(({ file, line }, i) => {
    const [r_c = 0, r_r = 0] = [chosen.rewards[i], rejected.rewards[i]];
    result.set(`${file}:${line}`, { r_c, r_r });
  });
}

function picked(all: ReadonlyMap<string, Scored>, places: readonly string[]): PairScores {
  const rows = places.flatMap((place) => all.get(place) ?? []);
  const side = (rewards: Float64Array): Scores => {
    return { rewards, logProbs: new Float64Array(0), counts: new Int32Array(0) };
  };
  return {
    chosen: side(Float64Array.from(rows, ({ r_c }) => r_c)),
    rejected: side(Float64Array.from(rows, ({ r_r }) => r_r)),
  };
}

function describeComparison(first: string, second: string, found: ModelComparison): string {
  const { difference, lossDifference, onlyFirst, onlySecond } = found;
  const { value, low, high, p, rounds } = difference;
  const points = (x: number): string => `${x >= 0 ? "+" : ""}${(100 * x).toFixed(1)}`;
  const sure = p >= 0.05 ? "this could be chance" : `${value > 0 ? first : second} is better`;
  return [
    `${first}: ${share(found.first)}`,
    `${second}: ${share(found.second)}`,
    `difference in points: ${points(value)} [${points(low)}, ${points(high)}], p ${pValue(difference)}: ${sure}`,
    `difference in loss: ${lossDifference.value.toFixed(4)} [${lossDifference.low.toFixed(4)}, ${lossDifference.high.toFixed(4)}], p ${pValue(lossDifference)}`,
    `right on only one side: ${onlyFirst} and ${onlySecond}`,
    `intervals: the paired bootstrap, ${rounds.toLocaleString("en-US")} rounds; p: the sign-flip test, exact where at most ${mostExact} pairs differ; better: p < 0.05`,
  ].join("\n");
}

function pValue({ p }: Difference): string {
  return p < 0.001 ? "< 0.001" : p.toFixed(3);
}
