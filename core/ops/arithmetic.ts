// Arithmetic: the first ops to read. Each entry is a formula for one element, its gradient written in
// ops (so that gradients of gradients come free), an example that the tests run, and the numbers that
// the tests draw.
//
// vjp ("vector-Jacobian product") is the chain rule for one op y = f(a, b): given g = dL/dy, the gradient of a
// scalar L further on, it returns [dL/da, dL/db]. For y = a b these are g b and g a. A function () => ... in its
// place is only called if that gradient is wanted; _y and _a are arguments that a rule doesn't use.
// Operands of different shapes broadcast: [2,3] and [3] meet as if the row were repeated twice. That is no
// concern here: the tape sums gradients back to each operand's shape. Next: functions.ts.

import { zerosLike } from "../creation.ts";
import { within } from "../draw.ts";
import { type Binary, elementwise, floats, type Unary } from "../kinds.ts";
import { portable } from "../portable.ts"; // Math.pow and others, with the same bits in every engine
import type { Tensor } from "../tensor.ts";

const anyNumber = within(-3, 3);
/** Tests draw multiples of 1/4; between these, so that none hits a kink, where the slope jumps (|x| at 0). */
const offGrid = within(-3, 3, { offset: 1 / 8 });
/** Either side of the pole at 0. */
const besideZero = [within(-3, -0.5), within(0.5, 3)];

/** Sum of two tensors. They broadcast; numbers count as scalars. */
export const add: Binary = elementwise({
  forward: (a, b) => a + b,
  vjp: (g) => [g, g],
  example: "tensor([1, 2]).add(tensor([10, 20]))  // [11, 22]",
  draw: anyNumber,
});

/** Difference a - b. */
export const sub: Binary = elementwise({
  forward: (a, b) => a - b,
  vjp: (g) => [g, () => g.neg()],
  example: "tensor([1, 2]).sub(1)  // [0, 1]",
  draw: anyNumber,
});

/** Product, element by element (matmul is the matrix product); of int32 modulo 2^32. */
export const mul: Binary = elementwise({
  forward: (a, b) => a * b,
  integer: (a, b) => Math.imul(a, b),
  vjp: (g, _y, a, b) => [() => g.mul(b), () => g.mul(a)],
  example: "tensor([1, 2]).mul(tensor([3, 4]))  // [3, 8]",
  draw: anyNumber,
});

/** Quotient a / b; of integers, a float32. */
export const div: Binary = elementwise({
  forward: (a, b) => a / b,
  typing: floats,
  vjp: (g, y, _a, b) => [() => g.div(b), () => g.mul(y).div(b).neg()], // d(a/b)/db = -(a/b)/b
  example: "tensor([1, 2]).div(4)  // [0.25, 0.5]",
  draw: (d) => {
    const shape = d.shape();
    return [d.tensor(shape, anyNumber), d.tensor(d.broadcast(shape), d.pick(...besideZero))];
  },
});

/** a^b for int32, modulo 2^32. A negative power of anything but 1 and -1 is cut off to 0, as a quotient would be. */
function wholePower(a: number, b: number): number {
  if (b < 0) return a === 1 ? 1 : a === -1 ? (b % 2 === 0 ? 1 : -1) : 0;
  let y = 1;
  for (let square = a, n = b; n > 0; n = Math.floor(n / 2), square = Math.imul(square, square))
    if (n % 2 === 1) y = Math.imul(y, square);
  return y;
}

/** a to the power b. 0^0 is 1, and there, as in PyTorch, both gradients are 0; so is that for b at a = 0 < b. */
export const pow: Binary = elementwise({
  forward: (a, b) => portable.pow(a, b), // IEEE 754's: 1 to any power and -1 to an infinite one are 1
  integer: (a, b) => wholePower(a, b),
  vjp: (g, y, a, b) => {
    const isConstant = b.eq(0).logicalAnd(a.reciprocal().isFinite().logicalNot()); // 1 at 0 too, and at NaN
    const zeroBase = a.eq(0).logicalAnd(b.ge(0));
    // what isn't taken is computed at 1, so that its infinities don't reach higher orders as 0 * inf
    return [
      () => g.mul(isConstant.where(0, b.mul(isConstant.where(1, a).pow(b.sub(1))))),
      () => g.mul(zeroBase.where(0, y.mul(zeroBase.where(1, a).log()))),
    ];
  },
  example: "tensor([2, 3]).pow(2)  // [4, 9]",
  draw: (d) => {
    const shape = d.shape();
    return [d.tensor(shape, within(0.5, 3)), d.tensor(d.broadcast(shape), anyNumber)];
  },
});

/** The larger of two, NaN if either is. Where they tie, each gets half of the gradient. */
export const maximum: Binary = elementwise({
  forward: (a, b) => Math.max(a, b),
  vjp: toWinner((a, b) => a.lt(b)),
  example: "tensor([1, 5]).maximum(3)  // [3, 5]",
  draw: [anyNumber, offGrid],
});

/** The smaller of two, NaN if either is. Where they tie, each gets half of the gradient. */
export const minimum: Binary = elementwise({
  forward: (a, b) => Math.min(a, b),
  vjp: toWinner((a, b) => a.gt(b)),
  example: "tensor([1, 5]).minimum(3)  // [1, 3]",
  draw: [anyNumber, offGrid],
});

/** g to the one of a and b that wins, half of it to each where they tie. */
function toWinner(loses: (x: Tensor, other: Tensor) => Tensor) {
  return (g: Tensor, _y: Tensor, a: Tensor, b: Tensor) => [
    () => g.mul(share(loses(a, b), a.eq(b))),
    () => g.mul(share(loses(b, a), a.eq(b))),
  ];
}

/** 0 where lost, 1/2 where tied, else 1. */
function share(lost: Tensor, tied: Tensor): Tensor {
  return lost.where(0, tied.where(0.5, 1));
}

/** The negative. */
export const neg: Unary = elementwise({
  forward: (x) => -x,
  vjp: (g) => [g.neg()],
  example: "tensor([1, -2]).neg()  // [-1, 2]",
  draw: anyNumber,
});

/** Absolute value; gradient 0 at 0. */
export const abs: Unary = elementwise({
  forward: (x) => Math.abs(x),
  vjp: (g, _y, x) => [g.mul(x.sign())],
  example: "tensor([1, -2]).abs()  // [1, 2]",
  draw: offGrid,
});

/** -1, 0 or 1. Its gradient is 0 everywhere. */
export const sign: Unary = elementwise({
  forward: (x) => (x > 0 ? 1 : x < 0 ? -1 : x), // keeps NaN
  vjp: (g) => [zerosLike(g)],
  example: "tensor([3, 0, -2]).sign()  // [1, 0, -1]",
  draw: offGrid,
});

/** x². */
export const square: Unary = elementwise({
  forward: (x) => x * x,
  integer: (x) => Math.imul(x, x),
  vjp: (g, _y, x) => [g.mul(x).mul(2)],
  example: "tensor([1, -3]).square()  // [1, 9]",
  draw: anyNumber,
});

/** 1 / x. */
export const reciprocal: Unary = elementwise({
  forward: (x) => 1 / x,
  typing: floats,
  vjp: (g, y) => [g.mul(y.square()).neg()],
  example: "tensor([2, -4]).reciprocal()  // [0.5, -0.25]",
  draw: (d) => [d.tensor(d.shape(), d.pick(...besideZero))],
});
