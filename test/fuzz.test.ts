// Damaged and forged files over all readers: a result or one of our errors, within five seconds and 512 MiB, whatever the
// bytes. 2,000 files; 20,000 in `npm run nightly`. TWOHEADS_FUZZ=file:number runs a case again.
// Next: fuzz.ts for the damage, fuzzSamples.ts for the files.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { TwoheadsError } from "../core/index.ts";
import { temporaryFolder } from "./folders.ts";
import { mutated } from "./fuzz.ts";
import { samples, writeSamples } from "./fuzzSamples.ts";

const cases = process.env.TWOHEADS_NIGHTLY === "1" ? 20_000 : 2_000;
const [only, number] = (process.env.TWOHEADS_FUZZ ?? "").split(":");
const folder = temporaryFolder("fuzz");
const mebibyte = 2 ** 20;

before(() => writeSamples(folder));

/** What is wrong with how a reader met a file; null if nothing is. */
async function judge(read: (folder: string) => unknown): Promise<string | null> {
  const start = performance.now();
  try {
    await read(folder);
  } catch (error) {
    if (!(error instanceof TwoheadsError)) return String((error as Error)?.stack ?? error);
  }
  const seconds = (performance.now() - start) / 1000;
  return seconds < 5 ? null : `${seconds.toFixed(1)} seconds`;
}

for (const [i, { file, read }] of samples.entries()) {
  test(`${file}, reader ${i}: damaged files are a sentence, soon`, async () => {
    const path = join(folder, file);
    const whole = readFileSync(path);
    await read(folder); // the sample itself opens
    const start = process.resourceUsage().maxRSS / 1024;
    const count = Math.ceil(cases / samples.length);
    const chosen = only === file ? [Number(number)] : Array.from({ length: count }, (_, n) => n);
    const found: string[] = [];
    for (const n of chosen) {
      const bytes = mutated(`${file}:${n}`, whole);
      writeFileSync(path, bytes);
      const problem = await judge(read);
      if (problem !== null) found.push(`TWOHEADS_FUZZ=${file}:${n} ${problem}`);
    }
    writeFileSync(path, whole);
    assert.equal(found.length, 0, found.slice(0, 5).join("\n\n"));
    const grown = process.resourceUsage().maxRSS / 1024 - start;
    assert.ok(grown < 512 + (4 * whole.length) / mebibyte, `grew by ${grown.toFixed(0)} MiB`);
  });
}
