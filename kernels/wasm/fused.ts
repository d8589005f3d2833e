// The rules of ops whose kernels do at once what their definitions do step by step, forwards and
// backwards, and of those that pick by index. In a backward call, outputs that nobody wants are null.
// Next: attention.ts; norm.as.ts, softmax.as.ts, gather.as.ts for the kernels.

import type { CrossEntropySettings, Spec, Tensor } from "../../core/index.ts";
import type { Drop } from "../../core/ops/fused/drop.ts";
import { shareOf } from "../../core/ops/lines.ts";
import { sizeOf } from "../../core/shape.ts";
import { stretched } from "./broadcast.ts";
import type { SharedKernel } from "./exports.ts";
import type { WasmBuffer } from "./memory.ts";
import {
  areFloat32,
  bufferOf,
  isFloat32,
  type Machine,
  makeLike,
  makeWanted,
  pointwise,
  read,
  sideOf,
  type WasmRule,
  type WasmRules,
  wanted,
} from "./rule.ts";

// --- Rows: softmax, logSoftmax, crossEntropy ---------------------------------------------------------

function rowsRule(
  forward: SharedKernel,
  backward: SharedKernel,
  cost: number,
): WasmRule<"softmax"> {
  const run = (
    machine: Machine,
    kernel: SharedKernel,
    spec: Spec,
    ...addresses: number[]
  ): WasmBuffer => {
    const n = spec.shape.at(-1) ?? 1;
    const y = makeLike(machine, spec);
    machine.wasm.run(kernel, y.length / n, n * cost, 1, ...addresses, y.at, n);
    return y;
  };
  return {
    fits: ([x, { dim }]) => isFloat32(x) && x.size > 0 && dim === x.rank - 1, // the kernels walk the last axis
    forward: (machine, { args: [x], outputs: [spec] }) => [
      run(machine, forward, spec, read(machine, x)),
    ],
    backward: (machine, { g, y }) => [
      run(machine, backward, y, read(machine, g), read(machine, y)),
    ],
  };
}

/** Whether every index is below `size` (or is the one that counts for none); if not, the loops say so. */
function inRange({ memory }: Machine, index: Tensor, size: number, none = 0): boolean {
  const values = memory.peek(bufferOf(index));
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    if ((value < 0 || value >= size) && value !== none) return false;
  }
  return true;
}

/** What each row's loss is multiplied by: see shareOf in core. */
function lossShare({ memory }: Machine, target: Tensor, losses: CrossEntropySettings): number {
  return shareOf(memory.peek(bufferOf(target)), losses);
}

const crossEntropy: WasmRule<"crossEntropy"> = {
  fits: ([x]) => isFloat32(x) && x.size > 0,
  forward: (machine, { args: [x, target, losses], outputs: [spec], saved }) => {
    const { reduction, ignoreIndex, labelSmoothing } = losses;
    const n = sideOf(x, -1);
    if (!inRange(machine, target, n, ignoreIndex)) return null;
    const { wasm } = machine;
    const [from, at] = [read(machine, x), read(machine, target)];
    const loss = makeLike(machine, spec);
    const [largest, mass] = [makeLike(machine, saved.largest), makeLike(machine, saved.mass)];
    const rows = target.size;
    const each = reduction === "none" ? loss.at : wasm.alloc(4 * rows);
    const rest = [from, at, n, ignoreIndex, labelSmoothing, each, largest.at, mass.at];
    wasm.run("crossEntropy", rows, n, 1, ...rest);
    if (reduction !== "none") {
      wasm.sum(each, loss.at, 1, rows, 1, lossShare(machine, target, losses));
      wasm.free(each, 4 * rows);
    }
    return [loss, { largest, mass }];
  },
  backward: (machine, { g, saved, args: [x, target, losses] }) => {
    const { reduction, ignoreIndex, labelSmoothing } = losses;
    const n = sideOf(x, -1);
    const [pg, px, pt] = [read(machine, g), read(machine, x), read(machine, target)];
    const masses = [read(machine, saved.largest), read(machine, saved.mass)];
    const dx = makeLike(machine, x);
    const [gStep, share] = [reduction === "none" ? 1 : 0, lossShare(machine, target, losses)];
    const rest = [pg, gStep, share, px, pt, ...masses, dx.at, n, ignoreIndex, labelSmoothing];
    machine.wasm.run("crossEntropyGrad", target.size, n, 1, ...rest);
    return [dx];
  },
};

// --- Normalisations ----------------------------------------------------------------------------------

/** How many elements a normalisation's rows have. */
function rowOf(x: Tensor, ...parameters: readonly (Tensor | null)[]): number {
  return parameters.find((p) => p !== null)?.size ?? x.shape.at(-1) ?? 1;
}

/** The normalised rows; fills their scales, and their means unless they are 0. */
function normed(
  machine: Machine,
  [x, weight, bias]: readonly [Tensor, Tensor | null, Tensor | null],
  eps: number,
  scales: WasmBuffer,
  means?: WasmBuffer,
): WasmBuffer {
  const n = rowOf(x, weight, bias);
  const [px, pw, pb] = [read(machine, x), read(machine, weight), read(machine, bias)];
  const y = makeLike(machine, x);
  const rest = [px, y.at, n, pw, pb, eps, means?.at ?? 0, scales.at];
  machine.wasm.run("norm", x.size / n, n, 1, ...rest);
  return y;
}

const layerNorm: WasmRule<"layerNorm"> = {
  fits: ([x, weight, bias]) => areFloat32(x, weight, bias) && x.size > 0,
  forward: (machine, { args: [x, weight, bias, { eps }], saved }) => {
    const [means, scales] = [makeLike(machine, saved.means), makeLike(machine, saved.scales)];
    return [normed(machine, [x, weight, bias], eps, scales, means), { means, scales }];
  },
  backward: (machine, { g, saved, args: [x, weight, bias], outputs }) => {
    const { means, scales } = saved;
    return normBackward(machine, outputs, { g, x, weight, bias, means, scales });
  },
};

const rmsNorm: WasmRule<"rmsNorm"> = {
  fits: ([x, weight]) => areFloat32(x, weight) && x.size > 0,
  forward: (machine, { args: [x, weight, { eps }], saved }) => {
    const scales = makeLike(machine, saved.scales);
    return [normed(machine, [x, weight, null], eps, scales), { scales }];
  },
  backward: (machine, { g, saved: { scales }, args: [x, weight], outputs }) =>
    normBackward(machine, outputs, { g, x, weight, bias: null, means: null, scales }),
};

interface NormBackward {
  readonly g: Tensor;
  readonly x: Tensor;
  readonly weight: Tensor | null;
  readonly bias: Tensor | null;
  readonly means: Tensor | null;
  readonly scales: Tensor;
}

/** Gradients of x, weight and bias; the kernel always writes x's. */
function normBackward(
  machine: Machine,
  outputs: readonly (Spec | null)[],
  { g, x, weight, bias, means, scales }: NormBackward,
): WasmBuffer[] {
  const n = rowOf(x, weight, bias);
  const [pg, px, pw] = [read(machine, g), read(machine, x), read(machine, weight)];
  const [pm, ps] = [read(machine, means), read(machine, scales)];
  const [isWanted] = outputs;
  const buffers = makeWanted(machine, [x, ...outputs.slice(1)]);
  const [dx, dw, db] = buffers;
  machine.wasm.normGrad(pg, px, dx?.at ?? 0, x.size / n, n, pw, pm, ps, dw?.at ?? 0, db?.at ?? 0);
  if (!isWanted && dx) machine.memory.free(dx);
  return wanted(isWanted ? buffers : buffers.slice(1));
}

// --- Linear, dropout, rotary positions ---------------------------------------------------------------

/** x W + b, where W is [K,N], or [N,K] if it is stored transposed. */
function affine(
  machine: Machine,
  y: WasmBuffer,
  [x, weight, bias]: readonly [Tensor, Tensor, Tensor | null],
  transposeB: boolean,
): [WasmBuffer] {
  const [K, N] = [sideOf(weight, transposeB ? 1 : 0), sideOf(weight, transposeB ? 0 : 1)];
  const [px, pw, pb] = [read(machine, x), read(machine, weight), read(machine, bias)];
  machine.wasm.matmul(px, pw, y.at, { M: x.size / K, N, K, transposeB, bias: pb });
  return [y];
}

/** What affine's gradients dx [M,K], dW and db [N] are made from. */
interface AffineBackward {
  readonly g: Tensor;
  readonly x: Tensor;
  readonly weight: Tensor;
  /** Whether the weight is [N,K]. */
  readonly isTurned: boolean;
}

/** The gradients of affine in one call: dx = g Wᵀ, dW = xᵀ g, or gᵀ x where it is turned, and db, g's column sums. */
function affineBackward(
  machine: Machine,
  { g, x, weight, isTurned }: AffineBackward,
  [dx, dW, db]: readonly (WasmBuffer | null | undefined)[],
): void {
  const { wasm } = machine;
  const [K, N] = [sideOf(x, -1), sideOf(g, -1)];
  const M = g.size / N;
  const [pg, px, pw] = [read(machine, g), read(machine, x), read(machine, weight)];
  const [a, b, rows, columns] = isTurned ? [pg, px, N, K] : [px, pg, K, N];
  if (dx) wasm.matmul(pg, pw, dx.at, { M, N: K, K: N, transposeB: !isTurned });
  if (dW) wasm.matmul(a, b, dW.at, { M: rows, N: columns, K: M, transposeA: true });
  if (db) wasm.sum(pg, db.at, 1, M, N);
}

const linear: WasmRule<"linear"> = {
  fits: ([x, weight, bias]) => areFloat32(x, weight, bias) && sideOf(weight, 1) > 0,
  forward: (machine, { args: [x, weight, bias], outputs: [spec] }) =>
    affine(machine, makeLike(machine, spec), [x, weight, bias], true),
  backward: (machine, { g, args: [x, weight], outputs }) => {
    const buffers = makeWanted(machine, outputs);
    affineBackward(machine, { g, x, weight, isTurned: true }, buffers);
    return wanted(buffers);
  },
};

const addmm: WasmRule<"addmm"> = {
  fits: ([bias, x, weight]) => areFloat32(bias, x, weight) && sideOf(weight, 0) > 0,
  forward: (machine, { args: [bias, x, weight], outputs: [spec] }) =>
    affine(machine, makeLike(machine, spec), [x, weight, bias], false),
  backward: (machine, { g, args: [, x, weight], outputs }) => {
    const buffers = makeWanted(machine, outputs);
    const [db, dx, dW] = buffers;
    affineBackward(machine, { g, x, weight, isTurned: false }, [dx, dW, db]);
    return wanted(buffers);
  },
};

function dropped(machine: Machine, x: Tensor, { p, seed }: Drop): [WasmBuffer] | null {
  return pointwise(machine, ["dropout", 1], [x], p, seed);
}

const dropout: WasmRule<"dropout"> = {
  forward: (machine, { args: [x, drop] }) => dropped(machine, x, drop),
  backward: (machine, { g, args: [, drop] }) => dropped(machine, g, drop),
};

/**
 * How rows of x find theirs in the tables: `inner` neighbouring rows share a position, T positions
 * follow each other, and tables of different batch entries lie `stride` floats apart (0: one for all).
 * x [B, H, T, D] with tables [T, D/2] or [B, 1, T, D/2]; x [B, T, H, D] with [T, 1, D/2] or [B, T, 1, D/2].
 */
function positionsOf(
  x: Tensor,
  cos: Tensor,
): { inner: number; T: number; batch: number; stride: number } | null {
  const rows = x.shape.slice(0, -1);
  const half = sideOf(x, -1) / 2;
  if (cos.shape.at(-1) !== half || x.size === 0) return null;
  const strides = stretched(cos.shape, [...rows, half]).slice(0, -1);
  const axis = strides.findLastIndex((stride) => stride !== 0); // of the positions
  if (axis < 0) return { inner: sizeOf(rows), T: 1, batch: sizeOf(rows), stride: 0 };
  if (strides[axis] !== half) return null;
  const T = sideOf(x, axis);
  const inner = sizeOf(rows.slice(axis + 1));
  const others = strides.slice(0, axis);
  const first = rows.findIndex((side) => side !== 1);
  if (others.every((stride) => stride === 0)) return { inner, T, batch: sizeOf(rows), stride: 0 };
  const isBatched = others.every((stride, d) => (d === first ? stride === T * half : stride === 0));
  return isBatched ? { inner, T, batch: sizeOf(rows.slice(first + 1)), stride: T * half } : null;
}

const rope: WasmRule<"rope"> = {
  fits: ([x, cos]) => isFloat32(x) && positionsOf(x, cos) !== null,
  forward: (machine, { args: [x, cos, sin, { interleaved, inverse }] }) => {
    const positions = positionsOf(x, cos);
    if (positions === null) return null;
    const { inner, T, batch, stride } = positions;
    const D = sideOf(x, -1);
    const [px, pc, ps] = [read(machine, x), read(machine, cos), read(machine, sin)];
    const y = machine.memory.make("float32", x.size);
    const flags = [Number(interleaved), Number(inverse)];
    const rest = [px, y.at, pc, ps, inner, T, batch, D, D, stride, ...flags];
    machine.wasm.run("rope", x.size / D, D / 2, 16, ...rest);
    return [y];
  },
};

// --- By index ----------------------------------------------------------------------------------------

/** Rows of x by a list of indices: embedding, and indexSelect along the first axis. */
function pickRows(machine: Machine, x: Tensor, index: Tensor, spec: Spec): [WasmBuffer] | null {
  if (!isFloat32(x) || x.size === 0 || !inRange(machine, index, sideOf(x, 0))) return null;
  const n = x.size / sideOf(x, 0);
  const [px, pi] = [read(machine, x), read(machine, index)];
  const y = makeLike(machine, spec);
  machine.wasm.run("gatherRows", index.size, n / 8, 16, px, pi, y.at, n);
  return [y];
}

/** Adds rows of g into the rows of y that a list of indices names. */
function addRows(machine: Machine, g: Tensor, index: Tensor, y: WasmBuffer, rows: number): void {
  const n = y.length / rows;
  const [pg, pi] = [read(machine, g), read(machine, index)];
  const cost = (index.size * n) / (8 * rows) + index.size / 4;
  machine.wasm.run("scatterAddRows", rows, cost, 16, pg, pi, index.size, y.at, n);
}

const embedding: WasmRule<"embedding"> = {
  fits: ([weight]) => isFloat32(weight) && weight.size > 0,
  forward: (machine, { args: [weight, index], outputs: [spec] }) =>
    pickRows(machine, weight, index, spec),
  backward: (machine, { g, args: [weight, index] }) => {
    const dweight = makeLike(machine, weight);
    machine.wasm.run("fill", dweight.length, 0.1, 1024, dweight.at, 0);
    addRows(machine, g, index, dweight, sideOf(weight, 0));
    return [dweight];
  },
};

const indexSelect: WasmRule<"indexSelect"> = {
  forward: (machine, { args: [x, index, { dim }], outputs: [spec] }) =>
    dim === 0 ? pickRows(machine, x, index, spec) : null,
};

/** A copy of x, to add to. */
function copied(machine: Machine, x: Tensor): WasmBuffer {
  const at = read(machine, x);
  const y = machine.memory.make("float32", x.size);
  machine.wasm.run("copyBytes", 4 * x.size, 0.05, 4096, at, y.at);
  return y;
}

const indexAdd: WasmRule<"indexAdd"> = {
  forward: (machine, { args: [x, index, source, { dim }] }) => {
    const rows = sideOf(x, 0);
    if (dim !== 0 || !isFloat32(x) || x.size === 0 || !inRange(machine, index, rows)) return null;
    const y = copied(machine, x);
    addRows(machine, source, index, y, rows);
    return [y];
  },
};

/** x seen as [outer, n, inner] around `dim`, if the index covers all of x's other axes and is in range. */
function along(
  machine: Machine,
  x: Tensor,
  index: Tensor,
  dim: number,
): [outer: number, n: number, m: number, inner: number] | null {
  const covers = x.shape.every((side, d) => d === dim || index.shape[d] === side);
  if (!isFloat32(x) || !covers || x.size === 0 || index.size === 0) return null;
  const n = sideOf(x, dim);
  if (!inRange(machine, index, n)) return null;
  return [sizeOf(x.shape, 0, dim), n, sideOf(index, dim), sizeOf(x.shape, dim + 1)];
}

const gather: WasmRule<"gather"> = {
  forward: (machine, { args: [x, index, { dim }], outputs: [spec] }) => {
    const walk = along(machine, x, index, dim);
    if (walk === null) return null;
    const [outer, n, m, inner] = walk;
    const [px, pi] = [read(machine, x), read(machine, index)];
    const y = makeLike(machine, spec);
    machine.wasm.run("gather", outer, m * inner, 16, px, pi, y.at, n, m, inner);
    return [y];
  },
};

const scatterAdd: WasmRule<"scatterAdd"> = {
  forward: (machine, { args: [x, index, source, { dim }] }) => {
    const walk = along(machine, x, index, dim);
    if (walk === null) return null;
    const [outer, n, m, inner] = walk;
    const y = copied(machine, x);
    const [pg, pi] = [read(machine, source), read(machine, index)];
    machine.wasm.run("scatterAdd", outer, m * inner, 16, pg, pi, y.at, n, m, inner);
    return [y];
  },
};

export const fusedRules: WasmRules = {
  softmax: rowsRule("softmax", "softmaxGrad", 1.2),
  logSoftmax: rowsRule("logSoftmax", "logSoftmaxGrad", 1.2),
  crossEntropy,
  layerNorm,
  rmsNorm,
  linear,
  addmm,
  dropout,
  rope,
  embedding,
  indexSelect,
  indexAdd,
  gather,
  scatterAdd,
};
