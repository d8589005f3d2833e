// layerNorm and rmsNorm: rows brought to one size. The way forward leaves each row's statistics for the way
// back. Next: embedding.ts.

import { within } from "../../draw.ts";
import { checkFloat } from "../../dtype.ts";
import { DTypeError, ShapeError } from "../../errors.ts";
import { fused, like } from "../../kinds.ts";
import type { Block, Op, Spec } from "../../op.ts";
import { formatShape, type Shape, sameShape, sizeOf } from "../../shape.ts";
import type { Tensor } from "../../tensor.ts";

/** What keeps a norm from dividing by 0. */
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
  checkFloat(name, x.dtype);
  for (const p of parameters) {
    if (p === null) continue;
    const { shape, dtype } = p;
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

/** One number for each row, of `axes` axes. */
function perRow(x: Tensor, axes: number): Spec {
  return { shape: x.shape.slice(0, x.rank - axes), dtype: x.dtype };
}

function lastDims(axes: number): number[] {
  return Array.from({ length: axes }, (_, d) => d - axes);
}

function square(x: number): number {
  return x * x;
}

/** A power of two times which the row can be squared in doubles: 1 for ordinary numbers. */
function squareScale(x: Block, at: number, n: number, eps: number): number {
  let largest = 0;
  for (let k = at; k < at + n; k++) largest = Math.max(largest, Math.abs(x.data[k] ?? 0));
  if (largest > 2 ** 450) return 2 ** -600;
  return largest < 2 ** -400 && eps < 2 ** -800 ? 2 ** 700 : 1;
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
  (x: Tensor, weight?: Tensor | null, bias?: Tensor | null, options?: NormOptions) => Tensor,
  [x: Tensor, weight: Tensor | null, bias: Tensor | null, options: Eps],
  "means" | "scales"
> = fused({
  definition: (x: Tensor, weight: Tensor | null, bias: Tensor | null, { eps }: Eps) => {
    const dims = lastDims(normalized(x, weight, bias));
    const centred = x.sub(x.mean({ dims, keepDims: true }));
    const variance = centred.square().mean({ dims, keepDims: true });
    const unit = centred.div(variance.add(eps).sqrt());
    const scaled = weight === null ? unit : unit.mul(weight);
    return bias === null ? scaled : scaled.add(bias);
  },
  infer: (x, weight, bias) => {
    const rows = perRow(x, normalized(x, weight, bias));
    return [...like(x), { means: rows, scales: rows }];
  },
  forward: ([y, { means, scales }], x, weight, bias, { eps }) => {
    const n = sizeOf(x.shape.slice(x.shape.length - normalized(x, weight, bias)));
    for (let at = 0, row = 0; at < x.data.length; at += n, row++) {
      const by = squareScale(x, at, n, eps);
      let sum = 0;
      for (let k = at; k < at + n; k++) sum += (x.data[k] ?? 0) * by;
      const mean = sum / n;
      let squares = 0;
      for (let k = at; k < at + n; k++) squares += square((x.data[k] ?? 0) * by - mean);
      const scale = 1 / Math.sqrt(squares / n + eps * by * by);
      for (let k = 0; k < n; k++) {
        const unit = ((x.data[at + k] ?? 0) * by - mean) * scale;
        y.data[at + k] = unit * (weight?.data[k] ?? 1) + (bias?.data[k] ?? 0);
      }
      means.data[row] = mean / by;
      scales.data[row] = scale * by;
    }
  },
  backward: (gradients, g, [, { means, scales }], x, weight, bias) => {
    const n = sizeOf(x.shape.slice(x.shape.length - normalized(x, weight, bias)));
    const mean = (row: number): number => means.data[row] ?? 0;
    const scale = (row: number): number => scales.data[row] ?? 0;
    normBackward(gradients, g, x, weight, n, mean, scale, true);
  },
  call:
    (run: LayerNormRule) =>
    (x, weight = null, bias = null, { eps = 1e-5 } = {}) => {
      checkParameters("layerNorm", x, weight, bias);
      return run(x, weight, bias, { eps });
    },
  takes: "x: Tensor, weight?: Tensor | null, bias?: Tensor | null, { eps?: number }",
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
export const rmsNorm: Op<
  (x: Tensor, weight?: Tensor | null, options?: NormOptions) => Tensor,
  [x: Tensor, weight: Tensor | null, options: Eps],
  "scales"
> = fused({
  definition: (x: Tensor, weight: Tensor | null, { eps }: Eps) => {
    const dims = lastDims(normalized(x, weight));
    const unit = x.div(x.square().mean({ dims, keepDims: true }).add(eps).sqrt());
    return weight === null ? unit : unit.mul(weight);
  },
  infer: (x, weight) => [...like(x), { scales: perRow(x, normalized(x, weight)) }],
  forward: ([y, { scales }], x, weight, { eps }) => {
    const n = sizeOf(x.shape.slice(x.shape.length - normalized(x, weight)));
    for (let at = 0, row = 0; at < x.data.length; at += n, row++) {
      const by = squareScale(x, at, n, eps);
      let squares = 0;
      for (let k = at; k < at + n; k++) squares += square((x.data[k] ?? 0) * by);
      const scale = 1 / Math.sqrt(squares / n + eps * by * by);
      for (let k = 0; k < n; k++)
        y.data[at + k] = (x.data[at + k] ?? 0) * by * scale * (weight?.data[k] ?? 1);
      scales.data[row] = scale * by;
    }
  },
  backward: (gradients, g, [, { scales }], x, weight) => {
    const n = sizeOf(x.shape.slice(x.shape.length - normalized(x, weight)));
    const scale = (row: number): number => scales.data[row] ?? 0;
    normBackward(gradients.slice(0, 2), g, x, weight, n, () => 0, scale, false);
  },
  call:
    (run: RmsNormRule) =>
    (x, weight = null, { eps } = {}) => {
      checkParameters("rmsNorm", x, weight);
      return run(x, weight, { eps: eps ?? machineEpsilon[x.dtype] ?? 0 });
    },
  takes: "x: Tensor, weight?: Tensor | null, { eps?: number }",
  example: "tensor([3, 4]).rmsNorm()  // [0.8485, 1.1314]",
  draw: (d) => {
    const [shape, n] = [d.shape({ maxRank: 2 }), d.integer(1, 4)];
    const x = d.tensor([...shape, n], within(-3, 3, { offset: 1 / 8 }));
    return [x, d.pick(d.tensor([n]), null), { eps: 0.25 }];
  },
});
