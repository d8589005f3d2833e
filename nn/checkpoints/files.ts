// The one door to the file system, for Node, Deno and Bun: no module that a browser may import imports this
// one (a test follows the imports). replaceFile writes so that a kill at any moment leaves the old file or
// the new one. Next: byteSource.ts for what browsers have, onDisk.ts for models in folders.

import * as fs from "node:fs";
import * as paths from "node:path";
import { accept, signatures } from "../../core/signature.ts";
import { type ByteSource, checkRange, FileError, type Folder } from "./byteSource.ts";

const takes = signatures({
  openFile: "path: string",
  replaceFile: "path: string, content: string | Iterable | any",
});

/** Opens a regular file for reading ranges of it. Close it when done. */
export function openFile(path: string): ByteSource {
  accept(takes.openFile, arguments);
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

/** A folder on disk. */
export function folderOnDisk(path: string): Folder {
  return {
    name: path,
    has: (name) => fileExists(joinPath(path, name)),
    open: (name) => openFile(joinPath(path, name)),
    within(inner) {
      const inside = joinPath(path, inner);
      return folderOnDisk(fileExists(inside) || !fileExists(inner) ? inside : inner);
    },
  };
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
  return fs.existsSync(path);
}

/** A path inside a folder, with the separators of this system. */
export function joinPath(folder: string, name: string): string {
  return paths.join(folder, name);
}

/** The folder that a path is in. */
export function folderOf(path: string): string {
  return paths.dirname(path);
}

/** The last part of a path. */
export function nameOf(path: string): string {
  return paths.basename(path);
}

/** Deletes a file, if it is there. */
export function removeFile(path: string): void {
  attempt(path, () => fs.rmSync(path, { force: true }));
}

/**
 * Makes a folder and those above it, if they aren't there. Step by step: Node's own recursive mkdir never
 * returns where the system lets nobody make any, such as in /proc.
 */
export function makeFolder(folder: string): void {
  if (fs.existsSync(folder)) return;
  makeFolder(paths.dirname(paths.resolve(folder)));
  attempt(folder, () => {
    if (!fs.existsSync(folder)) fs.mkdirSync(folder);
  });
}

/** Adds a line to the end of a file. A kill leaves it whole or cut short, which readers take into account. */
export function appendLine(path: string, line: string): void {
  attempt(path, () => fs.appendFileSync(path, `${line}\n`));
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
  accept(takes.replaceFile, arguments);
  const chunks = typeof content === "string" ? [new TextEncoder().encode(content)] : content;
  const folder = paths.dirname(path);
  const prefix = `.${paths.basename(path)}.`;
  const stamp = `${process.pid}-${Date.now().toString(36)}-${written++}`;
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
  const most = 2 ** 30;
  for (let at = 0; at < bytes.length; ) {
    const want = Math.min(bytes.length - at, most);
    at += attempt(path, () => fs.writeSync(handle, bytes, at, want));
  }
}

/** Forces a rename to the disk. Windows can't open folders, and needs no such call. */
function syncFolder(folder: string): void {
  if (process.platform === "win32") return;
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
