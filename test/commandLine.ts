// The command line, as tests run it: in a process of its own, where that is what they are about, or in theirs.
// Next: help.test.ts; ../cli/cli.ts for what runs.

import { type SpawnSyncReturns, spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { main } from "../cli/cli.ts";

/** The program that the package brings. */
export const bin = fileURLToPath(new URL("../cli/bin.js", import.meta.url));

/** Runs the command line as a process of its own. */
export function twoheads(
  args: readonly string[],
  options: { readonly input?: string | Uint8Array; readonly cwd?: string } = {},
): SpawnSyncReturns<string> {
  return spawnSync(process.execPath, [bin, ...args], { ...options, encoding: "utf8" });
}

/** What a command prints, what it says on standard error, and its exit code. */
export interface Ran {
  readonly out: string;
  readonly said: string;
  readonly code: number;
}

/** Runs the command line here, which is quicker; on the device that is in use. */
export async function twoheadsHere(args: readonly string[]): Promise<Ran> {
  const [out, said]: [string[], string[]] = [[], []];
  const { log, error } = console;
  const before = process.exitCode; // the test runner's own
  console.log = (text: unknown) => void out.push(String(text));
  console.error = (text: unknown) => void said.push(String(text));
  process.exitCode = 0;
  try {
    await main(["node", "twoheads", ...args]);
    return { out: out.join("\n"), said: said.join("\n"), code: Number(process.exitCode ?? 0) };
  } finally {
    Object.assign(console, { log, error });
    process.exitCode = before;
  }
}
