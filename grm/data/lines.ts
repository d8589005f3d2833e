// The lines of a file as they come, so that a file of any size takes the memory of its longest line, and a
// line without end is refused before it fills the machine. Next: rows.ts, for which a line is a row.

import { accept, signatures } from "../../core/signature.ts";
import { joinBytes } from "../../nn/arrays.ts";
import { FileError } from "../../nn/checkpoints/byteSource.ts";
import { type Field, parseJson } from "../../nn/checkpoints/json.ts";

const takes = signatures({
  parseLine: "file: string, line: { line: number, bytes: null | number[], ... }, most?: number",
});

/** A line of a file, and its number. */
export interface Line {
  /** From 1. */
  readonly line: number;
  /** Without its end; null for a line longer than what was asked for. */
  readonly bytes: Uint8Array | null;
}

/** 16 MiB: a hundred times the longest conversation of the public preference sets. */
export const mostLineBytes = 2 ** 24;

/** The path that means standard input. */
export const standardInput = "-";

/** The bytes of a file in memory, unpacked if they are gzip. */
export async function* unpacked(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  if (!isGzip(bytes)) return yield bytes;
  const packed = new Blob([Uint8Array.from(bytes)]).stream();
  const reader = packed.pipeThrough(new DecompressionStream("gzip")).getReader();
  for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) yield chunk.value;
}

/**
 * Lines or rows of a file, of which there is at least one. Where reading breaks off, `problemOf` says what that
 * means after the last one that came; null if it isn't the file's fault.
 */
export async function* counted<T extends { readonly line: number }>(
  file: string,
  rows: AsyncIterable<T>,
  problemOf: (error: unknown, last: number) => string | null,
): AsyncGenerator<T> {
  let last = 0;
  try {
    for await (const row of rows) {
      last = row.line;
      yield row;
    }
  } catch (cause) {
    const problem = cause instanceof FileError ? null : problemOf(cause, last);
    if (problem === null) throw cause;
    throw new FileError(file, "", problem, { cause });
  }
  if (last === 0) throw new FileError(file, "", "is empty");
}

const newline = 0x0a;

/** Cuts at line ends. What is longer than `most` is passed over, and comes out as null at once. */
export async function* split(
  chunks: AsyncIterable<Uint8Array>,
  most: number,
): AsyncGenerator<Line> {
  let line = 1;
  let parts: Uint8Array[] = [];
  let length = 0; // of the line so far
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.length; ) {
      const found = chunk.indexOf(newline, at);
      const end = found < 0 ? chunk.length : found;
      const wasShort = length <= most;
      length += end - at;
      if (length <= most) parts.push(chunk.subarray(at, end));
      else if (wasShort) {
        parts = [];
        yield { line, bytes: null };
      }
      at = end + 1;
      if (found < 0) continue;
      if (length <= most) yield { line, bytes: joined(parts) };
      line++;
      [parts, length] = [[], 0];
    }
  }
  if (length > 0 && length <= most) yield { line, bytes: joined(parts) };
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  return parts.length === 1 && parts[0] !== undefined ? parts[0] : joinBytes(parts);
}

/** Whether the first bytes of a file are gzip's. */
export function isGzip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}

/** Whether there is nothing but white space in a line. */
export function isBlank({ bytes }: Line): boolean {
  return bytes?.every((byte) => byte === 0x20 || (byte >= 0x09 && byte <= 0x0d)) === true;
}

/** The JSON object in a line; a FileError names file and line. */
export function parseLine(file: string, options: Line, most = mostLineBytes): Field {
  accept(takes.parseLine, arguments);
  const { line, bytes } = options;
  const place = `${nameOf(file)}:${line}`;
  if (bytes === null) throw new FileError(place, "", `is longer than ${most} bytes`);
  const hasMark = line === 1 && bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf; // BOM
  if (line === 1 && bytes[bytes.findLastIndex((byte) => byte > 0x20)] === 0x7b)
    throw new FileError(
      place,
      "",
      "ends inside an object; needs a whole one in each line, or an array of them",
    );
  const field = parseJson(place, hasMark ? bytes.subarray(3) : bytes);
  field.object();
  return field;
}

/** What a file is called in messages. */
export function nameOf(path: string): string {
  return path === standardInput ? "standard input" : path;
}
