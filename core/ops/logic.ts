// Questions about numbers (answered in bools), choosing by the answer, and changing the dtype.
// Next: reduce.ts.

import { within } from "../draw.ts";
import type { DType } from "../dtype.ts";
import { anything, type Binary, bools, elementwise, type Operand, type Unary } from "../kinds.ts";
import type { Op } from "../op.ts";
import type { Tensor } from "../tensor.ts";

const typing = bools;
const draw = within(-1, 1);

/** Whether a = b. */
export const eq: Binary = elementwise({
  typing,
  forward: (a, b) => a === b,
  example: "tensor([1, 2]).eq(2)  // [false, true]",
  draw,
});

/** Whether a ≠ b; a NaN differs from everything. */
export const ne: Binary = elementwise({
  typing,
  forward: (a, b) => a !== b,
  example: "tensor([1, 2]).ne(2)  // [true, false]",
  draw,
});

/** Whether a < b. */
export const lt: Binary = elementwise({
  typing,
  forward: (a, b) => a < b,
  example: "tensor([1, 2]).lt(2)  // [true, false]",
  draw,
});

/** Whether a <= b. */
export const le: Binary = elementwise({
  typing,
  forward: (a, b) => a <= b,
  example: "tensor([1, 3]).le(2)  // [true, false]",
  draw,
});

/** Whether a > b. */
export const gt: Binary = elementwise({
  typing,
  forward: (a, b) => a > b,
  example: "tensor([1, 3]).gt(2)  // [false, true]",
  draw,
});

/** Whether a >= b. */
export const ge: Binary = elementwise({
  typing,
  forward: (a, b) => a >= b,
  example: "tensor([1, 2]).ge(2)  // [false, true]",
  draw,
});

/** Whether both are true (not 0). */
export const logicalAnd: Binary = elementwise({
  typing,
  forward: (a, b) => a !== 0 && b !== 0,
  example: "tensor([true, true]).logicalAnd(tensor([true, false]))  // [true, false]",
  draw,
});

/** Whether at least one is true (not 0). */
export const logicalOr: Binary = elementwise({
  typing,
  forward: (a, b) => a !== 0 || b !== 0,
  example: "tensor([true, false]).logicalOr(tensor([false, false]))  // [true, false]",
  draw,
});

/** Whether exactly one is true (not 0). */
export const logicalXor: Binary = elementwise({
  typing,
  forward: (a, b) => (a !== 0) !== (b !== 0),
  example: "tensor([true, true]).logicalXor(tensor([true, false]))  // [false, true]",
  draw,
});

/** Whether the element is false (0). */
export const logicalNot: Unary = elementwise({
  typing,
  forward: (x) => x === 0,
  example: "tensor([true, false]).logicalNot()  // [false, true]",
  draw,
});

/** Whether the element is not a number. */
export const isNaN: Unary = elementwise({
  typing,
  forward: (x) => Number.isNaN(x),
  example: "tensor([1, NaN]).isNaN()  // [false, true]",
  draw,
});

/** Whether the element is neither NaN nor infinite. */
export const isFinite: Unary = elementwise({
  typing,
  forward: (x) => Number.isFinite(x),
  example: "tensor([1, Infinity]).isFinite()  // [true, false]",
  draw,
});

/** a where the condition (bool) holds, else b. The branch not taken gets gradient 0, even if it is NaN. */
export const where: Op<
  (condition: Tensor, a: Operand, b: Operand) => Tensor,
  [condition: Tensor, a: Tensor, b: Tensor, options: object]
> = elementwise({
  typing: anything,
  mask: 0,
  forward: (condition, a, b) => (condition !== 0 ? a : b),
  vjp: (g, _y, condition) => [null, () => condition.where(g, 0), () => condition.where(0, g)],
  takes: "condition: Tensor | boolean, a: Tensor | number | boolean, b: Tensor | number | boolean",
  example: "where(tensor([true, false]), tensor([1, 2]), 0)  // [1, 0]",
  draw: (d) => {
    const shape = d.shape();
    return [d.mask(shape), d.tensor(d.broadcast(shape)), d.tensor(shape)];
  },
});

/** `value` where the mask (bool) holds, x elsewhere. */
export const maskedFill: Op<
  (x: Operand, mask: Tensor, value: Operand) => Tensor,
  [x: Tensor, mask: Tensor, value: Tensor, options: object]
> = elementwise({
  typing: anything,
  mask: 1,
  forward: (x, mask, value) => (mask !== 0 ? value : x),
  vjp: (g, _y, _x, mask) => [() => mask.where(0, g), null, () => mask.where(g, 0)],
  takes: "x: Tensor | number | boolean, mask: Tensor | boolean, value: Tensor | number | boolean",
  example: "tensor([1, 2]).maskedFill(tensor([true, false]), -1)  // [-1, 2]",
  draw: (d) => {
    const shape = d.shape();
    return [d.tensor(shape), d.mask(d.broadcast(shape)), 0.5];
  },
});

/**
 * The same numbers in another dtype. To int32 the fraction is cut off and the rest taken modulo 2^32, as
 * JavaScript's `x | 0` does; infinities and NaN become 0. To bool everything but 0 is true.
 */
export const to: Op<(x: Tensor, dtype: DType) => Tensor, [x: Tensor, dtype: DType]> = elementwise({
  arity: 1,
  typing: { operands: (d) => d, result: (_, dtype) => dtype as DType },
  scalars: (dtype) => [dtype === "bool" ? 1 : 0],
  forward: (x, toBool) => (toBool === 1 ? x !== 0 : x),
  vjp: (g, _y, x) => [g.to(x.dtype)],
  takes: "x: Tensor, dtype: DType",
  example: 'tensor([1.5, -1.5]).to("int32")  // [1, -1]',
  draw: (d) => [d.tensor(d.shape()), "float64"],
});
