// The one door to the file system, for Node, Deno and Bun: no module that a browser may import imports this
// one (a test follows the imports). replaceFile writes so that a kill at any moment leaves the old file or
// the new one. Next: byteSource.ts for what browsers have, onDisk.ts for models in folders.

import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as os from "node:os";
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

/** Whether `path` is a folder. */
export function isFolder(path: string): boolean {
  return fs.statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
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

/** SHA-256 of a file, in hexadecimal. */
export function digestOfFile(path: string): string {
  const source = openFile(path);
  const hash = createHash("sha256");
  const most = 2 ** 24; // bytes at once
  try {
    for (let at = 0; at < source.size; at += most)
      hash.update(source.read("", at, Math.min(most, source.size - at)));
  } finally {
    source.close();
  }
  return hash.digest("hex");
}

/** The names in a folder, in order. */
export function namesIn(folder: string): readonly string[] {
  return attempt(folder, () => fs.readdirSync(folder)).sort();
}

const kept = new Set<string>();

/** From now on a folder isn't made again where it is gone: what it held is lost, and that is an error. */
export function keepFolder(folder: string): void {
  kept.add(paths.resolve(folder));
}

/** Undoes keepFolder. */
export function unkeepFolder(folder: string): void {
  kept.delete(paths.resolve(folder));
}

/**
 * Makes a folder and those above it, if they aren't there. Step by step: Node's own recursive mkdir never
 * returns where the system lets nobody make any, such as in /proc.
 */
export function makeFolder(folder: string): void {
  if (fs.existsSync(folder)) return;
  if (kept.has(paths.resolve(folder))) {
    throw new FileError(folder, "", "was deleted or moved away while a run wrote into it");
  }
  makeFolder(paths.dirname(paths.resolve(folder)));
  attempt(folder, () => {
    if (!fs.existsSync(folder)) fs.mkdirSync(folder);
  });
}

/** Adds a line to the end of a file. A kill leaves it whole or cut short, which readers take into account. */
export function appendLine(path: string, line: string): void {
  const bytes = new TextEncoder().encode(`${line}\n`);
  withHandle(path, "a", (handle) => writeAll(path, handle, bytes));
}

/** Forces what was written to a file to the disk. */
export function syncFile(path: string): void {
  withHandle(path, "r+", fs.fsyncSync);
}

/** Makes a file that isn't there; says whether it did. */
export function createFile(path: string, text: string): boolean {
  const handle = attempt(path, () => {
    try {
      return fs.openSync(path, "wx");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EEXIST") return null;
      throw error;
    }
  });
  if (handle === null) return false;
  try {
    writeAll(path, handle, new TextEncoder().encode(text));
  } catch (error) {
    removeQuietly(path);
    throw error;
  } finally {
    attempt(path, () => fs.closeSync(handle));
  }
  return true;
}

/** Gives a file another name, in one step; says whether it was there. */
export function moveFile(path: string, to: string): boolean {
  if (!fs.existsSync(path)) return false;
  attempt(path, () => fs.renameSync(path, to));
  return true;
}

/** Opens a file for a while; what goes wrong there, or while it is closed, is a FileError. */
function withHandle(path: string, flags: string, use: (handle: number) => void): void {
  const handle = attempt(path, () => fs.openSync(path, flags));
  try {
    attempt(path, () => use(handle));
  } finally {
    attempt(path, () => fs.closeSync(handle));
  }
}

/** What the name of a file's temporary files begins with. */
const prefixOf = (path: string): string => `.${paths.basename(path)}.`;

let written = 0;

/** A name beside a file for what takes its place. */
export function temporaryName(path: string): string {
  const name = `${prefixOf(path)}${writerName()}-${written++}.tmp`;
  return paths.join(paths.dirname(path), name);
}

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
  const temporary = temporaryName(path);
  makeFolder(folder);
  removeLeftovers(path);
  const handle = attempt(path, () => fs.openSync(temporary, "wx"));
  try {
    try {
      for await (const chunk of chunks) writeAll(path, handle, chunk);
      attempt(path, () => fs.fsyncSync(handle));
    } finally {
      attempt(path, () => fs.closeSync(handle));
    }
    attempt(path, () => fs.renameSync(temporary, path));
  } catch (error) {
    removeQuietly(temporary);
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
  if (process.platform !== "win32") withHandle(folder, "r", fs.fsyncSync);
}

/** This machine's name, as part of a file's. */
const host = os.hostname().replaceAll(/[^\w-]/g, "");

/** Names of what a process leaves behind: whose it is, and when it was made. */
export function writerName(): string {
  return `${host}-${process.pid}-t${Date.now().toString(36)}`;
}

/** Whether who made a name by writerName() still runs; null of a machine that isn't this one, and of other names. */
export function isWriterAlive(name: string): boolean | null {
  const [, machine, pid] = /^([\w-]*)-(\d+)-t/.exec(name) ?? [];
  return machine === host ? isRunning(Number(pid)) : null;
}

/** Whether there is a process of this number on this machine. */
export function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM"; // somebody else's
  }
}

/** When a process began, in ticks since the machine did; null where the system doesn't say (Linux does). */
export function beginOf(pid: number): string | null {
  try {
    const [, fields = ""] = /.*\) (.*)/s.exec(fs.readFileSync(`/proc/${pid}/stat`, "utf8")) ?? [];
    return fields.split(" ")[19] ?? null; // field 22, starttime
  } catch {
    return null;
  }
}

/** Deletes temporary files of killed writers: their process is gone, or, where that can't be known, an hour is. */
export function removeLeftovers(of: string): void {
  const [folder, prefix] = [paths.dirname(of), prefixOf(of)];
  const hour = 3_600_000;
  for (const name of namesIn(folder)) {
    if (!name.startsWith(prefix) || !name.endsWith(".tmp")) continue;
    const path = paths.join(folder, name);
    const found = fs.lstatSync(path, { throwIfNoEntry: false });
    const isAlive = isWriterAlive(name.slice(prefix.length));
    const isOld = found !== undefined && Date.now() - found.mtimeMs > hour;
    if (found?.isDirectory() || isAlive || !(isOld || isAlive === false)) continue;
    removeQuietly(path);
  }
}

/** Deletes a file that is in nobody's way if it stays. */
function removeQuietly(path: string): void {
  try {
    fs.rmSync(path, { force: true });
  } catch {}
}

/** What errors of the file system mean, where their own words are no sentence. */
const meanings: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  ENOSPC: "the disk is full; what was there before is still whole",
  EDQUOT: "your share of the disk is used up; what was there before is still whole",
  EROFS: "can't be written, the disk is read-only",
  EACCES: "you have no right to do that",
  EPERM: "the system doesn't allow that",
  EEXIST: "is in the way: there is something of that name, and no folder",
  EISDIR: "is a folder, not a file",
  ENOTDIR: "a part of the path is a file, not a folder",
  ELOOP: "is a link that leads back to itself",
  EMFILE: "too many files are open",
};

/** Runs a call of the file system; its errors become FileErrors that say what to a person. */
function attempt<T>(path: string, call: () => T): T {
  try {
    return call();
  } catch (error) {
    if (error instanceof FileError) throw error;
    const { code = "", message } = error as NodeJS.ErrnoException;
    throw new FileError(path, "", meanings[code] ?? message, { cause: error });
  }
}
