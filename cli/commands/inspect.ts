// twoheads inspect: a look into one reward model, or two beside each other, on pairs: where the losses
// push, how far the hidden states have moved, what the language model still knows, what a reward is owed
// to. Prints tables, all numbers as JSON, or writes the page.
// Next: ../../grm/inspect/inspect.ts.

import { type Command, Option } from "commander";
import { ArgumentError, random } from "../../core/index.ts";
import { textSequences } from "../../grm/evaluation.ts";
import { type Inspection, inspectionJson, inspectModels } from "../../grm/inspect/inspect.ts";
import type { Pair } from "../../grm/pairs.ts";
import { methods, type TrainMethod } from "../../grm/trainer/objective.ts";
import { asPair, type SplitName, spelled, spelledPairs, splits } from "../../lab/worlds/index.ts";
import { fileExists, joinPath } from "../../nn/checkpoints/files.ts";
import { readText } from "../../nn/checkpoints/text.ts";
import { replaceFile } from "../../nn/node.ts";
import { baseFolder } from "./bases.ts";
import { inspectionText } from "./inspectionText.ts";
import { displayFor, type JsonFlag, jsonOption } from "./json.ts";
import { wholeNumber } from "./numbers.ts";
import { openRewardModel, type UnfinishedFlag, unfinishedOption } from "./opened.ts";
import { readPreferences, type Where, where } from "./preferences.ts";
import { addReadingOptions, type ReadingFlags, readingOf } from "./reading.ts";
import { baseOf, lossesOf, namesOf, probesFor, readsAlike } from "./runs.ts";
import { hasTrainRun, readRunData, readTrainRun } from "./trainRun.ts";

interface Given extends ReadingFlags, JsonFlag, UnfinishedFlag {
  readonly pairs?: readonly string[];
  readonly world?: SplitName;
  readonly base?: string;
  readonly where?: Where;
  readonly limit: number;
  readonly lenient?: boolean;
  readonly neutral?: readonly string[];
  readonly method?: TrainMethod;
  readonly alpha?: number;
  readonly beta?: number;
  readonly shown: number;
  readonly seed: number;
  readonly html?: string;
}

const examples = `
Examples:
  $ twoheads inspect runs/grm                                 on the pairs that it was evaluated on
  $ twoheads inspect runs/bt runs/grm --html both.html        two side by side, as a page
  $ twoheads inspect runs/demo/bt runs/demo/grm-sft --world all
  $ twoheads inspect runs/grm --pairs other.jsonl --base runs/pretrain-1 --json
`;

/** Adds the command. */
export function addInspect(program: Command): void {
  const regularized = Object.keys(methods).filter(
    (m) => "regularizer" in methods[m as TrainMethod],
  );
  const command = program
    .command("inspect")
    .description("look into one reward model or two: gradients, hidden states, tokens, attention")
    .argument("<run>", "folder of a reward model")
    .argument("[second]", "folder of another reward model, to be shown beside the first")
    .option(
      "--pairs <files...>",
      "files of preference pairs to look at (default: those that the run was evaluated on)",
    )
    .addOption(
      new Option(
        "--world <split>",
        "look at pairs of this split of the demo's world, in place of --pairs",
      ).choices(Object.keys(splits)),
    )
    .option(
      "--base <folder>",
      "language model that training began with: a folder or a base's name (default: the run's)",
      baseFolder,
    )
    .option(
      "--where <field=value>",
      "take only pairs whose line has this value in this field; may be given several times",
      where,
    )
    .option("--limit <number>", "largest number of pairs that are read", wholeNumber, 200)
    .option("--lenient", "count malformed lines and go on, in place of stopping at the first")
    .option(
      "--neutral <files...>",
      "text files that have nothing to do with the pairs, to see what the language model still knows",
    );
  addReadingOptions(command)
    .addOption(
      new Option(
        "--method <name>",
        "method whose losses are looked at (default: the run's)",
      ).choices(regularized),
    )
    .option(
      "--alpha <number>",
      "weight alpha of the text-generation loss, from 0 to 1 (default: the run's)",
      Number,
    )
    .option(
      "--beta <number>",
      "factor beta inside the sigmoid of the text-generation loss (default: the run's)",
      Number,
    )
    .option("--shown <number>", "number of pairs that are shown token by token", wholeNumber, 3)
    .option("--seed <number>", "seed that texts and pairs are drawn by", Number, 0)
    .option("--html <file>", "HTML file that a page with all figures is written to")
    .addOption(unfinishedOption())
    .addOption(jsonOption())
    .addHelpText("after", examples)
    .action((first: string, second: string | undefined, given: Given) =>
      runInspect(second === undefined ? [first] : [first, second], given),
    );
}

async function runInspect(paths: readonly string[], given: Given): Promise<void> {
  const screen = displayFor(given);
  try {
    const options = await prepare(paths, given, screen.say);
    const found = await inspectModels({
      ...options,
      onProgress: (done, next) => screen.show(done, next),
    });
    screen.end();
    if (given.html !== undefined) await writeHtml(given.html, found);
    if (given.json) console.log(inspectionJson(found));
    else console.log(inspectionText(found));
    if (given.html !== undefined && !given.json) console.log(`\nthe page: ${given.html}`);
  } finally {
    screen.end();
  }
}

/** Models, base and pairs; an ArgumentError says what is missing. */
async function prepare(
  paths: readonly string[],
  given: Given,
  say: (message: string) => void,
): Promise<Parameters<typeof inspectModels>[0]> {
  const names = namesOf(paths);
  const models = paths.map((path) => openRewardModel(path, given));
  const [first] = models as [(typeof models)[number]];
  const { tokenizer } = first;
  if (models.some((other) => !readsAlike(other.tokenizer, tokenizer))) {
    throw new ArgumentError(
      "inspect: the two models read text with different tokenizers, and can't be held against each other token by token; inspect one at a time",
    );
  }
  const runs = paths.filter(hasTrainRun).map(readTrainRun);
  const beside = joinPath(paths[0] ?? "", "base"); // where the demo keeps it
  const folder = given.base ?? runs[0]?.base ?? (fileExists(beside) ? beside : undefined);
  const base = folder === undefined ? undefined : baseOf(folder, say);
  if (base === undefined) {
    throw new ArgumentError(
      "inspect: name the language model that training began with, --base FOLDER",
    );
  }
  const reading = readingOf(given, first.reading);
  const neutral = (given.neutral ?? []).flatMap((file) =>
    textSequences([readText(file)], tokenizer, reading.maxLength),
  );
  const own = lossesOf(runs.map(({ settings }) => settings));
  const { method, alpha, beta } = given;
  return {
    models: models.map(({ model }, i) => ({ name: names[i] ?? "", model })),
    base,
    tokenizer,
    pairs: await pairsOf(paths[0] ?? "", given, { tokenizer, reading }),
    neutral: neutral.slice(0, 100),
    losses: { ...own, ...(method && { method }), ...(alpha && { alpha }), ...(beta && { beta }) },
    shown: given.shown,
    probes: probesFor(tokenizer),
    seed: given.seed,
  };
}

async function pairsOf(
  path: string,
  { pairs: data, world, where: fields, limit, lenient, seed }: Given,
  reader: Parameters<typeof readPreferences>[2],
): Promise<readonly Pair[]> {
  if (world !== undefined) {
    if (!readsAlike(reader.tokenizer, spelled.tokenizer)) {
      throw new ArgumentError("inspect: the model doesn't read the words of the demo's world");
    }
    const drawn = spelledPairs(world, limit, { labels: "true" }, random(`inspect ${seed}`));
    return drawn.map((comparison) => asPair(spelled, comparison, world));
  }
  if (data === undefined) {
    if (!hasTrainRun(path)) {
      throw new ArgumentError(
        `inspect: ${path} has no run.json that would say what it was trained on; name the pairs, --pairs FILE... or --world SPLIT`,
      );
    }
    const { validation, training } = await readRunData(readTrainRun(path), reader);
    return (validation.length > 0 ? validation : training).slice(0, limit);
  }
  const flags = { data, limit, ...(fields && { where: fields }), ...(lenient && { lenient }) };
  const { pairs, report } = await readPreferences("inspect", flags, reader);
  if (pairs.length > 0) return pairs;
  throw new ArgumentError(`inspect: no pair can be read\n${report}`);
}

async function writeHtml(path: string, inspection: Inspection): Promise<void> {
  const { inspectionPage } = await import("../../report/rewardPage.ts"); // with what it takes to draw
  await replaceFile(path, inspectionPage(inspection));
}
