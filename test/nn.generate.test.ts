// Generation: what a real model wrote elsewhere is written here too; batches, prompts of several lengths
// and sequences that end early change nothing for the others; seeds repeat; memory stays constant.
// Next: ../nn/generate.ts.

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import {
  currentDevice,
  device,
  noGrad,
  random,
  registerDevice,
  type Tensor,
  tensor,
  use,
} from "../core/index.ts";
import {
  CausalLM,
  configFromHF,
  edit,
  type Generated,
  generate,
  generateAsync,
  type ModelOptions,
} from "../nn/index.ts";
import { readLlama2c } from "../nn/node.ts";
import { best, draw, likeliest } from "../nn/sampling.ts";
import { holds } from "../testing/property.ts";

/** A case of golden/nn/sampling.json. */
interface Warped {
  readonly logits: number[];
  readonly temperature: number;
  readonly k: number | null;
  readonly p: number | null;
  readonly probabilities: number[];
}

const styles: Record<string, ModelOptions> = {
  llama: { vocabSize: 13, dim: 16, layers: 2, heads: 4, kvHeads: 2, context: 24, initStd: 0.3 },
  gpt2: { style: "gpt2", vocabSize: 13, dim: 16, layers: 2, heads: 2, context: 24, initStd: 0.3 },
  lstm: { style: "lstm", vocabSize: 13, dim: 16, layers: 2 },
};
const made = (name: string): CausalLM =>
  new CausalLM(styles[name] as ModelOptions, { rng: random(4) });

/** The likeliest token after a sequence, without a cache. */
function greedy(lm: CausalLM, tokens: readonly number[]): number {
  const ids = tensor([[...tokens]], { dtype: "int32" });
  const logits = noGrad(() => lm.forward(ids))
    .slice({ dim: 1, start: -1 })
    .reshape([-1]);
  return best(logits.data);
}

const tokensOf = (results: readonly Generated[]): (readonly number[])[] =>
  results.map(({ tokens }) => tokens);

describe("greedy continuations", () => {
  for (const name of Object.keys(styles)) {
    test(`of a ${name} are those of reading the whole sequence again for each token`, () => {
      const lm = made(name).eval();
      holds(
        `${name} greedy`,
        (d) =>
          Array.from({ length: d.integer(1, 3) }, () =>
            Array.from({ length: d.integer(1, 4) }, () => d.integer(0, 12)),
          ),
        (prompts) => {
          const results = generate(lm, prompts, { temperature: 0, maxTokens: 5 });
          prompts.forEach((prompt, i) => {
            const tokens = [...prompt];
            for (let t = 0; t < 5; t++) tokens.push(greedy(lm, tokens));
            assert.deepEqual(results[i]?.tokens, tokens.slice(prompt.length));
            assert.equal(results[i]?.prompt, i);
          });
        },
        { runs: 8, show: JSON.stringify },
      );
    });
  }

  test("end at a stop token, at maxTokens, or where the context is full", () => {
    const lm = made("llama");
    const [free] = generate(lm, [[1, 2]], { temperature: 0, maxTokens: 100 });
    assert.equal(free?.finish, "context");
    assert.equal(free?.tokens.length, 24 - 2 + 1, "the last token needs no place");
    const stop = free?.tokens[2] ?? 0;
    const end = (free?.tokens ?? []).indexOf(stop) + 1;
    const options = { temperature: 0, maxTokens: 6 };
    const [stopped] = generate(lm, [[1, 2]], { ...options, stop: [stop] });
    assert.deepEqual(stopped, { prompt: 0, tokens: free?.tokens.slice(0, end), finish: "stop" });
    const [short] = generate(lm, [[1, 2]], options);
    assert.deepEqual(short, { prompt: 0, tokens: free?.tokens.slice(0, 6), finish: "length" });
    const both = generate(
      lm,
      [
        [1, 2],
        [1, 2],
      ],
      {
        ...options,
        stop: (tokens, sequence) => sequence === 0 && tokens.length === 2,
      },
    );
    assert.deepEqual(
      both.map(({ finish }) => finish),
      ["stop", "length"],
    );
    assert.deepEqual(both[1]?.tokens, short?.tokens, "the other goes on alone");
  });
});

describe("drawn continuations", () => {
  test("repeat with the seed, and don't depend on who else is in the batch or ends early", () => {
    for (const name of Object.keys(styles)) {
      const lm = made(name);
      const options = { maxTokens: 12, samples: 6, stop: [3, 7] };
      const run = (seed: number): Generated[] =>
        generate(lm, [[1, 2, 3], [4]], { ...options, rng: random(seed) });
      const results = run(1);
      assert.deepEqual(results, run(1), "the same seed");
      assert.notDeepEqual(tokensOf(results), tokensOf(run(2)), "another seed");
      assert.deepEqual(
        results.map(({ prompt }) => prompt),
        [0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1],
      );
      assert.ok(new Set(results.map(({ tokens }) => tokens.length)).size > 2, "several lengths");
      for (const { tokens, finish } of results) {
        assert.equal(finish, stopsAt(tokens) ? "stop" : "length");
        assert.ok(tokens.slice(0, -1).every((token) => token !== 3 && token !== 7));
      }
      const alone = generate(lm, [[1, 2, 3]], { ...options, rng: random(1) });
      assert.deepEqual(tokensOf(alone), tokensOf(results.slice(0, 6)), "without the other prompt");
    }
  });

  test("of one generator go on from call to call", () => {
    const lm = made("llama");
    const rng = random(1);
    const run = (): Generated[] => generate(lm, [[1]], { maxTokens: 8, samples: 4, rng });
    assert.notDeepEqual(run(), run());
  });

  test("are the same read at once or later, and leave the model as it was", async () => {
    const lm = made("llama");
    const options = { maxTokens: 4, samples: 2 };
    const now = generate(lm, [[1]], { ...options, rng: random(1) });
    assert.deepEqual(await generateAsync(lm, [[1]], { ...options, rng: random(1) }), now);
    assert.equal(lm.model.training, true);
    assert.throws(() => generate(lm, [[99]], { temperature: 0, maxTokens: 1 }), /index 99/);
    assert.equal(lm.model.training, true, "also after an error");
  });

  test("follow edited activations", () => {
    const lm = made("llama");
    const plain = generate(lm, [[1]], { temperature: 0, maxTokens: 4 });
    const run = (): Generated[] => generate(lm, [[1]], { temperature: 0, maxTokens: 4 });
    const edited = edit(lm, { hidden: (x: Tensor) => x.neg() }, run);
    assert.notDeepEqual(edited, plain);
  });

  function stopsAt(tokens: readonly number[]): boolean {
    return [3, 7].includes(tokens.at(-1) ?? -1);
  }
});

describe("choosing a token", () => {
  const row = Float32Array.of(0.1, 0.4, 0.05, 0.25, 0.2);
  const drawn = (options: object): Set<number> => {
    const rng = random(1);
    return new Set(Array.from({ length: 400 }, () => draw(row, options, rng)));
  };

  test("top-k and top-p leave the likeliest", () => {
    assert.deepEqual(drawn({}), new Set([0, 1, 2, 3, 4]));
    assert.deepEqual(drawn({ topK: 1 }), new Set([1]));
    assert.deepEqual(drawn({ topK: 3 }), new Set([1, 3, 4]));
    assert.deepEqual(drawn({ topP: 0.5 }), new Set([1, 3]));
    assert.deepEqual(drawn({ topP: 0.39 }), new Set([1]));
    assert.deepEqual(drawn({ topK: 2, topP: 0.6 }), new Set([1]), "of the mass that top-k leaves");
    assert.deepEqual(drawn({ topK: 100, topP: 1 }), new Set([0, 1, 2, 3, 4]));
    assert.equal(draw(Float32Array.of(0.5, 0.5), { topK: 1 }, random(1)), 0, "the first of equals");
  });

  test("as Hugging Face's warpers do: temperature, then top-k, then top-p of what top-k left", () => {
    const path = fileURLToPath(new URL("golden/nn/sampling.json", import.meta.url));
    const { cases } = JSON.parse(readFileSync(path, "utf8")) as { cases: Warped[] };
    assert.ok(cases.length > 100);
    for (const { logits, temperature, k, p, probabilities } of cases) {
      const row = tensor(logits, { dtype: "float64" }).div(temperature).softmax({ dim: 0 }).data;
      const kept = likeliest(row, {
        ...(k !== null && { topK: k }),
        ...(p !== null && { topP: p }),
      });
      const tokens = kept ?? [...row.keys()];
      const total = tokens.reduce((sum, i) => sum + (row[i] ?? 0), 0);
      const found = [...row].map((x, i) => (tokens.includes(i) ? x / total : 0));
      found.forEach((x, i) => {
        const error = Math.abs(x - (probabilities[i] ?? Number.NaN));
        assert.ok(error < 1e-8, `${found} for ${probabilities} (k ${k}, p ${p})`);
      });
    }
  });

  test("top-k and top-p of ten tokens: two are left, since eight small ones count up to top-k", () => {
    const probabilities = Float32Array.of(0.871, 0.041, ...new Array<number>(8).fill(0.011));
    assert.deepEqual(likeliest(probabilities, { topK: 9, topP: 0.9 }), [0, 1]);
    const rng = random(3);
    const drawn = Array.from({ length: 20_000 }, () =>
      draw(probabilities, { topK: 9, topP: 0.9 }, rng),
    );
    const share = drawn.filter((token) => token === 1).length / drawn.length;
    assert.deepEqual(new Set(drawn), new Set([0, 1]));
    assert.ok(
      Math.abs(share - 0.041 / 0.912) < 4 * Math.sqrt((0.045 * 0.955) / 20_000),
      `${share}`,
    );
  });

  test("at least one token is left; all at p 1; of equals the first", () => {
    assert.deepEqual(likeliest(row, { topP: 1e-30 }), [1]);
    assert.deepEqual(likeliest(row, { topK: 5, topP: 1e-30 }), [1]);
    assert.equal(likeliest(row, { topP: 1 }), null);
    assert.deepEqual(likeliest(row, { topK: 5, topP: 1 }), [1, 3, 4, 0, 2]);
    const equal = Float32Array.of(0.25, 0.25, 0.25, 0.25);
    assert.deepEqual(likeliest(equal, { topK: 2 }), [0, 1]);
    assert.deepEqual(likeliest(equal, { topP: 0.5 }), [0, 1]);
    assert.deepEqual(likeliest(equal, { topP: 0.51 }), [0, 1, 2]);
    assert.deepEqual(likeliest(equal, { topK: 3, topP: 0.5 }), [0, 1]);
  });

  test("a share of top-p below every probability leaves the likeliest, not none", () => {
    // Hugging Face's TopPLogitsWarper (transformers 5.24.0): tokens 2, 1 and 3 alone
    const [rng, third] = [random(3), Float32Array.of(0.3, 0.3, 0.4)];
    assert.deepEqual(likeliest(third, { topP: 0.1 }), [2]);
    assert.deepEqual(likeliest(Float32Array.of(0.49, 0.51), { topK: 9, topP: 0.25 }), [1]);
    assert.deepEqual(likeliest(Float32Array.of(0.2, 0.2, 0.19, 0.22, 0.19), { topP: 1e-6 }), [3]);
    for (let i = 0; i < 20; i++) assert.equal(draw(third, { topP: 0.1 }, rng), 2);
  });

  test("top-p 1 leaves all that top-k left, whatever rounding makes of their sum", () => {
    assert.deepEqual(likeliest(Float32Array.of(1, 1e-10, 0), { topK: 9, topP: 1 }), [0, 1, 2]);
  });

  test("numbers that are none are an error, wherever they stand", () => {
    const rng = random(1);
    for (const place of [0, 2, 4]) {
      const broken = row.map((x, i) => (i === place ? Number.NaN : x));
      assert.throws(() => best(broken), new RegExp(`the logit of token ${place} is NaN`));
      for (const options of [{}, { topK: 2 }, { topP: 0.5 }, { topK: 2, topP: 0.5 }])
        assert.throws(
          () => draw(broken, options, rng),
          new RegExp(`that of token ${place} is NaN`),
        );
    }
    assert.throws(() => best(row.map(() => -Infinity)), /all logits are -Infinity/);
    const lm = made("llama");
    lm.lmHead.weight.assign(noGrad(() => lm.lmHead.weight.mul(Number.NaN)));
    for (const temperature of [0, 1])
      assert.throws(
        () => generate(lm, [[1]], { maxTokens: 1, temperature, rng }),
        /token 0 is NaN/,
      );
  });

  test("draws with the probabilities of the row", () => {
    const rng = random(7);
    const counts = [0, 0, 0, 0, 0];
    for (let i = 0; i < 20_000; i++) {
      const token = draw(row, {}, rng);
      counts[token] = (counts[token] ?? 0) + 1;
    }
    counts.forEach((n, i) => {
      const p = row[i] ?? 0;
      const deviation = Math.sqrt(20_000 * p * (1 - p));
      assert.ok(Math.abs(n - 20_000 * p) < 4 * deviation, `${i}: ${n} of ${20_000 * p}`);
    });
  });

  test("never draws what has no probability", () => {
    const rng = random(1);
    const zeros = Float32Array.of(0, 0.5, 0, 0.5, 0);
    for (let i = 0; i < 200; i++) assert.ok([1, 3].includes(draw(zeros, {}, rng)));
    assert.throws(() => draw(Float32Array.of(Number.NaN), {}, rng), /sum to NaN/);
  });

  test("the lowest temperatures are the best, and no overflow", () => {
    const lm = made("llama");
    const tokens = (temperature: number) =>
      generate(lm, [[1, 2]], { maxTokens: 5, temperature, rng: random(1) })[0]?.tokens;
    const greedy = tokens(0);
    for (const temperature of [1e-7, 1e-20, 1e-40, 1e-300, 5e-324])
      assert.deepEqual(tokens(temperature), greedy);
  });

  test("a low temperature comes near the best, a high one near chance", () => {
    const lm = made("llama");
    const run = (temperature: number): (readonly number[])[] =>
      tokensOf(generate(lm, [[1]], { temperature, maxTokens: 3, samples: 20, rng: random(1) }));
    const [cold] = generate(lm, [[1]], { temperature: 0, maxTokens: 3 });
    assert.ok(run(1e-3).every((tokens) => String(tokens) === String(cold?.tokens)));
    assert.ok(new Set(run(100).map(String)).size > 15);
  });
});

describe("memory", () => {
  let live = 0;
  const counted = <X>(buffers: X, count: number): X => {
    live += count;
    return buffers;
  };
  registerDevice("counting", () => {
    const base = device("reference");
    return {
      ...base,
      name: "counting",
      upload: (data, dtype) => counted(base.upload(data, dtype), 1),
      run: (call) => {
        const buffers = base.run(call);
        return counted(buffers, buffers.length);
      },
      free: () => {
        live--;
      },
    };
  });

  for (const name of Object.keys(styles)) {
    test(`a ${name} holds as many tensors after each token, and none in the end`, () => {
      const before = currentDevice().name;
      use("counting");
      try {
        const lm = made(name);
        const counts: number[] = [];
        const stop = (tokens: readonly number[], sequence: number): boolean => {
          if (sequence === 5) counts.push(live);
          return sequence < tokens.length - 8; // one after the other from the 9th token on
        };
        const prompts = [[1, 2, 3], [4]];
        const run = (): void => {
          generate(lm, prompts, { maxTokens: 16, samples: 3, stop, rng: random(1) });
        };
        run(); // makes the tables of rotary positions
        const start = live;
        counts.length = 0;
        run();
        assert.equal(live, start);
        assert.equal(counts.length, 14);
        assert.equal(new Set(counts.slice(1)).size, 1, `${counts}`);
      } finally {
        use(before);
      }
    });
  }
});

test("mistakes", () => {
  const lm = made("llama");
  const fails = (prompts: number[][], options: object, message: RegExp): void => {
    assert.throws(
      () => generate(lm, prompts, { maxTokens: 1, rng: random(1), ...options }),
      message,
    );
  };
  fails([], {}, /got no prompts/);
  fails([[1], []], {}, /prompt 1 is empty/);
  fails([new Array<number>(25).fill(1)], {}, /25 tokens, the model's context holds 24/);
  fails([[1]], { maxTokens: 0 }, /maxTokens 0/);
  fails([[1]], { samples: 1.5 }, /samples 1.5/);
  fails([[1]], { temperature: -1 }, /temperature -1/);
  fails([[1]], { topK: 0 }, /topK 0/);
  fails([[1]], { topP: 0 }, /topP 0/);
  fails([[1]], { rng: undefined }, /needs a generator/);
});

// --- A real model --------------------------------------------------------------------------------------

const root = fileURLToPath(new URL("..", import.meta.url));
const stories = join(process.env.TWOHEADS_DATA ?? join(root, "../shared/data"), "stories260k");
const skip = existsSync(stories) ? false : `needs ${stories} (TWOHEADS_DATA)`;

interface Story {
  readonly args: string;
  readonly prompt?: string;
  readonly tokens: number[];
}

describe("a pretrained Llama (stories260k)", { skip }, () => {
  const load = (): CausalLM => {
    const { config, tensors } = readLlama2c(join(stories, "stories260K.bin"));
    const lm = new CausalLM(configFromHF(config), { rng: random(1) });
    lm.loadStateDict(tensors);
    return lm;
  };

  test("writes the stories that llama2.c's run.c writes", () => {
    const text = readFileSync(join(stories, "golden/generation.json"), "utf8");
    const { cases } = JSON.parse(text) as { cases: Story[] };
    const argmax = cases.filter(({ args }) => args.startsWith("-t 0.0"));
    assert.ok(argmax.length > 2);
    // from the start token; or, where there was a prompt, from some place behind it
    const prompts = argmax.map(({ prompt, tokens }) => tokens.slice(0, prompt ? 30 : 1));
    const written = generate(load(), prompts, { temperature: 0, maxTokens: 100 });
    argmax.forEach(({ tokens }, i) => {
      const from = prompts[i]?.length ?? 0;
      assert.deepEqual(written[i]?.tokens, tokens.slice(from, from + 100));
    });
  });
});
