// The explorer: its settings and addresses, its training held against the program that it hands out, to the bit,
// and its page in Chromium: a whole training, pauses, deep links, a telephone, the keyboard, no shared memory,
// a policy that forbids WebAssembly, and nothing on the console or from elsewhere.
// Next: ../explorer/index.ts.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { availableParallelism, loadavg } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { Browser, Page } from "playwright-core";
import { grad, noGrad, random, tensor } from "../core/index.ts";
import { lookedAt } from "../explorer/attention.ts";
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
import { entryIn, opSources } from "../explorer/opSources.ts";
import { type OveroptProgress, overoptimise } from "../explorer/overoptView.ts";
import { principalPlane } from "../explorer/pca.ts";
import { isolation, serveFolder } from "../explorer/serve.ts";
import { bugSeeds, epsilons, overoptSizes, type TapeSettings } from "../explorer/settings.ts";
import {
  addressOf,
  after as afterAction,
  type ExplorerState,
  heard,
  stateAt,
} from "../explorer/state.ts";
import { differenceCurve, opCheck, type TapeScene, tapeScene } from "../explorer/tapeBench.ts";
import { formulas } from "../explorer/tapeFormulas.ts";
import {
  isOpenIn,
  meetingOf,
  momentsAt,
  type TapeAction,
  timeOf,
  timesOf,
} from "../explorer/tapeState.ts";
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
import { mapSummaries } from "../lab/map/summary.ts";
import { spelledBase } from "../lab/node.ts";
import { tinyModel } from "../lab/tiny.ts";
import { capture } from "../nn/index.ts";
import { layOut } from "../report/tape/layout.ts";
import { barriersOn } from "./axe.ts";
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
    const place = {
      tour: 3,
      block: 0,
      attentionHead: 3,
      pair: 7,
      n: 2,
      title: 4,
      gpu: true,
    } as const;
    const state = { ...stateAt(""), settings, ...place };
    assert.deepEqual(stateAt(addressOf(state)), state);
  });

  test("addresses from when blocks and heads were counted from 1 still open the same", () => {
    const { block, attentionHead, problems } = stateAt("#text?block=2&attention=4");
    assert.deepEqual([block, attentionHead, problems], [1, 3, []]);
    assert.equal(stateAt("#text?attention=0").attentionHead, null);
    assert.deepEqual(stateAt("#text?layer=3&attention=5").problems.length, 2);
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
    const { seeds, rates, atBest, alphas, map } = manySeedsOf(
      found.results,
      found.plan,
      frontier.points,
      mapSummaries(),
    );
    assert.equal(seeds, 30);
    assert.equal(map?.models, 3820);
    const table = differenceTable(found.results, found.plan); // the demo's own words for it
    const said = [...rates.map(({ gain }) => gain), atBest].map(({ mean, half }) => {
      const ends = [mean, mean - half, mean + half];
      const [middle, low, high] = ends.map((x) =>
        (100 * x)
          .toFixed(1)
          .replace(/^(?=\d)/, "+")
          .replace("+-", "-"),
      );
      return `${middle} [${low}, ${high}]`;
    });
    const isLine = (line: string): boolean => said.every((gain) => line.includes(gain));
    assert.ok(table.split("\n").some(isLine), `${said.join(", ")} in ${table}`);
    const hot = rates.at(-1);
    assert.ok(hot);
    const own = found.results.filter(({ row, lr }) => row === "bt" && lr === hot.lr);
    near(hot.plain.word, statistics.mean(own.map(({ accuracy }) => accuracy.word)), 1e-12, "words");
    const [lowest, , highest] = hot.plain.perplexity;
    const perplexities = own.map(({ perplexity }) => perplexity).sort((a, b) => a - b);
    assert.deepEqual([lowest, highest], [perplexities[0], perplexities.at(-1)]);
    // what the tour says in words
    assert.ok(lowest > 2 * hot.reg.perplexity[2], "the plain model forgets, the other doesn't");
    const fallen = (kind: "id" | "word"): number => (rates[0]?.plain[kind] ?? 0) - hot.plain[kind];
    assert.ok(fallen("word") > fallen("id") + 0.02, "most is lost on words that weren't shown");
    const zero = frontier.points.filter(({ alpha, lr }) => alpha === 0 && lr === hot.lr);
    const [first] = alphas.points;
    near(first?.ood, statistics.mean(zero.map(({ ood }) => ood)), 1e-12, "alpha 0");
    assert.equal(alphas.seeds, zero.length);
    const most = Math.max(...alphas.points.map(({ ood }) => ood));
    assert.ok((alphas.points.at(-1)?.ood ?? 1) < most - 0.02, "too much text loss");
    assert.ok((alphas.points[1]?.perplexity ?? 0) < (first?.perplexity ?? 0) / 4, "a hundredth");
  });
});

// --- Training ----------------------------------------------------------------------------------------

/** Another regulariser, head and base; its head's dropout draws. */
const other: ExplorerSettings = {
  ...short,
  ...({ method: "grm-dpo", head: "mlp", flips: 0.25, base: 2, seed: 3, lr: 2e-3 } as const),
  alpha: 0.1,
};

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

/** Does something once, and gives everybody who asks the same. */
function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

/** A host that trained with a pause on the way; how many steps it had told of by then. */
const paused = once(async () => {
  const { told, ask } = hosted();
  await ask({ kind: "begin", training: 1, settings: short }, { kind: "step" });
  const run = ask({ kind: "run" });
  setTimeout(() => void ask({ kind: "pause" }), 300);
  await run;
  const before = [...told];
  await ask({ kind: "run" });
  return { told, ask, before };
});

/** A host that trained while a pair was watched. */
const watched = once(async () => {
  const { told, ask } = hosted();
  await ask({ kind: "watch", pair: 3 });
  await ask({ kind: "begin", training: 1, settings: other });
  await ask({ kind: "run" });
  return { told, ask };
});

/** A whole training in Node: of `short` with a pause, of `other` watched, which must change no bit. */
async function trained(settings: ExplorerSettings) {
  const { told } = await (settings === other ? watched() : paused());
  const records = told.flatMap((one) => (one.kind === "steps" ? [one.records] : []));
  const look = told.findLast((one) => one.kind === "look")?.look;
  assert.ok(look);
  return { records, look };
}

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
  test("steps, runs, pauses and goes on", async () => {
    const { told, before } = await paused();
    const steps = before.filter(({ kind }) => kind === "steps").length;
    assert.ok(steps > 1 && steps < 28, `${steps} steps`);
    assert.equal(
      before.some(({ kind }) => kind === "finished"),
      false,
    );
    const looks = told.flatMap((one) => (one.kind === "look" ? [one.look.step] : []));
    assert.deepEqual(looks, [0, 16, 28]);
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
    assert.deepEqual([disjoint, meets], [true, "block 2, attention's values"]);
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

  test("a watched training tells of frames and details as it goes on", async () => {
    const { told, ask } = await watched();
    const frames = told.flatMap((one) => (one.kind === "frame" ? [one.frame.step] : []));
    assert.deepEqual(frames, [0, 4, 8, 12, 16, 20, 24, 28]);
    const details = told.flatMap((one) => (one.kind === "detail" ? [one.detail.step] : []));
    assert.deepEqual(details, [0, 16, 28]);
    await ask({ kind: "watch", pair: 4 });
    const last = told.at(-1);
    assert.deepEqual([last?.kind, last?.kind === "detail" && last.detail.pair], ["detail", 4]);
    await ask({ kind: "watch", pair: null });
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
      const names = [0, 1, 2].map((layer) => `model.layers.${layer}.self_attn.pattern`);
      const direct = noGrad(() =>
        capture(model, names, () => model.forward(tensor(ids, { shape: [1, ids.length] }))),
      );
      assert.deepEqual([attention.length, attention[0]?.length], [3, 4]);
      attention.forEach((heads, block) => {
        const T = ids.length;
        const pattern = direct.activations[names[block] ?? ""]?.data ?? []; // [1,4,T,T]
        heads.forEach((rows, head) => {
          for (const [t, row] of rows.entries())
            row.forEach((x, k) => {
              near(x, pattern[(head * T + t) * T + k] ?? 0, 1e-6, `head ${head}, ${t} to ${k}`);
              assert.ok(k <= t || x === 0, "nothing ahead is seen");
            });
        });
      });
      const mean = lookedAt({ tokens, attention }, { block: 1, head: null, token: 3 }) ?? [];
      const third = attention[1]?.map((rows) => rows[3]?.[1] ?? 0) ?? [];
      near(mean[1], statistics.mean(third), 1e-12, "the mean over heads");
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

  test("what a model writes comes token by token, and depends on luck alone", async () => {
    const written = async (luck: number): Promise<Writing[]> => {
      const all: Writing[] = [];
      await write(training, { prompt: "fox woods" }, luck, (writing) => all.push(writing));
      return all;
    };
    const first = await written(1);
    assert.deepEqual(first, await written(1));
    assert.notDeepEqual(first.at(-1), (await written(2)).at(-1));
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

// --- The tape ----------------------------------------------------------------------------------------

describe("the tape", () => {
  const settings: TapeSettings = { method: "grm-sft", alpha: 0.3, beta: 0.1, bug: 0 };
  const isLargest = (numbers: readonly number[]): number =>
    Math.max(1e-12, ...numbers.map(Math.abs));

  test("values, gradients and the walk's sums are the library's own", async () => {
    const { tape, walk, ends } = await tapeScene(settings);
    const { model, losses } = await tinyModel({ ...settings, dtype: "float64" });
    const { loss, rewardLoss, regLoss } = losses();
    assert.deepEqual(tape.boxes.at(-1)?.values, [await loss.item()]);
    for (const [name, one] of [
      [ends[0], rewardLoss],
      [ends[1], regLoss],
    ] as const) {
      const last = tape.boxes.findLast(({ module }) => module === name);
      assert.deepEqual(last?.values, [await one?.item()]);
    }
    const named = model.namedParameters();
    const direct = grad(
      loss,
      named.map(([, p]) => p),
    );
    for (const [i, [name]] of named.entries()) {
      const box = tape.boxes.find((one) => one.name === name);
      assert.deepEqual(box?.gradient, Array.from(direct[i]?.data ?? []), name);
    }
    assert.equal(walk.length, tape.boxes.filter(({ op }) => op !== "leaf").length);
    const last = new Map(walk.flatMap(({ gives }) => gives.map(({ to, sum }) => [to, sum])));
    for (const [to, sum] of last)
      assert.ok(
        tape.boxes[to]?.gradient?.every((x, i) => x === sum[i]),
        `box ${to}`,
      );
    for (const { box, gradient } of walk) assert.deepEqual(gradient, tape.boxes[box]?.gradient);
  });

  test("each op has its formula, its source as it stands in core, and a rule that differences confirm", async () => {
    const sources = opSources();
    for (const method of ["bt", "grm-sft", "grm-dpo-noref", "grm-dpo"] as const) {
      const { tape } = await tapeScene({ ...settings, method });
      for (const { id, op } of tape.boxes) {
        if (op === "leaf") continue;
        assert.ok(formulas[op], op);
        const { file = "", text = "" } = sources[op] ?? {};
        assert.ok(readFileSync(join(root, file), "utf8").includes(text) && text.length > 80, op);
        assert.match(text, new RegExp(`^/\\*\\*[\\s\\S]*export const ${op}\\b[\\s\\S]*;$`));
        if (method !== "grm-dpo") continue; // whose tape has all of them
        for (const { error, rule } of (await opCheck({ ...settings, method }, id)).inputs)
          assert.ok(error < 1e-7 && rule.length > 0, `${op}: ${error}`);
      }
    }
    assert.equal(
      entryIn("/** One. */\nexport const a = f({\n  b: 1,\n});\n", "a"),
      "/** One. */\nexport const a = f({\n  b: 1,\n});",
    );
    assert.equal(entryIn("export const ab = 1;", "a"), null);
  });

  test("differences: digits agree in float64, and part where epsilon is too large or too small", async () => {
    const { tape } = await tapeScene(settings);
    const box = tape.boxes.findIndex(({ name }) => name.endsWith("v_proj.weight"));
    const { dtypes } = await differenceCurve(settings, box, 6);
    const [double, single] = dtypes.map(({ analytic, numeric }) =>
      numeric.map((found) => Math.abs(found / analytic - 1)),
    );
    assert.equal(dtypes[0]?.analytic, tape.boxes[box]?.gradient?.[6]);
    const best = (gaps: readonly number[] = []): number => gaps.indexOf(Math.min(...gaps));
    assert.ok((double?.[best(double)] ?? 1) < 1e-8 && (single?.[best(single)] ?? 0) > 1e-6);
    assert.ok(best(single) < best(double), "float32 parts at a larger epsilon");
    assert.ok((double?.[0] ?? 0) > 1e-4 && (single?.at(-1) ?? 0) > 0.1);
    // directly: the loss twice, with that number moved
    const { model, losses } = await tinyModel({ ...settings, dtype: "float64" });
    const weight =
      model.parameters()[model.namedParameters().findIndex(([n]) => n.endsWith("v_proj.weight"))];
    assert.ok(weight);
    const at = (step: number): number => {
      const moved = weight.data.slice();
      moved[6] = (moved[6] ?? 0) + step;
      weight.assign(moved);
      const found = losses().loss.data[0] ?? Number.NaN;
      moved[6] -= step;
      weight.assign(moved);
      return found;
    };
    const epsilon = epsilons[4] ?? 0;
    near(dtypes[0]?.numeric[4], (at(epsilon) - at(-epsilon)) / (2 * epsilon), 1e-9, "slope");
  });

  test("a planted bug is found by the check of its op, and by no other's", async () => {
    const kinds = new Set<string>();
    for (const bug of bugSeeds.slice(1)) {
      const { tape, bug: planted } = await tapeScene({ ...settings, bug });
      assert.ok(planted, `seed ${bug}`);
      kinds.add(planted.says);
      const wrong: number[] = [];
      for (const { id, op } of tape.boxes) {
        if (op === "leaf") continue;
        const { inputs } = await opCheck({ ...settings, bug }, id);
        if (inputs.some(({ error }) => error > 1e-6)) wrong.push(id);
      }
      assert.deepEqual(wrong, [planted.box], `seed ${bug}: ${planted.says}`);
    }
    assert.ok(kinds.size >= 4, [...kinds].join("; "));
  });

  test("the losses meet at the final hidden state, on other tokens; attention brings them onto the same", async () => {
    const scene = await tapeScene(settings);
    const meeting = meetingOf(scene);
    const at = scene.tape.boxes[meeting?.box ?? -1];
    assert.deepEqual([at?.op, at?.module], ["rmsNorm", "model"]);
    assert.equal(scene.tape.boxes[scene.sameToken ?? -1]?.module, "model.layers.0.self_attn");
    const moments = momentsAt(scene, meeting?.at ?? 0);
    assert.equal(moments[at?.id ?? -1]?.gifts.length, 2);
    const rows = at?.gradient ?? [];
    const pushed = Array.from(
      { length: 8 },
      (_, row) => isLargest(rows.slice(4 * row, 4 * row + 4)) > 1e-9,
    );
    // the chosen answer's words are predicted from its second and third token, and both last tokens are rewarded
    assert.deepEqual(pushed, [false, true, true, true, false, false, false, true]);
    const alone = await tapeScene({ ...settings, method: "bt" });
    assert.deepEqual([meetingOf(alone), alone.sameToken], [null, null]);
  });

  test("steps follow what is seen, and an address holds all of it", async () => {
    const scene = await tapeScene(settings);
    const told = (of: TapeScene, open: readonly string[]) =>
      ({ kind: "tape", scene: of, open, layout: layOut(of.tape, isOpenIn({ open })) }) as const;
    const does = (state: ExplorerState, ...actions: readonly TapeAction[]): ExplorerState =>
      actions.reduce((now, action) => afterAction(now, { kind: "tape", does: action }), state);
    const begun = heard(stateAt("#tape?alpha=0.3"), told(scene, []));
    assert.equal(timeOf(begun.tape), timesOf(scene));
    const first = does(begun, { to: "time", at: 0 }, { to: "step", by: 1 });
    assert.equal(first.tape.at, 22, "the folded model runs at once");
    const opened = does(
      first,
      { to: "time", at: 0 },
      { to: "fold", path: "model", isOpen: true },
      { to: "step", by: 1 },
    );
    assert.equal(opened.tape.at, 1);
    assert.equal(does(opened, { to: "step", by: -1 }, { to: "step", by: -1 }).tape.at, 0);
    const whole = does(
      opened,
      { to: "box", box: 3 },
      { to: "element", element: 2 },
      { to: "epsilon", epsilon: 9 },
      { to: "bug", bug: 5 },
    );
    const { at, open, box, element, epsilon, bug } = stateAt(addressOf(whole)).tape;
    assert.deepEqual(
      { at, open, box, element, epsilon, bug },
      { at: 1, open: ["model"], box: 3, element: 2, epsilon: 9, bug: 5 },
    );
    assert.match(
      stateAt("#tape?eps=99&open=<b>").problems.join(),
      /"<b>" is no open.*"99" is no eps/,
    );
    const late = { ...scene, settings: { ...settings, alpha: 0.9 } };
    assert.equal(heard(begun, told(late, [])).tape.scene, scene, "of other settings");
    const folded = heard(opened, told(scene, [])).tape.layout;
    assert.equal(folded, opened.tape.layout, "what was asked for before a module opened");
    const now = heard(opened, told(scene, ["model"])).tape.layout;
    assert.ok((now?.items.length ?? 0) > (folded?.items.length ?? 0));
    let playing = does(begun, { to: "play", isPlaying: true });
    assert.equal(playing.tape.at, 0);
    for (let i = 0; i < 40; i++) playing = does(playing, { to: "step", by: 1 });
    assert.deepEqual([playing.tape.at, playing.tape.isPlaying], [timesOf(scene), false]);
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
    options: { mode?: string; width?: number; dark?: boolean; by?: Browser } = {},
  ) {
    const { mode = "isolated", width = 1280, dark = false, by = browser } = options;
    const page = await by.newPage({
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
    await page.waitForFunction((last) => {
      const step = Number(document.getElementById("step")?.textContent);
      return step > 0 && step < last; // on the way again; a picture may pass any one step over
    }, records.length);
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

  test("the GPU trains where there is one, with Node's losses but for rounding", async (t) => {
    const software = ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"];
    const by = await launchBrowser(...software);
    const { page, told } = await open(shortAddress, { by });
    await page.getByLabel("train on the GPU").check();
    const device = page.locator(".device");
    await device.getByText(/^(GPU device|.*Not on the GPU)/).waitFor();
    if (!((await device.textContent()) ?? "").startsWith("GPU")) {
      await by.close();
      return t.skip("no adapter, not even a software one");
    }
    await page.waitForURL(/gpu=1/);
    await press(page, "One step");
    await page.locator("#step").getByText("1", { exact: true }).waitFor({ timeout: 120_000 });
    const { records } = await trained(short);
    const [found] = lossesOf(await told());
    lossesIn(records)[0]?.forEach(([loss = 0], model) => {
      near(found?.[model]?.[0] ?? undefined, loss ?? 0, 1e-4, `loss of model ${model}`);
    });
    await by.close();
  });

  test("without an adapter it says so, and the SIMD device trains", async (t) => {
    const { page } = await open(`${shortAddress}&gpu=1`);
    const device = page.locator(".device");
    await device.getByText(/Not on the GPU: |^GPU/).waitFor();
    if (((await device.textContent()) ?? "").startsWith("GPU")) return t.skip("there is a GPU");
    assert.match((await device.textContent()) ?? "", /^SIMD device.*Not on the GPU: .*WebGPU/);
    await press(page, "One step");
    await page.locator("#step").getByText("1", { exact: true }).waitFor();
    await page.getByLabel("train on the GPU").uncheck();
    await device.getByText(/^SIMD device, \d+ threads?$/).waitFor();
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

  /** What axe finds on a page with everything open, in light and in dark. */
  async function axeFindsNothing(page: Page): Promise<void> {
    await page.evaluate(() => {
      for (const details of document.querySelectorAll("details")) details.open = true;
    });
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme });
      assert.deepEqual(await barriersOn(page), [], colorScheme);
    }
  }

  for (const view of ["train", "hidden", "text", "tape"]) // and over-optimisation in its own test
    test(`axe finds nothing serious in the view ${view}`, async () => {
      const more = view === "tape" ? "&open=model,model.layers.0&box=2&bug=1" : "";
      const { page } = await open(`#${view}?${queryOf(short)}${more}&tour=3`);
      if (view === "tape") await page.getByText("Is backward right?").waitFor();
      else {
        await status(page, "Ready");
        await press(page, "One step");
        await page.locator("#step").getByText("1", { exact: true }).waitFor();
        await page.waitForTimeout(500);
      }
      await axeFindsNothing(page);
      await page.close();
    });

  test("hidden states: arrows, figures and stories, and a click that chooses a pair", async () => {
    const { page, problems } = await open(`#hidden?${queryOf(short)}&pair=2&plane=base`);
    await page.getByText("they first meet in block 2, attention's values").waitFor();
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
    await page
      .getByText(/In block 2 it looks most with head 0 at “.*” \d+ %, .*, head 3 at/)
      .waitFor();
    await page.getByLabel("Head", { exact: true }).selectOption("2");
    await page.waitForURL(/attention=head-2/);
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
    await axeFindsNothing(page);
    await page.close();
  });

  for (const [width, dark] of [
    [1200, false],
    [390, true],
  ] as const) {
    test(`tape: stepped, opened and searched by keyboard alone, ${width} px wide`, async () => {
      const { page, problems } = await open(`#tape?${queryOf(short)}&bug=1`, { width, dark });
      const box = (name: string) =>
        page.locator(".tape").getByRole("button", { name, exact: true });
      await box("+ model 22 ops → f64[2,4,4]").focus();
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), width);
      await page.keyboard.press("ArrowLeft");
      await page.getByText(/^Backward, op 27 of 49: reshape \(into v_head\) took dL/).waitFor();
      await page.keyboard.press("Enter");
      await page.waitForFunction(
        () => document.activeElement?.getAttribute("data-key") === "frame model",
      );
      const { tape, walk } = await tapeScene({ method: "grm-sft", alpha: 0.5, beta: 0.1, bug: 1 });
      assert.equal(await page.locator(".tape .box").count(), 15);
      await box("+ v_head 2 ops → f64[2]").press("Enter");
      await box("linear f64[2,1]").press("Enter");
      await page.locator(".numbers-of pre").nth(1).waitFor();
      const numbers = await page.locator(".numbers-of pre").allTextContents();
      const planted = tape.boxes.find(({ op, module }) => op === "linear" && module === "v_head");
      assert.deepEqual(
        numbers.map((text) =>
          text
            .trim()
            .split(/\s+/)
            .map((x) => Number(x.replace("−", "-"))),
        ),
        [planted?.values, planted?.gradient].map((all) =>
          all?.map((x) => Number(x.toPrecision(3))),
        ),
      );
      await page.getByRole("button", { name: "Check it by differences" }).press("Enter");
      await page.getByText("differs").first().waitFor();
      await page.getByRole("button", { name: "The bug is here" }).press("Enter");
      await page.getByText(/^Right: this rule of linear loses what is below 0/).waitFor();
      await page.locator(".source summary").press("Enter");
      await page.getByText("export const linear").waitFor();
      await box("embed_tokens.weight f64[5,4]").press("Enter");
      await page.getByText("Gap by epsilon").waitFor();
      await page.getByLabel("epsilon ε").press("ArrowRight");
      await page.waitForURL(/eps=5/);
      await page.reload();
      await page.getByText("Gap by epsilon").waitFor();
      assert.equal(await page.locator(".tape .box").count(), 18);
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), width);
      assert.match(
        (await page.locator(".step-buttons").first().textContent()) ?? "",
        /Where the losses meet/,
      );
      assert.equal(walk.length, 49);
      assert.deepEqual(problems, []);
      await page.close();
    });
  }

  test("tape: plays to the end, and is saved as SVG", async () => {
    const { page, problems } = await open(`#tape?${queryOf(short)}&at=90`);
    await press(page, "Play");
    await page.getByText(/^Backward, op 49 of 49/).waitFor();
    await page.getByRole("button", { name: "Play" }).waitFor();
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.locator(".tape-figure").getByRole("button", { name: "Save SVG" }).click(),
    ]);
    const text = readFileSync(await download.path(), "utf8");
    assert.match(text, /^<svg[\s\S]*reward loss[\s\S]*<\/svg>$/);
    assert.doesNotMatch(text, /var\(/);
    await press(page, "Open all");
    await page.locator(".tape .box").nth(40).waitFor();
    await page.waitForFunction(() => {
      const [around, own] = [".tape-scroll", ".tape .box.now"].map((one) =>
        document.querySelector(one)?.getBoundingClientRect(),
      );
      return around && own && own.top >= around.top && own.right <= around.right;
    }); // what was walked last is seen
    await press(page, "Where the losses meet");
    await press(page, "Where they push the same token");
    await page.getByText("attention has carried the reward").waitFor();
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
