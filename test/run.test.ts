// How tests are run: npm test finds files and hands flags on, ends as its tests do, and a failing property
// prints a command that runs exactly its case again. Failures are planted in a temporary folder.
// Next: run.ts, ../testing/property.ts.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { after, before, describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { root } from "../walkthroughs/running.ts";

const { NODE_TEST_CONTEXT: _context, ...environment } = process.env; // ours is not the planted tests' runner

/** Runs a command line as a person does, at the root. */
function shell(command: string, env: Readonly<Record<string, string>> = {}) {
  const options = {
    cwd: root,
    shell: true,
    encoding: "utf8",
    env: { ...environment, ...env },
  } as const;
  const { status, stdout, stderr } = spawnSync(command, options);
  return { status, printed: stdout + stderr };
}

const property = pathToFileURL(join(root, "testing/property.ts")).href;
const planted = `
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { checkProperty, holds } from "${property}";
describe("planted", () => {
  test('a "name" that $HOME shells \`misread\` (1)', () => {
    holds("first", (d) => d.integer(0, 9), () => {});
    holds("second", (d) => d.integer(0, 1000), (n) => {
      console.log("drawn", n);
      assert.ok(n < 17, "too much");
    });
  });
  test("of fast-check", () =>
    checkProperty("own", fc.property(fc.nat(), (n) => assert.ok(n < 5, "above four"))));
  test("passes", () => {});
});
`;

describe("npm test", () => {
  let folder = "";
  let file = "";
  let all = { status: null as number | null, printed: "" };

  before(() => {
    folder = mkdtempSync(join(tmpdir(), "twoheads-planted-"));
    file = relative(root, join(folder, "planted.test.ts"));
    symlinkSync(join(root, "node_modules"), join(folder, "node_modules"), "junction");
    writeFileSync(join(root, file), planted);
    all = shell(`npm test ${file}`);
  });

  after(() => rmSync(folder, { recursive: true }));

  test("ends as its tests do, and prints their counts last", () => {
    assert.equal(all.status, 1);
    assert.match(all.printed, /^ℹ tests 3$.*^ℹ pass 1$.*^ℹ fail 2$/ms);
  });

  test("hands flags on, with a value behind = or behind a space", () => {
    const { status, printed } = shell(
      `npm test -- ${file} --test-name-pattern "pass.s" --test-reporter=tap`,
    );
    assert.equal(status, 0, printed);
    assert.match(printed, /^# pass 1$.*^# fail 0$/ms);
  });

  test("says which file there isn't", () => {
    const { status, printed } = shell("npm run test:one nowhere");
    assert.equal(status, 1);
    assert.match(printed, /there is no test file "nowhere"/);
  });

  test("a failing property prints a command that runs its case again, from any shell", () => {
    const commands = [...all.printed.matchAll(/replay: (.*)$/gm)].map(
      ([, command]) => command ?? "",
    );
    const [second = "", own = "", ...others] = new Set(commands);
    assert.deepEqual(others, []);
    const again = shell(second);
    assert.equal(again.status, 1);
    assert.match(
      again.printed,
      /second: too much\n +counterexample: 17\n +seed -?\d+, path "[\d:]+"/,
    );
    assert.equal([...again.printed.matchAll(/drawn (\d+)/g)].length, 1, again.printed);
    assert.doesNotMatch(again.printed, /above four/);
    assert.match(shell(own).printed, /own: above four\n +counterexample: \[5\]\n/);
  });
});
