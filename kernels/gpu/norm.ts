// layerNorm and rmsNorm: two numbers for each row (its mean, and one over its deviation; rmsNorm's mean is
// 0), then every cell. Backwards, with u the unit rows and h = g weight: dx = scale (h - u mean(h u) -
// mean(h)), dweight = Σ g u, dbias = Σ g. Next: rope.ts.

import type { Call, Tensor } from "../../core/index.ts";
import { type Helper, kernel, type Numbers, type Thread } from "./compile.ts";
import type { Engine } from "./engine.ts";
import { expOf, logOf, quotient } from "./math.ts";
import { sum } from "./reduce.ts";
import { blockOf, blocksOf, type Rule } from "./rule.ts";
import type { Block } from "./storage.ts";

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

export const normRules: Readonly<Record<string, Rule>> = { layerNorm, rmsNorm };
