// Softmax, normalisations and the cross entropy: ops over lines of numbers. Each is a few kernels: one
// that makes a number for each line (its largest, its sum), and one that makes every cell from that.
// Line (o, i) has its elements at (o n + k) inner + i. Next: attention.ts, which puts them together.

import type { Call, Tensor } from "../../core/index.ts";
import { around } from "../../core/shape.ts";
import { type Helper, kernel, type Numbers, type Thread } from "./compile.ts";
import type { Engine } from "./engine.ts";
import { expOf, logOf, quotient } from "./math.ts";
import { max, sum } from "./reduce.ts";
import { blockOf, blocksOf, type Rule } from "./rule.ts";
import type { Block } from "./storage.ts";

const helpers: readonly Helper[] = [expOf as Helper, logOf as Helper, quotient as Helper];

interface Lines {
  readonly outer: number;
  readonly n: number;
  readonly inner: number;
}

// --- Softmax -----------------------------------------------------------------------------------------

/** For each line, Σ exp(x - max). */
const mass = kernel(
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
    const q = quotient(i, inner);
    const line = quotient(q, n) * inner + i - q * inner;
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
    const q = quotient(i, inner);
    const line = quotient(q, n) * inner + i - q * inner;
    if (isLog > 0) {
      return g[i]! - expOf(y[i]!) * sums[line]!;
    }
    return y[i]! * (g[i]! - sums[line]!);
  },
  helpers,
);

function softmax(isLog: 0 | 1): Rule {
  const linesOf = (x: Tensor, options: unknown): Lines =>
    around(x.shape, (options as { dim: number }).dim);
  return {
    forward: (engine, { args: [x, options] }) => {
      const tensor = x as Tensor;
      const { outer, n, inner } = linesOf(tensor, options);
      const block = blockOf(tensor);
      const lines = outer * inner;
      const largest = max(engine, block, { outer, n, inner });
      const masses = engine.launch(mass, block.dtype, lines, [block, largest], [n, inner]);
      const sources = [block, largest, masses];
      return [engine.launch(share, block.dtype, tensor.size, sources, [n, inner, isLog])];
    },
    backward: (engine, { args: [g, y, , options] }) => {
      const tensor = y as Tensor;
      const { outer, n, inner } = linesOf(tensor, options);
      const [gs, ys] = blocksOf(g, y) as [Block, Block];
      const numbers = [n, inner, isLog];
      const sums = engine.launch(along, ys.dtype, outer * inner, [gs, ys], numbers);
      return [engine.launch(shareBackward, ys.dtype, tensor.size, [gs, ys, sums], numbers)];
    },
  };
}

// --- Cross entropy -----------------------------------------------------------------------------------

interface Losses {
  readonly reduction: "mean" | "sum" | "none";
  readonly ignoreIndex: number;
  readonly labelSmoothing: number;
}

/** ln Σ exp x of each row. */
const logSumExp = kernel(
  "crossEntropy.logSumExp",
  2,
  function (this: Thread, masses: Numbers, largest: Numbers) {
    return largest[this.thread.x]! + logOf(masses[this.thread.x]!);
  },
  helpers,
);

/** Each row's loss: (1 - ε) (lse - x[target]) + ε mean(lse - x); 0 if ignored, NaN for no class. */
const rowLoss = kernel(
  "crossEntropy",
  3,
  function (
    this: Thread,
    x: Numbers,
    target: Numbers,
    lse: Numbers,
    classes: number,
    ignoreIndex: number,
    smoothing: number,
  ) {
    const row = this.thread.x;
    const c = target[row]!;
    if (c === ignoreIndex) {
      return 0;
    }
    if (c < 0 || c >= classes) {
      return logOf(0 - 1);
    }
    let even = 0;
    if (smoothing > 0) {
      for (let k = 0; k < classes; k++) {
        even += lse[row]! - x[row * classes + k]!;
      }
    }
    const loss = lse[row]! - x[row * classes + c]!;
    return (1 - smoothing) * loss + (smoothing * even) / classes;
  },
  helpers,
);

/** 1 for each target that counts. */
const counts = kernel(
  "crossEntropy.counts",
  1,
  function (this: Thread, target: Numbers, ignoreIndex: number) {
    if (target[this.thread.x]! === ignoreIndex) {
      return 0;
    }
    return 1;
  },
);

/** A number over another. */
const ratio = kernel("crossEntropy.mean", 2, function (this: Thread, a: Numbers, b: Numbers) {
  return a[this.thread.x]! / b[this.thread.x]!;
});

/** g share (softmax(x) - wanted), 0 in rows that are ignored. */
const lossBackward = kernel(
  "crossEntropy.backward",
  5,
  function (
    this: Thread,
    g: Numbers,
    x: Numbers,
    target: Numbers,
    lse: Numbers,
    counted: Numbers,
    classes: number,
    gStep: number,
    ignoreIndex: number,
    smoothing: number,
  ) {
    const i = this.thread.x;
    const row = quotient(i, classes);
    const c = target[row]!;
    if (c === ignoreIndex) {
      return 0;
    }
    let wanted = smoothing / classes;
    if (i - row * classes === c) {
      wanted += 1 - smoothing;
    }
    return (g[row * gStep]! / counted[0]!) * (expOf(x[i]! - lse[row]!) - wanted);
  },
  helpers,
);

/** How many targets count, for the mean; 1 for the others. */
function countedOf(engine: Engine, target: Tensor, { reduction, ignoreIndex }: Losses): Block {
  if (reduction !== "mean") return engine.scalar(1);
  const ones = engine.launch(counts, "float32", target.size, [blockOf(target)], [ignoreIndex]);
  return sum(engine, ones, { outer: 1, n: target.size, inner: 1 });
}

const crossEntropy: Rule = {
  forward: (engine, { args }) => {
    const [logits, target, options] = args as [Tensor, Tensor, Losses];
    const classes = logits.shape.at(-1) ?? 0;
    const rows = target.size;
    const [x, t] = blocksOf(logits, target) as [Block, Block];
    const largest = max(engine, x, { outer: rows, n: classes, inner: 1 });
    const masses = engine.launch(mass, x.dtype, rows, [x, largest], [classes, 1]);
    const lse = engine.launch(logSumExp, x.dtype, rows, [masses, largest], []);
    const numbers = [classes, options.ignoreIndex, options.labelSmoothing];
    const losses = engine.launch(rowLoss, x.dtype, rows, [x, t, lse], numbers);
    if (options.reduction === "none") return [losses, lse];
    const total = sum(engine, losses, { outer: 1, n: rows, inner: 1 });
    if (options.reduction === "sum") return [total, lse];
    const counted = countedOf(engine, target, options);
    return [engine.launch(ratio, x.dtype, 1, [total, counted], []), lse];
  },
  backward: (engine, { args }) => {
    const [g, , lse, logits, target, options] = args as [
      ...[Tensor, Tensor, Tensor, Tensor, Tensor],
      Losses,
    ];
    const classes = logits.shape.at(-1) ?? 0;
    const gStep = options.reduction === "none" ? 1 : 0;
    const sources = [...blocksOf(g, logits, target, lse), countedOf(engine, target, options)];
    const numbers = [classes, gStep, options.ignoreIndex, options.labelSmoothing];
    return [engine.launch(lossBackward, "float32", logits.size, sources, numbers)];
  },
};

// --- Normalisations ----------------------------------------------------------------------------------

/** The mean of each row. */
const rowMean = kernel("norm.mean", 1, function (this: Thread, x: Numbers, n: number) {
  const first = this.thread.x * n;
  let sum = 0;
  for (let k = 0; k < n; k++) {
    sum += x[first + k]!;
  }
  return sum / n;
});

/** 1 / sqrt(mean((x - mean)²) + eps) of each row. */
const rowScale = kernel(
  "norm.scale",
  2,
  function (this: Thread, x: Numbers, means: Numbers, n: number, meanStep: number, eps: number) {
    const row = this.thread.x;
    const mean = means[row * meanStep]!;
    let squares = 0;
    for (let k = 0; k < n; k++) {
      const centred = x[row * n + k]! - mean;
      squares += centred * centred;
    }
    return 1 / Math.sqrt(squares / n + eps);
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

/** An optional parameter: its block and step, or one number that stands for all. */
function optional(engine: Engine, x: Tensor | null, otherwise: number): [Block, number] {
  return x === null ? [engine.scalar(otherwise), 0] : [blockOf(x), 1];
}

/** How many elements a row has: those of the parameters, or of the last axis. */
function rowSize(x: Tensor, ...parameters: readonly (Tensor | null)[]): number {
  return parameters.find((p) => p !== null)?.size ?? x.shape.at(-1) ?? 1;
}

function forwardNorm(
  engine: Engine,
  x: Tensor,
  weight: Tensor | null,
  bias: Tensor | null,
  eps: number,
  isCentred: boolean,
): readonly Block[] {
  const n = rowSize(x, weight, bias);
  const rows = n === 0 ? 0 : x.size / n;
  const block = blockOf(x);
  const means = isCentred
    ? engine.launch(rowMean, "float32", rows, [block], [n])
    : engine.scalar(0);
  const meanStep = isCentred ? 1 : 0;
  const scales = engine.launch(rowScale, "float32", rows, [block, means], [n, meanStep, eps]);
  const [w, wStep] = optional(engine, weight, 1);
  const [b, bStep] = optional(engine, bias, 0);
  const numbers = [n, meanStep, wStep, bStep];
  const y = engine.launch(normalise, "float32", x.size, [block, means, scales, w, b], numbers);
  return isCentred ? [y, means, scales] : [y, scales];
}

function backwardNorm(
  engine: Engine,
  call: Call,
  [g, x, weight, bias]: readonly [Tensor, Tensor, Tensor | null, Tensor | null],
  means: Block,
  scales: Block,
  isCentred: boolean,
): readonly Block[] {
  const n = rowSize(x, weight, bias);
  const rows = n === 0 ? 0 : x.size / n;
  const [gs, xs] = blocksOf(g, x) as [Block, Block];
  const meanStep = isCentred ? 1 : 0;
  const [w, wStep] = optional(engine, weight, 1);
  const columns = { outer: 1, n: rows, inner: n };
  const gradients = [
    () => {
      const perRow = (wantsUnit: number): Block =>
        engine.launch(
          rowAlong,
          "float32",
          rows,
          [gs, xs, means, w],
          [n, meanStep, wStep, wantsUnit],
        );
      const totals = isCentred ? perRow(0) : engine.scalar(0);
      const sources = [gs, xs, means, scales, w, perRow(1), totals];
      return engine.launch(normBackward, "float32", x.size, sources, [n, meanStep, wStep]);
    },
    () => {
      const sources = [gs, xs, means, scales];
      const terms = engine.launch(weightTerms, "float32", x.size, sources, [n, meanStep]);
      return sum(engine, terms, columns);
    },
    () => sum(engine, gs, columns),
  ];
  return call.outputs.flatMap((spec, i) => (spec === null ? [] : (gradients[i]?.() ?? [])));
}

const layerNorm: Rule = {
  forward: (engine, { args }) => {
    const [x, weight, bias, { eps }] = args as [
      Tensor,
      Tensor | null,
      Tensor | null,
      { eps: number },
    ];
    return forwardNorm(engine, x, weight, bias, eps, true);
  },
  backward: (engine, call) => {
    const [g, , means, scales, x, weight, bias] = call.args as Tensor[];
    const tensors = [g, x, weight, bias] as [Tensor, Tensor, Tensor | null, Tensor | null];
    const [mean, scale] = blocksOf(means, scales) as [Block, Block];
    return backwardNorm(engine, call, tensors, mean, scale, true);
  },
};

const rmsNorm: Rule = {
  forward: (engine, { args }) => {
    const [x, weight, { eps }] = args as [Tensor, Tensor | null, { eps: number }];
    return forwardNorm(engine, x, weight, null, eps, false);
  },
  backward: (engine, call) => {
    const [g, , scales, x, weight] = call.args as [...Tensor[]];
    const tensors = [g, x, weight, null] as [Tensor, Tensor, Tensor | null, null];
    return backwardNorm(engine, call, tensors, engine.scalar(0), blockOf(scales as Tensor), false);
  },
};

export const rowRules: Readonly<Record<string, Rule>> = {
  softmax: softmax(0),
  logSoftmax: softmax(1),
  crossEntropy,
  layerNorm,
  rmsNorm,
};
