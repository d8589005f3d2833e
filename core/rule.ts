// How a device runs single ops itself, rather than by their kind: a table of rules by the ops' names, each
// typed by its op's entry. An op that takes other arguments, or saves something else, makes the rules that
// don't fit a compile error. Next: ../kernels/wasm/table.ts.

import type { BackwardCall, Entry, ForwardCall, Outputs, UpdateCall, UpdateEntry } from "./op.ts";

export type { Outputs } from "./op.ts";

/** The rule of one op on a device that works with an M and whose buffers are B. P and S as in Entry. */
export interface Rule<
  M,
  B,
  P extends readonly unknown[] = readonly unknown[],
  S extends string = string,
> {
  /** For fused ops: whether the kernels take these arguments; else the definition runs. */
  fits?(args: P): boolean;
  /** The outputs; null if no kernel fits after all. */
  forward(machine: M, call: ForwardCall<P, S>): Outputs<S, B> | null;
  /** The gradients that are wanted, in the order of the arguments. */
  backward?(machine: M, call: BackwardCall<P, S>): readonly B[] | null;
}

/** The rule of an op, or of an entry. */
export type RuleOf<M, B, O> =
  O extends Entry<infer P, infer S>
    ? Rule<M, B, P, S>
    : O extends { readonly entry: infer E }
      ? RuleOf<M, B, E>
      : never;

/** Rules for some of the ops (or entries) of O, by their names. */
export type RulesOf<M, B, O> = { readonly [K in keyof O]?: RuleOf<M, B, O[K]> };

/** The rule of one update. */
export interface UpdateRule<M, B, P extends readonly unknown[] = readonly unknown[]> {
  /** The outputs; null if no kernel fits. */
  update(machine: M, call: UpdateCall<P>): readonly B[] | null;
}

/** Rules for updates, by their names. */
export type UpdateRulesOf<M, B, O> = {
  readonly [K in keyof O]?: O[K] extends UpdateEntry<infer P> ? UpdateRule<M, B, P> : never;
};

/** Runs a call by a rule: its outputs in the order of `call.outputs`, or null if no kernel fits. */
export function runRule<M, B>(
  rule: Rule<M, B>,
  machine: M,
  call: ForwardCall | BackwardCall,
): readonly B[] | null {
  if (call.pass === "backward") return rule.backward?.(machine, call) ?? null;
  const made = rule.forward(machine, call);
  if (made === null) return null;
  const [y, saved] = made;
  if (saved === undefined) return [y];
  return [y, ...Object.keys(call.saved).flatMap((name) => saved[name] ?? [])];
}
