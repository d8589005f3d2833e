// The repository's own TypeScript, for tests of what compiles and what mustn't.
// Next: seam.test.ts, which compiles most.

import { execFileSync } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

/** The folder of the repository's own TypeScript. */
export const typescript = dirname(
  createRequire(import.meta.url).resolve("typescript/package.json"),
);

/** What the compiler has to say of the project in a folder; "" if nothing. One checker, as others of a run work too. */
export function compilerOn(folder: string): string {
  const args = [join(typescript, "bin/tsc"), "-p", folder, "--checkers", "1"];
  try {
    return execFileSync(process.execPath, args, { encoding: "utf8", stdio: "pipe" });
  } catch (error) {
    const { stdout } = error as { readonly stdout?: string };
    return stdout || String(error);
  }
}
