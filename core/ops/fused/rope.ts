// Rotary positions: a query and a key turned by their positions, so that their product knows the distance.
// Next: attention.ts.

import type { Draw } from "../../draw.ts";
import { checkFloat } from "../../dtype.ts";
import { ArgumentError, ShapeError } from "../../errors.ts";
import { fused, like } from "../../kinds.ts";
import type { Block, Op } from "../../op.ts";
import { portable } from "../../portable.ts";
import {
  broadcastShapes,
  broadcastStrides,
  formatShape,
  type Shape,
  sameShape,
  walkStrides,
} from "../../shape.ts";
import { accept, signature } from "../../signature.ts";
import { fromData, Tensor } from "../../tensor.ts";
import { cat, stack } from "../view.ts";

const takes = signature(
  "ropeTables",
  "positions: Tensor | number[], { dim: number, base?: number }",
);

interface Turn {
  readonly interleaved: boolean;
  readonly inverse: boolean;
}

/** Which elements rope turns together, and which way. */
export interface RopeOptions {
  /** Pairs are neighbours (2i, 2i+1), as in llama2.c, instead of (i, i + D/2), as on Hugging Face. */
  readonly interleaved?: boolean;
  /** Turn the other way. */
  readonly inverse?: boolean;
}

/**
 * The angle tables that rope takes: cos and sin of position * base^(-2i/dim), each [..., dim/2] float32.
 * The same bits in every engine. Reads the positions: CPU devices only, or give plain numbers.
 */
export function ropeTables(
  positions: Tensor | readonly number[],
  options: { readonly dim: number; readonly base?: number },
): { readonly cos: Tensor; readonly sin: Tensor } {
  accept(takes, arguments);
  const { dim, base = 10000 } = options;
  if (!Number.isInteger(dim / 2)) throw new ArgumentError(`ropeTables: dim ${dim} must be even`);
  const half = dim / 2;
  const [values, rows, on] =
    positions instanceof Tensor
      ? [positions.data, positions.shape, positions.device]
      : [positions, [positions.length], undefined];
  const frequencies = Array.from({ length: half }, (_, i) => portable.pow(base, (-2 * i) / dim));
  const table = (turn: (angle: number) => number): Tensor => {
    const data = new Float32Array(values.length * half);
    for (let i = 0; i < data.length; i++)
      data[i] = turn((values[Math.floor(i / half)] ?? 0) * (frequencies[i % half] ?? 0));
    return fromData(data, [...rows, half], "float32", on);
  };
  return { cos: table(portable.cos), sin: table(portable.sin) };
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
  { interleaved, inverse }: Turn,
): Tensor {
  const half = (x.shape.at(-1) ?? 0) / 2;
  const pairs = interleaved ? x.reshape([...x.shape.slice(0, -1), half, 2]) : null;
  const part = (i: number): Tensor =>
    pairs === null
      ? x.slice({ dim: -1, start: i * half, end: (i + 1) * half })
      : pairs.slice({ dim: -1, start: i, end: i + 1 }).squeeze(-1);
  const [a, b] = [part(0), part(1)];
  const s = inverse ? sin.neg() : sin;
  const [first, second] = [a.mul(cos).sub(b.mul(s)), a.mul(s).add(b.mul(cos))];
  if (pairs === null) return cat([first, second], { dim: -1 });
  return stack([first, second], { dim: -1 }).reshape(x.shape);
}

/**
 * Rotary position embedding (2104.09864): turns each pair of x [..., T, D] by the angle of its position.
 * cos and sin (see ropeTables) broadcast to [..., T, D/2]; tables that learn run the definition.
 */
export const rope: Op<
  (x: Tensor, cos: Tensor, sin: Tensor, options?: RopeOptions) => Tensor,
  [x: Tensor, cos: Tensor, sin: Tensor, options: Turn]
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
  const fits = Number.isInteger(D / 2) && sameShape(broadcastShapes("rope", cos.shape, to), to);
  if (fits && sameShape(cos.shape, sin.shape) && cos.dtype === x.dtype && sin.dtype === x.dtype)
    return;
  throw new ShapeError(
    `rope: x ${x.dtype} ${formatShape(x.shape)}, cos ${cos.dtype} ${formatShape(cos.shape)}, sin ${sin.dtype} ` +
      `${formatShape(sin.shape)}: needed one dtype, D even, and tables that broadcast to ${formatShape(to)}`,
  );
}
