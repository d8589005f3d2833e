// Rows of tables, by libraries that are loaded when a table is met: csv-parse for CSV and TSV, hyparquet for
// Parquet, whose pages Node's zlib unpacks. Cells of CSV are text; an empty one is as good as none.
// Next: onDisk.ts.

import { Readable } from "node:stream";
import * as zlib from "node:zlib";
import type { AsyncBuffer, Compressors } from "hyparquet";
import { joinBytes } from "../../nn/arrays.ts";
import { FileError } from "../../nn/checkpoints/byteSource.ts";
import { mostLineBytes } from "./lines.ts";
import { checkPages, leavesOf, mostAtOnce, smaller } from "./parquetPages.ts";
import { type DataRow, rowOf, type TableReader, type TableReaders } from "./rows.ts";

/** The readers of tables; `path` where the file lies on disk, unpacked, so that parts of it can be read. */
export function tablesAt(path: string | undefined): TableReaders {
  return {
    csv: (file, chunks) => separated(file, chunks, ","),
    tsv: (file, chunks) => separated(file, chunks, "\t"),
    parquet: parquetAt(path),
  };
}

// --- CSV and TSV -------------------------------------------------------------------------------------

async function* separated(
  file: string,
  chunks: AsyncGenerator<Uint8Array>,
  delimiter: string,
): AsyncGenerator<DataRow> {
  const { parse, CsvError } = await import("csv-parse");
  const options = {
    delimiter,
    bom: true,
    info: true,
    relax_column_count: true,
    max_record_size: mostLineBytes,
  };
  const parser = Readable.from(chunks).pipe(parse(options));
  let names: readonly string[] | undefined;
  let lines = 0; // that are behind us
  try {
    for await (const { record, info } of parser as AsyncIterable<Parsed>) {
      const line = lines + 1;
      lines = info.lines;
      if (record.length === 1 && record[0] === "") continue; // an empty line
      if (names === undefined) names = namesIn(file, record);
      else yield cellsAsRow(file, line, names, record);
    }
  } catch (cause) {
    if (!(cause instanceof CsvError)) throw cause;
    const problem =
      cause.code === "CSV_QUOTE_NOT_CLOSED"
        ? "a quoted cell that begins here or after isn't closed"
        : cause.message;
    throw new FileError(`${file}:${lines + 1}`, "", problem, { cause });
  }
  if (lines > 0 && names !== undefined) return;
  throw new FileError(file, "", "is empty");
}

interface Parsed {
  readonly record: readonly string[];
  readonly info: { readonly lines: number };
}

function namesIn(file: string, names: readonly string[]): readonly string[] {
  if (names.length === 1 && names[0]?.includes(";"))
    throw new FileError(
      `${file}:1`,
      "",
      "has semicolons between columns; save it with commas or tabs",
    );
  const twice = names.find((name, i) => name !== "" && names.indexOf(name) !== i);
  if (twice === undefined) return names;
  throw new FileError(`${file}:1`, "", `the column ${twice} stands there twice`);
}

function cellsAsRow(
  file: string,
  line: number,
  names: readonly string[],
  cells: readonly string[],
): DataRow {
  return {
    line,
    read() {
      if (cells.length !== names.length) {
        const problem = `has ${cells.length} cells, the header names ${names.length} columns`;
        throw new FileError(`${file}:${line}`, "", problem);
      }
      const entries = names.map((name, i) => [name, cells[i] === "" ? null : cells[i]]);
      return rowOf(file, line, Object.fromEntries(entries));
    },
  };
}

// --- Parquet -----------------------------------------------------------------------------------------

function parquetAt(path: string | undefined): TableReader {
  return async function* (file, chunks) {
    const library = await import("hyparquet");
    const source =
      path === undefined ? await inMemory(file, chunks) : await library.asyncBufferFromFile(path);
    if (path !== undefined) await chunks.return(undefined);
    let done = 0;
    try {
      const metadata = await library.parquetMetadataAsync(source);
      const schema = library.parquetSchema(metadata);
      const [columns, leaves] = [
        schema.children.map(({ element }) => element.name),
        leavesOf(schema),
      ];
      const options = { file: source, metadata, compressors: compressorsWith(library) };
      for (const group of metadata.row_groups) {
        await checkPages(source, group, leaves);
        const [rowStart, rowEnd] = [done, done + Number(group.num_rows)];
        const rows: Record<string, unknown>[] = [];
        // one column after the other: of several that are damaged, the library waits for the first alone
        for (const column of columns) {
          const cells = { ...options, rowStart, rowEnd, columns: [column] };
          for (const [i, cell] of (await library.parquetReadObjects(cells)).entries())
            rows[i] = Object.assign(rows[i] ?? {}, cell);
        }
        for (const row of rows) yield numbered(file, ++done, row);
      }
    } catch (cause) {
      if (cause instanceof FileError || !(cause instanceof Error)) throw cause;
      throw new FileError(file, "", problemOf(cause, done), { cause });
    }
  };
}

function problemOf({ message }: Error, done: number): string {
  const codec = /unsupported compression codec: (\S+)/.exec(message)?.[1];
  if (codec !== undefined) return `is Parquet packed with ${codec}, which isn't read; ${repack}`;
  if (message === noZstd) return `is Parquet packed with zstd, ${noZstd}; ${repack}`;
  return `is damaged Parquet, or of a kind that isn't known, after row ${done}: ${message}`;
}

const repack = 'write it again with compression="snappy"';
const noZstd = "which Node reads from version 22.15 on";

function numbered(file: string, line: number, row: unknown): DataRow {
  return { line, read: () => rowOf(file, line, plainOf(row)) };
}

/** Values of Parquet as JSON has them. */
function plainOf(value: unknown): unknown {
  if (typeof value === "bigint") return Number(value);
  if (value instanceof Date) return value.toISOString();
  if (value instanceof Uint8Array) return new TextDecoder().decode(value);
  if (Array.isArray(value)) return value.map(plainOf);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plainOf(item)]));
}

async function inMemory(file: string, chunks: AsyncIterable<Uint8Array>): Promise<AsyncBuffer> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of chunks) {
    parts.push(chunk);
    length += chunk.length;
    if (length <= mostAtOnce) continue;
    const problem = `holds more than ${mostAtOnce} bytes of Parquet, which is read from a file of its own: unpack it`;
    throw new FileError(file, "", problem);
  }
  const { buffer, byteLength } = joinBytes(parts);
  return { byteLength, slice: (start, end) => buffer.slice(start, end) as ArrayBuffer };
}

type Unzstd = (bytes: Uint8Array, options: { maxOutputLength: number }) => Uint8Array;

/** Unpacks a page to the length that it says, if that is no more than is taken at once. */
function bounded(unpack: (bytes: Uint8Array, options: { maxOutputLength: number }) => Uint8Array) {
  return (bytes: Uint8Array, length: number): Uint8Array => {
    if (length > mostAtOnce) throw new Error(`a page of ${length} bytes; ${smaller}`);
    if (length === 0) return new Uint8Array(0); // of a column of nulls, with nothing to unpack
    return unpack(bytes, { maxOutputLength: Math.max(1, length) });
  };
}

type Unsnappy = Pick<typeof import("hyparquet"), "snappyUncompress">;

/** Codecs; Node has zstd from 22.15 on. */
const compressorsWith = ({ snappyUncompress }: Unsnappy): Compressors => ({
  GZIP: bounded(zlib.gunzipSync),
  BROTLI: bounded(zlib.brotliDecompressSync),
  SNAPPY: bounded((bytes, { maxOutputLength }) => {
    const page = new Uint8Array(maxOutputLength);
    snappyUncompress(bytes, page);
    return page;
  }),
  ZSTD: bounded((bytes, options) => {
    const unzstd = (zlib as { readonly zstdDecompressSync?: Unzstd }).zstdDecompressSync;
    if (unzstd !== undefined) return unzstd(bytes, options);
    throw new Error(noZstd);
  }),
});
