// Preference data as options of a command: which files, which of their lines, and how many.
// Next: ../../grm/data/readPairs.ts, reading.ts.

import { type Command, InvalidArgumentError } from "commander";
import { ArgumentError } from "../../core/index.ts";
import type { Keys, PairReport, Reading } from "../../grm/data/index.ts";
import { readPairs } from "../../grm/data/onDisk.ts";
import type { Pair } from "../../grm/pairs.ts";
import type { Tokenizer } from "../../nn/index.ts";
import { wholeNumber } from "./numbers.ts";

/** Fields of a line and the values that they must have. */
export type Where = Readonly<Record<string, string>>;

export interface PreferenceFlags {
  readonly data?: readonly string[];
  readonly where?: Where;
  readonly limit?: number;
  readonly lenient?: boolean;
  readonly promptKey?: string;
  readonly chosenKey?: string;
  readonly rejectedKey?: string;
  readonly groupBy?: string;
}

/** The columns that flags name; undefined where they name none. */
export function keysOf({
  promptKey,
  chosenKey,
  rejectedKey,
  groupBy,
}: PreferenceFlags): Keys | undefined {
  const named = { prompt: promptKey, chosen: chosenKey, rejected: rejectedKey, source: groupBy };
  const given = Object.entries(named).filter(([, name]) => name !== undefined);
  return given.length === 0 ? undefined : Object.fromEntries(given);
}

/** For commander: adds field=value to what was given before. */
export function where(text: string, before: Where = {}): Where {
  const [, field, value] = /^([^=]+)=(.*)$/.exec(text) ?? [];
  if (field === undefined || value === undefined) {
    throw new InvalidArgumentError("Needs field=value, such as split=train.");
  }
  return { ...before, [field]: value };
}

/** What files of pairs and of answers may be. */
export const kindsOfFiles = "JSON Lines, a JSON array, CSV, TSV or Parquet, plain or .gz";

export function addPreferenceOptions(command: Command): Command {
  return command
    .option("--data <files...>", `files of preference pairs: ${kindsOfFiles}`)
    .option(
      "--where <field=value>",
      "take only pairs whose line has this value in this field; may be given several times",
      where,
    )
    .option("--limit <number>", "largest number of pairs that are read (default: all)", wholeNumber)
    .option("--lenient", "count malformed lines and go on, in place of stopping at the first")
    .option(
      "--prompt-key <column>",
      'column that holds the prompt, such as task or question.text; "" says that there is none (default: the usual names)',
    )
    .option("--chosen-key <column>", "column that holds the better answer (default: chosen)")
    .option("--rejected-key <column>", "column that holds the worse answer (default: rejected)")
    .option(
      "--group-by <column>",
      "column whose values results are grouped by (default: source, subset, domain or category)",
    );
}

/** Where a model reads text: its tokens, and how they are laid out. */
export interface Reader {
  readonly tokenizer: Tokenizer;
  readonly reading: Reading;
}

export interface ReadPreferences {
  readonly pairs: Pair[];
  readonly report: PairReport;
}

/** Reads the pairs that flags name. */
export function readPreferences(
  command: string,
  { data, where: fields, limit, lenient, ...flags }: PreferenceFlags,
  { tokenizer, reading }: Reader,
): Promise<ReadPreferences> {
  if (data === undefined || data.length === 0) {
    throw new ArgumentError(`${command}: name the preference pairs, --data FILE...`);
  }
  const keys = keysOf(flags);
  return readPairs(data, {
    tokenizer,
    ...reading,
    ...(fields !== undefined && { where: fields }),
    ...(limit !== undefined && { limit }),
    ...(lenient !== undefined && { lenient }),
    ...(keys && { keys }),
  });
}
