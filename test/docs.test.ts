// The documents are run: every ```ts block of README.md that is followed by a ```text block must print
// exactly that, and CONTRIBUTING.md's new op is added to a copy of core and used there. A document that
// goes stale fails here. Next: ops.test.ts; walkthroughs.test.ts for the lessons.

import assert from "node:assert/strict";
import { appendFileSync, cpSync, existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { blocksOf, stepsOf } from "../walkthroughs/lesson.ts";
import { inFolder, root, runProgram } from "../walkthroughs/running.ts";

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

test("README.md: every link works from a package's page too, and leads to something that is there", () => {
  const links = [...textOf("README.md").matchAll(/\]\(([^)]+)\)/g)].map(([, link = ""]) => link);
  assert.deepEqual(
    links.filter((link) => !/^(https:|#)/.test(link)),
    [],
  );
  const home = /^https:\/\/github\.com\/twoheads\/twoheads\/(?:blob|tree)\/main\//;
  const own = links.filter((link) => home.test(link)).map((link) => link.replace(home, ""));
  assert.ok(own.length >= 10, `${own.length} links into the repository`);
  assert.deepEqual(
    own.filter((path) => !existsSync(join(root, path))),
    [],
  );
  const raw = /"https:\/\/raw\.githubusercontent\.com\/twoheads\/twoheads\/main\/([^"]+)"/g;
  const pictures = [...textOf("README.md").matchAll(raw)].map(([, path = ""]) => path);
  assert.equal(pictures.length, 2, "in light and dark");
  for (const path of pictures) assert.ok(existsSync(join(root, path)), path);
  const { homepage, repository } = JSON.parse(textOf("package.json")) as {
    homepage: string;
    repository: { url: string };
  };
  assert.equal(homepage, "https://github.com/twoheads/twoheads#readme");
  assert.equal(repository.url, "git+https://github.com/twoheads/twoheads.git");
});

/** Files of a model's folder, and of a run's. */
const ofFolders = [
  ...["config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json"],
  ...["run.json", "eval.json", "data.json"],
];

test("CONTRIBUTING.md and CHANGELOG.md name scripts, files and links that there are", () => {
  const { scripts } = JSON.parse(textOf("package.json")) as { scripts: Record<string, string> };
  for (const file of ["CONTRIBUTING.md", "CHANGELOG.md", "docs/decisions.md"]) {
    const text = textOf(file);
    for (const [, script = ""] of text.matchAll(/\bnpm run ([\w:]+)/g))
      assert.ok(scripts[script] !== undefined, `${file}: npm run ${script}`);
    const paths = [...text.matchAll(/`((?:[\w.-]+\/)+[\w.-]*|[\w.-]+\.(?:md|json))`/g)].map(
      ([, path = ""]) => path,
    );
    for (const path of paths.filter(
      (each) => !/NAME|^twoheads\//.test(each) && !ofFolders.includes(each),
    ))
      assert.ok(existsSync(join(root, path)), `${file}: ${path}`);
    for (const [, to = ""] of text.matchAll(/\]\((?!http)([^)#]+)/g))
      assert.ok(existsSync(join(root, dirname(file), to)), `${file}: ${to}`);
  }
});

test("CONTRIBUTING.md says how each thing is added", () => {
  const headings = [...textOf("CONTRIBUTING.md").matchAll(/^## (.*)$/gm)].map(([, text]) => text);
  for (const what of ["an op", "a kernel", "a layer", "a loss or a method", "a command", "a world"])
    assert.ok(
      headings.some((text) => text?.startsWith(`Adding ${what}`)),
      what,
    );
});

test("CONTRIBUTING.md names things that the files have", () => {
  const has = (file: string, ...names: string[]): void => {
    for (const name of names) assert.match(textOf(file), new RegExp(`\\b${name}\\b`), file);
  };
  has("grm/trainer/objective.ts", "methods");
  has("grm/trainer.ts", "trainSchema");
  has("lab/demo/plan.ts", "trained", "rowTitles");
  has("lab/worlds/index.ts", "worlds");
  has("nn/layers.ts", "Module");
});
