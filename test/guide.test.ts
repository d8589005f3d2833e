// docs/testing.md as its reader meets it: its files and commands, in an empty project with the packed package; and the same
// failing check in node:test and Vitest (and Jest with TWOHEADS_RUNNERS=all, 300 packages more), whose printed commands
// must run exactly the failing case again. Next: installed.ts for the project, ../testing/runner.ts.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { stripVTControlCharacters } from "node:util";
import { type Installed, installed, root } from "./installed.ts";

const withJest = process.env.TWOHEADS_RUNNERS === "all";

/** A block of code of the guide: its language, what stands behind it, and its text. */
interface Block {
  readonly language: string;
  readonly info: string;
  readonly text: string;
}

const guide = readFileSync(join(root, "docs/testing.md"), "utf8");
const blocks: Block[] = [...guide.matchAll(/^```(\w+) ?(.*)\n([\s\S]*?)^```$/gm)].map(
  ([, language = "", info = "", text = ""]) => ({ language, info, text }),
);

/** What the kit says in a printed text, with what differs from run to run left out. */
function told(printed: string): string {
  const plain = stripVTControlCharacters(printed);
  const lines = plain.split("\n").map((line) => line.trim());
  const first = lines.findIndex((line) => line.includes("squareplus: gradients to order 2"));
  const last = lines.findIndex((line, i) => i > first && line.startsWith("replay: "));
  return lines
    .slice(first, last + 1)
    .join("\n")
    .replace(/^.*?squareplus: gradients/, "squareplus: gradients")
    .replaceAll(/-?\d+(:\d+)+|(?<=REPLAY=)\w+:|seed -?\d+|case \d+|smaller \d+/g, "…");
}

describe("the guide", () => {
  let project: Installed;
  /** Runs a command line of a shell; what it printed, and whether it ended well. */
  const shell = (command: string): Promise<{ ok: boolean; printed: string }> => {
    const { NODE_TEST_CONTEXT: _, TWOHEADS_RERUN: __, NODE_OPTIONS: ___, ...env } = process.env;
    return new Promise((resolve) => {
      execFile(command, { cwd: project.folder, shell: true, env }, (error, stdout, stderr) =>
        resolve({ ok: error === null, printed: stdout + stderr }),
      );
    });
  };

  before(async () => {
    const others = ["fast-check@4", "vitest@4", ...(withJest ? ["jest@30"] : [])];
    project = await installed(others);
  });
  after(() => project.remove());

  test("ends with a bug that was found, made small and mended", async (t) => {
    if (!existsSync(join(project.folder, "node_modules/vitest")))
      return t.skip(project.missing ?? "no vitest");
    let printed = "";
    for (const { language, info, text } of blocks.slice(1)) {
      if (language === "ts") project.write(info, text);
      else if (language === "text") assert.equal(told(printed), told(text));
      else {
        const run = await shell(text.trim());
        printed = run.printed;
        assert.equal(run.ok, info !== "fails", printed);
      }
    }
    assert.match(blocks[0]?.text ?? "", /npm install twoheads fast-check vitest/);
    const check = await shell("npx twoheads check squareplus.ts --runs 3");
    assert.match(check.printed, /1 op, .* all hold|Node doesn't read squareplus\.ts/);
    for (const name of ["squareplus.test.ts", "ops.test.ts"]) rmSync(join(project.folder, name));
  });

  const op = `const wrong = elementwise({ name: "wrong", forward: (x) => 3 * x, vjp: (g) => [g.mul(2)] });
    describe("ops", () => {
      test("right, with \\"quotes\\" and $HOME (1)", () => checkOp(wrong, { order: 0, runs: 2, devices: [] }));
      test("wrong, with \\"quotes\\" and $HOME (1)", () => { checkOp(wrong, { runs: 5 }); });
    });`;
  const kit = 'import { elementwise } from "twoheads"; import { checkOp } from "twoheads/testing";';
  const runners = [
    ["node:test", "a.mjs", 'import { describe, test } from "node:test";', "node --test a.mjs"],
    ["Vitest", "b.test.js", 'import { describe, test } from "vitest";', "npx vitest run b.test.js"],
    ["Jest", "c.test.js", "", "NODE_OPTIONS=--experimental-vm-modules npx jest c.test.js"],
    ["none", "d.mjs", "const describe = (_, fn) => fn(), test = describe;", "node d.mjs"],
  ] as const;
  for (const [runner, file, imports, command] of runners) {
    test(`${runner}: the printed command runs the failing case alone`, async (t) => {
      const what = { Vitest: "vitest", Jest: "jest" }[runner as string];
      if (what !== undefined && !existsSync(join(project.folder, "node_modules", what)))
        return t.skip(project.missing ?? "TWOHEADS_RUNNERS=all installs it");
      project.write(file, `${imports}\n${kit}\n${op}\n`);
      const first = await shell(command);
      const [, again = ""] = /replay: (.*)/.exec(stripVTControlCharacters(first.printed)) ?? [];
      assert.ok(again.includes(file), first.printed);
      const second = await shell(again);
      assert.equal(second.ok, false);
      assert.match(second.printed, /the gradient says 2, finite differences say/);
      assert.match(second.printed, /in case 1, made smaller 0 times/);
      rmSync(join(project.folder, file));
    });
  }
});
