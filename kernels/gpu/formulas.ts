// The formulas of op entries as text that gpu.js compiles. An entry's formula is an arrow function such
// as (x) => Math.tanh(x); here it becomes a named function, with Math's functions exchanged for those of
// math.ts and JavaScript's few idioms (Number.isNaN, **, Infinity) spelled out. Nothing is written twice:
// change the entry, and the kernel changes. Next: elementwise.ts and reduce.ts, which build loops around.

import { DeviceError, type Entry } from "../../core/index.ts";
import { type GpuKernel, type Helper, sourceOf, textOf } from "./compile.ts";
import type { HelperSource } from "./library.ts";
import * as math from "./math.ts";

/** What a formula says in JavaScript, and what it says in a kernel. */
const idioms: readonly (readonly [RegExp, string])[] = [
  [/\b(\w+)\+\+/g, "$1 += 1"], // WGSL counts whole numbers only in that way
  [/\b(\w+)--/g, "$1 -= 1"],
  // a larger or smaller one, spelled out: NVIDIA's compiler takes the card's own max and min, which drop NaN
  [/\b(\w+)\s*<\s*(\w+)\s*\?\s*\2\s*:\s*\1\b/g, "maxOf($1, $2)"],
  [/\b(\w+)\s*>\s*(\w+)\s*\?\s*\2\s*:\s*\1\b/g, "minOf($1, $2)"],
  // WGSL's != is false for NaN, as its other comparisons are
  [/([\w.]+)\s*!==?\s*([\w.]+)/g, "!($1 === $2)"],
  [/\bNumber\.isNaN\((\w+)\)/g, "!($1 === $1)"],
  [/\bNumber\.isFinite\((\w+)\)/g, "(Math.abs($1) <= 3.4028234e38)"],
  [/([\w.]+)\s*\*\*\s*([\w.]+)/g, "powOf($1, $2)"],
  // Math's and portable's, whatever a bundler calls them
  [/[\w$]+\.(exp|expm1|log|log1p|sin|cos|tanh|erf|pow|max|min)\(/g, "$1Of("],
  [/\bMath\.sign\((\w+)\)/g, "($1 > 0 ? 1 : $1 < 0 ? -1 : $1)"],
  [/\bMath\.PI\b/g, String(Math.PI)],
  [/\bMath\.SQRT1_2\b/g, String(Math.SQRT1_2)],
  [/(?<![\w.])(?:Infinity\b|1\s*\/\s*0\b)/g, "expOf(1000)"], // minifiers write 1/0
];

function translated(source: string): string {
  return idioms.reduce((text, [from, to]) => text.replaceAll(from, to), source);
}

/** math.ts under its own names, whatever a bundler called the functions. */
const mathSources = mathSourcesOf(math as Readonly<Record<string, Helper>>);

function mathSourcesOf(module: Readonly<Record<string, Helper>>): readonly HelperSource[] {
  const found = Object.entries(module).map(([name, fn]) => ({ name, ...actual(textOf(fn)) }));
  const rename = (source: string): string =>
    found.reduce((text, { name, called }) => text.replaceAll(callsOf(called), `${name}(`), source);
  return found.map(({ source }) => sourceOf(rename(source)));
}

function actual(source: string): { readonly called: string; readonly source: string } {
  return { called: sourceOf(source).name, source };
}

function callsOf(name: string): RegExp {
  return new RegExp(`(?<![\\w$.])${name.replaceAll("$", "\\$")}\\(`, "g");
}

/**
 * A formula as a function called `name`, after those of `uses`. `answers`: it says true or false, which
 * becomes 1 or 0.
 */
export function formulaSource(
  name: string,
  formula: Helper,
  uses: readonly Helper[] = [],
  answers = false,
  entry?: Entry,
): readonly HelperSource[] {
  const helpers = uses.map((fn) => sourceOf(translated(textOf(fn))));
  const made = [...helpers, sourceOf(translated(named(name, textOf(formula), answers)))];
  entry?.checkFormulas?.(made);
  return made;
}

/** What the kernels of an op are called: two ops of other people may share a name. */
export function kernelName({ name, isOwn, order }: Entry): string {
  return isOwn ? `${name}.${order}` : name;
}

/** (a, b) => a + b as function name(a, b) { return a + b; }. */
function named(name: string, source: string, answers: boolean): string {
  const [, list, single, body = ""] =
    /^\s*(?:\(([^)]*)\)|([\w$]+))\s*=>\s*([\s\S]*)$/.exec(source) ?? [];
  const parameters = list ?? single;
  if (parameters === undefined) {
    throw new DeviceError(`gpu: can't compile the formula ${source}; it must be an arrow function`);
  }
  const head = `function ${name}(${parameters})`;
  if (body.startsWith("{")) return `${head} ${body}`;
  const value = body.replace(/;\s*$/, "");
  if (!answers) return `${head} { return ${value}; }`;
  return `${head} { if (${value}) { return 1; } return 0; }`;
}

/** The functions and those of math.ts that they or the text call, those first that are called. */
function closure(functions: readonly HelperSource[], text: string): readonly HelperSource[] {
  const seen = new Set<HelperSource>();
  const needed: HelperSource[] = [];
  const visit = (source: string): void => {
    for (const helper of mathSources) {
      if (seen.has(helper) || !source.includes(`${helper.name}(`)) continue;
      seen.add(helper);
      visit(helper.source);
      needed.push(helper);
    }
  };
  for (const { source } of functions) visit(source);
  visit(text);
  return [...needed, ...functions];
}

const made = new Map<string, GpuKernel>();

/**
 * A kernel from a text that was built for a shape class or around a formula; its name says which, and is
 * made once. The text may call `functions` and everything in math.ts.
 */
export function textKernel(
  name: string,
  arrays: number,
  text: () => string,
  functions: () => readonly HelperSource[] = () => [],
): GpuKernel {
  const known = made.get(name);
  if (known !== undefined) return known;
  const source = text();
  const scalars = sourceOf(source).argumentNames.length - arrays;
  const kernel = { name, source, arrays, scalars, functions: closure(functions(), source) };
  made.set(name, kernel);
  return kernel;
}
