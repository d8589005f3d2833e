// The one door to the file system. A ByteSource is a file of which ranges are read on demand, so that
// nobody loads a big file to look at its header; replaceFile writes so that a kill at any moment leaves
// the old file or the new one. Node's modules are fetched when a function runs, not when this file is
// imported: a browser can import nn, and hands over bytes that it has fetched (bytesAsFile).
// Next: json.ts for text that must be checked, safetensors.ts for tensors.

import type * as NodeFs from "node:fs";
import type * as NodePath from "node:path";
import { TwoheadsError } from "../../core/index.ts";

/** A file that can't be read or written, or that isn't what it should be: which, where in it, and why. */
export class FileError extends TwoheadsError {
  constructor(
    readonly file: string,
    /** The place in the file, such as `model.merges[3]`; empty for the file as a whole. */
    readonly field: string,
    problem: string,
    options?: ErrorOptions,
  ) {
    super(`${file}: ${field === "" ? "" : `${field}: `}${problem}`, options);
  }
}

/** A file of known size whose ranges can be read: on disk, or in memory already. */
export interface ByteSource {
  readonly name: string;
  /** In bytes. */
  readonly size: number;
  /** A copy of `length` bytes from `start` on; a FileError that names `field` if they aren't there. */
  read(field: string, start: number, length: number): Uint8Array<ArrayBuffer>;
  close(): void;
}

/** Bytes in memory as a file; `name` stands in errors. */
export function bytesAsFile(name: string, bytes: Uint8Array): ByteSource {
  return {
    name,
    size: bytes.length,
    read(field, start, length) {
      checkRange(this, field, start, length);
      return Uint8Array.from(bytes.subarray(start, start + length));
    },
    close() {},
  };
}

/** Opens a regular file for reading ranges of it. Close it when done. */
export function openFile(path: string): ByteSource {
  const { fs } = node(path);
  const handle = attempt(path, () => {
    const kind = fs.statSync(path);
    if (!kind.isFile()) throw new FileError(path, "", "is no regular file");
    return fs.openSync(path, "r");
  });
  return {
    name: path,
    size: attempt(path, () => fs.fstatSync(handle).size),
    read(field, start, length) {
      checkRange(this, field, start, length);
      const bytes = attempt(path, () => new Uint8Array(length));
      const most = 2 ** 30; // bytes that one call may ask the system for
      for (let at = 0; at < length; ) {
        const want = Math.min(length - at, most);
        const got = attempt(path, () => fs.readSync(handle, bytes, at, want, start + at));
        if (got === 0) throw new FileError(path, field, "the file shrank while it was read");
        at += got;
      }
      return bytes;
    },
    close() {
      fs.closeSync(handle);
    },
  };
}

function checkRange(source: ByteSource, field: string, start: number, length: number): void {
  if (start >= 0 && length >= 0 && start + length <= source.size) return;
  throw new FileError(
    source.name,
    field,
    `needs bytes ${start} to ${start + length}, the file has ${source.size}; it is cut short or damaged`,
  );
}

/** The whole of a small file. */
export function readFile(path: string, mostBytes = 2 ** 29): Uint8Array<ArrayBuffer> {
  const source = openFile(path);
  try {
    if (source.size > mostBytes) {
      throw new FileError(
        path,
        "",
        `has ${source.size} bytes, more than the ${mostBytes} expected`,
      );
    }
    return source.read("", 0, source.size);
  } finally {
    source.close();
  }
}

/** Whether there is a file at `path`. */
export function fileExists(path: string): boolean {
  return node(path).fs.existsSync(path);
}

/** A path inside a folder, with the separators of this system. */
export function joinPath(folder: string, name: string): string {
  return node(folder).path.join(folder, name);
}

/** The folder that a path is in. */
export function folderOf(path: string): string {
  return node(path).path.dirname(path);
}

/** The last part of a path. */
export function nameOf(path: string): string {
  return node(path).path.basename(path);
}

/** Deletes a file, if it is there. */
export function removeFile(path: string): void {
  attempt(path, () => node(path).fs.rmSync(path, { force: true }));
}

/**
 * Makes a folder and those above it, if they aren't there. Step by step: Node's own recursive mkdir never
 * returns where the system lets nobody make any, such as in /proc.
 */
export function makeFolder(folder: string): void {
  const { fs, path: paths } = node(folder);
  if (fs.existsSync(folder)) return;
  makeFolder(paths.dirname(paths.resolve(folder)));
  attempt(folder, () => {
    if (!fs.existsSync(folder)) fs.mkdirSync(folder);
  });
}

/** Adds a line to the end of a file. A kill leaves it whole or cut short, which readers take into account. */
export function appendLine(path: string, line: string): void {
  attempt(path, () => node(path).fs.appendFileSync(path, `${line}\n`));
}

let written = 0;

/**
 * Writes a file so that whoever looks, even after a kill or a power cut at any moment, finds the old
 * content or the new one, never a part: the bytes go to a temporary file beside it, are forced to
 * the disk, and take the name in one step. Makes the folder if it isn't there. Text becomes UTF-8.
 */
export async function replaceFile(
  path: string,
  content: string | Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): Promise<void> {
  const chunks = typeof content === "string" ? [new TextEncoder().encode(content)] : content;
  const { fs, path: paths, pid } = node(path);
  const folder = paths.dirname(path);
  const prefix = `.${paths.basename(path)}.`;
  const stamp = `${pid}-${Date.now().toString(36)}-${written++}`;
  const temporary = paths.join(folder, `${prefix}${stamp}.tmp`);
  makeFolder(folder);
  removeLeftovers(folder, prefix);
  const handle = attempt(path, () => fs.openSync(temporary, "wx"));
  try {
    try {
      for await (const chunk of chunks) writeAll(path, handle, chunk);
      attempt(path, () => fs.fsyncSync(handle));
    } finally {
      fs.closeSync(handle);
    }
    attempt(path, () => fs.renameSync(temporary, path));
  } catch (error) {
    fs.rmSync(temporary, { force: true });
    throw error;
  }
  syncFolder(folder);
}

function writeAll(path: string, handle: number, bytes: Uint8Array): void {
  const { fs } = node(path);
  const most = 2 ** 30;
  for (let at = 0; at < bytes.length; ) {
    const want = Math.min(bytes.length - at, most);
    at += attempt(path, () => fs.writeSync(handle, bytes, at, want));
  }
}

/** Forces a rename to the disk. Windows can't open folders, and needs no such call. */
function syncFolder(folder: string): void {
  const { fs, platform } = node(folder);
  if (platform === "win32") return;
  attempt(folder, () => {
    const handle = fs.openSync(folder, "r");
    try {
      fs.fsyncSync(handle);
    } finally {
      fs.closeSync(handle);
    }
  });
}

/** Temporary files of killed writers: nobody has written to them for an hour. */
function removeLeftovers(folder: string, prefix: string): void {
  const { fs, path: paths } = node(folder);
  const hour = 3_600_000;
  for (const name of attempt(folder, () => fs.readdirSync(folder))) {
    if (!name.startsWith(prefix) || !name.endsWith(".tmp")) continue;
    const path = paths.join(folder, name);
    const kind = fs.statSync(path, { throwIfNoEntry: false });
    if (kind !== undefined && Date.now() - kind.mtimeMs > hour) fs.rmSync(path, { force: true });
  }
}

/** Runs a call of the file system; its errors become FileErrors that say what to a person. */
function attempt<T>(path: string, call: () => T): T {
  try {
    return call();
  } catch (error) {
    if (error instanceof FileError) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    const problem = code === "ENOENT" ? "there is no such file" : message;
    throw new FileError(path, "", problem, { cause: error });
  }
}

interface Host {
  readonly fs: typeof NodeFs;
  readonly path: typeof NodePath;
  readonly platform: string;
  readonly pid: number;
}

function node(path: string): Host {
  const { process } = globalThis as { process?: NodeJS.Process };
  if (process?.getBuiltinModule === undefined) {
    throw new FileError(path, "", "no file system here; fetch the bytes and use bytesAsFile");
  }
  return {
    fs: process.getBuiltinModule("node:fs"),
    path: process.getBuiltinModule("node:path"),
    platform: process.platform,
    pid: process.pid,
  };
}
