// layerNorm and rmsNorm: two numbers for each row (its mean, and one over its deviation; rmsNorm's mean is
// 0), then every cell. Backwards, with u the unit rows and h = g weight: dx = scale (h - u mean(h u) -
// mean(h)), dweight = Σ g u, dbias = Σ g. Next: rope.ts.

import type { Spec, Tensor } from "../../core/index.ts";
import { type Helper, kernel, type Numbers, type Thread } from "./compile.ts";
import type { Engine } from "./engine.ts";
import { expOf, logOf, quotient } from "./math.ts";
import { sum } from "./reduce.ts";
import { bufferOf, type GpuRule, type GpuRules } from "./rule.ts";
import type { GpuBuffer } from "./storage.ts";

const helpers: readonly Helper[] = [expOf as Helper, logOf as Helper, quotient as Helper];

/** The mean of each row. */
const rowMean = kernel("norm.mean", 1, function (this: Thread, x: Numbers, n: number) {
  const first = this.thread.x * n;
  let sum = 0;
  for (let k = 0; k < n; k++) {
    sum += x[first + k]!;
  }
  return sum / n;
});

/** max |x - mean| of each row. */
const rowLargest = kernel(
  "norm.largest",
  2,
  function (this: Thread, x: Numbers, means: Numbers, n: number, meanStep: number) {
    const row = this.thread.x;
    const mean = means[row * meanStep]!;
    let largest = 0;
    for (let k = 0; k < n; k++) {
      largest = Math.max(largest, Math.abs(x[row * n + k]! - mean));
    }
    return largest;
  },
);

/**
 * 1 / sqrt(mean((x - mean)²) + eps) of each row. Rows whose squares would overflow or vanish are scaled by a
 * power of two before. One loop a kernel: a minifier may give two loops' variables one name, which gpu.js
 * then declares twice.
 */
const rowScale = kernel(
  "norm.scale",
  3,
  function (
    this: Thread,
    x: Numbers,
    means: Numbers,
    largest: Numbers,
    n: number,
    meanStep: number,
    eps: number,
  ) {
    const row = this.thread.x;
    const mean = means[row * meanStep]!;
    let by = 1;
    if (largest[row]! > 1e15) {
      by = 8.271806125530277e-25;
    }
    if (largest[row]! < 1e-12 && eps < 1e-30) {
      by = 3.777893186295716e22;
    }
    let squares = 0;
    for (let k = 0; k < n; k++) {
      const centred = (x[row * n + k]! - mean) * by;
      squares += centred * centred;
    }
    return by / Math.sqrt(squares / n + eps * by * by);
  },
);

/** (x - mean) scale weight + bias. What isn't there is one number with step 0. */
const normalise = kernel(
  "norm",
  5,
  function (
    this: Thread,
    x: Numbers,
    means: Numbers,
    scales: Numbers,
    weight: Numbers,
    bias: Numbers,
    n: number,
    meanStep: number,
    weightStep: number,
    biasStep: number,
  ) {
    const i = this.thread.x;
    const row = quotient(i, n);
    const k = i - row * n;
    const unit = (x[i]! - means[row * meanStep]!) * scales[row]!;
    return unit * weight[k * weightStep]! + bias[k * biasStep]!;
  },
  helpers,
);

/** mean(h unit) and mean(h) of each row, with h = g weight: which of them `wantsUnit` says. */
const rowAlong = kernel(
  "norm.along",
  4,
  function (
    this: Thread,
    g: Numbers,
    x: Numbers,
    means: Numbers,
    weight: Numbers,
    n: number,
    meanStep: number,
    weightStep: number,
    wantsUnit: number,
  ) {
    const row = this.thread.x;
    let sum = 0;
    for (let k = 0; k < n; k++) {
      const h = g[row * n + k]! * weight[k * weightStep]!;
      if (wantsUnit > 0) {
        sum += h * (x[row * n + k]! - means[row * meanStep]!);
      } else {
        sum += h;
      }
    }
    return sum / n;
  },
);

/** scale (h - unit scale mean(h (x - mean)) - mean(h)). */
const normBackward = kernel(
  "norm.backward",
  7,
  function (
    this: Thread,
    g: Numbers,
    x: Numbers,
    means: Numbers,
    scales: Numbers,
    weight: Numbers,
    alongs: Numbers,
    totals: Numbers,
    n: number,
    meanStep: number,
    weightStep: number,
  ) {
    const i = this.thread.x;
    const row = quotient(i, n);
    const scale = scales[row]!;
    const unit = (x[i]! - means[row * meanStep]!) * scale;
    const h = g[i]! * weight[(i - row * n) * weightStep]!;
    return scale * (h - unit * scale * alongs[row]! - totals[row * meanStep]!);
  },
  helpers,
);

/** g unit: what dweight is the sum of over the rows. */
const weightTerms = kernel(
  "norm.dweight",
  4,
  function (
    this: Thread,
    g: Numbers,
    x: Numbers,
    means: Numbers,
    scales: Numbers,
    n: number,
    meanStep: number,
  ) {
    const i = this.thread.x;
    const row = quotient(i, n);
    return g[i]! * (x[i]! - means[row * meanStep]!) * scales[row]!;
  },
  helpers,
);

/** An optional parameter: its buffer and step, or one number that stands for all. */
function optional(engine: Engine, x: Tensor | null, otherwise: number): [GpuBuffer, number] {
  return x === null ? [engine.scalar(otherwise), 0] : [bufferOf(x), 1];
}

/** How many elements a row has: those of the parameters, or of the last axis. */
function rowSize(x: Tensor, ...parameters: readonly (Tensor | null)[]): number {
  return parameters.find((p) => p !== null)?.size ?? x.shape.at(-1) ?? 1;
}

interface Statistics {
  /** The mean of each row, or one 0 for all, and what to step from row to row. */
  readonly means: GpuBuffer;
  readonly meanStep: 0 | 1;
  readonly eps: number;
}

/** y, and one over the deviation of each row. */
function forwardNorm(
  engine: Engine,
  x: Tensor,
  weight: Tensor | null,
  bias: Tensor | null,
  { means, meanStep, eps }: Statistics,
): { readonly y: GpuBuffer; readonly scales: GpuBuffer } {
  const n = rowSize(x, weight, bias);
  const buffer = bufferOf(x);
  const rows = rowsOf(x, n);
  const largest = engine.launch(rowLargest, "float32", rows, [buffer, means], [n, meanStep]);
  const inputs = [buffer, means, largest];
  const scales = engine.launch(rowScale, "float32", rows, inputs, [n, meanStep, eps]);
  const [w, wStep] = optional(engine, weight, 1);
  const [b, bStep] = optional(engine, bias, 0);
  const numbers = [n, meanStep, wStep, bStep];
  const y = engine.launch(normalise, "float32", x.size, [buffer, means, scales, w, b], numbers);
  return { y, scales };
}

function rowsOf(x: Tensor, n: number): number {
  return n === 0 ? 0 : x.size / n;
}

interface Operands {
  readonly g: Tensor;
  readonly x: Tensor;
  readonly weight: Tensor | null;
  readonly bias: Tensor | null;
}

/** The gradients that are wanted. Without means: rmsNorm's. */
function backwardNorm(
  engine: Engine,
  outputs: readonly (Spec | null)[],
  { g, x, weight, bias }: Operands,
  means: GpuBuffer | null,
  scales: GpuBuffer,
): readonly GpuBuffer[] {
  const n = rowSize(x, weight, bias);
  const rows = rowsOf(x, n);
  const [gs, xs] = [bufferOf(g), bufferOf(x)];
  const [m, meanStep] = means === null ? [engine.scalar(0), 0] : [means, 1];
  const [w, wStep] = optional(engine, weight, 1);
  const columns = { outer: 1, n: rows, inner: n };
  const gradients = [
    () => {
      const perRow = (wantsUnit: number): GpuBuffer =>
        engine.launch(rowAlong, "float32", rows, [gs, xs, m, w], [n, meanStep, wStep, wantsUnit]);
      const totals = means ? perRow(0) : engine.scalar(0);
      const sources = [gs, xs, m, scales, w, perRow(1), totals];
      return engine.launch(normBackward, "float32", x.size, sources, [n, meanStep, wStep]);
    },
    () => {
      const sources = [gs, xs, m, scales];
      const terms = engine.launch(weightTerms, "float32", x.size, sources, [n, meanStep]);
      return sum(engine, terms, columns);
    },
    () => sum(engine, gs, columns),
  ];
  return outputs.flatMap((spec, i) => (spec === null ? [] : (gradients[i]?.() ?? [])));
}

const layerNorm: GpuRule<"layerNorm"> = {
  forward: (engine, { args: [x, weight, bias, { eps }] }) => {
    const n = rowSize(x, weight, bias);
    const means = engine.launch(rowMean, "float32", rowsOf(x, n), [bufferOf(x)], [n]);
    const { y, scales } = forwardNorm(engine, x, weight, bias, { means, meanStep: 1, eps });
    return [y, { means, scales }];
  },
  backward: (engine, { g, saved, args: [x, weight, bias], outputs }) => {
    const [means, scales] = [bufferOf(saved.means), bufferOf(saved.scales)];
    return backwardNorm(engine, outputs, { g, x, weight, bias }, means, scales);
  },
};

const rmsNorm: GpuRule<"rmsNorm"> = {
  forward: (engine, { args: [x, weight, { eps }] }) => {
    const means = engine.scalar(0);
    const { y, scales } = forwardNorm(engine, x, weight, null, { means, meanStep: 0, eps });
    return [y, { scales }];
  },
  backward: (engine, { g, saved, args: [x, weight], outputs }) => {
    const operands = { g, x, weight, bias: null };
    return backwardNorm(engine, outputs, operands, null, bufferOf(saved.scales));
  },
};

export const normRules: GpuRules = { layerNorm, rmsNorm };
