// Pretraining: the same bits twice, and after a stop in any place; budgets of steps and of minutes; what
// a run leaves on disk when it is stopped, interrupted or killed; and the command line, run as a person
// runs it, on a corpus made here. Next: ../nn/pretrain.ts.

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { gzipSync } from "node:zlib";
import { device, random } from "../core/index.ts";
import { WasmDevice } from "../kernels/index.ts";
import {
  type CausalLM,
  type Corpus,
  makeCorpus,
  type PretrainCheckpoint,
  type PretrainHooks,
  type PretrainOptions,
  type PretrainRecord,
  parsePretrainMetrics,
  pretrain,
  pretrainSettings,
} from "../nn/index.ts";
import {
  loadCausalLM,
  loadPretrainCheckpoint,
  loadSafetensors,
  loadTokenizer,
  saveCausalLM,
  savePretrainCheckpoint,
  saveSafetensors,
} from "../nn/node.ts";
import { Windows } from "../nn/pretrain/windows.ts";
import { holds } from "../testing/property.ts";
import { bin, twoheadsHere } from "./commandLine.ts";
import { temporaryFolder } from "./folders.ts";

const folder = temporaryFolder("pretrain");

/** Little stories, each another. */
function stories(count: number): string[] {
  const rng = random("stories");
  const pick = (...words: string[]): string => words[rng.integer(0, words.length)] ?? "";
  return Array.from({ length: count }, (_, i) => {
    const [name, pet, place] = [
      pick("Tom", "Lily", "Ben", "Mia"),
      pick("dog", "cat", "bird", "frog"),
      pick("park", "house", "garden", "sea"),
    ];
    return (
      `One day ${name} saw a ${pick("big", "small", "red")} ${pet} in the ${place}.\n` +
      `${name} said: "Hello ${pet}, this is day ${i}!" The ${pet} was ${pick("happy", "sad", "glad")}.`
    );
  });
}

const tiny: PretrainOptions = {
  steps: 12,
  vocabSize: 280,
  dim: 16,
  layers: 1,
  heads: 2,
  context: 16,
  batchSize: 2,
  dropout: 0.1,
  lr: 1e-2,
  warmup: 3,
  validateEvery: 5,
  validationTokens: 64,
  sampleEvery: 6,
  sampleTokens: 8,
  checkpointEvery: 5,
};

/** What a run said, without the times, and what came of it. */
interface Seen {
  readonly records: PretrainRecord[];
  readonly weights: Readonly<Record<string, ArrayLike<number>>>;
  readonly step: number;
  readonly steps: number | null;
}

async function seen(
  options: PretrainOptions,
  hooks: Partial<PretrainHooks> & { readonly corpus: Corpus },
): Promise<Seen> {
  const records: PretrainRecord[] = [];
  const onRecord = (record: PretrainRecord): void => {
    records.push(timeless(record));
    hooks.onRecord?.(record);
  };
  const { lm, step, steps } = await pretrain(options, { ...hooks, onRecord });
  return { records, weights: weightsOf(lm), step, steps };
}

function weightsOf(lm: CausalLM): Readonly<Record<string, ArrayLike<number>>> {
  return Object.fromEntries(
    Object.entries(lm.stateDict()).map(([name, x]) => [name, x.data.slice()]),
  );
}

function timeless(record: PretrainRecord): PretrainRecord {
  return record.kind === "sample" ? record : { ...record, seconds: 0 };
}

describe("a run", () => {
  test("learns, and says so: losses of every step, validations, samples", async () => {
    const corpus = await makeCorpus(stories(200), tiny);
    const { records, step } = await seen({ ...tiny, steps: 60, dropout: 0 }, { corpus });
    assert.equal(step, 60);
    const validations = records.filter((record) => record.kind === "validation");
    assert.deepEqual(
      validations.map((record) => record.step),
      Array.from({ length: 13 }, (_, i) => 5 * i),
    );
    const [first, last] = [validations[0], validations.at(-1)];
    assert.ok(first && last);
    assert.ok(Math.abs(first.loss - Math.log(280)) < 0.2, "untrained: all tokens equally likely");
    assert.ok(last.loss < first.loss - 1.5, `${first.loss} to ${last.loss}`);
    const perplexity = last.perplexity ?? Number.NaN;
    assert.ok(Math.abs(perplexity - Math.exp(last.loss)) < 1e-9 * perplexity);
    const { bytesPerToken } = corpus.facts;
    assert.ok(Math.abs(last.bitsPerByte * bytesPerToken - last.loss * Math.LOG2E) < 1e-9);
    const trained = records.filter((record) => record.kind === "train");
    assert.deepEqual(
      trained.map((record) => record.tokens),
      Array.from({ length: 60 }, (_, i) => 32 * (i + 1)),
    );
    assert.equal(records.filter((record) => record.kind === "sample").length, 10);
  });

  test("gives the same bits with the same seed, and others with another", async () => {
    const corpus = await makeCorpus(stories(100), tiny);
    const one = await seen(tiny, { corpus });
    assert.deepEqual(await seen(tiny, { corpus }), one);
    assert.notDeepEqual((await seen({ ...tiny, seed: 1 }, { corpus })).weights, one.weights);
  });

  test("the rate rises, stays, and falls to 0 over the last steps", async () => {
    const corpus = await makeCorpus(stories(100), tiny);
    const { records } = await seen({ ...tiny, steps: 10, decay: 0.4 }, { corpus });
    const rates = records.flatMap((record) => (record.kind === "train" ? [record.lr * 100] : []));
    const expected = [1 / 3, 2 / 3, 1, 1, 1, 1, 1, 3 / 4, 1 / 2, 1 / 4];
    const off = rates.map((rate, i) => Math.abs(rate - (expected[i] ?? 0)));
    assert.ok(Math.max(...off) < 1e-9, `${rates}`);
  });

  for (const style of ["gpt2", "lstm"] as const) {
    test(`trains a ${style} too`, async () => {
      const corpus = await makeCorpus(stories(100), tiny);
      const { lm } = await pretrain({ ...tiny, steps: 3, style }, { corpus });
      assert.equal(lm.config.style, style);
    });
  }

  test("memory stays as it was, step after step", async () => {
    setFlagsFromString("--expose_gc");
    const collect = runInNewContext("gc") as () => void;
    const wasm = device("wasm");
    assert.ok(wasm instanceof WasmDevice);
    const heap: number[] = [];
    const kernels: number[] = [];
    const corpus = await makeCorpus(stories(100), tiny);
    const every = { validateEvery: 50, sampleEvery: 50, checkpointEvery: 200, logEvery: 50 };
    await pretrain(
      { ...tiny, ...every, steps: 600 },
      {
        corpus,
        async onCheckpoint() {
          for (let i = 0; i < 3; i++) {
            collect();
            await new Promise((resolve) => setImmediate(resolve)); // arrays are freed by finalisers
          }
          const { heapUsed, arrayBuffers } = process.memoryUsage();
          heap.push(heapUsed + arrayBuffers);
          kernels.push(wasm.wasm.memory.buffer.byteLength);
        },
      },
    );
    const [, before = 0, , later = 0] = heap;
    const perStep = (later - before) / 400; // one step's weights and gradients alone have 60 kB
    assert.ok(perStep < 10_000, `grew by ${perStep} bytes a step`);
    assert.equal(kernels[1], kernels[3]);
  });
});

describe("stopped and resumed through its file, a run is the one that never stopped", () => {
  for (const stopAt of [1, 5, 11]) {
    test(`after step ${stopAt}`, async () => {
      const corpus = await makeCorpus(stories(100), tiny);
      const whole = await seen(tiny, { corpus });
      const controller = new AbortController();
      const path = join(folder, `stop-${stopAt}.safetensors`);
      const first = await seen(tiny, {
        corpus,
        signal: controller.signal,
        onProgress: ({ step }) => step === stopAt && controller.abort(),
        onCheckpoint: (checkpoint) => savePretrainCheckpoint(path, checkpoint),
      });
      assert.equal(first.step, stopAt);
      const resume = loadPretrainCheckpoint(path);
      const second = await seen(tiny, { corpus: await makeCorpus(stories(100), tiny), resume });
      assert.deepEqual([...first.records, ...second.records], whole.records);
      assert.deepEqual(second.weights, whole.weights);
    });
  }

  test("also across the end of an epoch", async () => {
    const few = { ...tiny, steps: 30, validation: 0.2 };
    const corpus = await makeCorpus(stories(5), few);
    const checkpoints: PretrainCheckpoint[] = [];
    const path = join(folder, "epoch.safetensors");
    const whole = await seen(few, {
      corpus,
      async onCheckpoint(checkpoint) {
        checkpoints.push(checkpoint);
        if (checkpoint.state.step === 20) await savePretrainCheckpoint(path, checkpoint);
      },
    });
    assert.ok((checkpoints.at(-1)?.state.position.epoch ?? 0) > 2, "some epochs");
    const rest = await seen(few, { corpus, resume: loadPretrainCheckpoint(path) });
    assert.deepEqual(rest.weights, whole.weights);
  });

  test("unless settings or corpus are others: that is an error; a finished one has no step left", async () => {
    const corpus = await makeCorpus(stories(100), tiny);
    const checkpoints: PretrainCheckpoint[] = [];
    const keep = (checkpoint: PretrainCheckpoint): void => void checkpoints.push(checkpoint);
    await pretrain(tiny, { corpus, onCheckpoint: keep });
    const [resume, finished] = [checkpoints[1], checkpoints.at(-1)];
    await assert.rejects(
      pretrain({ ...tiny, lr: 0.5 }, { corpus, resume }),
      /has lr 0.01, not 0.5; leave that as it was, or begin a new run$/,
    );
    const other = await makeCorpus(stories(101), tiny);
    await assert.rejects(pretrain(tiny, { corpus: other, resume }), /corpus isn't the one/);
    const again = await pretrain(tiny, {
      corpus,
      resume: finished,
      onProgress: () => assert.fail("no step is left"),
    });
    assert.deepEqual([again.finished, again.step], [true, 12]);
  });
});

describe("a run by minutes", () => {
  const byTime: PretrainOptions = { ...tiny, steps: null, minutes: 0.5, decay: 0.25 };

  /** Hooks under which each step takes a second. */
  function clock(): Pick<PretrainHooks, "now" | "onProgress"> {
    let seconds = 0;
    return { now: () => 1000 * seconds, onProgress: () => void seconds++ };
  }

  test("fixes its steps when the rate is to fall, and is then the run of that many", async () => {
    const corpus = await makeCorpus(stories(100), byTime);
    const timed = await seen(byTime, { corpus, ...clock() });
    assert.ok(timed.steps !== null && timed.step === timed.steps);
    assert.ok(Math.abs(timed.steps - 30) <= 3, `${timed.steps}`);
    const counted = await seen({ ...byTime, minutes: null, steps: timed.steps }, { corpus });
    assert.deepEqual(counted, timed);
  });

  for (const stopAt of [10, 28]) {
    test(`stopped after ${stopAt} seconds, goes on with the time that is left`, async () => {
      const corpus = await makeCorpus(stories(100), byTime);
      const controller = new AbortController();
      const { now, onProgress } = clock();
      let resume: PretrainCheckpoint | undefined;
      const stopped = await pretrain(byTime, {
        corpus,
        signal: controller.signal,
        ...(now && { now }),
        onProgress(progress) {
          onProgress?.(progress);
          if (progress.step === stopAt) controller.abort();
        },
        onCheckpoint(checkpoint) {
          resume = checkpoint;
        },
      });
      assert.equal(stopped.finished, false);
      assert.equal(stopped.steps === null, stopAt === 10);
      const { steps, step, weights } = await seen(byTime, { corpus, resume, ...clock() });
      assert.ok(steps !== null && step === steps && Math.abs(steps - 30) <= 3, `${steps}`);
      const whole = await seen({ ...byTime, minutes: null, steps }, { corpus });
      assert.deepEqual(weights, whole.weights);
    });
  }
});

describe("the corpus", () => {
  test("holds out documents that training doesn't see, the same with the same seed", async () => {
    const texts = stories(60);
    const corpus = await makeCorpus(texts, tiny);
    const { tokenizer } = corpus;
    const seenTexts = corpus.training.map((ids) => tokenizer.decode(ids, { skipSpecial: true }));
    const held = texts.filter((text) => !seenTexts.includes(text));
    assert.equal(held.length, 3, "5 % of 60");
    assert.equal(
      tokenizer.decode(corpus.validation),
      held.map((t) => `${t}<|endoftext|>`).join(""),
    );
    assert.deepEqual((await makeCorpus(texts, tiny)).facts, corpus.facts);
    assert.notEqual(
      (await makeCorpus(texts, { ...tiny, seed: 1 })).facts.digest,
      corpus.facts.digest,
    );
  });

  test("leaves repeated documents out, and counts them", async () => {
    const texts = stories(30);
    const { facts } = await makeCorpus([...texts, ...texts.slice(0, 4), ""], tiny);
    assert.equal(facts.documents, 30);
    assert.equal(facts.repeated, 4);
    assert.equal(facts.digest, (await makeCorpus(texts, tiny)).facts.digest);
  });

  test("of one document holds out its end, from the begin of a line on", async () => {
    const text = stories(50).join("\n");
    const { tokenizer, training, validation } = await makeCorpus([text], tiny);
    const [begin = new Int32Array(0)] = training;
    const plain = { skipSpecial: true };
    assert.equal(tokenizer.decode(begin, plain) + tokenizer.decode(validation, plain), text);
    assert.match(tokenizer.decode(begin, plain), /\n$/);
  });

  test("takes a tokenizer that is there: bytes, or one in a folder", async () => {
    const bytes = await makeCorpus(stories(20), { ...tiny, tokenizer: "bytes" });
    assert.equal(bytes.tokenizer.vocabSize, 258);
    const learnt = await makeCorpus(stories(20), tiny);
    const at = join(folder, "tokenizer.json");
    const [json] = learnt.tokenizer.files();
    writeFileSync(at, json?.bytes ?? "");
    const missing = { ...tiny, tokenizer: at };
    await assert.rejects(makeCorpus(stories(20), missing), /neither bpe nor bytes/);
    const corpus = () => makeCorpus(stories(20), missing, loadTokenizer(at));
    await assert.rejects(corpus(), /no token has the role eos/);
    const roles = { bos_token: "<|endoftext|>", eos_token: "<|endoftext|>" };
    writeFileSync(join(folder, "tokenizer_config.json"), JSON.stringify(roles));
    const { facts } = await corpus();
    assert.equal(facts.digest, learnt.facts.digest);
  });

  test("special tokens that are spelled out in a text are text", async () => {
    const text = "A text about <|pad|> and more. ".repeat(20);
    const { tokenizer, training } = await makeCorpus([text], { ...tiny, separator: "---" });
    const pad = tokenizer.idOf("<|pad|>") ?? -1;
    assert.ok(training.every((ids) => !ids.includes(pad)));
  });

  test("is too short, or empty: one sentence each", async () => {
    await assert.rejects(
      makeCorpus([], tiny),
      /the corpus is empty; give files with text in them$/,
    );
    await assert.rejects(
      makeCorpus(["A b c."], tiny),
      /has \d+ tokens to train on, too few for one window of 16 and the token after it/,
    );
  });
});

describe("windows", () => {
  test("of an epoch don't overlap, leave out less than two windows, and hold the next tokens", () => {
    holds(
      "windows of an epoch",
      (d) => ({
        lengths: Array.from({ length: d.integer(1, 5) }, () => d.integer(1, 30)),
        context: d.integer(1, 9),
        seed: d.integer(0, 99),
      }),
      ({ lengths, context, seed }) => {
        const total = lengths.reduce((sum, n) => sum + n, 0);
        if (total <= context) return;
        let id = 0;
        const documents = lengths.map((n) => Int32Array.from({ length: n }, () => id++));
        const windows = new Windows(documents, context, random(seed));
        const places = new Set<number>();
        let count = 0;
        while (windows.position.epoch === 0) {
          const { ids, targets } = windows.next(1);
          if (windows.position.epoch > 0) break;
          for (const [i, at] of Array.from(ids.data).entries()) {
            places.add(at);
            const follower = targets.data[i] ?? -1;
            if (i + 1 < context) assert.equal(ids.data[i + 1], follower);
          }
          count++;
        }
        assert.equal(places.size, count * context, "no token twice");
        assert.ok(total - places.size <= 2 * context, `${total} tokens, ${places.size} seen`);
      },
      { show: JSON.stringify },
    );
  });

  test("go on from a position", () => {
    const documents = Array.from({ length: 4 }, (_, i) =>
      Int32Array.from({ length: 20 }, (_, j) => 20 * i + j),
    );
    const make = (): Windows => new Windows(documents, 6, random(3));
    const windows = make();
    for (let i = 0; i < 12; i++) {
      const again = make();
      again.position = windows.position;
      const [here, there] = [windows.next(3), again.next(3)];
      assert.deepEqual(there.ids.data, here.ids.data);
      assert.deepEqual(there.targets.data, here.targets.data);
    }
    assert.ok(windows.position.epoch >= 2);
  });
});

test("settings: every mistake is named, and one budget is given", () => {
  assert.equal(pretrainSettings({}).minutes, 5);
  assert.equal(pretrainSettings({ steps: 3 }).minutes, null);
  assert.throws(
    () => pretrainSettings({ steps: 3, minutes: 1 }),
    /steps 3 and minutes 1; give one/,
  );
  assert.throws(() => pretrainSettings({ lr: -1, dim: 1.5 }), /dim: .*; lr: /);
  const misspelt = { learningRate: 1 } as PretrainOptions;
  assert.throws(() => pretrainSettings(misspelt), /learningRate/);
});

test("a loss that is no number ends the run, and keeps the checkpoint before", async () => {
  const corpus = await makeCorpus(stories(100), tiny);
  const saved: number[] = [];
  let model: CausalLM | undefined;
  const broken = pretrain(
    { ...tiny, dropout: 0 },
    {
      corpus,
      onProgress: ({ step }) => step === 7 && model?.parameters()[0]?.data.fill(Number.NaN),
      onModel: (lm) => {
        model = lm;
      },
      onCheckpoint: ({ state }) => void saved.push(state.step),
    },
  );
  await assert.rejects(
    broken,
    /loss NaN .* at step 8; the last checkpoint is of step 5; a smaller lr/,
  );
  assert.deepEqual(saved, [0, 5]);
});

describe("files that aren't what they should be", () => {
  test("metrics: a line cut short is left out, a wrong one is named", () => {
    const line = JSON.stringify({ kind: "sample", step: 1, prompt: "", text: "A\nb" });
    assert.deepEqual(parsePretrainMetrics(`${line}\n`), {
      records: [JSON.parse(line)],
      torn: false,
    });
    assert.deepEqual(parsePretrainMetrics(`${line}\n{"kind":"tr`).torn, true);
    assert.throws(() => parsePretrainMetrics(`${line}\n{}\n`), /metrics.jsonl: line 2: /);
    assert.throws(() => parsePretrainMetrics(`nonsense\n`), /line 1: is not JSON/);
    const wrong = line.replace('"step":1', '"step":-1');
    assert.throws(() => parsePretrainMetrics(`${wrong}\n`), /line 1: step: /);
  });

  test("checkpoints", async () => {
    const corpus = await makeCorpus(stories(100), tiny);
    const path = join(folder, "whole.safetensors");
    const save = (checkpoint: PretrainCheckpoint) => savePretrainCheckpoint(path, checkpoint);
    await pretrain({ ...tiny, steps: 1 }, { corpus, onCheckpoint: save });
    const other = join(folder, "other.safetensors");
    const tensors = loadSafetensors(path);
    await saveSafetensors(other, tensors);
    assert.throws(() => loadPretrainCheckpoint(other), /other.*: is no checkpoint/);
    await saveSafetensors(other, tensors, { metadata: { "twoheads.pretrain": '{"step":-1}' } });
    assert.throws(() => loadPretrainCheckpoint(other), /twoheads.pretrain: settings: /);
    writeFileSync(other, readFileSync(path).subarray(0, -100));
    assert.throws(() => loadPretrainCheckpoint(other), /other.*after the end of the file/);
  });
});

// --- The command line ----------------------------------------------------------------------------------

describe("twoheads pretrain", () => {
  const env = { ...process.env, TWOHEADS_DEVICE: "wasm", TWOHEADS_THREADS: "1" };
  const flags = ["--vocab-size", "280", "--dim", "16", "--layers", "1", "--heads", "2"].concat(
    ["--context", "16", "--batch-size", "2", "--warmup", "3", "--validate-every", "40"],
    ["--validation-tokens", "64", "--sample-every", "40", "--sample-tokens", "8"],
    ["--checkpoint-every", "20"],
  );
  const [plain, packed] = [join(folder, "a.txt"), join(folder, "b.txt.gz")];
  const all = stories(80);
  writeFileSync(plain, all.slice(0, 40).join("\n<|endoftext|>\n"));
  writeFileSync(packed, gzipSync(all.slice(40).join("\n<|endoftext|>\n")));

  /** Runs the command as a process of its own. */
  function run(...args: string[]): string {
    const options = { cwd: folder, env, encoding: "utf8", stdio: "pipe" } as const;
    return execFileSync(process.execPath, [bin, ...args], options);
  }

  /** Runs it here, which is quicker: what it prints, and what it says of a mistake. */
  async function runHere(...args: string[]): Promise<{ printed: string; errors: string }> {
    const { out, said, code } = await twoheadsHere(args);
    assert.equal(code, said === "" ? 0 : 1);
    return { printed: out, errors: said };
  }

  const begin = (out: string, steps: number): string[] => {
    const where = ["--corpus", plain, packed, "--out", join(folder, out)];
    return ["pretrain", ...where, "--steps", String(steps), ...flags];
  };

  function metricsOf(out: string): PretrainRecord[] {
    const { records, torn } = parsePretrainMetrics(
      readFileSync(join(folder, out, "metrics.jsonl"), "utf8"),
    );
    assert.equal(torn, false);
    return records.map(timeless);
  }

  const weightsIn = (out: string) => weightsOf(loadCausalLM(join(folder, out)));

  /** Starts a run, sends it a signal once it has taken some steps, and waits for its end. */
  async function interrupt(args: string[], out: string, signal: "SIGINT" | "SIGKILL") {
    const child = spawn(process.execPath, [bin, ...args], { cwd: folder, env });
    let printed = "";
    child.stdout.on("data", (chunk: Buffer) => {
      printed += String(chunk);
    });
    const ended = new Promise<number | null>((resolve) => child.on("exit", resolve));
    const metrics = join(folder, out, "metrics.jsonl");
    const lines = (): number =>
      existsSync(metrics) ? readFileSync(metrics, "utf8").split("\n").length : 0;
    while (lines() < 60 && child.exitCode === null)
      await new Promise((resolve) => setTimeout(resolve, 5));
    child.kill(signal);
    return { code: await ended, printed };
  }

  test("makes a folder that generates", async () => {
    const printed = run(...begin("whole", 400));
    assert.match(
      printed,
      /corpus: 80 documents\n.*held out\ntokenizer: 280 tokens .*\nmodel: llama/,
    );
    assert.match(
      printed,
      /step 400: validation loss \d.*\nstep 400 writes:\n(.|\n)*finished after 400 steps/,
    );
    assert.ok(metricsOf("whole").length > 400);
    const out = join(folder, "whole");
    const texts = ["generate", out, "--prompt", "One day", "--samples", "3", "--max-tokens", "6"];
    const written = run(...texts, "--seed", "3");
    assert.equal(written.match(/^One day/gm)?.length, 3);
    assert.equal(`${(await runHere(...texts, "--seed", "3")).printed}\n`, written);
    assert.notEqual(`${(await runHere(...texts, "--seed", "4")).printed}\n`, written);
    assert.equal(loadTokenizer(out).vocabSize, loadCausalLM(out).config.vocabSize);
  });

  test("after Ctrl-C saves, says how to go on, and goes on to the same bits", async () => {
    const { code, printed } = await interrupt(begin("stopped", 400), "stopped", "SIGINT");
    assert.equal(code, 130);
    assert.match(printed, /stopping after this step; Ctrl-C again quits at once/);
    assert.match(
      printed,
      /stopped after step \d+; go on with: npx twoheads pretrain --resume .*stopped\n$/,
    );
    await runHere("generate", join(folder, "stopped"), "--max-tokens", "3");
    await runHere("pretrain", "--resume", join(folder, "stopped"));
    assert.deepEqual(metricsOf("stopped"), metricsOf("whole"));
    assert.deepEqual(weightsIn("stopped"), weightsIn("whole"));
  });

  test("killed, leaves a checkpoint that goes on to the same bits", async () => {
    const { code } = await interrupt(begin("killed", 400), "killed", "SIGKILL");
    assert.equal(code, null);
    const { step } = loadPretrainCheckpoint(join(folder, "killed", "checkpoint.safetensors")).state;
    assert.ok(step % 20 === 0 && step < 400, `${step}`);
    const args = ["pretrain", "--resume", join(folder, "killed"), "--json"];
    const { out, said } = await twoheadsHere(args);
    assert.match(said, /step 400: validation loss/);
    const { finished, steps, validation, report } = JSON.parse(out);
    assert.deepEqual([finished, steps, validation.step], [true, 400, 400]);
    assert.equal(report, join(folder, "killed", "report.html"));
    assert.deepEqual(metricsOf("killed"), metricsOf("whole"));
    assert.deepEqual(weightsIn("killed"), weightsIn("whole"));
  });

  test("goes on from another's model, in its tokens, and when killed to the same bits", async () => {
    const base = join(folder, "whole");
    const on = (out: string): string[] => {
      const where = ["--corpus", plain, packed, "--base", base, "--out", join(folder, out)];
      const often = ["--validate-every", "40", "--checkpoint-every", "20", "--batch-size", "2"];
      return ["pretrain", ...where, "--steps", "120", "--validation-tokens", "64", ...often];
    };
    const printed = run(...on("adapted"));
    assert.match(printed, /tokenizer: 280 tokens/);
    const before = metricsOf("whole").findLast(({ kind }) => kind === "validation");
    const after = metricsOf("adapted").find(({ kind }) => kind === "validation");
    assert.ok(before?.kind === "validation" && after?.kind === "validation" && after.step === 0);
    assert.equal(after.loss, before.loss);
    assert.notDeepEqual(weightsIn("adapted"), weightsIn("whole"));
    await interrupt(on("adapted-killed"), "adapted-killed", "SIGKILL");
    await runHere("pretrain", "--resume", join(folder, "adapted-killed"));
    assert.deepEqual(metricsOf("adapted-killed"), metricsOf("adapted"));
    assert.deepEqual(weightsIn("adapted-killed"), weightsIn("adapted"));
  });

  test("mistakes are one line without a stack", async () => {
    const empty = join(folder, "empty.txt");
    writeFileSync(empty, "\n<|endoftext|>\n");
    const torn = join(folder, "torn.txt.gz");
    writeFileSync(torn, gzipSync(all.join("\n")).subarray(0, 200));
    const latin = join(folder, "latin.txt");
    writeFileSync(latin, Uint8Array.of(0x61, 0xe9, 0x61));
    const fails = async (message: RegExp, ...args: string[]): Promise<void> => {
      const { errors } = await runHere("pretrain", ...args);
      assert.match(errors, message);
      assert.equal(errors.split("\n").length, 1);
    };
    const whole = join(folder, "whole");
    await fails(/nothing.txt: there is no such file/, "--corpus", "nothing.txt");
    await fails(/the corpus is empty/, "--corpus", empty);
    await fails(/too few for one window/, "--corpus", plain, "--context", "100000");
    await fails(/torn.txt.gz: can't be unpacked/, "--corpus", torn);
    await fails(/latin.txt: is not UTF-8 text/, "--corpus", latin);
    await fails(/--corpus FILE/);
    await fails(/batchSize: /, "--corpus", plain, "--batch-size", "0");
    await fails(/lr: /, "--corpus", plain, "--lr", "fast");
    await fails(/holds a run or a model already/, "--corpus", plain, "--out", whole);
    await fails(
      /with --base, .* leave dim, vocabSize away/,
      ...["--corpus", plain, "--base", whole, "--dim", "8", "--vocab-size", "300"],
    );
    await fails(
      /the base reads 16 tokens at most, and context is 32/,
      ...["--corpus", plain, "--base", whole, "--context", "32"],
    );
    await fails(/leave --out and --base away/, "--resume", whole, "--base", whole);
    await fails(/has lr .* not 1;/, "--resume", whole, "--lr", "1");
    const { printed } = await runHere("pretrain", "--resume", whole);
    assert.match(printed, /the run in .*whole is finished, and nothing of it is missing/);
    await fails(
      /checkpoint.safetensors: there is no such file/,
      "--resume",
      join(folder, "nowhere"),
    );
  });
});

test("a run's model in a folder has the logits that it had", async () => {
  const corpus = await makeCorpus(stories(100), tiny);
  const { lm } = await pretrain({ ...tiny, steps: 2 }, { corpus });
  await saveCausalLM(join(folder, "saved"), lm);
  assert.deepEqual(weightsOf(loadCausalLM(join(folder, "saved"))), weightsOf(lm));
});
