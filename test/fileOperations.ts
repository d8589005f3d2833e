// Every call by which this process changes files, watched: a test sees the disk as a kill between two calls would
// leave it, or has a call fail as a full disk does. Writes are cut in two, as the system may cut them.
// Next: killed.test.ts, which goes through all calls of the commands that train.

import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { join, relative } from "node:path";

/** A call that is about to be made. */
export interface Operation {
  /** Such as "renameSync". */
  readonly call: string;
  readonly path: string;
}

const byPath = [
  ...["openSync", "renameSync", "rmSync", "unlinkSync", "mkdirSync", "mkdtempSync"],
  ...["writeFileSync", "appendFileSync", "copyFileSync"],
] as const;
const byHandle = ["writeSync", "fsyncSync"] as const;

type Call = (...given: unknown[]) => unknown;

/** Runs `work`, and `before` before each call that changes a file; what that throws, the call throws. */
export async function watched<T>(
  before: (operation: Operation) => void,
  work: () => Promise<T>,
): Promise<T> {
  const calls = fs as unknown as Record<string, Call>;
  const own = new Map([...byPath, ...byHandle].map((name) => [name, calls[name] as Call]));
  const opened = new Map<unknown, { readonly path: string; isCut: boolean }>();
  for (const [name, call] of own) {
    calls[name] = (...given) => {
      const file = opened.get(given[0]);
      const path = file?.path ?? String(given[0]);
      const isReading = name === "openSync" && (given[1] === "r" || given[1] === undefined);
      if (!isReading && !(name === "fsyncSync" && file === undefined)) before({ call: name, path });
      if (name === "fsyncSync") return undefined; // what is forced to the disk can't be seen, and takes long
      if (name === "writeSync" && file && !file.isCut) {
        file.isCut = true;
        const [handle, bytes, at, length] = given as [number, Uint8Array, number, number];
        return call(handle, bytes, at, Math.ceil(length / 2));
      }
      const result = call(...given);
      if (name === "openSync" && !isReading) opened.set(result, { path, isCut: false });
      return result;
    };
  }
  syncBuiltinESMExports();
  try {
    return await work();
  } finally {
    for (const [name, call] of own) calls[name] = call;
    syncBuiltinESMExports();
  }
}

/** What the system says of a disk that is full, or that can't be written. */
export function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: from a test`), { code });
}

/** The files below a folder and what they hold, by their paths in it. */
export type Contents = ReadonlyMap<string, Buffer>;

export function filesIn(folder: string): Contents {
  if (!fs.existsSync(folder)) return new Map();
  const names = fs.readdirSync(folder, { recursive: true, encoding: "utf8" }).sort();
  const paths = names
    .map((name) => join(folder, name))
    .filter((path) => fs.statSync(path).isFile());
  return new Map(paths.map((path) => [relative(folder, path), fs.readFileSync(path)]));
}

/** Puts a folder back as it was when somebody died who is no process any more. */
export function putBack(folder: string, files: Contents): void {
  const dead = "4999999"; // above any system's largest process number
  fs.rmSync(folder, { recursive: true, force: true });
  for (const [name, bytes] of files) {
    const path = join(folder, name.replace(`-${process.pid}-`, `-${dead}-`));
    const isLock = name.endsWith("lock");
    fs.mkdirSync(join(path, ".."), { recursive: true });
    const lock = String(bytes).replace(`"pid":${process.pid}`, `"pid":${dead}`);
    fs.writeFileSync(path, isLock ? lock : bytes);
  }
}
