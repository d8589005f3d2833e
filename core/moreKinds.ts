// The other kinds of op: reduce, scan and pick, which fold an axis; views, which move elements; contractions,
// which are matrix products; and those with loops of their own, indexed and fused.
// Next: ops/reduce.ts, ops/view.ts, ops/indexing.ts, ops/contract.ts, and ops/fused/softmax.ts for fused ops.

import { ArgumentError, GraphError, ShapeError } from "./errors.ts";
import type { Gradient } from "./node.ts";
import {
  type Around,
  type Block,
  type Blocks,
  type Contraction,
  type Copy,
  type Described,
  define,
  type Entry,
  type EntrySpec,
  type LoopKernel,
  type Op,
  type Outputs,
  type ReduceKernel,
  type Spec,
} from "./op.ts";
import { around, checkDim, checkDims, formatShape, type Shape } from "./shape.ts";
import type { Tensor } from "./tensor.ts";

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
function keptShape(shape: Shape, dims: readonly number[]): Shape {
  return shape.map((side, d) => (dims.includes(d) ? 1 : side));
}

/** The gradient of a reduction, in the shape that broadcasts against its input. */
export function keep(g: Tensor, x: Tensor, { dims, keepDims }: Reduced): Tensor {
  return keepDims ? g : g.reshape(keptShape(x.shape, dims));
}

/** The shape of a reduction. */
export function reducedShape(shape: Shape, { dims, keepDims }: Reduced): Shape {
  return keepDims ? keptShape(shape, dims) : shape.filter((_, d) => !dims.includes(d));
}

type ReduceRule = (x: Tensor, options: Reduced) => Tensor;

/** Axes as the caller named them; those that aren't neighbours are brought to the end by a permute. */
function reduceCall(run: ReduceRule, { name }: Entry): (x: Tensor, o?: ReduceOptions) => Tensor {
  return (x, options = {}) => {
    const { rank } = x;
    const { keepDims = false } = options;
    const axes = axesOf(name, x, options);
    if (areNeighbours(axes)) return run(x, { dims: axes, keepDims });
    const rest = Array.from({ length: rank }, (_, d) => d).filter((d) => !axes.includes(d));
    const last = axes.map((_, i) => rest.length + i);
    const y = run(x.permute([...rest, ...axes]), { dims: last, keepDims: false });
    return keepDims ? y.reshape(keptShape(x.shape, axes)) : y;
  };
}

function areNeighbours(axes: readonly number[]): boolean {
  for (let i = 1; i < axes.length; i++) if (axes[i] !== (axes[i - 1] as number) + 1) return false;
  return true;
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
