// Functions of one number, with the derivative that every calculus book has beside them. Integers
// become float32. portable's functions stand for Math's, whose last bits are the engine's own.
// Next: activations.ts for the ones that networks are made of.

import { within } from "../draw.ts";
import { elementwise, floats, type Unary } from "../kinds.ts";
import { portable } from "../portable.ts";

const typing = floats;

/** e^x. */
export const exp: Unary = elementwise({
  typing,
  forward: (x) => portable.exp(x),
  vjp: (g, y) => [g.mul(y)],
  example: "tensor([0, 1]).exp()  // [1, 2.7183]",
  draw: within(-3, 3),
});

/** e^x - 1, exact near 0. */
export const expm1: Unary = elementwise({
  typing,
  forward: (x) => portable.expm1(x),
  vjp: (g, y) => [g.mul(y.add(1))],
  example: "tensor([0, 1]).expm1()  // [0, 1.7183]",
  draw: within(-3, 3),
});

/** Natural logarithm; -inf at 0, NaN below. */
export const log: Unary = elementwise({
  typing,
  forward: (x) => portable.log(x),
  vjp: (g, _y, x) => [g.div(x)],
  example: "tensor([1, 10]).log()  // [0, 2.3026]",
  draw: within(0.25, 4),
});

/** ln(1 + x), exact near 0. */
export const log1p: Unary = elementwise({
  typing,
  forward: (x) => portable.log1p(x),
  vjp: (g, _y, x) => [g.div(x.add(1))],
  example: "tensor([0, 1]).log1p()  // [0, 0.6931]",
  draw: within(-0.75, 3),
});

/** Square root; NaN below 0. */
export const sqrt: Unary = elementwise({
  typing,
  forward: (x) => Math.sqrt(x),
  vjp: (g, y) => [g.div(y.mul(2))],
  example: "tensor([4, 9]).sqrt()  // [2, 3]",
  draw: within(0.25, 4),
});

/** 1 / sqrt(x). */
export const rsqrt: Unary = elementwise({
  typing,
  forward: (x) => 1 / Math.sqrt(x),
  vjp: (g, y) => [g.mul(y.mul(y).mul(y)).mul(-0.5)],
  example: "tensor([4, 16]).rsqrt()  // [0.5, 0.25]",
  draw: within(0.25, 4),
});

/** Sine of an angle in radians. */
export const sin: Unary = elementwise({
  typing,
  forward: (x) => portable.sin(x),
  vjp: (g, _y, x) => [g.mul(x.cos())],
  example: "tensor([0, 1]).sin()  // [0, 0.8415]",
  draw: within(-3, 3),
});

/** Cosine of an angle in radians. */
export const cos: Unary = elementwise({
  typing,
  forward: (x) => portable.cos(x),
  vjp: (g, _y, x) => [g.mul(x.sin()).neg()],
  example: "tensor([0, 1]).cos()  // [1, 0.5403]",
  draw: within(-3, 3),
});

/** Hyperbolic tangent: squashes any number into (-1, 1). */
export const tanh: Unary = elementwise({
  typing,
  forward: (x) => portable.tanh(x),
  vjp: (g, y) => [g.mul(y.mul(y).neg().add(1))], // 1 - y²
  example: "tensor([0, 1]).tanh()  // [0, 0.7616]",
  draw: within(-3, 3),
});

/** The error function 2/√π ∫₀ˣ exp(-t²) dt. */
export const erf: Unary = elementwise({
  typing,
  forward: (x) => portable.erf(x),
  vjp: (g, _y, x) => [g.mul(x.square().neg().exp()).mul(2 / Math.sqrt(Math.PI))],
  example: "tensor([0, 1]).erf()  // [0, 0.8427]",
  draw: within(-3, 3),
});
