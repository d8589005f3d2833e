// Rotary positions: a query and a key turned by their positions, so that their product knows the distance.
// Next: ropeTables.ts for the angles, attention.ts.

import type { Draw } from "../../draw.ts";
import { checkFloat } from "../../dtype.ts";
import { ShapeError } from "../../errors.ts";
import { fused, like } from "../../kinds.ts";
import type { Block, Op } from "../../op.ts";
import {
  broadcastStrides,
  broadcastsTo,
  formatShape,
  type Shape,
  sameShape,
  walkStrides,
} from "../../shape.ts";
import type { Tensor } from "../../tensor.ts";
import { cat, stack } from "../view.ts";

interface Rotation {
  readonly interleaved: boolean;
  readonly inverse: boolean;
}

/** Which elements rope turns together, and which way. */
export interface RopeOptions {
  /** Pairs are neighbours (2i, 2i+1), as in llama2.c, instead of (i, i + D/2), as on Hugging Face. */
  readonly interleaved?: boolean;
  /** Rotation the other way. */
  readonly inverse?: boolean;
}

/** For every pair of x: its two places, and its place in the broadcast tables. */
function eachPair(
  x: Shape,
  table: Shape,
  interleaved: boolean,
  visit: (first: number, second: number, at: number) => void,
): void {
  const half = (x.at(-1) ?? 0) / 2;
  const rows = x.slice(0, -1);
  const strides = broadcastStrides(table, [...rows, half]).slice(0, -1);
  const step = table.at(-1) === 1 ? 0 : 1;
  walkStrides(rows, [strides], ([at = 0], row) => {
    const start = row * 2 * half;
    for (let i = 0; i < half; i++) {
      if (interleaved) visit(start + 2 * i, start + 2 * i + 1, at + i * step);
      else visit(start + i, start + i + half, at + i * step);
    }
  });
}

/** (a, b) to (a cos - b sin, a sin + b cos) for every pair. */
function turn(
  y: Block,
  x: Block,
  cos: Block,
  sin: Block,
  interleaved: boolean,
  sign: number,
): void {
  eachPair(x.shape, cos.shape, interleaved, (first, second, at) => {
    const [a, b] = [x.data[first] ?? 0, x.data[second] ?? 0];
    const [c, s] = [cos.data[at] ?? 0, sign * (sin.data[at] ?? 0)];
    y.data[first] = a * c - b * s;
    y.data[second] = a * s + b * c;
  });
}

function ropeDefinition(
  x: Tensor,
  cos: Tensor,
  sin: Tensor,
  { interleaved, inverse }: Rotation,
): Tensor {
  const half = (x.shape.at(-1) ?? 0) / 2;
  const part = (i: number): Tensor =>
    interleaved
      ? x.slice({ dim: -1, start: i, step: 2 })
      : x.slice({ dim: -1, start: i * half, end: (i + 1) * half });
  const [a, b] = [part(0), part(1)];
  const s = inverse ? sin.neg() : sin;
  const [first, second] = [a.mul(cos).sub(b.mul(s)), a.mul(s).add(b.mul(cos))];
  if (!interleaved) return cat([first, second], { dim: -1 });
  return stack([first, second], { dim: -1 }).reshape(x.shape);
}

/**
 * Rotary position embedding (2104.09864): turns each pair of x [..., T, D] by the angle of its position.
 * cos and sin (see ropeTables) broadcast to [..., T, D/2]; tables that learn run the definition.
 */
export const rope: Op<
  (x: Tensor, cos: Tensor, sin: Tensor, options?: RopeOptions) => Tensor,
  [x: Tensor, cos: Tensor, sin: Tensor, options: Rotation]
> = fused({
  definition: ropeDefinition,
  infer: like,
  forward: ([y], x, cos, sin, { interleaved, inverse }) =>
    turn(y, x, cos, sin, interleaved, inverse ? -1 : 1),
  vjp: (g, _y, _x, cos, sin, { interleaved, inverse }) => [
    g.rope(cos, sin, { interleaved, inverse: !inverse }),
  ],
  call:
    (run) =>
    (x, cos, sin, { interleaved = false, inverse = false } = {}) => {
      checkRope(x, cos, sin);
      const rule = cos.requiresGrad || sin.requiresGrad ? ropeDefinition : run;
      return rule(x, cos, sin, { interleaved, inverse });
    },
  takes: "x: Tensor, cos: Tensor, sin: Tensor, { interleaved?: boolean, inverse?: boolean }",
  example: "tensor([[1, 0]]).rope(tensor([[0]]), tensor([[1]]))  // [[0, 1]]",
  draw: (d: Draw) => {
    const [T, half] = [d.integer(0, 3), d.integer(1, 2)];
    const angles = d.tensor(d.pick<Shape>([T, half], [1, half]));
    const x = d.tensor([...d.shape({ maxRank: 2, maxSide: 2 }), T, 2 * half]);
    return [x, angles.cos(), angles.sin(), { interleaved: d.pick(true, false) }];
  },
});

function checkRope(x: Tensor, cos: Tensor, sin: Tensor): void {
  for (const t of [x, cos, sin]) checkFloat("rope", t.dtype);
  const D = x.shape.at(-1) ?? 1;
  const to = [...x.shape.slice(0, -1), D / 2];
  const fits = Number.isInteger(D / 2) && broadcastsTo("rope", cos.shape, to);
  if (fits && sameShape(cos.shape, sin.shape) && cos.dtype === x.dtype && sin.dtype === x.dtype)
    return;
  throw new ShapeError(
    `rope: x ${x.dtype} ${formatShape(x.shape)}, cos ${cos.dtype} ${formatShape(cos.shape)}, sin ${sin.dtype} ` +
      `${formatShape(sin.shape)}: needed one dtype, D even, and tables that broadcast to ${formatShape(to)}`,
  );
}
