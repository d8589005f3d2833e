// What a rule is: how one op runs as kernels. A rule takes a call apart into blocks and numbers and
// launches kernels; an op without one runs by its kind (elementwise, reduce, view, contract), a fused op
// without one runs its definition. Next: table.ts for which op has which rule.

import { type Call, type Spec, Tensor } from "../../core/index.ts";
import type { Engine } from "./engine.ts";
import type { Block } from "./storage.ts";

export type Run = (engine: Engine, call: Call) => readonly Block[];

export interface Rule {
  /** Whether the kernels take these arguments; else the op's definition runs. */
  fits?(args: readonly unknown[]): boolean;
  readonly forward: Run;
  readonly backward?: Run;
}

export function blockOf(x: Tensor): Block {
  return x.storage.buffer("gpu") as Block;
}

export function blocksOf(...tensors: readonly unknown[]): Block[] {
  return tensors.flatMap((x) => (x instanceof Tensor ? blockOf(x) : []));
}

export function sizeOf({ shape }: { readonly shape: readonly number[] }): number {
  return shape.reduce((product, side) => product * side, 1);
}

/** The call's only (or first) output. */
export function firstOf(call: Call): Spec {
  return call.outputs[0] as Spec;
}
