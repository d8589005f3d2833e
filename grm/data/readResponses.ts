// Answers to be scored, one line at a time and in their order. Every line comes out: as tokens, or with the
// reason why there are none. Files are in memory here; onDisk.ts reads them from paths or standard input.
// Next: ../tokenRewards.ts for the rewards, ../../cli/commands/score.ts for the command.

import { accept, signatures } from "../../core/signature.ts";
import { FileError, type Files, type Tokenizer } from "../../nn/index.ts";
import type { Sequence } from "../pairs.ts";
import { responseOf } from "./formats.ts";
import { type DataRow, type RowSource, sourcesOf } from "./rows.ts";
import { cutToLength, encodeJudged, type Reading } from "./sequences.ts";

const takes = signatures({
  responsesFromFiles:
    'files: object, { tokenizer: object, lenient?: boolean, maxLength: number, truncation: "prompt" | "answer" | "drop", template: object }',
});

/** A line of answers, read. */
export interface Response {
  readonly file: string;
  readonly line: number;
  /** The line's own name for itself, if it has one. */
  readonly id?: unknown;
  /** Null where there is a problem. */
  readonly sequence: Sequence | null;
  /** Whether tokens were cut off to fit the limit. */
  readonly wasCut: boolean;
  readonly problem?: string;
}

/** How answers of a file become token sequences. */
export interface ReadResponsesOptions extends Reading {
  readonly tokenizer: Tokenizer;
  /** Gives malformed lines out as problems, in place of stopping at the first. */
  readonly lenient?: boolean;
}

/**
 * Answers from files of JSON Lines or JSON arrays in memory, plain or .gz. A malformed line is a FileError that names file
 * and line, unless `lenient`.
 */
export function responsesFromFiles(
  files: Files,
  options: ReadResponsesOptions,
): AsyncGenerator<Response> {
  accept(takes.responsesFromFiles, arguments);
  return responsesOf(sourcesOf(files), options);
}

/** The same from files whose lines come as they are asked for. */
export async function* responsesOf(
  files: readonly RowSource[],
  options: ReadResponsesOptions,
): AsyncGenerator<Response> {
  for (const source of files) {
    for await (const row of source.rows()) yield readResponse(source.file, row, options);
  }
}

function readResponse(file: string, row: DataRow, options: ReadResponsesOptions): Response {
  const place = { file, line: row.line };
  try {
    const field = row.read();
    const { value: id } = field.get("id");
    const named = id === undefined ? place : { ...place, id };
    const tokens = encodeJudged(responseOf(field), options.tokenizer, options.template);
    const { sequences, wasCut } = cutToLength([tokens], options.maxLength, options.truncation);
    const [sequence = null] = sequences ?? [];
    if (sequence === null) {
      return { ...named, sequence, wasCut, problem: `is longer than ${options.maxLength} tokens` };
    }
    if (sequence.ids.length > 0) return { ...named, sequence, wasCut };
    return { ...named, sequence: null, wasCut, problem: "has no tokens" };
  } catch (error) {
    if (!options.lenient || !(error instanceof FileError)) throw error;
    return { ...place, sequence: null, wasCut: false, problem: error.message };
  }
}
