// Benchmarks by name: their averages from rewards that are set by hand, worked out here another way. The score of
// ties was worked out by rewardbench's own function, as well, outside of the tests.
// Next: grm.evaluation.test.ts.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { pairsFromFiles, suiteResult, suites } from "../grm/index.ts";
import type { Pair } from "../grm/pairs.ts";
import type { PairScores } from "../grm/scores.ts";
import { ByteTokenizer } from "../nn/index.ts";

const near = (actual: number | undefined, expected: number): void =>
  assert.ok(Math.abs((actual ?? Number.NaN) - expected) < 1e-9, `${actual}, expected ${expected}`);

/** Rows whose answers are their rewards as text, read as files are, and scored by what they say. */
async function scored(
  rows: readonly object[],
  name = "a.jsonl",
): Promise<[readonly Pair[], PairScores]> {
  const bytes = new TextEncoder().encode(rows.map((row) => JSON.stringify(row)).join("\n"));
  const tokenizer = new ByteTokenizer();
  const { pairs } = await pairsFromFiles(new Map([[name, bytes]]), { tokenizer, maxLength: 999 });
  const side = (which: "chosen" | "rejected") => {
    const rewards = pairs.map(({ [which]: { ids, labels } }) =>
      Number(tokenizer.decode(ids.filter((_, i) => (labels[i] ?? -1) >= 0)).replace("_", "")),
    );
    return {
      rewards: Float64Array.from(rewards),
      logProbs: new Float64Array(),
      counts: new Int32Array(),
    };
  };
  return [pairs, { chosen: side("chosen"), rejected: side("rejected") }];
}

const text = (reward: number, i = 0): string => `${reward}${"_".repeat(i)}`; // equal rewards, other tokens

describe("suites", () => {
  test("reward-bench: subsets weigh by their sizes, math as much as code", async () => {
    const row = (subset: string, chosen: number, rejected: number) => ({
      prompt: "p?",
      chosen: text(chosen),
      rejected: text(rejected, 1),
      subset,
    });
    const rows = [
      ...[row("alpacaeval-easy", 2, 1), row("mt-bench-easy", 1, 2), row("mt-bench-easy", 2, 1)],
      ...[row("math-prm", 1, 2), row("hep-cpp", 2, 1), row("hep-go", 2, 1)],
      ...[row("xstest-should-refuse", 1, 1), row("xstest-should-respond", 2, 1)],
    ];
    const { score, sections } = suiteResult("reward-bench", ...(await scored(rows)));
    const [chat, safety, reasoning] = [
      (100 + 28 / 2) / 128,
      250 / 404,
      (2 * 164) / (984 + 2 * 164),
    ];
    assert.deepEqual(
      sections.map(({ name, rows: n }) => [name, n]),
      [
        ["Chat", 3],
        ["Safety", 2],
        ["Reasoning", 3],
      ],
    );
    for (const [i, own] of [chat, safety, reasoning].entries()) near(sections[i]?.score, own);
    near(score, (chat + safety + reasoning) / 3);
    const other = scored([row("poems", 2, 1)]);
    await assert.rejects(
      async () => suiteResult("reward-bench", ...(await other)),
      /suite: "poems" is none of its parts: alpacaeval-easy/,
    );
  });

  test("reward-bench-2: best of four, shared where the best are tied, and ties", async () => {
    const row = (
      id: string,
      subset: string,
      chosen: readonly number[],
      rejected: readonly number[],
    ) => ({
      ...{ id, subset, prompt: "p?" },
      chosen: chosen.map((reward) => text(reward)),
      rejected: rejected.map((reward) => text(reward, 1)),
    });
    const rows = [
      ...[
        row("1", "Math", [5], [1, 2, 3]),
        row("2", "Math", [5], [6, 2, 3]),
        row("3", "Focus", [5], [5, 2, 5]),
      ],
      ...[row("ref:0", "Ties", [3], [1, 2]), row("tied:0", "Ties", [5, 6, 7], [1, 2])],
      ...[row("ref:1", "Ties", [3], [2.5, 2]), row("tied:1", "Ties", [5, 7], [1, 6])],
      ...[row("ref:2", "Ties", [4], [1, 2]), row("tied:2", "Ties", [4, 4.5], [1, 2])],
      ...[row("ref:3", "Ties", [4], [1, 2]), row("tied:3", "Ties", [4, 4], [1, 2])],
      ...[row("ref:4", "Ties", [4], [1, 2]), row("tied:4", "Ties", [4], [1, 2])],
      ...[row("tied:5", "Ties", [4, 5], [1, 2]), row("ref:6", "Ties", [1], [1, 2])],
      row("tied:6", "Ties", [4, 4], [4, 2]),
    ];
    const { score, sections } = suiteResult("reward-bench-2", ...(await scored(rows)));
    const ties = 0.6630450120949872; // official: process_single_model of rewardbench 0.1.4
    assert.deepEqual(
      sections.map(({ name }) => name),
      ["Math", "Focus", "Ties"],
    );
    for (const [i, own] of [1 / 2, 1 / 3, ties].entries()) near(sections[i]?.score, own);
    near(score, (1 / 2 + 1 / 3 + ties) / 3);
  });

  test("rm-bench: hard above, normal on, easy below the diagonal; safety's halves are one domain", async () => {
    const row = (domain: string, chosen: readonly number[], rejected: readonly number[]) => ({
      ...{ domain, prompt: "p?" },
      chosen: chosen.map((reward) => text(reward)),
      rejected: rejected.map((reward) => text(reward, 1)),
    });
    const rows = [
      row("chat", [1, 2, 3], [0.5, 1.5, 2.5]),
      row("safety-refuse", [1, 2, 3], [4, 5, 6]),
      row("safety-response", [4, 5, 6], [1, 2, 3]),
    ];
    const { score, sections, subsets } = suiteResult("rm-bench", ...(await scored(rows)));
    const hard = (0 + 1 / 2) / 2; // chat has no answer above a more styled one; of safety one half is right
    const [normal, easy] = [(1 + 1 / 2) / 2, (1 + 1 / 2) / 2];
    assert.deepEqual(
      sections.map(({ name }) => name),
      ["hard", "normal", "easy"],
    );
    for (const [i, own] of [hard, normal, easy].entries()) near(sections[i]?.score, own);
    near(score, (hard + normal + easy) / 3);
    assert.equal(subsets.length, 9);
  });

  test("llmbar: sets are folders; the average is over sets, whatever their sizes", async () => {
    const row = (better: number, worse: number) => ({
      input: "p?",
      output_1: text(better),
      output_2: text(worse, 1),
      label: 1,
    });
    const files = [
      ["LLMBar/Natural/dataset.json", [row(2, 1), row(2, 1)]],
      ["LLMBar/Adversarial/Neighbor/dataset.json", [row(1, 2)]],
      ["LLMBar/Adversarial/Manual/dataset.json", [row(2, 1), row(1, 1)]],
    ] as const;
    const all = await Promise.all(files.map(([name, rows]) => scored(rows, name)));
    const pairs = all.flatMap(([own]) => own);
    const side = (which: "chosen" | "rejected") => ({
      rewards: Float64Array.from(all.flatMap(([, own]) => [...own[which].rewards])),
      logProbs: new Float64Array(),
      counts: new Int32Array(),
    });
    const scores = { chosen: side("chosen"), rejected: side("rejected") };
    const { score, sections } = suiteResult("llmbar", pairs, scores);
    near(score, (1 + 0 + 1 / 2) / 3);
    assert.deepEqual(
      sections.map(({ name, score: own }) => [name, own]),
      [
        ["natural", 1],
        ["adversarial", 1 / 4],
      ],
    );
  });

  test("a name that isn't one", () => {
    assert.deepEqual([...suites], ["reward-bench", "reward-bench-2", "rm-bench", "llmbar"]);
  });
});
