// Builds kernels.wasm from the AssemblyScript sources (*.as.ts) beside this file, and kernels.fma.wasm,
// the same with fused multiply-add (TWOHEADS_FMA=1). Both are committed, so nobody needs this to run
// anything; a test runs `--check`, which rebuilds in memory and compares bytes, so the committed
// modules can never drift from their sources.
//
//   npx tsx kernels/wasm/build.ts            writes them
//   npx tsx kernels/wasm/build.ts --check    exits 1 with a sentence if one differs
// Read next: index.as.ts (what is exported), module.ts (how it is loaded).

import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import asc from "assemblyscript/asc";

const here = fileURLToPath(new URL(".", import.meta.url));

/** What is built, with the compiler's options that differ. */
export const targets: Readonly<Record<string, readonly string[]>> = {
  "kernels.wasm": [],
  "kernels.fma.wasm": ["--enable", "relaxed-simd"],
};

/** 64 KiB: small enough to read, to commit and to inline into a page. */
const limit = 65536;

const flags = [
  "index.as.ts",
  "--baseDir",
  here,
  "-O3",
  "--converge",
  "--noAssert",
  "--runtime",
  "stub", // no garbage collector: kernels never allocate
  "--use",
  "abort=", // no imports but the memory
  "--enable",
  "simd",
  "--importMemory",
  "--noExportMemory",
  "--initialMemory",
  "2",
  "--maximumMemory",
  "65536",
];

/**
 * Compiles the sources and returns the module's bytes; compiler messages become the error's text.
 */
export async function compile(target: string): Promise<Uint8Array> {
  let bytes: Uint8Array | undefined;
  const own = ["--outFile", target, ...(targets[target] ?? [])];
  const { error, stderr } = await asc.main([...flags, ...own], {
    writeFile(name, contents) {
      if (name === target) bytes = contents as Uint8Array;
    },
  });
  if (error || !bytes)
    throw new Error(`kernels/wasm: the sources do not compile\n${stderr.toString()}`);
  if (bytes.length > limit) {
    throw new Error(
      `kernels/wasm: ${target} is ${bytes.length} bytes; at most ${limit} are wanted`,
    );
  }
  return bytes;
}

/** Whether a committed module is byte for byte what the sources build. */
export async function isCurrent(target: string): Promise<boolean> {
  return Buffer.compare(readFileSync(here + target), await compile(target)) === 0;
}

async function main(): Promise<void> {
  for (const target of Object.keys(targets)) {
    if (!process.argv.includes("--check")) {
      const bytes = await compile(target);
      writeFileSync(here + target, bytes);
      console.log(`${target}: ${bytes.length} bytes`);
    } else if (await isCurrent(target)) {
      console.log(`${target} is what its sources build`);
    } else {
      console.error(
        `${target} differs from what its sources build: run npx tsx kernels/wasm/build.ts`,
      );
      process.exitCode = 1;
    }
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
