// Text files, plain or gzipped: told apart by their first bytes, not by their names.
// Next: files.ts.

import { gunzipSync } from "node:zlib";
import { FileError } from "./byteSource.ts";
import { readFile } from "./files.ts";

const mostBytes = 2 ** 29; // what a string holds

/** The text of a file, or of what is in a .gz; a FileError if it is not there, not whole or not UTF-8. */
export function readText(path: string): string {
  const bytes = readFile(path, mostBytes);
  const isGzip = bytes[0] === 0x1f && bytes[1] === 0x8b;
  try {
    const plain = isGzip ? gunzipSync(bytes, { maxOutputLength: mostBytes }) : bytes;
    return new TextDecoder("utf-8", { fatal: true }).decode(plain);
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const isText = code === "ERR_ENCODING_INVALID_ENCODED_DATA";
    const problem = isText ? "is not UTF-8 text" : `can't be unpacked: ${message}`;
    throw new FileError(path, "", problem, { cause });
  }
}
