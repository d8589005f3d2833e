// twoheads eval: how good a reward model is on pairs that it hasn't seen, and what else could explain it;
// several models as one ensemble. Next: ../../grm/evaluation.ts for what is measured, compare.ts for two models.

import { type Command, Option } from "commander";
import { ArgumentError } from "../../core/index.ts";
import { overlapOf } from "../../grm/data/index.ts";
import {
  combineRewards,
  disagreement,
  type EnsembleRule,
  ensembleRules,
  standardize,
} from "../../grm/ensemble.ts";
import {
  type Accuracy,
  accuracyOf,
  type Distribution,
  type Evaluation,
  evaluate,
  type Perplexity,
  textSequences,
} from "../../grm/evaluation.ts";
import type { Pair, Sequence } from "../../grm/pairs.ts";
import type { RewardModelFolder } from "../../grm/rewardModelFiles.ts";
import type { PairScores } from "../../grm/scores.ts";
import { winsOf } from "../../grm/statistics/index.ts";
import {
  type SuiteName,
  type SuiteResult,
  type SuiteSection,
  suiteResult,
  suites,
} from "../../grm/suites.ts";
import { readText } from "../../nn/checkpoints/text.ts";
import { documentsOf, FileError } from "../../nn/index.ts";
import { replaceFile } from "../../nn/node.ts";
import { baseFolder } from "./bases.ts";
import { displayFor, type JsonFlag, jsonOption, printFound } from "./json.ts";
import { wholeNumber } from "./numbers.ts";
import { openRewardModel, type UnfinishedFlag, unfinishedOption } from "./opened.ts";
import { addPreferenceOptions, type PreferenceFlags, readPreferences } from "./preferences.ts";
import type { Display } from "./progress.ts";
import { addReadingOptions, type ReadingFlags, readingOf } from "./reading.ts";
import { baseOf } from "./runs.ts";
import { readAndScore } from "./scored.ts";
import { describeOverlap, hasTrainRun, readRunData, readTrainRun } from "./trainRun.ts";

interface Given extends PreferenceFlags, ReadingFlags, JsonFlag, UnfinishedFlag {
  readonly training?: readonly string[];
  readonly base?: string;
  readonly neutral?: readonly string[];
  readonly neutralTokens: number;
  readonly ensemble?: EnsembleRule;
  readonly lambda: number;
  readonly suite?: SuiteName;
  readonly pairsOut?: string;
  readonly out?: string;
}

const examples = `
A run of twoheads train knows its base and its training pairs, which the comparisons need; for other
folders name them with --base and --training.

Examples:
  $ twoheads eval runs/train-1 --data test.jsonl.gz
  $ twoheads eval runs/train-1 --data hh.jsonl.gz --where split=valid --neutral stories.txt.gz
  $ twoheads eval runs/seed-1 runs/seed-2 runs/seed-3 --data test.jsonl --ensemble min
  $ twoheads eval runs/train-1 --suite rm-bench --data total_dataset.json --pairs-out scored.jsonl
  $ twoheads eval runs/train-1 --data test.jsonl --json > eval.json
`;

/** Adds the command. */
export function addEval(program: Command): void {
  const command = program
    .command("eval")
    .description("measure how good a reward model is on pairs, and what else could explain that")
    .argument(
      "<models...>",
      "folders of reward models; each is evaluated by itself unless --ensemble is given",
    );
  addPreferenceOptions(command);
  addReadingOptions(command);
  command
    .option(
      "--training <files...>",
      "files of the pairs that the model was trained on, for the words-only control (default: the run's)",
    )
    .option(
      "--base <folder>",
      "language model that training began with: a folder or a base's name (default: the run's)",
      baseFolder,
    )
    .option(
      "--neutral <files...>",
      "text files that have nothing to do with the pairs, to see what became of the language model",
    )
    .option(
      "--neutral-tokens <number>",
      "number of tokens of the --neutral text that are read, from its begin",
      wholeNumber,
      50_000,
    )
    .addOption(
      new Option(
        "--ensemble <rule>",
        "evaluate the models together as an ensemble, whose rewards become one number by this rule",
      ).choices([...ensembleRules]),
    )
    .option(
      "--lambda <number>",
      "number of deviations between members that the ensemble rule lower takes off the mean",
      Number,
      1,
    )
    .addOption(
      new Option(
        "--suite <name>",
        "benchmark that --data holds the files of: sections and averages are its own",
      ).choices([...suites]),
    )
    .option(
      "--pairs-out <file>",
      "JSON Lines file that both rewards of every pair are written to, with its file, line and group",
    )
    .option("--out <file>", "JSON file that everything is written to as well")
    .addOption(unfinishedOption())
    .addOption(jsonOption())
    .addHelpText("after", examples)
    .action((models: readonly string[], given: Given) => runEval(models, given));
}

async function runEval(paths: readonly string[], given: Given): Promise<void> {
  const screen = displayFor(given);
  if (given.pairsOut !== undefined && given.ensemble !== undefined) {
    throw new ArgumentError("eval: --pairs-out writes the rewards of models, not of an --ensemble");
  }
  try {
    const results = given.ensemble
      ? [await evaluateEnsemble(paths, given, given.ensemble, screen)]
      : await evaluateAll(paths, given, screen);
    screen.end();
    if (given.pairsOut !== undefined) {
      const lines = results.flatMap(({ lines: own = [] }) => own);
      await replaceFile(given.pairsOut, lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
    }
    const [first] = results;
    const data = results.length === 1 ? first?.data : results.map((result) => result.data);
    if (given.out !== undefined) await replaceFile(given.out, `${JSON.stringify(data)}\n`);
    printFound(given, data, results.map(({ text }) => text).join("\n\n"));
  } finally {
    screen.end();
  }
}

/** What is found, as data and for people. */
interface EvaluationOutput {
  readonly data: object;
  readonly text: string;
  /** Of --pairs-out. */
  readonly lines?: readonly object[];
}

async function evaluateAll(
  paths: readonly string[],
  given: Given,
  screen: Display,
): Promise<EvaluationOutput[]> {
  const results: EvaluationOutput[] = [];
  for (const path of paths) results.push(await evaluateOne(path, given, screen));
  return results;
}

async function evaluateOne(path: string, given: Given, screen: Display): Promise<EvaluationOutput> {
  const opened = openRewardModel(path, given);
  const reader = { ...opened, reading: readingOf(given, opened.reading) };
  const { pairs, report } = await readPreferences("eval", given, reader);
  screen.say(`${path}\n${report}`);
  const run = hasTrainRun(path) ? readTrainRun(path) : null;
  const base = given.base ?? run?.base;
  const neutral = neutralText(given, reader);
  const training = await trainingPairs(path, given, reader, screen);
  const overlap = training === undefined ? null : overlapOf(pairs, training);
  const common = overlap === null ? null : describeOverlap(overlap);
  if (common !== null) screen.say(common);
  let lines: readonly object[] = [];
  let suite: SuiteResult | null = null;
  const found = await evaluate(opened.model, pairs, {
    onScores(scores) {
      lines = pairLines(path, pairs, scores);
      if (given.suite !== undefined) suite = suiteResult(given.suite, pairs, scores);
    },
    training,
    base: base === undefined ? undefined : baseOf(base, (message) => screen.say(message)),
    neutral,
    onProgress: (done) => screen.show(done, `evaluating ${path}`),
  });
  return {
    data: { model: path, read: report, overlap, ...(suite !== null && { suite }), ...found },
    text: [...describeSuite(suite), describeEvaluation(path, found)].join("\n"),
    lines,
  };
}

/** A line for each pair, in their order; correct is 0.5 for a tie. */
function pairLines(
  model: string,
  pairs: readonly Pair[],
  { chosen, rejected }: PairScores,
): object[] {
  return pairs.map(({ file, line, source, places }, i) => {
    const [better = Number.NaN, worse = Number.NaN] = [chosen.rewards[i], rejected.rewards[i]];
    const correct = better === worse ? 0.5 : Number(better > worse);
    return { model, file, line, source, places, chosen: better, rejected: worse, correct };
  });
}

/** The begin of the neutral files, as sequences that are labelled throughout. */
function neutralText(
  { neutral = [], neutralTokens }: Given,
  { tokenizer, reading }: RewardModelFolder,
): Sequence[] {
  const documents = neutral.flatMap((file) => documentsOf(readText(file), "<|endoftext|>"));
  const kept: Sequence[] = [];
  let tokens = 0;
  for (const document of documents) {
    for (const sequence of textSequences([document], tokenizer, reading.maxLength)) {
      if (tokens >= neutralTokens) return kept;
      kept.push(sequence);
      tokens += sequence.ids.length;
    }
  }
  return kept;
}

/** The pairs that a model was trained on, if they are named or its run knows them. */
async function trainingPairs(
  path: string,
  { training }: Given,
  reader: RewardModelFolder,
  screen: Display,
): Promise<readonly Pair[] | undefined> {
  if (training !== undefined) {
    return (await readPreferences("eval", { data: training }, reader)).pairs;
  }
  if (!hasTrainRun(path)) return undefined;
  try {
    return (await readRunData(readTrainRun(path), reader)).training;
  } catch (error) {
    if (!(error instanceof FileError)) throw error;
    screen.say(`no words-only control, as the training pairs can't be read: ${error.message}`);
    return undefined;
  }
}

async function evaluateEnsemble(
  paths: readonly string[],
  given: Given,
  rule: EnsembleRule,
  screen: Display,
): Promise<EvaluationOutput> {
  const members: { chosen: Float64Array; rejected: Float64Array; pairs: readonly Pair[] }[] = [];
  for (const path of paths) {
    const opened = openRewardModel(path, given);
    const { pairs, chosen, rejected } = await readAndScore("eval", path, opened, given, screen);
    const scale = [...chosen.rewards, ...rejected.rewards];
    const side = (rewards: Float64Array): Float64Array => standardize(rewards, scale);
    members.push({ chosen: side(chosen.rewards), rejected: side(rejected.rewards), pairs });
  }
  const [first] = members;
  if (members.some(({ pairs }) => pairs.length !== first?.pairs.length)) {
    throw new ArgumentError(
      "eval: the members read other pairs out of the same files; an ensemble needs one tokenizer and one --max-length",
    );
  }
  const [chosen, rejected] = [members.map((m) => m.chosen), members.map((m) => m.rejected)];
  const { lambda } = given;
  const combined = [chosen, rejected].map((side) => combineRewards(side, { rule, lambda }));
  const alone = members.map((m, i) => {
    return { model: paths[i], accuracy: accuracyOf(winsOf(m.chosen, m.rejected)) };
  });
  const accuracy = accuracyOf(winsOf(combined[0] ?? [], combined[1] ?? []));
  const apart = disagreement(chosen, rejected);
  const text = [
    `ensemble of ${paths.length}, rule ${rule}, rewards standardized`,
    ...alone.map(({ model, accuracy: own }) => `  ${model}: ${share(own)}`),
    `  together: ${share(accuracy)}`,
    `  members disagree on ${percent(apart.pairs)} of the pairs; deviation ${apart.deviation.toFixed(3)}`,
  ].join("\n");
  return { data: { rule, members: alone, accuracy, disagreement: apart }, text };
}

// --- For people --------------------------------------------------------------------------------------

const percent = (x: number): string => `${(100 * x).toFixed(1)} %`;
const fixed = (x: number | null | undefined, digits = 3): string =>
  x === null || x === undefined ? "-" : x.toFixed(digits);

/** 81.2 % [78.9 %, 83.4 %] of 1,200 pairs, 3 ties */
export function share({ value, low, high, count, ties }: Accuracy): string {
  const tied = ties === 0 ? "" : `, ${ties} ties`;
  const of = count.toLocaleString("en-US");
  return `${percent(value)} [${percent(low)}, ${percent(high)}] of ${of} pairs${tied}`;
}

/** A benchmark's average, its sections and, one step in, their parts. */
function describeSuite(result: SuiteResult | null): string[] {
  if (result === null) return [];
  const line = ({ name, score, rows }: SuiteSection): string =>
    `${name}: ${percent(score)} of ${rows.toLocaleString("en-US")}`;
  return [
    `${result.suite}: ${percent(result.score)}`,
    ...result.sections.map((one) => `  ${line(one)}`),
    ...result.subsets.map((one) => `    ${line(one)}`),
  ];
}

function describeEvaluation(path: string, found: Evaluation): string {
  const { accuracy, bySource, controls, calibration, length, margins, rewards } = found;
  const sources = Object.entries(bySource);
  const { temperature } = calibration;
  return [
    `${path}: ${share(accuracy)}`,
    ...(sources.length > 1 ? sources.map(([source, own]) => `  ${source}: ${share(own)}`) : []),
    "without reading:",
    `  the longer answer wins: ${share(controls.longer)}`,
    `  words only: ${controls.words === null ? "not fitted; --training names pairs" : share(controls.words)}`,
    `loss ${fixed(found.loss, 4)}, calibration error ${percent(calibration.ece)}, Brier ${fixed(calibration.brier)}, ` +
      `temperature ${temperature === null ? "none fits" : fixed(temperature, 2)}`,
    ...calibrationTable(found),
    `rewards: chosen ${fixed(rewards.chosen.mean)} ± ${fixed(rewards.chosen.deviation)}, rejected ` +
      `${fixed(rewards.rejected.mean)} ± ${fixed(rewards.rejected.deviation)}; with length: r ${fixed(length.pearson, 2)}, ranks ${fixed(length.spearman, 2)}`,
    `  chosen    ${histogramLine(rewards.chosen)}`,
    `  rejected  ${histogramLine(rewards.rejected)}`,
    `  margins   ${histogramLine(margins)}`,
    "perplexity of the language model's head (of the base):",
    ...Object.entries(found.languageModel).map(
      ([name, side]) => `  ${name}: ${perplexities(side)}`,
    ),
  ].join("\n");
}

function calibrationTable({ calibration }: Evaluation): string[] {
  return calibration.bins
    .filter(({ count }) => count > 0)
    .map(
      ({ low, high, count, confidence, accuracy }) =>
        `  sure to ${percent(low)} - ${percent(high)}: ${percent(confidence ?? 0)} on average, right ${percent(accuracy ?? 0)} of ${count}`,
    );
}

function perplexities(side: Perplexity | null): string {
  if (side === null) return "no text given; --neutral names some";
  const base = side.base === null ? "" : ` (${fixed(side.base, 2)})`;
  return `${fixed(side.model, 2)}${base} on ${side.tokens.toLocaleString("en-US")} tokens`;
}

/** A histogram as one line of blocks, with its ends. */
function histogramLine({ histogram: { edges, counts } }: Distribution): string {
  const most = Math.max(1, ...counts);
  const blocks = counts.map((n) => " ▁▂▃▄▅▆▇█"[Math.ceil((8 * n) / most)] ?? " ").join("");
  return `${fixed(edges[0], 2).padStart(7)} ${blocks} ${fixed(edges.at(-1), 2)}`;
}
