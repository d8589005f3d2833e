// Index ops. A kernel computes one cell of the result, so nothing is ever scattered: a cell that others
// add to goes through all that may mean it, and takes those whose index names it. An index outside of its
// axis is an IndexError where the host knows the indices, and NaN where it doesn't. Next: update.ts.

import type { ForwardCall, Tensor } from "../../core/index.ts";
import { checkIndices } from "../../core/ops/indices.ts";
import { around, stridesOf } from "../../core/shape.ts";
import { type GpuKernel, type Helper, kernel, type Numbers, type Thread } from "./compile.ts";
import { textKernel } from "./formulas.ts";
import { expOf, logOf, quotient } from "./math.ts";
import { bufferOf, buffersOf, type GpuRule, type GpuRules, sizeOf } from "./rule.ts";
import type { GpuBuffer } from "./storage.ts";
import { coordinates, place, sizeNames, stepNames, walkNumbers } from "./walk.ts";

const helpers: readonly Helper[] = [expOf as Helper, logOf as Helper, quotient as Helper];

/** Throws if the host knows the indices and one is outside of [0, size). */
function check(call: ForwardCall, index: Tensor, size: number): void {
  const { host } = bufferOf(index);
  if (host !== null) checkIndices(call.entry.name, host, size);
}

// --- Whole slices along an axis ----------------------------------------------------------------------

/** y[o, m, i] = x[o, index[m], i]. */
const pickSlices = kernel(
  "indexSelect",
  2,
  function (this: Thread, x: Numbers, index: Numbers, n: number, inner: number, count: number) {
    const i = this.thread.x;
    const q = quotient(i, inner);
    const o = quotient(q, count);
    const k = index[q - o * count]!;
    if (k < 0 || k >= n) {
      return logOf(0 - 1);
    }
    return x[(o * n + k) * inner + i - q * inner]!;
  },
  helpers,
);

/** y[o, k, i] = x[o, k, i] (with xStep 0, one number) + Σ source[o, m, i] over the m with index[m] = k. */
const addSlices = kernel(
  "indexAdd",
  3,
  function (
    this: Thread,
    x: Numbers,
    index: Numbers,
    source: Numbers,
    n: number,
    inner: number,
    count: number,
    xStep: number,
  ) {
    const i = this.thread.x;
    const q = quotient(i, inner);
    const o = quotient(q, n);
    const k = q - o * n;
    let sum = 0;
    for (let m = 0; m < count; m++) {
      if (index[m]! === k) {
        sum += source[(o * count + m) * inner + i - q * inner]!;
      }
    }
    return x[i * xStep]! + sum;
  },
  helpers,
);

const indexSelect: GpuRule<"indexSelect"> = {
  forward: (engine, call) => {
    const [x, index, { dim }] = call.args;
    const { n, inner } = around(x.shape, dim);
    check(call, index, n);
    const [spec] = call.outputs;
    const numbers = [n, inner, index.size];
    return [engine.launch(pickSlices, spec.dtype, sizeOf(spec), buffersOf(x, index), numbers)];
  },
};

const indexAdd: GpuRule<"indexAdd"> = {
  forward: (engine, call) => {
    const [x, index, source, { dim }] = call.args;
    const { n, inner } = around(x.shape, dim);
    check(call, index, n);
    const numbers = [n, inner, index.size, 1];
    return [engine.launch(addSlices, x.dtype, x.size, buffersOf(x, index, source), numbers)];
  },
};

const embedding: GpuRule<"embedding"> = {
  forward: (engine, call) => {
    const [weight, index] = call.args;
    const [rows = 0, width = 0] = weight.shape;
    check(call, index, rows);
    const [spec] = call.outputs;
    const numbers = [rows, width, index.size];
    return [engine.launch(pickSlices, spec.dtype, sizeOf(spec), buffersOf(weight, index), numbers)];
  },
  backward: (engine, { g, args: [weight, index] }) => {
    const [rows = 0, width = 0] = weight.shape;
    const sources = [engine.scalar(0), ...buffersOf(index, g)];
    const numbers = [rows, width, index.size, 0];
    return [engine.launch(addSlices, weight.dtype, weight.size, sources, numbers)];
  },
};

// --- Single elements along an axis -------------------------------------------------------------------

/** y[c] = x[c with its coordinate along the axis replaced by index[c]]. */
function gatherKernel(rank: number): GpuKernel {
  const numbers = [...sizeNames(rank), ...stepNames("x", rank), "side", "step"];
  const text = (): string => `function gather(x, index, ${numbers.join(", ")}) {
  const i = this.thread.x;
  ${coordinates(rank)}
  const k = index[i];
  if (k < 0 || k >= side) {
    return logOf(0 - 1);
  }
  return x[${place("x", rank)} + k * step];
}`;
  return textKernel(`gather.${rank}`, 2, text);
}

/** y[c] = x[c] + Σ_j source[c with j along the axis] where index says c there. */
function scatterKernel(rank: number, dim: number): GpuKernel {
  const axes = Array.from({ length: rank }, (_, d) => d);
  const sides = axes.map((d) => `side${d}`);
  const numbers = [...sizeNames(rank), ...stepNames("index", rank), ...sides, "count", "step"];
  const within = axes.filter((d) => d !== dim).map((d) => `c${d} < side${d}`);
  const text = (): string => `function scatterAdd(x, index, source, ${numbers.join(", ")}) {
  const i = this.thread.x;
  ${coordinates(rank)}
  const first = ${place("index", rank)};
  let sum = 0;
  if (${["side0 > 0", ...within].join(" && ")}) {
    for (let j = 0; j < count; j++) {
      if (index[first + j * step] === c${dim}) {
        sum += source[first + j * step];
      }
    }
  }
  return x[i] + sum;
}`;
  return textKernel(`scatterAdd.${rank}.${dim}`, 3, text);
}

/** Strides with that of an axis set to 0, and that stride. */
function without(shape: readonly number[], dim: number): [number[], number] {
  const strides = stridesOf(shape);
  return [strides.map((stride, d) => (d === dim ? 0 : stride)), strides[dim] ?? 0];
}

const gather: GpuRule<"gather"> = {
  forward: (engine, call) => {
    const [x, index, { dim }] = call.args;
    const side = x.shape[dim] ?? 0;
    check(call, index, side);
    const [steps, step] = without(x.shape, dim);
    const numbers = [...walkNumbers({ sizes: index.shape, steps: [steps] }), side, step];
    const kernel = gatherKernel(index.rank);
    return [engine.launch(kernel, x.dtype, index.size, buffersOf(x, index), numbers)];
  },
};

const scatterAdd: GpuRule<"scatterAdd"> = {
  forward: (engine, call) => {
    const [x, index, source, { dim }] = call.args;
    check(call, index, x.shape[dim] ?? 0);
    const [steps, step] = without(index.shape, dim);
    const walk = walkNumbers({ sizes: x.shape, steps: [steps] });
    const numbers = [...walk, ...index.shape, index.shape[dim] ?? 0, step];
    const kernel = scatterKernel(x.rank, dim);
    return [engine.launch(kernel, x.dtype, x.size, buffersOf(x, index, source), numbers)];
  },
};

// --- Sorting -----------------------------------------------------------------------------------------

/** How many elements of its line come before x[i]: its place when sorted. NaN counts as the largest. */
const rankOf = kernel(
  "argsort.rank",
  1,
  function (this: Thread, x: Numbers, n: number, inner: number, descending: number) {
    const i = this.thread.x;
    const q = quotient(i, inner);
    const o = quotient(q, n);
    const own = q - o * n;
    const first = o * n * inner + i - q * inner;
    const value = x[i]!;
    let before = 0;
    for (let k = 0; k < n; k++) {
      const other = x[first + k * inner]!;
      let order = 0; // -1: other is smaller, 1: larger
      if (other < value || (other === other && !(value === value))) {
        order = 0 - 1;
      }
      if (other > value || (value === value && !(other === other))) {
        order = 1;
      }
      if (descending > 0) {
        order = 0 - order;
      }
      if (order < 0 || (order === 0 && k < own)) {
        before += 1;
      }
    }
    return before;
  },
  helpers,
);

/** The position k of a line whose rank is this cell's. */
const withRank = kernel(
  "argsort",
  1,
  function (this: Thread, ranks: Numbers, n: number, inner: number) {
    const i = this.thread.x;
    const q = quotient(i, inner);
    const o = quotient(q, n);
    const first = o * n * inner + i - q * inner;
    let found = 0;
    for (let k = 0; k < n; k++) {
      if (ranks[first + k * inner]! === q - o * n) {
        found = k;
      }
    }
    return found;
  },
  helpers,
);

const argsort: GpuRule<"argsort"> = {
  forward: (engine, { args: [x, { dim, descending }] }) => {
    const { n, inner } = around(x.shape, dim);
    const numbers = [n, inner, descending ? 1 : 0];
    const ranks: GpuBuffer = engine.launch(rankOf, "float32", x.size, [bufferOf(x)], numbers);
    return [engine.launch(withRank, "int32", x.size, [ranks], [n, inner])];
  },
};

export const gatherRules: GpuRules = {
  indexSelect,
  indexAdd,
  embedding,
  gather,
  scatterAdd,
  argsort,
};
