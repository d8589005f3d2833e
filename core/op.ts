// What an op is. One entry holds everything about it (its formula or loops, its gradient, an example
// that the tests run, the inputs that the tests draw); its *kind* supplies the rest: how shapes and
// dtypes follow, how devices run it. The exported op is the function that people call, with the entry
// on it. Everything else (methods, tests, documentation) is derived from the entries when they load.
// Next: kinds.ts, which builds entries; ops/arithmetic.ts, the first ones; reference.ts, which runs them.

import { callerLine, checkAnomaly, isDetectingAnomaly } from "./anomaly.ts";
import { runCall } from "./debug.ts";
import { currentDevice, type Device } from "./device.ts";
import type { Draw } from "./draw.ts";
import { type DType, isFloat, type TypedArray } from "./dtype.ts";
import { ArgumentError, DeviceError } from "./errors.ts";
import { isRecording } from "./modes.ts";
import { formatShape, type Shape, sizeOf } from "./shape.ts";
import { accept, type Signature, signature } from "./signature.ts";
import { Storage } from "./storage.ts";
import { type Gradient, grad, Node, type Recordable } from "./tape.ts";
import { Tensor } from "./tensor.ts";

// --- Entries -----------------------------------------------------------------------------------------

/** Shape and dtype of an output before it exists. */
export interface Spec {
  readonly shape: Shape;
  readonly dtype: DType;
}

/** A tensor as a loop sees it: its numbers and its shape. */
export interface Block extends Spec {
  readonly data: TypedArray;
}

/** One strided copy: to[offset + i·strides] = from[offset + i·strides] for every index i of `shape`. */
export interface Copy {
  /** Which of the op's tensors is read. */
  readonly input: number;
  readonly shape: Shape;
  readonly from: { readonly offset: number; readonly strides: readonly number[] };
  readonly to: { readonly offset: number; readonly strides: readonly number[] };
}

/** A reduction's walk: y[o, i] folds x[o, 0..n-1, i]. */
export interface Around {
  readonly outer: number;
  readonly n: number;
  readonly inner: number;
}

/** A matrix product's walk: for each batch index, C [m, n] = A [m, k] B [k, n], flags saying how they lie. */
export interface Contraction {
  readonly batch: Shape;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly transposeA: boolean;
  readonly transposeB: boolean;
  /** Elements from one batch index to the next, per batch axis; 0 where the operand is broadcast. */
  readonly strideA: readonly number[];
  readonly strideB: readonly number[];
}

/** Numbers that a scalar formula maps to a number; comparisons give booleans. */
export type Formula = (...numbers: number[]) => number | boolean;

/** Each element of the result from one element of each operand; operands broadcast. */
export interface ElementwiseKernel {
  readonly kind: "elementwise";
  readonly forward: Formula;
  /** g times the derivative: (g, ...operands, ...scalars), for fused ops of one operand. */
  readonly backward?: Formula;
  /** Functions that the formulas call, for devices that compile the formulas' text. */
  readonly uses?: readonly Formula[];
  /** The numbers that the formulas take from the options, after the operands. */
  scalars(options: unknown): readonly number[];
}

/** Folds (or scans: keeps every partial result of) an axis with a step, in double precision. */
export interface ReduceKernel {
  readonly kind: "reduce" | "scan";
  readonly start: number;
  readonly step: (sum: number, x: number) => number;
  around(...args: readonly unknown[]): Around;
  /** Whether the scan runs from the end. */
  reverse?(...args: readonly unknown[]): boolean;
}

/** The position of the first element along an axis that no other is better than. */
export interface PickKernel {
  readonly kind: "pick";
  readonly better: (x: number, best: number) => boolean;
  around(...args: readonly unknown[]): Around;
}

/** Moves elements about by strided copies; what none of them writes is `fill`. */
export interface ViewKernel {
  readonly kind: "view";
  copies(...args: readonly unknown[]): readonly Copy[];
  fill?(...args: readonly unknown[]): number;
}

/** Shares the memory under another shape. */
export interface AliasKernel {
  readonly kind: "alias";
}

/** Batches of matrix products. */
export interface ContractKernel {
  readonly kind: "contract";
  contraction(...args: readonly unknown[]): Contraction;
}

/** Loops of its own: index ops, and fused ops, whose backward pass is a loop too. */
export interface LoopKernel {
  readonly kind: "index" | "fused";
  forward(outputs: Outputs<string, Block>, ...args: readonly unknown[]): void;
  /** Fills the gradients that are asked for; `results` are the outputs of the forward pass. */
  backward?(
    gradients: readonly (Block | null)[],
    g: Block,
    results: Outputs<string, Block>,
    ...args: readonly unknown[]
  ): void;
}

/**
 * Works on whole lists of tensors and may overwrite them: what an optimiser does to all parameters at
 * once. Its arguments are lists of tensors, tensors, nulls and options.
 */
export interface UpdateKernel<P extends readonly unknown[] = readonly unknown[]> {
  readonly kind: "update";
  forward(outputs: readonly Block[], ...args: ListBlocks<P>): void;
  /** The tensors among the arguments that it overwrites. */
  writes(...args: P): readonly Tensor[];
}

/** An update is called, but neither recorded nor differentiated: it needs no more than a name and a kernel. */
export interface UpdateEntry<P extends readonly unknown[] = readonly unknown[]> {
  readonly name: string;
  readonly kernel: UpdateKernel<P>;
}

/** Arguments with tensors, and lists of them, seen as blocks. */
export type ListBlocks<P extends readonly unknown[]> = {
  [K in keyof P]: P[K] extends readonly Tensor[] | null
    ? readonly Block[] | Extract<P[K], null>
    : P[K] extends Tensor | null
      ? Block | Extract<P[K], null>
      : P[K];
};

/** Made of other ops: no device ever sees it. */
export interface ComposedKernel {
  readonly kind: "composed";
}

/** How each kind is computed. A device implements these forms, and may override single ops by name. */
export type Kernel =
  | ElementwiseKernel
  | ReduceKernel
  | PickKernel
  | ViewKernel
  | AliasKernel
  | ContractKernel
  | LoopKernel
  | ComposedKernel;

/** What the tests and the documentation read; the same for every kind. */
export interface Described {
  /** Code that the tests run, and what it prints: "tensor([4]).sqrt()  // [2]". */
  readonly example: string;
  /** Draws arguments that property tests call the op with. */
  readonly draw: (d: Draw) => readonly unknown[];
}

/**
 * What an op makes: its result, and by name what its backward kernel reads again. S: those names; an op
 * that saves nothing has `never`, and makes [y] alone. Names, because places could be mixed up unseen.
 */
export type Outputs<S extends string, T> = [S] extends [never]
  ? readonly [y: T]
  : string extends S
    ? readonly [y: T, saved?: Readonly<Record<string, T>>]
    : readonly [y: T, saved: Readonly<Record<S, T>>];

/**
 * Everything about one op. P: the arguments that its rules and its kernels see, S: the names of what it
 * saves for its backward kernel. Devices type their kernels by them (see rule.ts).
 */
export interface Entry<P extends readonly unknown[] = readonly unknown[], S extends string = string>
  extends Described,
    Recordable {
  /** The exported name; set when the table is loaded (index.ts). */
  name: string;
  /** Its place in the table: how many ops were defined before it. */
  readonly order: number;
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

/** Arguments with tensors seen as the blocks of numbers that loops walk. */
export type Blocks<P extends readonly unknown[]> = {
  [K in keyof P]: Tensor extends P[K] ? (null extends P[K] ? Block | null : Block) : P[K];
};

// --- Running -----------------------------------------------------------------------------------------

/** One run of an op on a device. */
export interface ForwardCall<
  P extends readonly unknown[] = readonly unknown[],
  S extends string = string,
> {
  readonly entry: Entry<P, S>;
  readonly pass: "forward";
  readonly args: P;
  /** Every tensor that it reads. */
  readonly tensors: readonly Tensor[];
  /** What to make: the result, then what is saved, in the order of `saved`. */
  readonly outputs: readonly [y: Spec, ...saved: Spec[]];
  readonly saved: Readonly<Record<S, Spec>>;
}

/** One run of the backward kernel of a fused op. */
export interface BackwardCall<
  P extends readonly unknown[] = readonly unknown[],
  S extends string = string,
> {
  readonly entry: Entry<P, S>;
  readonly pass: "backward";
  /** The gradient of the result, and the result. */
  readonly g: Tensor;
  readonly y: Tensor;
  readonly saved: Readonly<Record<S, Tensor>>;
  readonly args: P;
  readonly tensors: readonly Tensor[];
  /** What to make: a gradient for each of `args` that wants one. */
  readonly outputs: Wanted<P>;
}

/** For each argument its gradient's shape and dtype, or null where nobody wants one. */
type Wanted<P extends readonly unknown[]> = { readonly [K in keyof P]: Spec | null };

/** One run of an update. */
export interface UpdateCall<P extends readonly unknown[] = readonly unknown[]> {
  readonly entry: UpdateEntry<P>;
  readonly pass: "update";
  readonly args: P;
  /** The tensors of its lists, and those that stand alone. */
  readonly tensors: readonly Tensor[];
  readonly outputs: readonly Spec[];
}

/** One run of one op on a device: forward, backward, or an update of lists in place. */
export type Call = ForwardCall | BackwardCall | UpdateCall;

let definitions = false;
const definitionsTakes = signature("withDefinitions", "fn: function");

/**
 * Runs `fn` with every fused op replaced by its definition, so that all intermediates (an attention
 * pattern, say) stand on the tape. Slower; the same values up to rounding.
 */
export function withDefinitions<T>(fn: () => T): T {
  accept(definitionsTakes, arguments);
  const before = definitions;
  definitions = true;
  try {
    return fn();
  } finally {
    definitions = before;
  }
}

/** Computes entry(args) on the device of its tensors and, if need be, leaves a node on the tape. */
export function apply(entry: Entry, args: readonly unknown[]): Tensor {
  const tensors = tensorsIn(args);
  const device = commonDevice(entry.name, tensors);
  if (entry.definition !== undefined && (definitions || device.fuses?.(entry, args) === false)) {
    return entry.definition(...args);
  }
  const [spec, saved = nothing] = entry.infer(...args);
  const outputs: ForwardCall["outputs"] =
    saved === nothing ? [spec] : [spec, ...Object.values(saved)];
  const made = execute(device, { entry, pass: "forward", args, tensors, outputs, saved });
  const y = made[0] as Tensor;
  let caller = "";
  if (isDetectingAnomaly()) {
    caller = callerLine();
    checkAnomaly(entry.name, made, tensors, caller);
  }
  if (isRecording() && isFloat(y.dtype) && tensors.some(asksForGradients)) {
    y.requiresGrad = true;
    y.node = new Node(entry, args, tensors, y, named(saved, made), caller);
  }
  return y;
}

/** What an op that saves nothing saves. */
const nothing: Readonly<Record<string, never>> = {};

/** What was made besides the result, by the names in `saved`. */
function named(
  saved: Readonly<Record<string, Spec>>,
  made: readonly Tensor[],
): Readonly<Record<string, Tensor>> {
  if (saved === nothing) return nothing;
  const tensors: Record<string, Tensor> = {};
  Object.keys(saved).forEach((name, i) => {
    tensors[name] = made[i + 1] as Tensor;
  });
  return tensors;
}

function asksForGradients(x: Tensor): boolean {
  return x.requiresGrad;
}

function tensorsIn(args: readonly unknown[]): Tensor[] {
  const tensors: Tensor[] = [];
  for (const arg of args) if (arg instanceof Tensor) tensors.push(arg);
  return tensors;
}

/** Runs a call's kernel; shares the storage where the op only changes the shape. */
function execute(device: Device, call: Call): Tensor[] {
  const { entry, tensors } = call;
  for (const x of tensors) x.storage.buffer(entry.name);
  if (entry.kernel.kind === "alias") return alias(call);
  const buffers = runCall(device, call);
  const made: Tensor[] = [];
  let at = 0;
  for (const spec of call.outputs) {
    if (spec === null) continue;
    const buffer = buffers[at++] as object;
    made.push(new Tensor(new Storage(device, spec.dtype, sizeOf(spec.shape), buffer), spec.shape));
  }
  return made;
}

/** The same storage under another shape. */
function alias({ tensors: [x], outputs: [spec] }: Call): Tensor[] {
  return x && spec ? [new Tensor(x.storage, spec.shape)] : [];
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

/** Gradients by a rule that is written in ops. */
function byRule<P extends readonly unknown[], F>(
  vjp: EntrySpec<P, F>["vjp"] & object,
): Recordable["gradients"] {
  return (node, g) => vjp(g, node.y, ...(node.args as P));
}

/** Gradients by one backward kernel; through the definition when they must be differentiable again. */
function byKernel(entry: () => Entry): Recordable["gradients"] {
  return (node, g, createGraph) => {
    const self = entry();
    if (createGraph) return throughDefinition(self, node, g);
    const outputs = node.args.map((x) =>
      x instanceof Tensor && x.requiresGrad ? { shape: x.shape, dtype: x.dtype } : null,
    );
    const { y, saved, args } = node;
    const tensors = [g, y, ...Object.values(saved), ...node.inputs];
    const call: BackwardCall = {
      entry: self,
      pass: "backward",
      g,
      y,
      saved,
      args,
      tensors,
      outputs,
    };
    const made = execute(g.device, call);
    let at = 0;
    return outputs.map((spec) => (spec === null ? null : (made[at++] ?? null)));
  };
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
    gradients: vjp ? byRule(vjp) : hasBackward ? byKernel(() => entry) : () => [],
    ...(definition && { definition }),
  };
  const run = (...args: P): Tensor => apply(entry, args);
  let made: ((...args: unknown[]) => unknown) | undefined; // on first use, when the entry has its name
  let taken: Signature | undefined;
  const checked = (...args: unknown[]): unknown => {
    taken ??= signature(entry.name, takes);
    accept(taken, args);
    made ??= (call?.(run, entry) ?? run) as typeof made & object;
    return made(...args);
  };
  return Object.assign(checked as F & object, { entry });
}

/** `[2,3] and [4]`, as shapes stand in messages. */
export function shapesOf(...tensors: readonly Tensor[]): string {
  return tensors.map((x) => formatShape(x.shape)).join(" and ");
}
