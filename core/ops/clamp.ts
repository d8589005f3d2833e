// Holding values between two bounds, numbers or tensors: the largest and the smallest of arithmetic.ts at once.
// Next: functions.ts.

import { within } from "../draw.ts";
import type { DType } from "../dtype.ts";
import { ArgumentError } from "../errors.ts";
import { elementwise, numbers } from "../kinds.ts";
import type { Op } from "../op.ts";
import { Tensor } from "../tensor.ts";

/** Between multiples of 1/4, so that none of what tests draw lies on a bound, where the slope jumps. */
const offGrid = within(-3, 3, { offset: 1 / 8 });

/** Between what clamp holds values. A bound that is left out doesn't bind; tensors broadcast with x. */
export interface Bounds {
  readonly min?: Tensor | number;
  readonly max?: Tensor | number;
}

/** Bounds as kernels see them. */
type NumberBounds = { readonly [K in keyof Bounds]: number };

/** clamp by tensors; where x and a bound tie, each gets half of the gradient. */
function clampByTensors(x: Tensor, { min, max }: Bounds = {}): Tensor | null {
  if (min === undefined && max === undefined)
    throw new ArgumentError("clamp: got neither min nor max; write x.clamp({ min: 0 })");
  if (!(min instanceof Tensor || max instanceof Tensor)) return null;
  const low = min === undefined ? x : x.maximum(min);
  return max === undefined ? low : low.minimum(max);
}

function hasFraction({ min = 0, max = 0 }: NumberBounds): boolean {
  return Math.abs(min % 1) > 0 || Math.abs(max % 1) > 0;
}

/** Integers stay integers, unless a bound is none. */
function clampedDType(dtype: DType, bounds: NumberBounds): DType {
  return dtype === "int32" && hasFraction(bounds) ? "float32" : dtype;
}

/** Brings every value into [min, max]; either may be left out, and max wins where they cross. The gradient is 0 where it was outside. */
export const clamp: Op<(x: Tensor, options: Bounds) => Tensor, [x: Tensor, options: NumberBounds]> =
  elementwise({
    arity: 1,
    typing: {
      operands: numbers.operands,
      result: (dtype, bounds) => clampedDType(dtype, bounds as NumberBounds),
    },
    scalars: ({ min = -Infinity, max = Infinity }: NumberBounds) => [min, max],
    instead: clampByTensors,
    forward: (x, min, max) => {
      const low = x < min ? min : x;
      return low > max ? max : low;
    },
    vjp: (g, _y, x, { min = -Infinity, max = Infinity }) => [
      x.ge(min).logicalAnd(x.le(max)).where(g, 0),
    ],
    takes: "x: Tensor, { min?: Tensor | number, max?: Tensor | number }",
    example: "tensor([-2, 0.5, 2]).clamp({ min: -1, max: 1 })  // [-1, 0.5, 1]",
    draw: (d) => {
      const shape = d.shape();
      const min = d.tensor(d.broadcast(shape), within(-2, 0));
      const max = d.tensor(shape, within(0.25, 2));
      const bounds = d.pick<Bounds>({ min: -1, max: d.pick(1, 2) }, { min }, { max }, { min, max });
      return [d.tensor(shape, offGrid), bounds];
    },
  });
