// Ops of your own, from outside of this package: the kinds that the op table is made of, each as a function of a few
// lines that say what is special about the op. The kind supplies the rest: how arguments broadcast, dtypes, the line
// on the tape, every device. custom.ts is for gradients that no formula of a kind has.
// Next: custom.ts; ../kinds.ts and ../moreKinds.ts for what the kinds do; testing/ for whether a gradient is right.

import { type Domain, type Draw, within } from "../draw.ts";
import type { DType } from "../dtype.ts";
import { ArgumentError, DeviceError } from "../errors.ts";
import type { FormulaText } from "../kernel.ts";
import * as kinds from "../kinds.ts";
import { anything, bools, drawOperands, floats, numbers } from "../kinds.ts";
import type { Gradient } from "../node.ts";
import type { Block, Blocks, Described, Entry, Formula, Op, Outputs, Spec } from "../op.ts";
import { accept, signatures } from "../signature.ts";
import { Tensor } from "../tensor.ts";
import { checkRule, throughDefinition } from "./rules.ts";

const described = "name?: string, takes?: string, example?: string, draw?: function";
const takes = /* @__PURE__ */ signatures({
  elementwise:
    "{ forward: function, vjp?: function, backward?: function, definition?: function, uses?: any[], arity?: number, " +
    'options?: object, typing?: "floats" | "numbers" | "anything" | "bools", name?: string, example?: string, ' +
    "draw?: function | object | any[] }",
  reduce:
    "{ start: number, step: function, vjp: function, notEmpty?: boolean, name?: string, example?: string, draw?: function }",
  composed: `{ definition: function, ${described} }`,
  fused: `{ definition: function, forward: function, infer?: function, backward?: function, vjp?: function, saves?: any[], ${described} }`,
  keep: "g: Tensor, x: Tensor, { dims: number[], keepDims: boolean }",
  addMethods: "ops: object",
});

/** What a test or a reader wants to know of an op; none of it changes what the op computes. */
export interface OwnOp {
  /** What the tape and errors call the op; the kind's name unless said. */
  readonly name?: string;
  /** The arguments of the function, "x: Tensor, { dim: number }": wrong calls are told by it. Unchecked unless said. */
  readonly takes?: string;
  /** Code and what it prints, "tensor([4]).sqrt()  // [2]": tests run it. */
  readonly example?: string;
  /** Draws arguments for property tests; see twoheads/testing. */
  readonly draw?: (d: Draw) => readonly unknown[];
}

/**
 * Marks an op as somebody else's: no device takes it for the built-in one of that name. How arguments are drawn is set
 * here and not where ops are built, as the build leaves that out of the table's ops.
 */
export function owned<O extends { readonly entry: Entry }>(op: O, name: string, spec: OwnOp): O {
  const checkFormulas = (functions: readonly FormulaText[]): void => checkNames(name, functions);
  Object.assign(op.entry, { name, isOwn: true, checkFormulas });
  const told: [string, unknown][] = [
    ["example", spec.example],
    ["draw", spec.draw],
  ];
  Object.assign(op.entry, Object.fromEntries(told.filter(([, value]) => value !== undefined)));
  return Object.defineProperty(op, "name", { value: name });
}

/** What a formula may say besides names of functions and of its own. */
const grammar =
  "function return if else for while do break continue const let var true false Math this thread";

/**
 * Throws where a formula takes something from around it: JavaScript knows it, a GPU doesn't. Math's functions stand in the
 * text as expOf, logOf and so on (kernels/gpu/math.ts).
 */
function checkNames(name: string, functions: readonly FormulaText[]): void {
  const known = [...grammar.split(" "), ...functions.map((fn) => fn.name)];
  for (const { source, argumentNames } of functions) {
    const code = source.replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*/g, "");
    const declared = [...code.matchAll(/\b(?:const|let|var)\s+(\w+)/g)].map(([, word]) => word);
    const words = code.match(/(?<![\w.])[A-Za-z_]\w*/g) ?? [];
    const strange = words.find(
      (word) => !/Of$/.test(word) && ![...argumentNames, ...declared, ...known].includes(word),
    );
    if (strange === undefined) continue;
    throw new DeviceError(
      `${name}: its formula names "${strange}", which a GPU doesn't know: it may name its parameters, Math's functions, ` +
        "and functions in `uses`; write a number into the formula, or pass it by `options`",
    );
  }
}

/**
 * A formula whose text is what a GPU's compiler reads: an arrow function, or for a function that formulas call (`isUsed`)
 * `function name(a) { ... }`, however it was written.
 */
function readable<F extends (...numbers: never[]) => unknown>(fn: F, isUsed = false): F {
  const text = String(fn);
  const [, list, single, value = ""] =
    /^\s*(?:\(([^)]*)\)|([\w$]+))\s*=>\s*([\s\S]*)$/.exec(text) ?? [];
  const [, others = "", block = ""] =
    /^\s*(?:function\b)?\s*[\w$]*\s*\(([^)]*)\)\s*(\{[\s\S]*)$/.exec(text) ?? [];
  const isArrow = value !== "";
  if (isArrow !== isUsed || (!isArrow && block === "")) return fn;
  const body = value.startsWith("{") ? value : `{ return ${value}; }`;
  const written = isUsed
    ? `function ${fn.name}(${list ?? single}) ${body}`
    : `(${others}) => ${block}`;
  const same = ((...numbers: never[]) => fn(...numbers)) as F; // whose text others may want as it is
  return Object.defineProperty(same, "toString", { value: () => written });
}

/** What the kinds want to be told, and owned() sets. */
export const untold = /* @__PURE__ */ Object.fromEntries([
  ["example", ""],
  ["draw", () => []],
]) as unknown as Described;

/** { draw }, which as text the build would leave out. */
function drawing(draws: Draws): OwnOp {
  return Object.fromEntries([["draw", draws]]);
}

type Draws = (d: Draw) => readonly unknown[];

/** Nothing is known of the arguments. */
export const anyArguments = "...argument?: any";

// --- Elementwise -------------------------------------------------------------------------------------

/** For each element of A a T. */
type Each<A extends readonly unknown[], T> = { readonly [K in keyof A]: T };

/** The first N of A. */
type First<A extends readonly unknown[], N, T extends unknown[] = []> = T["length"] extends N
  ? T
  : A extends readonly [infer H, ...infer R]
    ? First<R, N, [...T, H]>
    : T;

/** A tensor for each of the first N of A. */
type TensorFor<A extends readonly unknown[], N, T extends Tensor[] = []> = T["length"] extends N
  ? T
  : A extends readonly [unknown, ...infer R]
    ? TensorFor<R, N, [...T, Tensor]>
    : T;

/** Numbers by name, given in calls in place of these: f(x, { slope: 0.1 }). */
type OptionValues = Readonly<Record<string, number>>;

/** The function that people call: operands, then options if there are any. */
type ElementwiseCall<A extends readonly unknown[], O> = [keyof O] extends [never]
  ? A extends readonly [unknown]
    ? (x: Tensor) => Tensor
    : (...operands: Each<A, kinds.Operand>) => Tensor
  : (
      ...args: [...(A extends readonly [unknown] ? [Tensor] : Each<A, kinds.Operand>), Partial<O>?]
    ) => Tensor;

/** How dtypes follow: integers become float32 (floats), or stay (numbers); bools too (anything); the result is bool (bools). */
type TypingName = keyof typeof typings;

const typings = { floats, numbers, anything, bools };

/** An elementwise op. A: the numbers that its formula takes, N: how many of them are operands, O: its options. */
export interface ElementwiseOp<
  A extends readonly number[],
  N extends number,
  O extends OptionValues,
> extends Omit<OwnOp, "takes" | "draw"> {
  /**
   * One element of the result: (...elements of the operands, ...options). Say it first, as its parameters type the
   * rest. A GPU compiles its text: Math, portable, `uses` and its own parameters are all that it may name.
   */
  readonly forward: (...numbers: A) => number | boolean;
  /** Gradients of the operands, in their order, written in ops: (g, result, ...operands, options). */
  readonly vjp?: (g: Tensor, y: Tensor, ...args: [...TensorFor<A, N>, O]) => readonly Gradient[];
  /** g times the derivative, one element: (g, x, ...options), in place of a vjp, for one operand. Needs a definition. */
  readonly backward?: (g: number, ...numbers: A) => number;
  /** The same made of other ops: gradients of gradients run it where there is a `backward`. */
  readonly definition?: (...args: [...TensorFor<A, N>, O]) => Tensor;
  /** Functions other than Math's and portable's that the formulas call. */
  readonly uses?: readonly Formula[];
  /** How many operands there are, where the formula takes options after them. */
  readonly arity?: N;
  /** OptionValues that a call may set by name, with their defaults, in the order of the formula's last parameters. */
  readonly options?: O;
  /** Default: floats. */
  readonly typing?: TypingName;
  /** Domains of the operands (the last one repeats), or a function that draws all arguments. Default: within(-3, 3). */
  readonly draw?: Domain | readonly Domain[] | ((d: Draw) => readonly unknown[]);
}

/**
 * An op that makes each element of its result from one element of each operand; operands broadcast, and the
 * gradient is summed back. `elementwise({ name: "softsign", forward: (x) => x / (1 + Math.abs(x)), vjp: (g, _y, x) =>
 * [g.div(x.abs().add(1).square())] })`. A GPU compiles the formula.
 */
export function elementwise<
  A extends readonly number[],
  N extends number = A["length"],
  O extends OptionValues = Readonly<Record<never, never>>,
>(spec: ElementwiseOp<A, N, O>): Op<ElementwiseCall<First<A, N>, O>> {
  accept(takes.elementwise, arguments);
  const { options, typing = "floats", name = "elementwise" } = spec;
  const names = Object.keys(options ?? {});
  const arity = spec.arity ?? spec.forward.length - names.length;
  if (!(arity >= 1 && arity <= 3))
    throw new ArgumentError(
      `${name}: forward takes ${arity} elements of operands, and 1 to 3 are possible; forward: (x) => ... has one. ` +
        "OptionValues that are options have their defaults in `options`; an op that takes more is composed({ definition })",
    );
  const given = (o: unknown): Record<string, number> => ({ ...options, ...(o as object) });
  const operands = ["a", "b", "c"].slice(0, arity).map((x) => `${x}: Tensor | number | boolean`);
  const first = arity === 1 ? "x: Tensor" : operands.join(", ");
  const optional = names.map((option) => `${option}?: number`).join(", ");
  /** A rule that sees the options that a call left out. */
  const full =
    <R>(rule: (...args: unknown[]) => R) =>
    (...args: unknown[]) =>
      rule(...args.map((arg, i) => (i < args.length - 1 ? arg : given(arg))));
  const { forward, vjp, definition, backward } = spec as unknown as Loose;
  if (!vjp && !definition && typing !== "bools")
    throw new ArgumentError(
      `${name}: nothing says its gradient; give vjp: (g, y, x) => [...], which is () => [null] where there is none, ` +
        "or a definition in other ops",
    );
  const rule = vjp
    ? checkRule(name, full(vjp))
    : definition && !backward && throughDefinition(full(definition));
  const made = kinds.elementwise<Any>({
    forward: readable(forward),
    ...(backward && { backward: readable(backward) }),
    ...(spec.uses && { uses: spec.uses.map((fn) => readable(fn, true)) }),
    ...(definition && { definition: full(definition) }),
    ...(rule && { vjp: rule as never }),
    typing: typings[typing],
    arity,
    takes: names.length === 0 ? first : `${first}, { ${optional} }`,
    scalars: (o) => Object.values(given(o)),
    ...untold,
  });
  const asked = spec.draw ?? within(-3, 3);
  const draws = typeof asked === "function" ? asked : drawOperands(arity, asked);
  return owned(made, name, { ...(spec as object), ...drawing(draws) }) as never;
}

type Any = (...args: unknown[]) => Tensor;

/** The rules of an elementwise op without their types. */
interface Loose {
  readonly forward: Formula;
  readonly backward?: Formula;
  readonly vjp?: (...args: unknown[]) => readonly Gradient[];
  readonly definition?: Any;
}

// --- Reduce ------------------------------------------------------------------------------------------

/** A reduction: a step that takes in one number after the other. */
export interface ReduceOp extends Omit<OwnOp, "takes"> {
  /** The value of no elements. */
  readonly start: number;
  /** What so far plus one more number makes: (sum, x) => sum + x. A GPU compiles its text. */
  readonly step: (sum: number, x: number) => number;
  /**
   * Gradients: (g, result, x, options) => [...]. The result and g lack the reduced axes; keep(g, x, options) puts them
   * back with size 1, so that they broadcast against x.
   */
  readonly vjp: (g: Tensor, y: Tensor, x: Tensor, options: kinds.Reduced) => readonly Gradient[];
  /** Whether no elements are an error. */
  readonly notEmpty?: boolean;
}

/**
 * An op that folds axes of a tensor, all of them or those that { dims, keepDims } names:
 * `reduce({ name: "sumOfSquares", start: 0, step: (sum, x) => sum + x * x, vjp: (g, _y, x, o) => [keep(g, x, o).mul(x).mul(2)] })`.
 */
export function reduce(
  spec: ReduceOp,
): Op<(x: Tensor, options?: kinds.ReduceOptions) => Tensor, [x: Tensor, options: kinds.Reduced]> {
  accept(takes.reduce, arguments);
  const { name = "reduce", notEmpty = false, start, step, vjp } = spec;
  const drawn = (d: Draw): readonly unknown[] => {
    const shape = d.shape({ minSide: notEmpty ? 1 : 0, maxRank: 3 });
    return [
      d.tensor(shape),
      {
        dims: shape.map((_, i) => i).filter(() => d.pick(true, false)),
        keepDims: d.pick(true, false),
      },
    ];
  };
  const rule = checkRule(
    name,
    vjp as (g: Tensor, y: Tensor, ...args: unknown[]) => readonly Gradient[],
  );
  const made = kinds.reduce({ start, step: readable(step), notEmpty, vjp: rule, ...untold });
  return owned(made, name, { ...spec, ...drawing(spec.draw ?? drawn) });
}

/** The gradient of a reduction, in the shape that broadcasts against its input: the reduced axes come back with size 1. */
export function keep(g: Tensor, x: Tensor, options: kinds.Reduced): Tensor {
  accept(takes.keep, arguments);
  return kinds.keep(g, x, options);
}

// --- Composed and fused ------------------------------------------------------------------------------

/** An op written in other ops: a name of its own, checks of its calls, and tests; no gradient to write. */
export function composed<F extends (...args: never[]) => unknown>(
  spec: OwnOp & { readonly definition: F },
): Op<F> {
  accept(takes.composed, arguments);
  const { definition, takes: line = anyArguments, name = "composed" } = spec;
  return owned(kinds.composed<F>({ definition, takes: line, ...untold }), name, spec);
}

/** A fused op. P: its arguments, S: names of what its way back reads again. */
export interface FusedOp<P extends readonly unknown[], S extends string> extends OwnOp {
  /** The same made of smaller ops. Say it first, as its parameters type the rest. Gradients of gradients, and GPUs, run it. */
  readonly definition: (...args: P) => Tensor;
  /** Names of what forward fills besides the result, for backward to read. */
  readonly saves?: readonly S[];
  /** Shape and dtype of the result, and by name of what is saved: (x) => [{ shape, dtype }]. Default: as the first tensor. */
  readonly infer?: (...args: P) => Outputs<S, Spec>;
  /** The loop: fills y.data from x.data. Tensors come as { shape, dtype, data }, row by row. */
  readonly forward: (outputs: Outputs<S, Block>, ...args: Blocks<P>) => void;
  /** The loop of the way back: adds to the gradients that are wanted (null where nobody asks); they begin as zeros. */
  readonly backward?: (
    gradients: { readonly [K in keyof P]: Block | null },
    g: Block,
    results: Outputs<S, Block>,
    ...args: Blocks<P>
  ) => void;
  /** In place of backward: gradients written in ops, (g, result, ...args) => [...]. */
  readonly vjp?: (g: Tensor, y: Tensor, ...args: P) => readonly Gradient[];
}

/**
 * An op that does in one loop what its definition does step by step. Devices without loops (GPUs) run the definition,
 * and so do gradients of gradients; without `backward` and `vjp` the first gradients do, too.
 */
export function fused<const P extends readonly unknown[], const S extends string = never>(
  spec: FusedOp<P, S>,
): Op<(...args: P) => Tensor, P, S> {
  accept(takes.fused, arguments);
  const { name = "fused", backward, vjp, infer, definition, takes: line = anyArguments } = spec;
  const first = (...args: P): Outputs<never, Spec> => {
    const x = args.find((arg) => arg instanceof Tensor);
    if (x === undefined)
      throw new ArgumentError(
        `${name}: no argument is a tensor; infer: (...args) => [{ shape, dtype }] says what comes out`,
      );
    return [{ shape: x.shape, dtype: x.dtype as DType }];
  };
  const rule = vjp
    ? checkRule(name, vjp as never)
    : !backward && throughDefinition(definition as never);
  const made = kinds.fused<P, (...args: P) => Tensor, S>({
    ...({ definition, forward: spec.forward, infer: infer ?? first, backward } as object),
    ...(rule && { vjp: rule }),
    takes: line,
    ...untold,
  } as never);
  return owned(made, name, spec);
}

// --- Methods -----------------------------------------------------------------------------------------

/**
 * Makes ops methods of Tensor, x.squareplus() besides squareplus(x). TypeScript learns of them by
 * `declare module "twoheads/tensor" { interface Tensor { squareplus(): Tensor } }`. An ArgumentError where Tensor has
 * another method of that name.
 */
export function addMethods(ops: Readonly<Record<string, (...args: never[]) => unknown>>): void {
  accept(takes.addMethods, arguments);
  for (const [name, fn] of Object.entries<unknown>(ops)) {
    if (typeof fn !== "function") throw new ArgumentError(`addMethods: ${name} is no function`);
    const before = (Tensor.prototype as unknown as Record<string, object>)[name];
    if (name in Tensor.prototype && !mine.has(before ?? Tensor))
      throw new ArgumentError(
        `addMethods: Tensor has something called "${name}" already; give the op another name`,
      );
    const value = function (this: Tensor, ...rest: unknown[]): unknown {
      return (fn as (...args: unknown[]) => unknown)(this, ...rest);
    };
    mine.add(value);
    Object.defineProperty(Tensor.prototype, name, { value, configurable: true });
  }
}

/** The methods that were added, which may be added anew (a file that is loaded again). */
const mine = new WeakSet<object>();
