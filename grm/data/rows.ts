// The rows of a file, one at a time, whatever kind of file it is. A row is read when it is asked for, so that what is
// wrong with one is an error of that row. From memory here: JSON Lines and JSON arrays, plain or gzip.
// Next: onDisk.ts for paths, and tables.ts for CSV and Parquet; formats.ts for what a row says.

import { joinBytes } from "../../nn/arrays.ts";
import { FileError, type Files, filesAsFolder } from "../../nn/checkpoints/byteSource.ts";
import { Field, parseJson } from "../../nn/checkpoints/json.ts";
import { type FileKind, fileKinds, foreignKind, isParquet, kindOf } from "./fileKinds.ts";
import {
  counted,
  isBlank,
  isGzip,
  mostLineBytes,
  nameOf,
  parseLine,
  split,
  unpacked,
} from "./lines.ts";

/** A row of a file. */
export interface DataRow {
  /** Where it stands, from 1: its line; in a JSON array and in Parquet, which row it is. */
  readonly line: number;
  /** What it holds; a FileError names file and line. */
  read(): Field;
}

/** A file by name, whose rows come when they are asked for; no line may be longer than `most` bytes. */
export interface RowSource {
  readonly file: string;
  rows(most?: number, found?: (kind: FileKind) => void): AsyncIterable<DataRow>;
}

/** Rows of a kind of file that needs a library: the bytes as they come, unpacked. */
export type TableReader = (
  file: string,
  chunks: AsyncGenerator<Uint8Array>,
) => AsyncIterable<DataRow>;

/** Who reads tables: nobody in a browser. */
export type TableReaders = Partial<Readonly<Record<FileKind, TableReader>>>;

/** Files in memory, by name; an ArgumentError unless they are what they should be. */
export function sourcesOf(files: Files): RowSource[] {
  filesAsFolder(files);
  return Array.from(files, ([file, bytes]) => ({
    file,
    rows: (most, found) =>
      rowsOf(file, unpacked(bytes), { most, found }, (_, last) =>
        isGzip(bytes) ? `its gzip data is damaged or cut short after line ${last}` : null,
      ),
  }));
}

export interface RowOptions {
  readonly most?: number | undefined;
  readonly found?: ((kind: FileKind) => void) | undefined;
  readonly tables?: TableReaders;
}

/** The rows of a file; `problemOf` says what it means where reading breaks off. */
export function rowsOf(
  path: string,
  chunks: AsyncIterable<Uint8Array>,
  options: RowOptions,
  problemOf: (error: unknown, last: number) => string | null,
): AsyncGenerator<DataRow> {
  return counted(nameOf(path), rowsByKind(path, chunks, options), problemOf);
}

async function* rowsByKind(
  path: string,
  chunks: AsyncIterable<Uint8Array>,
  { most = mostLineBytes, found, tables = {} }: RowOptions,
): AsyncGenerator<DataRow> {
  const file = nameOf(path);
  const { head, all } = await begun(chunks);
  if (head.length === 0) throw new FileError(file, "", "is empty");
  const problem = foreignKind(head);
  if (problem !== undefined) throw new FileError(file, "", `is ${problem}`);
  const kind = kindOf(head, path);
  found?.(kind);
  if (kind === "lines") return yield* linesAsRows(path, all, most);
  if (kind === "array") return yield* itemsAsRows(file, all);
  const reader = tables[kind];
  if (reader !== undefined) return yield* reader(file, all);
  throw new FileError(
    file,
    "",
    `is ${fileKinds[kind]}; only Node reads it, from a path (twoheads/node)`,
  );
}

/** How much of a file without line ends is looked at to tell its kind. */
const mostHead = 2 ** 16;

/** The beginning of a file, its first line if that is short, and all of it. */
async function begun(
  chunks: AsyncIterable<Uint8Array>,
): Promise<{ head: Uint8Array; all: AsyncGenerator<Uint8Array> }> {
  const rest = chunks[Symbol.asyncIterator]();
  const parts: Uint8Array[] = [];
  let length = 0;
  while (length < mostHead && !isTold(parts)) {
    const next = await rest.next();
    if (next.done) break;
    parts.push(next.value);
    length += next.value.length;
  }
  return { head: joinBytes(parts), all: follow(parts, rest) };
}

/** Whether the kind of a file shows in what there is of it: a brace, a bracket, Parquet's mark, or a whole first line. */
function isTold(parts: readonly Uint8Array[]): boolean {
  const bytes = joinBytes(parts);
  const begin = bytes.find((byte) => byte > 0x20 && byte < 0x7f);
  return (
    bytes.length >= 4 &&
    (begin === 0x7b ||
      begin === 0x5b ||
      isParquet(bytes) ||
      (begin !== undefined && bytes.includes(0x0a)))
  );
}

/** Chunks that were looked at, and the rest. */
export async function* follow(
  first: readonly Uint8Array[],
  rest: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array, void, void> {
  try {
    yield* first;
    yield* { [Symbol.asyncIterator]: () => rest };
  } finally {
    await rest.return?.();
  }
}

async function* linesAsRows(
  path: string,
  chunks: AsyncIterable<Uint8Array>,
  most: number,
): AsyncGenerator<DataRow> {
  for await (const line of split(chunks, most)) {
    if (!isBlank(line)) yield { line: line.line, read: () => parseLine(path, line, most) };
  }
}

/** A JSON array is read as a whole; what is larger than this is better written as lines. */
const mostArrayBytes = 2 ** 28;

async function* itemsAsRows(
  file: string,
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<DataRow> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of chunks) {
    parts.push(chunk);
    length += chunk.length;
    if (length <= mostArrayBytes) continue;
    throw new FileError(
      file,
      "",
      `is a JSON array of more than ${mostArrayBytes} bytes; write it as JSON Lines, an object a line`,
    );
  }
  const all = joinBytes(parts);
  const items = parseJson(file, all[0] === 0xef ? all.subarray(3) : all).items(); // without a byte order mark
  if (items.length === 0) throw new FileError(file, "", "is an empty array");
  yield* items.map(({ value }, i) => ({ line: i + 1, read: () => rowOf(file, i + 1, value) }));
}

/** A row as a field: an object, or a FileError. */
export function rowOf(file: string, line: number, value: unknown): Field {
  const field = new Field(`${file}:${line}`, "", value);
  field.object();
  return field;
}
