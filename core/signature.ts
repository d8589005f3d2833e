// What a function takes, as one line of text: "x: Tensor, { dim?: number, keepDims?: boolean }". Every
// entry of the op table and every public function has such a line, and accept() holds a call's arguments
// against it, so that plain JavaScript reads of a wrong name, a value by position, a missing or a superfluous
// argument what TypeScript would have said. Looking costs a few comparisons; what a wrong call reads is worked
// out when there is one. Next: refusal.ts for that, op.ts for where ops look.

import { DTypeError, ShapeError, type TwoheadsError } from "./errors.ts";
import { Random } from "./random.ts";
import { fieldsOf, refuse, refuseMore } from "./refusal.ts";
import { Tensor } from "./tensor.ts";

export interface Type {
  /** The kinds of value that it takes: see kindOf. */
  readonly kinds: number;
  /** Which values of these kinds, where not all. */
  readonly only?: (x: unknown) => boolean;
  /** What messages call it. */
  readonly says: string;
  /** What is wrong where it doesn't fit. */
  readonly error?: new (
    message: string,
  ) => TwoheadsError;
  /** How it is made, where that isn't plain. */
  readonly code?: string;
  /** The options of an object. */
  readonly options?: readonly Parameter[];
  /** Whether the object may have other fields, too: "{ ids: number[], ... }". */
  readonly isOpen?: boolean;
}

export interface Parameter {
  readonly name: string;
  readonly isOptional: boolean;
  /** Stands for all further arguments. */
  readonly isRest: boolean;
  readonly types: readonly Type[];
  /** The kinds of value of which it takes all, and the types that take some. */
  readonly kinds: number;
  readonly some: readonly Type[];
}

/** Classes by the names that a line has for them; asked for late, as files import each other. */
export type Classes = () => Readonly<Record<string, abstract new (...args: never[]) => unknown>>;

/** A function's name and what it takes; read on its first call. */
export interface Signature {
  readonly name: string;
  readonly takes: string;
  readonly classes: Classes;
  parameters: readonly Parameter[] | null;
}

export function signature(name: string, takes: string, classes: Classes = () => ({})): Signature {
  return { name, takes, classes, parameters: null };
}

/** The signatures of a file's functions and classes, by their names. */
export function signatures<K extends string>(
  lines: Readonly<Record<K, string>>,
  classes?: Classes,
): Readonly<Record<K, Signature>> {
  const pairs = Object.entries<string>(lines).map(([name, line]) => [
    name,
    signature(name, line, classes),
  ]);
  return Object.fromEntries(pairs) as Record<K, Signature>;
}

// --- Reading a line ----------------------------------------------------------------------------------

const [NOTHING, NULL, NUMBER, BOOLEAN, STRING, FUNCTION, TENSOR, ARRAY, OBJECT] = [
  1, 2, 4, 8, 16, 32, 64, 128, 256,
];

function kindOf(x: unknown): number {
  if (x instanceof Tensor) return TENSOR;
  const type = typeof x;
  if (type === "object") return x === null ? NULL : Array.isArray(x) ? ARRAY : OBJECT;
  if (type === "number") return NUMBER;
  if (type === "boolean") return BOOLEAN;
  if (type === "undefined") return NOTHING;
  return type === "string" ? STRING : type === "function" ? FUNCTION : 0;
}

const dtypes = ["float32", "float64", "int32", "bool"];

/** The words of the lines. A list's elements and a number's range are the function's own to check. */
export const words: Readonly<Record<string, Type>> = {
  any: { kinds: ~NOTHING, says: "a value" },
  number: { kinds: NUMBER, says: "a number" },
  boolean: { kinds: BOOLEAN, says: "true or false" },
  string: { kinds: STRING, says: "a string" },
  function: { kinds: FUNCTION, says: "a function" },
  object: { kinds: OBJECT, says: "an object" },
  null: { kinds: NULL, says: "null" },
  Tensor: { kinds: TENSOR, says: "a tensor" },
  Random: {
    kinds: OBJECT,
    only: (x) => x instanceof Random,
    says: "a generator",
    code: "random(seed)",
  },
  Shape: { kinds: ARRAY, says: "a shape, an array of sizes such as [2,3]", error: ShapeError },
  DType: {
    kinds: STRING,
    only: (x) => dtypes.includes(x as string),
    says: `one of ${dtypes.join(", ")}`,
    error: DTypeError,
  },
  "number[]": { kinds: ARRAY | OBJECT, only: isList, says: "an array of numbers" },
  "Tensor[]": { kinds: ARRAY, says: "an array of tensors" },
  "any[]": { kinds: ARRAY | OBJECT, only: isList, says: "an array" },
  Iterable: {
    kinds: STRING | ARRAY | OBJECT,
    only: (x) => Symbol.iterator in Object(x) || Symbol.asyncIterator in Object(x),
    says: "an array or another iterable",
  },
};

export function isList(x: unknown): boolean {
  return Array.isArray(x) || ArrayBuffer.isView(x);
}

function parse({ takes, classes }: Signature): readonly Parameter[] {
  const tokens = takes.match(/\.\.\.|"[^"]*"|\w+(\[\])?|[{}:,|?]/g) ?? [];
  const named = classes();
  let at = 0;
  const skips = (token: string): boolean => tokens[at] === token && ++at > 0;
  const type = (): Type => {
    if (skips("{")) {
      const fields = list();
      return optionsType(fields, tokens[at - 2] === "...");
    }
    const word = tokens[at++] ?? "";
    const text = word.slice(1, -1);
    const made = named[word];
    if (made) return { kinds: OBJECT, only: (x) => x instanceof made, says: `a ${word}` };
    return words[word] ?? { kinds: STRING, only: (x) => x === text, says: text };
  };
  const list = (): Parameter[] => {
    const found: Parameter[] = [];
    while (at < tokens.length && !skips("}")) {
      const isRest = skips("...");
      if (tokens[at] === "}") continue; // of "...", that stands for other fields
      const name = tokens[at] === "{" ? "" : (tokens[at++] ?? "");
      const isOptional = skips("?");
      skips(":");
      const types = [type()];
      while (skips("|")) types.push(type());
      skips(",");
      found.push(parameter(name, types, isOptional, isRest));
    }
    return found;
  };
  return list();
}

function parameter(
  name: string,
  types: readonly Type[],
  isGiven: boolean,
  isRest: boolean,
): Parameter {
  const isOptional = isGiven || types.some(({ options }) => options?.every((o) => o.isOptional));
  const all = types.reduce((kinds, type) => (type.only ? kinds : kinds | type.kinds), 0);
  const some = types.filter(({ only }) => only);
  return { name, types, isOptional, isRest, kinds: isOptional ? all | NOTHING : all, some };
}

/** Whether a parameter takes a value. */
export function fits({ kinds, some }: Parameter, x: unknown): boolean {
  const kind = kindOf(x);
  if ((kinds & kind) !== 0) return true;
  for (let i = 0; i < some.length; i++) {
    const { kinds: own, only } = some[i] as Type;
    if ((own & kind) !== 0 && only?.(x)) return true;
  }
  return false;
}

/** An object of these options: all that must be there, each of its type, and nothing else unless it is open. */
function optionsType(options: readonly Parameter[], isOpen: boolean): Type {
  const required = options.filter(({ isOptional }) => !isOptional).length;
  const only = (x: unknown): boolean => {
    if (isOpen) return options.every((o) => fits(o, (x as Record<string, unknown>)[o.name]));
    let count = 0;
    let found = 0;
    for (const key in x as object) {
      const option = named(options, key);
      if (option === null) return false;
      const value = (x as Record<string, unknown>)[key];
      if ((option.kinds & kindOf(value)) === 0 && !fits(option, value)) return false;
      if (!option.isOptional) found++;
      count++;
    }
    return found === required && (count > 0 || isPlain(x));
  };
  return { kinds: OBJECT, only, says: `an object ${fieldsOf(options)}`, options, isOpen };
}

/** The option of this name: the lists are short, and comparing is quicker than a look into a table. */
function named(options: readonly Parameter[], name: string): Parameter | null {
  for (let i = 0; i < options.length; i++) {
    const option = options[i] as Parameter;
    if (option.name === name) return option;
  }
  return null;
}

/** Neither an array, nor a map, a date, or another thing that has no named fields. */
export function isPlain(x: unknown): x is Record<string, unknown> {
  return (
    Object.prototype.toString.call(x) === "[object Object]" &&
    !(x instanceof Tensor || x instanceof Random)
  );
}

// --- Calls -------------------------------------------------------------------------------------------

/** Throws unless a call's arguments are what the function takes; the message says what to write. */
export function accept(what: Signature, args: ArrayLike<unknown>): void {
  what.parameters ??= parse(what);
  const { parameters } = what;
  for (let i = 0; i < parameters.length; i++) {
    const parameter = parameters[i] as Parameter;
    if ((parameter.kinds & kindOf(args[i])) === 0) acceptSome(what, parameter, args, i);
  }
  if (args.length > parameters.length) acceptMore(what, parameters, args);
}

/** The argument at `i`, of a kind of which the parameter doesn't take all. */
function acceptSome(
  what: Signature,
  parameter: Parameter,
  args: ArrayLike<unknown>,
  i: number,
): void {
  const isLeftOut = parameter.isRest && i >= args.length;
  if (!isLeftOut && !fits(parameter, args[i])) refuse(what, numbered(parameter, 1), args[i]);
}

/** Arguments beyond the parameters, of which the last may stand for all further ones. */
function acceptMore(
  what: Signature,
  parameters: readonly Parameter[],
  args: ArrayLike<unknown>,
): void {
  const last = parameters.at(-1);
  if (!last?.isRest) {
    refuseMore(what, parameters, args);
    return;
  }
  for (let i = parameters.length; i < args.length; i++)
    if (!fits(last, args[i])) refuse(what, numbered(last, i - parameters.length + 2), args[i]);
}

/** The nth of the arguments that a parameter stands for, as messages call it. */
function numbered(parameter: Parameter, n: number): Parameter {
  return parameter.isRest ? { ...parameter, name: `${parameter.name} ${n}` } : parameter;
}
