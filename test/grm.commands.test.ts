// The commands as a person meets them: a run from files to a folder, Ctrl-C and going on, what is printed,
// and that mistakes get a sentence and an exit code. Next: package.test.ts.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { program } from "../cli/cli.ts";
import { random } from "../core/index.ts";
import type { Evaluation } from "../grm/index.ts";
import { ByteTokenizer, CausalLM } from "../nn/index.ts";
import "../kernels/index.ts";
import { loadRewardModel, saveRewardModel } from "../grm/node.ts";
import { saveCausalLM, saveTokenizer } from "../nn/node.ts";
import { bin, twoheadsHere } from "./commandLine.ts";

const folder = mkdtempSync(join(tmpdir(), "twoheads-commands-"));
const at = (name: string): string => join(folder, name);

const good = ["kind", "warm", "fine", "calm"];
const bad = ["grim", "foul", "dark", "vile"];

/** Answers of good or bad words, as lines of preference data. */
function lines(count: number, seed: number): string {
  const rng = random(seed);
  const say = (words: readonly string[]): string =>
    [0, 1, 2].map(() => words[rng.integer(0, words.length)]).join(" ");
  const line = (i: number) => {
    const source = i % 2 === 0 ? "even" : "odd";
    const split = i < count - 8 ? "train" : "valid";
    return { prompt: "how?", chosen: say(good), rejected: say(bad), margin: 1, source, split };
  };
  return Array.from({ length: count }, (_, i) => `${JSON.stringify(line(i))}\n`).join("");
}

before(async () => {
  const tokenizer = new ByteTokenizer({ special: { bos: "<s>", eos: "</s>", pad: "<pad>" } });
  const shape = { vocabSize: tokenizer.vocabSize, dim: 16, layers: 1, heads: 2, context: 48 };
  await saveCausalLM(at("base"), new CausalLM(shape, { rng: random(0) }));
  await saveTokenizer(at("base"), tokenizer);
  writeFileSync(at("pairs.jsonl"), lines(72, 1));
  writeFileSync(at("test.jsonl"), lines(40, 2));
});

after(() => rmSync(folder, { recursive: true, force: true }));

/** Runs a command line in this process: what it prints, and its exit code. */
const twoheads = async (...args: string[]) => {
  const { said: err, ...rest } = await twoheadsHere(args);
  return { ...rest, err };
};

const trained = (out: string, ...more: string[]): string[] => [
  ...["train", "--base", at("base"), "--data", at("pairs.jsonl"), "--template", "plain"],
  ...["--lr", "0.01", "--batch-size", "8", "--out", at(out), ...more],
];

describe("train, eval, compare", () => {
  test("train makes a run folder from pairs and a base", async () => {
    const args = trained("bt", "--method", "bt", "--epochs", "3", "--head-type", "linear");
    const { out, code } = await twoheads(...args, "--where", "split=train");
    assert.equal(code, 0);
    assert.match(out, /pairs\.jsonl: 64 pairs of 72 lines/);
    assert.match(out, /left out, as asked for: 8/);
    assert.match(out, /step 24: validation accuracy/);
    assert.match(
      out,
      /finished after 24 steps\n.*validation accuracy .*\[.*\nnext: npx twoheads eval/,
    );
    for (const name of ["config.json", "model.safetensors", "tokenizer.json", "metrics.jsonl"])
      assert.ok(readFileSync(join(at("bt"), name)).length > 0, name);
    const { model } = loadRewardModel(at("bt"));
    assert.equal(model.vHead.config.type, "linear");
  });

  test("settings come from a file, and options win over it", async () => {
    writeFileSync(at("settings.json"), '{"method": "grm-sft", "alpha": 0.2, "epochs": 2}');
    const args = trained("sft", "--settings", at("settings.json"), "--epochs", "3", "--json");
    const { out, err } = await twoheads(
      ...args,
      "--frozen-parameters",
      "model.embed_tokens.weight",
    );
    const found = JSON.parse(out) as { settings: object; steps: number; evaluation: Evaluation };
    const frozenParameters = ["model.embed_tokens.weight"];
    const wanted = { method: "grm-sft", alpha: 0.2, epochs: 3, frozenParameters };
    assert.deepEqual({ ...found.settings, ...wanted }, found.settings);
    assert.equal(found.steps, 27);
    assert.ok(found.evaluation.accuracy.count === 3, "0.05 of 72 held out");
    assert.match(err, /method: grm-sft \(full\), alpha 0.2/);
  });

  test("eval says how good it is, by source, beside what is reached without reading", async () => {
    const { out, code } = await twoheads("eval", at("bt"), at("sft"), "--data", at("test.jsonl"));
    assert.equal(code, 0);
    assert.match(
      out,
      /bt: 1?\d\d(\.\d)? % \[.*\] of 40 pairs\n {2}even: .* of 20 pairs\n {2}odd: /,
    );
    assert.match(out, /the longer answer wins: .* ties/);
    assert.match(out, /words only: 100\.0 %/);
    assert.match(out, /chosen: \d+\.\d\d \(\d+\.\d\d\) on \d+ tokens/);
    const json = await twoheads("eval", at("bt"), "--data", at("test.jsonl"), "--json");
    const found = JSON.parse(json.out) as Evaluation;
    assert.ok(found.accuracy.value > 0.9, `it learnt: ${found.accuracy.value}`);
    const together = await twoheads(
      ...["eval", at("bt"), at("sft"), "--data", at("test.jsonl"), "--ensemble", "min"],
    );
    assert.match(
      together.out,
      /ensemble of 2, rule min.*\n.*\n.*\n {2}together: .*\n.*disagree on/,
    );
  });

  test("compare says whether a difference could be chance", async () => {
    const args = ["compare", at("bt"), at("bt"), "--data", at("test.jsonl"), "--rounds", "500"];
    const { out, code } = await twoheads(...args);
    assert.equal(code, 0);
    assert.match(out, /difference in points: \+0\.0 \[\+0\.0, \+0\.0\], p 1\.000: this could be/);
    const { out: json } = await twoheads(...args, "--json");
    assert.equal((JSON.parse(json) as { pairs: number }).pairs, 40);
  });
});

describe("data of one's own", () => {
  const row = (i: number) => ({ task: `how is ${i % 6}?`, good: `kind ${i}`, bad: `grim ${i}` });
  const names = ["--prompt-key", "task", "--chosen-key", "good", "--rejected-key", "bad"];
  const rows = Array.from({ length: 24 }, (_, i) => row(i));

  before(() => {
    const cells = rows.map((one) => Object.values(one).join(",")).join("\n");
    writeFileSync(at("own.csv"), `task,good,bad\n${cells}\n`);
  });

  test("data shows counts, layout and the first pair with its mask", async () => {
    const { out, code } = await twoheads("data", at("own.csv"), ...names);
    assert.equal(code, 0);
    assert.match(out, /own\.csv: 24 pairs of 24 lines\n {2}CSV: chosen and rejected\n6 prompts; /);
    assert.match(
      out,
      /chosen \(\d+ tokens, \d+ of them masked\):\n⟦<s>Human: how is 0\?\n\nAssistant:⟧ kind 0<\/s>/,
    );
    const json = await twoheads("data", at("own.csv"), ...names, "--json", "--base", at("base"));
    const found = JSON.parse(json.out) as {
      pairs: number;
      prompts: number;
      first: { chosen: object };
    };
    assert.deepEqual([found.pairs, found.prompts], [24, 6]);
    assert.match(JSON.stringify(found.first.chosen), /"answer":" kind 0<\/s>"/);
    const unnamed = await twoheads("data", at("own.csv"));
    assert.equal(unnamed.code, 1);
    assert.match(
      unnamed.err,
      /own\.csv:2: needs the fields chosen and rejected, has task, good, bad \(--chosen-key/,
    );
  });

  test("train holds out whole prompts, keeps what was read, and eval counts what is in common", async () => {
    const from = ["--data", at("own.csv"), ...names];
    const { out } = await twoheads(
      ...["train", "--base", at("base"), ...from, "--method", "bt", "--hold-out", "0.2"],
      ...["--lr", "0.01", "--batch-size", "8", "--out", at("own"), "--json"],
    );
    const { data } = JSON.parse(out) as {
      data: { validation: number; overlap: { prompts: number } };
    };
    assert.deepEqual([data.validation, data.overlap.prompts], [4, 0]);
    assert.deepEqual(JSON.parse(readFileSync(join(at("own"), "data.json"), "utf8")), data);
    const again = await twoheads("eval", at("own"), ...from, "--json");
    const { overlap } = JSON.parse(again.out) as { overlap: object };
    assert.deepEqual(overlap, { prompts: 5, ofPrompts: 6, pairs: 20, ofPairs: 24 });
    const told = await twoheads("eval", at("own"), ...from);
    assert.match(
      told.out,
      /5 of 6 prompts to evaluate on are trained on as well \(20 of 24 pairs\)/,
    );
  });
});

describe("what people bring from elsewhere", () => {
  const says = async (...args: string[]): Promise<string> => {
    const { err, code } = await twoheads(...args);
    assert.equal(code, 1);
    return err;
  };

  test("eval --pairs-out: a line for each pair, which add up to the accuracy", async () => {
    const out = at("scored.jsonl");
    const args = ["eval", at("bt"), "--data", at("test.jsonl"), "--pairs-out", out, "--json"];
    const { accuracy } = JSON.parse((await twoheads(...args)).out) as Evaluation;
    const written = readFileSync(out, "utf8").trimEnd().split("\n");
    const found = written.map((line) => JSON.parse(line) as Record<string, number>);
    assert.equal(found.length, 40);
    assert.deepEqual(
      Object.keys(found[1] ?? {}).join(),
      "model,file,line,source,chosen,rejected,correct",
    );
    assert.equal(found[1]?.line, 2);
    const right = found.reduce((sum, { correct = Number.NaN }) => sum + correct, 0);
    assert.equal(right / 40, accuracy.value);
  });

  test("an unfinished run is refused unless that is asked for, also where only metrics say it", async () => {
    const metrics = join(at("bt"), "metrics.jsonl");
    const whole = readFileSync(metrics, "utf8");
    const lines = whole.split("\n");
    const args = ["compare", at("bt"), at("bt"), "--data", at("test.jsonl")];
    const run = join(at("bt"), "run.json");
    const begun = readFileSync(run, "utf8");
    const { weights: _, ...old } = JSON.parse(begun); // as version 0.1.0 wrote it
    writeFileSync(run, JSON.stringify(old));
    try {
      const first = lines.findIndex((line) => line.includes('"kind":"train"'));
      writeFileSync(metrics, `${lines.slice(0, first + 1).join("\n")}\n`);
      const remedy = "npx twoheads train --resume .*--unfinished takes its weights as they are";
      assert.match(await says(...args), new RegExp(`bt is unfinished, at step 1 of 24; ${remedy}`));
      writeFileSync(metrics, `${lines[0]}\n`);
      assert.match(await says(...args), /bt is unfinished, at step 0 of 24; /);
      assert.equal((await twoheads(...args, "--unfinished")).code, 0);
    } finally {
      writeFileSync(run, begun);
      writeFileSync(metrics, whole);
    }
  });

  test("bon chooses among answers of one's own by the rewards that score gives", async () => {
    const row = {
      id: 7,
      prompt: "how?",
      responses: ["grim foul dark", "kind warm fine", "calm vile fine"],
    };
    writeFileSync(at("own.jsonl"), `${JSON.stringify(row)}\n`);
    const flags = ["bon", "--candidates", at("own.jsonl"), "--reward", at("bt")];
    const { out } = await twoheads(...flags, "--json");
    const [chosen] = JSON.parse(out) as {
      id: number;
      best: number;
      response: string;
      rewards: number[];
    }[];
    assert.deepEqual([chosen?.id, chosen?.best, chosen?.response], [7, 1, "kind warm fine"]);
    const answers = row.responses.map((response) => JSON.stringify({ prompt: "how?", response }));
    writeFileSync(at("answers.jsonl"), answers.join("\n"));
    await twoheads("score", at("bt"), at("answers.jsonl"), "--out", at("rewards.jsonl"));
    const lines = readFileSync(at("rewards.jsonl"), "utf8").trimEnd().split("\n");
    const rewards = lines.map((line) => (JSON.parse(line) as { reward: number }).reward);
    assert.deepEqual(chosen?.rewards, rewards);
    writeFileSync(at("own.jsonl"), '{"prompt": "how?"}\n');
    assert.match(
      await says(...flags),
      /own\.jsonl:1 has a prompt and no answers; give "responses"/,
    );
    const byPolicy = await says(...flags, "--policy", at("base"), "--samples", "3"); // which writes bytes at random
    assert.match(byPolicy, /no answer that .*base writes is short enough for the reward model/);
    assert.match(
      await says("bon", "--candidates", at("own.jsonl")),
      /name its folder, --reward FOLDER/,
    );
  });

  test("with nothing known but pairs: a model and a page, from the base that comes with the package", async () => {
    const [help, readme] = [
      program()
        .commands.find((one) => one.name() === "train")
        ?.helpInformation() ?? "",
      readFileSync(new URL("../README.md", import.meta.url), "utf8"),
    ];
    assert.match(help, /default: stories/);
    const [line = ""] = /\{"prompt": .*?\}/.exec(readme) ?? [];
    const shown = JSON.parse(line) as { prompt: string };
    const rows = Array.from({ length: 40 }, (_, i) => ({
      ...shown,
      prompt: `${shown.prompt} ${i}`,
    }));
    writeFileSync(at("shown.jsonl"), rows.map((row) => JSON.stringify(row)).join("\n"));
    const { out, code } = await twoheads(
      "train",
      "--data",
      at("shown.jsonl"),
      ...["--steps", "2", "--log", "csv", "--out", at("shown")],
    );
    assert.equal(code, 0);
    assert.match(out, /no --base was named: it begins with stories/);
    assert.match(out, /the report: .*report\.html/);
    loadRewardModel(at("shown"));
    const csv = readFileSync(join(at("shown"), "metrics.csv"), "utf8")
      .trimEnd()
      .split("\n");
    const [names = [], ...steps] = csv.map((row) => row.split(","));
    assert.ok(names.includes("eval/accuracy"), names.join());
    const losses = steps.map((cells) => cells[names.indexOf("train/loss")]).filter((x) => x !== "");
    assert.equal(losses.filter((loss) => Number(loss) > 0).length, 2);
  });

  test("settings in YAML, with names as options have them; damage is told by line", async () => {
    writeFileSync(
      at("settings.yaml"),
      "method: bt  # plain\nbatch-size: 8\nepochs: 0.5\nlr: 1e-2\n",
    );
    const args = ["train", "--base", at("base"), "--data", at("pairs.jsonl"), "--hold-out", "0"];
    const { out } = await twoheads(
      ...args,
      "--settings",
      at("settings.yaml"),
      "--out",
      at("yaml"),
      "--json",
    );
    const { settings } = JSON.parse(out) as { settings: Record<string, unknown> };
    assert.deepEqual([settings.method, settings.batchSize, settings.lr], ["bt", 8, 0.01]);
    writeFileSync(at("settings.yaml"), "method: bt\nlr: [1\n");
    assert.match(
      await says(...args, "--settings", at("settings.yaml")),
      /settings\.yaml: is not YAML: .* at line 3/,
    );
  });

  test("flags of other trainers are answered with ours", async () => {
    for (const [flag, ours] of [
      ["--learning_rate=1e-5", /^train: there is no --learning_rate; did you mean --lr\?$/],
      ["--per_device_train_batch_size", /did you mean --batch-size\?$/],
      ["--model_name_or_path", /did you mean --base\?$/],
      ["--num-train-epochs", /did you mean --epochs\?$/],
    ] as const)
      assert.match(await says("train", flag, "1"), ours);
  });

  test("a folder that isn't there is said to be missing", async () => {
    const data = ["--data", at("pairs.jsonl")];
    assert.match(
      await says("train", "--base", at("none"), ...data),
      /^there is no folder .*none, and no base of that name; stories, spelled-1/,
    );
    assert.match(
      await says("eval", at("none"), ...data),
      /^there is no folder .*none; needed the folder of a reward model/,
    );
  });

  test("world writes pairs that train reads", async () => {
    const { out } = await twoheads("world", "spelled", "--pairs", "20", "--jsonl");
    writeFileSync(at("spelled.jsonl"), `${out}\n`);
    const args = [
      "data",
      at("spelled.jsonl"),
      "--base",
      "spelled-1",
      "--template",
      "plain",
      "--json",
    ];
    const found = JSON.parse((await twoheads(...args)).out) as { pairs: number };
    assert.equal(found.pairs, 20);
  });
});

test("rewards that are no numbers aren't results: eval, compare and ensembles name the pairs", async () => {
  const opened = loadRewardModel(at("bt"));
  const [weight] = opened.model.vHead.parameters();
  weight?.data.fill(Number.NaN);
  await saveRewardModel(at("broken"), opened);
  const data = ["--data", at("test.jsonl")];
  const places =
    /a reward is NaN on \S+test\.jsonl, lines 1 \(even\), 2 \(odd\), .* and 30 more; needed/;
  for (const args of [
    ["eval", at("broken")],
    ["eval", at("bt"), at("broken"), "--ensemble", "mean"],
    ["compare", at("broken"), at("bt")],
    ["compare", at("bt"), at("broken")],
  ]) {
    const { out, err, code } = await twoheads(...args, ...data);
    assert.match(err, places, args.join(" "));
    assert.doesNotMatch(out, / %/);
    assert.equal(code, 1);
  }
});

test("mistakes get a sentence and exit code 1", async () => {
  writeFileSync(at("empty.jsonl"), "");
  writeFileSync(at("fields.jsonl"), '{"a": 1}\n');
  writeFileSync(at("latin.jsonl"), Buffer.from([0x7b, 0x22, 0xe9, 0x22, 0x3a, 0x31, 0x7d, 0x0a]));
  for (const [name, text] of [
    ["policy", '{"flags": 3}'],
    ["corpus", '{"corpus": 3}'],
    ["training", '{"base": 3}'],
  ] as const) {
    mkdirSync(at(name));
    writeFileSync(join(at(name), "run.json"), text);
  }
  writeFileSync(at("bon.json"), '{"given": {}, "ns": "x", "kl": [], "measures": [], "curves": 1}');
  writeFileSync(at("bad.json"), '{"lr": "fast", "spped": 1}');
  mkdirSync(at("folder"));
  const base = ["train", "--base", at("base"), "--out", at("never")];
  const data = ["--data", at("pairs.jsonl")];
  const cases: readonly (readonly [string[], RegExp])[] = [
    [["train"], /name the pairs, --data FILE.*, and the language model .* --base FOLDER/],
    [[...base, "--data", at("empty.jsonl")], /empty\.jsonl: is empty/],
    [[...base, "--data", at("fields.jsonl")], /fields\.jsonl:1: /],
    [[...base, "--data", at("latin.jsonl")], /latin\.jsonl:1: .*UTF-8/],
    [[...base, "--data", at("folder")], /is a folder/],
    [[...base, "--data", at("none.jsonl")], /none\.jsonl: there is no such file/],
    [[...base, ...data, "--settings", at("bad.json")], /lr: .*number.*"spped"/],
    [[...base, ...data, "--method", "frozen", "--mode", "lora"], /trains no adapters/],
    [[...base, ...data, "--max-length", "49"], /beyond the model's context of 48/],
    [[...base, ...data, "--hold-out", "1"], /--hold-out is 1/],
    [["train", "--base", at("bt"), ...data], /is a reward model already/],
    [[...trained("bt")], /holds a run or a model already.*--resume/],
    [["train", "--base", at("base"), ...data, "--out", at("pairs.jsonl/x")], /pairs\.jsonl/],
    [["train", "--resume", at("bt"), "--lr", "1"], /leave lr away/],
    [["train", "--resume", at("base")], /run\.json: there is no such file/],
    [["eval", at("base"), ...data], /describes no reward head/],
    [["eval", at("bt")], /name the preference pairs/],
    [["report", at("policy")], /policy.run\.json: (flags|settings): /],
    [["report", at("corpus")], /corpus.run\.json: corpus: .*expected array/],
    [["report", at("training")], /training.run\.json: .*base: .*expected string/],
    [["report", at("bon.json")], /bon\.json: .*ns: .*expected array.*curves: /],
    [[...base, ...data, "--lr", "1e39"], /lr: is beyond what a float32 holds/],
    [["compare", at("bt"), at("none"), ...data], /there is no folder .*none;/],
    [
      [...base, ...data, "--template", "plain", "--lr", "1e30"],
      /the loss is .* at step 2, on \S+pairs.jsonl, lines \d/,
    ],
  ];
  for (const [args, message] of cases) {
    const { err, code } = await twoheads(...args);
    assert.match(err, message, args.join(" "));
    assert.doesNotMatch(err, /\n\s+at .*\(.*:\d+:\d+\)/, "no stack");
    assert.equal(code, 1, args.join(" "));
  }
});

test("Ctrl-C saves and says how to go on, and the end is the same to the bit", async () => {
  const options = ["--method", "grm-dpo", "--epochs", "12", "--best", "loss"];
  const child = spawn(process.execPath, [bin, ...trained("stopped", ...options)]);
  let [out, isStopped] = ["", false];
  child.stdout.on("data", (text: Buffer) => {
    out += text.toString();
    if (isStopped || !out.includes("step 9: validation")) return;
    isStopped = child.kill("SIGINT");
  });
  const code = await new Promise((resolve) => child.on("exit", resolve));
  assert.match(out, /stopping after this step/);
  assert.match(out, /stopped after step \d+; go on with: npx twoheads train --resume/);
  assert.equal(code, 130);
  const { out: rest, code: ended } = await twoheads("train", "--resume", at("stopped"));
  assert.equal(ended, 0);
  assert.match(rest, /going on after step \d+/);
  await twoheads(...trained("alone", ...options));
  const model = (name: string): Buffer => readFileSync(join(at(name), "model.safetensors"));
  assert.ok(model("stopped").equals(model("alone")));
});
