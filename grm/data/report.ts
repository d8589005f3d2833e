// What became of every line of the data: how many pairs there are, and which lines were dropped or cut,
// by reason. Nothing is lost in silence. Next: readPairs.ts, which fills it.

import { type FileKind, fileKinds } from "./fileKinds.ts";

/** What can happen to a line. Those that are kept all the same say so. */
export const reasons = {
  cutPrompt: "kept, the beginning of the prompt cut off",
  cutAnswer: "kept, the end of an answer cut off",
  promptRepeated: "kept, the prompt that both answers repeat taken off them",
  answerInPrompt: "kept, the answer that its messages already end with taken off them",
  unusedPrompt: "kept, without a column that looks like the prompt's",
  unselected: "left out, as asked for",
  malformed: "dropped, not in a form of preference data",
  unpaired: "dropped, no other answer to the same prompt beside it",
  tied: "dropped, the answers are rated equal",
  empty: "dropped, an answer is empty",
  otherPrompt: "dropped, the answers are to different prompts",
  identical: "dropped, both answers are the same tokens",
  tooLong: "dropped, too long",
  identicalAfterCut: "dropped, both answers are the same tokens after the cut",
  masked: "dropped, no token of an answer is left to predict",
} as const;

/** Why a line gave no pair, or a shorter one. */
export type Reason = keyof typeof reasons;

/** A line of a file, from 1. */
export interface Place {
  readonly file: string;
  readonly line: number;
}

/** How much of a file was read. */
export interface FileCount {
  readonly file: string;
  /** What kind of file it is; unknown where nothing of it was read. */
  readonly kind: FileKind | undefined;
  /** How many rows are of each layout, by its name. */
  readonly layouts: Readonly<Record<string, number>>;
  /** Lines with something in them that were read. */
  readonly lines: number;
  readonly pairs: number;
  /** Whether reading stopped before the file's end, as there were pairs enough. */
  readonly stopped: boolean;
}

/** What became of every line that gave no whole pair: dropped, cut or malformed, by reason and place. */
export class PairReport {
  readonly #files: FileCount[] = [];
  readonly #places = new Map<Reason, Place[]>();
  readonly #problems = new Set<string>();

  /** Adds a line; `problem` is what was wrong with a malformed one. */
  add(reason: Reason, place: Place, problem?: string): void {
    const places = this.#places.get(reason);
    if (places === undefined) this.#places.set(reason, [place]);
    else places.push(place);
    if (problem !== undefined) this.#problems.add(problem);
  }

  addFile(count: FileCount): void {
    this.#files.push(count);
  }

  get files(): readonly FileCount[] {
    return this.#files;
  }

  get lines(): number {
    return this.#files.reduce((sum, { lines }) => sum + lines, 0);
  }

  get pairs(): number {
    return this.#files.reduce((sum, { pairs }) => sum + pairs, 0);
  }

  /** What was wrong with each malformed line, and which columns aren't used. */
  get problems(): readonly string[] {
    return [...this.#problems];
  }

  count(reason: Reason): number {
    return this.places(reason).length;
  }

  /** Where it happened, in the order of reading. */
  places(reason: Reason): readonly Place[] {
    return this.#places.get(reason) ?? [];
  }

  /** The same as plain data: counts, and all line numbers by reason and file. */
  toJSON(): object {
    const found = [...this.#places].map(([reason, places]) => {
      return [reason, { count: places.length, lines: linesByFile(places) }];
    });
    const { files, lines, pairs, problems } = this;
    return { files, lines, pairs, reasons: Object.fromEntries(found), problems };
  }

  /** As a person reads it; of long lists of lines the first few. */
  toString(): string {
    const files = this.#files.flatMap(({ file, kind, layouts, lines, pairs, stopped }) => {
      const rest = stopped ? "; the rest was not read" : "";
      const names = Object.keys(layouts).join("; ");
      const form = kind === undefined || names === "" ? [] : [`  ${fileKinds[kind]}: ${names}`];
      return [`${file}: ${count(pairs)} pairs of ${count(lines)} lines${rest}`, ...form];
    });
    const found = Object.entries(reasons).flatMap(([reason, text]) => {
      const places = this.places(reason as Reason);
      return places.length === 0 ? [] : [`  ${text}: ${count(places.length)} (${where(places)})`];
    });
    const shown = this.problems.slice(0, mostShown).map((problem) => `    ${problem}`);
    return [...files, ...found, ...shown].join("\n");
  }
}

const mostShown = 8;
const count = (n: number): string => n.toLocaleString("en-US");

function linesByFile(places: readonly Place[]): Record<string, number[]> {
  const byFile: Record<string, number[]> = {};
  for (const { file, line } of places) {
    byFile[file] ??= [];
    byFile[file].push(line);
  }
  return byFile;
}

/** Line numbers as ranges: "a.jsonl 3, 5-9, 12; b.jsonl 1". */
function where(places: readonly Place[]): string {
  const files = Object.entries(linesByFile(places));
  return files
    .map(([file, lines]) => {
      const ranges = rangesOf(lines);
      const more = ranges.length > mostShown ? ", ..." : "";
      const shown = ranges.slice(0, mostShown).join(", ");
      return files.length > 1 ? `${file} ${shown}${more}` : `line ${shown}${more}`;
    })
    .join("; ");
}

function rangesOf(lines: readonly number[]): string[] {
  const ranges: [first: number, last: number][] = [];
  for (const line of lines) {
    const open = ranges.at(-1);
    if (open !== undefined && open[1] === line - 1) open[1] = line;
    else ranges.push([line, line]);
  }
  return ranges.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`));
}
