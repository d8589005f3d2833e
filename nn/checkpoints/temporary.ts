// Folders for what a command needs while it works. They go with the process, whatever ends it but a SIGKILL; those of
// killed processes go when the next one makes one of the same kind. Next: files.ts.

import * as fs from "node:fs";
import * as os from "node:os";
import { FileError } from "./byteSource.ts";
import { isWriterAlive, joinPath, namesIn, writerName } from "./files.ts";

const live = new Set<string>();
const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Makes an empty folder for a command called `name`, where the system keeps such. Remove it when done. */
export function makeTemporaryFolder(name: string): string {
  const prefix = `twoheads-${name}-`;
  sweep(prefix);
  let path = joinPath(os.tmpdir(), prefix);
  try {
    path = fs.mkdtempSync(`${path}${writerName()}-`);
  } catch (cause) {
    const { message } = cause as Error;
    throw new FileError(path, "", `no temporary folder can be made: ${message}`, { cause });
  }
  if (live.size === 0) listen();
  live.add(path);
  return path;
}

/** Removes such a folder. */
export function removeTemporaryFolder(path: string): void {
  if (!live.delete(path)) return;
  removeQuietly(path);
  if (live.size > 0) return;
  process.off("exit", removeAll);
  for (const signal of signals) process.off(signal, endBy);
}

function listen(): void {
  process.on("exit", removeAll);
  for (const signal of signals) process.on(signal, endBy);
}

function removeAll(): void {
  for (const path of live) removeQuietly(path);
}

/** Ends the process as the signal would have, unless somebody else answers it. */
function endBy(signal: NodeJS.Signals): void {
  if (process.listenerCount(signal) === 1) process.exit(128 + os.constants.signals[signal]);
}

/** Removes what killed processes of this machine and this user left. */
function sweep(prefix: string): void {
  for (const name of namesIn(os.tmpdir())) {
    if (!name.startsWith(prefix)) continue;
    if (isWriterAlive(name.slice(prefix.length)) === false)
      removeQuietly(joinPath(os.tmpdir(), name));
  }
}

function removeQuietly(path: string): void {
  try {
    fs.rmSync(path, { recursive: true, force: true }); // a link itself, not what it leads to
  } catch {} // somebody else's: it is in nobody's way
}
