// The comparison: a seed's work at a tiny size, the same in another process; what is concluded from curves
// that were made up; the figure; and the commands. Next: ../lab/overopt/plan.ts.

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { policySettings } from "../grm/policies/index.ts";
import {
  fullPlan,
  type OveroptPlan,
  planSchema,
  policyOptions,
  quickPlan,
} from "../lab/overopt/plan.ts";
import { rowsOf, textReport } from "../lab/overopt/report.ts";
import { seedsOfPlan, writeResults } from "../lab/overopt/resultFile.ts";
import type { CurveResult, SeedResult } from "../lab/overopt/results.ts";
import { runSeed } from "../lab/overopt/seed.ts";
import { runSeeds } from "../lab/overopt/seeds.ts";
import { atEqualKL, coursesOf, endDifference, goldAtKL, verdict } from "../lab/overopt/summary.ts";
import { pretrainBase, tales } from "../lab/worlds/index.ts";
import { figureOf } from "../report/overoptFigure.ts";
import { overoptPage } from "../report/overoptPages.ts";
import { figureSvg } from "../report/panels.ts";
import "../kernels/index.ts";
import { loadCausalLM, saveCausalLM } from "../nn/node.ts";
import { twoheads, twoheadsHere } from "./commandLine.ts";

const folder = mkdtempSync(join(tmpdir(), "twoheads-overopt-"));
after(() => rmSync(folder, { recursive: true }));

const tiny: OveroptPlan = {
  ...fullPlan,
  baseSteps: 30,
  pairs: 16,
  epochs: 1,
  prompts: 3,
  samples: 12,
  judges: ["gold", "bt", "ensemble-mean"],
  policies: [
    { algorithm: "ppo", judges: ["bt"] },
    { algorithm: "rloo", judges: ["gold"] },
  ],
  policySteps: 2,
  batchSize: 8,
};

describe("a seed", () => {
  test("gives curves of every judge and policy, and another process the same", async () => {
    let last = 0;
    const own = await runSeed(3, tiny, (done) => {
      assert.ok(done >= last && done <= 1);
      last = done;
    });
    assert.deepEqual(
      own.curves.map(({ method, judge }) => `${method} ${judge}`),
      ["bon gold", "bon bt", "bon ensemble-mean", "ppo bt", "rloo gold"],
    );
    const [gold, bt, , ppo] = own.curves as [CurveResult, CurveResult, CurveResult, CurveResult];
    assert.deepEqual([gold.at[0], gold.at.at(-1), ppo.at], [1, 12, [0, 1, 2]]);
    assert.equal(gold.gold[0], bt.gold[0], "one sample is anybody's");
    gold.gold.forEach((value, i) => {
      assert.ok(value >= (bt.gold[i] ?? Number.NaN) - 1e-9, "nobody chooses gold better than gold");
    });
    assert.equal(own.correlation.gold, 1);
    const others: SeedResult[] = [];
    await runSeeds({
      seeds: [3],
      plan: tiny,
      workers: 2,
      signal: new AbortController().signal,
      onProgress() {},
      onResult: (result) => void others.push(result),
    });
    assert.deepEqual(others, [own]);
  });

  test("that fails ends the others, and says which it was", async () => {
    const options = { workers: 2, signal: new AbortController().signal, onProgress() {} };
    const broken = { ...tiny, world: "nowhere" } as unknown as OveroptPlan;
    await assert.rejects(
      runSeeds({ ...options, seeds: [1, 2], plan: broken, onResult() {} }),
      /seed [12]: overopt: there is no world "nowhere"/,
    );
  });

  test("plans are valid, and so are their policies' settings", () => {
    for (const plan of [fullPlan, quickPlan, tiny]) {
      assert.deepEqual(planSchema.parse(plan), plan);
      for (const algorithm of ["ppo", "rloo"] as const)
        policySettings(policyOptions(plan, algorithm, 1));
    }
  });
});

/** Made-up results: BT's gold rises to 1 at the middle and falls to `end`, GRM's rises to 1.5. */
function made(seed: number, end: number): SeedResult {
  const kl = [0, 0.5, 1, 2, 4];
  const curve = (judge: CurveResult["judge"], gold: number[]): CurveResult => ({
    method: "bon",
    judge,
    at: [1, 2, 4, 8, 16],
    kl,
    proxy: kl,
    gold,
    length: kl,
    fluency: kl,
  });
  return {
    seed,
    rightBefore: 0.8,
    right: 0.65,
    ties: 1,
    perplexity: 2.8,
    optimum: kl,
    correlation: { bt: 0.3, "grm-sft": 0.4 },
    curves: [
      curve("bt", [0, 0.7, 1, 0.6, end]),
      curve("grm-sft", [0, 0.7, 1.1, 1.3, 1.5 + seed / 100]),
    ],
  };
}

describe("what is concluded", () => {
  const seeds = [made(0, -0.1), made(1, 0), made(2, 0.1)];

  test("the highest point, the fall from it, and differences are paired by seed", () => {
    const [bt, grm] = coursesOf(seeds);
    assert.deepEqual([bt?.highest.at, bt?.highest.gold.mean], [4, 1]);
    assert.ok(Math.abs((bt?.fall.mean ?? 0) + 1) < 1e-9);
    assert.equal(grm?.highest.at, 16);
    const gap = endDifference(seeds, "bon", "grm-sft", "bt");
    assert.ok(Math.abs((gap?.mean ?? 0) - 1.51) < 1e-9);
    assert.equal(endDifference(seeds, "ppo", "grm-sft", "bt"), null);
    assert.ok((bt?.fit?.peakKL ?? 99) < 4 && (bt?.fit?.peakKL ?? 0) > 0.3);
  });

  test("policies are compared where their KL is the same", () => {
    const kl = [0, 2, 6, 5, 9];
    const gold = [0, 1, 3, 0, 0];
    assert.equal(goldAtKL({ kl, gold }, 4), 2, "halfway between 2 and 6, the first time");
    assert.equal(goldAtKL({ kl, gold }, 0), 0);
    assert.equal(goldAtKL({ kl, gold }, 10), null);
    const curve = (judge: CurveResult["judge"], gold: number[]): CurveResult => ({
      ...(made(0, 0).curves[0] as CurveResult),
      method: "ppo",
      judge,
      kl,
      gold,
    });
    const seed = (shift: number): SeedResult => ({
      ...made(0, 0),
      curves: [
        curve("bt", gold),
        curve(
          "grm-sft",
          gold.map((g) => g + shift),
        ),
      ],
    });
    const gap = atEqualKL([seed(1), seed(2)], "ppo", "grm-sft", "bt");
    assert.deepEqual([gap?.mean, gap?.n], [1.5, 2]);
    assert.equal(atEqualKL([seed(1)], "rloo", "grm-sft", "bt"), null);
  });

  test("the verdict may be yes, no, or nothing shown", () => {
    assert.match(verdict(seeds).join("\n"), /over-optimised\.\n.*grm-sft.*: helps/);
    const unsure = verdict([made(0, 1.9), made(1, -0.5)]).join("\n");
    assert.match(unsure, /not shown to be over-optimised[\s\S]*no difference shown/);
    const worse = verdict([made(0, 4), made(1, 4.1), made(2, 4)]).join("\n");
    assert.match(worse, /harms/);
  });

  test("tables have a row for each judge; text and page hold them", () => {
    const rows = rowsOf(seeds, "bon");
    assert.deepEqual(
      rows.map(([judge]) => judge),
      ["judge", "bt", "grm-sft"],
    );
    assert.match(textReport(seeds, tiny), /labels are right in 80 % .* 65 % after 25 % flips/);
    const page = overoptPage("now", { command: "twoheads overopt <now>", plan: tiny, seeds });
    assert.match(page, /twoheads overopt &lt;now&gt;/);
    assert.match(page, /<svg/);
  });

  test("results are kept with their plan, and another plan's are refused", async () => {
    const path = join(folder, "results.json");
    await writeResults(path, { command: "c", plan: tiny, seeds });
    assert.deepEqual(seedsOfPlan(path, tiny), seeds);
    assert.throws(() => seedsOfPlan(path, { ...tiny, pairs: 7 }), /another plan/);
    assert.deepEqual(seedsOfPlan(join(folder, "none.json"), tiny), []);
  });
});

describe("the figure", () => {
  test("has a line and a band for each series, in range, and labels that are escaped", () => {
    const svg = figureOf([made(0, -0.1), made(1, 0.1)]);
    assert.equal((svg.match(/fill-opacity/g) ?? []).length, 6); // three panels, two judges
    assert.equal((svg.match(/<circle/g) ?? []).length, 30);
    const places = [...svg.matchAll(/<circle cx="([\d.]+)" cy="([\d.]+)"/g)];
    for (const [, x, y] of places) {
      assert.ok(Number(x) >= 56 && Number(x) <= 426.1, `x ${x}`);
      assert.ok(Number(y) >= 34 && Number(y) <= 254.1, `y ${y}`);
    }
    assert.doesNotMatch(svg, /NaN|undefined/);
    assert.match(svg, />Gold, best-of-n: (?:No curve is shown to turn down|Shown to turn down: )/);
    assert.match(svg, />Bands are 95 % intervals over seeds/, "as a file it keeps its words");
    const odd = figureSvg([{ title: "<a & b>", xLabel: "", yLabel: "", series: [] }]);
    assert.match(odd, /&lt;a &amp; b&gt;/);
  });

  test("the axis is the root of x: a quarter of the way is half of the width", () => {
    const points = [0, 1, 4].map((x) => ({ x, y: x, half: null, label: "" }));
    const series = [{ name: "s", color: "#000", points }];
    const svg = figureSvg([{ title: "", xLabel: "", yLabel: "", series }], { columns: 1 });
    const xs = [...svg.matchAll(/<circle cx="([\d.]+)"/g)].map(([, x]) => Number(x));
    assert.deepEqual(xs, [56, 241, 426]);
  });
});

describe("the commands", () => {
  const at = (name: string): string => join(folder, name);
  const refused = async (message: RegExp, ...args: readonly string[]): Promise<void> => {
    const { said, code } = await twoheadsHere(args);
    assert.equal(code, 1);
    assert.match(said, message);
  };
  const base = at("base");
  const ready = pretrainBase(tales, 1, () => {}, 20).then((lm) => saveCausalLM(base, lm));

  test("ppo trains, writes a policy that opens, and refuses to overwrite it", async () => {
    await ready;
    const args = ["--policy", base, "--steps", "2", "--batch-size", "8", "--out", at("p")];
    const { out, said } = await twoheadsHere([
      ...["ppo", "--judge", "gold", "--mode", "lora", ...args, "--json"],
    ]);
    assert.match(said, /^round 2: proxy .* gold /m);
    const { finished, rounds, last, report } = JSON.parse(out);
    assert.deepEqual([finished, rounds, last.step, report], [true, 2, 2, at("p/report.html")]);
    const lines = readFileSync(at("p/metrics.jsonl"), "utf8").trim().split("\n");
    assert.equal(lines.length, 3);
    const weight = (path: string): string =>
      String(loadCausalLM(path).stateDict()["model.layers.0.self_attn.q_proj.weight"]);
    assert.notEqual(weight(at("p")), weight(base), "the adapters are in the weights");
    await refused(/holds a run or a model already/, "ppo", ...args);
    await refused(/is a run of ppo/, "rloo", "--resume", at("p"));
  });

  test("bon prints proxy and gold for every n, and the fit", async () => {
    await ready;
    const args = ["--policy", base, "--pairs", "16", "--prompts", "3", "--samples", "20"];
    const { out } = await twoheadsHere(["bon", ...args]);
    assert.match(out, /16 preference pairs, labels right: \d+ %/);
    assert.match(out, /^20 +2\.05 +\S+ ± \S+ +\S+ ± \S+/m);
    assert.match(out, /d \(a - b d\)/);
    const json = await twoheadsHere(["bon", ...args, "--json", "--out", at("bon.json")]);
    assert.equal(`${json.out}\n`, readFileSync(at("bon.json"), "utf8"));
    assert.equal((JSON.parse(json.out) as { curves: unknown[] }).curves.length, 3);
    assert.match(json.said, /^20 +2\.05 /m);
    const { out: page } = await twoheadsHere(["report", at("bon.json"), "--json"]);
    assert.equal((JSON.parse(page) as { report: string }).report, at("bon.html"));
    await refused(/describes no reward head/, "bon", "--reward", base, ...args);
    const flips = twoheads(["bon", "--flips", "x"]);
    assert.match(flips.stderr, /Not a number/);
  });
});
