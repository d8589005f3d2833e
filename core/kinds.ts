// The kinds of op: builders that turn the few lines an op is written in into its entry. A builder
// knows how its kind takes arguments, how shapes and dtypes follow, and what a device needs to know
// to run it. The first kind, elementwise, is here; the others are in moreKinds.ts.
// Next: ops/arithmetic.ts, which is made of it; op.ts for what an entry is.

import { constant } from "./creation.ts";
import type { Device } from "./device.ts";
import type { Domain, Draw } from "./draw.ts";
import { type DType, isFloat, promote } from "./dtype.ts";
import { DTypeError } from "./errors.ts";
import type { Gradient } from "./node.ts";
import { apply, commonDevice, type Described, define, type Formula, type Op } from "./op.ts";
import { broadcastShapes, type Shape, sameShape } from "./shape.ts";
import { Tensor } from "./tensor.ts";

export * from "./moreKinds.ts";

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
/** exp and the like: integers become float32. */
export const floats: Typing = { operands: (d) => (isFloat(d) ? d : "float32"), result: same };
/** add and the like: bools count as 0 and 1 of int32. */
export const numbers: Typing = { operands: (d) => (d === "bool" ? "int32" : d), result: same };
/** where and the like: the dtype stays what it was. */
export const anything: Typing = { operands: same, result: same };
/** Comparisons and logic. */
export const bools: Typing = { operands: same, result: () => "bool" };

/** The last parameter of F, where its options stand. */
type OptionsOf<F> = F extends (...args: [...infer _, (infer O)?]) => unknown
  ? NonNullable<O>
  : never;

/** The arguments of F as its rule sees them: operands all tensors, options no longer optional. */
type OperandsOf<F> = F extends (...args: infer P) => unknown
  ? { [K in keyof P]-?: Tensor extends P[K] ? Tensor : Exclude<P[K], undefined> }
  : never[];

export interface ElementwiseSpec<F> {
  /** One element of the result: (...operands, ...scalars). */
  readonly forward: Formula;
  /** The same for int32, modulo 2^32, where a product of doubles would lose its low bits. */
  readonly integer?: Formula;
  /** g times the derivative, one element: (g, ...operands, ...scalars), in place of a vjp. Needs a definition. */
  readonly backward?: Formula;
  /** Functions other than Math's that the formulas call: a device compiles them along. */
  readonly uses?: readonly Formula[];
  /** The same made of other ops, where there is no vjp: see op.ts. */
  readonly definition?: F;
  /** The arguments of the public function; unless said, the operands: a tensor, or two tensors or numbers. */
  readonly takes?: string;
  /** Gradients of the operands, in their order, written in ops: (g, result, ...operands, options). */
  readonly vjp?: (g: Tensor, y: Tensor, ...args: OperandsOf<F>) => readonly Gradient[];
  /** Default: numbers. */
  readonly typing?: Typing;
  /** Number of operands; unless said, the parameters of the formula. */
  readonly arity?: number;
  /** Which operand is a mask: it must be bool, and has no say in the result's dtype. */
  readonly mask?: number;
  /** The numbers that the formula takes from the options. */
  readonly scalars?: (options: OptionsOf<F>) => readonly number[];
  /** Answers a call for which the formula isn't made, in other ops; null where it is. */
  readonly instead?: F extends (...args: infer P) => Tensor ? (...args: P) => Tensor | null : never;
  readonly example: string;
  /** Domains of the operands (the last one repeats), or a function that draws all arguments. */
  readonly draw: Domain | readonly Domain[] | ((d: Draw) => readonly unknown[]);
}

/** An op that makes each element of the result from one element of each operand. */
export function elementwise<F>(spec: ElementwiseSpec<F>): Op<F> {
  const { forward, integer, backward, uses, typing = numbers, mask, scalars, draw } = spec;
  const arity = spec.arity ?? forward.length;
  const op: Op<F> = define<unknown[], F>(
    {
      kind: "elementwise",
      forward,
      ...(integer && { integer }),
      ...(backward && { backward }),
      ...(uses && { uses }),
      scalars: (options) => scalars?.(options as OptionsOf<F>) ?? [],
    },
    {
      example: spec.example,
      takes: spec.takes ?? (arity === 1 ? "x: Tensor" : `a: ${operand}, b: ${operand}`),
      draw: typeof draw === "function" ? draw : drawOperands(arity, draw),
      infer: (...args) => {
        const value = args[mask === 0 ? 1 : 0] as Tensor;
        const dtype = typing.result(value.dtype, args[arity]);
        return [{ shape: commonShape(op.entry.name, args as Tensor[], arity), dtype }];
      },
      ...(spec.vjp && { vjp: spec.vjp as never }),
      ...(spec.definition && { definition: spec.definition as never }),
      call: (_, entry) => {
        const call = (...args: unknown[]): Tensor =>
          spec.instead?.(...args) ??
          apply(entry, withOperands(entry.name, args, arity, typing, mask));
        return call as F;
      },
    },
  );
  return op;
}

/** The shape that the first `arity` arguments broadcast to. */
function commonShape(name: string, args: readonly Tensor[], arity: number): Shape {
  const { shape } = args[0] as Tensor;
  for (let i = 1; i < arity; i++) {
    if (sameShape((args[i] as Tensor).shape, shape)) continue;
    return broadcastShapes(name, ...args.slice(0, arity).map((x) => x.shape));
  }
  return shape;
}

/** An op's first `arity` arguments as tensors of one dtype (masks aside), numbers as constants; then its options. */
function withOperands(
  name: string,
  args: readonly unknown[],
  arity: number,
  typing: Typing,
  mask: number | undefined,
): unknown[] {
  const operands = args.slice(0, arity);
  const device = commonDevice(name, operands);
  const common = typing.operands(commonDType(operands, mask));
  for (let i = 0; i < arity; i++) {
    const x = operands[i];
    if (i === mask) operands[i] = maskOf(name, x, device);
    else if (!(x instanceof Tensor)) operands[i] = constant(x as number | boolean, common, device);
    else if (x.dtype !== common) operands[i] = x.to(common);
  }
  operands.push(args[arity] ?? {});
  return operands;
}

function maskOf(name: string, x: unknown, device: Device): Tensor {
  if (typeof x === "boolean") return constant(x, "bool", device);
  if (x instanceof Tensor && x.dtype === "bool") return x;
  const found = x instanceof Tensor ? x.dtype : typeof x;
  throw new DTypeError(`${name}: the mask must be bool, got ${found}; x.ne(0) makes one`);
}

/** Tensors decide the dtype; a number widens only an integer dtype that can't hold it (as PyTorch). */
function commonDType(operands: readonly unknown[], mask: number | undefined): DType {
  let common: DType | null = null;
  for (let i = 0; i < operands.length; i++) {
    const x = operands[i];
    if (i === mask || !(x instanceof Tensor)) continue;
    common = common === null || common === x.dtype ? x.dtype : promote(common, x.dtype);
  }
  for (let i = 0; i < operands.length; i++) {
    const x = operands[i];
    if (i === mask) continue;
    if (typeof x === "boolean") common ??= "bool";
    if (typeof x !== "number" || (common !== null && isFloat(common))) continue;
    common = common === null || !Number.isInteger(x) ? "float32" : promote(common, "int32");
  }
  return common ?? "float32";
}

/** Draws operands that broadcast, from their domains. */
export function drawOperands(
  arity: number,
  domains: Domain | readonly Domain[],
): Described["draw"] {
  const list = "low" in domains ? [domains] : domains;
  return (d) => {
    const shapes = [d.shape()];
    while (shapes.length < arity) shapes.push(d.broadcast(broadcastShapes("draw", ...shapes)));
    return shapes.map((shape, i) => d.tensor(shape, list[Math.min(i, list.length - 1)]));
  };
}
