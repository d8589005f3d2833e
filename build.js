// Builds dist/, what other projects import: JavaScript and type declarations of everything that the
// package exports, and the compiled kernels beside their loader. Nothing in this repository needs it;
// tests and commands run the TypeScript. npm runs it before it packs.
// Next: tsconfig.build.json for what is compiled, package.json for what is exported.

import { execFileSync } from "node:child_process";
import { cpSync, rmSync } from "node:fs";
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
for (const name of ["kernels.wasm", "kernels.fma.wasm"])
  cpSync(join(root, "kernels/wasm", name), join(root, "dist/kernels/wasm", name));
