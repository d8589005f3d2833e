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
