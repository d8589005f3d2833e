// The kinds of op: builders that turn the few lines an op is written in into its entry. A builder
// knows how its kind takes arguments, how shapes and dtypes follow, and what a device needs to know
// to run it. Next: ops/arithmetic.ts for elementwise, ops/reduce.ts, ops/view.ts, ops/indexing.ts,
// ops/contract.ts, and ops/fused/softmax.ts for fused ops.

import { constant } from "./creation.ts";
import type { Device } from "./device.ts";
import type { Domain, Draw } from "./draw.ts";
import { type DType, isFloat, promote } from "./dtype.ts";
import { ArgumentError, DTypeError, GraphError, ShapeError } from "./errors.ts";
import {
  type Around,
  apply,
  type Block,
  type Blocks,
  type Contraction,
  type Copy,
  commonDevice,
  type Described,
  define,
  type Entry,
  type EntrySpec,
  type Formula,
  type LoopKernel,
  type Op,
  type Outputs,
  type ReduceKernel,
  type Spec,
} from "./op.ts";
import {
  around,
  broadcastShapes,
  checkDim,
  checkDims,
  formatShape,
  type Shape,
  sameShape,
} from "./shape.ts";
import type { Gradient } from "./tape.ts";
import { Tensor } from "./tensor.ts";

export type Operand = Tensor | number | boolean;
const operand = "Tensor | number | boolean";
export type Unary = Op<(x: Tensor) => Tensor, [x: Tensor, options: object]>;
export type Binary = Op<
  (a: Operand, b: Operand) => Tensor,
  [a: Tensor, b: Tensor, options: object]
>;

// --- Elementwise -------------------------------------------------------------------------------------

/** How dtypes follow in an elementwise op: what the operands are brought to, and what comes out. */
export interface Typing {
  readonly operands: (common: DType) => DType;
  readonly result: (operands: DType, options: unknown) => DType;
}

const same = (dtype: DType): DType => dtype;
/** exp and kin: integers become float32. */
export const floats: Typing = { operands: (d) => (isFloat(d) ? d : "float32"), result: same };
/** add and kin: bools count as 0 and 1 of int32. */
export const numbers: Typing = { operands: (d) => (d === "bool" ? "int32" : d), result: same };
/** where and kin: the dtype stays what it was. */
export const anything: Typing = { operands: same, result: same };
/** Comparisons and logic. */
export const bools: Typing = { operands: same, result: () => "bool" };

/** The last parameter of F, where its options stand. */
type Options<F> = F extends (...args: [...infer _, (infer O)?]) => unknown ? NonNullable<O> : never;

/** The arguments of F as its rule sees them: operands all tensors, options no longer optional. */
type Operands<F> = F extends (...args: infer P) => unknown
  ? { [K in keyof P]-?: Tensor extends P[K] ? Tensor : Exclude<P[K], undefined> }
  : never[];

export interface ElementwiseSpec<F> {
  /** One element of the result: (...operands, ...scalars). */
  readonly forward: Formula;
  /** g times the derivative, one element: (g, ...operands, ...scalars). Needs a definition. */
  readonly backward?: Formula;
  /** Functions other than Math's that the formulas call: a device compiles them along. */
  readonly uses?: readonly Formula[];
  readonly definition?: F;
  /** The arguments of the public function; unless said, the operands: a tensor, or two tensors or numbers. */
  readonly takes?: string;
  /** Gradients of the operands, in their order, written in ops: (g, result, ...operands, options). */
  readonly vjp?: (g: Tensor, y: Tensor, ...args: Operands<F>) => readonly Gradient[];
  readonly typing?: Typing;
  /** Number of operands; unless said, the parameters of the formula. */
  readonly arity?: number;
  /** Which operand is a mask: it must be bool, and has no say in the result's dtype. */
  readonly mask?: number;
  /** The numbers that the formula takes from the options. */
  readonly scalars?: (options: Options<F>) => readonly number[];
  readonly example: string;
  /** Domains of the operands (the last one repeats), or a function that draws all arguments. */
  readonly draw: Domain | readonly Domain[] | ((d: Draw) => readonly unknown[]);
}

/** An op that makes each element of the result from one element of each operand. */
export function elementwise<F>(spec: ElementwiseSpec<F>): Op<F> {
  const { forward, backward, uses, typing = numbers, mask, scalars, draw } = spec;
  const arity = spec.arity ?? forward.length;
  const op: Op<F> = define<unknown[], F>(
    {
      kind: "elementwise",
      forward,
      ...(backward && { backward }),
      ...(uses && { uses }),
      scalars: (options) => scalars?.(options as Options<F>) ?? [],
    },
    {
      example: spec.example,
      takes: spec.takes ?? (arity === 1 ? "x: Tensor" : `a: ${operand}, b: ${operand}`),
      draw: typeof draw === "function" ? draw : drawOperands(arity, draw),
      infer: (...args) => {
        const operands = args.slice(0, arity) as Tensor[];
        const value = operands[mask === 0 ? 1 : 0];
        const dtype = typing.result(value?.dtype ?? "float32", args[arity]);
        return [{ shape: commonShape(op.entry.name, operands), dtype }];
      },
      ...(spec.vjp && { vjp: spec.vjp as never }),
      ...(spec.definition && { definition: spec.definition as never }),
      call: (_, entry) => {
        const call = (...args: unknown[]): Tensor =>
          apply(entry, [...operandsOf(entry.name, args, arity, typing, mask), args[arity] ?? {}]);
        return call as F;
      },
    },
  );
  return op;
}

function commonShape(name: string, operands: readonly Tensor[]): Shape {
  const [first] = operands;
  if (first !== undefined && operands.every((x) => sameShape(x.shape, first.shape)))
    return first.shape;
  return broadcastShapes(name, ...operands.map((x) => x.shape));
}

/** The first `arity` arguments as tensors of one dtype (masks aside); numbers become constants. */
function operandsOf(
  name: string,
  args: readonly unknown[],
  arity: number,
  typing: Typing,
  mask: number | undefined,
): Tensor[] {
  const given = args.slice(0, arity);
  const device = commonDevice(name, given);
  const common = typing.operands(commonDType(given.filter((_, i) => i !== mask)));
  return given.map((x, i) => {
    if (i === mask) return maskOf(name, x, device);
    if (x instanceof Tensor) return x.dtype === common ? x : x.to(common);
    return constant(x as number | boolean, common, device);
  });
}

function maskOf(name: string, x: unknown, device: Device): Tensor {
  if (typeof x === "boolean") return constant(x, "bool", device);
  if (x instanceof Tensor && x.dtype === "bool") return x;
  const found = x instanceof Tensor ? x.dtype : typeof x;
  throw new DTypeError(`${name}: the mask must be bool, got ${found}; x.ne(0) makes one`);
}

/** Tensors decide the dtype; a number widens only an integer dtype that can't hold it (as PyTorch). */
function commonDType(given: readonly unknown[]): DType {
  let common: DType | null = null;
  for (const x of given) {
    if (x instanceof Tensor) common = common === null ? x.dtype : promote(common, x.dtype);
  }
  for (const x of given) {
    if (typeof x === "boolean") common ??= "bool";
    if (typeof x !== "number" || (common !== null && isFloat(common))) continue;
    common = common === null || !Number.isInteger(x) ? "float32" : promote(common, "int32");
  }
  return common ?? "float32";
}

function drawOperands(arity: number, domains: Domain | readonly Domain[]): Described["draw"] {
  const list = "low" in domains ? [domains] : domains;
  return (d) => {
    const shapes = [d.shape()];
    while (shapes.length < arity) shapes.push(d.broadcast(broadcastShapes("draw", ...shapes)));
    return shapes.map((shape, i) => d.tensor(shape, list[Math.min(i, list.length - 1)]));
  };
}

// --- Reduce, scan, pick ------------------------------------------------------------------------------

export interface ReduceOptions {
  /** The axes to reduce, all of them unless said; negative ones count from the end. */
  readonly dims?: number | Shape | undefined;
  /** The same for a single axis. */
  readonly dim?: number | undefined;
  /** Leave the reduced axes in, with size 1. */
  readonly keepDims?: boolean | undefined;
}

/** ReduceOptions, as they stand in a signature. */
export const reduceOptions = "dim?: number, dims?: number | number[], keepDims?: boolean";

/** The axes that a reduction's caller named, sorted and counted from the front. */
export function axesOf(name: string, x: Tensor, { dims, dim }: ReduceOptions): number[] {
  if (dims !== undefined && dim !== undefined)
    throw new ArgumentError(`${name}: got both dim and dims; dims: [0, 1] names several axes`);
  return checkDims(name, dims ?? dim, x.rank);
}

/** A reduction as its rules see it: neighbouring axes, counted from the front. */
export interface Reduced {
  readonly dims: readonly number[];
  readonly keepDims: boolean;
}

export type Reduction = Op<
  (x: Tensor, options?: ReduceOptions) => Tensor,
  [x: Tensor, options: Reduced]
>;

/** The shape with the reduced axes left in as 1, which broadcasts against the input. */
export function keptShape(shape: Shape, dims: readonly number[]): Shape {
  return shape.map((side, d) => (dims.includes(d) ? 1 : side));
}

/** The gradient of a reduction, in the shape that broadcasts against its input. */
export function keep(g: Tensor, x: Tensor, { dims, keepDims }: Reduced): Tensor {
  return keepDims ? g : g.reshape(keptShape(x.shape, dims));
}

function reducedShape(shape: Shape, { dims, keepDims }: Reduced): Shape {
  return keepDims ? keptShape(shape, dims) : shape.filter((_, d) => !dims.includes(d));
}

type ReduceRule = (x: Tensor, options: Reduced) => Tensor;

/** Axes as the caller named them; those that aren't neighbours are brought to the end by a permute. */
function reduceCall(run: ReduceRule, { name }: Entry): (x: Tensor, o?: ReduceOptions) => Tensor {
  return (x, options = {}) => {
    const { rank } = x;
    const { keepDims = false } = options;
    const axes = axesOf(name, x, options);
    const [first = 0] = axes;
    if (axes.every((axis, i) => axis === first + i)) return run(x, { dims: axes, keepDims });
    const rest = Array.from({ length: rank }, (_, d) => d).filter((d) => !axes.includes(d));
    const last = axes.map((_, i) => rest.length + i);
    const y = run(x.permute([...rest, ...axes]), { dims: last, keepDims: false });
    return keepDims ? y.reshape(keptShape(x.shape, axes)) : y;
  };
}

/** The walk of a reduction. */
export function aroundDims(x: Tensor, { dims }: Reduced): Around {
  const [first = 0] = dims;
  return around(x.shape, first, first + dims.length - 1);
}

/** max, min, argmax and argmin have no value for no elements. */
function checkNotEmpty(name: string, x: Tensor, dims: readonly number[]): void {
  if (dims.some((d) => x.shape[d] === 0)) {
    throw new ShapeError(`${name}: no elements to choose from in shape ${formatShape(x.shape)}`);
  }
}

interface ReduceSpec extends Described {
  /** The value of nothing. */
  readonly start: number;
  readonly step: ReduceKernel["step"];
  readonly vjp: (g: Tensor, y: Tensor, x: Tensor, options: Reduced) => readonly Gradient[];
  /** Whether no elements are an error. */
  readonly notEmpty?: boolean;
}

/** An op that folds axes with a step. */
export function reduce(spec: ReduceSpec): Reduction {
  const op: Reduction = define<
    [x: Tensor, options: Reduced],
    (x: Tensor, options?: ReduceOptions) => Tensor
  >(
    {
      kind: "reduce",
      start: spec.start,
      step: spec.step,
      around: aroundDims,
    },
    {
      ...spec,
      takes: `x: Tensor, { ${reduceOptions} }`,
      infer: (x, options) => {
        if (spec.notEmpty) checkNotEmpty(op.entry.name, x, options.dims);
        const dtype = x.dtype === "bool" ? "int32" : x.dtype;
        return [{ shape: reducedShape(x.shape, options), dtype }];
      },
      call: reduceCall,
    },
  );
  return op;
}

interface Scanned {
  readonly dim: number;
  readonly reverse: boolean;
}

/** An op that keeps every partial result of folding one axis. */
export function scan(
  spec: Described & {
    readonly start: number;
    readonly step: ReduceKernel["step"];
    readonly vjp: (g: Tensor, y: Tensor, x: Tensor, options: Scanned) => readonly Gradient[];
  },
): Op<(x: Tensor, options: { dim: number; reverse?: boolean }) => Tensor> {
  return define<
    [x: Tensor, options: Scanned],
    (x: Tensor, options: { dim: number; reverse?: boolean }) => Tensor
  >(
    {
      kind: "scan",
      start: spec.start,
      step: spec.step,
      around: ((x: Tensor, { dim }: { dim: number }) =>
        around(x.shape, dim)) as ReduceKernel["around"],
      reverse: (_, options) => (options as { reverse: boolean }).reverse,
    },
    {
      ...spec,
      takes: "x: Tensor, { dim: number, reverse?: boolean }",
      infer: (x) => [{ shape: x.shape, dtype: x.dtype === "bool" ? "int32" : x.dtype }],
      call: (run, entry) => (x, options) => {
        const dim = checkDim(entry.name, options.dim, x.rank);
        return run(x, { dim, reverse: options.reverse ?? false });
      },
    },
  );
}

/** An op that gives the position of the best element along the axes, as int32. */
export function pick(
  spec: Described & { readonly better: (x: number, best: number) => boolean },
): Reduction {
  const op: Reduction = define<
    [x: Tensor, options: Reduced],
    (x: Tensor, options?: ReduceOptions) => Tensor
  >(
    { kind: "pick", better: spec.better, around: aroundDims },
    {
      ...spec,
      takes: `x: Tensor, { ${reduceOptions} }`,
      infer: (x, options) => {
        checkNotEmpty(op.entry.name, x, options.dims);
        return [{ shape: reducedShape(x.shape, options), dtype: "int32" }];
      },
      call: reduceCall,
    },
  );
  return op;
}

// --- View, contract, index, fused --------------------------------------------------------------------

/** P itself, in a form that TypeScript doesn't infer P from. */
type Fixed<P extends readonly unknown[]> = { [K in keyof P]: P[K] extends infer X ? X : never };

interface ViewSpec<P extends readonly unknown[], F> extends EntrySpec<P, F> {
  readonly copies: (...args: Fixed<P>) => readonly Copy[];
  readonly fill?: (...args: Fixed<P>) => number;
}

/** An op that moves elements without computing. P: the arguments that its rules see. */
export function view<P extends readonly unknown[], F>(spec: ViewSpec<P, F>): Op<F, P> {
  const { copies, fill } = spec;
  return define<P, F>({ kind: "view", copies, ...(fill && { fill }) }, spec);
}

interface ContractSpec<P extends readonly unknown[], F> extends EntrySpec<P, F> {
  readonly contraction: (...args: P) => Contraction;
}

/** An op that is a batch of matrix products. */
export function contract<P extends readonly unknown[], F>(spec: ContractSpec<P, F>): Op<F, P> {
  return define<P, F>({ kind: "contract", contraction: spec.contraction }, spec);
}

/** The loops of an op. Its outputs are the result, then by name what the way back reads again. */
interface Loops<P extends readonly unknown[], S extends string> {
  readonly forward: (outputs: Outputs<S, Block>, ...args: Blocks<P>) => void;
  readonly backward?: (
    gradients: readonly (Block | null)[],
    g: Block,
    results: Outputs<S, Block>,
    ...args: Blocks<P>
  ) => void;
}

/** An op with a loop of its own that reads or writes where an index says. */
export function indexed<P extends readonly unknown[], F>(
  spec: EntrySpec<P, F> & Loops<P, never>,
): Op<F, P> {
  return define<P, F>(loops<P, never>("index", spec), spec);
}

interface FusedSpec<P extends readonly unknown[], F, S extends string>
  extends Omit<EntrySpec<P, F, S>, "infer" | "vjp"> {
  /** The textbook composition; its parameters give the types of all the other rules. */
  readonly definition: (...args: P) => Tensor;
  readonly infer: (...args: Fixed<P>) => Outputs<S, Spec>;
  readonly vjp?: (g: Tensor, y: Tensor, ...args: Fixed<P>) => readonly Gradient[];
}

/** An op that does at once what its definition does step by step. S: the names of what it saves. */
export function fused<P extends readonly unknown[], F, S extends string = never>(
  spec: FusedSpec<P, F, S> & Loops<P, S>,
): Op<F, P, S> {
  return define<P, F, S>(loops<P, S>("fused", spec), spec as unknown as EntrySpec<P, F, S>);
}

function loops<P extends readonly unknown[], S extends string>(
  kind: LoopKernel["kind"],
  { forward, backward }: Loops<P, S>,
): LoopKernel {
  return { kind, forward, ...(backward && { backward }) };
}

/** An op that is written in other ops: nothing for a device to know, nothing to differentiate. */
export function composed<F>(
  spec: Described & { readonly takes: string; readonly definition: F },
): Op<F> {
  const { example, takes, draw, definition } = spec;
  return define<never[], F>(
    { kind: "composed" },
    { example, takes, draw, infer: notRun, call: () => definition },
  );
}

function notRun(): never {
  throw new GraphError("a composed op is never run as a whole: its parts are");
}

/** The result has the shape and dtype of the first tensor. */
export function like(x: Tensor): readonly [y: Spec] {
  return [{ shape: x.shape, dtype: x.dtype }];
}
