// Held-out pairs by prompt: no prompt is on both sides, whoever draws; where every prompt has one pair, the draw is that of
// earlier versions, so that their results hold. And what is in common is counted. Next: grm.data.test.ts.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type Draw, random } from "../core/index.ts";
import { holdOut, overlapOf, pairsFromFiles } from "../grm/data/index.ts";
import type { Pair } from "../grm/pairs.ts";
import { ByteTokenizer } from "../nn/index.ts";
import { holds } from "../testing/property.ts";

const sequence = { ids: Int32Array.of(1), labels: Int32Array.of(1) };
const pairsOf = (prompts: readonly (string | undefined)[]): Pair[] =>
  prompts.map((promptKey, line) => ({
    ...{ chosen: sequence, rejected: sequence, line },
    ...(promptKey !== undefined && { promptKey }),
  }));
const keysOf = (pairs: readonly Pair[]) => new Set(pairs.map(({ promptKey }) => promptKey));

describe("holding out by prompt", () => {
  test("no prompt is on both sides, every pair is on one, and no more than the share is held out", () => {
    const draw = ({ integer, pick }: Draw) => {
      const n = integer(1, 60);
      const kinds = pick(1, 3, n);
      return {
        prompts: Array.from({ length: n }, () => `p${integer(1, kinds)}`),
        share: integer(0, 9) / 10,
        seed: integer(0, 99),
      };
    };
    holds("no prompt is on both sides", draw, ({ prompts, share, seed }) => {
      const pairs = pairsOf(prompts);
      const { training, validation } = holdOut(pairs, share, random(seed));
      if (keysOf(pairs).size === 1)
        return assert.equal(validation.length, Math.floor(prompts.length * share));
      const known = keysOf(training);
      assert.deepEqual(
        [...keysOf(validation)].filter((key) => known.has(key)),
        [],
      );
      const lines = [...training, ...validation].map(({ line }) => line ?? 0);
      assert.deepEqual(
        lines.sort((a, b) => a - b),
        [...prompts.keys()],
      );
      const most = Math.floor(prompts.length * share);
      const isOne = keysOf(validation).size === 1; // the one that is held out though it has too many pairs
      assert.ok(validation.length <= most || isOne, `${validation.length} of at most ${most}`);
      assert.equal(validation.length > 0, most > 0);
    });
  });

  test("prompts of their own, or none: the first pairs of the permutation, as ever", () => {
    for (const prompts of [(i: number) => `p${i}`, () => undefined]) {
      const pairs = pairsOf(Array.from({ length: 97 }, (_, i) => prompts(i)));
      const drawn = [...random(7).fork("hold out").permutation(97).subarray(0, 9)].sort(
        (a, b) => a - b,
      );
      const { validation } = holdOut(pairs, 0.1, random(7).fork("hold out"));
      assert.deepEqual(
        validation.map(({ line }) => line),
        drawn,
      );
    }
  });

  test("pairs of a single prompt are drawn one by one, and the overlap tells", () => {
    const { training, validation } = holdOut(pairsOf(["p", "p", "p", "p"]), 0.5, random(0));
    assert.deepEqual([training.length, validation.length], [2, 2]);
    assert.equal(overlapOf(validation, training).pairs, 2);
  });

  test("a prompt is the same whatever its blanks and case, its tokenizer and its cut", async () => {
    const lines = [
      { prompt: "What is it?", chosen: "a", rejected: "b" },
      { messages: [{ role: "user", content: "what  is\nit? " }], chosen: "c", rejected: "dd" },
      { prompt: "What is that?", chosen: "a", rejected: "b" },
    ];
    const bytes = new TextEncoder().encode(lines.map((line) => JSON.stringify(line)).join("\n"));
    const read = (maxLength: number) =>
      pairsFromFiles(new Map([["a.jsonl", bytes]]), { tokenizer: new ByteTokenizer(), maxLength });
    const { pairs } = await read(99);
    const cut = (await read(8)).pairs;
    assert.equal(pairs[0]?.promptKey, pairs[1]?.promptKey);
    assert.notEqual(pairs[0]?.promptKey, pairs[2]?.promptKey);
    assert.deepEqual(
      cut.map(({ promptKey }) => promptKey),
      pairs.map(({ promptKey }) => promptKey),
    );
  });

  test("what is in common is counted, by prompt and by pair", () => {
    const overlap = overlapOf(pairsOf(["a", "a", "b", undefined]), pairsOf(["a", "c", undefined]));
    assert.deepEqual(overlap, { prompts: 1, ofPrompts: 2, pairs: 2, ofPairs: 4 });
  });
});
