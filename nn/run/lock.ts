// Who works in a folder, or on a file of results: a lock beside it that names a process, so that a second one
// is refused while the first one runs, and nobody is kept out by one that is gone. Next: folder.ts, which takes it.

import { hostname } from "node:os";
import * as z from "zod";
import { ArgumentError } from "../../core/index.ts";
import { parseChecked } from "../checked.ts";
import { FileError } from "../checkpoints/byteSource.ts";
import {
  beginOf,
  createFile,
  fileExists,
  folderOf,
  isRunning,
  joinPath,
  keepFolder,
  makeFolder,
  moveFile,
  readFile,
  removeFile,
  removeLeftovers,
  temporaryName,
  unkeepFolder,
} from "../checkpoints/files.ts";

const holderSchema = z.object({
  pid: z.int().positive(),
  host: z.string(),
  since: z.string(),
  /** When the process began, as its system counts; null where that isn't told. */
  began: z.string().nullable(),
});

type Holder = z.infer<typeof holderSchema>;

const held = new Set<Lock>();
let isListening = false;

export class Lock {
  private constructor(
    /** The lock file. */
    readonly path: string,
    /** What is locked, for a person. */
    readonly what: string,
    readonly text: string,
  ) {
    held.add(this);
    if (isListening) return;
    isListening = true;
    process.on("exit", () => {
      for (const lock of held) lock.release();
    });
  }

  /** Locks a run's folder, which is then not made again where somebody deletes it. */
  static ofFolder(folder: string): Lock {
    const lock = Lock.of(joinPath(folder, "run.lock"), folder);
    keepFolder(folder);
    return lock;
  }

  /** Locks a file of results. */
  static ofFile(file: string): Lock {
    return Lock.of(`${file}.lock`, file);
  }

  /** Takes a lock; an ArgumentError says who has it. The lock of a process that is gone is taken over. */
  static of(path: string, what: string): Lock {
    makeFolder(folderOf(path));
    const text = JSON.stringify(self());
    while (!createFile(path, text)) {
      const found = holderOf(path);
      if (found !== null) refuseWhileHeld(path, what, found);
      if (found !== null) moveAway(path, found.text);
    }
    removeLeftovers(path);
    return new Lock(path, what, text);
  }

  /** A FileError unless the lock is still there, and ours: the folder went, or is somebody else's by now. */
  check(): void {
    if (fileExists(this.path) && textOf(this.path) === this.text) return;
    const problem =
      "was deleted, moved away or taken over while it was worked in; nothing more is written to it";
    throw new FileError(this.what, "", problem);
  }

  /** Gives the lock back. */
  release(): void {
    if (!held.delete(this)) return;
    unkeepFolder(folderOf(this.path));
    try {
      this.check();
      removeFile(this.path);
    } catch (error) {
      if (!(error instanceof FileError)) throw error; // gone already, or not to be removed: it is stale then
    }
  }
}

/** Does some work while nobody else may write these files of results. */
export async function holding<T>(files: readonly string[], work: () => Promise<T>): Promise<T> {
  const locks: Lock[] = [];
  try {
    for (const file of new Set(files)) locks.push(Lock.ofFile(file));
    return await work();
  } finally {
    for (const lock of locks) lock.release();
  }
}

function self(): Holder {
  const { pid } = process;
  return { pid, host: hostname(), since: new Date().toISOString(), began: beginOf(pid) };
}

function textOf(path: string): string {
  return new TextDecoder().decode(readFile(path));
}

/** What a lock says. A holder who never came to write its name has none. */
interface Found {
  readonly text: string;
  readonly holder: Holder | null;
}

/** What a lock says; null if it is gone by now. */
function holderOf(path: string): Found | null {
  for (let turn = 0; fileExists(path); turn++) {
    const text = textOf(path);
    try {
      return { text, holder: parseChecked(path, text, "", holderSchema) };
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      if (turn === 5) return { text, holder: null };
    }
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50); // it may be about to be written
  }
  return null;
}

function refuseWhileHeld(path: string, what: string, { text, holder }: Found): void {
  if (holder === null) return;
  const { pid, host, since } = holder;
  const who = `${what} is in use: process ${pid} on ${host} has worked in it since ${since}`;
  if (host !== hostname()) {
    throw new ArgumentError(
      `${who}; that machine can't be asked from here. Wait for its end, or delete ${path} if it is over`,
    );
  }
  if (isAlive(holder, text)) throw new ArgumentError(`${who}; wait for its end, or stop it`);
}

/** Whether the process that took a lock still runs, and isn't another one with its number. */
function isAlive({ pid, began }: Holder, text: string): boolean {
  if (pid === process.pid) return [...held].some((lock) => lock.text === text);
  return isRunning(pid) && (began === null || beginOf(pid) === began);
}

/** Takes away a lock that holds `text`: in one step, so that of two who do it one gets the lock that is made next. */
function moveAway(path: string, text: string): void {
  const aside = temporaryName(path);
  if (!moveFile(path, aside)) return;
  if (textOf(aside) === text) removeFile(aside);
  else moveFile(aside, path); // somebody's who was quicker
}
