// What an op is. One entry holds everything about it (its formula or loops, its gradient, an example
// that the tests run, the inputs that the tests draw); its *kind* supplies the rest: how shapes and
// dtypes follow, how devices run it. The exported op is the function that people call, with the entry
// on it. Everything else (methods, tests, documentation) is derived from the entries when they load.
// Most ops give their gradient as a vjp, written in ops. A *fused* op does the work of several in one loop, its
// kernel, and has a second loop for its gradient; its *definition*, the same made of smaller ops, says what
// it must equal, and gives the gradients of its gradient. An *alias* only changes the shape (reshape).
// Next: kernel.ts for what a device knows of it; kinds.ts, which builds entries; ops/arithmetic.ts, the first
// ones; reference.ts, which runs them.

import { watcher } from "./anomaly.ts";
import { runCall } from "./debug.ts";
import { currentDevice, type Device } from "./device.ts";
import type { Draw } from "./draw.ts";
import { isFloat } from "./dtype.ts";
import { ArgumentError, DeviceError } from "./errors.ts";
import type { FormulaText, Kernel, Outputs, Spec } from "./kernel.ts";
import { isDefining, isRecording } from "./modes.ts";
import { type Gradient, Node, nothing, type Recordable } from "./node.ts";
import type { BackwardCall, Call, ForwardCall } from "./rule.ts";
import { formatShape } from "./shape.ts";
import { accept, type Signature, signature } from "./signature.ts";
import { Storage } from "./storage.ts";
import { grad } from "./tape.ts";
import { Tensor } from "./tensor.ts";

export type * from "./kernel.ts";
export type { BackwardCall, Call, ForwardCall, UpdateCall } from "./rule.ts";

// --- Entries -----------------------------------------------------------------------------------------

/** What the tests and `twoheads ops` read; the same for every kind. The built package leaves it out: see build.js. */
export interface Described {
  /** Code that the tests run, and what it prints: "tensor([4]).sqrt()  // [2]". */
  readonly example: string;
  /** Draws arguments that property tests call the op with. */
  readonly draw: (d: Draw) => readonly unknown[];
}

/**
 * Everything about one op. P: the arguments that its rules and its kernels see, S: the names of what it
 * saves for its backward kernel. Devices type their kernels by them (see rule.ts).
 */
export interface Entry<P extends readonly unknown[] = readonly unknown[], S extends string = string>
  extends Partial<Described>,
    Recordable {
  /** The exported name; set when the table is loaded (index.ts). */
  name: string;
  /** Its place in the table: how many ops were defined before it. */
  readonly order: number;
  /** Whether it was defined outside of this package: no device takes it for the built-in op of that name. */
  readonly isOwn?: true;
  /** Throws where formulas, as a GPU compiles them, name what it doesn't know. Ops of other people have it. */
  checkFormulas?(functions: readonly FormulaText[]): void;
  /** The arguments of the function that people call: see signature.ts. */
  readonly takes: string;
  readonly kernel: Kernel;
  /** Shape and dtype of each output. */
  infer(...args: P): Outputs<S, Spec>;
  /** The textbook composition of smaller ops, for fused ops. */
  definition?(...args: P): Tensor;
}

/** The function F that people call, with its entry on it. P and S as in Entry. */
export type Op<
  F,
  P extends readonly unknown[] = readonly unknown[],
  S extends string = never,
> = F & { readonly entry: Entry<P, S> };

/** An op whose first argument is no tensor (cat, stack, einsum): a function, and no method of Tensor. */
export type FreeOp<F> = Op<F> & { readonly isMethod?: false };

// --- Running -----------------------------------------------------------------------------------------

/** Computes entry(args) on the device of its tensors and, if need be, leaves a node on the tape. */
export function apply(entry: Entry, args: readonly unknown[]): Tensor {
  const tensors = tensorsIn(args);
  const device = commonDevice(entry.name, tensors);
  if (entry.definition !== undefined && (isDefining() || device.fuses?.(entry, args) === false)) {
    return entry.definition(...args);
  }
  const inferred = entry.infer(...args);
  const spec = inferred[0]; // by place: taking a list apart would start an iterator for every op
  const saved = inferred[1] ?? nothing;
  const made =
    entry.kernel.kind === "alias"
      ? alias(entry.name, tensors, spec)
      : execute(device, forwardCall(entry, args, tensors, spec, saved));
  const y = made[0] as Tensor;
  // anomaly mode, off unless asked for, looks for the op that made the first NaN
  const caller = watcher()?.(entry.name, made, tensors) ?? "";
  if (isRecording() && isFloat(y.dtype) && tensors.some(asksForGradients)) {
    y.requiresGrad = true;
    y.node = new Node(entry, args, tensors, y, named(saved, made), caller);
  }
  return y;
}

function forwardCall(
  entry: Entry,
  args: readonly unknown[],
  tensors: readonly Tensor[],
  spec: Spec,
  saved: Readonly<Record<string, Spec>>,
): ForwardCall {
  const outputs: [Spec, ...Spec[]] = [spec];
  if (saved !== nothing) for (const name in saved) outputs.push(saved[name] as Spec);
  return { entry, pass: "forward", args, tensors, outputs, saved };
}

/** What was made besides the result, by the names in `saved`. */
function named(
  saved: Readonly<Record<string, Spec>>,
  made: readonly Tensor[],
): Readonly<Record<string, Tensor>> {
  if (saved === nothing) return nothing;
  const tensors: Record<string, Tensor> = {};
  let at = 1;
  for (const name in saved) tensors[name] = made[at++] as Tensor;
  return tensors;
}

function asksForGradients(x: Tensor): boolean {
  return x.requiresGrad;
}

function tensorsIn(args: readonly unknown[]): Tensor[] {
  return args.filter((arg) => arg instanceof Tensor);
}

/** The same memory under another shape; no device has to know. */
function alias(name: string, [x]: readonly Tensor[], { shape }: Spec): Tensor[] {
  const { storage } = x as Tensor;
  storage.buffer(name); // throws if it was released
  return [new Tensor(storage, shape)];
}

/** Runs a call's kernel (runCall times it if DEBUG is set). */
function execute(device: Device, call: Call): Tensor[] {
  const { entry, tensors } = call;
  for (const x of tensors) x.storage.buffer(entry.name);
  const buffers = runCall(device, call);
  const made = new Array<Tensor>(buffers.length);
  let at = 0;
  for (const spec of call.outputs) {
    if (spec === null) continue;
    const storage = new Storage(device, spec.dtype, spec.shape, buffers[at] as object, entry.name);
    made[at++] = new Tensor(storage, spec.shape);
  }
  return made;
}

export function commonDevice(name: string, args: readonly unknown[]): Device {
  let found: Device | null = null;
  for (const arg of args) {
    if (!(arg instanceof Tensor)) continue;
    if (found !== null && arg.device !== found) {
      throw new DeviceError(
        `${name}: one tensor is on ${found.name}, another on ${arg.device.name}; ` +
          `x.onDevice("${found.name}") moves it`,
      );
    }
    found = arg.device;
  }
  return found ?? currentDevice();
}

// --- Gradients of entries ----------------------------------------------------------------------------

/** Gradients by a rule that is written in ops, unless the device has all of them in one call. */
function byRule<P extends readonly unknown[], F>(
  entry: () => Entry,
  vjp: EntrySpec<P, F>["vjp"] & object,
): Recordable["gradients"] {
  return (node, g, createGraph) =>
    !createGraph && g.device.differentiates?.(entry(), g)
      ? backwardCall(entry(), node, g)
      : vjp(g, node.y, ...(node.args as P));
}

/** Gradients by one backward kernel; through the definition when they must be differentiable again. */
function byKernel(entry: () => Entry): Recordable["gradients"] {
  return (node, g, createGraph) =>
    createGraph ? throughDefinition(entry(), node, g) : backwardCall(entry(), node, g);
}

/** Runs the backward kernel of a node's op: a gradient for each argument that wants one. */
function backwardCall(entry: Entry, node: Node, g: Tensor): (Tensor | null)[] {
  const { y, saved, args } = node;
  const outputs = args.map((x) => (x instanceof Tensor && x.requiresGrad ? x : null));
  const tensors = [g, y].concat(Object.values(saved), node.inputs);
  const call: BackwardCall = { entry, pass: "backward", g, y, saved, args, tensors, outputs };
  const made = execute(g.device, call);
  let at = 0;
  return outputs.map((spec) => (spec === null ? null : (made[at++] ?? null)));
}

/** Gradients of definition(args), taken with respect to stand-ins so that no path leads around it. */
function throughDefinition(entry: Entry, node: Node, g: Tensor): readonly Gradient[] {
  const { definition } = entry;
  if (definition === undefined)
    throw new ArgumentError(`${entry.name}: has no definition to differentiate`);
  const standIns = node.args.map((x) =>
    x instanceof Tensor && x.requiresGrad ? x.reshape(x.shape) : x,
  );
  const inputs = standIns.filter((x, i): x is Tensor => x !== node.args[i]);
  const found = grad(definition(...standIns), inputs, {
    gradOutputs: g,
    createGraph: true,
    allowUnused: true,
  });
  return standIns.map((x) => (x instanceof Tensor ? (found[inputs.indexOf(x)] ?? null) : null));
}

/** What a kind's builder gives to `define`, besides the kernel. P and S as in Entry. */
export interface EntrySpec<P extends readonly unknown[], F, S extends string = never>
  extends Described {
  /** The arguments of the public function, "x: Tensor, { dim: number }": see signature.ts. */
  readonly takes: string;
  /** Shapes and dtypes of the result and, by name, of what the backward kernel reads again. */
  readonly infer: (...args: P) => Outputs<S, Spec>;
  /** Gradients of the arguments, in their order, written in ops. */
  readonly vjp?: (g: Tensor, y: Tensor, ...args: P) => readonly Gradient[];
  readonly definition?: (...args: P) => Tensor;
  /** Makes the public function out of `run`, where it prepares its arguments; else it is `run` itself. */
  readonly call?: (run: (...args: [...P]) => Tensor, entry: Entry) => F;
}

let defined = 0;

/** Makes an entry and joins it to the function that people call. */
export function define<P extends readonly unknown[], F, S extends string = never>(
  kernel: Kernel,
  spec: EntrySpec<P, F, S>,
): Op<F, P, S> {
  const { infer, vjp, definition, call, takes, example, draw } = spec;
  const hasBackward = "backward" in kernel && kernel.backward !== undefined;
  const entry: Entry<P, S> = {
    name: "",
    order: defined++,
    takes,
    kernel,
    example,
    draw,
    infer,
    gradients: vjp ? byRule(() => entry, vjp) : hasBackward ? byKernel(() => entry) : () => [],
    ...(definition && { definition }),
  };
  const run = (...args: P): Tensor => apply(entry, args);
  let made: ((...args: unknown[]) => unknown) | undefined; // on first use, when the entry has its name
  let taken: Signature | undefined;
  const checked = (...args: unknown[]): unknown => {
    taken ??= signature(entry.name, takes);
    accept(taken, args);
    if (call === undefined) return apply(entry, args);
    made ??= call(run, entry) as typeof made & object;
    return made(...args);
  };
  return Object.assign(checked as F & object, { entry });
}

/** `[2,3] and [4]`, as shapes stand in messages. */
export function shapesOf(...tensors: readonly Tensor[]): string {
  return tensors.map((x) => formatShape(x.shape)).join(" and ");
}
