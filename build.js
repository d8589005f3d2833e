// Builds dist/, what other projects import: JavaScript and type declarations of everything that the
// package exports, and what stands beside it (compiled kernels, the demo's bases, what was measured
// once). Nothing in this repository needs it; tests and commands run the TypeScript. npm runs it before
// it packs.
// Next: tsconfig.build.json for what is compiled, package.json for what is exported.

import { execFileSync } from "node:child_process";
import { cpSync, existsSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL(".", import.meta.url));
const typescript = dirname(createRequire(import.meta.url).resolve("typescript/package.json"));

rmSync(join(root, "dist"), { recursive: true, force: true });
execFileSync(process.execPath, [join(typescript, "bin/tsc"), "-p", "tsconfig.build.json"], {
  cwd: root,
  stdio: "inherit",
});
const beside = ["kernels/wasm/kernels.wasm", "kernels/wasm/kernels.fma.wasm", "lab/demo/bases"];
for (const results of ["lab/demo/seeds.jsonl", "lab/frontier.jsonl"])
  if (existsSync(join(root, results))) beside.push(results);
for (const path of beside) cpSync(join(root, path), join(root, "dist", path), { recursive: true });
