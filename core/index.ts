// core: what a tensor is and how gradients flow. This file is what users import; it also makes every op
// a method of Tensor (x.mul(y) is mul(x, y)) and gives each entry its name, the one it is exported
// under. Read on in this order: tensor.ts, ops/arithmetic.ts, kinds.ts, op.ts, tape.ts, gradcheck.ts,
// reference.ts.

import { registerHook, retainGrad } from "./hooks.ts";
import type { Entry } from "./op.ts";
import * as ops from "./ops/index.ts";
import { portable } from "./portable.ts";
import "./reference.ts";
import { backward } from "./tape.ts";
import { Tensor } from "./tensor.ts";

export { detectAnomaly } from "./anomaly.ts";
export * from "./creation.ts";
export {
  type Buffer,
  currentDevice,
  type Device,
  device,
  environment,
  registerDevice,
  use,
} from "./device.ts";
export { type Domain, type Draw, within } from "./draw.ts";
export { type DType, isFloat, type TypedArray } from "./dtype.ts";
export * from "./errors.ts";
export * from "./further/index.ts";
export { furtherOps } from "./further/table.ts";
export { type GradcheckOptions, gradcheck } from "./gradcheck.ts";
export { type Hook, registerHook, retainGrad } from "./hooks.ts";
export { setMemoryLimit } from "./memoryLimit.ts";
export { enableGrad, noGrad, withDefinitions } from "./modes.ts";
export type { Gradient, Node } from "./node.ts";
export type {
  BackwardCall,
  Block,
  Call,
  Entry,
  ForwardCall,
  Kernel,
  Op,
  Spec,
  UpdateCall,
  UpdateEntry,
} from "./op.ts";
export { ropeTables } from "./ops/fused/ropeTables.ts";
export * from "./ops/index.ts";
export { type AleaState, Random, type RandomState, random } from "./random.ts";
export { runLoops } from "./reference.ts";
export { scope } from "./scope.ts";
export type { Shape } from "./shape.ts";
export {
  type Json,
  showTape,
  showTree,
  type TapeLine,
  type TapeRecord,
  tapeOf,
  tapeToDot,
  tapeToJSON,
} from "./showTape.ts";
export type { Storage } from "./storage.ts";
export { backward, grad, type WalkOptions } from "./tape.ts";
export { type Nested, Tensor } from "./tensor.ts";
export { namedTensors, type Tree, tensorsOf } from "./tree.ts";
export { type AdamWOptions, adamwStep, globalNorm, type SGDOptions, sgdStep } from "./update.ts";
export {
  /**
   * Logarithm, exponential, sine and others with the same bits in every engine, for float64 numbers: Math leaves
   * their last digits open.
   */
  portable,
};

/** Every op by its name, in teaching order: the order in which the files of ops/ define them. */
export const opTable: ReadonlyMap<string, Entry> = tableOf(ops);

/** Names the entries of a module of ops and collects them. */
function tableOf(
  module: Readonly<Record<string, { readonly entry: unknown }>>,
): Map<string, Entry> {
  const entries = Object.entries(module).map(([name, { entry }]) =>
    Object.assign(entry as Entry, { name }),
  );
  entries.sort((a, b) => a.order - b.order);
  return new Map(entries.map((entry) => [entry.name, entry]));
}

/** Makes functions methods: x.f(...rest) is f(x, ...rest). */
function install(functions: Readonly<Record<string, (...args: never[]) => unknown>>): void {
  for (const [name, fn] of Object.entries(functions)) {
    Object.defineProperty(Tensor.prototype, name, {
      value(...rest: never[]): unknown {
        return fn(this as never, ...rest);
      },
    });
  }
}

install({ ...ops, backward, registerHook, retainGrad });
