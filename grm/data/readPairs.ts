// Preference data from files to pairs of token sequences, with a report on every line. Files are in memory
// here, as a
// browser has them; onDisk.ts reads them from paths. Next: formats.ts for the forms that are read, sequences.ts for
// the tokens, report.ts for the report.

import { ArgumentError } from "../../core/index.ts";
import { accept, signature } from "../../core/signature.ts";
import type { Field } from "../../nn/checkpoints/json.ts";
import { FileError, type Files, type Tokenizer } from "../../nn/index.ts";
import type { Pair } from "../pairs.ts";
import type { FileKind } from "./fileKinds.ts";
import { type Comparison, pairsIn, type RowRead, readRow } from "./formats.ts";
import type { Keys } from "./layouts/columns.ts";
import { promptKeyOf } from "./promptKey.ts";
import { PairReport, type Place, type Reason } from "./report.ts";
import { type DataRow, type RowSource, sourcesOf } from "./rows.ts";
import { cutToLength, encodeJudged, hasLabels, sequenceOf, type Truncation } from "./sequences.ts";
import { type ChatTemplate, type Judged, transcript } from "./template.ts";

/** What readPairs takes. */
export const takes = signature(
  "readPairs",
  "files: any[], { tokenizer: object, maxLength: number, truncation?: string, template?: object, " +
    "limit?: number, where?: object, keys?: object, lenient?: boolean, mostLineBytes?: number }",
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
  /** The columns of prompt, answers and source, where they have other names than the usual ones. */
  readonly keys?: Keys;
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
 * Pairs from files of JSON Lines or JSON arrays in memory, plain or .gz, one after the other. A malformed line is a
 * FileError that names file and line, unless `lenient`; files without a single pair are an ArgumentError that
 * holds the report.
 */
export function pairsFromFiles(files: Files, options: ReadPairsOptions): Promise<ReadPairs> {
  return pairsOf(sourcesOf(files), options);
}

/** The same from files whose rows come as they are asked for. */
export async function pairsOf(
  files: readonly RowSource[],
  options: ReadPairsOptions,
): Promise<ReadPairs> {
  accept(takes, arguments);
  check(files, options);
  const { limit = Number.POSITIVE_INFINITY, mostLineBytes: most } = options;
  const report = new PairReport();
  const pairs: Pair[] = [];
  for (const { file, rows } of files) {
    const before = pairs.length;
    let lines = 0;
    let kind: FileKind | undefined;
    let stopped = before >= limit;
    const reader = new RowReader(file, options, report);
    const found = (told: FileKind): void => {
      kind = told;
    };
    for await (const row of stopped ? [] : rows(most, found)) {
      lines++;
      pairs.push(...reader.read(row));
      stopped = pairs.length >= limit;
      if (stopped) break;
    }
    pairs.push(...reader.end());
    pairs.length = Math.min(pairs.length, limit);
    report.addFile({
      file,
      kind,
      layouts: reader.layouts,
      lines,
      pairs: pairs.length - before,
      stopped,
    });
  }
  if (pairs.length === 0) throw new ArgumentError(`readPairs: there is no pair to use\n${report}`);
  return { pairs, report };
}

function check(files: readonly RowSource[], { maxLength, limit = 1 }: ReadPairsOptions): void {
  if (files.length === 0) throw new ArgumentError("readPairs: name at least one file");
  for (const [name, value] of Object.entries({ maxLength, limit })) {
    if (Number.isSafeInteger(value) && value > 0) continue;
    throw new ArgumentError(`readPairs: ${name} is ${value}, needed a whole number > 0`);
  }
}

/** A row that was read, its place and its field. */
interface Placed {
  readonly read: RowRead;
  readonly place: Place;
  readonly row: Field;
}

/** Rows of a file to pairs. Rows of one answer each are kept until another prompt comes. */
class RowReader {
  /** How many rows were of each layout. */
  readonly layouts: Record<string, number> = {};
  #same: Placed[] = [];

  constructor(
    readonly file: string,
    readonly options: ReadPairsOptions,
    readonly report: PairReport,
  ) {}

  /** The pairs that a row gives or completes. */
  read(row: DataRow): Pair[] {
    const placed = this.#placed(row);
    if (placed === null) return [];
    const { name, single } = placed.read.layout;
    this.layouts[name] = (this.layouts[name] ?? 0) + 1;
    if (!single) return [...this.end(), ...this.#pairs(placed)];
    const before = isSamePrompt(this.#same[0], placed) ? [] : this.end();
    this.#same.push(placed);
    return before;
  }

  /** The pairs of the rows that were kept. */
  end(): Pair[] {
    const [first, ...others] = this.#same;
    this.#same = [];
    if (first === undefined) return [];
    if (others.length === 0) this.report.add("unpaired", first.place);
    const answers = [first, ...others].flatMap(({ read }) => read.answers);
    return this.#pairs({ ...first, read: { ...first.read, answers } });
  }

  #placed(row: DataRow): Placed | null {
    const place = { file: this.file, line: row.line };
    try {
      const field = row.read();
      if (!isSelected(field, this.options.where)) return drop(this.report, "unselected", place);
      return { read: readRow(field, this.options.keys), place, row: field };
    } catch (error) {
      if (!this.options.lenient || !(error instanceof FileError)) throw error;
      return drop(this.report, "malformed", place, error.message);
    }
  }

  #pairs({ read, place, row }: Placed): Pair[] {
    for (const { reason, problem } of read.notes) this.report.add(reason, place, problem);
    return pairsIn(read, row).flatMap((comparison) => {
      const problem = problemOf(comparison);
      if (problem !== null) return drop(this.report, problem, place) ?? [];
      return encodePair(comparison, place, this.options, this.report) ?? [];
    });
  }
}

function isSamePrompt(a: Placed | undefined, b: Placed): boolean {
  const [one, other] = [a, b].map((placed) => placed?.read.answers[0]?.judged);
  return one === undefined || other === undefined || answerTheSame(one, other);
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
  { chosen, rejected, margin, source, id, places }: Comparison,
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
    ...(id !== undefined && { id }),
    ...(places !== undefined && { places }),
    ...promptKeyOf(chosen),
  };
}

function areEqual([a, b]: readonly Int32Array[]): boolean {
  return a?.length === b?.length && a?.every((id, i) => id === b?.[i]) === true;
}
