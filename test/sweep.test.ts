// Sweeps: what a job is called, what a plan means, what merging finds, and that a sweep killed anywhere ends with the
// same bytes as jobs done one after the other by hand. Next: sweep.engines.test.ts for Slurm and GNU parallel.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import "../kernels/index.ts";
import { random } from "../core/index.ts";
import { spelledBase } from "../lab/demo/bases.ts";
import { ensureBase, hasBase } from "../lab/sweep/bases.ts";
import { withDigest } from "../lab/sweep/files.ts";
import { doJob } from "../lab/sweep/job.ts";
import { jobsOf, sweepPlan } from "../lab/sweep/plan.ts";
import {
  type JobOutcome,
  mergeResults,
  mergeText,
  readMerged,
  writeMerged,
} from "../lab/sweep/results.ts";
import { baseOf, jobOf, wordsFrom } from "../lab/sweep/words.ts";
import { type SplitName, spelledPairs } from "../lab/worlds/index.ts";
import { tokenised } from "../lab/worlds/tokenised.ts";
import { type Started, tinyPlan, twoheadsProcess } from "./sweeps.ts";

const folder = mkdtempSync(join(tmpdir(), "twoheads-sweep-"));
after(() => rmSync(folder, { recursive: true, force: true }));

// --- Words -------------------------------------------------------------------------------------------

const id = (words: object): string => jobOf("test", { lr: 0.001, seed: 1, ...words }).id;

test("what the text loss reads is a setting: chosen answers, rejected ones, or texts of the base", async () => {
  const some = { seed: 1, method: "grm-sft", lr: 2e-3, epochs: 1 };
  const few = { pairs: 16, validation: 4, tests: 20, heldOut: 4 };
  const found = [];
  for (const sftOn of ["chosen", "rejected", "base"])
    found.push(await doJob(jobOf("test", { ...some, ...few, sftOn }), "none"));
  const after = found.map((one) => ("failed" in one ? Number.NaN : (one.perplexity ?? Number.NaN)));
  assert.equal(new Set(after).size, 3, `${after}`);
  const files = {
    ...{ base: "b", training: ["a"], validation: ["a"], tests: { id: ["a"], other: ["a"] } },
    digest: "0",
  };
  assert.throws(
    () => jobOf("test", { ...some, files, sftOn: "base" }),
    /sftOn "base" needs a world that writes texts/,
  );
});

describe("a job's id", () => {
  test("is SHA-256 of its words in order, without what is as usual", () => {
    const { id, words } = jobOf("test", {
      seed: 3,
      epochs: 4,
      method: "grm-sft",
      lr: 0.002,
      alpha: 0.1,
    });
    const text = '{"alpha":0.1,"lr":0.002,"method":"grm-sft","seed":3}';
    assert.equal(JSON.stringify(words), text);
    assert.equal(id, createHash("sha256").update(text).digest("hex").slice(0, 16));
    assert.equal(id, "1f9e4af95b0f7aac"); // by Python's hashlib
  });

  test("is the same where the same model would be trained to the bit, and else another", () => {
    const bt = id({ method: "bt" });
    assert.equal(id({ method: "bt", alpha: 0.3, l2spAlpha: 5, loraRank: 3 }), bt);
    assert.equal(id({ method: "grm-dpo", alpha: 0 }), bt, "a loss of weight 0 isn't there");
    assert.equal(id({ method: "frozen", mode: "full" }), id({ method: "frozen" }));
    const others = [
      { method: "bt", seed: 2 },
      { method: "bt", lr: 0.002 },
      { method: "bt", flips: 0.1 },
      { method: "bt", mode: "lora" },
      { method: "bt", mode: "lora", loraRank: 3 },
      { method: "bt", best: "loss" },
      { method: "l2-sp" },
      { method: "l2-sp", l2spAlpha: 5 },
      { method: "grm-sft" },
      { method: "grm-sft", sftOn: "base" },
      { method: "grm-sft", beta: 0.2 },
      { method: "bt", tokens: "bytes" },
    ];
    assert.equal(new Set([bt, ...others.map(id)]).size, others.length + 1);
  });
});

// --- Plans -------------------------------------------------------------------------------------------

describe("a plan", () => {
  const plan = (more: object) =>
    sweepPlan({ name: "p", seeds: { from: 5, count: 2 }, parts: [{}], ...more });

  test("crosses the settings of a part, each job once, seeds outermost", () => {
    const parts = [
      { grid: { method: ["bt", "grm-sft"], alpha: [0.1, 0.5], lr: [0.001, 0.002] } },
      { grid: { method: "bt", lr: [0.002, 0.003] } },
    ];
    const jobs = jobsOf(plan({ parts, fixed: { pairs: 100 } })).map(({ words }) => words);
    assert.equal(jobs.length, 2 * (2 + 4 + 1)); // bt has no alpha, and one of the second part is there already
    assert.deepEqual(
      jobs.slice(0, 7).map(({ seed }) => seed),
      new Array(7).fill(5),
    );
    assert.deepEqual(jobs[0], { lr: 0.001, method: "bt", pairs: 100, seed: 5 });
    assert.deepEqual(jobs[13], { lr: 0.003, method: "bt", pairs: 100, seed: 6 });
  });

  test("draws samples that depend on its name and seed alone, the same for all seeds and methods", () => {
    const over = { lr: { from: 1e-4, to: 1e-2, log: true }, flips: [0, 0.25], loraRank: [2] };
    const drawn = (more: object = {}, count = 40) =>
      jobsOf(
        plan({
          parts: [{ grid: { method: ["bt", "grm-sft"] }, sample: { count, over } }],
          ...more,
        }),
      );
    const all = drawn();
    assert.equal(all.length, 2 * 2 * 40);
    const rates = all.map(({ words }) => words.lr as number);
    assert.ok(rates.every((lr) => lr >= 1e-4 && lr <= 1e-2));
    const low = rates.filter((lr) => lr < 1e-3).length / rates.length;
    assert.ok(low > 0.3 && low < 0.7, `${low} of the logarithms lie in the lower half`);
    assert.deepEqual(drawn(), all);
    assert.notDeepEqual(drawn({ name: "q" }), all);
    const of = (method: string, seed: number) =>
      all.flatMap(({ words }) =>
        words.method === method && words.seed === seed ? [words.lr] : [],
      );
    assert.deepEqual(of("bt", 5), of("grm-sft", 6));
  });

  test("that can't be is refused in a sentence", () => {
    const grid = { method: "bt", lr: 0.001 };
    const refused = (more: object, message: RegExp): void =>
      assert.throws(() => jobsOf(plan({ parts: [{ grid }], ...more })), message);
    refused({ parts: [{ grid: { ...grid, epoch: 3 } }] }, /no setting "epoch"; near are epochs/);
    refused({ fixed: { seed: 3 } }, /seeds stand in `seeds`/);
    refused({ choose: { over: ["rate"] } }, /no setting "rate"/);
    refused({ parts: [{ grid: { method: "bt" } }] }, /the job \{"method":"bt","seed":5\}: lr/);
    refused({ parts: [{ grid: { ...grid, method: "gmr" } }] }, /method: .*grm-sft/);
    refused(
      { parts: [{ grid: { ...grid, method: "l2-sp", mode: "lora" } }] },
      /l2-sp with mode lora/,
    );
    refused({ parts: [] }, /parts/);
    refused({ name: "../up" }, /names a folder/);
    const over = { lr: { from: 0, to: 1, log: true } };
    refused(
      { parts: [{ grid: { method: "bt" }, sample: { count: 1, over } }] },
      /needed 0 < from < to/,
    );
  });
});

// --- Tokens ------------------------------------------------------------------------------------------

test("spelled in words and in bytes says the same stories", () => {
  const document = tokenised("spelled").document(random(4));
  const [spelled, words, bytes] = (["spelled", "words", "bytes"] as const).map((how) => {
    const { tokenizer, text, longest } = tokenised(how);
    const ids = tokenizer.encode(text(document));
    assert.ok(ids.length <= longest && ids.every((i) => i < tokenizer.vocabSize), how);
    return { count: ids.length, text: tokenizer.decode(ids).replaceAll(" -", "-") };
  });
  assert.equal(words?.text, spelled?.text);
  assert.equal(bytes?.text, spelled?.text);
  const pieces = document.filter((word) => word.startsWith("-")).length;
  assert.ok(pieces > 0);
  assert.equal(words?.count, (spelled?.count ?? 0) - pieces);
  assert.ok((bytes?.count ?? 0) > 2 * (spelled?.count ?? 0));
});

// --- Files -------------------------------------------------------------------------------------------

test("a plan may name files and a base of one's own; a job refuses other files than those", async () => {
  const write = (name: string, split: SplitName, count: number): string => {
    const path = join(folder, name);
    const text = ({ response }: { response: readonly string[] }): string =>
      ` ${response.join(" ")}`;
    const lines = spelledPairs(split, count, { labels: "true" }, random(name)).map((pair) => {
      const prompt = pair.chosen.title.slice(1).join(" ");
      return JSON.stringify({ prompt, chosen: text(pair.chosen), rejected: text(pair.rejected) });
    });
    writeFileSync(path, `${lines.join("\n")}\n`);
    return path;
  };
  const training = [write("training.jsonl", "id", 30)];
  const tests = { id: [write("id.jsonl", "id", 6)], sea: [write("sea.jsonl", "domain", 6)] };
  const validation = [write("validation.jsonl", "id", 8)];
  const files = { base: spelledBase(1), training, validation, tests, template: "plain" };
  const given = {
    ...{ name: "own", files, seeds: { from: 1, count: 2 } },
    fixed: { pairs: 16, validation: 8, tests: 6, epochs: 1 },
    parts: [{ grid: { method: "bt", lr: 0.001 } }],
  };
  assert.throws(
    () => sweepPlan({ ...given, fixed: { tokens: "bytes" } }),
    /"tokens" is a setting of a world/,
  );
  const missing = { ...given, files: { ...files, tests: { sea: tests.sea } } };
  assert.throws(() => sweepPlan(missing), /needed a test called id/);
  const read = sweepPlan(given);
  assert.ok(read.files);
  const jobs = jobsOf({ ...read, files: withDigest(read.files) });
  assert.equal(jobs.length, 2);
  const [one, two] = [
    await doJob(jobs[0] ?? assert.fail(), "none"),
    await doJob(jobs[1] ?? assert.fail(), "none"),
  ];
  assert.ok("accuracy" in one && "accuracy" in two);
  assert.deepEqual(Object.keys(one.accuracy), ["id", "sea"]);
  assert.equal(one.perplexity, null);
  assert.notDeepEqual(one.validation, two.validation, "a seed draws its own pairs and head");
  const many = jobsOf({
    ...read,
    files: withDigest(read.files),
    fixed: { ...read.fixed, pairs: 31 },
  });
  await assert.rejects(
    doJob(many[0] ?? assert.fail(), "none"),
    /training: the files have 30 pairs, needed 31/,
  );
  appendFileSync(training[0] ?? "", "\n");
  const other = jobsOf({ ...read, files: { ...withDigest(read.files), digest: "0" } });
  await assert.rejects(
    doJob(other[0] ?? assert.fail(), "none"),
    /have changed since the plan was read/,
  );
});

// --- Jobs and results --------------------------------------------------------------------------------

const plan = sweepPlan({ ...tinyPlan, seeds: { from: 1, count: 2 } });
const jobs = jobsOf(plan);

/** All outcomes, one after the other from the last to the first, in this process. */
async function byHand(): Promise<JobOutcome[]> {
  const outcomes: JobOutcome[] = [];
  for (const job of jobs.toReversed()) outcomes.unshift(await doJob(job, join(folder, "bases")));
  return outcomes;
}

const merged = (outcomes: readonly JobOutcome[]) =>
  [{ plan }, ...outcomes].map((line) => `${JSON.stringify(line)}\n`).join("");

describe("a sweep", () => {
  test("does a base once, and leaves the usual bases of seeds 1 and 2 where they are", async () => {
    const usual = baseOf(wordsFrom("test", { method: "bt", lr: 1, seed: 1 }));
    assert.ok(hasBase(join(folder, "nowhere"), usual));
    assert.ok(!hasBase(join(folder, "nowhere"), { ...usual, seed: 3 }));
    const small = { ...usual, layers: 1, dim: 8, baseSteps: 2 };
    const at = join(folder, "some");
    const [one, two] = await Promise.all([ensureBase(at, small), ensureBase(at, small)]);
    assert.equal(one, two);
    assert.deepEqual(readdirSync(at).length, 1, "nothing half made is left");
  });

  test("whose runner and worker are killed goes on to the bytes of jobs done by hand", async (t) => {
    if (!existsSync("/proc/self/task")) return t.skip("finds workers by /proc, which isn't there");
    const wanted = merged(await byHand());
    const path = join(folder, "plan.json");
    writeFileSync(path, JSON.stringify(plan));
    const out = join(folder, "run");
    const begin = (): Started => twoheadsProcess(["sweep", path, "--out", out, "--workers", "2"]);
    const first = begin();
    await first.until(() => linesIn(out) >= 3);
    first.child.kill("SIGKILL");
    await first.ended;
    const kept = linesIn(out);
    assert.ok(kept < jobs.length, `${kept}`);
    const second = begin();
    const worker = await second.until(() => second.workers()[0]);
    process.kill(worker, "SIGKILL");
    assert.equal(await second.ended, 0, second.said());
    assert.equal(readFileSync(join(out, "results.jsonl"), "utf8"), wanted);
    assert.equal(linesIn(out), jobs.length, "nothing was done twice");
    const third = begin();
    assert.equal(await third.ended, 0);
    assert.equal(linesIn(out), jobs.length, "and nothing again");
  });
});

function linesIn(out: string): number {
  const parts = join(out, "parts");
  if (!existsSync(parts)) return 0;
  return readdirSync(parts)
    .map((name) => readFileSync(join(parts, name), "utf8").split("\n").length - 1)
    .reduce((sum, count) => sum + count, 0);
}

describe("merging", () => {
  const { id, words } = jobs[0] ?? assert.fail();
  const accuracy = { id: 0.5, domain: 0.5, word: 0.5, form: 0.5, all: 0.5 };
  const validation = { accuracy: 0.5, loss: 0.7 };
  const result = {
    job: id,
    words,
    step: 2,
    validation,
    accuracy,
    perplexityBefore: 9,
    perplexity: null,
  };
  const time = { host: "a", seconds: 1, cpu: 1 };
  const other = jobs[1] ?? assert.fail();
  const failed = {
    job: other.id,
    words: other.words,
    failed: "train: the loss is NaN at step 3, on pairs",
  };
  const file = (name: string, ...lines: (object | string)[]): string => {
    const path = join(folder, name);
    const texts = lines.map((line) =>
      typeof line === "string" ? line : `${JSON.stringify(line)}\n`,
    );
    writeFileSync(path, texts.join(""));
    return path;
  };

  test("counts what is double, foreign, cut short, failed and missing", async () => {
    const a = file(
      "a.jsonl",
      { result, time },
      { result: { ...result, job: "0" }, time },
      '{"result":{"jo',
    );
    const b = file("b.jsonl", { plan }, result, failed);
    const found = mergeResults(jobs, [a, b, join(folder, "none.jsonl")]);
    const { duplicates, foreign, torn, conflicts } = found;
    assert.deepEqual(
      { duplicates, foreign, torn, conflicts },
      { duplicates: 1, foreign: 1, torn: 1, conflicts: [] },
    );
    assert.deepEqual(found.outcomes, [result, failed]);
    assert.equal(found.missing.length, jobs.length - 2);
    assert.match(
      mergeText(found),
      /2 of 24 jobs have a result\n {2}1 of them failed: train: the loss is NaN\n/,
    );
    const path = join(folder, "merged.jsonl");
    await writeMerged(path, plan, found);
    assert.deepEqual(readMerged(path), {
      plan: JSON.parse(JSON.stringify(plan)),
      outcomes: [result, failed],
    });
    appendFileSync(path, "{");
    assert.throws(() => readMerged(path), /1 lines are damaged/);
    assert.throws(() => readMerged(a), /no file of results of a sweep/);
  });

  test("a job with two results is written by nobody", async () => {
    const a = file("one.jsonl", result, { ...result, step: 3 });
    const found = mergeResults(jobs, [a]);
    assert.deepEqual(found.conflicts, [id]);
    await assert.rejects(writeMerged(join(folder, "no.jsonl"), plan, found), /results that differ/);
    assert.ok(!existsSync(join(folder, "no.jsonl")));
  });
});
