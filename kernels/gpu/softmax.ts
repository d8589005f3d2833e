// Softmax and its logarithm, over lines of numbers: a few kernels, of which some make a number for each
// line (its largest, its sum) and one makes every cell from that. Line (o, i) has its elements at
// (o n + k) inner + i. Next: crossEntropy.ts.

import { around } from "../../core/shape.ts";
import { type Helper, kernel, type Numbers, type Thread } from "./compile.ts";
import { expOf, lineOf, logOf, quotient } from "./math.ts";
import { max } from "./reduce.ts";
import { bufferOf, type GpuRule, type GpuRules } from "./rule.ts";

const helpers: readonly Helper[] = [
  expOf as Helper,
  logOf as Helper,
  quotient as Helper,
  lineOf as Helper,
];

/** For each line, Σ exp(x - max). */
export const mass = kernel(
  "softmax.mass",
  2,
  function (this: Thread, x: Numbers, largest: Numbers, n: number, inner: number) {
    const i = this.thread.x;
    const o = quotient(i, inner);
    const first = o * n * inner + i - o * inner;
    const m = largest[i]!;
    let sum = 0;
    for (let k = 0; k < n; k++) {
      sum += expOf(x[first + k * inner]! - m);
    }
    return sum;
  },
  helpers,
);

/** exp(x - max) / mass, or its logarithm. */
const share = kernel(
  "softmax",
  3,
  function (
    this: Thread,
    x: Numbers,
    largest: Numbers,
    masses: Numbers,
    n: number,
    inner: number,
    isLog: number,
  ) {
    const i = this.thread.x;
    const line = lineOf(i, n, inner);
    const shifted = x[i]! - largest[line]!;
    if (isLog > 0) {
      return shifted - logOf(masses[line]!);
    }
    return expOf(shifted) / masses[line]!;
  },
  helpers,
);

/** For each line, Σ g y; of the logarithm, Σ g. */
const along = kernel(
  "softmax.along",
  2,
  function (this: Thread, g: Numbers, y: Numbers, n: number, inner: number, isLog: number) {
    const i = this.thread.x;
    const o = quotient(i, inner);
    const first = o * n * inner + i - o * inner;
    let sum = 0;
    for (let k = 0; k < n; k++) {
      const gk = g[first + k * inner]!;
      if (isLog > 0) {
        sum += gk;
      } else {
        sum += gk * y[first + k * inner]!;
      }
    }
    return sum;
  },
  helpers,
);

/** y (g - Σ g y); of the logarithm, g - exp(y) Σ g. */
const shareBackward = kernel(
  "softmax.backward",
  3,
  function (
    this: Thread,
    g: Numbers,
    y: Numbers,
    sums: Numbers,
    n: number,
    inner: number,
    isLog: number,
  ) {
    const i = this.thread.x;
    const line = lineOf(i, n, inner);
    if (isLog > 0) {
      return g[i]! - expOf(y[i]!) * sums[line]!;
    }
    return y[i]! * (g[i]! - sums[line]!);
  },
  helpers,
);

function softmax(isLog: 0 | 1): GpuRule<"softmax"> {
  return {
    forward: (engine, { args: [x, { dim }] }) => {
      const { outer, n, inner } = around(x.shape, dim);
      const buffer = bufferOf(x);
      const lines = outer * inner;
      const largest = max(engine, buffer, { outer, n, inner });
      const masses = engine.launch(mass, buffer.dtype, lines, [buffer, largest], [n, inner]);
      const sources = [buffer, largest, masses];
      return [engine.launch(share, buffer.dtype, x.size, sources, [n, inner, isLog])];
    },
    backward: (engine, { g, y, args: [, { dim }] }) => {
      const { outer, n, inner } = around(y.shape, dim);
      const [gs, ys] = [bufferOf(g), bufferOf(y)];
      const numbers = [n, inner, isLog];
      const sums = engine.launch(along, ys.dtype, outer * inner, [gs, ys], numbers);
      return [engine.launch(shareBackward, ys.dtype, y.size, [gs, ys, sums], numbers)];
    },
  };
}

export const softmaxRules: GpuRules = {
  softmax: softmax(0),
  logSoftmax: softmax(1),
};
