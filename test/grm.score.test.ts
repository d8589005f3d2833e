// Reward models in folders, and what they say of text: what is saved scores the same to the bit, what
// doesn't fit its configuration isn't opened, and a score depends on its own answer alone, not on what it
// is scored with. Next: grm.export.test.ts.

import assert from "node:assert/strict";
import { cpSync, existsSync, mkdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { gzipSync } from "node:zlib";
import { noGrad, random } from "../core/index.ts";
import {
  encodeJudged,
  makeBatch,
  type RewardModel,
  type Sequence,
  scoreSequences,
  sequenceOf,
  transcript,
} from "../grm/index.ts";
import { tokenRewards } from "../grm/tokenRewards.ts";
import "../kernels/index.ts";
import { loadRewardModel, saveRewardModel } from "../grm/node.ts";
import { addLoRA, mergeLoRA } from "../nn/index.ts";
import { saveCausalLM, saveTokenizer } from "../nn/node.ts";
import { twoheads, twoheadsHere } from "./commandLine.ts";
import { temporaryFolder } from "./folders.ts";
import {
  backbones,
  drawnModel,
  heads,
  reading,
  sequencesOf,
  tokenizer,
  whole,
} from "./rewardFolders.ts";

const folder = temporaryFolder("score");

const answers = ["the cat sat", "on", "the mat on the mat sat the cat on the mat", "é 😀", ""];
const sequences = sequencesOf(answers);

const rewardsOf = async (model: RewardModel, batchTokens?: number): Promise<readonly number[]> => [
  ...(await scoreSequences(model, sequences, batchTokens === undefined ? {} : { batchTokens }))
    .rewards,
];

/** Saves a model as a folder of that name. */
async function saved(name: string, model: RewardModel): Promise<string> {
  const at = join(folder, name);
  await saveRewardModel(at, whole(model));
  return at;
}

const lora = {
  layers: ["model.layers.*.self_attn.q_proj", "model.layers.*.mlp.down_proj"],
  rank: 2,
  alpha: 6,
  dropout: 0.1,
};

describe("a folder gives back the reward model", () => {
  const kinds = Object.entries(backbones).flatMap(([backbone, options]) =>
    Object.entries(heads).map(([head, headOptions]) => {
      return { name: `${backbone}, ${head}`, model: () => drawnModel(options, headOptions) };
    }),
  );
  const adapted = { name: "llama with adapters", model: () => drawnModel(llama, {}, lora) };

  for (const { name, model: make } of [...kinds, adapted]) {
    test(`${name}: its rewards to the bit, its tokenizer, its reading`, async () => {
      const model = make();
      const back = loadRewardModel(await saved(name, model));
      assert.deepEqual(await rewardsOf(back.model), await rewardsOf(model));
      assert.deepEqual(back.model.vHead.config, model.vHead.config);
      assert.deepEqual(back.reading, reading);
      assert.deepEqual(back.tokenizer.encode("the cat"), tokenizer.encode("the cat"));
      assert.equal(back.model.training, false);
    });
  }

  const llama = backbones.llama as object as Parameters<typeof drawnModel>[0];

  test("adapters that can't be written down as one kind are refused", async () => {
    const merged = drawnModel(llama, {}, lora);
    mergeLoRA(merged);
    await assert.rejects(saved("merged", merged), /the adapters are merged; call unmergeLoRA/);
    const two = drawnModel(llama, {}, { layers: ["model.layers.*.self_attn.q_proj"], rank: 2 });
    addLoRA(two, { layers: ["model.layers.*.self_attn.v_proj"], rank: 3, rng: random(1) });
    await assert.rejects(
      saved("two", two),
      /"model.layers.0.self_attn.q_proj" and .* other settings/,
    );
  });
});

describe("what doesn't fit is refused", () => {
  let good = "";
  before(async () => {
    good = await saved("good", drawnModel(backbones.llama as never, { layers: 2, neurons: 12 }));
  });

  /** A copy whose config.json is changed. */
  function changed(name: string, change: Readonly<Record<string, unknown>>): string {
    const at = join(folder, name);
    cpSync(good, at, { recursive: true });
    const path = join(at, "config.json");
    const config = JSON.parse(readFileSync(path, "utf8")) as object;
    writeFileSync(path, JSON.stringify({ ...config, ...change }));
    return at;
  }

  const changes: Readonly<Record<string, readonly [object, RegExp]>> = {
    "a narrower head": [
      { vhead_num_neurons: 8 },
      /v_head.summary.0.weight is \[8,16\], the dict has \[12,16\]/,
    ],
    "a shallower head": [{ vhead_num_layers: 1 }, /unexpected: v_head.summary.4/],
    "a deeper head": [{ vhead_num_layers: 3 }, /missing: v_head.summary.6.weight/],
    "another kind of head": [{ vhead_layer_type: "linear" }, /missing: v_head.summary.weight/],
    "an unknown kind of head": [{ vhead_layer_type: "tree" }, /config.json: vhead_layer_type: /],
    "no head": [{ vhead_layer_type: undefined }, /describes no reward head/],
    "a wider backbone": [{ hidden_size: 32, head_dim: 8 }, /the dict has/],
    "adapters that the weights lack": [
      {
        twoheads_lora: {
          layers: ["model.layers.*.self_attn.q_proj"],
          rank: 1,
          alpha: 1,
          dropout: 0,
        },
      },
      /missing: model.layers.0.self_attn.q_proj.lora.a/,
    ],
    "a reading that is none": [
      { twoheads_reading: { maxLength: 0 } },
      /twoheads_reading.maxLength/,
    ],
  };
  for (const [name, [change, message]] of Object.entries(changes)) {
    test(name, () => {
      const at = changed(name, change as Record<string, unknown>);
      assert.throws(
        () => loadRewardModel(at),
        (error: Error) => {
          assert.equal(error.name, "FileError");
          assert.ok(error.message.startsWith(at), "names the folder");
          assert.match(error.message, message);
          return true;
        },
      );
    });
  }

  test("a language model without a reward head", async () => {
    const at = join(folder, "lm");
    await saveCausalLM(at, drawnModel(backbones.llama as never, {}).lm);
    await saveTokenizer(at, tokenizer);
    assert.throws(() => loadRewardModel(at), /no reward head .*`twoheads train` puts one on/);
  });

  test("weights that are cut short", () => {
    const at = changed("short", {});
    truncateSync(join(at, "model.safetensors"), 2000);
    assert.throws(
      () => loadRewardModel(at),
      /model.safetensors: header length: is 2520 bytes, at most 1992 can be/,
    );
  });
});

describe("a score is the answer's own", () => {
  for (const [name, options] of Object.entries(backbones)) {
    test(`${name}: the same for any batch and padding`, async () => {
      const model = drawnModel(options, {});
      const alone = await rewardsOf(model, 1);
      for (const batchTokens of [64, 4096]) close(await rewardsOf(model, batchTokens), alone);
      const { ids, mask } = makeBatch(sequences, { padding: "left" });
      close([...noGrad(() => model.forward(ids, { mask })).rewards.data], alone);
    });

    test(`${name}: the reward after each token is that of the text up to there`, async () => {
      const model = drawnModel(options, {});
      const places = await tokenRewards(model, sequences, { batchTokens: 64 });
      close(
        places.map((rewards) => rewards.at(-1) as number),
        await rewardsOf(model),
      );
      const [whole] = sequences as [Sequence];
      const prefixes = [...whole.ids.keys()].map((t) => {
        return { ids: whole.ids.slice(0, t + 1), labels: whole.labels.slice(0, t + 1) };
      });
      const { rewards } = await scoreSequences(model, prefixes);
      close([...(places[0] ?? [])], [...rewards]);
    });
  }

  function close(found: readonly number[], expected: readonly number[]): void {
    assert.equal(found.length, expected.length);
    found.forEach((x, i) => {
      const y = expected[i] ?? Number.NaN;
      assert.ok(Math.abs(x - y) <= 1e-6 * Math.max(1, Math.abs(y)), `${i}: ${x}, expected ${y}`);
    });
  }
});

describe("twoheads score", () => {
  let model = "";
  before(async () => {
    model = await saved("cli", drawnModel(backbones.llama as never, {}));
  });

  const lines = [
    { id: "a", prompt: "who?", response: "the cat sat" },
    { prompt: [{ role: "user", content: "who?" }], response: "on" },
    { id: 3, messages: [{ role: "user", content: "who?" }], response: "the mat" },
    { response: "the cat" },
    { prompt: "the cat ".repeat(40), response: "sat" },
    ...Array.from({ length: 40 }, (_, i) => ({ id: i, response: "mat ".repeat((i * 7) % 23) + i })),
  ];
  const jsonl = (all: readonly unknown[]): string =>
    all.map((line) => `${typeof line === "string" ? line : JSON.stringify(line)}\n`).join("");
  const recordsOf = (text: string): Readonly<Record<string, unknown>>[] =>
    text
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);

  test("from standard input: every line, in order, as the library scores it", async () => {
    const { stdout, stderr, status } = twoheads(["score", model], { input: jsonl(lines) });
    assert.equal(stderr, "45 answers, 1 of them cut to 64 tokens\n");
    assert.equal(status, 0);
    const records = recordsOf(stdout);
    assert.deepEqual(
      records.map(({ line }) => line),
      lines.map((_, i) => i + 1),
    );
    assert.deepEqual(
      records.map(({ id }) => id),
      lines.map((line) => (line as { id?: unknown }).id),
    );
    assert.deepEqual(
      records.flatMap(({ cut, line }) => (cut ? [line] : [])),
      [5],
    );
    const judged = { prompt: [{ role: "user", content: "who?" }] as const, answer: "the cat sat" };
    const sequence = sequenceOf(encodeJudged(judged, tokenizer, transcript));
    const { rewards } = await scoreSequences(loadRewardModel(model).model, [sequence]);
    assert.ok(Math.abs((records[0]?.reward as number) - (rewards[0] as number)) < 1e-6);
    assert.equal(records[0]?.tokens, sequence.ids.length);
  });

  test("--json: all of it in one line, or the counts of what a file holds", async () => {
    const file = at("few.jsonl", jsonl(lines.slice(0, 5)));
    const counts = { model, answers: 5, cut: 1, failed: 0 };
    const whole = await twoheadsHere(["score", model, file, "--json"]);
    const { rewards, ...found } = JSON.parse(whole.out);
    assert.deepEqual(found, counts);
    assert.deepEqual(
      rewards.map(({ line }: { line: number }) => line),
      [1, 2, 3, 4, 5],
    );
    const out = join(folder, "few.out.jsonl");
    const kept = await twoheadsHere(["score", model, file, "--json", "--out", out]);
    assert.deepEqual(JSON.parse(kept.out), { ...counts, out });
    assert.deepEqual(recordsOf(readFileSync(out, "utf8")), rewards);
  });

  /** Scores files into a file; its records. */
  async function recordsIn(out: string, args: readonly string[]) {
    const done = await twoheadsHere(["score", model, ...args, "--out", out]);
    return { ...done, records: recordsOf(readFileSync(out, "utf8")) };
  }

  const at = (name: string, content: string | Uint8Array): string => {
    writeFileSync(join(folder, name), content);
    return join(folder, name);
  };

  test("files, packed too, to a file; any batch gives the same; every token", async () => {
    const files = [
      at("1.jsonl", jsonl(lines.slice(0, 4))),
      at("2.jsonl.gz", gzipSync(jsonl(lines.slice(4)))),
    ];
    const out = join(folder, "out.jsonl");
    const { records: whole } = await recordsIn(out, files);
    const { records: single } = await recordsIn(out, [...files, "--batch-tokens=1", "--per-token"]);
    assert.deepEqual(
      single.map(({ file, line }) => [file, line]),
      lines.map((_, i) => (i < 4 ? [files[0], i + 1] : [files[1], i - 3])),
    );
    single.forEach(({ reward, response_tokens, token_rewards }, i) => {
      const other = whole[i]?.reward as number;
      assert.ok(Math.abs((reward as number) - other) <= 1e-6 * Math.max(1, Math.abs(other)));
      assert.equal((token_rewards as number[]).at(-1), reward);
      assert.equal((token_rewards as number[]).length, (response_tokens as string[]).length);
    });
    const [first = {}] = single;
    assert.equal((first.response_tokens as string[]).join(""), " the cat sat</s>");
  });

  const wrong: Readonly<Record<string, readonly [() => string[], RegExp]>> = {
    "no such model": [
      () => ["none"],
      /^there is no folder none; needed the folder of a reward model/,
    ],
    "nothing to score": [() => [model, at("empty", "")], /empty: is empty$/],
    "a line that is none": [() => [model, at("torn", `${jsonl(lines)}{`)], /torn:46: is not JSON/],
    "a line of something else": [
      () => [model, at("other", '{"prompt":"a"}\n')],
      /other:1: needs a response, /,
    ],
    "a folder for a file": [() => [model, folder], /: is a folder; name the files in it$/],
    "a length beyond the context": [
      () => [model, "--max-length", "100"],
      /^score: --max-length 100 is beyond the model's context of 96 tokens$/,
    ],
    "a template that is none": [
      () => [model, "--template", "none"],
      /^none: there is no such file$/,
    ],
  };
  for (const [name, [args, message]] of Object.entries(wrong)) {
    test(`${name}: a sentence, exit code 1, no file`, async () => {
      const out = join(folder, "never");
      const { said, code } = await twoheadsHere(["score", ...args(), "--out", out]);
      assert.match(said, message);
      assert.equal(code, 1);
      assert.equal(existsSync(out), false);
    });
  }

  test("an output that can't be written", async () => {
    const blocked = join(folder, "blocked");
    mkdirSync(blocked);
    const file = at("good.jsonl", jsonl(lines));
    const { said, code } = await twoheadsHere(["score", model, file, "--out", blocked]);
    assert.match(said, /blocked: /);
    assert.equal(code, 1);
  });

  test("leniently: a line that is none has an error, the others their rewards", async () => {
    const long = { prompt: "a", response: "mat ".repeat(200) };
    const file = at("mixed.jsonl", jsonl([lines[0], "{", long, lines[1]]));
    const out = join(folder, "out.jsonl");
    const { said, code, records } = await recordsIn(out, [file, "--lenient"]);
    assert.deepEqual(
      records.map(({ reward }) => reward !== null),
      [true, false, false, true],
    );
    assert.match(records[1]?.error as string, /mixed.jsonl:2: is not JSON/);
    assert.match(records[2]?.error as string, /is longer than 64 tokens/);
    assert.match(said, /2 without a reward, with an error instead/);
    assert.equal(code, 1);
  });
});
