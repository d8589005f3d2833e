// Dropout: elements become 0 at random, and the others grow so that the mean stays. Next: rope.ts.

import { checkFloat } from "../../dtype.ts";
import { fused, like } from "../../kinds.ts";
import type { Block, Op } from "../../op.ts";
import { Random } from "../../random.ts";
import type { Tensor } from "../../tensor.ts";
import { checkDrop, type Drop, dropMask, scaleOf, survives } from "./drop.ts";

/** How much dropout drops, and where chance comes from. */
export interface DropoutOptions {
  /** Probability that an element becomes 0; the others are scaled by 1 / (1 - p). */
  readonly p: number;
  /** Where the mask comes from: one draw seeds it. */
  readonly rng: Random;
}

function dropElements(to: Block, from: Block, drop: Drop): void {
  for (let i = 0; i < from.data.length; i++)
    to.data[i] = survives(i, drop) ? (from.data[i] ?? 0) * scaleOf(drop.p, from.dtype) : 0;
}

/** Zeroes elements at random and scales the rest so that the mean stays. */
export const dropout: Op<(x: Tensor, options: DropoutOptions) => Tensor, [x: Tensor, drop: Drop]> =
  fused({
    definition: (x: Tensor, drop: Drop) => x.mul(dropMask(x, x.shape, drop)),
    infer: like,
    forward: ([y], x, drop) => dropElements(y, x, drop),
    backward: ([dx], g, _results, _x, drop) => dx && dropElements(dx, g, drop),
    call:
      (run: (x: Tensor, drop: Drop) => Tensor, { name }) =>
      (x, { p, rng }) => {
        checkFloat(name, x.dtype);
        const drop = checkDrop(name, p, rng);
        return p === 0 ? x : run(x, drop);
      },
    takes: "x: Tensor, { p: number, rng: Random }",
    example: "ones([4]).dropout({ p: 0.5, rng: random(1) })  // [0, 0, 2, 0]",
    draw: (d) => [d.tensor(d.shape()), { p: d.pick(0, 0.25, 0.5), rng: Random.from(1) }],
  });
