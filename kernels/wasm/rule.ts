// What the rules of table.ts, fused.ts and update.ts are made of: a rule takes a call apart into addresses
// and sizes for a kernel. Next: table.ts.

import { type Call, type Spec, Tensor } from "../../core/index.ts";
import type { Wasm } from "./kernels.ts";
import type { Block, Memory } from "./memory.ts";

/** What a rule works with. */
export interface Machine {
  readonly wasm: Wasm;
  readonly memory: Memory;
}

/** Runs a call, or says with null that no kernel fits. */
export type Run = (machine: Machine, call: Call) => readonly Block[] | null;

export interface Rule {
  readonly forward: Run;
  readonly backward?: Run;
  /** For fused ops: whether the kernels fit; else the definition runs. */
  readonly fits?: (args: readonly unknown[]) => boolean;
}

export function blockOf(x: Tensor): Block {
  return x.storage.buffer("wasm") as Block;
}

export function isFloat32(x: unknown): x is Tensor {
  return x instanceof Tensor && x.dtype === "float32";
}

export function sizeOf(shape: readonly number[]): number {
  let size = 1;
  for (let d = 0; d < shape.length; d++) size *= shape[d] as number;
  return size;
}

export function makeLike({ memory }: Machine, { dtype, shape }: Spec): Block {
  return memory.make(dtype, sizeOf(shape));
}

export function areFloat32(...xs: readonly unknown[]): boolean {
  return xs.every((x) => x === null || isFloat32(x));
}

/** The addresses of tensors that the kernels only read; 0 for those left out. */
export function read({ memory }: Machine, ...tensors: readonly (Tensor | null)[]): number[] {
  return tensors.map((x) => (x === null ? 0 : memory.read(blockOf(x))));
}

/** Blocks for the outputs that are wanted; null for the others. */
export function makeWanted(machine: Machine, outputs: Call["outputs"]): (Block | null)[] {
  return outputs.map((spec) => (spec === null ? null : makeLike(machine, spec)));
}

export function wanted(blocks: readonly (Block | null)[]): Block[] {
  return blocks.filter((block) => block !== null);
}
