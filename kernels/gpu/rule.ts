// What a rule is: how one op runs as kernels. A rule takes a call apart into buffers and numbers and
// launches kernels; its types are those of its op's entry. An op without one runs by its kind (elementwise,
// reduce, view, contract), a fused op without one runs its definition.
// Next: table.ts for which op has which rule.

import type { ForwardCall, Spec, Tensor } from "../../core/index.ts";
import type * as Ops from "../../core/ops/index.ts";
import type { RuleOf, RulesOf } from "../../core/rule.ts";
import { sizeOf as sizeOfShape } from "../../core/shape.ts";
import type { Engine } from "./engine.ts";
import type { GpuBuffer } from "./storage.ts";

/** The rule of the op of this name. */
export type GpuRule<K extends keyof typeof Ops> = RuleOf<Engine, GpuBuffer, (typeof Ops)[K]>;

/** Rules by the names of their ops. */
export type GpuRules = RulesOf<Engine, GpuBuffer, typeof Ops>;

export function bufferOf(x: Tensor): GpuBuffer {
  return x.storage.buffer("gpu") as GpuBuffer;
}

export function buffersOf(...tensors: readonly Tensor[]): GpuBuffer[] {
  return tensors.map(bufferOf);
}

export function sizeOf({ shape }: { readonly shape: readonly number[] }): number {
  return sizeOfShape(shape);
}

/** The call's only (or first) output. */
export function firstOf({ outputs: [spec] }: ForwardCall): Spec {
  return spec;
}
