// Flags that npm keeps for itself are read back, or refused with what to write: as npm sets its environment,
// and through npm itself. Next: ../cli/npmFlags.ts.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { flagsTakenByNpm } from "../cli/npmFlags.ts";
import { root } from "../walkthroughs/running.ts";

test("flags come back as they were given", () => {
  const environment = {
    npm_config_solutions: "true",
    npm_config_policies: "", // of --no-policies
    npm_config_seeds: "5", // of --seeds=5
    npm_config_quick: "", // of --no-quick, or nothing
    npm_config_noproxy: "", // npm's own
  };
  const switches = ["--solutions", "--no-policies", "--quick", "--fresh"];
  const taken = flagsTakenByNpm(switches, ["--seeds", "--max-tokens"], environment);
  assert.deepEqual(taken, ["--solutions", "--no-policies", "--seeds=5"]);
});

test("a value behind a space is lost, and that is said", () => {
  const environment = { npm_config_max_tokens: "true", npm_lifecycle_event: "demo" };
  assert.throws(() => flagsTakenByNpm([], ["--max-tokens"], environment), {
    name: "ArgumentError",
    message:
      "npm took --max-tokens for itself; write flags behind two dashes: npm run demo -- --max-tokens VALUE",
  });
});

/** What a script prints on lines that fit a pattern; npm is told through its environment what it took. */
function linesOf(args: string[], pattern: RegExp, taken: Record<string, string> = {}): string[] {
  const env = { ...process.env, ...taken };
  const { stdout, stderr } = spawnSync(process.execPath, ["--import", "tsx", ...args], {
    cwd: root,
    encoding: "utf8",
    env,
  });
  return `${stdout}\n${stderr}`.split("\n").filter((line) => pattern.test(line));
}

test("npm run walkthrough 1 --solutions has the solutions, as all its spellings have", () => {
  const blocks = (words: string[], taken = {}): number =>
    linesOf(["walkthroughs/run.ts", "1", ...words], /^--- /, taken).length;
  const without = blocks([]);
  const all = blocks(["--solutions"]);
  assert.ok(all > without);
  assert.equal(blocks(["solutions"]), all);
  assert.equal(blocks([], { npm_config_solutions: "true" }), all);
});

test("npm run demo --seeds 5 says what to write", () => {
  const taken = { npm_config_seeds: "true", npm_lifecycle_event: "demo" };
  const [line] = linesOf(["cli/demo.ts", "5"], /npm/, taken);
  assert.match(line ?? "", /npm run demo -- --seeds VALUE$/);
});
