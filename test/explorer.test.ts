// The explorer: its settings and addresses, its training held against the program that it hands out, to the bit,
// and its page in Chromium: a whole training, pauses, deep links, a telephone, the keyboard, no shared memory,
// a policy that forbids WebAssembly, and nothing on the console or from elsewhere.
// Next: ../explorer/index.ts.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { availableParallelism, loadavg } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { Browser, Page } from "playwright-core";
import { noGrad, random, tensor } from "../core/index.ts";
import { buildExplorer } from "../explorer/build.ts";
import { HiddenView } from "../explorer/hiddenView.ts";
import {
  codeOf,
  type ExplorerSettings,
  initialSettings,
  LiveTraining,
  type Look,
  queryOf,
  type Request,
  settingsFromQuery,
  type Told,
  TrainingHost,
} from "../explorer/index.ts";
import { manySeedsOf } from "../explorer/manySeeds.ts";
import { type OveroptProgress, overoptimise } from "../explorer/overoptView.ts";
import { principalPlane } from "../explorer/pca.ts";
import { isolation, serveFolder } from "../explorer/serve.ts";
import { overoptSizes } from "../explorer/settings.ts";
import { addressOf, after as afterAction, heard, stateAt } from "../explorer/state.ts";
import { examplesOf, read, type Writing, write } from "../explorer/textView.ts";
import { inspect, type StepRecord, scorePairs, statistics } from "../grm/index.ts";
import {
  centredColumns,
  crossProduct,
  matrix,
  symmetricEigenvalues,
} from "../grm/inspect/matrix.ts";
import { worlds } from "../lab/index.ts";
import "../kernels/index.ts";
import { readResults } from "../lab/demo/resultFile.ts";
import { differenceTable } from "../lab/demo/table.ts";
import { committedFrontier } from "../lab/frontier.ts";
import { spelledBase } from "../lab/node.ts";
import { launchBrowser, noBrowser } from "./chromium.ts";
import { root, temporaryFolder } from "./folders.ts";

const short: ExplorerSettings = { ...initialSettings, pairs: 100 };

function filesOf(base: number | "tales"): Map<string, Uint8Array> {
  const folder = base === "tales" ? join(root, "explorer/bases/tales") : spelledBase(base);
  const names = ["config.json", "model.safetensors"];
  return new Map(names.map((name) => [name, readFileSync(join(folder, name))]));
}

// --- Settings and addresses --------------------------------------------------------------------------

describe("settings", () => {
  test("an address holds all of them, and gives them back", () => {
    const settings: ExplorerSettings = {
      ...{ method: "grm-dpo-noref", alpha: 0.001, lr: 3e-4, beta: 0.3, head: "mlp" },
      ...{ pairs: 1000, flips: 0.25, seed: 8, base: 2 },
    };
    assert.equal([...queryOf(settings)].length, Object.keys(settings).length);
    assert.deepEqual(settingsFromQuery(queryOf(settings)), { settings, problems: [] });
    const state = { ...stateAt(""), settings, tour: 3 };
    const again = stateAt(addressOf(state));
    assert.deepEqual([again.settings, again.tour], [settings, 3]);
  });

  test("what an address says that can't be is told, and the rest holds", () => {
    const query = new URLSearchParams("alpha=0.7&lr=5&pairs=&method=<b>&x=1");
    const { settings, problems } = settingsFromQuery(query);
    assert.deepEqual(settings, { ...initialSettings, alpha: 0.7 });
    assert.equal(problems.length, 4);
    assert.match(problems.join("\n"), /Learning rate is "5" .* 3e-4, 7e-4, .*, and 5e-3 was taken/);
    assert.match(problems.join("\n"), /"x", which is no setting/);
    assert.match(stateAt("#nowhere?alpha=0.7").problems.join(), /no view "nowhere"/);
  });
});

describe("the state", () => {
  test("a setting begins anew, and a training that ran goes on running", () => {
    const ready = heard(stateAt(""), {
      kind: "begun",
      training: 1,
      steps: 128,
      code: "",
      examples: [],
    });
    const running = afterAction(ready, { kind: "run" });
    assert.deepEqual([ready.phase, running.phase], ["ready", "running"]);
    const moved = afterAction(running, { kind: "set", settings: { alpha: 0.1 } });
    assert.deepEqual([moved.training, moved.phase, moved.settings.alpha], [2, "running", 0.1]);
    const paused = afterAction(running, { kind: "pause" });
    assert.equal(afterAction(paused, { kind: "reset" }).phase, "starting");
  });

  test("what an earlier training still tells is dropped", () => {
    const state = afterAction(stateAt(""), { kind: "reset" });
    assert.equal(heard(state, { kind: "failed", training: 1, message: "late" }), state);
    assert.equal(heard(state, { kind: "failed", training: 2, message: "now" }).failure, "now");
  });
});

describe("what many seeds say", () => {
  test("is counted from the committed results", () => {
    const found = readResults(join(root, "lab/demo/seeds.jsonl"));
    const frontier = committedFrontier();
    assert.ok(found && frontier);
    const { seeds, gentle, hot, alphas } = manySeedsOf(found.results, frontier.points);
    assert.equal(seeds, 30);
    const table = differenceTable(found.results, found.plan); // the demo's own words for it
    for (const { gain } of [gentle, hot]) {
      const ends = [gain.mean, gain.mean - gain.half, gain.mean + gain.half];
      const [mean = "", low = "", high = ""] = ends.map((x) =>
        (100 * x).toFixed(1).replace(/^(?=\d)/, "+"),
      );
      assert.ok(
        table.includes(`${mean} [${low}, ${high}]`),
        `${mean} [${low}, ${high}] in ${table}`,
      );
    }
    assert.ok(hot.perplexity.plain > 10 * hot.perplexity.reg);
    const zero = frontier.points.filter(({ alpha, lr }) => alpha === 0 && lr === hot.lr);
    near(alphas.ood[0]?.mean, statistics.mean(zero.map(({ ood }) => ood)), 1e-12, "alpha 0");
    assert.equal(alphas.seeds, zero.length);
  });
});

// --- Training ----------------------------------------------------------------------------------------

/** A whole training in Node, once for all who hold something against it. */
function trained(settings: ExplorerSettings): ReturnType<typeof train> {
  const known = trainings.get(String(queryOf(settings))) ?? train(settings);
  trainings.set(String(queryOf(settings)), known);
  return known;
}

const trainings = new Map<string, ReturnType<typeof train>>();

async function train(settings: ExplorerSettings) {
  const training = await LiveTraining.begin(settings, filesOf(settings.base));
  const records: (readonly StepRecord[])[] = [];
  while (!training.finished) records.push(await training.next());
  const look = await training.look();
  training.release();
  return { records, look };
}

/** Another regulariser, head and base; its head's dropout draws. */
const other: ExplorerSettings = {
  ...short,
  ...({ method: "grm-dpo", head: "mlp", flips: 0.25, base: 2, seed: 3, lr: 2e-3 } as const),
  alpha: 0.1,
};

/** Both models' losses, step by step. */
function lossesIn(records: readonly (readonly StepRecord[])[]) {
  return records.map((models) => models.map(({ loss, reward_loss }) => [loss, reward_loss]));
}

/** What a program prints for a training, from its records and its last look. */
function printedBy(settings: ExplorerSettings, code: string): string[] {
  assert.match(code, /^\/\/ What the explorer trained, in Node/);
  const options = {
    cwd: root,
    encoding: "utf8",
    env: { ...process.env, TWOHEADS_DEVICE: "" },
  } as const;
  const flags = ["--import", import.meta.resolve("tsx"), "--input-type=module", "--eval", code];
  const lines = execFileSync(process.execPath, flags, options).trim().split("\n");
  assert.ok(lines.length > settings.pairs / 16);
  return lines;
}

describe("a training", () => {
  for (const settings of [short, other]) {
    test(`is the copied program's to the bit: ${queryOf(settings)}`, async () => {
      const { records, look } = await trained(settings);
      const lines = printedBy(settings, codeOf(settings));
      const methods = ["bt", settings.method] as const;
      methods.forEach((method, m) => {
        const steps = lines.filter((line) => line.startsWith(`${method} step`));
        const expected = records.map((models) => {
          const { step, reward_loss, reg_loss } = models[m] as StepRecord;
          return `${method} step ${step} reward loss ${reward_loss} text loss ${reg_loss}`;
        });
        assert.deepEqual(steps, expected);
        const found = look.models[m];
        assert.ok(lines.includes(`${method} perplexity ${found?.perplexity}`));
        const accuracies = lines
          .filter((line) => line.startsWith(`${method} accuracy`))
          .map((line) => Number(line.split(" ").at(-1)));
        assert.equal(accuracies.length, 5);
        const [id = 0, ...ood] = accuracies;
        assert.equal(found?.id.value, id);
        const mean = ood.reduce((sum, share) => sum + share, 0) / 4;
        assert.ok(Math.abs((found?.ood.value ?? 0) - mean) < 1e-12);
      });
    });
  }

  test("without a regulariser there is one model", async () => {
    const training = await LiveTraining.begin({ ...short, method: "bt" }, filesOf(1));
    assert.equal((await training.next()).length, 1);
    assert.equal((await training.look()).gain, null);
    training.release();
  });
});

describe("the host", () => {
  /** A host that trains in Node, and all that it told. */
  function hosted() {
    const told: Told[] = [];
    const host = new TrainingHost({
      tell: (one) => told.push(one),
      base: async (number) => filesOf(number),
      turn: () => new Promise((resolve) => setTimeout(resolve, 0)),
    });
    const ask = (...requests: readonly Request[]): Promise<unknown> =>
      Promise.all(requests.map((request) => host.hear(request)));
    return { told, ask };
  }

  test("steps, runs, pauses and goes on, with the numbers of a training without pauses", async () => {
    const { told, ask } = hosted();
    await ask({ kind: "begin", training: 1, settings: short }, { kind: "step" });
    const run = ask({ kind: "run" });
    setTimeout(() => void ask({ kind: "pause" }), 300);
    await run;
    const count = () => told.filter(({ kind }) => kind === "steps").length;
    const paused = count();
    assert.ok(paused > 1 && paused < 28, `${paused} steps`);
    assert.equal(
      told.some(({ kind }) => kind === "finished"),
      false,
    );
    await ask({ kind: "run" });
    const { records, look } = await trained(short);
    const found = told.flatMap((one) => (one.kind === "steps" ? [one.records] : []));
    assert.deepEqual(lossesIn(found), lossesIn(records));
    const looks = told.flatMap((one) => (one.kind === "look" ? [one.look] : []));
    assert.deepEqual(
      looks.map(({ step }) => step),
      [0, 16, 28],
    );
    assert.deepEqual(looks.at(-1), look);
    assert.equal(told.at(-1)?.kind, "finished");
  });

  test("who begins anew hears no more of what was before", async () => {
    const { told, ask } = hosted();
    const first = ask({ kind: "begin", training: 1, settings: short }, { kind: "run" });
    await new Promise((resolve) => setTimeout(resolve, 50));
    await ask({ kind: "begin", training: 2, settings: { ...short, alpha: 0.1 } }, { kind: "step" });
    await first;
    const after2 = told.findIndex((one) => one.kind === "begun" && one.training === 2);
    const later = told.slice(after2).map((one) => ("training" in one ? one.training : 0));
    assert.deepEqual([...new Set(later)], [2]);
  });

  test("a base that can't be had is told in a sentence", async () => {
    const told: Told[] = [];
    const base = () => Promise.reject(new Error("The base can't be fetched."));
    const host = new TrainingHost({ tell: (one) => told.push(one), base, turn: async () => {} });
    await host.hear({ kind: "begin", training: 7, settings: short });
    await host.hear({ kind: "run" });
    const message = "The base can't be fetched.";
    assert.deepEqual(told, [{ kind: "failed", training: 7, message }]);
  });
});

// --- Hidden states -----------------------------------------------------------------------------------

describe("hidden states", () => {
  test("principal axes: at right angles, and their variances are the largest eigenvalues", () => {
    const rng = random(3);
    const x = matrix(
      40,
      6,
      Array.from({ length: 240 }, (_, i) => rng.normal() * (6 - (i % 6))),
    );
    const { axes, shares } = principalPlane(x);
    const [a, b] = axes as [Float64Array, Float64Array];
    const { dot } = statistics;
    assert.ok(Math.abs(dot(a, a) - 1) < 1e-12 && Math.abs(dot(b, b) - 1) < 1e-12);
    assert.ok(Math.abs(dot(a, b)) < 1e-12);
    const centred = centredColumns(x);
    const values = symmetricEigenvalues(crossProduct(centred, centred));
    const total = values.reduce((sum, value) => sum + value, 0);
    for (const k of [0, 1])
      assert.ok(Math.abs((shares[k] ?? 0) - (values[k] ?? 0) / total) < 1e-9, `axis ${k}`);
    assert.deepEqual(principalPlane(matrix(3, 4)).shares, [0, 0], "states that are all alike");
  });

  test("what is drawn is what a direct computation gives", async () => {
    const training = await LiveTraining.begin(short, filesOf(1));
    for (let step = 0; step < 3; step++) await training.next();
    const view = await HiddenView.begin(training);
    const frame = await view.frame(1);
    const [plain] = training.models;
    const pair = view.pairs[1];
    assert.ok(plain && pair);
    const rewards = await scorePairs(plain.model, view.pairs);
    rewards.chosen.rewards.forEach((r, i) => {
      near(frame.places[0]?.[2 * i]?.[2], r, 1e-5, `reward of pair ${i}`);
    });
    // the better answer's last state h: minus the gradient of -log σ(w·h_c - w·h_r) there is σ(r_r - r_c) w
    const ids = tensor(pair.chosen.ids, { shape: [1, pair.chosen.ids.length] });
    const hidden = noGrad(() => plain.model.forward(ids).hidden.data);
    const better = frame.arrows[0]?.[0];
    const T = pair.chosen.ids.length;
    const last = Float64Array.from(hidden.slice((T - 1) * 48));
    const { mean, axes } = view.plane;
    const weight = plain.model.namedParameters().find(([name]) => name === "v_head.summary.weight");
    const w = Float64Array.from(weight?.[1].data ?? []);
    assert.equal(w.length, 48);
    const [c = 0, r = 0] = [rewards.chosen.rewards[1], rewards.rejected.rewards[1]];
    const size = 1 / (1 + Math.exp(c - r));
    const arrow = better?.reward[T - 1];
    axes.forEach((axis, k) => {
      const at = statistics.dot(
        last.map((x, i) => x - (mean[i] ?? 0)),
        axis,
      );
      near(frame.places[0]?.[2]?.[k], at, 1e-4, `place on axis ${k}`);
      near(better?.places[T - 1]?.[k], at, 1e-4, `place of the last token on axis ${k}`);
      near(arrow?.[k], size * statistics.dot(w, axis), 1e-5, `arrow along axis ${k}`);
    });
    near(arrow?.[2], size * statistics.dot(w, w), 1e-3, "rise of the reward");
    assert.ok(better?.reward.slice(0, -1).every((push) => push.every((x) => x === 0)));
    training.release();
  });

  test("the losses share no token at the top, and meet in the last attention's values", async () => {
    const training = await LiveTraining.begin({ ...short, alpha: 0.3 }, filesOf(1));
    await training.next();
    const view = await HiddenView.begin(training);
    const frame = await view.frame(5);
    const { rows, disjoint, meets, drift } = await view.detail(5);
    assert.deepEqual([disjoint, meets], [true, "block 3, attention's values"]);
    const [top] = rows ?? [];
    const T = view.pairs[5]?.chosen.ids.length ?? 0;
    assert.equal(top?.better.reward.length, T);
    top?.better.reward.forEach((norm, t) => {
      assert.equal(norm > 0, t === T - 1);
      assert.equal((top.better.text[t] ?? 0) > 0, t >= 3 && t < T - 1);
    });
    // arrows are shadows of these gradients: where there is no gradient there is no arrow
    frame.arrows[1]?.[0]?.text.forEach((push, t) => {
      const shadow = Math.hypot(push[0], push[1]);
      assert.ok(shadow <= (top?.better.text[t] ?? 0) * 1.001 + 1e-9, `token ${t}`);
    });
    const first = view.pairs.slice(0, 8).flatMap(({ chosen, rejected }) => [chosen, rejected]);
    const model = training.models[1]?.model;
    assert.ok(model);
    const states = async (of: Parameters<typeof inspect.tokenStates>[0]) =>
      inspect.tokenStates(of, first);
    const direct = inspect.drift(await states(training.base), await states(model));
    direct.forEach(({ cosine, cka }, layer) => {
      near(drift[1]?.[layer]?.cosine, cosine, 1e-12, `cosine of layer ${layer}`);
      near(drift[1]?.[layer]?.cka ?? 0, cka ?? 0, 1e-12, `CKA of layer ${layer}`);
    });
    training.release();
  });

  test("watching changes no bit of a training", async () => {
    const told: Told[] = [];
    const host = new TrainingHost({
      tell: (one) => told.push(one),
      base: async (number) => filesOf(number),
      turn: async () => {},
    });
    await host.hear({ kind: "watch", pair: 3 });
    await host.hear({ kind: "begin", training: 1, settings: other });
    await host.hear({ kind: "run" });
    const { records } = await trained(other);
    const found = told.flatMap((one) => (one.kind === "steps" ? [one.records] : []));
    assert.deepEqual(lossesIn(found), lossesIn(records));
    const frames = told.flatMap((one) => (one.kind === "frame" ? [one.frame.step] : []));
    assert.deepEqual(frames, [0, 4, 8, 12, 16, 20, 24, 28]);
    const details = told.flatMap((one) => (one.kind === "detail" ? [one.detail.step] : []));
    assert.deepEqual(details, [0, 16, 28]);
    await host.hear({ kind: "watch", pair: 4 });
    const last = told.at(-1);
    assert.deepEqual([last?.kind, last?.kind === "detail" && last.detail.pair], ["detail", 4]);
    await host.hear({ kind: "watch", pair: null });
    assert.equal(told.at(-1), last);
  });
});

// --- Text --------------------------------------------------------------------------------------------

describe("typed text", () => {
  let training: LiveTraining;
  before(async () => {
    training = await LiveTraining.begin(short, filesOf(1));
    for (let step = 0; step < 2; step++) await training.next();
  });
  after(() => training.release());

  test("each number is what a direct computation gives", async () => {
    const text = {
      prompt: "Fox woods",
      answers: ["The fox was ra-mor.", "the owl ra-py."],
    } as const;
    const { problems, gold, models } = await read(training, text);
    assert.deepEqual([problems, gold], [[], [0.8, 0]]);
    models.forEach((answers, m) => {
      const model = training.models[m]?.model;
      assert.ok(model);
      const { tokens = [], attention = [] } = answers[0] ?? {};
      const words = "<bos> fox woods : the fox was ra -mor .".split(" ");
      assert.deepEqual(
        tokens.map((token) => token.text),
        words,
      );
      const ids = worlds.spelled.tokenizer.encode(words.join(" "));
      const { rewards, logits } = noGrad(() => {
        const { hidden } = model.forward(tensor(ids, { shape: [1, ids.length] }));
        return { rewards: model.reward(hidden).data, logits: model.logits(hidden) };
      });
      const logProbs = logits.logSoftmax({ dim: -1 }).data;
      for (const [t, { reward, adds, surprise }] of tokens.entries()) {
        near(reward, rewards[t] ?? 0, 1e-5, `reward ${t}`);
        assert.equal(adds === null && surprise === null, t === 0);
        if (t === 0) continue;
        near(adds ?? 0, (rewards[t] ?? 0) - (rewards[t - 1] ?? 0), 1e-5, `step ${t}`);
        const logProb = logProbs[(t - 1) * worlds.spelled.tokenizer.vocabSize + (ids[t] ?? 0)];
        near(surprise ?? 0, -(logProb ?? 0), 1e-4, `surprise ${t}`);
      }
      assert.equal(attention.length, 3);
      for (const block of attention)
        block.forEach((row, t) => {
          near(
            row.reduce((sum, x) => sum + x, 0),
            1,
            1e-5,
            `row ${t}`,
          );
          assert.ok(
            row.slice(t + 1).every((x) => x === 0),
            "nothing ahead is seen",
          );
        });
    });
  });

  test("what can't be read is said, and nothing is taken for what it isn't", async () => {
    const problemsOf = async (prompt: string, ...answers: [string, string]) =>
      (await read(training, { prompt, answers })).problems.join("\n");
    const fine = "the fox was ra-mor.";
    assert.equal(await problemsOf("fox woods", fine, fine), "");
    assert.match(await problemsOf("fox", fine, fine), /The prompt has 1 words; it needs two/);
    assert.match(await problemsOf("fox woods", "", fine), /Answer A is empty/);
    assert.match(
      await problemsOf("fox woods", fine, "the <bos> <b>fox zebra"),
      /Answer B has words that the models never saw: “<bos>”, “<b>fox”, “zebra”/,
    );
    const long = "the ".repeat(45);
    assert.match(
      await problemsOf("fox woods", long, fine),
      /Answer A has 49 tokens with its title; the models read 48/,
    );
    assert.equal(await problemsOf("fox woods", "the ".repeat(44), fine), "");
  });

  test("what a model writes comes token by token, and depends on luck alone", () => {
    const written = (luck: number): Writing[] => {
      const all: Writing[] = [];
      write(training, { prompt: "fox woods" }, luck, (writing) => all.push(writing));
      return all;
    };
    const first = written(1);
    assert.deepEqual(first, written(1));
    assert.notDeepEqual(first.at(-1), written(2).at(-1));
    assert.deepEqual(
      first.filter(({ isDone }) => isDone).map(({ model }) => model),
      [0, 1],
    );
    const growing = first.filter(({ model, isDone }) => model === 0 && !isDone);
    growing.forEach(({ text }, i) => {
      const before = growing[i - 1]?.text ?? "";
      assert.ok(text.startsWith(before), text);
    });
    assert.ok(growing.length > 3);
  });

  test("held-out pairs are there to be read", async () => {
    const examples = examplesOf(training);
    assert.equal(examples.length, 16);
    for (const [i, text] of examples.entries()) {
      const { problems, gold } = await read(training, text);
      assert.deepEqual(problems, []);
      const [a = 0, b = 0] = gold;
      assert.equal(a > b, i % 2 === 0);
    }
  });
});

// --- Over-optimisation -------------------------------------------------------------------------------

describe("over-optimisation", () => {
  test("picks and curves are what the answers say, and the seed decides them", async () => {
    const told: OveroptProgress[] = [];
    const found = await overoptimise(2, filesOf("tales"), (progress) => told.push(progress));
    const { ns, prompts, curves, right } = found;
    assert.deepEqual([ns[0], ns.at(-1), ns.length, prompts.length], [1, 405, overoptSizes, 10]);
    assert.ok(right > 0.5 && right < 0.85, `${right}`);
    const { gold } = worlds.worldNamed("tales");
    for (const { title, picks } of prompts) {
      const [C = "", P = ""] = title.split(" ");
      picks.forEach((pick, i) => {
        for (const who of ["bt", "grm-sft", "gold"] as const) {
          const { text, score, gold: worth } = pick[who];
          const response = text.replaceAll(".", " .").split(" ").filter(Boolean);
          near(worth, gold({ title: ["<bos>", C, P, ":"], response }), 1e-9, text);
          assert.ok(i === 0 || score >= (picks[i - 1]?.[who].score ?? 0), "more to choose from");
        }
        assert.ok(pick.gold.gold >= Math.max(pick.bt.gold, pick["grm-sft"].gold));
      });
    }
    // of all answers there is one draw: the curve ends in the mean of the picks
    for (const who of ["bt", "grm-sft", "gold"] as const) {
      const last = prompts.map(({ picks }) => picks.at(-1)?.[who].gold ?? Number.NaN);
      near(curves[who].gold.at(-1), statistics.mean(last), 1e-9, who);
    }
    near(curves.bt.gold[0], curves.gold.gold[0] ?? 0, 1e-9, "one answer is no choice");
    assert.ok(told.length >= 4 && told.every(({ done }, i) => done >= (told[i - 1]?.done ?? 0)));
  });

  test("what the page says of twenty seeds stands in the results", () => {
    const results = readFileSync(join(root, "lab/RESULTS.md"), "utf8");
    const page = readFileSync(join(root, "explorer/views/overopt.tsx"), "utf8");
    const said = [...page.matchAll(/\d\.\d\d ± \d\.\d\d/g)].map(([text]) => text);
    assert.equal(said.length, 2);
    for (const text of said) assert.ok(results.includes(text), text);
  });
});

function near(found: number | undefined, wanted: number, most: number, what: string): void {
  const gap = Math.abs((found ?? Number.NaN) - wanted);
  assert.ok(gap <= most, `${what}: ${found}, not ${wanted}`);
}

// --- The page ----------------------------------------------------------------------------------------

describe("the page in Chromium", { skip: noBrowser }, () => {
  const folder = noBrowser === false ? temporaryFolder("explorer") : "";
  let browser: Browser;
  const servers: { close(): void }[] = [];
  const addresses: Record<string, string> = {};

  before(async () => {
    await buildExplorer(folder);
    for (const [name, headers] of Object.entries({
      isolated: isolation,
      plain: {},
      noWasm: { ...isolation, "Content-Security-Policy": "script-src 'self'; worker-src 'self'" },
    })) {
      const { server, address } = await serveFolder(folder, { headers });
      servers.push(server);
      addresses[name] = address;
    }
    browser = await launchBrowser();
  });
  after(async () => {
    await browser?.close();
    for (const server of servers) server.close();
  });

  interface Opened {
    readonly page: Page;
    /** What the console said, and what was fetched from elsewhere; empty where all is well. */
    readonly problems: string[];
    /** Bytes that were fetched so far. */
    readonly bytes: () => number;
    /** What the worker told. */
    readonly told: () => Promise<Told[]>;
  }

  /** Opens the explorer at an address of its own, and writes down what goes wrong. */
  async function open(
    hash: string,
    options: { mode?: string; width?: number; dark?: boolean } = {},
  ) {
    const { mode = "isolated", width = 1280, dark = false } = options;
    const page = await browser.newPage({
      viewport: { width, height: 900 },
      colorScheme: dark ? "dark" : "light",
    });
    const problems: string[] = [];
    let bytes = 0;
    page.on("console", (m) => {
      if (["error", "warning"].includes(m.type())) problems.push(m.text());
    });
    page.on("pageerror", (error) => problems.push(error.message));
    page.on("request", (request) => {
      const url = request.url();
      if (!url.startsWith(addresses[mode] ?? "?") && !/^(data|blob):/.test(url)) problems.push(url);
    });
    page.on("response", async (response) => {
      bytes += (await response.body().catch(() => "")).length;
    });
    await page.addInitScript(() => {
      const kept = globalThis as unknown as { told: unknown[]; tasks: number[] };
      [kept.told, kept.tasks] = [[], []];
      const observer = new PerformanceObserver((list) => {
        for (const { duration } of list.getEntries()) kept.tasks.push(duration);
      });
      observer.observe({ type: "longtask" });
      const Original = Worker;
      globalThis.Worker = class extends Original {
        constructor(url: string | URL, given?: WorkerOptions) {
          super(url, given);
          this.addEventListener("message", ({ data }) => kept.told.push(data));
        }
      };
    });
    await page.goto(`${addresses[mode]}${hash}`);
    const told = (): Promise<Told[]> => page.evaluate("globalThis.told");
    return { page, problems, bytes: () => bytes, told } satisfies Opened;
  }

  const status = (page: Page, text: string): Promise<void> =>
    page.getByRole("status").getByText(text, { exact: true }).waitFor({ timeout: 120_000 });
  const press = (page: Page, name: string): Promise<void> =>
    page.getByRole("button", { name, exact: true }).click();
  const stepShown = async (page: Page): Promise<number> =>
    Number(await page.locator("#step").textContent());

  /** Losses of all steps as the worker told them. */
  const lossesOf = (told: readonly Told[]) =>
    lossesIn(told.flatMap((one) => (one.kind === "steps" ? [one.records] : [])));
  const shortAddress = `#train?${queryOf(short)}`;

  test("a whole training has Node's numbers, in the worker and on the page", async () => {
    const { page, problems, bytes, told } = await open(shortAddress);
    await press(page, "Start");
    await page
      .locator("#step")
      .getByText(/^[1-9]/)
      .waitFor();
    assert.ok(bytes() < 1.5e6, `${bytes()} bytes before the first step`);
    await status(page, "Finished");
    const { records, look } = await trained(short);
    const expected = lossesIn(records);
    assert.deepEqual(lossesOf(await told()), expected);
    const looks = (await told()).flatMap((one): Look[] => (one.kind === "look" ? [one.look] : []));
    assert.deepEqual(looks.at(-1), look);
    await pageShows(page, look);
    const isolatedThreads = await page.locator(".device").textContent();
    assert.match(isolatedThreads ?? "", /^SIMD device, \d+ threads?$/);
    assert.deepEqual(problems, []);
    await page.close();
  });

  /** The numbers on the cards are those of the last look. */
  async function pageShows(page: Page, look: Look): Promise<void> {
    const cards = await page.locator(".card").allTextContents();
    look.models.forEach(({ perplexity, ood, id, stories }, m) => {
      const text = cards[m] ?? "";
      const shown = perplexity >= 100 ? String(Math.round(perplexity)) : perplexity.toPrecision(3);
      for (const part of [
        shown,
        `${(100 * ood.value).toFixed(1)} %`,
        `${(100 * id.value).toFixed(1)} %`,
      ])
        assert.ok(text.includes(part), `card ${m}: ${part} in ${text}`);
      for (const story of stories) assert.ok(text.includes(story), story);
    });
  }

  test("one step, pause, go on, reset", async () => {
    const { page, problems, told } = await open(shortAddress);
    await status(page, "Ready");
    await press(page, "One step");
    await page.locator("#step").getByText("1", { exact: true }).waitFor();
    await press(page, "Go on");
    await page.waitForFunction(() => Number(document.getElementById("step")?.textContent) > 2);
    await press(page, "Pause");
    await status(page, "Paused");
    await page.waitForTimeout(400); // a step that was under way ends
    const paused = await stepShown(page);
    await page.waitForTimeout(300);
    assert.equal(await stepShown(page), paused);
    await press(page, "Go on");
    await status(page, "Finished");
    const whole = lossesOf(await told());
    const { records } = await trained(short);
    assert.deepEqual(whole, lossesIn(records));
    await press(page, "Train again");
    await page.waitForFunction(() => Number(document.getElementById("step")?.textContent) === 3);
    await press(page, "Reset");
    await status(page, "Ready");
    assert.equal(await stepShown(page), 0);
    assert.deepEqual(problems, []);
    await page.close();
  });

  test("a deep link holds every setting, through a reload", async () => {
    const { page, problems } = await open("");
    await page.getByLabel("DPO", { exact: true }).check({ force: true });
    await page.getByLabel("alpha α").fill("4"); // the fifth place
    await page.getByText("More settings").click();
    await page.getByLabel("Pairs").selectOption("250");
    await page.waitForURL(/pairs=250/);
    const address = page.url();
    assert.match(address, /method=grm-dpo&alpha=0\.1&.*pairs=250/);
    await page.reload();
    await status(page, "Ready");
    assert.equal(page.url(), address);
    assert.equal(await page.getByLabel("DPO", { exact: true }).isChecked(), true);
    assert.equal(await page.locator(".slider output").first().textContent(), "0.1");
    await page.evaluate(() => {
      location.hash = "#train?alpha=<img src=x onerror=alert(1)>";
    });
    const alert = await page.getByRole("alert").textContent();
    assert.match(alert ?? "", /alpha α is "<img src=x onerror=alert\(1\)>" in the address/);
    assert.deepEqual(problems, []);
    await page.close();
  });

  test("on a telephone nothing is wider than it, and the keyboard alone trains", async () => {
    const { page, problems } = await open(`${shortAddress}&tour=1`, { width: 390, dark: true });
    await status(page, "Ready");
    const width = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.equal(width, 390);
    await page.getByRole("button", { name: "Next" }).focus();
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Train at a hot rate" }).waitFor();
    for (let tab = 0; tab < 12; tab++) {
      const name = await page.evaluate(() => document.activeElement?.textContent);
      if (name === "Start") break;
      await page.keyboard.press("Tab");
    }
    await page.keyboard.press("Space");
    await page.keyboard.press("Tab");
    await status(page, "Finished");
    assert.deepEqual(problems, []);
    await page.close();
  });

  test("without shared memory it computes with one thread, the same bits", async () => {
    const { page, problems, told } = await open(shortAddress, { mode: "plain" });
    await press(page, "Start");
    await status(page, "Finished");
    assert.equal(await page.locator(".device").textContent(), "SIMD device, 1 thread");
    const { records } = await trained(short);
    assert.deepEqual(lossesOf(await told()), lossesIn(records));
    assert.deepEqual(problems, []);
    await page.close();
  });

  test("a policy without WebAssembly: the reference device, and one sentence why", async () => {
    const { page } = await open(shortAddress, { mode: "noWasm" });
    await press(page, "One step");
    await page.locator("#step").getByText("1", { exact: true }).waitFor({ timeout: 120_000 });
    const device = await page.locator(".device").textContent();
    assert.match(device ?? "", /^reference device.*'wasm-unsafe-eval'/);
    await page.close();
  });

  test("no task of the page takes 100 ms while it trains, and steps are fast enough", async (t) => {
    const isBusy = (): boolean => (loadavg()[0] ?? 0) > 1.5 * availableParallelism();
    if (isBusy()) return t.skip("the machine is busy with something else: nothing can be timed");
    const { page } = await open("");
    await status(page, "Ready");
    await page.evaluate("globalThis.tasks.length = 0");
    const start = performance.now();
    await press(page, "Start");
    await status(page, "Finished");
    const perSecond = 256 / ((performance.now() - start) / 1000);
    const longest = Math.max(0, ...((await page.evaluate("globalThis.tasks")) as number[]));
    const found = `${perSecond.toFixed(1)} optimiser steps a second, tests included; longest task ${longest} ms`;
    t.diagnostic(found);
    if (isBusy()) return t.skip(`the machine got busy: ${found}`);
    assert.ok(longest < 100, found);
    assert.ok(perSecond > 12, found); // 20 on two quiet cores
    await page.close();
  });

  test("axe finds nothing serious in any view, in light and dark, with everything open", async () => {
    const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core"), "utf8");
    const views = ["train", "hidden", "text"]; // the fourth has the first one's parts
    for (const [dark, view] of [false, true].flatMap((d) => views.map((v) => [d, v] as const))) {
      const { page } = await open(`#${view}?${queryOf(short)}&tour=3`, { dark });
      await status(page, "Ready");
      await press(page, "One step");
      await page.locator("#step").getByText("1", { exact: true }).waitFor();
      await page.waitForTimeout(500);
      await page.evaluate(() => {
        for (const details of document.querySelectorAll("details")) details.open = true;
      });
      await page.evaluate(axe);
      const found = (await page.evaluate("axe.run()")) as {
        violations: { id: string; impact: string; nodes: { html: string }[] }[];
      };
      const serious = found.violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`);
      assert.deepEqual(serious, []);
      await page.close();
    }
  });

  test("hidden states: arrows, figures and stories, and a click that chooses a pair", async () => {
    const { page, problems } = await open(`#hidden?${queryOf(short)}&pair=2&plane=base`);
    await page.getByText("they first meet in block 3, attention's values").waitFor();
    const count = (selector: string): Promise<number> => page.locator(selector).count();
    assert.equal(await count(".scatter .mark"), 2 * 48);
    assert.equal(await count(".mark.chosen"), 4);
    assert.equal(await count(".card.plain .arrow.text"), 0);
    assert.equal(await count(".card.plain .arrow.reward"), 2);
    assert.ok((await count(".card.reg .arrow.text")) > 10);
    assert.equal(await count(".pushes .reward"), 1 + 1 + 4 * tokensOfPair(2));
    await page.locator(".card.plain .mark").nth(7).click({ force: true });
    await page.waitForFunction(() => !location.hash.includes("pair=2&"));
    await page.getByText("they first meet in").waitFor();
    await press(page, "Start");
    await status(page, "Finished");
    assert.deepEqual(problems, []);
    await page.close();
  });

  /** Tokens of the better story of a pair, by the number that the page shows. */
  function tokensOfPair(number: number): number {
    const rng = random(`demo ${short.seed}`).fork("test id");
    const all = worlds.spelledPairs("id", number, { labels: "true" }, rng);
    const { title, response } = all[number - 1]?.chosen ?? { title: [], response: [] };
    return title.length + response.length;
  }

  test("text: typed markup is text, tokens are walked by keyboard, both models write", async () => {
    const { page, problems } = await open(`#text?${queryOf(short)}`);
    await page.locator(".token").first().waitFor();
    assert.equal(await page.locator(".tokens").count(), 4);
    await page.locator(".tokens").first().focus();
    for (let i = 0; i < 3; i++) await page.keyboard.press("ArrowRight");
    await page.getByText(/^Reward up to here -?\d+\.\d\d, of which “woods” adds /).waitFor();
    await press(page, "Write");
    await page.locator(".written q").nth(1).getByText(/\w/).waitFor();
    await page.getByLabel("Or a held-out pair").selectOption({ index: 9 });
    await page.waitForFunction(() => document.querySelectorAll(".token").length > 60);
    const attack = "the <img src=x onerror=alert(1)> <script>alert(1)</script>";
    await page.getByRole("textbox", { name: "Answer A" }).fill(attack);
    await page.getByText("Answer A has words that the models never saw: “<img”").waitFor();
    await page.waitForURL(/a=the\+%3Cimg/);
    await page.reload();
    await page.getByText("Answer A has words that the models never saw: “<img”").waitFor();
    assert.equal(await page.getByRole("textbox", { name: "Answer A" }).inputValue(), attack);
    assert.equal(await page.locator("img, script:not([src])").count(), 0);
    assert.deepEqual(problems, []);
    await page.close();
  });

  test("over-optimisation: n slides by keyboard, and curve, texts and address follow", async () => {
    const { page, problems } = await open(`#overopt?${queryOf(short)}&n=1`);
    await page
      .getByRole("heading", { name: "Best of 1 by the truth itself" })
      .waitFor({ timeout: 120_000 });
    const dots = (): Promise<string | null> =>
      page.locator(".line.plain .mean").first().getAttribute("d");
    assert.doesNotMatch((await dots()) ?? "", /L/, "one point");
    await page.getByLabel("n: answers to choose from").focus();
    await page.keyboard.press("End");
    await page.getByRole("heading", { name: "Best of 405 by plain proxy" }).waitFor();
    assert.equal(((await dots()) ?? "").match(/L/g)?.length, overoptSizes - 1);
    await page.waitForURL(/n=16/);
    await page.reload();
    await page
      .getByRole("heading", { name: "Best of 405 by plain proxy" })
      .waitFor({ timeout: 120_000 });
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 1280);
    assert.deepEqual(problems, []);
    await page.close();
  });

  test("a figure is saved as SVG and as PNG", async () => {
    const { page, problems } = await open(shortAddress);
    await status(page, "Ready");
    await press(page, "One step");
    await page.locator("#step").getByText("1", { exact: true }).waitFor();
    const figure = page.locator("figure").filter({ hasText: "Reward loss" });
    await figure.getByText("Numbers and files").click();
    for (const [button, start] of [
      ["Save SVG", "<svg"],
      ["Save PNG", "\x89PNG"],
    ] as const) {
      const [download] = await Promise.all([
        page.waitForEvent("download"),
        figure.getByRole("button", { name: button }).click(),
      ]);
      assert.match(download.suggestedFilename(), /^reward-loss\.(svg|png)$/);
      const bytes = readFileSync(await download.path(), "latin1");
      assert.ok(bytes.startsWith(start), bytes.slice(0, 20));
      assert.doesNotMatch(bytes.slice(0, 400), /var\(/);
    }
    assert.deepEqual(problems, []);
    await page.close();
  });
});
