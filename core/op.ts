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
  forward(outputs: readonly Block[], ...args: readonly unknown[]): void;
  /** Fills the gradients that are asked for; `results` are the outputs of the forward pass. */
  backward?(
    gradients: readonly (Block | null)[],
    g: Block,
    results: readonly Block[],
    ...args: readonly unknown[]
  ): void;
}

/**
 * Works on whole lists of tensors and may overwrite them: what an optimiser does to all parameters at
 * once. Its arguments are lists of tensors, tensors, nulls and options.
 */
export interface UpdateKernel {
  readonly kind: "update";
  forward(outputs: readonly Block[], ...args: readonly unknown[]): void;
  /** The tensors among the arguments that it overwrites. */
  writes(...args: readonly unknown[]): readonly Tensor[];
}

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
  | UpdateKernel
  | ComposedKernel;

/** What the tests and the documentation read; the same for every kind. */
export interface Described {
  /** Code that the tests run, and what it prints: "tensor([4]).sqrt()  // [2]". */
  readonly example: string;
  /** Draws arguments that property tests call the op with. */
  readonly draw: (d: Draw) => readonly unknown[];
}

/** Everything about one op. */
export interface Entry extends Described, Recordable {
  /** The exported name; set when the table is loaded (index.ts). */
  name: string;
  /** Its place in the table: how many ops were defined before it. */
  readonly order: number;
  readonly kernel: Kernel;
  /** The outputs: the result, then what the backward kernel reads again. */
  infer(...args: readonly unknown[]): readonly Spec[];
  /** The textbook composition of smaller ops, for fused ops. */
  readonly definition?: (...args: readonly never[]) => Tensor;
}

/** The function that people call, with its entry on it. */
export type Op<F> = F & { readonly entry: Entry };

/** Arguments with tensors seen as the blocks of numbers that loops walk. */
export type Blocks<P extends readonly unknown[]> = {
  [K in keyof P]: Tensor extends P[K] ? (null extends P[K] ? Block | null : Block) : P[K];
};

// --- Running -----------------------------------------------------------------------------------------

/** One run of one op on a device. */
export interface Call {
  readonly entry: Entry;
  /** The backward kernel of a fused op takes [g, result and saved..., args...]. */
  readonly pass: "forward" | "backward";
  readonly args: readonly unknown[];
  readonly outputs: readonly (Spec | null)[];
}

let definitions = false;

/**
 * Runs `fn` with every fused op replaced by its definition, so that all intermediates (an attention
 * pattern, say) stand on the tape. Slower; the same values up to rounding.
 */
export function withDefinitions<T>(fn: () => T): T {
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
  const device = commonDevice(entry.name, args);
  if (entry.definition !== undefined && (definitions || device.fuses?.(entry, args) === false)) {
    return entry.definition(...(args as never[]));
  }
  const outputs = execute(device, { entry, pass: "forward", args, outputs: entry.infer(...args) });
  const y = outputs[0] as Tensor;
  let caller = "";
  if (isDetectingAnomaly()) {
    caller = callerLine();
    checkAnomaly(entry.name, outputs, tensorsIn(args), caller);
  }
  if (isRecording() && isFloat(y.dtype) && args.some(asksForGradients)) {
    y.requiresGrad = true;
    y.node = new Node(entry, args, y, outputs.slice(1), caller);
  }
  return y;
}

function asksForGradients(x: unknown): boolean {
  return x instanceof Tensor && x.requiresGrad;
}

function tensorsIn(args: readonly unknown[]): Tensor[] {
  return args.filter((arg) => arg instanceof Tensor);
}

/** Runs a call's kernel; shares the storage where the op only changes the shape. */
function execute(device: Device, call: Call): Tensor[] {
  const { entry, args } = call;
  const [first] = call.outputs;
  if (entry.kernel.kind === "alias" && first) {
    const [x] = args as [Tensor];
    x.storage.buffer(entry.name);
    return [new Tensor(x.storage, first.shape)];
  }
  for (const arg of args) if (arg instanceof Tensor) arg.storage.buffer(entry.name);
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

type Vjp = (g: Tensor, y: Tensor, ...args: never[]) => readonly Gradient[];

/** Gradients by a rule that is written in ops. */
function byRule(vjp: Vjp): Recordable["gradients"] {
  return (node, g) => vjp(g, node.y, ...(node.args as never[]));
}

/** Gradients by one backward kernel; through the definition when they must be differentiable again. */
function byKernel(entry: () => Entry): Recordable["gradients"] {
  return (node, g, createGraph) => {
    const self = entry();
    if (createGraph) return throughDefinition(self, node, g);
    const outputs = node.args.map((x) =>
      x instanceof Tensor && x.requiresGrad ? { shape: x.shape, dtype: x.dtype } : null,
    );
    const args = [g, node.y, ...node.saved, ...node.args];
    const made = execute(g.device, { entry: self, pass: "backward", args, outputs });
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
  const found = grad(definition(...(standIns as never[])), inputs, {
    gradOutputs: g,
    createGraph: true,
    allowUnused: true,
  });
  return standIns.map((x) => (x instanceof Tensor ? (found[inputs.indexOf(x)] ?? null) : null));
}

/** What a kind's builder gives to `define`, besides the kernel. P: the arguments that the rules see. */
export interface EntrySpec<P extends readonly unknown[], F> extends Described {
  /** Shapes and dtypes of the result and of what the backward kernel reads again. */
  readonly infer: (...args: P) => readonly Spec[];
  /** Gradients of the arguments, in their order, written in ops. */
  readonly vjp?: (g: Tensor, y: Tensor, ...args: P) => readonly Gradient[];
  readonly definition?: (...args: P) => Tensor;
  /** Makes the public function out of `run`, where it prepares its arguments; else it is `run` itself. */
  readonly call?: (run: (...args: NoInfer<P>) => Tensor, entry: Entry) => F;
}

let defined = 0;

/** Makes an entry and joins it to the function that people call. */
export function define<P extends readonly unknown[], F>(
  kernel: Kernel,
  spec: EntrySpec<P, F>,
): Op<F> {
  const hasBackward = "backward" in kernel && kernel.backward !== undefined;
  const entry: Entry = {
    name: "",
    order: defined++,
    kernel,
    example: spec.example,
    draw: spec.draw,
    infer: spec.infer as unknown as Entry["infer"],
    gradients: spec.vjp
      ? byRule(spec.vjp as unknown as Vjp)
      : hasBackward
        ? byKernel(() => entry)
        : () => [],
    ...(spec.definition && {
      definition: spec.definition as unknown as Entry["definition"] & object,
    }),
  };
  const run = (...args: P): Tensor => apply(entry, args);
  const { call } = spec;
  if (call === undefined) return Object.assign(run as F & object, { entry }) as Op<F>;
  let made: ((...args: unknown[]) => unknown) | undefined; // on first use, when the entry has its name
  const prepared = (...args: unknown[]): unknown => {
    made ??= call(run, entry) as typeof made & object;
    return made(...args);
  };
  return Object.assign(prepared as F & object, { entry }) as Op<F>;
}

/** `[2,3] and [4]`, as shapes stand in messages. */
export function shapesOf(...tensors: readonly Tensor[]): string {
  return tensors.map((x) => formatShape(x.shape)).join(" and ");
}
