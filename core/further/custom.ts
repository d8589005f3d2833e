// A gradient of your own for a function of your own, in the manner of PyTorch's autograd.Function: what forward computes
// is no part of the tape, backward says the gradients. For what ops can't say, or not well: rounding that passes gradients
// straight through, a gradient that is clipped, an implicit function.
//
// One output is one node. Several outputs are pieces of one long vector, which no device holds: the node makes it,
// and each output has a node of its own that puts its gradient in its place there, so that backward is called once.
// Next: own.ts for ops that a kind says more about.

import { watcher } from "../anomaly.ts";
import { isFloat } from "../dtype.ts";
import { ArgumentError } from "../errors.ts";
import * as kinds from "../kinds.ts";
import { confine, madeSoFar } from "../memory.ts";
import { isRecording, withRecording } from "../modes.ts";
import { type Gradient, Node } from "../node.ts";
import type { Op } from "../op.ts";
import { describeValue } from "../refusal.ts";
import { accept, isPlain, signature } from "../signature.ts";
import { Storage } from "../storage.ts";
import { Tensor } from "../tensor.ts";
import { namedTensors } from "../tree.ts";
import { anyArguments, type OwnOp, owned, untold } from "./own.ts";
import { checkGradients } from "./rules.ts";

const takes = /* @__PURE__ */ signature(
  "custom",
  "{ forward: function, backward: function, nonDifferentiable?: number[], name?: string, takes?: string, " +
    "example?: string, draw?: function }",
);

/** One tensor, or several. */
type Computed = Tensor | readonly [Tensor, ...Tensor[]];
type Saved = Readonly<Record<string, Tensor>>;
/** What forward returns: its outputs, alone or beside what backward reads again. */
type Made = Computed | { readonly outputs: Computed; readonly saved: Saved };
type OutputsOf<R> = R extends { readonly outputs: infer Y } ? Y : R;
type SavedOf<R> = R extends { readonly saved: infer S } ? S : Readonly<Record<never, never>>;
/** A gradient for each output: zeros where none came. */
type Incoming<Y> = Y extends Tensor ? Tensor : { readonly [K in keyof Y]: Tensor };

/** What backward may read besides the gradients that come in. */
export interface CustomContext<P, Y, S> {
  /** The arguments of the call. Gradients of gradients flow through those that are tensors, and through `outputs`. */
  readonly args: P;
  /** What forward returned. */
  readonly outputs: Y;
  /** What forward saved, by name. To gradients of gradients these are constants. */
  readonly saved: S;
}

/** A function with a gradient of its own. P: its arguments, R: what its forward returns. */
export interface CustomOp<P extends readonly unknown[], R extends Made> extends OwnOp {
  /**
   * Computes the result, unrecorded: a tensor, several as a list, or { outputs, saved: { ... } } with tensors that
   * backward reads again. What else it makes is released at its end.
   */
  readonly forward: (...args: P) => R;
  /**
   * The gradient of each argument, written in ops: a list in their order with null where there is none, () => tensor
   * for one that is costly. `g` is the gradient of the result; a list where there are several outputs.
   */
  readonly backward: (
    g: Incoming<OutputsOf<R>>,
    context: CustomContext<P, OutputsOf<R>, SavedOf<R>>,
  ) => readonly Gradient[];
  /** Places of float outputs through which no gradient flows. Those of integers and bools have none anyway. */
  readonly nonDifferentiable?: readonly number[];
}

/** A result of forward, looked at: its outputs in a list, and what it saved. */
interface Result {
  readonly outputs: readonly Tensor[];
  readonly isOne: boolean;
  readonly saved: Saved;
}

function resultOf(name: string, made: unknown): Result {
  const { outputs, saved = {} } =
    isPlain(made) && "outputs" in made
      ? (made as { outputs: unknown; saved?: unknown })
      : { outputs: made };
  const list: readonly unknown[] = Array.isArray(outputs) ? outputs : [outputs];
  for (const [what, x] of [
    ...list.map((y) => ["what forward returns", y] as const),
    ...Object.entries(saved as object).map(([key, x]) => [`saved.${key}`, x] as const),
  ])
    if (!(x instanceof Tensor))
      throw new ArgumentError(`${name}: ${what} must be a tensor, got ${describeValue(x)}`);
  if (list.length === 0) throw new ArgumentError(`${name}: forward returned an empty list`);
  return {
    outputs: list as readonly Tensor[],
    isOne: !Array.isArray(outputs),
    saved: saved as Saved,
  };
}

/** Throws if a tensor that asks for gradients is inside of a list or an object, where none would reach it. */
function checkReach(name: string, args: readonly unknown[]): void {
  args.forEach((arg, i) => {
    if (arg instanceof Tensor || !(Array.isArray(arg) || isPlain(arg))) return;
    const hidden = namedTensors(arg).find(([, x]) => x.requiresGrad);
    if (hidden === undefined) return;
    throw new ArgumentError(
      `${name}: the tensor "${hidden[0]}" in argument ${i} requires a gradient, and none reaches it there; ` +
        "pass tensors as arguments of their own, f(...list)",
    );
  });
}

/**
 * A function with a gradient of your own: `custom({ name: "roundSte", forward: (x: Tensor) => x.round(), backward: (g) =>
 * [g] })` rounds, and passes gradients straight through. Write backward in ops of `g` and of the context's args and
 * outputs, and gradients of gradients are right too. Without anything that requires gradients, and inside of noGrad, it
 * leaves no node.
 */
export function custom<const P extends readonly unknown[], R extends Made>(
  spec: CustomOp<P, R>,
): Op<(...args: P) => OutputsOf<R>> {
  accept(takes, arguments);
  const { name = "custom", takes: line = anyArguments } = spec;
  const call = (...args: unknown[]): unknown => {
    checkReach(name, args);
    const result = run(name, spec as never, args);
    const { outputs, isOne } = result;
    const inputs = args.filter((x): x is Tensor => x instanceof Tensor);
    const flows = (y: Tensor, i: number): boolean =>
      isFloat(y.dtype) && !spec.nonDifferentiable?.includes(i);
    if (isRecording() && inputs.some((x) => x.requiresGrad) && outputs.some(flows))
      record(name, spec as never, args, inputs, result, outputs.filter(flows));
    return isOne ? outputs[0] : outputs;
  };
  const made = kinds.composed({ definition: call, takes: line, ...untold });
  return owned(made, name, spec) as never;
}

type Loose = CustomOp<readonly unknown[], Made>;

/** forward, unrecorded. An output that was there before (an argument, or twice the same) becomes a tensor of its own. */
function run(
  name: string,
  { forward }: Loose,
  args: readonly unknown[],
): Result & { readonly first: number } {
  const first = madeSoFar();
  const found = confine(
    () =>
      resultOf(
        name,
        withRecording(false, () => forward(...args)),
      ),
    ({ outputs, saved }) => [...outputs, ...Object.values(saved)].map((x) => x.storage),
    `the end of ${name}'s forward`,
  );
  const outputs = found.outputs.map((y, i, all) =>
    args.includes(y) || y.requiresGrad || y.storage.serial < first || all.indexOf(y) < i
      ? y.detach()
      : y,
  );
  return { ...found, outputs, first };
}

/** Puts a node behind the outputs through which gradients flow. */
function record(
  name: string,
  { backward }: Loose,
  args: readonly unknown[],
  inputs: readonly Tensor[],
  { outputs, isOne, saved, first }: Result & { readonly first: number },
  flowing: readonly Tensor[],
): void {
  // the graph lets go of what only it holds; arguments, outputs and what was there before are others'
  const isInner = (x: Tensor): boolean => x.storage.serial >= first && !outputs.includes(x);
  const inner = Object.entries(saved).filter(([, x]) => isInner(x));
  const gradients = (node: Node, g: readonly Tensor[]): readonly Gradient[] => {
    const all = outputs.map((y) => g[flowing.indexOf(y)] ?? y.detach().mul(0));
    const context = {
      args: node.args,
      outputs: isOne ? outputs[0] : outputs,
      saved: { ...saved, ...node.saved },
    };
    const found = backward((isOne ? all[0] : all) as never, context as never);
    return checkGradients(name, found, node.args);
  };
  const caller = watcher()?.(name, [...outputs], inputs) ?? "";
  const node = (
    y: Tensor,
    rule: (node: Node, g: Tensor) => readonly Gradient[],
    of = args,
    tensors = inputs,
  ) =>
    new Node(
      { name, gradients: rule },
      of,
      tensors,
      y,
      of === args ? Object.fromEntries(inner) : {},
      caller,
    );
  for (const y of flowing) y.requiresGrad = true;
  const [y] = flowing;
  if (flowing.length === 1 && y) {
    y.node = node(y, (self, g) => gradients(self, [g]));
    return;
  }
  for (const x of outputs) x.storage.usedOutsideGraph = true; // backward reads them after their own nodes
  const places = placesOf(flowing);
  const whole = wholeOf(flowing);
  whole.node = node(whole, (self, g) =>
    gradients(
      self,
      flowing.map((x, i) => pieceOf(g, x, places[i] ?? 0)),
    ),
  );
  flowing.forEach((x, i) => {
    x.node = node(x, (_, g) => [placed(g, whole, places[i] ?? 0)], [whole], [whole]);
  });
}

// --- Several outputs ---------------------------------------------------------------------------------

/** Where each output begins in the vector of all. */
function placesOf(outputs: readonly Tensor[]): number[] {
  let at = 0;
  return outputs.map((y) => {
    at += y.size;
    return at - y.size;
  });
}

/** The vector of all outputs: a place on the tape, without numbers. */
function wholeOf(outputs: readonly Tensor[]): Tensor {
  const [{ device }] = outputs as readonly [Tensor, ...Tensor[]];
  const isDouble = outputs.some((y) => y.dtype === "float64");
  const buffer = device.upload(
    isDouble ? new Float64Array(0) : new Float32Array(0),
    isDouble ? "float64" : "float32",
  );
  const storage = new Storage(device, isDouble ? "float64" : "float32", [0], buffer, "custom");
  const whole = new Tensor(storage, [outputs.reduce((sum, y) => sum + y.size, 0)]);
  whole.requiresGrad = true;
  return whole;
}

/** A gradient of one output, as one of the whole: zeros around it. */
function placed(g: Tensor, whole: Tensor, at: number): Tensor {
  const after = (whole.shape[0] ?? 0) - at - g.size;
  return g.to(whole.dtype).reshape([g.size]).pad([at, after]);
}

/** The part of the whole's gradient that is this output's. */
function pieceOf(g: Tensor, y: Tensor, at: number): Tensor {
  return g
    .slice({ dim: 0, start: at, end: at + y.size })
    .reshape(y.shape)
    .to(y.dtype);
}
