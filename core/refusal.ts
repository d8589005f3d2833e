// What a wrong call reads: which argument or option it is, what arrived, what was needed, and the call as it
// should be written. Nothing here runs unless a call was wrong. Next: names.ts for whose name was meant.

import { ArgumentError } from "./errors.ts";
import { meant } from "./names.ts";
import { Random } from "./random.ts";
import { fits, isList, isPlain, type Parameter, type Signature, words } from "./signature.ts";
import { Tensor } from "./tensor.ts";

/** Whether list.map(fn) calls: with an element, its index and the list, of which `fn` may take the first alone. */
function isCallback(args: ArrayLike<unknown>): boolean {
  return args.length === 3 && Object(args[2])[args[1] as number] === args[0];
}

/** More arguments than there are parameters; those that are undefined say nothing. */
export function refuseMore(
  what: Signature,
  parameters: readonly Parameter[],
  args: ArrayLike<unknown>,
): void {
  let end = args.length;
  while (end > parameters.length && args[end - 1] === undefined) end--;
  if (end === parameters.length || isCallback(args)) return;
  throw new ArgumentError(
    `${what.name}: ${describeValue(args[parameters.length])} is one argument too many; write ${usage(what)}`,
  );
}

/** One argument that isn't what it must be, or one option, where `path` says inside of which others it is. */
export function refuse(what: Signature, at: Parameter, value: unknown, path?: string): never {
  const { name, types, isOptional } = at;
  const { options, isOpen = false } = types.find((type) => type.options) ?? {};
  const full = `${path ?? ""}${name}`;
  if (options && (isPlain(value) || (value === undefined && !isOpen)))
    refuseOption(
      what,
      options,
      value ?? {},
      path === undefined && !isOpen ? "" : `${full}.`,
      isOpen,
    );
  if (options && name === "") refusePosition(what, options, value);
  const needed = types.map(({ says }) => says).join(", ");
  const remedies: string[] = [];
  if (types.some((type) => type === words.Tensor) && (typeof value === "number" || isList(value)))
    remedies.push("tensor(...) makes one");
  remedies.push(isOptional ? "leave it out for the default" : `write ${usage(what)}`);
  const Refusal = types.find(({ error }) => error)?.error ?? ArgumentError;
  throw new Refusal(
    `${what.name}: ${full} must be ${types.length > 1 ? "one of " : ""}${needed}, got ${describeValue(value)}; ` +
      remedies.join(", or "),
  );
}

/** Something else stands where the options do. */
function refusePosition(what: Signature, options: readonly Parameter[], value: unknown): never {
  const fitting = value === null ? undefined : options.find((option) => fits(option, value));
  throw new ArgumentError(
    `${what.name}: options are given by name, got ${describeValue(value)}; ` +
      `write ${usage(what, fitting && { name: fitting.name, value })}`,
  );
}

/** An object of options of which one is unknown, wrong or missing. */
function refuseOption(
  what: Signature,
  options: readonly Parameter[],
  given: Readonly<Record<string, unknown>>,
  path: string,
  isOpen: boolean,
): never {
  const takes = (name: string, value: unknown): boolean =>
    options.some((option) => option.name === name && fits(option, value));
  for (const key in given) {
    const value = given[key];
    const option = options.find(({ name }) => name === key);
    if (option ? fits(option, value) : isOpen) continue;
    if (option) refuse(what, option, value, path);
    const known = options.map(({ name }) => name);
    const name = meant(key, known, (other) => takes(other, value));
    const example = name && usage(what, takes(name, value) ? { name, value } : { name });
    throw new ArgumentError(
      `${what.name}: there is no option "${path}${key}"; ` +
        (name === undefined ? `there are ${known.join(", ")}.` : `did you mean ${path}${name}?`) +
        (path === "" ? ` Write ${example ?? usage(what)}` : ""),
    );
  }
  const missing = options.find(({ name, isOptional }) => !isOptional && given[name] === undefined);
  return refuse(what, missing ?? (options[0] as Parameter), undefined, path);
}

// --- Words -------------------------------------------------------------------------------------------

/** An option that stands in for all that may be left out, with its value if that is right. */
interface Example {
  readonly name: string;
  readonly value?: unknown;
}

/** What to write: x.sum({ dim?, keepDims? }), or with an example x.sum({ dim: 0 }). */
function usage({ name, parameters }: Signature, example?: Example): string {
  const texts = (parameters ?? []).map(({ name, types, isOptional, isRest }) => {
    const options = name === "" && types[0]?.options;
    return options
      ? fieldsOf(options, example)
      : `${isRest ? "..." : ""}${name}${isOptional ? "?" : ""}`;
  });
  const isMethod =
    name in Tensor.prototype && parameters?.[0]?.types.some((t) => t === words.Tensor);
  if (isMethod) return `${texts[0]}.${name}(${texts.slice(1).join(", ")})`;
  return `${/^[A-Z]\w*$/.test(name) ? "new " : ""}${name}(${texts.join(", ")})`;
}

/** Options as they are written: { dim, keepDims? }. */
export function fieldsOf(options: readonly Parameter[], example?: Example): string {
  const shown = options.filter((o) => !example || o.name === example.name || !o.isOptional);
  const fields = shown.map(({ name, types, isOptional }) => {
    const isExample = name === example?.name;
    if (isExample && example.value instanceof Random) return name;
    if (isExample && example.value !== undefined) return `${name}: ${code(example.value)}`;
    if (isOptional && !isExample) return `${name}?`;
    const made = types.find((type) => type.code)?.code;
    return made === undefined ? name : `${name}: ${made}`;
  });
  return `{ ${fields.join(", ")} }`;
}

/** A value as it stands in code. */
function code(value: unknown): string {
  if (value instanceof Tensor) return "y";
  if (typeof value === "string") return `"${value}"`;
  if (Array.isArray(value) && value.length < 9) return `[${value.map(code).join(",")}]`;
  return Object(value) === value ? "..." : String(value);
}

/** A value in a message: "number 2", "an array", "nothing", "an object with axis". */
export function describeValue(x: unknown): string {
  if (x === undefined) return "nothing";
  if (x === null) return "null";
  if (Array.isArray(x)) return "an array";
  if (typeof x === "function") return "a function";
  if (typeof x !== "object") return `${typeof x} ${String(x)}`;
  if (x instanceof Tensor) return `a tensor [${x.shape}]`;
  const name: unknown = x.constructor?.name ?? "Object";
  if (name !== "Object") return `a ${String(name)}`;
  return Object.keys(x).length === 0 ? "{}" : `an object with ${Object.keys(x).join(", ")}`;
}
