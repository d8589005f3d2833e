// The benchmark's promise: nothing is timed before it is right. A contestant that is wrong by one part
// in a thousand, and one that dies, get no time but a sentence; the step that is raced is the textbook's.
// Next: ../bench/race.ts.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { textbookStep } from "../bench/definition.ts";
import { trainingStep } from "../bench/gpt.ts";
import { ours, race } from "../bench/race.ts";
import { sizes } from "../bench/works.ts";
import { use } from "../core/index.ts";

const wrong = (how: string) => ({ file: "../test/wrongContestant.ts", args: [how] });

describe("a race", () => {
  test("times who is right, and puts out who is wrong or dies", async () => {
    const options = { rounds: 1, milliseconds: 5, tolerance: 1e-4 };
    const entrants = [ours(1), wrong("right"), wrong("off"), wrong("dies"), wrong("can't")];
    const finishes = await race({ kind: "matmul", n: 8 }, entrants, options);
    const [first, right, off, dies, cannot] = finishes;
    assert.ok((first?.timing?.median ?? 0) > 0);
    assert.ok((right?.timing?.median ?? 0) > 0);
    for (const out of [off, dies, cannot]) assert.equal(out?.timing, undefined);
    assert.match(off?.note ?? "", /matmul 8, wrong: \[7\] is .*, wanted .*; nothing is timed/);
    assert.match(dies?.note ?? "", /its process ended with code 3/);
    assert.equal(cannot?.note, "has no matrices");
  });
});

test("the training step of nn has the losses of the textbook's", () => {
  use("reference");
  const [nn, textbook] = [trainingStep(sizes.XS), textbookStep(sizes.XS)];
  for (let step = 0; step < 3; step++) {
    const [got, want] = [nn(), textbook()];
    assert.ok(Math.abs(got - want) < 1e-6 * want, `step ${step}: ${got}, wanted ${want}`);
  }
});
