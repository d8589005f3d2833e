// What an optimiser does to its parameters, and a cache to its rows, in place and off the tape: one call
// for the whole list, so that a device can run it as one kernel. The rule of each is a loop over one
// parameter, like the loops of fused ops, and every device is held against it.
// Next: ../nn/optim.ts, which holds the state; attendNext.ts, ../nn/cache.ts.

import { runCall } from "./debug.ts";
import type { Device } from "./device.ts";
import { DTypeError, GraphError, ShapeError } from "./errors.ts";
import { type Block, commonDevice, type Spec, type UpdateCall, type UpdateEntry } from "./op.ts";
import { pow } from "./portable.ts";
import { formatShape, sameShape } from "./shape.ts";
import { accept, signatures } from "./signature.ts";
import { Storage } from "./storage.ts";
import { checkTensor, Tensor } from "./tensor.ts";

const takes = signatures({
  adamwStep:
    "parameters: Tensor[], gradients: Tensor[], m: Tensor[], v: Tensor[], { lr: number, beta1: number, " +
    "beta2: number, eps: number, weightDecay: number, step: number, gradScale?: Tensor | null, " +
    "largest?: Tensor[] | null }",
  sgdStep:
    "parameters: Tensor[], gradients: Tensor[], momenta: Tensor[] | null, { lr: number, " +
    "momentum: number, nesterov: boolean, weightDecay: number, dampening?: number, gradScale?: Tensor | null }",
  globalNorm: "list: Tensor[]",
});

type TensorList = readonly Tensor[];
type BlockList = readonly Block[];

const noTensors: readonly Tensor[] = [];

/** Runs an update on the device of its tensors. */
export function run<P extends readonly unknown[]>(
  entry: UpdateEntry<P>,
  args: P,
  outputs: readonly Spec[],
): Tensor[] {
  const lists = args.filter((arg) => arg instanceof Tensor || Array.isArray(arg));
  const tensors = noTensors.concat(...(lists as (Tensor | Tensor[])[]));
  for (const x of tensors) x.storage.buffer(entry.name);
  const device: Device = commonDevice(entry.name, tensors);
  const call: UpdateCall = { entry, pass: "update", args, tensors, outputs };
  const buffers = runCall(device, call);
  for (const x of entry.kernel.writes(...args)) x.storage.version++;
  return outputs.map(({ dtype, shape }, i) => {
    const storage = new Storage(device, dtype, shape, buffers[i] as object, entry.name);
    return new Tensor(storage, shape);
  });
}

/** Throws unless the lists go with the parameters: as many of each, of the same shapes and one float dtype. */
function checkLists(
  name: string,
  parameters: TensorList,
  lists: Readonly<Record<string, TensorList | null>>,
): void {
  const dtype = parameters[0]?.dtype;
  parameters.forEach((p, i) => {
    checkTensor(name, p, "parameters", i);
    if (p.dtype !== dtype) {
      throw new DTypeError(
        `${name}: parameter 0 is ${dtype}, parameter ${i} ${p.dtype}; one call, one dtype`,
      );
    }
    if (p.node !== null) {
      throw new GraphError(
        `${name}: parameter ${i} was computed by ${p.node.entry.name}; only leaves are updated in place`,
      );
    }
  });
  for (const what in lists) {
    const list = lists[what];
    if (list) checkList(name, parameters, what, list);
  }
}

/** One list, whose tensors are called `what` in messages. */
function checkList(name: string, parameters: TensorList, what: string, list: TensorList): void {
  if (list.length !== parameters.length) {
    throw new ShapeError(
      `${name}: ${parameters.length} parameters and ${list.length} ${what}; one for each`,
    );
  }
  parameters.forEach((p, i) => {
    const x = checkTensor(name, list[i], what, i);
    if (sameShape(x.shape, p.shape) && x.dtype === p.dtype) return;
    throw new ShapeError(
      `${name}: parameter ${i} is ${p.dtype} ${formatShape(p.shape)}, its ${what} ${x.dtype} ${formatShape(x.shape)}`,
    );
  });
}

// --- AdamW -------------------------------------------------------------------------------------------

/**
 * One step of AdamW (1711.05101): rate, averages and decay. All numbers are said; nn's AdamW has the
 * defaults.
 */
export interface AdamWOptions {
  /** Learning rate of this step. */
  readonly lr: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly eps: number;
  readonly weightDecay: number;
  /** Which step of these parameters this is, from 1: the averages start at 0 and are corrected for it. */
  readonly step: number;
}

/** What a step may be given besides numbers. */
interface Scaled {
  /** A scalar that multiplies the gradients. */
  readonly gradScale?: Tensor | null;
}

function adamwLoop(
  parameters: BlockList,
  gradients: BlockList,
  ms: BlockList,
  vs: BlockList,
  gradScale: Block | null,
  { lr, beta1, beta2, eps, weightDecay, step }: AdamWOptions,
  largest: BlockList | null,
): void {
  const scale = gradScale?.data[0] ?? 1;
  const rest1 = 1 - pow(beta1, step);
  const rest2 = 1 - pow(beta2, step);
  parameters.forEach(({ data: w }, p) => {
    const [g, m, v] = [gradients[p]?.data, ms[p]?.data, vs[p]?.data];
    const top = largest?.[p]?.data;
    if (!g || !m || !v) return;
    for (let i = 0; i < w.length; i++) {
      const gi = scale * (g[i] ?? 0);
      const mi = beta1 * (m[i] ?? 0) + (1 - beta1) * gi;
      const vi = beta2 * (v[i] ?? 0) + (1 - beta2) * gi * gi;
      const by = top === undefined ? vi : Math.max(top[i] ?? 0, vi);
      m[i] = mi;
      v[i] = vi;
      if (top !== undefined) top[i] = by;
      w[i] =
        (w[i] ?? 0) * (1 - lr * weightDecay) - (lr * mi) / rest1 / (Math.sqrt(by / rest2) + eps);
    }
  });
}

export const adamwEntry: UpdateEntry<
  [
    parameters: TensorList,
    gradients: TensorList,
    m: TensorList,
    v: TensorList,
    gradScale: Tensor | null,
    options: AdamWOptions,
    largest: TensorList | null,
  ]
> = {
  name: "adamwStep",
  kernel: {
    kind: "update",
    forward: (_, ...args) => adamwLoop(...args),
    writes: (w, _g, m, v, _scale, _options, largest) => w.concat(m, v, largest ?? []),
  },
};

/**
 * One step of AdamW (1711.05101) on a list of parameters, in place. With g the gradient times gradScale:
 * m = β1 m + (1 - β1) g, v = β2 v + (1 - β2) g², w = w (1 - lr λ) - lr m̂ / (√v̂ + eps), where m̂ and v̂ are
 * m and v over 1 - βᵗ. `m` and `v` start as zeros; gradScale is a scalar tensor. With `largest` (AMSGrad,
 * 1904.09237; zeros at first) the largest v so far takes the place of v in v̂.
 */
export function adamwStep(
  parameters: TensorList,
  gradients: TensorList,
  m: TensorList,
  v: TensorList,
  settings: AdamWOptions & Scaled & { readonly largest?: TensorList | null },
): void {
  accept(takes.adamwStep, arguments);
  const { gradScale = null, largest = null, ...options } = settings;
  if (parameters.length === 0) return;
  checkLists("adamwStep", parameters, { gradients, m, v, largest });
  run(adamwEntry, [parameters, gradients, m, v, gradScale, options, largest], []);
}

// --- SGD ---------------------------------------------------------------------------------------------

/** One step of gradient descent with momentum. All numbers are said; nn's SGD has the defaults. */
export interface SGDOptions {
  /** Learning rate of this step. */
  readonly lr: number;
  readonly momentum: number;
  readonly nesterov: boolean;
  readonly weightDecay: number;
  /** How much less of a gradient goes into the momentum. Default 0. */
  readonly dampening?: number;
}

function sgdLoop(
  parameters: BlockList,
  gradients: BlockList,
  momenta: BlockList | null,
  gradScale: Block | null,
  { lr, momentum, nesterov, weightDecay, dampening = 0 }: SGDOptions,
): void {
  const by = gradScale?.data[0] ?? 1;
  parameters.forEach(({ data: w }, p) => {
    const [g, m] = [gradients[p]?.data, momenta?.[p]?.data];
    for (let i = 0; i < w.length; i++) {
      const gi = by * (g?.[i] ?? 0) + weightDecay * (w[i] ?? 0);
      const mi = momentum * (m?.[i] ?? 0) + (1 - dampening) * gi;
      if (m) m[i] = mi;
      w[i] = (w[i] ?? 0) - lr * (m === undefined ? gi : nesterov ? gi + momentum * mi : mi);
    }
  });
}

export const sgdEntry: UpdateEntry<
  [
    parameters: TensorList,
    gradients: TensorList,
    momenta: TensorList | null,
    gradScale: Tensor | null,
    options: SGDOptions,
  ]
> = {
  name: "sgdStep",
  kernel: {
    kind: "update",
    forward: (_, ...args) => sgdLoop(...args),
    writes: (w, _g, m) => [...w, ...(m ?? [])],
  },
};

/**
 * One step of gradient descent on a list of parameters, in place. With g the gradient times gradScale plus
 * λ w: w = w - lr g without momenta; with them m = μ m + (1 - τ) g, τ the dampening, and w = w - lr m, or
 * w - lr (g + μ m) (Nesterov).
 */
export function sgdStep(
  parameters: TensorList,
  gradients: TensorList,
  momenta: TensorList | null,
  settings: SGDOptions & Scaled,
): void {
  accept(takes.sgdStep, arguments);
  const { gradScale = null, ...options } = settings;
  if (parameters.length === 0) return;
  checkLists("sgdStep", parameters, { gradients, momenta });
  run(sgdEntry, [parameters, gradients, momenta, gradScale, options], []);
}

// --- Clipping ----------------------------------------------------------------------------------------

/** The norm; where squares leave the range of numbers, by what the largest element makes of them. */
function normOf(list: BlockList): number {
  let squares = 0;
  for (const { data } of list) for (const x of data) squares += x * x;
  if (squares > 1e-280 && squares < Infinity) return Math.sqrt(squares);
  let largest = 0;
  for (const { data } of list) for (const x of data) largest = Math.max(largest, Math.abs(x)); // NaN stays
  if (!(largest > 0 && largest < Infinity)) return largest;
  squares = 0;
  for (const { data } of list) for (const x of data) squares += (x / largest) * (x / largest);
  return largest * Math.sqrt(squares);
}

export const normEntry: UpdateEntry<[list: TensorList]> = {
  name: "globalNorm",
  kernel: {
    kind: "update",
    forward: ([y], list) => {
      if (y) y.data[0] = normOf(list);
    },
    writes: () => [],
  },
};

/** √Σ x² over all elements of a list of tensors of one float dtype, as a scalar off the tape. */
export function globalNorm(list: TensorList): Tensor {
  accept(takes.globalNorm, arguments);
  const [first] = list;
  if (first === undefined) throw new ShapeError("globalNorm: got no tensors; give at least one");
  for (const x of list) {
    if (checkTensor("globalNorm", x).dtype === first.dtype) continue;
    throw new DTypeError(`globalNorm: got ${first.dtype} and ${x.dtype}; one call, one dtype`);
  }
  const [norm] = run(normEntry, [list], [{ shape: [], dtype: first.dtype }]);
  return norm as Tensor;
}

// --- Caches ------------------------------------------------------------------------------------------

export const rowsEntry: UpdateEntry<[targets: TensorList, sources: TensorList, at: number]> = {
  name: "writeRows",
  kernel: {
    kind: "update",
    forward: (_, targets, sources, at) => {
      targets.forEach(({ data, shape }, i) => {
        const { data: fresh, shape: own } = sources[i] as Block;
        const [C = 0, D = 0] = shape.slice(-2);
        const n = (own.at(-2) ?? 0) * D;
        for (let block = 0; block * n < fresh.length; block++)
          data.set(fresh.subarray(block * n, (block + 1) * n), (block * C + at) * D);
      });
    },
    writes: (targets) => targets,
  },
};

/**
 * Overwrites rows [at, at + T) of targets [..., C, D] by sources [..., T, D], in place and off the tape: how
 * a cache of keys and values takes new ones.
 */
export function writeRows(targets: TensorList, sources: TensorList, at: number): void {
  targets.forEach((target, i) => {
    const source = checkTensor("writeRows", sources[i], "source", i);
    const end = at + (source.shape.at(-2) ?? 0);
    const expected = target.shape.with(-2, source.shape.at(-2) ?? 0);
    const fits = sameShape(source.shape, expected) && source.dtype === target.dtype;
    if (fits && end <= (target.shape.at(-2) ?? 0)) return;
    throw new ShapeError(
      `writeRows: ${source.dtype} ${formatShape(source.shape)} doesn't fit into ${target.dtype} ` +
        `${formatShape(target.shape)} from row ${at} on`,
    );
  });
  run(rowsEntry, [targets, sources, at], []);
}
