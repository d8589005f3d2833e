// Answers to be scored, one line at a time and in their order. Every line comes out: as tokens, or with the
// reason why there are none. Files are in memory here; onDisk.ts reads them from paths or standard input.
// Next: ../tokenRewards.ts for the rewards, ../../cli/commands/score.ts for the command.

import { accept, signatures } from "../../core/signature.ts";
import { FileError, type Files, type Tokenizer } from "../../nn/index.ts";
import { responseOf } from "./formats.ts";
import { type DataRow, type RowSource, sourcesOf } from "./rows.ts";
import { judgedSequence, type Reading, type SequenceRead } from "./sequences.ts";

const takes = signatures({
  responsesFromFiles:
    'files: object, { tokenizer: object, lenient?: boolean, maxLength: number, truncation: "prompt" | "answer" | "drop", template: object }',
});

/** A line of answers, read. */
export interface Response extends SequenceRead {
  readonly file: string;
  readonly line: number;
  /** The line's own name for itself, if it has one. */
  readonly id?: unknown;
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
    return { ...named, ...judgedSequence(responseOf(field), options) };
  } catch (error) {
    if (!options.lenient || !(error instanceof FileError)) throw error;
    return { ...place, sequence: null, wasCut: false, problem: error.message };
  }
}
