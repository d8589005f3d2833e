// The kinds of op: builders that turn the few lines an op is written in into its entry. A builder
// knows how its kind takes arguments, how shapes and dtypes follow, and what a device needs to know
// to run it. Next: ops/arithmetic.ts for elementwise, ops/reduce.ts, ops/view.ts, ops/indexing.ts,
// ops/contract.ts, and ops/normalization.ts for fused ops.

import { constant } from "./creation.ts";
import type { Device } from "./device.ts";
import type { Domain, Draw } from "./draw.ts";
import { type DType, isFloat, promote } from "./dtype.ts";
import { DTypeError, ShapeError } from "./errors.ts";
import {
  apply,
  type Args,
  type Around,
  type Block,
  type Call,
  commonDevice,
  type Contraction,
  type Copy,
  type Described,
  define,
  type EntrySpec,
  type Formula,
  type LoopKernel,
  type Op,
  type ReduceKernel,
  type Spec,
} from "./op.ts";
import { around, broadcastShapes, checkDims, formatShape, sameShape, type Shape } from "./shape.ts";
import type { Gradient } from "./tape.ts";
import { checkTensor, Tensor } from "./tensor.ts";

export type Operand = Tensor | number | boolean;
export type Unary = Op<(x: Tensor) => Tensor>;
export type Binary = Op<(a: Operand, b: Operand) => Tensor>;

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

export interface ElementwiseSpec<F> {
  /** One element of the result: (...operands, ...scalars). */
  readonly forward: Formula;
  /** g times the derivative, one element: (g, ...operands, ...scalars). Needs a definition. */
  readonly backward?: Formula;
  readonly definition?: F;
  /** Gradients of the operands, in their order, written in ops: (g, result, ...operands, options). */
  readonly vjp?: (g: Tensor, y: Tensor, ...args: Args<F, Tensor>) => readonly Gradient[];
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
  const { forward, backward, typing = numbers, mask, scalars, draw } = spec;
  const arity = spec.arity ?? forward.length;
  const values = (args: readonly unknown[]): Tensor[] =>
    args.slice(0, arity).filter((_, i) => i !== mask) as Tensor[];
  return define<(...args: never[]) => Tensor, F>(
    {
      kind: "elementwise",
      forward,
      ...(backward && { backward }),
      scalars: (options) => scalars?.(options as Options<F>) ?? [],
    },
    {
      example: spec.example,
      draw: typeof draw === "function" ? draw : drawOperands(arity, draw),
      infer: (...args: readonly unknown[]) => {
        const dtype = typing.result(values(args)[0]?.dtype ?? "float32", args[arity]);
        return [{ shape: commonShape(args.slice(0, arity) as Tensor[], name), dtype }];
        function name(): string {
          return result.entry.name;
        }
      },
      ...(spec.vjp && { vjp: spec.vjp as never }),
      ...(spec.definition && { definition: spec.definition as never }),
      call: (run, name) =>
        ((...args: unknown[]) => {
          const operands = operandsOf(name(), args, arity, typing, mask);
          return run(...([...operands, args[arity] ?? {}] as never[]));
        }) as F,
    },
  );
}
