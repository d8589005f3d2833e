// How a device is asked to run an op (a call), and how it runs single ops itself rather than by their kind: a
// table of rules by the ops' names, each typed by its op's entry. An op that takes other arguments, or saves
// something else, makes the rules that don't fit a compile error. Next: ../kernels/wasm/table.ts.

import type { Outputs, Spec, UpdateEntry } from "./kernel.ts";
import type { Entry } from "./op.ts";
import type { Tensor } from "./tensor.ts";

export type { Outputs } from "./kernel.ts";

// --- Calls -------------------------------------------------------------------------------------------

/** What every call of an op says: arguments P, saved outputs S, as in Entry. */
interface OpCall<P extends Args, S extends string> {
  readonly entry: Entry<P, S>;
  readonly args: P;
  /** Every tensor that it reads. */
  readonly tensors: readonly Tensor[];
}

type Args = readonly unknown[];

/** One run of an op on a device. */
export interface ForwardCall<P extends Args = Args, S extends string = string>
  extends OpCall<P, S> {
  readonly pass: "forward";
  /** What to make: the result, then what is saved, in the order of `saved`. */
  readonly outputs: readonly [y: Spec, ...saved: Spec[]];
  readonly saved: Readonly<Record<S, Spec>>;
}

/** One run of the backward kernel of a fused op. */
export interface BackwardCall<P extends Args = Args, S extends string = string>
  extends OpCall<P, S> {
  readonly pass: "backward";
  /** The gradient of the result, and the result. */
  readonly g: Tensor;
  readonly y: Tensor;
  readonly saved: Readonly<Record<S, Tensor>>;
  /** What to make: a gradient for each of `args` that wants one. */
  readonly outputs: Wanted<P>;
}

/** For each argument its gradient's shape and dtype, or null where nobody wants one. */
type Wanted<P extends Args> = { readonly [K in keyof P]: Spec | null };

/** One run of an update. */
export interface UpdateCall<P extends Args = Args> {
  readonly entry: UpdateEntry<P>;
  readonly pass: "update";
  readonly args: P;
  /** The tensors of its lists, and those that stand alone. */
  readonly tensors: readonly Tensor[];
  readonly outputs: readonly Spec[];
}

/** One run of one op on a device: forward, backward, or an update of lists in place. */
export type Call = ForwardCall | BackwardCall | UpdateCall;

// --- Rules -------------------------------------------------------------------------------------------

/** The rule of one op on a device that works with an M and whose buffers are B. P and S as in Entry. */
export interface Rule<M, B, P extends Args = Args, S extends string = string> {
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
export interface UpdateRule<M, B, P extends Args = Args> {
  /** The outputs; null if no kernel fits. */
  update(machine: M, call: UpdateCall<P>): readonly B[] | null;
}

/** Rules for updates, by their names. */
export type UpdateRulesOf<M, B, O> = {
  readonly [K in keyof O]?: O[K] extends UpdateEntry<infer P> ? UpdateRule<M, B, P> : never;
};

/** A device's rules, found by the names of their ops. */
export class RuleTable<M, B> {
  readonly #rules: ReadonlyMap<string, Rule<M, B> | undefined>;
  readonly #updates: ReadonlyMap<string, UpdateRule<M, B> | undefined>;

  constructor(
    rules: Readonly<Record<string, Rule<M, B> | undefined>>,
    updates: Readonly<Record<string, UpdateRule<M, B> | undefined>>,
  ) {
    this.#rules = new Map(Object.entries(rules));
    this.#updates = new Map(Object.entries(updates));
  }

  /** A call's outputs, null if no kernel fits; undefined for an op without a rule, which runs by its kind. */
  run(machine: M, call: Call): readonly B[] | null | undefined {
    if (call.pass === "update")
      return this.#updates.get(call.entry.name)?.update(machine, call) ?? null;
    const rule = this.#ruleOf(call.entry);
    return rule && runRule(rule, machine, call);
  }

  /** Whether the rule of an op, or of an update, takes these arguments; undefined where it has none. */
  fits(entry: Entry | UpdateEntry, args: Args): boolean | undefined {
    if (!("infer" in entry)) return this.#updates.has(entry.name) || undefined;
    const rule = this.#ruleOf(entry);
    return rule && (rule.fits?.(args) ?? true);
  }

  /** Whether an op's rule has a way back. */
  differentiates(entry: Entry): boolean {
    return this.#ruleOf(entry)?.backward !== undefined;
  }

  #ruleOf({ name, isOwn }: Entry): Rule<M, B> | undefined {
    return isOwn ? undefined : this.#rules.get(name);
  }
}

/** Runs a call by a rule: its outputs in the order of `call.outputs`, or null if no kernel fits. */
function runRule<M, B>(
  rule: Rule<M, B>,
  machine: M,
  call: ForwardCall | BackwardCall,
): readonly B[] | null {
  if (call.pass === "backward") return rule.backward?.(machine, call) ?? null;
  const made = rule.forward(machine, call);
  if (made === null) return null;
  const [y, saved] = made;
  const blocks = [y];
  if (saved !== undefined) for (const name in call.saved) blocks.push(saved[name] as B);
  return blocks;
}
