// twoheads data: what would be read from files of preferences, before anything is trained on it: how many pairs, what
// is dropped and why, which layout was recognised, and the first pair as the model sees it.
// Next: ../../grm/data/layouts/table.ts for the layouts, train.ts for what trains on the pairs.

import type { Command } from "commander";
import { layouts, type PairLayout, type PairReport, templates } from "../../grm/data/index.ts";
import type { Pair, Sequence } from "../../grm/pairs.ts";
import { loadRewardModel } from "../../grm/rewardModelFolder.ts";
import { ByteTokenizer, configFromHF, type Tokenizer } from "../../nn/index.ts";
import { loadTokenizer, readConfig } from "../../nn/node.ts";
import { baseFolder } from "./bases.ts";
import { type JsonFlag, jsonOption, printFound } from "./json.ts";
import {
  addPreferenceOptions,
  type PreferenceFlags,
  type Reader,
  readPreferences,
} from "./preferences.ts";
import { addReadingOptions, type ReadingFlags, readingOf, templateOf } from "./reading.ts";

interface Given extends PreferenceFlags, ReadingFlags, JsonFlag {
  readonly base?: string;
  readonly layouts?: boolean;
}

const examples = `
A file of pairs has an object a line, or a row a pair:
  {"prompt": "What is the sky?", "chosen": "Blue, mostly.", "rejected": "Green."}
and may have "margin" (by how much the chosen answer was rated better) and "source" (what results are grouped by).
--layouts lists the other layouts that are recognised by their columns.

Examples:
  $ twoheads data pairs.jsonl
  $ twoheads data pairs.csv --prompt-key task --chosen-key good --rejected-key bad
  $ twoheads data train-00000-of-00001.parquet --base runs/pretrain-1 --json
  $ twoheads data --layouts
`;

/** Adds the command. */
export function addData(program: Command): void {
  const command = program
    .command("data")
    .description(
      "show what would be read from files of preferences: counts, drops, and the first pair",
    )
    .argument("[files...]", "files of preference pairs, of any kind that train reads")
    .option(
      "--base <folder>",
      "model whose tokens, length and template are used: a folder or a base's name (default: bytes, uncut)",
      baseFolder,
    )
    .option("--layouts", "list the layouts that are recognised, and which data sets have them");
  addPreferenceOptions(command);
  addReadingOptions(command);
  command
    .addOption(jsonOption())
    .addHelpText("after", examples)
    .action((files: readonly string[], given: Given) => runData(files, given));
}

async function runData(files: readonly string[], given: Given): Promise<void> {
  if (given.layouts) {
    printFound(given, layouts, layouts.map(describeLayout).join("\n"));
    return;
  }
  const reader = readerOf(given);
  const data = [...files, ...(given.data ?? [])];
  const { pairs, report } = await readPreferences("data", { ...given, data }, reader);
  const prompts = new Set(pairs.map(({ promptKey }, i) => promptKey ?? `pair ${i}`)).size;
  const [first] = pairs;
  const { tokenizer } = reader;
  const found = { ...report.toJSON(), prompts, first: first && shownPair(first, tokenizer) };
  printFound(given, found, describe(report, pairs, prompts, tokenizer));
}

const describeLayout = ({ name, seen }: PairLayout): string => `${name.padEnd(38)} ${seen}`;

/** How a model would read; bytes of any length where none is named. */
function readerOf(given: Given): Reader {
  const { base } = given;
  const template = templates.transcript;
  if (template === undefined) throw new Error("there is a template called transcript");
  const otherwise = { truncation: "prompt", template } as const;
  if (base === undefined) {
    const special = { bos: "<s>", eos: "</s>" };
    return {
      tokenizer: new ByteTokenizer({ special }),
      reading: readingOf(given, { maxLength: 2 ** 30, ...otherwise }),
    };
  }
  const raw = readConfig(base);
  if (raw.vhead_layer_type !== undefined) {
    const { tokenizer, reading } = loadRewardModel(base);
    return { tokenizer, reading: readingOf(given, reading) };
  }
  const config = configFromHF(raw);
  const context = config.style === "lstm" ? 1024 : config.context;
  const maxLength = Math.min(context, 1024); // as train has it
  const { template: own } = templateOf(base);
  const reading = readingOf(given, { ...otherwise, maxLength, template: own });
  return { tokenizer: loadTokenizer(base), reading };
}

/** A side of a pair: what is masked, and what carries text-generation loss. */
interface Shown {
  readonly masked: string;
  readonly answer: string;
  readonly tokens: number;
  readonly maskedTokens: number;
}

function shownPair({ chosen, rejected, line, margin, source }: Pair, tokenizer: Tokenizer) {
  const side = ({ ids, labels }: Sequence): Shown => {
    const border = labels.findIndex((label) => label >= 0);
    const text = (from: number, to?: number): string => tokenizer.decode(ids.slice(from, to));
    return {
      masked: text(0, border),
      answer: text(border),
      tokens: ids.length,
      maskedTokens: border,
    };
  };
  return { line, margin, source, chosen: side(chosen), rejected: side(rejected) };
}

function describe(
  report: PairReport,
  pairs: readonly Pair[],
  prompts: number,
  tokenizer: Tokenizer,
): string {
  const [pair] = pairs;
  if (pair === undefined) return String(report);
  const first = shownPair(pair, tokenizer);
  const extras = Object.entries({ margin: first.margin, source: first.source });
  const said = extras.flatMap(([name, value]) =>
    value === undefined ? [] : [`, ${name} ${value}`],
  );
  const longest = Math.max(
    ...pairs.flatMap(({ chosen, rejected }) => [chosen.ids.length, rejected.ids.length]),
  );
  const side = (name: string, { masked, answer, tokens, maskedTokens }: Shown): string =>
    `\n${name} (${tokens} tokens, ${maskedTokens} of them masked):\n⟦${masked}⟧${answer}`;
  return [
    String(report),
    `${prompts.toLocaleString("en-US")} prompts; the longest sequence has ${longest.toLocaleString("en-US")} tokens`,
    "",
    `the first pair (line ${first.line}${said.join("")}) as a model sees it; what stands between ⟦ and ⟧ is masked: it carries no text-generation loss`,
    side("chosen", first.chosen),
    side("rejected", first.rejected),
  ].join("\n");
}
