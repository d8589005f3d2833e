// Activations whose derivative is one line. The fused ones (logSigmoid, silu, gelu) are in
// fused/activations.ts. Next: logic.ts.

import { within } from "../draw.ts";
import { elementwise, floats, numbers, type Unary } from "../kinds.ts";
import { sigmoidOf, softplusOf } from "./formulas.ts";

const typing = floats;
const draw = within(-3, 3);

/** 1 / (1 + e^-x): any number to (0, 1). */
export const sigmoid: Unary = elementwise({
  typing,
  uses: [sigmoidOf],
  forward: (x) => sigmoidOf(x),
  vjp: (g, y) => [g.mul(y.mul(y.neg().add(1)))], // y (1 - y)
  example: "tensor([0, 2]).sigmoid()  // [0.5, 0.8808]",
  draw,
});

/** ln(1 + e^x), a smooth relu. */
export const softplus: Unary = elementwise({
  typing,
  uses: [softplusOf],
  forward: (x) => softplusOf(x),
  vjp: (g, _y, x) => [g.mul(x.sigmoid())],
  example: "tensor([0, 2]).softplus()  // [0.6931, 2.1269]",
  draw,
});

/** max(x, 0); gradient 0 at 0. */
export const relu: Unary = elementwise({
  typing: numbers,
  forward: (x) => (x < 0 ? 0 : x), // keeps NaN
  vjp: (g, y) => [y.le(0).where(0, g)],
  example: "tensor([-1, 2]).relu()  // [0, 2]",
  draw: within(-3, 3, { offset: 1 / 8 }),
});
