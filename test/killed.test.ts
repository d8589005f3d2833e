// Killed anywhere: the commands that train are stopped before every call by which they change a file, and in the
// middle of every write. Whoever comes back finds a run that goes on, or that begins again with the same words, and
// ends with the same bytes; and no command takes its weights for finished ones before they are. A process that is
// killed leaves what is on the disk: so one run is watched, and each different state of its folder is put back once.
// With TWOHEADS_RUNS set, runs that go on are watched as well, until there is no state that wasn't tried.
// Next: fileOperations.ts for the watching, ../nn/run/folder.ts for the states of a folder.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { before, describe, mock, test } from "node:test";
import { main } from "../cli/cli.ts";
import { openCausalLM, openRewardModel } from "../cli/commands/opened.ts";
import { random } from "../core/index.ts";
import "../kernels/index.ts";
import { PolicyFolder } from "../grm/policies/policyFolder.ts";
import { readResults as readDemo, writeResults as writeDemo } from "../lab/demo/resultFile.ts";
import { jobsOf, sweepPlan } from "../lab/sweep/plan.ts";
import { resultsFile, runSweep } from "../lab/sweep/run.ts";
import type { SweepRunner } from "../lab/sweep/runner.ts";
import { doTask } from "../lab/sweep/task.ts";
import { worldNamed } from "../lab/worlds/index.ts";
import { ByteTokenizer, CausalLM, FileError } from "../nn/index.ts";
import { saveCausalLM, saveTokenizer } from "../nn/node.ts";
import { Lock } from "../nn/run/lock.ts";
import { type Contents, filesIn, putBack, systemError, watched } from "./fileOperations.ts";
import { root, temporaryFolder } from "./folders.ts";

const place = temporaryFolder("killed");
const at = (name: string): string => join(place, name);

before(async () => {
  const tokenizer = new ByteTokenizer({ special: { bos: "<s>", eos: "</s>", pad: "<pad>" } });
  const shape = { vocabSize: tokenizer.vocabSize, dim: 8, layers: 1, heads: 2, context: 24 };
  await saveCausalLM(at("base"), new CausalLM(shape, { rng: random(0) }));
  await saveTokenizer(at("base"), tokenizer);
  const { vocabSize } = worldNamed("tales").tokenizer;
  const writer = { ...shape, vocabSize, context: 64 };
  await saveCausalLM(at("policy"), new CausalLM(writer, { rng: random(1) }));
  const line = (i: number) => ({ prompt: `p${i}`, chosen: `good ${i}`, rejected: `bad ${i}` });
  const lines = Array.from({ length: 10 }, (_, i) => `${JSON.stringify(line(i))}\n`);
  writeFileSync(at("pairs.jsonl"), lines.join(""));
  const documents = Array.from({ length: 12 }, (_, i) => `One day the cat ${i} sat on a mat.`);
  writeFileSync(at("corpus.txt"), documents.join("\n<|endoftext|>\n"));
});

/** Runs a command line here, at a time that stands still, so that all bytes can be compared. */
async function command(args: readonly string[]): Promise<{ said: string; code: number }> {
  const said: string[] = [];
  const say = (...words: unknown[]): void => void said.push(words.map(String).join(" "));
  const mocks = [
    mock.method(console, "error", say),
    mock.method(console, "log", () => {}),
    mock.method(performance, "now", () => 0),
  ];
  const { exitCode } = process; // the test runner's own
  process.exitCode = 0;
  try {
    await main(["node", "twoheads", ...args]);
    return { said: said.join("\n"), code: Number(process.exitCode) };
  } finally {
    process.exitCode = exitCode;
    for (const one of mocks) one.mock.restore();
  }
}

/** A command that trains, and how its model is opened. */
interface Training {
  readonly name: string;
  readonly words: readonly string[];
  readonly open: (folder: string) => unknown;
}

const reward = ["train", "--template", "plain", "--batch-size", "4", "--hold-out", "0.2"].concat([
  "--checkpoint-every",
  "1",
  "--log",
  "csv",
]);
const data = (): string[] => ["--base", at("base"), "--data", at("pairs.jsonl")];
const small = ["--vocab-size", "262", "--dim", "8", "--layers", "1", "--heads", "2"].concat(
  ["--context", "8", "--batch-size", "2", "--validation-tokens", "16", "--sample-tokens", "3"],
  ["--steps", "3", "--checkpoint-every", "2", "--validate-every", "2", "--sample-every", "3"],
);
const few = ["--steps", "2", "--batch-size", "8", "--checkpoint-every", "1"];

const trainings: readonly Training[] = [
  {
    name: "train",
    words: [...reward, ...["--method", "grm-dpo", "--mode", "lora", "--best", "loss"]],
    open: (folder) => openRewardModel(folder, {}),
  },
  {
    name: "pretrain",
    words: ["pretrain", "--corpus", at("corpus.txt"), ...small],
    open: (folder) => openCausalLM(folder, {}),
  },
  ...["ppo", "rloo"].map((name) => ({
    name,
    words: [name, "--judge", "gold", "--policy", at("policy"), ...few],
    open: (folder: string) => openCausalLM(folder, {}),
  })),
];

const wordsOf = ({ name, words }: Training): string[] => [
  ...words,
  ...(words[0] === "train" ? data() : []),
  ...["--out", at(name)],
];

/** What a person sees of a folder: all files but temporary ones and the lock. */
function seen(files: Contents): Contents {
  return new Map([...files].filter(([name]) => !/\.tmp$|\.lock/.test(name)));
}

function keyOf(files: Contents): string {
  const hash = createHash("sha256");
  for (const [name, bytes] of seen(files)) hash.update(`${name} ${bytes.length}\n`).update(bytes);
  return hash.digest("hex");
}

function sameFiles(a: Contents, b: Contents, when: string): void {
  assert.deepEqual([...a.keys()], [...b.keys()], when);
  for (const [name, bytes] of b) assert.ok(a.get(name)?.equals(bytes), `${name}: ${when}`);
}

interface State {
  readonly files: Contents;
  /** Before which call. */
  readonly when: string;
}

/** What is made of a run that has come to its end, and takes longest. */
const looks = /(metrics\.csv|eval\.json|report\.html)/;

/**
 * Runs a command, and keeps each state of a folder that it hasn't seen; what calls there were. Without `withLooks` the
 * command ends where it would look at what it made.
 */
async function watch(
  folder: string,
  args: readonly string[],
  states: Map<string, State>,
  withLooks = true,
) {
  let calls = 0;
  const found = await watched(
    ({ call, path }) => {
      if (!path.startsWith(folder)) return;
      if (!withLooks && call === "openSync" && looks.test(path)) throw systemError("ENOTSUP");
      calls++;
      const files = filesIn(folder);
      const key = keyOf(files);
      if (!states.has(key)) states.set(key, { files, when: `${call} ${relative(folder, path)}` });
    },
    () => command(args),
  );
  return { calls, ...found };
}

const isThorough = process.env.TWOHEADS_RUNS !== undefined;

for (const training of trainings) {
  test(`${training.name} is killed before every call that changes a file`, async (t) => {
    const { name, open } = training;
    const folder = at(name);
    const begin = wordsOf(training);
    const goOn = [begin[0] ?? "", "--resume", folder];
    const states = new Map<string, State>();
    const { calls, ...done } = await watch(folder, begin, states);
    assert.deepEqual(done, { said: "", code: 0 });
    assert.ok(calls > 100, `${calls} calls are seen`);
    const end = filesIn(folder);
    const more = isThorough ? states : new Map(states);
    for (const { files, when } of states.values()) {
      putBack(folder, files);
      const model = files.get("model.safetensors");
      const isLast = model?.equals(end.get("model.safetensors") as Buffer);
      if (model && !isLast) assert.throws(() => open(folder), /is unfinished, at step/, when);
      const toTheEnd = isThorough || isLast;
      let { said, code } = await watch(folder, goOn, more, toTheEnd);
      if (/no such file$|begin it again with the same words$/.test(said))
        ({ said, code } = await watch(folder, begin, more, toTheEnd));
      const without = (all: Contents): Contents =>
        new Map([...all].filter(([file]) => !looks.test(file)));
      if (toTheEnd) assert.deepEqual({ said, code }, { said: "", code: 0 }, when);
      const now = filesIn(folder);
      if (toTheEnd) sameFiles(now, end, `after a kill before ${when}`);
      else sameFiles(without(seen(now)), without(end), `after a kill before ${when}`);
    }
    t.diagnostic(`${calls} calls, ${states.size} states`);
    assert.ok(states.size > 15);
  });
}

// --- Results that are kept in a file ------------------------------------------------------------------------------

test("frontier is killed before every call that changes a file", async () => {
  const folder = at("frontier");
  const words = ["frontier", "--quick", "--seeds", "1", "--rates", "0.005", "--alphas", "0", "0.5"];
  const begin = [...words, "--out", join(folder, "points.jsonl")];
  const states = new Map<string, State>();
  const { calls, ...done } = await watch(folder, begin, states);
  assert.deepEqual(done, { said: "", code: 0 });
  assert.ok(calls > 10 && states.size === 3, `${calls} calls, ${states.size} states`);
  const end = filesIn(folder);
  for (const { files, when } of states.values()) {
    putBack(folder, files);
    assert.deepEqual(await command(begin), { said: "", code: 0 }, when);
    sameFiles(filesIn(folder), end, `after a kill before ${when}`);
  }
  const full = await command(begin.filter((word) => word !== "--quick"));
  assert.match(full.said, /^[^\n]*points.jsonl holds points of another plan[^\n]*$/);
  sameFiles(filesIn(folder), end, "of another plan");
});

/** Seeds in processes of their own: what this one keeps of them, whose files tell no time. */
const manySeeds = { demo: ["--results", at("demo/seeds.jsonl")], overopt: [] } as const;

for (const [name, words] of Object.entries(manySeeds)) {
  const skip = !isThorough && "it takes minutes; TWOHEADS_RUNS=1 runs it";
  test(`${name} --seeds is killed before every call that changes a file`, { skip }, async (t) => {
    const folder = at(name);
    rmSync(folder, { recursive: true, force: true });
    const begin = [name, "--quick", "--seeds", "2", ...words, "--out", folder];
    const states = new Map<string, State>();
    const { calls, code } = await watch(folder, begin, states);
    assert.equal(code, 0);
    const timeless = (): Contents =>
      new Map(
        [...filesIn(folder)].filter(
          ([file]) => /\.(jsonl?|safetensors)$/.test(file) && !/metrics|kept/.test(file),
        ),
      );
    const end = timeless();
    assert.ok(end.size > 0);
    for (const { files, when } of states.values()) {
      putBack(folder, files);
      assert.equal((await command(begin)).code, 0, when);
      sameFiles(timeless(), end, `after a kill before ${when}`);
    }
    t.diagnostic(`${calls} calls, ${states.size} states: ${[...end.keys()].join(" ")}`);
  });
}

/** Does a sweep's jobs in this process, so that the calls of a worker are seen, too. */
const here: SweepRunner = async ({ jobs, bases, onLine }) => {
  for (const job of jobs) onLine(JSON.stringify(await doTask({ job }, bases)));
};

test("a sweep and its workers are killed before every call that changes a file", async (t) => {
  const folder = at("sweep");
  const size = { layers: 1, dim: 8, heads: 2, baseSteps: 1, tests: 2, validation: 2, heldOut: 1 };
  const plan = sweepPlan({
    name: "killed",
    fixed: { ...size, pairs: 4, epochs: 1, lr: 1e-3 },
    parts: [{ grid: { method: ["bt", "grm-sft"] } }],
    seeds: { from: 7, count: 1 },
  });
  const jobs = jobsOf(plan);
  const none = (): void => {};
  const sweep = () =>
    runSweep({
      ...{ plan, jobs, folder, runner: here, workers: 1, signal: new AbortController().signal },
      ...{ onProgress: none, onTrouble: none },
    });
  const states: State[] = [];
  await watched(({ call, path }) => {
    if (path.startsWith(folder))
      states.push({ files: filesIn(folder), when: `${call} ${relative(folder, path)}` });
  }, sweep);
  const end = readFileSync(resultsFile(folder));
  const known = new Set<string>();
  for (const { files, when } of states) {
    const key = keyOf(new Map([...files].filter(([name]) => !name.includes(".making-"))));
    if (known.has(key)) continue; // what a base was made of so far is made anew
    known.add(key);
    putBack(folder, files);
    const { duplicates, missing } = await sweep();
    assert.deepEqual([duplicates, missing.length], [0, 0], when);
    assert.ok(readFileSync(resultsFile(folder)).equals(end), `after a kill before ${when}`);
  }
  t.diagnostic(`${states.length} calls, ${known.size} states`);
  assert.ok(states.length > 40 && known.size > 8);
});

test("results of demo and overopt are whole before every call, and one process writes them", async () => {
  const { results, ...demo } = readDemo(join(root, "lab/demo/seeds.jsonl")) ?? assert.fail();
  const file = at("demo.jsonl");
  for (const count of [16, 32]) {
    const look = () => {
      const found = readDemo(file)?.results.length ?? 0;
      assert.ok(found === count - 16 || found === count, `${found}`);
    };
    await watched(look, () => writeDemo(file, { ...demo, results: results.slice(0, count) }));
    assert.equal(readDemo(file)?.results.length, count);
  }
  const held = [file, join(at("overopt"), "results.json")].map((path) => Lock.ofFile(path));
  const words = [
    ["demo", "--quick", "--results", file, "--out", at("demo")],
    ["overopt", "--quick", "--out", at("overopt")],
  ];
  for (const args of words)
    assert.match((await command(args)).said, /^[^\n]*is in use: process[^\n]*$/);
  for (const lock of held) lock.release();
});

// --- A disk that is full, a folder that can't be written or goes away, and somebody else in it ---------------------

/** The files that are tried where not all are. */
const sample = ["checkpoint.safetensors", "metrics.jsonl", "model.safetensors"];

for (const training of trainings) {
  const { name } = training;
  const folder = at(name);

  const isSampled = !isThorough && /^(train|ppo)/.test(name); // these take longer
  const isTried = (file: string): boolean => !isSampled || sample.includes(file);
  test(`${name} on a full disk says one sentence, and goes on when there is room`, async (t) => {
    const begin = wordsOf(training);
    const goOn = [begin[0] ?? "", "--resume", folder];
    const clean = () => rmSync(folder, { recursive: true, force: true });
    clean();
    assert.deepEqual(await command(begin), { said: "", code: 0 });
    const end = filesIn(folder);
    const tried = new Set<string>();
    for (let isFull = true; isFull; ) {
      isFull = false;
      clean();
      const found = await watched(
        ({ call, path }) => {
          const file = relative(folder, path).replace(/^\.(.*?)\.[^.]*\.tmp$/, "$1");
          if (!path.startsWith(folder) || call !== "writeSync") return;
          if (!isFull && (tried.has(file) || !isTried(file))) return;
          tried.add(file);
          isFull = true; // from now on
          throw systemError("ENOSPC");
        },
        () => command(begin),
      );
      if (!isFull) break;
      if (found.code !== 0) assert.match(found.said, /^[^\n]*the disk is full[^\n]*$/);
      const left = [...filesIn(folder).keys()].filter((file) => /tmp$|lock$/.test(file));
      assert.deepEqual(left, []);
      const again = await command(goOn);
      if (again.code !== 0) assert.deepEqual(await command(begin), { said: "", code: 0 });
      sameFiles(filesIn(folder), end, `after ${[...tried].at(-1)} met a full disk`);
    }
    t.diagnostic([...tried].join(" "));
    assert.ok(tried.has("checkpoint.safetensors") && tried.has("metrics.jsonl"));
  });

  test(`${name} in a folder that goes away says so, and makes no new one`, async () => {
    for (const file of [
      "metrics.jsonl",
      "checkpoint.safetensors",
      "model.safetensors",
      "config.json",
    ]) {
      rmSync(folder, { recursive: true, force: true });
      let isGone = false;
      const found = await watched(
        ({ call, path }) => {
          if (isGone || !path.startsWith(folder) || call !== "openSync" || !path.includes(file))
            return;
          if (!existsSync(join(folder, "run.json"))) return; // not begun yet
          isGone = true;
          rmSync(folder, { recursive: true });
        },
        () => command(wordsOf(training)),
      );
      assert.equal(found.code, 1, file);
      assert.match(found.said, /^[^\n]*(no such file|was deleted)[^\n]*$/);
      assert.ok(!existsSync(folder), file);
    }
  });
}

test("a folder that can't be written is one sentence", async () => {
  for (const training of trainings)
    for (const code of ["EROFS", "EACCES"]) {
      rmSync(at(training.name), { recursive: true, force: true });
      const found = await watched(
        ({ path }) => {
          if (path.startsWith(at(training.name))) throw systemError(code);
        },
        () => command(wordsOf(training)),
      );
      assert.equal(found.code, 1);
      assert.match(found.said, /^[^\n]*(read-only|no right)[^\n]*$/);
    }
});

// --- What was changed behind a run's back ---------------------------------------------------------------------------

describe("a changed file is noticed", () => {
  const folder = at("changed");
  const path = (name: string): string => join(folder, name);
  const goOn = ["ppo", "--resume", folder];
  const flip = (file: string, where: number): Buffer => {
    const before = readFileSync(file);
    const changed = Buffer.from(before);
    changed[where] = (changed[where] ?? 0) ^ 4;
    writeFileSync(file, changed);
    return before;
  };

  before(async () => {
    const words = ["ppo", "--judge", "gold", "--policy", at("policy"), ...few, "--out", folder];
    assert.equal((await command(words)).code, 0);
  });

  test("finished weights, by the SHA-256 in run.json; --resume writes them again", async () => {
    const model = path("model.safetensors");
    const before = flip(model, statSync(model).size - 3);
    assert.throws(
      () => openCausalLM(folder, {}),
      /model.safetensors: is damaged, or another.*--resume/,
    );
    assert.deepEqual(await command(goOn), { said: "", code: 0 });
    assert.ok(readFileSync(model).equals(before));
  });

  test("any bit of a checkpoint", () => {
    const file = path("checkpoint.safetensors");
    const { size } = statSync(file);
    for (let where = 0; where < size; where += Math.ceil(size / 150)) {
      const before = flip(file, where);
      assert.throws(() => new PolicyFolder(folder).checkpoint(), FileError, `byte ${where}`);
      writeFileSync(file, before);
    }
  });

  test("lines of metrics that were lost", async () => {
    const run = new PolicyFolder(folder);
    const file = path("metrics.jsonl");
    const whole = readFileSync(file, "utf8");
    writeFileSync(file, whole.slice(whole.indexOf("\n") + 1));
    assert.equal((await run.resume()).lost, 1);
    run.close();
    writeFileSync(file, whole);
  });

  test("the policy that a run began with, by its full path", async () => {
    const { flags, inputs } = JSON.parse(readFileSync(path("run.json"), "utf8"));
    assert.deepEqual([flags.policy, Object.keys(inputs)], [at("policy"), [at("policy")]]);
    const file = join(at("policy"), "model.safetensors");
    const before = flip(file, statSync(file).size - 3);
    const { code, said } = await command(goOn);
    writeFileSync(file, before);
    assert.equal(code, 1);
    assert.match(said, /policy: isn't any more what it was when the run in .*changed/);
  });
});
