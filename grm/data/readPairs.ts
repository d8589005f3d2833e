// Preference data from files to pairs of token sequences, with a report on every line. Files are in memory
// here, as a browser has them; onDisk.ts reads them from paths. Next: formats.ts for the forms that are read, sequences.ts for the tokens, report.ts for the report.

import { ArgumentError } from "../../core/index.ts";
import { accept, signature } from "../../core/signature.ts";
import type { Field } from "../../nn/checkpoints/json.ts";
import { FileError, type Files, type Tokenizer } from "../../nn/index.ts";
import type { Pair } from "../pairs.ts";
import { type Comparison, comparisonOf } from "./formats.ts";
import {
  type Line,
  type LineSource,
  mostLineBytes,
  parseLine,
  sourcesOf,
  writtenLines,
} from "./lines.ts";
import { PairReport, type Place, type Reason } from "./report.ts";
import { cutToLength, encodeJudged, hasLabels, sequenceOf, type Truncation } from "./sequences.ts";
import { type ChatTemplate, type Judged, transcript } from "./template.ts";

/** What readPairs takes. */
export const takes = signature(
  "readPairs",
  "files: any[], { tokenizer: object, maxLength: number, truncation?: string, template?: object, " +
    "limit?: number, where?: object, lenient?: boolean, mostLineBytes?: number }",
);

/** How pairs of texts become pairs of token sequences. */
export interface ReadPairsOptions {
  readonly tokenizer: Tokenizer;
  /** The longest sequence in tokens, begin and end token included. */
  readonly maxLength: number;
  /** What to do with longer ones; "prompt" unless said. */
  readonly truncation?: Truncation;
  /** How conversations are written; `transcript` unless said. */
  readonly template?: ChatTemplate;
  /** Stops when there are so many pairs. */
  readonly limit?: number;
  /** Takes only lines whose fields have these values, such as { split: "train" }. */
  readonly where?: Readonly<Record<string, string>>;
  /** Counts malformed lines and goes on, in place of stopping at the first. */
  readonly lenient?: boolean;
  /** The longest line in bytes; 16 MiB unless said. */
  readonly mostLineBytes?: number;
}

/** Pairs, and what became of each line. */
export interface ReadPairs {
  readonly pairs: Pair[];
  readonly report: PairReport;
}

/**
 * Pairs from files of JSON Lines in memory, plain or .gz, one after the other. A malformed line is a
 * FileError that names file and line, unless `lenient`; files without a single pair are an ArgumentError that
 * holds the report.
 */
export function pairsFromFiles(files: Files, options: ReadPairsOptions): Promise<ReadPairs> {
  return pairsOf(sourcesOf(files), options);
}

/** The same from files whose lines come as they are asked for. */
export async function pairsOf(
  files: readonly LineSource[],
  options: ReadPairsOptions,
): Promise<ReadPairs> {
  accept(takes, arguments);
  check(files, options);
  const { limit = Number.POSITIVE_INFINITY, mostLineBytes: most = mostLineBytes } = options;
  const report = new PairReport();
  const pairs: Pair[] = [];
  for (const source of files) {
    const { file } = source;
    const before = pairs.length;
    let lines = 0;
    let stopped = before >= limit;
    for await (const line of stopped ? [] : writtenLines(source, most)) {
      lines++;
      const pair = readLine(file, line, options, report);
      if (pair !== null) pairs.push(pair);
      stopped = pairs.length >= limit;
      if (stopped) break;
    }
    report.addFile({ file, lines, pairs: pairs.length - before, stopped });
  }
  if (pairs.length === 0) throw new ArgumentError(`readPairs: there is no pair to use\n${report}`);
  return { pairs, report };
}

function check(files: readonly LineSource[], { maxLength, limit = 1 }: ReadPairsOptions): void {
  if (files.length === 0) throw new ArgumentError("readPairs: name at least one file");
  for (const [name, value] of Object.entries({ maxLength, limit })) {
    if (Number.isSafeInteger(value) && value > 0) continue;
    throw new ArgumentError(`readPairs: ${name} is ${value}, needed a whole number > 0`);
  }
}

/** The pair in a line, or null, with the reason in the report. */
function readLine(
  file: string,
  line: Line,
  options: ReadPairsOptions,
  report: PairReport,
): Pair | null {
  const place = { file, line: line.line };
  let comparison: Comparison;
  try {
    const field = parseLine(file, line, options.mostLineBytes);
    if (!isSelected(field, options.where)) return drop(report, "unselected", place);
    comparison = comparisonOf(field);
  } catch (error) {
    if (!options.lenient || !(error instanceof FileError)) throw error;
    return drop(report, "malformed", place, error.message);
  }
  const problem = problemOf(comparison);
  return problem === null
    ? encodePair(comparison, place, options, report)
    : drop(report, problem, place);
}

function drop(report: PairReport, reason: Reason, place: Place, problem?: string): null {
  report.add(reason, place, problem);
  return null;
}

function isSelected(line: Field, where: Readonly<Record<string, string>> = {}): boolean {
  return Object.entries(where).every(([name, value]) => String(line.get(name).value) === value);
}

/** Why a comparison says nothing, before anything is encoded. */
function problemOf({ chosen, rejected, margin }: Comparison): Reason | null {
  if (margin === 0) return "tied";
  if ([chosen, rejected].some(({ answer }) => answer.trim() === "")) return "empty";
  return answerTheSame(chosen, rejected) ? null : "otherPrompt";
}

/** Whether two answers are to the same: where each side goes on from its own earlier answers, they may differ. */
function answerTheSame({ prompt: a }: Judged, { prompt: b }: Judged): boolean {
  if (typeof a === "string" || typeof b === "string") return a === b;
  return (
    a.length === b.length &&
    a.every(({ role, content }, i) => {
      return b[i]?.role === role && (role === "assistant" || b[i]?.content === content);
    })
  );
}

/** Tokens of both sides, cut to length. */
function encodePair(
  { chosen, rejected, margin, source }: Comparison,
  place: Place,
  { tokenizer, maxLength, truncation = "prompt", template = transcript }: ReadPairsOptions,
  report: PairReport,
): Pair | null {
  const sides = [chosen, rejected].map((judged) => encodeJudged(judged, tokenizer, template));
  if (areEqual(sides.map((side) => sequenceOf(side).ids))) return drop(report, "identical", place);
  const { sequences, wasCut } = cutToLength(sides, maxLength, truncation);
  if (sequences === null) return drop(report, "tooLong", place);
  const [left, right] = sequences;
  if (left === undefined || right === undefined || !sequences.every(hasLabels)) {
    return drop(report, "masked", place);
  }
  if (areEqual([left.ids, right.ids])) return drop(report, "identicalAfterCut", place);
  if (wasCut) report.add(truncation === "prompt" ? "cutPrompt" : "cutAnswer", place);
  return {
    chosen: left,
    rejected: right,
    file: place.file,
    line: place.line,
    ...(margin !== undefined && { margin }),
    ...(source !== undefined && { source }),
  };
}

function areEqual([a, b]: readonly Int32Array[]): boolean {
  return a?.length === b?.length && a?.every((id, i) => id === b?.[i]) === true;
}
