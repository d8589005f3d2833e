// The reference device: every kind of op as a plain loop over typed arrays. Slow enough to read, and
// the specification that every faster kernel is held against. It computes in double precision and
// rounds once, when a float32 is stored. Other CPU devices run these loops too, on their own memory,
// for whatever they have no kernel for.
//
// A Block is a tensor as a loop sees it: shape, dtype and `data`, the numbers row by row. A *stride* says how far
// apart in `data` neighbours along an axis are: shape [2,3] has strides [3,1], and 0 repeats an axis.
// walkStrides(shape, [a, b], f) calls f for each element in order, with its place in `data` by strides a and b.
// Next: ops/, whose entries these loops read.

import { type Device, registerDevice } from "./device.ts";
import type { TypedArray } from "./dtype.ts";
import { allocate } from "./hostMemory.ts";
import type {
  BackwardCall,
  Block,
  Call,
  ContractKernel,
  ElementwiseKernel,
  ForwardCall,
  PickKernel,
  ReduceKernel,
  ViewKernel,
} from "./op.ts";
import { broadcastStrides, sameShape, sizeOf, walkStrides } from "./shape.ts";
import { Tensor } from "./tensor.ts";

export const reference: Device = {
  name: "reference",
  upload: (data) => data,
  view: (buffer) => buffer as TypedArray,
  read: async (buffer) => (buffer as TypedArray).slice(),
  write: (buffer, data) => (buffer as TypedArray).set(data),
  free: () => {}, // the garbage collector's
  run: (call) => {
    const outputs = call.outputs.map((spec) =>
      spec === null ? null : { ...spec, data: allocate(spec.dtype, sizeOf(spec.shape)) },
    );
    runLoops(call, outputs);
    return outputs.flatMap((block) => (block === null ? [] : [block.data]));
  },
};

registerDevice("reference", () => reference);

/**
 * Runs a call as plain loops, from the arrays of its tensors into those of `outputs`. `dataOf` gives a
 * tensor's array, where a device has a better way than x.data.
 */
export function runLoops(
  call: Call,
  outputs: readonly (Block | null)[],
  dataOf: (x: Tensor) => TypedArray = (x) => x.data,
): void {
  const blockOf = (x: Tensor): Block => ({ shape: x.shape, dtype: x.dtype, data: dataOf(x) });
  const seen = (x: unknown): unknown => {
    if (x instanceof Tensor) return blockOf(x);
    return call.pass === "update" && Array.isArray(x) ? x.map(seen) : x;
  };
  const args = call.args.map(seen);
  if (call.pass === "backward") backwardLoops(call, outputs, blockOf, args);
  else {
    const made = outputs.filter((block) => block !== null);
    if (call.pass === "update") call.entry.kernel.forward(made, ...args);
    else forwardLoops(call, made, args);
  }
}

/** The gradients that are wanted, by the backward loop of a fused op. */
function backwardLoops(
  { entry: { kernel }, g, y, saved }: BackwardCall,
  gradients: readonly (Block | null)[],
  blockOf: (x: Tensor) => Block,
  args: readonly unknown[],
): void {
  const [dx] = gradients;
  if (kernel.kind === "elementwise" && dx) elementwiseBackward(kernel, dx, blockOf(g), args);
  if (kernel.kind === "fused") {
    const rest = Object.entries(saved).map(([name, x]) => [name, blockOf(x)] as const);
    kernel.backward?.(gradients, blockOf(g), [blockOf(y), Object.fromEntries(rest)], ...args);
  }
}

function forwardLoops(call: ForwardCall, made: readonly Block[], args: readonly unknown[]): void {
  const { kernel } = call.entry;
  const [y, ...rest] = made;
  if (y === undefined) return;
  if (kernel.kind === "elementwise") mapLoop(kernel, y, args);
  else if (kernel.kind === "reduce" || kernel.kind === "scan") foldLoop(kernel, y, call.args, args);
  else if (kernel.kind === "pick") pickLoop(kernel, y, call.args, args);
  else if (kernel.kind === "view") copyLoop(kernel, y, call.args, args);
  else if (kernel.kind === "contract") matmulLoop(kernel, y, call.args, args);
  else if (kernel.kind === "index" || kernel.kind === "fused") {
    const names = Object.keys(call.saved);
    const saved = rest.map((block, i) => [names[i] ?? "", block] as const);
    kernel.forward([y, Object.fromEntries(saved)], ...args);
  }
}

/** y[i] = f(a[i], b[i], c[i], scalars), each operand stretched to y's shape. */
function mapLoop(kernel: ElementwiseKernel, y: Block, args: readonly unknown[]): void {
  const { scalars } = kernel;
  const forward = (y.dtype === "int32" ? kernel.integer : undefined) ?? kernel.forward;
  const operands = args.slice(0, -1) as Block[];
  const extra = scalars(args.at(-1));
  const out = y.data;
  const arrays = operands.map((x) => x.data);
  const [a, b, c] = arrays as [TypedArray, TypedArray, TypedArray];
  const store = (i: number, value: number | boolean): void => {
    out[i] = value as number; // true and false become 1 and 0
  };
  if (operands.length === 1) {
    for (let i = 0; i < out.length; i++) store(i, forward(a[i] ?? 0, ...extra));
  } else if (operands.length === 2 && operands.every((x) => sameShape(x.shape, y.shape))) {
    for (let i = 0; i < out.length; i++) store(i, forward(a[i] ?? 0, b[i] ?? 0, ...extra));
  } else {
    const strides = operands.map((x) => broadcastStrides(x.shape, y.shape));
    walkStrides(y.shape, strides, ([p = 0, q = 0, r = 0], i) => {
      if (c === undefined) store(i, forward(a[p] ?? 0, b[q] ?? 0, ...extra));
      else store(i, forward(a[p] ?? 0, b[q] ?? 0, c[r] ?? 0, ...extra));
    });
  }
}

/** dx[i] = f'(g[i], x[i], scalars). */
function elementwiseBackward(
  kernel: ElementwiseKernel,
  dx: Block,
  g: Block,
  args: readonly unknown[],
): void {
  const [x] = args as [Block];
  const extra = kernel.scalars(args.at(-1));
  for (let i = 0; i < dx.data.length; i++) {
    dx.data[i] = kernel.backward?.(g.data[i] ?? 0, x.data[i] ?? 0, ...extra) as number;
  }
}

/** Fills y by a kernel, from a call's arguments as they were given and with arrays for the tensors. */
type Loop<K> = (kernel: K, y: Block, given: readonly unknown[], args: readonly unknown[]) => void;

/**
 * y[o, i] = fold of x[o, 0..n-1, i]; a scan keeps every partial result. Sums in double precision; those of
 * int32 modulo 2^32.
 */
const foldLoop: Loop<ReduceKernel> = (kernel, y, given, args) => {
  const { outer, n, inner } = kernel.around(...given);
  const x = (args[0] as Block).data;
  const isScan = kernel.kind === "scan";
  const isWhole = y.dtype === "int32";
  const reverse = kernel.reverse?.(...given) ?? false;
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++) {
      let total = kernel.start;
      for (let k = 0; k < n; k++) {
        const at = (o * n + (reverse ? n - 1 - k : k)) * inner + i;
        const next = kernel.step(total, x[at] ?? 0);
        total = isWhole ? next | 0 : next;
        if (isScan) y.data[at] = total;
      }
      if (!isScan) y.data[o * inner + i] = total;
    }
  }
};

/** y[o, i] = the first k whose x[o, k, i] no other is better than. */
const pickLoop: Loop<PickKernel> = (kernel, y, given, args) => {
  const { outer, n, inner } = kernel.around(...given);
  const x = (args[0] as Block).data;
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++) {
      const value = (k: number): number => x[(o * n + k) * inner + i] ?? 0;
      let best = 0;
      for (let k = 1; k < n; k++) if (kernel.better(value(k), value(best))) best = k;
      y.data[o * inner + i] = best;
    }
  }
};

/** The strided copies of a view. */
const copyLoop: Loop<ViewKernel> = (kernel, y, given, args) => {
  const fill = kernel.fill?.(...given) ?? 0;
  if (fill !== 0) y.data.fill(fill);
  const inputs = args.filter((_, i) => given[i] instanceof Tensor) as Block[];
  for (const { input, shape, from, to } of kernel.copies(...given)) {
    const source = inputs[input]?.data;
    walkStrides(shape, [from.strides, to.strides], ([p = 0, q = 0]) => {
      y.data[to.offset + q] = source?.[from.offset + p] ?? 0;
    });
  }
};

/** C[b] = A[b] B[b] for each batch index b; of int32 modulo 2^32. */
const matmulLoop: Loop<ContractKernel> = (kernel, y, given, args) => {
  const { batch, m, n, k, transposeA, transposeB, strideA, strideB } = kernel.contraction(...given);
  const [a, b] = args.slice(0, 2).map((x) => (x as Block).data) as [TypedArray, TypedArray];
  const [aRow, aCol] = transposeA ? [1, m] : [k, 1];
  const [bRow, bCol] = transposeB ? [1, k] : [n, 1];
  const isWhole = y.dtype === "int32";
  const row = isWhole ? new Int32Array(n) : new Float64Array(n);
  walkStrides(batch, [strideA, strideB], ([p = 0, q = 0], index) => {
    for (let i = 0; i < m; i++) {
      row.fill(0);
      for (let l = 0; l < k; l++) {
        const left = a[p + i * aRow + l * aCol] ?? 0;
        for (let j = 0; j < n; j++) {
          const right = b[q + l * bRow + j * bCol] ?? 0;
          row[j] = (row[j] ?? 0) + (isWhole ? Math.imul(left, right) : left * right);
        }
      }
      y.data.set(row, (index * m + i) * n);
    }
  });
};
