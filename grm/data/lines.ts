// The lines of a file as they come, so that a file of any size takes the memory of its longest line, and a
// line without end is refused before it fills the machine. Plain or gzip, from a path or standard input.
// Next: formats.ts for what a line holds.

import { createReadStream } from "node:fs";
import { pipeline, Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { type Field, parseJson } from "../../nn/checkpoints/json.ts";
import { FileError } from "../../nn/index.ts";

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

/**
 * Reads a file line by line, unpacking gzip by its first bytes. A file that isn't there, can't be read,
 * is empty, or whose gzip data is damaged or cut short is a FileError.
 */
export async function* linesOf(path: string, most = mostLineBytes): AsyncGenerator<Line> {
  let last = 0;
  try {
    for await (const line of split(contentOf(path), most)) {
      last = line.line;
      yield line;
    }
  } catch (error) {
    if (error instanceof FileError) throw error;
    const problem = problemOf(error as NodeJS.ErrnoException, last);
    throw new FileError(nameOf(path), "", problem, { cause: error });
  }
  if (last === 0) throw new FileError(nameOf(path), "", "is empty");
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
  const all = follow(first.value, chunks);
  if (first.value[0] === 0x1f && first.value[1] === 0x8b) {
    yield* pipeline(Readable.from(all), createGunzip(), () => {}); // its errors come out of the loop
  } else if (path.endsWith(".gz")) {
    await all.return();
    throw new FileError(path, "", "is called .gz, but holds no gzip data");
  } else {
    yield* all;
  }
}

async function* follow(
  first: Uint8Array,
  rest: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array, void, void> {
  try {
    yield first;
    yield* { [Symbol.asyncIterator]: () => rest };
  } finally {
    await rest.return?.();
  }
}

const newline = 0x0a;

/** Cuts at line ends. What is longer than `most` is passed over, and comes out as null at once. */
async function* split(chunks: AsyncIterable<Uint8Array>, most: number): AsyncGenerator<Line> {
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
  return parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts);
}

/** Whether there is nothing but white space in a line. */
export function isBlank({ bytes }: Line): boolean {
  return bytes?.every((byte) => byte === 0x20 || (byte >= 0x09 && byte <= 0x0d)) === true;
}

/** The JSON object in a line; a FileError names file and line. */
export function parseLine(file: string, { line, bytes }: Line, most = mostLineBytes): Field {
  const place = `${nameOf(file)}:${line}`;
  if (bytes === null) throw new FileError(place, "", `is longer than ${most} bytes`);
  const hasMark = line === 1 && bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf; // BOM
  const field = parseJson(place, hasMark ? bytes.subarray(3) : bytes);
  field.object();
  return field;
}

/** What a file is called in messages. */
function nameOf(path: string): string {
  return path === standardInput ? "standard input" : path;
}
