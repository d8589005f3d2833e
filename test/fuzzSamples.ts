// Small files of every kind that is read, and who reads each: what fuzz.test.ts damages. Every reader takes the folder that
// holds them. Next: fuzz.ts for the damage.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { parquetWriteBuffer } from "hyparquet-writer";
import { pageOf } from "../cli/commands/pages.ts";
import { kindOf } from "../cli/commands/runs.ts";
import { readSettings } from "../cli/commands/settingsFile.ts";
import { readTrainRun } from "../cli/commands/trainRun.ts";
import { random, tensor } from "../core/index.ts";
import { chatTemplateIn, writeChat } from "../grm/data/chat.ts";
import {
  exportRewardModel,
  loadPolicyCheckpoint,
  loadTrainCheckpoint,
  readPairs,
  saveRewardModel,
} from "../grm/node.ts";
import { loadRewardModel } from "../grm/rewardModelFolder.ts";
import { parseTrainMetrics } from "../grm/trainer/records.ts";
import { readResults } from "../lab/demo/resultFile.ts";
import { findingsOf } from "../lab/map/answers.ts";
import { jobsOf, sweepPlan } from "../lab/sweep/plan.ts";
import { readMerged } from "../lab/sweep/results.ts";
import { folderOnDisk, readFile } from "../nn/checkpoints/files.ts";
import { configToHF } from "../nn/configHF.ts";
import { CausalLM } from "../nn/index.ts";
import {
  loadCausalLM,
  loadModel,
  loadPretrainCheckpoint,
  loadSafetensors,
  loadTokenizer,
  saveCausalLM,
  saveModel,
  saveSafetensors,
} from "../nn/node.ts";
import { parsePretrainMetrics } from "../nn/pretrain/records.ts";
import { mapPage } from "../report/mapPage.ts";
import { root } from "./folders.ts";
import { drawnModel, reading, tokenizer, whole } from "./rewardFolders.ts";

const small = { vocabSize: 280, dim: 16, layers: 2, context: 96 };

/** A file that is damaged, and what reads it. */
export interface Sample {
  readonly file: string;
  readonly read: (folder: string) => unknown;
}

const lines = (...rows: readonly object[]): string =>
  rows.map((row) => JSON.stringify(row)).join("\n");
const textOf = (path: string): string => new TextDecoder().decode(readFile(path));

const row = { prompt: "Human: who?\n\nAssistant: ", chosen: "a cat", rejected: "a mat", margin: 1 };
const messages = [
  { role: "user", content: "who?" },
  { role: "assistant", content: "the cat <s> sat" },
] as const;
const template =
  "{% for m in messages %}{{ '<s>' if loop.first }}{{ m['role'] | upper }}: {{ m.content.strip() }}\n{% endfor %}";

/** Pairs in every layout of a file. */
const tables: Readonly<Record<string, () => Uint8Array | string>> = {
  "pairs.jsonl": () => lines(row, row, row, row),
  "pairs.json": () =>
    JSON.stringify([row, row, { ...row, chosen: [...messages], rejected: [...messages] }]),
  "pairs.csv": () => `prompt,chosen,rejected\n"who, now?",a cat,"a ""mat"""\nwho?,the cat,mat\n`,
  "pairs.tsv": () => "prompt\tchosen\trejected\nwho?\ta cat\ta mat\nwho\tthe cat\tmat\n",
  "pairs.jsonl.gz": () => gzipSync(lines(row, row, row, row)),
  "pairs.parquet": () =>
    new Uint8Array(
      parquetWriteBuffer({
        columnData: ["prompt", "chosen", "rejected"].map((name) => ({
          name,
          data: Array.from({ length: 20 }, (_, i) => `${name} ${i % 7}`),
          type: "STRING" as const,
        })),
      }),
    ),
};

/** A sweep's plan and what came of its jobs. */
const sweep = {
  plan: {
    ...{ name: "s", seeds: { from: 1, count: 2 } },
    parts: [{ grid: { method: ["bt", "grm-sft"], lr: [1e-3, 2e-3, 4e-3] } }],
  },
};
const outcomes = jobsOf(sweepPlan(sweep.plan)).map(({ id: job, words }, i) => {
  if (i === 3) return { job, words, failed: "train: the loss is NaN" };
  const accuracy = { id: 0.9, domain: 0.5 + i / 100, all: 0.5 };
  const validation = { accuracy: 0.7, loss: 0.6 };
  return { job, words, step: 9, validation, accuracy, perplexityBefore: 3, perplexity: null };
});

function firstLines(path: string, count: number): string {
  return textOf(path).split("\n").slice(0, count).join("\n");
}

const randomState = random(1).state();
const optimiser = { optimiserStep: 3 };

/** Checkpoints: tensors, and a state in their metadata. */
const states: Readonly<Record<string, object>> = {
  train: {
    settings: {},
    digest: "d",
    step: 3,
    steps: 9,
    seconds: 1,
    clipped: 0,
    ...optimiser,
    position: { epoch: 0, batch: 3 },
    dropout: randomState,
    best: null,
  },
  pretrain: {
    settings: {},
    digest: "d",
    step: 3,
    steps: 9,
    seconds: 1,
    clipped: 0,
    ...optimiser,
    position: { epoch: 0, window: 3 },
    rng: { dropout: randomState },
  },
  policy: {
    settings: {},
    step: 3,
    seconds: 1,
    ...optimiser,
    klWeight: 0.1,
    scale: { mean: 0, deviation: 1 },
  },
};

/** Writes all files into a folder. */
export async function writeSamples(folder: string): Promise<void> {
  const lora = { rank: 2, alpha: 4, layers: ["model.layers.*.self_attn.q_proj"] };
  const lm = new CausalLM({ ...small, heads: 4 }, { rng: random(1) });
  await saveCausalLM(join(folder, "lm"), lm);
  const shards = { config: configToHF(lm.config), stateDict: lm.stateDict(), shardBytes: 20_000 };
  await saveModel(join(folder, "shards"), shards);
  const adapted = whole(drawnModel({ ...small, heads: 4, kvHeads: 2 }, { type: "linear" }, lora));
  await saveRewardModel(folder, adapted);
  await exportRewardModel(join(folder, "peft"), adapted);
  writeFileSync(join(folder, "demo.jsonl"), firstLines(join(root, "lab/demo/seeds.jsonl"), 4));
  writeFileSync(join(folder, "sweep.jsonl"), lines(sweep, ...outcomes));
  for (const [name, make] of Object.entries(tables)) writeFileSync(join(folder, name), make());
  for (const [name, state] of Object.entries(states))
    await saveSafetensors(
      join(folder, `${name}.safetensors`),
      { "model.w": tensor([1, 2]) },
      { metadata: { [`twoheads.${name}`]: JSON.stringify(state) } },
    );
  const files = {
    "run.json": JSON.stringify({ base: "b", data: ["pairs.jsonl"], holdOut: 0.1, settings: {} }),
    "metrics.jsonl": lines(
      {
        ...{ kind: "start", step: 0, pairs: 9, flipped: 0, unlabelled: 0, validation_pairs: 2 },
        ...{ steps: 9, parameters: 99, trained_parameters: 9 },
      },
      {
        ...{ kind: "drift", step: 3, layers: [] },
      },
    ),
    "pretrain.jsonl": lines(
      { kind: "train", step: 1, tokens: 9, loss: 2, lr: 1e-3, gradNorm: 1, clipped: 0, seconds: 1 },
      { kind: "sample", step: 1, prompt: "a", text: "b" },
    ),
    "bon.json": JSON.stringify({
      given: { task: "tales", json: true },
      ...{
        ns: [1, 2],
        kl: [0, 0.2],
        measures: ["proxy", "gold"],
        curves: [[[1, 2]], [[0, 1]]],
      },
    }),
    "settings.yaml": "lr: 1e-3\nbatch-size: 8\nlist: &a [1, 2]\nagain: *a\n",
    "chat_template.jinja": template,
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
}

const readData = (file: string) => (folder: string) =>
  readPairs([join(folder, file)], { ...reading, tokenizer });

function readTemplate(folder: string): void {
  const found = chatTemplateIn(folderOnDisk(folder));
  if (found !== null) writeChat(messages, found.template, tokenizer);
}

function readTokenizer(folder: string): void {
  const read = loadTokenizer(folder);
  const ids = read.encode("The cat's 12 mats, <s> \u00e9\u4e2d\ud83d\ude00\n\n sat", {
    parseSpecial: true,
  });
  if (ids.some((id) => id < 0 || id >= read.vocabSize))
    throw new Error("ids beyond the vocabulary");
  read.decode(ids);
}

function readSweep(folder: string): void {
  const { plan, outcomes } = readMerged(join(folder, "sweep.jsonl"));
  mapPage(findingsOf(plan, outcomes));
}

export const samples: readonly Sample[] = [
  ...["config.json", "model.safetensors"].map((file) => ({ file, read: loadRewardModel })),
  { file: "lm/config.json", read: (folder) => loadCausalLM(join(folder, "lm")) },
  {
    file: "shards/model.safetensors.index.json",
    read: (folder) => loadCausalLM(join(folder, "shards")),
  },
  ...["adapter_config.json", "adapter_model.safetensors"].map((name) => ({
    file: `peft/${name}`,
    read: (folder: string) => loadModel(join(folder, "peft")),
  })),
  { file: "demo.jsonl", read: (folder) => readResults(join(folder, "demo.jsonl")) },
  { file: "sweep.jsonl", read: readSweep },
  {
    file: "model.safetensors",
    read: (folder) => loadSafetensors(join(folder, "model.safetensors")),
  },
  ...["tokenizer.json", "tokenizer_config.json"].map((file) => ({ file, read: readTokenizer })),
  { file: "chat_template.jinja", read: readTemplate },
  ...Object.keys(tables).map((file) => ({ file, read: readData(file) })),
  {
    file: "train.safetensors",
    read: (folder) => loadTrainCheckpoint(join(folder, "train.safetensors")),
  },
  {
    file: "pretrain.safetensors",
    read: (folder) => loadPretrainCheckpoint(join(folder, "pretrain.safetensors")),
  },
  {
    file: "policy.safetensors",
    read: (folder) => loadPolicyCheckpoint(join(folder, "policy.safetensors")),
  },
  { file: "run.json", read: (folder) => [kindOf(folder), readTrainRun(folder)] },
  {
    file: "metrics.jsonl",
    read: (folder) => parseTrainMetrics(textOf(join(folder, "metrics.jsonl"))),
  },
  {
    file: "pretrain.jsonl",
    read: (folder) => parsePretrainMetrics(textOf(join(folder, "pretrain.jsonl"))),
  },
  {
    file: "bon.json",
    read: (folder) =>
      pageOf(
        [join(folder, "bon.json")],
        () => {},
        () => {},
      ),
  },
  { file: "settings.yaml", read: (folder) => readSettings(join(folder, "settings.yaml")) },
];
