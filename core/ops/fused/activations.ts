// The first *fused* ops: beside a formula that does it at once stands the textbook definition, written in
// other ops, and the formula's own derivative. Tests hold one against the other. Devices have a kernel for
// each. Next: softmax.ts, whose formulas are loops.

import { within } from "../../draw.ts";
import { elementwise, floats as typing, type Unary } from "../../kinds.ts";
import type { Op } from "../../op.ts";
import { portable } from "../../portable.ts";
import type { Tensor } from "../../tensor.ts";
import { sigmoidOf, softplusOf } from "../formulas.ts";

const draw = within(-3, 3);

/** ln sigmoid(x) = -softplus(-x): finite where ln(sigmoid(x)) would be -inf. The loss of every preference pair. */
export const logSigmoid: Unary = elementwise({
  typing,
  definition: (x: Tensor) => x.neg().softplus().neg(),
  uses: [softplusOf, sigmoidOf],
  forward: (x) => -softplusOf(-x),
  backward: (g, x) => g * sigmoidOf(-x),
  example: "tensor([0, 2]).logSigmoid()  // [-0.6931, -0.1269]",
  draw,
});

/** x sigmoid(x), also called swish. */
export const silu: Unary = elementwise({
  typing,
  definition: (x: Tensor) => x.mul(x.sigmoid()),
  uses: [sigmoidOf],
  forward: (x) => (x === -Infinity ? 0 : x * sigmoidOf(x)),
  backward: (g, x) => {
    const s = sigmoidOf(x);
    const rest = 1 - s;
    return g * s * (1 + (s === 0 || rest === 0 ? 0 : x * rest)); // infinities give the limits
  },
  example: "tensor([-1, 2]).silu()  // [-0.2689, 1.7616]",
  draw,
});

const ROOT_2_OVER_PI = Math.sqrt(2 / Math.PI);

/** The inner function of GELU's tanh form: √(2/π) (x + 0.044715 x³). */
function geluInner(x: number): number {
  return Math.sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x);
}

/** Which form of gelu: exact, or the approximation by tanh. */
export interface GeluOptions {
  /** "none" (default): x Φ(x) with erf. "tanh": the approximation that GPT-2 was trained with. */
  readonly approximate?: "none" | "tanh";
}

/** x Φ(x) with Φ the normal distribution function; see GeluOptions for the tanh form (1606.08415). */
export const gelu: Op<
  (x: Tensor, options?: GeluOptions) => Tensor,
  [x: Tensor, options: GeluOptions]
> = elementwise({
  typing,
  arity: 1,
  scalars: ({ approximate = "none" }) => [approximate === "tanh" ? 1 : 0],
  definition: (x: Tensor, { approximate = "none" }: GeluOptions = {}) => {
    const inner = x.add(x.mul(x).mul(x).mul(0.044715)).mul(ROOT_2_OVER_PI);
    const twicePhi =
      approximate === "tanh" ? inner.tanh().add(1) : x.mul(Math.SQRT1_2).erf().add(1);
    return x.mul(0.5).mul(twicePhi);
  },
  uses: [geluInner],
  forward: (x, tanhForm) => {
    if (x === -Infinity) return 0;
    return (
      0.5 *
      x *
      (1 + (tanhForm === 1 ? portable.tanh(geluInner(x)) : portable.erf(x * Math.SQRT1_2)))
    );
  },
  backward: (g, x, tanhForm) => {
    if (tanhForm === 1) {
      const t = portable.tanh(geluInner(x));
      const rest = 1 - t * t;
      const slope = Math.sqrt(2 / Math.PI) * (1 + 3 * 0.044715 * x * x);
      return g * 0.5 * (1 + t + (rest === 0 ? 0 : x * rest * slope)); // infinities give the limits
    }
    const density = portable.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI);
    const far = density === 0 ? 0 : x * density;
    return g * (0.5 * (1 + portable.erf(x * Math.SQRT1_2)) + far);
  },
  takes: 'x: Tensor, { approximate?: "none" | "tanh" }',
  example: "tensor([-1, 2]).gelu()  // [-0.1587, 1.9545]",
  draw: (d) => [d.tensor(d.shape(), draw), { approximate: d.pick("none", "tanh") }],
});
