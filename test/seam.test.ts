// The seam between an op's entry and its kernels is held by types: a device's rules are typed by the entries,
// so whoever changes one and forgets the other is told by the compiler. Here a copy of core and kernels is
// changed in one place at a time, and must not compile.
// Next: ../core/rule.ts.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { compilerOn } from "./compiler.ts";
import { copyOf, root } from "./folders.ts";

const copy = copyOf(["core", "kernels"]);

before(() => {
  const { compilerOptions } = JSON.parse(readFileSync(join(root, "tsconfig.json"), "utf8")) as {
    compilerOptions: object;
  };
  const own = { compilerOptions, include: ["core", "kernels"], exclude: ["**/*.as.ts"] };
  writeFileSync(join(copy, "tsconfig.json"), JSON.stringify(own));
  mkdirSync(join(copy, "test"));
});

/** The files in which the compiler finds errors in the copy. */
function complaints(): string[] {
  const said = compilerOn(copy);
  const files = [...said.matchAll(/([\w/.]+\.ts)\(\d+,\d+\): error/g)].map(([, file]) => file);
  assert.ok(said === "" || files.length > 0, said);
  return [...new Set(files.map((file = "") => file.replace(/^.*?(?=core\/|kernels\/)/, "")))];
}

type Edit = readonly [file: string, from: string, to: string];

/** Replaces texts that must be there, as often as they are there, and compiles. */
function complaintsAfter(...edits: readonly Edit[]): string[] {
  const before = new Map(edits.map(([file]) => [file, readFileSync(join(copy, file), "utf8")]));
  try {
    for (const [file, from, to] of edits) {
      const source = readFileSync(join(copy, file), "utf8");
      assert.ok(source.includes(from), `${file} has no ${from}`);
      writeFileSync(join(copy, file), source.replaceAll(from, to));
    }
    return complaints().sort();
  } finally {
    for (const [file, source] of before) writeFileSync(join(copy, file), source);
  }
}

const norms = "core/ops/fused/normalization.ts";
const wasm = "kernels/wasm/fused.ts";
const gpu = "kernels/gpu/norm.ts";

describe("what doesn't compile", () => {
  test("the copy as it is does", () => {
    assert.deepEqual(complaints(), []);
  });

  for (const places of ["[y, means, scales]", "[y, scales, means]"]) {
    test(`saved outputs by their place, ${places}: they have names`, () => {
      const named = "[y, { means, scales }]";
      const found = complaintsAfter(
        [norms, named, places],
        [wasm, "means), { means, scales }]", `means)${places.slice(2)}`],
        [gpu, named, places],
      );
      assert.deepEqual(found, [norms, gpu, wasm]);
    });
  }

  test("an entry that saves by place, less than its type says, or something else", () => {
    const saves = "{ means: rows, scales: rows }";
    for (const other of ["rows, rows", "{ means: rows }", "{ means: rows, rstds: rows }"])
      assert.deepEqual(complaintsAfter([norms, saves, other]), [norms]);
  });

  test("a kernel that leaves a saved output out, or expects one that the entry doesn't save", () => {
    const found = complaintsAfter(
      [wasm, "means), { means, scales }]", "means), { means }]"],
      [gpu, "saved.scales", "saved.rstds"],
    );
    assert.deepEqual(found, [gpu, wasm]);
  });

  test("kernels after an entry saves under another name: every device's", () => {
    const found = complaintsAfter(["core/ops/fused/crossEntropy.ts", "largest", "greatest"]);
    assert.deepEqual(found, ["kernels/gpu/crossEntropy.ts", wasm]);
  });

  test("kernels after an entry takes its arguments in another order", () => {
    const [before, now] = ["[x: Tensor, drop: Drop]", "[drop: Drop, x: Tensor]"];
    const found = complaintsAfter(["core/ops/fused/dropout.ts", before, now]);
    assert.ok(found.includes(wasm), `complaints about ${found}`);
  });

  test("a rule for an op that isn't there, or for another op than it is written for", () => {
    const found = complaintsAfter(
      [wasm, "  scatterAdd,\n};", "  scatterAdd,\n  softMax: gather,\n};"],
      [gpu, "{ layerNorm, rmsNorm }", "{ layerNorm: rmsNorm }"],
    );
    assert.deepEqual(found, [gpu, wasm]);
  });
});
