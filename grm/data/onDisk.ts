// Preference data and answers from paths and standard input: rows.ts, readPairs.ts and readResponses.ts, with
// Node's streams, and with tables. Next: readPairs.ts.

import { closeSync, createReadStream, openSync, readSync } from "node:fs";
import { pipeline, Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { accept, signatures } from "../../core/signature.ts";
import { FileError } from "../../nn/index.ts";
import {
  counted,
  isGzip,
  type Line,
  mostLineBytes,
  nameOf,
  split,
  standardInput,
} from "./lines.ts";
import {
  pairsOf,
  type ReadPairs,
  type ReadPairsOptions,
  takes as takesPairs,
} from "./readPairs.ts";
import { type ReadResponsesOptions, type Response, responsesOf } from "./readResponses.ts";
import { type DataRow, follow, type RowSource, rowsOf } from "./rows.ts";
import { tablesAt } from "./tables.ts";

const takes = signatures({
  linesOf: "path: string, most?: number",
  readResponses:
    'files: any[], { tokenizer: object, lenient?: boolean, maxLength: number, truncation: "prompt" | "answer" | "drop", template: object }',
});

/**
 * Reads a file line by line, unpacking gzip by its first bytes. A file that isn't there, can't be read,
 * is empty, or whose gzip data is damaged or cut short is a FileError.
 */
export function linesOf(path: string, most = mostLineBytes): AsyncGenerator<Line> {
  accept(takes.linesOf, arguments);
  return counted(nameOf(path), split(contentOf(path), most), (error, last) =>
    problemOf(error as NodeJS.ErrnoException, last),
  );
}

function problemOf({ code = "", message }: NodeJS.ErrnoException, last: number): string {
  if (code === "ENOENT") return "there is no such file";
  if (code === "EISDIR") return "is a folder; name the files in it";
  if (code === "Z_BUF_ERROR") return `its gzip data is cut short after line ${last}`;
  if (code.startsWith("Z_")) return `its gzip data is damaged after line ${last}: ${message}`;
  return message;
}

/** The bytes of a file, unpacked. */
async function* contentOf(path: string): AsyncGenerator<Uint8Array> {
  const stream: AsyncIterable<Uint8Array> =
    path === standardInput ? process.stdin : createReadStream(path);
  const chunks = stream[Symbol.asyncIterator]();
  const first = await chunks.next();
  if (first.done) return;
  const all = follow([first.value], chunks);
  if (isGzip(first.value)) {
    yield* pipeline(Readable.from(all), createGunzip(), () => {}); // its errors come out of the loop
  } else if (path.endsWith(".gz")) {
    await all.return();
    throw new FileError(path, "", "is called .gz, but holds no gzip data");
  } else {
    yield* all;
  }
}

function sourceOf(file: string): RowSource {
  const tables = tablesAt(file === standardInput || isPacked(file) ? undefined : file);
  return {
    file,
    rows: (most, found) =>
      rowsOf(file, contentOf(file), { most, found, tables }, (error, last) =>
        problemOf(error as NodeJS.ErrnoException, last),
      ),
  };
}

/** The rows of a file of any kind, plain or .gz; "-" is standard input. */
export function rowsAt(path: string): AsyncIterable<DataRow> {
  return sourceOf(path).rows();
}

/** Whether a file begins as gzip does; false for what can't be opened, of which reading will tell. */
function isPacked(path: string): boolean {
  try {
    const file = openSync(path, "r");
    const head = new Uint8Array(2);
    readSync(file, head);
    closeSync(file);
    return isGzip(head);
  } catch {
    return false;
  }
}

/**
 * Reads files of JSON Lines, JSON arrays, CSV, TSV or Parquet, plain or .gz, one after the other. A malformed line is a FileError that names
 * file and line, unless `lenient`; files without a single pair are an ArgumentError that holds the report.
 */
export async function readPairs(
  files: readonly string[],
  options: ReadPairsOptions,
): Promise<ReadPairs> {
  accept(takesPairs, arguments);
  return pairsOf(files.map(sourceOf), options);
}

/**
 * Reads files of JSON Lines, JSON arrays, CSV, TSV or Parquet, plain or .gz; "-" is standard input. A malformed line is a FileError that names
 * file and line, unless `lenient`.
 */
export function readResponses(
  files: readonly string[],
  options: ReadResponsesOptions,
): AsyncGenerator<Response> {
  accept(takes.readResponses, arguments);
  return responsesOf(files.map(sourceOf), options);
}
