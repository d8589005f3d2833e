// The documents are run: every ```ts block of README.md that is followed by a ```text block must print
// exactly that, and CONTRIBUTING.md's new op is added to a copy of core and used there. A document that
// goes stale fails here. Next: ops.test.ts; walkthroughs.test.ts for the lessons.

import assert from "node:assert/strict";
import { appendFileSync, cpSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { blocksOf, inFolder, root, runProgram, stepsOf } from "../walkthroughs/lesson.ts";

const textOf = (file: string): string => readFileSync(join(root, file), "utf8");

const readme = stepsOf(textOf("README.md"));
readme.forEach(({ code, expected }, i) => {
  if (expected === undefined) return;
  test(`README.md: example ${i + 1} prints what it says`, () =>
    inFolder(async (folder) => assert.equal(await runProgram(folder, code.text), expected.text)));
});

test("README.md has examples to run", () => {
  assert.ok(readme.filter(({ expected }) => expected !== undefined).length >= 2);
});

test("CONTRIBUTING.md: its op is added by one entry", () =>
  inFolder(async (folder) => {
    const [op, use, expected] = ["ts op", "ts use", "text"].map((language) =>
      blocksOf(textOf("CONTRIBUTING.md")).find((block) => block.language === language),
    );
    cpSync(join(root, "core"), join(folder, "core"), { recursive: true });
    appendFileSync(join(folder, "core/ops/functions.ts"), op?.text ?? "");
    assert.equal(await runProgram(folder, use?.text ?? ""), expected?.text);
  }));
