// The demo: what it concludes from results made up here, its file of results, its data, the committed
// bases and seeds, and the program itself, run whole with another number of workers, and killed and run
// again, which must end with the same table to the byte.
// Next: ../lab/demo/plan.ts, ../lab/demo/table.ts.

import assert from "node:assert/strict";
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import "../kernels/index.ts";
import { random } from "../core/index.ts";
import { interval, signOf } from "../grm/statistics/index.ts";
import { committedBase } from "../lab/demo/bases.ts";
import { dataOf } from "../lab/demo/data.ts";
import {
  armsOf,
  type DemoPlan,
  fullPlan,
  quickPlan,
  type RowName,
  rowsOf,
} from "../lab/demo/plan.ts";
import { readResults, resultsOfPlan, writeResults } from "../lab/demo/resultFile.ts";
import { type DemoResult, type DemoResultFile, inOrder } from "../lab/demo/results.ts";
import { accuracyTable, differenceTable, verdict } from "../lab/demo/table.ts";
import { conclusion } from "../lab/demo/text.ts";
import { mapSummaries } from "../lab/map/summary.ts";
import { Workers } from "../lab/workers.ts";
import { documents, perplexity, spelled } from "../lab/worlds/index.ts";
import { loadCausalLM } from "../nn/node.ts";
import { temporaryFolder } from "./folders.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = temporaryFolder("demo-test");

describe("intervals", () => {
  test("are Student's t, as statistics packages give them", () => {
    // scipy.stats.t.interval(0.95, 2, loc=2, scale=sem([1, 2, 3])): (-0.4841, 4.4841)
    const three = interval([1, 2, 3]);
    assert.equal(three.mean, 2);
    assert.ok(Math.abs((three.half ?? 0) - 2.4843) < 1e-3);
    const many = interval(Array.from({ length: 101 }, (_, i) => i)); // t(100) = 1.98397
    assert.ok(Math.abs((many.half ?? 0) - 1.98397 * Math.sqrt(858.5 / 101)) < 0.01);
  });

  test("say nothing of one number, and of what holds 0", () => {
    assert.equal(interval([5]).half, null);
    assert.equal(signOf(interval([5])), 0);
    assert.equal(signOf(interval([1, 2, 3])), 0);
    assert.equal(signOf(interval([2, 2.1, 1.9])), 1);
    assert.equal(signOf(interval([-2, -2.1, -1.9])), -1);
  });
});

describe("the plan", () => {
  test("has 13 arms to a seed, which give 16 rows", () => {
    const arms = armsOf(fullPlan);
    assert.equal(arms.length, 13);
    assert.equal(arms.flatMap(rowsOf).length, 16);
  });

  test("draws the same data for all arms of a seed, other data for another seed", () => {
    const text = (seed: number) =>
      JSON.stringify(dataOf(seed, quickPlan), (_, x) => (x instanceof Int32Array ? [...x] : x));
    assert.equal(text(1), text(1));
    assert.notEqual(text(1), text(2));
    const { training, validation, tests } = dataOf(1, quickPlan);
    assert.deepEqual([training.length, validation.length], [quickPlan.pairs, quickPlan.validation]);
    for (const [name, pairs] of Object.entries(tests)) {
      assert.equal(pairs.length, quickPlan.tests);
      assert.ok(pairs.every(({ source }) => source === name));
    }
  });
});

// --- Conclusions -------------------------------------------------------------------------------------

/** Results in which each row does, out of distribution, what `ood` says for a rate and a seed. */
function made(ood: (row: RowName, lr: number, seed: number) => number, seeds = 3): DemoResult[] {
  return Array.from({ length: seeds }, (_, seed) =>
    armsOf(fullPlan).flatMap((arm) =>
      rowsOf(arm).map((row): DemoResult => {
        const x = ood(row, arm.lr, seed);
        const accuracy = { id: 0.8, domain: x, word: x, form: x, all: x };
        const perplexity = row === "bt" ? 1000 * 10 ** seed : 4;
        return { seed, row, lr: arm.lr, step: 128, accuracy, perplexityBefore: 3, perplexity };
      }),
    ),
  ).flat();
}

const clear = made((row, lr, seed) => {
  const gain = row !== "grm-sft" ? 0 : lr === 5e-3 ? 0.1 : lr === 7e-4 ? -0.04 : 0.03 * (seed - 1);
  return 0.6 + gain + 0.02 * seed + 0.001 * ((seed * 7) % 3) + (lr === 2e-3 ? 0.05 : 0);
});

describe("the conclusion", () => {
  test("is a gain, a loss or nothing, by its interval, paired by seed", () => {
    const said = verdict(clear, fullPlan);
    assert.match(said, /at 5e-3 it gained 10\.0 \[/);
    assert.match(said, /at 7e-4 it lost 4\.0 \[/);
    assert.match(said, /at 2e-3 it showed no difference: 0\.0 \[-7\.5, \+7\.5\]/);
    assert.match(said, /each at its own best rate \(5e-3 and 2e-3\) it gained 5\.0/);
    assert.match(
      said, // 10000 is the geometric mean
      /3 seeds show a loss of 4\.0 points at 7e-4, a gain of 10\.0 points at 5e-3, a gain of 5\.0 points each at its best rate, the language model kept better \(perplexity 4\.00 against 10000 at 5e-3\); no difference in accuracy is shown at 2e-3\.$/,
    );
  });

  test("ends with what the map says, each method at the setting that validation chooses", () => {
    const said = conclusion(clear, fullPlan).replaceAll(/\s+/g, " ");
    const [{ answers = [], models = 0 } = {}] = mapSummaries();
    assert.ok(said.includes(`The map of the world "spelled" (${models} reward models`), said);
    assert.ok(said.includes(answers[0] ?? "?"), said);
    assert.doesNotMatch(conclusion(clear, quickPlan), /The map of/);
  });

  test("can be no", () => {
    const same = made(() => 0.7);
    assert.doesNotMatch(verdict(same, fullPlan), /gained|lost/);
  });

  test("claims nothing from one seed", () => {
    assert.doesNotMatch(
      verdict(
        made(() => 0.7, 1),
        fullPlan,
      ),
      /gained|lost/,
    );
    assert.match(
      differenceTable(
        made(() => 0.7, 1),
        fullPlan,
      ),
      /GRM-SFT - BT +0\.0/,
    );
  });

  test("has a line for every row, and does not depend on the order of the results", () => {
    const table = accuracyTable(clear, null, fullPlan);
    assert.equal(table.split("\n").filter((line) => line !== "").length, 17);
    assert.equal(accuracyTable(clear.toReversed(), null, fullPlan), table);
    assert.equal(verdict(inOrder(clear.toReversed()), fullPlan), verdict(clear, fullPlan));
    assert.match(
      accuracyTable(
        clear,
        made(() => 0.7, 8),
        fullPlan,
      ),
      /OOD, 8 seeds\n.*70\.0 ±0\.0/,
    );
  });
});

// --- The file of results -----------------------------------------------------------------------------

describe("the file of results", () => {
  const path = join(folder, "results.jsonl");

  test("comes back as it was written, and goes on with the same plan only", async () => {
    assert.deepEqual(resultsOfPlan(path, fullPlan), []);
    await writeResults(path, { command: "twoheads demo", plan: fullPlan, results: clear });
    assert.deepEqual(readResults(path)?.results, inOrder(clear));
    assert.deepEqual(resultsOfPlan(path, fullPlan), inOrder(clear));
    assert.throws(() => resultsOfPlan(path, quickPlan), /another plan/);
  });

  test("is refused when it is damaged, with the place", async () => {
    const text = readFileSync(path, "utf8");
    writeFileSync(path, text.replace('"domain":0', '"domain":7'));
    assert.throws(() => readResults(path), /results\.jsonl: line 2: accuracy.domain/);
    writeFileSync(path, text.slice(0, 500));
    assert.throws(() => readResults(path), /results\.jsonl: line \d+/);
  });
});

describe("what is committed", () => {
  test("two bases of 77,088 parameters, near perplexity 3.0", () => {
    const held = documents(spelled, 100, random("held out in a test"));
    for (const seed of [1, 2]) {
      const lm = loadCausalLM(committedBase(seed) ?? "missing");
      assert.equal(lm.parameterCount(), 77_088);
      const found = perplexity(lm, held);
      assert.ok(found > 2.7 && found < 3.3, `base ${seed} has perplexity ${found}`);
    }
    assert.equal(committedBase(1_000_000), undefined);
  });

  test("results of many seeds, complete and of the demo's plan", () => {
    const file = readResults(join(root, "lab/demo/seeds.jsonl"));
    assert.ok(file !== null);
    assert.deepEqual(file.plan, fullPlan);
    const rows = armsOf(fullPlan).flatMap(rowsOf).length;
    const seeds = new Set(file.results.map(({ seed }) => seed));
    assert.equal(file.results.length, rows * seeds.size);
    assert.match(file.command, new RegExp(`^twoheads demo --seeds ${seeds.size} `));
  });
});

// --- The program -------------------------------------------------------------------------------------

/** What is printed from the table on, which is the same for the same seed; times come before it. */
const conclusionOf = (printed: string): string => printed.slice(printed.indexOf("\nmethod"));

const quick = (...more: string[]): string[] => ["--quick", "--results", ...more];

describe("the program", { timeout: 240_000 }, () => {
  const whole = join(folder, "whole.jsonl");
  const torn = join(folder, "torn.jsonl");
  let printed = "";

  test("npm run demo finishes, and prints the table, the verdict and what to do next", () => {
    const { demo = "" } = (
      JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
        scripts: Record<string, string>;
      }
    ).scripts;
    const [runner, file = ""] = demo.split(" ");
    assert.equal(runner, "tsx");
    const args = ["--import", "tsx", file, ...quick(whole)];
    printed = execFileSync(process.execPath, args, { cwd: root, encoding: "utf8" });
    assert.match(printed, /base 0, step 30, loss [\d.]+:\n {2}\w+/);
    assert.match(conclusionOf(printed), /BT, stopped early +5e-3/);
    assert.match(conclusionOf(printed), /Did regularisation .* help.*Next:\n( +npx .*\n){3}$/s);
    assert.equal(readResults(whole)?.results.length, 16);
  });

  test("killed on the way and run again, with one worker, it ends with the same bytes", async () => {
    const bin = join(root, "cli/bin.js");
    const child = spawn(process.execPath, [bin, "demo", ...quick(torn, "--workers", "2")], {
      stdio: "ignore",
    });
    const ended = new Promise((resolve) => child.on("exit", resolve));
    while (child.exitCode === null && resultsSoFar(torn) < 4)
      await new Promise((resolve) => setTimeout(resolve, 20));
    child.kill("SIGKILL");
    await ended;
    assert.ok(resultsSoFar(torn) < 16, "killed before the end");
    const args = [bin, "demo", ...quick(torn, "--workers", "1", "--json")];
    const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
    assert.match(stderr, /torn\.jsonl holds \d+ results already/);
    assert.equal(conclusionOf(stderr), conclusionOf(printed));
    const said = JSON.parse(stdout) as DemoResultFile & { readonly report: string };
    assert.deepEqual(said.results, readResults(whole)?.results);
    assert.ok(existsSync(said.report));
    assert.deepEqual(readResults(torn)?.results, readResults(whole)?.results);
  });

  test("Ctrl-C stops it and its workers, says so, and exits with 130", async () => {
    const args = [join(root, "cli/bin.js"), "demo", "--quick", "--workers", "1"];
    const child = spawn(process.execPath, args);
    let said = "";
    child.stderr.on("data", (chunk) => {
      said += chunk;
    });
    await new Promise<void>((resolve) =>
      child.stdout.on("data", (chunk) => {
        said += chunk;
        if (said.includes("step 1,")) resolve();
      }),
    );
    child.kill("SIGINT");
    const code = await new Promise((resolve) => child.on("exit", resolve));
    assert.equal(code, 130);
    assert.match(said, /stopping\nstopped\n$/);
  });

  test("a job that fails says why", async () => {
    const workers = new Workers("demo", 1);
    const plan: DemoPlan = quickPlan;
    const arm = { method: "bt", lr: 1e-3 } as const;
    const job = { kind: "arm", seed: 0, folder: join(folder, "nowhere"), arm, plan } as const;
    await assert.rejects(
      workers.run(job, 0, () => {}),
      /nowhere.*no such file/s,
    );
    workers.stop();
  });
});

function resultsSoFar(path: string): number {
  return readResults(path)?.results.length ?? 0;
}
