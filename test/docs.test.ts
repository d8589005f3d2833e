// The documents are run: every ```ts block of README.md that is followed by a ```text block must print
// exactly that, and CONTRIBUTING.md's new op is added to a copy of core and used there. A document that
// goes stale fails here. Next: ops.test.ts.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  cpSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const tsx = createRequire(import.meta.url).resolve("tsx/cli");

interface Block {
  readonly language: string;
  readonly text: string;
}

function blocksOf(file: string): Block[] {
  const markdown = readFileSync(join(root, file), "utf8");
  return [...markdown.matchAll(/^```(\w[\w ]*)\n([\s\S]*?)^```$/gm)].map(
    ([, language = "", text = ""]) => ({
      language,
      text,
    }),
  );
}

/** Runs TypeScript in `folder` and returns what it prints. */
function run(folder: string, code: string): string {
  const file = join(folder, "block.ts");
  writeFileSync(file, code);
  const args = [tsx, "--tsconfig", join(root, "tsconfig.json"), file];
  return execFileSync(process.execPath, args, { cwd: root, encoding: "utf8" });
}

function inFolder(use: (folder: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), "twoheads-docs-"));
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  try {
    use(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const readme = blocksOf("README.md");
readme.forEach((block, i) => {
  const expected = readme[i + 1];
  if (block.language !== "ts" || expected?.language !== "text") return;
  test(`README.md: example ${i + 1} prints what it says`, () =>
    inFolder((folder) => assert.equal(run(folder, block.text), expected.text)));
});

test("README.md has examples to run", () => {
  assert.ok(readme.filter(({ language }) => language === "text").length >= 2);
});

test("CONTRIBUTING.md: its op is added by one entry", () =>
  inFolder((folder) => {
    const [op, use, expected] = ["ts op", "ts use", "text"].map((language) =>
      blocksOf("CONTRIBUTING.md").find((block) => block.language === language),
    );
    cpSync(join(root, "core"), join(folder, "core"), { recursive: true });
    symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
    appendFileSync(join(folder, "core/ops/functions.ts"), op?.text ?? "");
    assert.equal(run(folder, use?.text ?? ""), expected?.text);
  }));
