// Fused ops that walk rows: softmax and its kin, the cross entropy, the normalisations, and embedding.
// Each entry holds the definition from the textbook, a loop that does it in one pass without the
// intermediates, and (where the gradient isn't a line of ops) a backward loop. Tests hold the loops
// against the definition. Next: attention.ts.

import { type Draw, within } from "../draw.ts";
import { checkFloat, type TypedArray } from "../dtype.ts";
import { ArgumentError, DTypeError, IndexError, ShapeError } from "../errors.ts";
import { fused, like } from "../kinds.ts";
import type { Block, Op, Spec } from "../op.ts";
import { around, checkDim, formatShape, type Shape, sameShape, sizeOf } from "../shape.ts";
import { checkTensor, type Tensor } from "../tensor.ts";
import { checkIndices } from "./indexing.ts";

export interface DimOptions {
  readonly dim: number;
}

type DimRule = (x: Tensor, options: DimOptions) => Tensor;

/** Calls `visit` with the first place and the step of every line along axis `dim`. */
function eachLine(
  shape: Shape,
  dim: number,
  visit: (at: number, n: number, step: number) => void,
): void {
  const { outer, n, inner } = around(shape, dim);
  for (let o = 0; o < outer; o++)
    for (let i = 0; i < inner; i++) visit(o * n * inner + i, n, inner);
}

/** The maximum of a line and Σ exp(x - max): all that softmax needs to know of it. */
function massOf(x: Block, at: number, n: number, step: number): { max: number; sum: number } {
  let max = -Infinity;
  for (let k = 0; k < n; k++) max = Math.max(max, x.data[at + k * step] ?? 0);
  let sum = 0;
  for (let k = 0; k < n; k++) sum += Math.exp((x.data[at + k * step] ?? 0) - max);
  return { max, sum };
}

function onAxis(run: DimRule, entry: { readonly name: string }): DimRule {
  return (x, { dim }) => {
    checkFloat(entry.name, checkTensor(entry.name, x).dtype);
    if (x.rank === 0) return run(x.reshape([1]), { dim: checkDim(entry.name, dim, 1) }).reshape([]);
    return run(x, { dim: checkDim(entry.name, dim, x.rank) });
  };
}

function drawLine(d: Draw): readonly unknown[] {
  const shape = d.shape({ minRank: 1, maxRank: 3 });
  return [d.tensor(shape), { dim: d.integer(-shape.length, shape.length - 1) }];
}

/** exp(x) / Σ exp(x) along an axis: positive, and sums to 1. -inf becomes exactly 0. */
export const softmax: Op<DimRule> = fused({
  definition: (x: Tensor, { dim }: DimOptions) => {
    if (x.size === 0) return x.exp();
    const e = x.sub(x.detach().max({ dims: dim, keepDims: true })).exp();
    return e.div(e.sum({ dims: dim, keepDims: true }));
  },
  infer: like,
  forward: ([y], x, { dim }) =>
    eachLine(x.shape, dim, (at, n, step) => {
      const { max, sum } = massOf(x, at, n, step);
      for (let k = at; k < at + n * step; k += step)
        y.data[k] = Math.exp((x.data[k] ?? 0) - max) / sum;
    }),
  backward: ([dx], g, [y], x, { dim }) =>
    eachLine(x.shape, dim, (at, n, step) => {
      let dot = 0; // dx = y (g - Σ g y)
      for (let k = at; k < at + n * step; k += step) dot += (g.data[k] ?? 0) * (y.data[k] ?? 0);
      for (let k = at; dx && k < at + n * step; k += step)
        dx.data[k] = (y.data[k] ?? 0) * ((g.data[k] ?? 0) - dot);
    }),
  call: onAxis,
  example: "tensor([0, 1]).softmax({ dim: -1 })  // [0.2689, 0.7311]",
  draw: drawLine,
});

/** ln softmax(x) along an axis, without the underflow: x - logSumExp(x). */
export const logSoftmax: Op<DimRule> = fused({
  definition: (x: Tensor, { dim }: DimOptions) => x.sub(x.logSumExp({ dims: dim, keepDims: true })),
  infer: like,
  forward: ([y], x, { dim }) =>
    eachLine(x.shape, dim, (at, n, step) => {
      const { max, sum } = massOf(x, at, n, step);
      for (let k = at; k < at + n * step; k += step)
        y.data[k] = (x.data[k] ?? 0) - max - Math.log(sum);
    }),
  backward: ([dx], g, [y], x, { dim }) =>
    eachLine(x.shape, dim, (at, n, step) => {
      let total = 0; // dx = g - softmax(x) Σ g
      for (let k = at; k < at + n * step; k += step) total += g.data[k] ?? 0;
      for (let k = at; dx && k < at + n * step; k += step)
        dx.data[k] = (g.data[k] ?? 0) - Math.exp(y.data[k] ?? 0) * total;
    }),
  call: onAxis,
  example: "tensor([0, 1]).logSoftmax({ dim: -1 })  // [-1.3133, -0.3133]",
  draw: drawLine,
});

export interface CrossEntropyOptions {
  /** "mean" (default) over the targets that count, "sum", or "none": one loss for each target. */
  readonly reduction?: "mean" | "sum" | "none";
  /** Targets of this class don't count: loss and gradient 0. Default -100. */
  readonly ignoreIndex?: number;
  /** Share ε of the target's weight that is spread evenly over all classes. Default 0. */
  readonly labelSmoothing?: number;
}

type Losses = Required<CrossEntropyOptions>;

type CrossEntropyRule = (logits: Tensor, target: Tensor, options: Losses) => Tensor;

function crossEntropyCall(
  run: CrossEntropyRule,
): (logits: Tensor, target: Tensor, options?: CrossEntropyOptions) => Tensor {
  return (logits, target, { reduction = "mean", ignoreIndex = -100, labelSmoothing = 0 } = {}) => {
    checkClasses(logits, target, ignoreIndex, labelSmoothing);
    if (!["mean", "sum", "none"].includes(reduction)) {
      throw new ArgumentError(
        `crossEntropy: reduction "${String(reduction)}" is none of mean, sum, none`,
      );
    }
    return run(logits, target, { reduction, ignoreIndex, labelSmoothing });
  };
}

function checkClasses(
  logits: Tensor,
  target: Tensor,
  ignoreIndex: number,
  smoothing: number,
): void {
  checkFloat("crossEntropy", checkTensor("crossEntropy", logits, "logits").dtype);
  if (checkTensor("crossEntropy", target, "target").dtype !== "int32") {
    throw new DTypeError(`crossEntropy: target must hold classes as int32, got ${target.dtype}`);
  }
  if (logits.rank === 0 || !sameShape(logits.shape.slice(0, -1), target.shape)) {
    throw new ShapeError(
      `crossEntropy: logits ${formatShape(logits.shape)} and target ${formatShape(target.shape)}: needed logits ` +
        "[..., classes] and target [...]; logits.transpose(1, -1) if the classes are on axis 1",
    );
  }
  if (!(smoothing >= 0 && smoothing <= 1) || !Number.isInteger(ignoreIndex)) {
    throw new ArgumentError(
      `crossEntropy: labelSmoothing ${smoothing} must be in [0, 1], ignoreIndex ${ignoreIndex} a whole number`,
    );
  }
}

/** Rows of logits and their classes; visit(row, first place, class or -1 where ignored). */
function eachTarget(
  x: Block,
  target: Block,
  ignoreIndex: number,
  visit: (row: number, at: number, c: number) => void,
): void {
  const classes = x.shape.at(-1) ?? 0;
  target.data.forEach((c, row) => {
    const isIgnored = c === ignoreIndex;
    if (!isIgnored && (c < 0 || c >= classes)) {
      throw new IndexError(
        `crossEntropy: target ${c} at position ${row} is outside [0, ${classes}), the classes, and isn't ignoreIndex ${ignoreIndex}`,
      );
    }
    visit(row, row * classes, isIgnored ? -1 : c);
  });
}

/** What each target's loss is multiplied by: 1, or for the mean 1 / the number of targets that count. */
export function shareOf(
  target: TypedArray,
  { reduction, ignoreIndex }: Pick<Losses, "reduction" | "ignoreIndex">,
): number {
  if (reduction !== "mean") return 1;
  let count = 0;
  for (const c of target) if (c !== ignoreIndex) count++;
  return 1 / count;
}

/**
 * -ln softmax(logits)[target]: logits [..., classes], target [...] of int32. With labelSmoothing ε:
 * (1 - ε) times that plus ε times the mean over all classes. Mean over the targets that count, unless said.
 */
export const crossEntropy: Op<
  (logits: Tensor, target: Tensor, options?: CrossEntropyOptions) => Tensor
> = fused({
  definition: (logits: Tensor, target: Tensor, options: Losses) => {
    const { reduction, ignoreIndex, labelSmoothing } = options;
    const ignored = target.eq(ignoreIndex);
    const logp = ignored.unsqueeze(-1).where(0, logits).logSoftmax({ dim: -1 });
    const picks = ignored.where(0, target).unsqueeze(-1);
    const nll = logp.gather(picks, { dim: -1 }).squeeze(-1).neg();
    const classes = logits.shape.at(-1) ?? 1;
    const even = logp.sum({ dims: -1 }).div(-classes);
    const loss =
      labelSmoothing === 0 ? nll : nll.mul(1 - labelSmoothing).add(even.mul(labelSmoothing));
    const losses = ignored.where(0, loss);
    if (reduction === "none") return losses;
    return reduction === "sum" ? losses.sum() : losses.sum().div(ignored.logicalNot().sum());
  },
  // the loss, and each row's logSumExp for the way back
  infer: (logits, target, { reduction }) => [
    { shape: reduction === "none" ? target.shape : [], dtype: logits.dtype },
    { shape: target.shape, dtype: logits.dtype },
  ],
  forward: ([loss, lse], x, target, options) => {
    const { ignoreIndex, labelSmoothing } = options;
    const classes = x.shape.at(-1) ?? 0;
    let sum = 0;
    eachTarget(x, target, ignoreIndex, (row, at, c) => {
      const { max, sum: mass } = massOf(x, at, classes, 1);
      const total = max + Math.log(mass);
      let even = 0;
      for (let k = at; labelSmoothing > 0 && k < at + classes; k++)
        even += total - (x.data[k] ?? 0);
      const nll = total - (x.data[at + c] ?? 0);
      const smooth =
        labelSmoothing === 0 ? nll : (1 - labelSmoothing) * nll + (labelSmoothing * even) / classes;
      if (options.reduction === "none") loss.data[row] = c < 0 ? 0 : smooth;
      sum += c < 0 ? 0 : smooth;
      if (lse) lse.data[row] = total;
    });
    if (options.reduction !== "none") loss.data[0] = sum * shareOf(target.data, options);
  },
  backward: ([dx], g, [, lse], x, target, options) => {
    const { ignoreIndex, labelSmoothing } = options;
    const classes = x.shape.at(-1) ?? 0;
    const share = shareOf(target.data, options);
    const gStep = options.reduction === "none" ? 1 : 0;
    eachTarget(x, target, ignoreIndex, (row, at, c) => {
      const by = share * (g.data[row * gStep] ?? 0);
      for (let k = 0; dx && k < classes; k++) {
        const wanted = (k === c ? 1 - labelSmoothing : 0) + labelSmoothing / classes;
        const p = Math.exp((x.data[at + k] ?? 0) - (lse?.data[row] ?? 0));
        dx.data[at + k] = c < 0 ? 0 : by * (p - wanted);
      }
    });
  },
  call: crossEntropyCall,
  example: 'tensor([[0, 1]]).crossEntropy(tensor([1], { dtype: "int32" }))  // 0.3133',
  draw: (d) => {
    const reduction = d.pick("mean", "sum", "none");
    // the mean of no targets is NaN: none are ignored then, and there is at least one
    const rows = d.shape({ maxRank: 2, minSide: reduction === "mean" ? 1 : 0 });
    const classes = d.integer(1, 4);
    const ignoreIndex = reduction === "mean" ? -100 : d.pick(-100, 0);
    const options = { reduction, ignoreIndex, labelSmoothing: d.pick(0, 0.25) };
    return [d.tensor([...rows, classes]), d.indices(rows, classes), options];
  },
});

// --- Normalisations ----------------------------------------------------------------------------------

export interface NormOptions {
  /** Added to the variance (mean square) before its root. */
  readonly eps?: number;
}

interface Eps {
  readonly eps: number;
}

const machineEpsilon: Readonly<Record<string, number>> = { float32: 2 ** -23, float64: 2 ** -52 };

/** weight and bias have the shape of x's last axes, which are normalised together; none: the last axis. */
function checkParameters(name: string, x: Tensor, ...parameters: readonly (Tensor | null)[]): void {
  checkFloat(name, checkTensor(name, x).dtype);
  for (const p of parameters) {
    if (p === null) continue;
    const { shape, dtype } = checkTensor(name, p, "weight and bias");
    if (
      shape.length === 0 ||
      shape.length > x.rank ||
      !sameShape(shape, x.shape.slice(-shape.length))
    ) {
      throw new ShapeError(
        `${name}: a parameter of shape ${formatShape(shape)} doesn't match the last axes of x ${formatShape(x.shape)}`,
      );
    }
    if (dtype !== x.dtype)
      throw new DTypeError(
        `${name}: x is ${x.dtype}, a parameter is ${dtype}; w.to("${x.dtype}") converts it`,
      );
  }
  const [weight, bias] = parameters;
  if (weight && bias && !sameShape(weight.shape, bias.shape)) {
    throw new ShapeError(
      `${name}: weight ${formatShape(weight.shape)} and bias ${formatShape(bias.shape)} differ`,
    );
  }
}

/** How many of the last axes are normalised. */
function normalized(
  x: { shape: Shape },
  ...parameters: readonly ({ shape: Shape } | null)[]
): number {
  return parameters.find((p) => p !== null)?.shape.length ?? Math.min(1, x.shape.length);
}

/** The outputs of a normalisation: y, and `statistics` numbers for each row. */
function withStatistics(x: Tensor, axes: number, statistics: number): readonly Spec[] {
  const rows: Spec = { shape: x.shape.slice(0, x.rank - axes), dtype: x.dtype };
  return [{ shape: x.shape, dtype: x.dtype }, ...new Array<Spec>(statistics).fill(rows)];
}

function lastDims(axes: number): number[] {
  return Array.from({ length: axes }, (_, d) => d - axes);
}

type LayerNormRule = (
  x: Tensor,
  weight: Tensor | null,
  bias: Tensor | null,
  options: Eps,
) => Tensor;

/**
 * (x - mean) / sqrt(variance + eps) over the last axes (those of weight; without one the last), then
 * times weight plus bias. eps 1e-5 unless said.
 */
export const layerNorm: Op<
  (x: Tensor, weight?: Tensor | null, bias?: Tensor | null, options?: NormOptions) => Tensor
> = fused({
  definition: (x: Tensor, weight: Tensor | null, bias: Tensor | null, { eps }: Eps) => {
    const dims = lastDims(normalized(x, weight, bias));
    const centred = x.sub(x.mean({ dims, keepDims: true }));
    const variance = centred.square().mean({ dims, keepDims: true });
    const unit = centred.div(variance.add(eps).sqrt());
    const scaled = weight === null ? unit : unit.mul(weight);
    return bias === null ? scaled : scaled.add(bias);
  },
  infer: (x, weight, bias) => withStatistics(x, normalized(x, weight, bias), 2),
  forward: ([y, means, scales], x, weight, bias, { eps }) => {
    const n = sizeOf(x.shape.slice(x.shape.length - normalized(x, weight, bias)));
    for (let at = 0, row = 0; at < x.data.length; at += n, row++) {
      let sum = 0;
      for (let k = at; k < at + n; k++) sum += x.data[k] ?? 0;
      const mean = sum / n;
      let squares = 0;
      for (let k = at; k < at + n; k++) squares += ((x.data[k] ?? 0) - mean) ** 2;
      const scale = 1 / Math.sqrt(squares / n + eps);
      for (let k = 0; k < n; k++) {
        const unit = ((x.data[at + k] ?? 0) - mean) * scale;
        y.data[at + k] = unit * (weight?.data[k] ?? 1) + (bias?.data[k] ?? 0);
      }
      if (means) means.data[row] = mean;
      if (scales) scales.data[row] = scale;
    }
  },
  backward: (gradients, g, [, means, scales], x, weight, bias) => {
    const n = sizeOf(x.shape.slice(x.shape.length - normalized(x, weight, bias)));
    const mean = (row: number): number => means?.data[row] ?? 0;
    const scale = (row: number): number => scales?.data[row] ?? 0;
    normBackward(gradients, g, x, weight, n, mean, scale, true);
  },
  call:
    (run: LayerNormRule) =>
    (x, weight = null, bias = null, { eps = 1e-5 } = {}) => {
      checkParameters("layerNorm", x, weight, bias);
      return run(x, weight, bias, { eps });
    },
  example: "tensor([1, 2, 3]).layerNorm()  // [-1.2247, 0, 1.2247]",
  draw: (d) => {
    const [shape, n] = [d.shape({ maxRank: 2 }), d.integer(1, 4)];
    const parameter = (): Tensor | null => d.pick(d.tensor([n]), null);
    return [d.tensor([...shape, n]), parameter(), parameter(), { eps: 0.25 }];
  },
});

/**
 * Both normalisations backwards. With u the unit rows and h = g weight:
 * dx = scale (h - u mean(h u) - mean(h)), the last term for layerNorm alone; dweight = Σ g u; dbias = Σ g.
 */
function normBackward(
  [dx, dweight, dbias]: readonly (Block | null)[],
  g: Block,
  x: Block,
  weight: Block | null,
  n: number,
  mean: (row: number) => number,
  scale: (row: number) => number,
  isCentred: boolean,
): void {
  const totals = { weight: new Float64Array(n), bias: new Float64Array(n) };
  for (let at = 0, row = 0; at < x.data.length; at += n, row++) {
    const unit = (k: number): number => ((x.data[at + k] ?? 0) - mean(row)) * scale(row);
    const h = (k: number): number => (g.data[at + k] ?? 0) * (weight?.data[k] ?? 1);
    let along = 0;
    let total = 0;
    for (let k = 0; k < n; k++) {
      along += h(k) * unit(k);
      total += h(k);
      totals.weight[k] = (totals.weight[k] ?? 0) + (g.data[at + k] ?? 0) * unit(k);
      totals.bias[k] = (totals.bias[k] ?? 0) + (g.data[at + k] ?? 0);
    }
    for (let k = 0; dx && k < n; k++) {
      dx.data[at + k] = scale(row) * (h(k) - unit(k) * (along / n) - (isCentred ? total / n : 0));
    }
  }
  dweight?.data.set(totals.weight);
  dbias?.data.set(totals.bias);
}

type RmsNormRule = (x: Tensor, weight: Tensor | null, options: Eps) => Tensor;

/** x / sqrt(mean(x²) + eps) over the last axes, times weight (1910.07467). eps: the dtype's, as in PyTorch. */
export const rmsNorm: Op<(x: Tensor, weight?: Tensor | null, options?: NormOptions) => Tensor> =
  fused({
    definition: (x: Tensor, weight: Tensor | null, { eps }: Eps) => {
      const dims = lastDims(normalized(x, weight));
      const unit = x.div(x.square().mean({ dims, keepDims: true }).add(eps).sqrt());
      return weight === null ? unit : unit.mul(weight);
    },
    infer: (x, weight) => withStatistics(x, normalized(x, weight), 1),
    forward: ([y, scales], x, weight, { eps }) => {
      const n = sizeOf(x.shape.slice(x.shape.length - normalized(x, weight)));
      for (let at = 0, row = 0; at < x.data.length; at += n, row++) {
        let squares = 0;
        for (let k = at; k < at + n; k++) squares += (x.data[k] ?? 0) ** 2;
        const scale = 1 / Math.sqrt(squares / n + eps);
        for (let k = 0; k < n; k++)
          y.data[at + k] = (x.data[at + k] ?? 0) * scale * (weight?.data[k] ?? 1);
        if (scales) scales.data[row] = scale;
      }
    },
    backward: (gradients, g, [, scales], x, weight) => {
      const n = sizeOf(x.shape.slice(x.shape.length - normalized(x, weight)));
      const scale = (row: number): number => scales?.data[row] ?? 0;
      normBackward(gradients.slice(0, 2), g, x, weight, n, () => 0, scale, false);
    },
    call:
      (run: RmsNormRule) =>
      (x, weight = null, { eps } = {}) => {
        checkParameters("rmsNorm", x, weight);
        return run(x, weight, { eps: eps ?? machineEpsilon[x.dtype] ?? 0 });
      },
    example: "tensor([3, 4]).rmsNorm()  // [0.8485, 1.1314]",
    draw: (d) => {
      const [shape, n] = [d.shape({ maxRank: 2 }), d.integer(1, 4)];
      const x = d.tensor([...shape, n], within(-3, 3, { offset: 1 / 8 }));
      return [x, d.pick(d.tensor([n]), null), { eps: 0.25 }];
    },
  });

// --- Embedding ---------------------------------------------------------------------------------------

/** Rows of a table: weight [V, D], index [...] of int32 gives [..., D]. */
export const embedding: Op<(weight: Tensor, index: Tensor) => Tensor> = fused({
  definition: (weight: Tensor, index: Tensor) =>
    weight.indexSelect(index.reshape([index.size])).reshape([...index.shape, weight.shape[1] ?? 0]),
  infer: (weight, index) => [
    { shape: [...index.shape, weight.shape[1] ?? 0], dtype: weight.dtype },
  ],
  forward: ([y], weight, index) => {
    const [rows = 0, width = 0] = weight.shape;
    checkIndices("embedding", index.data, rows);
    index.data.forEach((row, i) => {
      y.data.set(weight.data.subarray(row * width, (row + 1) * width), i * width);
    });
  },
  backward: ([dweight], g, _results, weight, index) => {
    const width = weight.shape[1] ?? 0;
    const total = new Float64Array(weight.data.length);
    index.data.forEach((row, i) => {
      for (let k = 0; k < width; k++) {
        total[row * width + k] = (total[row * width + k] ?? 0) + (g.data[i * width + k] ?? 0);
      }
    });
    dweight?.data.set(total);
  },
  call: (run: (weight: Tensor, index: Tensor) => Tensor) => (weight, index) => {
    if (checkTensor("embedding", weight, "weight").rank !== 2) {
      throw new ShapeError(`embedding: weight must be [V, D], got ${formatShape(weight.shape)}`);
    }
    if (checkTensor("embedding", index, "index").dtype !== "int32") {
      throw new DTypeError(
        `embedding: index must be int32, got ${index.dtype}; index.to("int32") converts it`,
      );
    }
    return run(weight, index);
  },
  example:
    'tensor([[1, 2], [3, 4]]).embedding(tensor([1, 0], { dtype: "int32" }))  // [[3, 4],\n [1, 2]]',
  draw: (d) => {
    const [rows, width] = [d.integer(1, 4), d.integer(0, 3)];
    return [d.tensor([rows, width]), d.indices(d.shape({ maxRank: 2 }), rows)];
  },
});
