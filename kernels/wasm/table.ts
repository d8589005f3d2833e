// Which op runs which kernel. A rule takes a call apart into addresses and sizes; where its kernel
// doesn't fit (another dtype, an axis that isn't the last) it returns null, and the device finds
// another way. Costs are nanoseconds a unit on one thread, roughly: they decide what is shared.
// Next: fused.ts for the rules of fused ops, exports.ts for the kernels' arguments, device.ts.

import type { BackwardCall, Call, ForwardCall, Spec, Tensor } from "../../core/index.ts";
import { aroundDims } from "../../core/kinds.ts";
import type { Contraction, ContractKernel, ViewKernel } from "../../core/op.ts";
import { RuleTable } from "../../core/rule.ts";
import { sizeOf } from "../../core/shape.ts";
import { attentionRules } from "./attention.ts";
import { merge, stretched } from "./broadcast.ts";
import type { SharedKernel } from "./exports.ts";
import { fusedRules } from "./fused.ts";
import type { WasmBuffer } from "./memory.ts";
import {
  bufferOf,
  type Forward,
  isFloat32,
  type Machine,
  makeLike,
  pointwise,
  read,
  type WasmRule,
  type WasmRules,
} from "./rule.ts";
import { updateRules } from "./update.ts";

/** Elements that a thread takes at least at once. */
const grain = 1024;

// --- Elementwise -------------------------------------------------------------------------------------

/** y = f(x). */
function unary(kernel: SharedKernel, cost: number): Forward<[x: Tensor]> {
  return (machine, { args: [x] }) => pointwise(machine, [kernel, cost], [x]);
}

/** dx = g f'(x): the backward pass of a fused op of one operand. */
function unaryGrad(kernel: SharedKernel, cost: number) {
  return (
    machine: Machine,
    { g, args: [x] }: BackwardCall<readonly [x: Tensor, ...rest: unknown[]], never>,
  ) => pointwise(machine, [kernel, cost], [g, x]);
}

/** How a kernel of two or three operands walks: rows of `inner`, and where each operand's rows start. */
interface Rows {
  inner: number;
  layout: number;
  strides: number[];
  steps: number[];
}

/** Rows for operands that broadcast to `shape`; null if they need more than five outer axes. */
function rowsOf(
  { wasm }: Machine,
  shape: readonly number[],
  operands: readonly Tensor[],
): Rows | null {
  const size = sizeOf(shape);
  if (operands.every((x) => x.size === size || x.size === 1)) {
    const steps = operands.map((x) => (x.size === 1 ? 0 : 1));
    return { inner: Math.max(1, size), layout: 0, strides: steps, steps };
  }
  const walk = merge(
    shape,
    operands.map((x) => stretched(x.shape, shape)),
  );
  const outer = walk.sizes.length - 1;
  const inner = walk.sizes[outer] as number;
  const steps = walk.steps.map((own) => own[outer] as number);
  if (outer <= 1)
    return { inner, layout: 0, strides: walk.steps.map((own) => own[0] as number), steps };
  if (outer > 5) return null;
  const front = new Array<number>(5 - outer).fill(1);
  const zeros = front.map(() => 0);
  const numbers = [...front, ...walk.sizes.slice(0, -1)];
  for (const own of walk.steps) numbers.push(...zeros, ...own.slice(0, -1));
  const layout = wasm.layout(numbers);
  return { inner, layout, strides: walk.steps.map((_, i) => layout + 20 * (i + 1)), steps };
}

/** out = f(a, b), under every broadcast. */
function binary(kernel: SharedKernel, cost: number): Forward<[a: Tensor, b: Tensor]> {
  return (machine, { args: [a, b], outputs: [spec] }) => {
    if (!isFloat32(a) || !isFloat32(b)) return null;
    const rows = rowsOf(machine, spec.shape, [a, b]);
    if (rows === null) return null;
    const { wasm, memory } = machine;
    const { inner, layout, strides, steps } = rows;
    const [pa, pb] = [memory.read(bufferOf(a), 0), memory.read(bufferOf(b), 1)];
    const out = makeLike(machine, spec);
    const [sa = 0, sb = 0] = strides;
    const [ia = 0, ib = 0] = steps;
    wasm.run(kernel, out.length, cost, grain, inner, layout, pa, sa, ia, pb, sb, ib, out.at);
    return [out];
  };
}

/** out = c ? a : b. */
function choose(
  machine: Machine,
  c: Tensor,
  a: Tensor,
  b: Tensor,
  spec: Spec,
): [WasmBuffer] | null {
  if (!isFloat32(a) || !isFloat32(b)) return null;
  const rows = rowsOf(machine, spec.shape, [c, a, b]);
  if (rows === null) return null;
  const { wasm, memory } = machine;
  const operands = [c, a, b].flatMap((x, i) => [
    memory.read(bufferOf(x), i),
    rows.strides[i] ?? 0,
    rows.steps[i] ?? 0,
  ]);
  const out = makeLike(machine, spec);
  wasm.run("where", out.length, 0.3, grain, rows.inner, rows.layout, ...operands, out.at);
  return [out];
}

const where: WasmRule<"where"> = {
  forward: (machine, { args: [c, a, b], outputs: [spec] }) => choose(machine, c, a, b, spec),
};

const maskedFill: WasmRule<"maskedFill"> = {
  forward: (machine, { args: [x, mask, value], outputs: [spec] }) =>
    choose(machine, mask, value, x, spec),
};

const clamp: WasmRule<"clamp"> = {
  forward: (machine, { args: [x, bounds], outputs: [spec] }) => {
    if (spec.dtype !== "float32") return null;
    const { min = -Infinity, max = Infinity } = bounds;
    return pointwise(machine, ["unaryClamp", 0.2], [x], min, max);
  },
};

const gelus = {
  forward: { none: unary("unaryGelu", 2), tanh: unary("unaryGeluTanh", 1.8) },
  backward: { none: unaryGrad("gradGelu", 3), tanh: unaryGrad("gradGeluTanh", 2.2) },
};

const gelu: WasmRule<"gelu"> = {
  forward: (machine, call) => gelus.forward[call.args[1].approximate ?? "none"](machine, call),
  backward: (machine, call) => gelus.backward[call.args[1].approximate ?? "none"](machine, call),
};

/** "neg" of "unaryNeg": the ops that kernels of this kind are called after. */
type NamesOf<Kind extends string, Name = SharedKernel> = Name extends `${Kind}${infer Op}`
  ? Uncapitalize<Op>
  : never;

/** The rules of ops whose kernels are called after them, from what an element costs. */
function namesakes<Kind extends "unary" | "binary", K extends NamesOf<Kind>, F>(
  kind: Kind,
  rule: (kernel: SharedKernel, cost: number) => F,
  costs: Readonly<Record<K, number>>,
) {
  const rules = Object.entries<number>(costs).map(([op, cost]) => {
    const kernel = kind + op.replace(/./, (letter) => letter.toUpperCase());
    return [op, { forward: rule(kernel as SharedKernel, cost) }];
  });
  return Object.fromEntries(rules) as Record<K, { forward: F }>;
}

const unaries = namesakes("unary", unary, {
  neg: 0.2,
  abs: 0.2,
  sign: 0.3,
  square: 0.2,
  reciprocal: 0.4,
  sqrt: 0.5,
  rsqrt: 0.8,
  exp: 0.8,
  expm1: 1.5,
  log: 1.2,
  log1p: 1.5,
  sin: 2,
  cos: 2,
  tanh: 1.5,
  erf: 2,
  sigmoid: 1.2,
  softplus: 2,
  relu: 0.2,
});
const binaries = namesakes("binary", binary, {
  add: 0.25,
  sub: 0.25,
  mul: 0.25,
  div: 0.4,
  maximum: 0.25,
  minimum: 0.25,
  pow: 4,
});

const elementwiseRules: WasmRules = {
  ...unaries,
  ...binaries,
  logSigmoid: {
    forward: unary("unaryLogSigmoid", 2),
    backward: unaryGrad("gradLogSigmoid", 1.5),
  },
  silu: { forward: unary("unarySilu", 1.3), backward: unaryGrad("gradSilu", 1.6) },
  gelu,
  clamp,
  eq: { forward: binary("compareEqual", 0.3) },
  ne: { forward: binary("compareNotEqual", 0.3) },
  lt: { forward: binary("compareLess", 0.3) },
  le: { forward: binary("compareLessEqual", 0.3) },
  gt: { forward: binary("compareGreater", 0.3) },
  ge: { forward: binary("compareGreaterEqual", 0.3) },
  where,
  maskedFill,
};

// --- Reductions --------------------------------------------------------------------------------------

const sum: WasmRule<"sum"> = {
  forward: (machine, { args: [x, options], outputs: [spec] }) => {
    if (!isFloat32(x)) return null;
    const { outer, n, inner } = aroundDims(x, options);
    const at = read(machine, x);
    const y = makeLike(machine, spec);
    machine.wasm.sum(at, y.at, outer, n, inner);
    return [y];
  },
};

/** max, min and their positions. */
function extreme(kernel: "extreme" | "argExtreme", sign: number): WasmRule<"max"> {
  return {
    forward: (machine, { args: [x, options], outputs: [spec] }) => {
      if (!isFloat32(x)) return null;
      const { n, inner } = aroundDims(x, options);
      const at = read(machine, x);
      const y = makeLike(machine, spec);
      machine.wasm.run(kernel, y.length, n, 16, at, n, inner, y.at, sign);
      return [y];
    },
  };
}

const reduceRules: WasmRules = {
  sum,
  max: extreme("extreme", 1),
  min: extreme("extreme", -1),
  argmax: extreme("argExtreme", 1),
  argmin: extreme("argExtreme", -1),
};

// --- Views and products ------------------------------------------------------------------------------

/** Every view: strided copies of elements of four bytes. */
function move(machine: Machine, kernel: ViewKernel, call: ForwardCall): WasmBuffer[] | null {
  const { args, tensors } = call;
  const [spec] = call.outputs;
  if (spec.dtype !== "float32" && spec.dtype !== "int32") return null;
  const { wasm, memory } = machine;
  const copies = kernel.copies(...args).map(({ input, shape, from, to }) => {
    return { input, from, to, axes: merge(shape, [from.strides, to.strides]), size: sizeOf(shape) };
  });
  if (copies.some(({ axes }) => axes.sizes.length > 6)) return null;
  const addresses = tensors.map((x) => memory.read(bufferOf(x)));
  const y = makeLike(machine, spec);
  if (copies.reduce((total, { size }) => total + size, 0) < y.length)
    wasm.run("fill", y.length, 0.1, grain, y.at, bitsOf(kernel.fill?.(...args) ?? 0, spec));
  for (const { input, from, to, axes, size } of copies) {
    if (size === 0) continue;
    const [source, target] = [(addresses[input] ?? 0) + 4 * from.offset, y.at + 4 * to.offset];
    const [steps = [], places = []] = axes.steps;
    wasm.stridedCopy(source, target, axes.sizes, steps, places);
  }
  return [y];
}

/** A number as the four bytes that hold it. */
function bitsOf(value: number, { dtype }: Spec): number {
  return dtype === "int32" ? value : (new Int32Array(Float32Array.of(value).buffer)[0] as number);
}

/** Every product of matrices. */
function matmul(
  machine: Machine,
  kernel: ContractKernel,
  { args, tensors: [a, b], outputs: [spec] }: ForwardCall,
): WasmBuffer[] | null {
  if (!isFloat32(a) || !isFloat32(b)) return null;
  const walk = kernel.contraction(...args);
  const { m: M, n: N, k: K, transposeA, transposeB } = walk;
  const { wasm, memory } = machine;
  const [pa, pb] = [memory.read(bufferOf(a)), memory.read(bufferOf(b))];
  const c = makeLike(machine, spec);
  if (c.length === 0) return [c];
  if (K === 0) wasm.run("fill", c.length, 0.1, grain, c.at, 0);
  else if (walk.batch.length === 0) wasm.matmul(pa, pb, c.at, { M, N, K, transposeA, transposeB });
  else multiplyBatch(machine, pa, pb, c.at, walk);
  return [c];
}

/** Batches of products; a batch whose strides aren't one number goes product by product. */
function multiplyBatch(
  { wasm }: Machine,
  a: number,
  b: number,
  c: number,
  walk: Contraction,
): void {
  const { m: M, n: N, k: K, transposeA, transposeB } = walk;
  const { sizes, steps } = merge(walk.batch, [walk.strideA, walk.strideB]);
  const [stepsA, stepsB] = steps as [number[], number[]];
  const batch = sizes.at(-1) ?? 1;
  const [strideA, strideB] = [stepsA.at(-1) ?? 0, stepsB.at(-1) ?? 0];
  const product = { M, N, K, transposeA, transposeB, batch, strideA, strideB };
  const outer = sizes.slice(0, -1);
  for (let i = 0, count = sizeOf(outer); i < count; i++) {
    let [atA, atB] = [a, b];
    for (let d = outer.length - 1, rest = i; d >= 0; d--) {
      const place = rest % (outer[d] as number);
      rest = (rest - place) / (outer[d] as number);
      atA += 4 * place * (stepsA[d] as number);
      atB += 4 * place * (stepsB[d] as number);
    }
    wasm.matmul(atA, atB, c + 4 * i * batch * M * N, product);
  }
}

// --- Which rule --------------------------------------------------------------------------------------

const named = { ...elementwiseRules, ...reduceRules, ...fusedRules, ...attentionRules };
/** Which ops, their gradients and updates have kernels. */
export const rules = new RuleTable<Machine, WasmBuffer>(named, updateRules);

/** Runs a call by its op's rule, or that of its kind; null if no kernel fits. */
export function runKernels(machine: Machine, call: Call): readonly WasmBuffer[] | null {
  const made = rules.run(machine, call);
  if (made !== undefined || call.pass !== "forward") return made ?? null;
  const { kernel } = call.entry;
  if (kernel.kind === "view") return move(machine, kernel, call);
  return kernel.kind === "contract" ? matmul(machine, kernel, call) : null;
}
