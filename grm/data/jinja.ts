// A model's own chat template, in Jinja, as tokenizer_config.json or chat_template.jinja holds it. It is parsed
// and run by @huggingface/jinja; where that differs from Python's in silence (strip with an argument, '1' == 1,
// None and True in print, -7 % 3, lengths of emoji), the parsed template is changed to call functions of ours
// that do what Python does. What the library can't do is an error of its own.
// Next: template.ts for templates in our own form.

import { Environment, Interpreter, parse, tokenize } from "@huggingface/jinja";
import { ArgumentError } from "../../core/index.ts";

/** What a template is given, beside functions. */
export type TemplateContext = Readonly<Record<string, unknown>>;

/** A parsed template's part; every kind has fields of its own. */
interface TemplatePart {
  readonly type: string;
  readonly [field: string]: unknown;
}

/** A value of the library's: a list holds such, too. */
interface Held {
  readonly type: string;
  readonly value: unknown;
}

const parsed = new Map<string, TemplatePart>();

/** The text that a template writes; an ArgumentError says what it complains of or can't do. */
export function renderJinja(source: string, context: TemplateContext): string {
  try {
    let program = parsed.get(source);
    if (program === undefined) {
      const tokens = tokenize(source, { lstrip_blocks: true, trim_blocks: true });
      program = asInPython(parse(tokens) as unknown) as TemplatePart;
      parsed.set(source, program);
    }
    const environment = new Environment();
    for (const [name, value] of Object.entries({ ...globals, ...python, ...context }))
      environment.set(name, value);
    const run = new Interpreter(environment).run(program as never) as { value: unknown };
    return String(run.value);
  } catch (cause) {
    throw new ArgumentError(
      `chat template: ${(cause as Error).message}; another can be named with --template`,
      { cause },
    );
  }
}

const globals: TemplateContext = {
  ...{ true: true, false: false, none: null, True: true, False: false, None: null },
  raise_exception(message: string) {
    throw new Error(message);
  },
  range: (from: number, to?: number, step = 1) => {
    const [first, end] = to === undefined ? [0, from] : [from, to];
    return Array.from(
      { length: Math.max(0, Math.ceil((end - first) / step)) },
      (_, i) => first + i * step,
    );
  },
};

// --- The parsed template -----------------------------------------------------------------------------

const named = (name: string): TemplatePart => ({ type: "Identifier", value: name });
const text = (value: string): TemplatePart => ({ type: "StringLiteral", value });
const call = (name: keyof typeof python, ...args: readonly unknown[]): TemplatePart => {
  return { type: "CallExpression", callee: named(name), args };
};

const empty: TemplatePart = { type: "ArrayLiteral", value: [] };

const expressions = /(Expression|Literal|Identifier|Ternary)$/;

/** The same template with calls of our functions where the library's own do something else than Python. */
function asInPython(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(asInPython);
  if (node instanceof Map)
    return new Map(Array.from(node, ([key, value]) => [asInPython(key), asInPython(value)]));
  if (node === null || typeof node !== "object" || !("type" in node)) return node;
  const part: Record<string, unknown> = Object.assign(
    Object.create(Object.getPrototypeOf(node)),
    node,
  );
  for (const [field, value] of Object.entries(part)) {
    if (field === "operator") continue;
    part[field] = asInPython(value);
    const isBlock = field === "body" || field === "alternate" || field === "defaultBlock";
    if (isBlock && Array.isArray(part[field])) part[field] = part[field].map(printed);
  }
  return replaced(part as unknown as TemplatePart);
}

/** What stands in a block is printed, if it is an expression. */
function printed(part: TemplatePart): TemplatePart {
  const isText = part.type === "StringLiteral";
  return expressions.test(part.type) && !isText ? call("__print", orNone(part)) : part;
}

/** A part whose own parts are replaced already. */
function replaced(part: TemplatePart): TemplatePart {
  const at = (field: string): TemplatePart => part[field] as TemplatePart;
  if (part.type === "For") return { ...part, iterable: orEmpty(at("iterable")) };
  if (part.type === "BinaryExpression") {
    const operator = (part.operator as { value: string }).value;
    if (/(^| )in$/.test(operator)) {
      const left = isPlace(at("left")) ? otherwise(at("left"), text(none)) : at("left");
      return { ...part, left, right: orEmpty(at("right")) };
    }
    const name = operators[operator];
    return name === undefined ? part : call(name, orNone(at("left")), orNone(at("right")));
  }
  if (part.type === "CallExpression" && at("callee").type === "MemberExpression") {
    const { object, property, computed } = at("callee") as TemplatePart & {
      property: TemplatePart;
    };
    const method = computed === true ? "" : String(property.value);
    const args = part.args as readonly TemplatePart[];
    if (method === "title") return call("__title", object);
    if (method === "format") return call("__format", object, ...args.map((arg) => orNone(arg)));
    return /^[lr]?strip$/.test(method) ? call("__strip", object, text(method), ...args) : part;
  }
  if (part.type !== "FilterExpression") return part;
  const filter = at("filter");
  const isCall = filter.type === "CallExpression";
  const args = isCall ? (filter.args as readonly TemplatePart[]) : [];
  const name = String((isCall ? (filter.callee as TemplatePart) : filter).value);
  if (/^(map|(select|reject)(attr)?)$/.test(name))
    return { ...part, operand: anyOrEmpty(at("operand")) };
  if (args.some(({ type }) => type === "KeywordArgumentExpression")) return part;
  switch (name) {
    case "trim":
      return call("__strip", orNone(at("operand")), text("strip"), ...args);
    case "string":
      return call("__print", orNone(at("operand")));
    case "capitalize":
      return call("__capitalize", orNone(at("operand")));
    case "length":
    case "count":
      return call("__length", part.operand);
    case "default":
      return args.length === 1 ? otherwise(part.operand, args[0]) : part;
    default:
      return part;
  }
}

const operators: Readonly<Record<string, keyof typeof python>> = {
  "==": "__equal",
  "!=": "__differs",
  "%": "__modulo",
  "~": "__join",
};

/** A function gets the same for none as for what isn't defined, so a text that nobody writes stands for none. */
function orNone(operand: TemplatePart): TemplatePart {
  const isPlain = /Literal$/.test(operand.type) || operand.type === "CallExpression";
  if (isPlain && (operand.callee as TemplatePart | undefined)?.type !== "MemberExpression")
    return operand; // macros, texts
  const condition = { type: "TestExpression", operand, negate: false, test: named("none") };
  return { type: "Ternary", condition, trueExpr: text(none), falseExpr: operand };
}

const isPlace = ({ type }: TemplatePart): boolean => /^(Identifier|MemberExpression)$/.test(type);

/** A list that isn't there is an empty one, to loops and to "in". */
function orEmpty(operand: TemplatePart): TemplatePart {
  return isPlace(operand) ? otherwise(operand, empty) : operand;
}

/** The filters that choose from a list take none for an empty one, too. */
function anyOrEmpty(operand: TemplatePart): TemplatePart {
  if (!isPlace(operand)) return operand;
  return { type: "Ternary", condition: operand, trueExpr: operand, falseExpr: empty };
}

/** x | default(y): y only where x isn't defined, not where it is none. */
function otherwise(operand: unknown, fallback: unknown): TemplatePart {
  const condition = { type: "TestExpression", operand, negate: false, test: named("defined") };
  return { type: "Ternary", condition, trueExpr: operand, falseExpr: fallback };
}

// --- What Python does --------------------------------------------------------------------------------

const none = "\ufdd0None";

/** The value without the library's wrapping. */
function plain(value: unknown): unknown {
  const item = (held: Held): unknown => (held.type === "NullValue" ? null : plain(held.value));
  if (value === none) return null;
  if (Array.isArray(value)) return value.map(item);
  if (!(value instanceof Map)) return value;
  return Object.fromEntries(
    Array.from(value as Map<string, Held>, ([key, held]) => [key, item(held)]),
  );
}

const constants = new Map<unknown, string>([
  [null, "None"],
  [true, "True"],
  [false, "False"],
]);

function shown(value: unknown): string {
  const constant = constants.get(value);
  if (constant !== undefined) return constant;
  if (typeof value === "string") return quoted(value);
  if (Array.isArray(value)) return `[${value.map(shown).join(", ")}]`;
  if (typeof value !== "object") return String(value);
  const entries = Object.entries(value as object);
  return `{${entries.map(([key, item]) => `${quoted(key)}: ${shown(item)}`).join(", ")}}`;
}

function quoted(value: string): string {
  const quote = value.includes("'") && !value.includes('"') ? '"' : "'";
  const names: Readonly<Record<string, string>> = {
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\\": "\\\\",
  };
  const escaped = value.replace(/[\n\r\t\\']/g, (c) => names[c] ?? (c === quote ? "\\'" : c));
  return quote + escaped + quote;
}

function printedText(value: unknown): string {
  if (value === undefined) return "";
  return typeof value === "string" && value !== none ? value : shown(plain(value));
}

/** Equal as in Python: by value, where true is 1 and nothing else of another type is the same. */
function equal(a: unknown, b: unknown): boolean {
  const number = (x: unknown): unknown => (typeof x === "boolean" ? Number(x) : x);
  const [x, y] = [number(a), number(b)];
  if (x === null || y === null || typeof x !== "object" || typeof y !== "object") return x === y;
  if (Array.isArray(x) !== Array.isArray(y)) return false;
  const [left, right] = [x, y] as [Record<string, unknown>, Record<string, unknown>];
  const keys = Object.keys(left);
  return (
    keys.length === Object.keys(right).length &&
    keys.every((key) => Object.hasOwn(right, key) && equal(left[key], right[key]))
  );
}

const blank = "\\s\\x1c-\\x1f\\x85";

function stripped(value: unknown, method: string, characters?: unknown): string {
  if (Array.isArray(value) || value instanceof Map) throw new Error(`a list has no ${method}`);
  const string = printedText(value);
  const isGiven = typeof characters === "string";
  const given = new Set(isGiven ? Array.from(characters) : []);
  const isBlank = new RegExp(`^[${blank}]$`);
  const goes = (c = ""): boolean => (isGiven ? given.has(c) : c !== "\ufeff" && isBlank.test(c));
  const letters = Array.from(string);
  let [begin, end] = [0, letters.length];
  if (method !== "rstrip") while (begin < end && goes(letters[begin])) begin++;
  if (method !== "lstrip") while (end > begin && goes(letters[end - 1])) end--;
  return letters.slice(begin, end).join("");
}

/** str.format with plain places, "{}" and "{0}"; others are an error. */
function formatted(value: unknown, ...given: readonly unknown[]): string {
  let next = 0;
  return printedText(value).replace(/\{\{|\}\}|\{([^{}]*)\}/g, (all, place?: string) => {
    if (place === undefined) return all.charAt(0);
    const i = place === "" ? next++ : Number(place);
    if (!(i in given)) throw new Error(`format knows the places {} and {0} alone, not ${all}`);
    return printedText(given[i]);
  });
}

const python = {
  __print: printedText,
  __strip: stripped,
  __equal: (a: unknown, b: unknown): boolean => equal(plain(a), plain(b)),
  __differs: (a: unknown, b: unknown): boolean => !equal(plain(a), plain(b)),
  __title: (value: unknown): string =>
    printedText(value).replace(/\p{L}+/gu, (word) => python.__capitalize(word)),
  __modulo(a: unknown, b: unknown): number {
    if (typeof a !== "number" || typeof b !== "number")
      throw new Error("% is known for numbers alone");
    return ((a % b) + b) % b;
  },
  __format: formatted,
  __join: (a: unknown, b: unknown): string => printedText(a) + printedText(b),
  __capitalize(value: unknown): string {
    const [first = "", ...rest] = Array.from(printedText(value));
    return first.toUpperCase() + rest.join("").toLowerCase();
  },
  __length(value: unknown): number {
    if (value instanceof Map) return value.size;
    return Array.isArray(value) ? value.length : Array.from(printedText(value)).length;
  },
};
