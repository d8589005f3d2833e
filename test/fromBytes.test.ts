// What a page reads from bytes that it fetched is what Node reads from disk, to the bit: models in one file
// and in shards, tokenizers, reward models, pairs and answers, plain and gzipped. What is damaged or missing
// is named. Next: nn.checkpoints.test.ts for the formats.

import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { gzipSync } from "node:zlib";
import { ArgumentError, random, type Tensor, tensor, use } from "../core/index.ts";
import {
  pairsFromFiles,
  type Reading,
  RewardModel,
  responsesFromFiles,
  rewardModelFiles,
  rewardModelFromFiles,
  transcript,
} from "../grm/index.ts";
import { loadRewardModel, readPairs, readResponses, saveRewardModel } from "../grm/node.ts";
import {
  ByteTokenizer,
  type CausalLM,
  causalLMFiles,
  causalLMFromFiles,
  FileError,
  modelFromFiles,
  parseSafetensors,
  tokenizerFromFiles,
} from "../nn/index.ts";
import { loadCausalLM, loadSafetensors, loadTokenizer, saveModel } from "../nn/node.ts";
import { root, temporaryFolder } from "./folders.ts";

const base = join(root, "lab/demo/bases/1");
const temporary = temporaryFolder("bytes");

/** A folder's files as a page has them: in bytes of their own. */
function fetched(folder: string): Map<string, Uint8Array> {
  return new Map(
    readdirSync(folder).map((name) => [name, new Uint8Array(readFileSync(join(folder, name)))]),
  );
}

const bits = (tensors: Readonly<Record<string, Tensor>>) =>
  Object.fromEntries(Object.entries(tensors).map(([name, x]) => [name, [x.shape, [...x.data]]]));

const ids = tensor([[3, 1, 4, 1, 5]], { dtype: "int32" });
const logits = (lm: CausalLM): number[] => [...lm.forward(ids).data];

use("reference");

const reading: Reading = { maxLength: 64, truncation: "prompt", template: transcript };

describe("models and tokenizers from bytes", () => {
  test("a model and its tokenizer are those on disk", () => {
    const files = fetched(base);
    assert.deepEqual(logits(causalLMFromFiles(files)), logits(loadCausalLM(base)));
    const [here, there] = [tokenizerFromFiles(files), loadTokenizer(base)];
    assert.deepEqual(here.encode("the fox"), there.encode("the fox"));
    assert.deepEqual(here.special, there.special);
    const weights = files.get("model.safetensors") ?? new Uint8Array();
    const path = join(base, "model.safetensors");
    assert.deepEqual(bits(parseSafetensors(weights)), bits(loadSafetensors(path)));
  });

  test("shards behind an index are one model", async () => {
    const folder = join(temporary, "shards");
    const lm = loadCausalLM(base);
    const { config } = modelFromFiles(fetched(base));
    await saveModel(folder, { config, stateDict: lm.stateDict(), shardBytes: 50_000 });
    const files = fetched(folder);
    assert.ok(files.size > 3, `${files.size} files`);
    assert.deepEqual(logits(causalLMFromFiles(files)), logits(lm));
    files.delete([...files.keys()].find((name) => /-00001-of-.*\.safetensors$/.test(name)) ?? "");
    assert.throws(() => causalLMFromFiles(files), /: isn't among the files: config\.json, /);
  });

  test("what is written in memory is read again, and by Node", async () => {
    const lm = loadCausalLM(base);
    const files = await causalLMFiles(lm);
    assert.deepEqual([...files.keys()], ["config.json", "model.safetensors"]);
    assert.deepEqual(logits(causalLMFromFiles(files)), logits(lm));
    assert.deepEqual(files.get("model.safetensors"), fetched(base).get("model.safetensors"));
  });

  test("what is missing, and what is no Map of bytes, is named", () => {
    const files = fetched(base);
    files.delete("config.json");
    assert.throws(() => causalLMFromFiles(files), /config\.json: isn't among the files: /);
    assert.throws(() => modelFromFiles(new Map()), FileError);
    assert.throws(
      () => tokenizerFromFiles(new Map()),
      /holds neither tokenizer\.json nor tokenizer\.bin/,
    );
    const [asObject, asBuffer] = [
      { "config.json": new Uint8Array() },
      new ArrayBuffer(8),
    ] as unknown[];
    assert.throws(() => causalLMFromFiles(asObject as Map<string, Uint8Array>), ArgumentError);
    const buffers = new Map([["config.json", asBuffer as Uint8Array]]);
    assert.throws(
      () => causalLMFromFiles(buffers),
      /"config\.json" is no Uint8Array; new Uint8Array\(/,
    );
  });
});

test("a reward model from bytes is the one on disk, and writes the same files", async () => {
  const folder = join(temporary, "reward");
  const model = new RewardModel(loadCausalLM(base), { rng: random(1) }).eval();
  const parts = { model, tokenizer: loadTokenizer(base), reading };
  await saveRewardModel(folder, parts);
  const written = await rewardModelFiles(parts);
  assert.deepEqual([...written.entries()].sort(), [...fetched(folder).entries()].sort());
  const [here, there] = [rewardModelFromFiles(written), loadRewardModel(folder)];
  assert.deepEqual(bits(here.model.stateDict()), bits(there.model.stateDict()));
  assert.deepEqual(here.reading, there.reading);
  written.delete("tokenizer.json");
  assert.throws(
    () => rewardModelFromFiles(written),
    /holds neither tokenizer\.json nor tokenizer\.bin/,
  );
});

describe("preference data from bytes", () => {
  const lines = [
    { prompt: "2 + 2 =", chosen: " 4", rejected: " 5" },
    { prompt: "a", chosen: "b", rejected: "c", margin: 2, source: "letters" },
    { prompt: "same", chosen: "x", rejected: "x" },
  ].map((line) => JSON.stringify(line));
  const text = new TextEncoder().encode(`${lines.join("\n")}\n`);
  const options = { tokenizer: new ByteTokenizer({ special: { eos: "</s>" } }), maxLength: 50 };

  test("pairs and their report are those from disk, plain and gzipped", async () => {
    for (const [name, bytes] of [
      ["pairs.jsonl", text],
      ["pairs.jsonl.gz", new Uint8Array(gzipSync(text))],
    ] as const) {
      const path = join(temporary, name);
      writeFileSync(path, bytes);
      const here = await pairsFromFiles(new Map([[path, bytes]]), options);
      const there = await readPairs([path], options);
      assert.deepEqual(here.pairs, there.pairs);
      assert.equal(here.pairs.length, 2);
      assert.equal(String(here.report), String(there.report));
    }
  });

  test("damaged, cut short, empty: each names the file", async () => {
    const packed = new Uint8Array(gzipSync(text));
    const read = (bytes: Uint8Array) => pairsFromFiles(new Map([["pairs.gz", bytes]]), options);
    const damaged = /pairs\.gz: its gzip data is damaged or cut short after line/;
    await assert.rejects(read(packed.subarray(0, packed.length - 12)), damaged);
    const flipped = packed.map((byte, i) => (i === 20 ? byte ^ 255 : byte));
    await assert.rejects(read(flipped), damaged);
    await assert.rejects(read(new Uint8Array()), /pairs\.gz: is empty/);
    await assert.rejects(
      read(new TextEncoder().encode("{")),
      /pairs\.gz:1: ends inside an object; needs a whole one in each line/,
    );
    await assert.rejects(pairsFromFiles(new Map(), options), /name at least one file/);
  });

  test("answers to score come out in their order", async () => {
    const answers = new TextEncoder().encode('{"prompt":"a","response":"b"}\n{"id":7}\n');
    const path = join(temporary, "answers.jsonl");
    writeFileSync(path, answers);
    const more = { ...options, ...reading, lenient: true };
    const here = await all(responsesFromFiles(new Map([[path, answers]]), more));
    const there = await all(readResponses([path], more));
    assert.equal(here.length, 2);
    assert.deepEqual(here, there);
  });
});

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}
