// The optimisers' rules: a table of blocks of at most 8192 elements, so that one call of a kernel serves
// every parameter and threads share it evenly. Next: optimizer.as.ts, which walks the table.

import { portable, type Tensor } from "../../core/index.ts";
import type { UpdateRulesOf } from "../../core/rule.ts";
import type { updates } from "../../core/updates.ts";
import { attendNext } from "./attention.ts";
import type { WasmBuffer } from "./memory.ts";
import { bufferOf, isFloat32, type Machine, read, sideOf } from "./rule.ts";

const blockLength = 8192;
const entryBytes = 20; // w, g, m, v, count

type TensorList = readonly Tensor[];

/** Writes the table of lists that go together (w, g, m, v; null for none) and runs `use` on it. */
function withTable(
  machine: Machine,
  lists: readonly (TensorList | null)[],
  use: (table: number, blocks: number) => void,
): void {
  const { wasm } = machine;
  const first = lists.find((list) => list !== null) ?? [];
  let blocks = 0;
  for (const x of first) blocks += Math.ceil(x.size / blockLength);
  const bytes = Math.max(1, blocks) * entryBytes;
  const table = wasm.alloc(bytes);
  let at = table >>> 2;
  for (let i = 0; i < first.length; i++) {
    const row = lists.map((list) => read(machine, list?.[i] ?? null));
    const { size } = first[i] as Tensor;
    const { i32 } = wasm; // after the reads, which may make the memory grow
    for (let start = 0; start < size; start += blockLength) {
      for (const address of row) i32[at++] = address && address + 4 * start;
      i32[at++] = Math.min(blockLength, size - start);
    }
  }
  use(table, blocks);
  wasm.free(table, bytes);
}

/** The number in a scalar tensor; 1 without one. */
function scaleOf({ memory }: Machine, x: Tensor | null): number {
  return x === null ? 1 : (memory.peek(bufferOf(x))[0] as number);
}

function wrote({ memory }: Machine, ...lists: readonly (TensorList | null)[]): void {
  for (const list of lists) for (const x of list ?? []) memory.wrote(bufferOf(x));
}

type UpdateRules = Required<UpdateRulesOf<Machine, WasmBuffer, typeof updates>>;

const adamwStep: UpdateRules["adamwStep"] = {
  update: (machine, { args: [w, g, m, v, gradScale, options, largest] }) => {
    if (largest !== null || !w.every(isFloat32)) return null;
    const { lr, beta1, beta2, eps, weightDecay, step } = options;
    const rates = [
      scaleOf(machine, gradScale),
      beta1,
      beta2,
      1 - beta1,
      1 - beta2,
      1 - lr * weightDecay,
      lr / (1 - portable.pow(beta1, step)),
      1 / Math.sqrt(1 - portable.pow(beta2, step)),
      eps,
    ];
    withTable(machine, [w, g, m, v], (table, blocks) => {
      machine.wasm.run("adamwList", blocks, 8 * 1024, 1, table, ...rates);
    });
    wrote(machine, w, m, v);
    return [];
  },
};

const sgdStep: UpdateRules["sgdStep"] = {
  update: (machine, { args: [w, g, m, gradScale, options] }) => {
    if (!w.every(isFloat32)) return null;
    const { lr, momentum, weightDecay, nesterov, dampening = 0 } = options;
    if (dampening !== 0) return null;
    const rates = [scaleOf(machine, gradScale), lr, momentum, weightDecay, Number(nesterov)];
    withTable(machine, [w, g, m, null], (table, blocks) => {
      machine.wasm.run("sgdList", blocks, 4 * 1024, 1, table, ...rates);
    });
    wrote(machine, w, m);
    return [];
  },
};

const globalNorm: UpdateRules["globalNorm"] = {
  update: (machine, { args: [tensors] }) => {
    if (!tensors.every(isFloat32)) return null;
    const { wasm, memory } = machine;
    const norm = memory.make("float32", 1);
    withTable(machine, [null, tensors, null, null], (table, blocks) => {
      const squares = wasm.alloc(8 * Math.max(1, blocks));
      wasm.run("sumSquaresList", blocks, 2 * 1024, 1, table, squares);
      let total = 0;
      for (let i = 0; i < blocks; i++) total += wasm.f64[(squares >>> 3) + i] as number;
      wasm.f32[norm.at >>> 2] = Math.sqrt(total);
      wasm.free(squares, 8 * Math.max(1, blocks));
    });
    return [norm];
  },
};

const writeRows: UpdateRules["writeRows"] = {
  update: (machine, { args: [targets, sources, at] }) => {
    if (!targets.every(isFloat32)) return null;
    const { wasm, memory } = machine;
    targets.forEach((target, i) => {
      const source = sources[i] as Tensor;
      const D = sideOf(target, -1);
      const [from, to] = [memory.read(bufferOf(source)), memory.read(bufferOf(target))];
      const [n, next] = [sideOf(source, -2) * D, sideOf(target, -2) * D]; // floats of a block, old and new
      wasm.stridedCopy(from, to + 4 * at * D, [source.size / n, n], [n, 1], [next, 1]);
    });
    wrote(machine, targets);
    return [];
  },
};

export const updateRules: UpdateRules = {
  adamwStep,
  sgdStep,
  globalNorm,
  writeRows,
  attendNext,
};
