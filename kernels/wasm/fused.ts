// The rules of ops whose kernels do at once what their definitions do step by step, forwards and
// backwards, and of those that pick by index. In a backward call the arguments are the incoming
// gradient, the results of the forward pass, then its arguments; outputs that nobody wants are null.
// Next: attention.ts; norm.as.ts, softmax.as.ts, gather.as.ts for the kernels.

import type { Call, Spec, Tensor } from "../../core/index.ts";
import { shareOf } from "../../core/ops/fused/crossEntropy.ts";
import { stretched } from "./broadcast.ts";
import type { Kernel } from "./exports.ts";
import type { Block } from "./memory.ts";
import {
  areFloat32,
  blockOf,
  isFloat32,
  type Machine,
  makeLike,
  makeWanted,
  type Rule,
  type Run,
  read,
  sizeOf,
  wanted,
} from "./rule.ts";

type Tensors = readonly Tensor[];

// --- Rows: softmax, logSoftmax, crossEntropy ---------------------------------------------------------

/** The kernels walk the last axis. */
function isLastAxis([x, options]: readonly unknown[]): boolean {
  return isFloat32(x) && x.size > 0 && (options as { dim: number }).dim === x.rank - 1;
}

function rowsRule(forward: Kernel, backward: Kernel, cost: number): Rule {
  const run = (machine: Machine, kernel: Kernel, inputs: Tensors, spec: Spec): Block[] => {
    const n = spec.shape.at(-1) ?? 1;
    const addresses = read(machine, ...inputs);
    const y = makeLike(machine, spec);
    machine.wasm.run(kernel, y.length / n, n * cost, 1, ...addresses, y.at, n);
    return [y];
  };
  return {
    fits: isLastAxis,
    forward: (machine, { args: [x], outputs: [spec] }) =>
      run(machine, forward, [x as Tensor], spec as Spec),
    backward: (machine, { args: [g, y], outputs: [spec] }) =>
      run(machine, backward, [g as Tensor, y as Tensor], spec as Spec),
  };
}

/** Whether every index is below `size` (or is the one that counts for none); if not, the loops say so. */
function inRange({ memory }: Machine, index: Tensor, size: number, none = 0): boolean {
  const values = memory.peek(blockOf(index));
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    if ((value < 0 || value >= size) && value !== none) return false;
  }
  return true;
}

interface Losses {
  readonly reduction: "mean" | "sum" | "none";
  readonly ignoreIndex: number;
  readonly labelSmoothing: number;
}

/** What each row's loss is multiplied by: see shareOf in core. */
function lossShare({ memory }: Machine, target: Tensor, losses: Losses): number {
  return shareOf(memory.peek(blockOf(target)), losses);
}

const crossEntropy: Rule = {
  fits: ([x]) => isFloat32(x) && x.size > 0,
  forward: (machine, { args, outputs }) => {
    const [x, target, losses] = args as [Tensor, Tensor, Losses];
    const { reduction, ignoreIndex, labelSmoothing } = losses;
    const n = x.shape.at(-1) as number;
    if (!inRange(machine, target, n, ignoreIndex)) return null;
    const { wasm } = machine;
    const [from, at] = read(machine, x, target) as [number, number];
    const [loss, lse] = wanted(makeWanted(machine, outputs)) as [Block, Block];
    const rows = target.size;
    const each = reduction === "none" ? loss.at : wasm.alloc(4 * rows);
    const rest = [from, at, n, ignoreIndex, labelSmoothing, each, lse.at];
    wasm.run("crossEntropy", rows, n, 1, ...rest);
    if (reduction !== "none") {
      wasm.sum(each, loss.at, 1, rows, 1, lossShare(machine, target, losses));
      wasm.free(each, 4 * rows);
    }
    return [loss, lse];
  },
  backward: (machine, { args, outputs }) => {
    const [g, , lse, x, target, losses] = args as [
      ...[Tensor, Tensor, Tensor, Tensor, Tensor],
      Losses,
    ];
    const { reduction, ignoreIndex, labelSmoothing } = losses;
    const n = x.shape.at(-1) as number;
    const [pg, px, pt, pl] = read(machine, g, x, target, lse) as [number, number, number, number];
    const [dx] = wanted(makeWanted(machine, outputs)) as [Block];
    const [gStep, share] = [reduction === "none" ? 1 : 0, lossShare(machine, target, losses)];
    const rest = [pg, gStep, share, px, pt, pl, dx.at, n, ignoreIndex, labelSmoothing];
    machine.wasm.run("crossEntropyGrad", target.size, n, 1, ...rest);
    return [dx];
  },
};

// --- Normalisations ----------------------------------------------------------------------------------

/** How many elements a normalisation's rows have. */
function rowOf(x: Tensor, ...parameters: readonly (Tensor | null)[]): number {
  return parameters.find((p) => p !== null)?.size ?? x.shape.at(-1) ?? 1;
}

const layerNorm: Rule = {
  fits: ([x, weight, bias]) => areFloat32(x, weight, bias) && (x as Tensor).size > 0,
  forward: (machine, { args, outputs }) => {
    const [x, weight, bias, { eps }] = args as [Tensor, Tensor, Tensor, { eps: number }];
    const n = rowOf(x, weight, bias);
    const [px, pw, pb] = read(machine, x, weight, bias) as [number, number, number];
    const [y, means, rstds] = wanted(makeWanted(machine, outputs)) as [Block, Block, Block];
    const rest = [px, y.at, n, pw, pb, eps, means.at, rstds.at];
    machine.wasm.run("norm", x.size / n, n, 1, ...rest);
    return [y, means, rstds];
  },
  backward: (machine, { args, outputs }) => {
    const [g, , means, rstds, x, weight, bias] = args as Tensors;
    return normBackward(machine, outputs, [g, x, weight ?? null, means, rstds] as Tensors, bias);
  },
};

const rmsNorm: Rule = {
  fits: ([x, weight]) => areFloat32(x, weight) && (x as Tensor).size > 0,
  forward: (machine, { args, outputs }) => {
    const [x, weight, { eps }] = args as [Tensor, Tensor, { eps: number }];
    const n = rowOf(x, weight);
    const [px, pw] = read(machine, x, weight) as [number, number];
    const [y, rstds] = wanted(makeWanted(machine, outputs)) as [Block, Block];
    machine.wasm.run("norm", x.size / n, n, 1, px, y.at, n, pw, 0, eps, 0, rstds.at);
    return [y, rstds];
  },
  backward: (machine, { args, outputs }) => {
    const [g, , rstds, x, weight] = args as Tensors;
    return normBackward(machine, outputs, [g, x, weight ?? null, null, rstds] as Tensors);
  },
};

/** Gradients of x, weight and bias; the kernel always writes x's. */
function normBackward(
  machine: Machine,
  outputs: Call["outputs"],
  tensors: readonly (Tensor | null)[],
  bias: Tensor | null = null,
): Block[] {
  const [, x, weight] = tensors as [Tensor, Tensor, Tensor | null];
  const n = rowOf(x, weight, bias);
  const [pg, px, pw, means, rstds] = read(machine, ...tensors) as [
    number,
    number,
    number,
    number,
    number,
  ];
  const blocks = makeWanted(machine, outputs);
  const [dx, dw, db] = blocks;
  const { wasm } = machine;
  const spare = dx ? 0 : wasm.alloc(4 * x.size);
  const rows = x.size / n;
  wasm.normGrad(pg, px, dx?.at ?? spare, rows, n, pw, means, rstds, dw?.at ?? 0, db?.at ?? 0);
  if (spare !== 0) wasm.free(spare, 4 * x.size);
  return wanted(blocks);
}

// --- Linear, dropout, rotary positions ---------------------------------------------------------------

const linear: Rule = {
  fits: ([x, weight, bias]) =>
    areFloat32(x, weight, bias) && ((weight as Tensor).shape[1] as number) > 0,
  forward: (machine, { args, outputs: [spec] }) => {
    const [x, weight, bias] = args as [Tensor, Tensor, Tensor | null];
    const [N, K] = weight.shape as [number, number];
    const [px, pw, pb] = read(machine, x, weight, bias) as [number, number, number];
    const y = makeLike(machine, spec as Spec);
    machine.wasm.matmul(px, pw, y.at, { M: x.size / K, N, K, transposeB: true, bias: pb });
    return [y];
  },
};

const addmm: Rule = {
  fits: ([bias, x, weight]) =>
    areFloat32(bias, x, weight) && ((weight as Tensor).shape[0] as number) > 0,
  forward: (machine, { args, outputs: [spec] }) => {
    const [bias, x, weight] = args as [Tensor, Tensor, Tensor];
    const [K, N] = weight.shape as [number, number];
    const [pb, px, pw] = read(machine, bias, x, weight) as [number, number, number];
    const y = makeLike(machine, spec as Spec);
    machine.wasm.matmul(px, pw, y.at, { M: x.size / K, N, K, bias: pb });
    return [y];
  },
};

interface Drop {
  readonly p: number;
  readonly seed: number;
}

function dropped(machine: Machine, x: Tensor, { p, seed }: Drop): Block[] {
  const [at] = read(machine, x) as [number];
  const y = machine.memory.make("float32", x.size);
  machine.wasm.run("dropout", x.size, 1, 1024, at, y.at, p, seed);
  return [y];
}

const dropout: Rule = {
  forward: (machine, { args: [x, drop] }) => dropped(machine, x as Tensor, drop as Drop),
  backward: (machine, { args: [g, , , drop] }) => dropped(machine, g as Tensor, drop as Drop),
};

interface Turn {
  readonly interleaved: boolean;
  readonly inverse: boolean;
}

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
  const half = (x.shape.at(-1) as number) / 2;
  if (cos.shape.at(-1) !== half || x.size === 0) return null;
  const strides = stretched(cos.shape, [...rows, half]).slice(0, -1);
  const axis = strides.findLastIndex((stride) => stride !== 0); // of the positions
  if (axis < 0) return { inner: sizeOf(rows), T: 1, batch: sizeOf(rows), stride: 0 };
  if (strides[axis] !== half) return null;
  const T = rows[axis] as number;
  const inner = sizeOf(rows.slice(axis + 1));
  const others = strides.slice(0, axis);
  const first = rows.findIndex((side) => side !== 1);
  if (others.every((stride) => stride === 0)) return { inner, T, batch: sizeOf(rows), stride: 0 };
  const isBatched = others.every((stride, d) => (d === first ? stride === T * half : stride === 0));
  return isBatched ? { inner, T, batch: sizeOf(rows.slice(first + 1)), stride: T * half } : null;
}

const rope: Rule = {
  fits: ([x, cos]) => isFloat32(x) && positionsOf(x, cos as Tensor) !== null,
  forward: (machine, { args }) => {
    const [x, cos, sin, turn] = args as [Tensor, Tensor, Tensor, Turn];
    const positions = positionsOf(x, cos);
    if (positions === null) return null;
    const { inner, T, batch, stride } = positions;
    const D = x.shape.at(-1) as number;
    const [px, pc, ps] = read(machine, x, cos, sin) as [number, number, number];
    const y = machine.memory.make("float32", x.size);
    const flags = [Number(turn.interleaved), Number(turn.inverse)];
    const rest = [px, y.at, pc, ps, inner, T, batch, D, D, stride, ...flags];
    machine.wasm.run("rope", x.size / D, D / 2, 16, ...rest);
    return [y];
  },
};

// --- By index ----------------------------------------------------------------------------------------

/** Rows of x by a list of indices: embedding, and indexSelect along the first axis. */
const pickRows = (x: Tensor, index: Tensor, machine: Machine, spec: Spec): Block[] | null => {
  if (!isFloat32(x) || x.size === 0 || !inRange(machine, index, x.shape[0] as number)) return null;
  const n = x.size / (x.shape[0] as number);
  const [px, pi] = read(machine, x, index) as [number, number];
  const y = makeLike(machine, spec);
  machine.wasm.run("gatherRows", index.size, n / 8, 16, px, pi, y.at, n);
  return [y];
};

/** Adds rows of g into the rows of y that a list of indices names. */
function addRows(machine: Machine, g: Tensor, index: Tensor, y: Block, rows: number): void {
  const n = y.length / rows;
  const [pg, pi] = read(machine, g, index) as [number, number];
  const cost = (index.size * n) / (8 * rows) + index.size / 4;
  machine.wasm.run("scatterAddRows", rows, cost, 16, pg, pi, index.size, y.at, n);
}

const embedding: Rule = {
  fits: ([weight]) => isFloat32(weight) && weight.size > 0,
  forward: (machine, { args: [weight, index], outputs: [spec] }) =>
    pickRows(weight as Tensor, index as Tensor, machine, spec as Spec),
  backward: (machine, { args: [g, , weight, index], outputs: [spec] }) => {
    const dweight = makeLike(machine, spec as Spec);
    machine.wasm.run("fill", dweight.length, 0.1, 1024, dweight.at, 0);
    addRows(machine, g as Tensor, index as Tensor, dweight, (weight as Tensor).shape[0] as number);
    return [dweight];
  },
};

const indexSelect: Run = (machine, { args, outputs: [spec] }) => {
  const [x, index, { dim }] = args as [Tensor, Tensor, { dim: number }];
  return dim === 0 ? pickRows(x, index, machine, spec as Spec) : null;
};

/** A copy of x, to add to. */
function copied(machine: Machine, x: Tensor): Block {
  const [at] = read(machine, x) as [number];
  const y = machine.memory.make("float32", x.size);
  machine.wasm.run("copyBytes", 4 * x.size, 0.05, 4096, at, y.at);
  return y;
}

const indexAdd: Run = (machine, { args }) => {
  const [x, index, source, { dim }] = args as [Tensor, Tensor, Tensor, { dim: number }];
  const rows = x.shape[0] as number;
  if (dim !== 0 || !isFloat32(x) || x.size === 0 || !inRange(machine, index, rows)) return null;
  const y = copied(machine, x);
  addRows(machine, source, index, y, rows);
  return [y];
};

/** x seen as [outer, n, inner] around `dim`, if the index covers all of x's other axes. */
function along(
  x: Tensor,
  index: Tensor,
  dim: number,
): [outer: number, n: number, m: number, inner: number] | null {
  const covers = x.shape.every((side, d) => d === dim || index.shape[d] === side);
  if (!covers || x.size === 0 || index.size === 0) return null;
  const [outer, inner] = [sizeOf(x.shape.slice(0, dim)), sizeOf(x.shape.slice(dim + 1))];
  return [outer, x.shape[dim] as number, index.shape[dim] as number, inner];
}

const gather: Run = (machine, { args, outputs: [spec] }) => {
  const [x, index, { dim }] = args as [Tensor, Tensor, { dim: number }];
  const walk = isFloat32(x) ? along(x, index, dim) : null;
  if (walk === null || !inRange(machine, index, walk[1])) return null;
  const [outer, n, m, inner] = walk;
  const [px, pi] = read(machine, x, index) as [number, number];
  const y = makeLike(machine, spec as Spec);
  machine.wasm.run("gather", outer, m * inner, 16, px, pi, y.at, n, m, inner);
  return [y];
};

const scatterAdd: Run = (machine, { args }) => {
  const [x, index, source, { dim }] = args as [Tensor, Tensor, Tensor, { dim: number }];
  const walk = isFloat32(x) ? along(x, index, dim) : null;
  if (walk === null || !inRange(machine, index, walk[1])) return null;
  const [outer, n, m, inner] = walk;
  const y = copied(machine, x);
  const [pg, pi] = read(machine, source, index) as [number, number];
  machine.wasm.run("scatterAdd", outer, m * inner, 16, pg, pi, y.at, n, m, inner);
  return [y];
};

export const fusedRules: Readonly<Record<string, Rule>> = {
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
  indexSelect: { forward: indexSelect },
  indexAdd: { forward: indexAdd },
  gather: { forward: gather },
  scatterAdd: { forward: scatterAdd },
};
