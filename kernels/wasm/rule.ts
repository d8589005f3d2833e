// What the rules of table.ts, fused.ts, attention.ts and update.ts are made of: a rule takes a call apart into
// addresses and sizes for a kernel. Its types are those of its op's entry, so a rule that doesn't fit its op
// doesn't compile. Next: table.ts.

import { type ForwardCall, type Spec, Tensor } from "../../core/index.ts";
import type * as Ops from "../../core/ops/index.ts";
import type { Outputs, RuleOf, RulesOf } from "../../core/rule.ts";
import { sizeOf } from "../../core/shape.ts";
import type { SharedKernel } from "./exports.ts";
import type { Wasm } from "./kernels.ts";
import type { WasmBuffer, WasmMemory } from "./memory.ts";

/** What a rule works with. */
export interface Machine {
  readonly wasm: Wasm;
  readonly memory: WasmMemory;
}

/** The rule of the op of this name. */
export type WasmRule<K extends keyof typeof Ops> = RuleOf<Machine, WasmBuffer, (typeof Ops)[K]>;

/** Rules by the names of their ops. */
export type WasmRules = RulesOf<Machine, WasmBuffer, typeof Ops>;

/** The forward rule of ops whose arguments begin with P and that save nothing; null if no kernel fits. */
export type Forward<P extends readonly unknown[]> = (
  machine: Machine,
  call: ForwardCall<readonly [...P, ...unknown[]], never>,
) => Outputs<never, WasmBuffer> | null;

export function bufferOf(x: Tensor): WasmBuffer {
  return x.storage.buffer("wasm") as WasmBuffer;
}

export function isFloat32(x: unknown): x is Tensor {
  return x instanceof Tensor && x.dtype === "float32";
}

export function areFloat32(...xs: readonly unknown[]): boolean {
  return xs.every((x) => x === null || isFloat32(x));
}

/** A length of an axis that is there. */
export function sideOf(x: Tensor, axis: number): number {
  const { shape } = x;
  return shape[axis < 0 ? axis + shape.length : axis] ?? 1;
}

export function makeLike({ memory }: Machine, { dtype, shape }: Spec): WasmBuffer {
  return memory.make(dtype, sizeOf(shape));
}

/** The address of a tensor that a kernel only reads; 0 for one that is left out. */
export function read({ memory }: Machine, x: Tensor | null): number {
  return x === null ? 0 : memory.read(bufferOf(x));
}

/** Buffers for the outputs that are wanted; null for the others. */
export function makeWanted(
  machine: Machine,
  outputs: readonly (Spec | null)[],
): (WasmBuffer | null)[] {
  return outputs.map((spec) => (spec === null ? null : makeLike(machine, spec)));
}

export function wanted(buffers: readonly (WasmBuffer | null)[]): WasmBuffer[] {
  return buffers.filter((buffer) => buffer !== null);
}

/** One new number for each of the first tensor's, from those of all of them; null unless they are float32. */
export function pointwise(
  machine: Machine,
  [kernel, cost]: readonly [SharedKernel, cost: number],
  xs: readonly [Tensor, ...Tensor[]],
  ...extra: readonly number[]
): [WasmBuffer] | null {
  if (!xs.every(isFloat32)) return null;
  const addresses = xs.map((x) => read(machine, x));
  const { size } = xs[0];
  const y = machine.memory.make("float32", size);
  machine.wasm.run(kernel, size, cost, 1024, ...addresses, y.at, ...extra);
  return [y];
}
