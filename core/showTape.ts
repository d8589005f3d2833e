// The tape as text, as JSON for a web page, and as a Graphviz drawing; and a tree of parameters with
// its shapes and counts. All three views of the tape are made from one record, tapeOf, so they can't
// disagree. A line reads like the code that ran: c:f32[2,3] = mul a b.
// Next: node.ts for what is recorded, tree.ts for what counts as a tree.

import { byteSize, type DType } from "./dtype.ts";
import { type Node, nodesBehind } from "./node.ts";
import type { Shape } from "./shape.ts";
import { header } from "./show.ts";
import { accept, signatures } from "./signature.ts";
import { checkTensor, Tensor } from "./tensor.ts";
import { namedTensors, type Tree } from "./tree.ts";

/** Whatever JSON can hold. */
export type Json =
  | null
  | boolean
  | number
  | string
  | readonly Json[]
  | { readonly [key: string]: Json };

/** One tensor on the tape and how it was made. */
export interface TapeLine {
  /** Position in the record. */
  readonly id: number;
  readonly name: string;
  /** The op's name; "leaf" for a tensor that nothing on the tape made. */
  readonly op: string;
  /** Names of other lines; constants stand here as their value. */
  readonly inputs: readonly string[];
  /** The arguments that are no tensors, in their order: a shape, an object of options. */
  readonly options: readonly Json[];
  readonly shape: Shape;
  readonly dtype: DType;
  readonly requiresGrad: boolean;
}

/** The tape behind some outputs: leaves as they are first used, then ops from oldest to newest. */
export interface TapeRecord {
  readonly lines: readonly TapeLine[];
  /** Names of the outputs. */
  readonly outputs: readonly string[];
}

const line = "outputs: Tensor | Tensor[]";
const takes = signatures({ tapeOf: line, showTape: line, tapeToJSON: line, tapeToDot: line });

/** What the tape holds behind `outputs`, as plain data that JSON.stringify takes. */
export function tapeOf(outputs: Tensor | readonly Tensor[]): TapeRecord {
  accept(takes.tapeOf, arguments);
  const roots = outputs instanceof Tensor ? [outputs] : outputs;
  for (const x of roots) checkTensor("tapeOf", x, "each output");
  const entries = tapeEntries(roots);
  const nameOf = new Map(entries.map(({ tensor, line }) => [tensor, line.name]));
  return {
    lines: entries.map(({ line }) => line),
    outputs: roots.map((x) => nameOf.get(x) ?? x.name),
  };
}

/** A line of the tape with the tensor that it is about, and the node that made it; null for a leaf. */
export interface TapeEntry {
  readonly line: TapeLine;
  readonly tensor: Tensor;
  readonly node: Node | null;
}

/** The lines of tapeOf with what they were read from: for those who look at numbers, too. */
export function tapeEntries(roots: readonly Tensor[]): TapeEntry[] {
  const nodes = nodesBehind(roots).reverse();
  const leaves = leavesOf(nodes, roots);
  const names = nameAll([...leaves, ...nodes.map((node) => node.y)]);
  const nameOf = (x: Tensor): string => names.get(x) ?? x.name;
  return [
    ...leaves.map((x) => ({ x, node: null, op: "leaf", inputs: [], options: [] })),
    ...nodes.map((node) => ({
      x: node.y,
      node,
      op: node.released ? `${node.entry.name} (released)` : node.entry.name,
      inputs: node.inputs.map(nameOf),
      options: optionsOf(node, nameOf),
    })),
  ].map(({ x, node, op, inputs, options }, id) => {
    const { shape, dtype, requiresGrad } = x;
    const line = { id, name: nameOf(x), op, inputs, options, shape, dtype, requiresGrad };
    return { line, tensor: x, node };
  });
}

function leavesOf(nodes: readonly Node[], roots: readonly Tensor[]): Tensor[] {
  const used = nodes.flatMap((node) => node.inputs).filter((x) => !isConstant(x));
  return [...new Set([...used, ...roots])].filter((x) => x.node === null);
}

/** A number that was written between tensors: creation.ts names it by its value. */
function isConstant(x: Tensor): boolean {
  const plain = x.rank === 0 && x.node === null && !x.requiresGrad && x.name !== "";
  return plain && (/^(true|false|NaN)$/.test(x.name) || !Number.isNaN(Number(x.name)));
}

/** A name for each tensor: its own, made unique, else the next free of a, b, ..., z, aa, ab, ... */
function nameAll(tensors: readonly Tensor[]): Map<Tensor, string> {
  const names = new Map<Tensor, string>();
  const taken = new Set<string>();
  for (const x of tensors) {
    if (x.name === "") continue;
    let name = x.name;
    for (let i = 2; taken.has(name); i++) name = `${x.name}_${i}`;
    taken.add(name);
    names.set(x, name);
  }
  let next = 0;
  for (const x of tensors) {
    if (names.has(x)) continue;
    let name = letters(next++);
    while (taken.has(name)) name = letters(next++);
    names.set(x, name);
  }
  return names;
}

function letters(index: number): string {
  let text = "";
  for (let i = index + 1; i > 0; i = Math.floor((i - 1) / 26)) {
    text = String.fromCharCode(97 + ((i - 1) % 26)) + text;
  }
  return text;
}

function optionsOf(node: Node, nameOf: (x: Tensor) => string): Json[] {
  return node.args
    .filter((arg) => !(arg instanceof Tensor))
    .map((arg) => toJson(arg, nameOf))
    .filter((option) => option !== null && !(typeof option === "object" && isEmpty(option)));
}

function isEmpty(option: object): boolean {
  return !Array.isArray(option) && Object.keys(option).length === 0;
}

/** Plain data as it is; numbers that JSON lacks as text, tensors by name, other objects by class. */
function toJson(value: unknown, nameOf: (x: Tensor) => string): Json {
  if (value === null || value === undefined) return null;
  if (typeof value === "boolean" || typeof value === "string") return value;
  if (typeof value === "number") return Number.isFinite(value) ? value : String(value);
  if (value instanceof Tensor) return nameOf(value);
  if (Array.isArray(value)) return value.map((item) => toJson(item, nameOf));
  if (typeof value !== "object") return typeof value;
  if (Object.getPrototypeOf(value) !== Object.prototype) return value.constructor.name;
  const given = Object.entries(value).filter(([, item]) => item !== undefined);
  return Object.fromEntries(given.map(([key, item]) => [key, toJson(item, nameOf)]));
}

/** An option as it stands in code: {dims: [1], keepDims: true}. */
export function optionCode(value: Json): string {
  if (value === null || typeof value !== "object") return String(value);
  if (Array.isArray(value)) return `[${value.map(optionCode).join(", ")}]`;
  const fields = Object.entries(value).map(([key, item]) => `${key}: ${optionCode(item as Json)}`);
  return `{${fields.join(", ")}}`;
}

/** The tape as lines of text: "c:f32[2,3] = mul a b", and "a:f32[2,3] leaf requiresGrad" before it. */
export function showTape(outputs: Tensor | readonly Tensor[]): string {
  accept(takes.showTape, arguments);
  return tapeOf(outputs).lines.map(showLine).join("\n");
}

function showLine(line: TapeLine): string {
  const head = typed(line);
  if (line.op === "leaf") return `${head} leaf${line.requiresGrad ? " requiresGrad" : ""}`;
  return `${head} = ${[line.op, ...line.inputs, ...line.options.map(optionCode)].join(" ")}`;
}

const typed = (line: TapeLine): string => header(line);

/** The record of the tape as JSON text: what the walkthroughs and the web page draw from. */
export function tapeToJSON(outputs: Tensor | readonly Tensor[]): string {
  accept(takes.tapeToJSON, arguments);
  return JSON.stringify(tapeOf(outputs));
}

/** The tape as a Graphviz drawing: `dot -Tsvg`. Leaves are boxes, arrows go with the data. */
export function tapeToDot(outputs: Tensor | readonly Tensor[]): string {
  accept(takes.tapeToDot, arguments);
  const { lines } = tapeOf(outputs);
  const idOf = new Map(lines.map((line) => [line.name, line.id]));
  const drawn = lines.flatMap((line) => {
    const constants = line.inputs.filter((name) => !idOf.has(name));
    const what = [line.op, ...constants, ...line.options.map(optionCode)].join(" ");
    const shape = line.op === "leaf" ? "box" : "ellipse";
    const label = `${quoted(what)}\\n${quoted(typed(line))}`;
    const arrows = line.inputs.flatMap((name) =>
      idOf.has(name) ? [`  n${idOf.get(name)} -> n${line.id};`] : [],
    );
    return [`  n${line.id} [shape=${shape}, label="${label}"];`, ...arrows];
  });
  return ["digraph tape {", "  rankdir=TB;", ...drawn, "}"].join("\n");
}

/** Text as it may stand between the quotes of a label. */
function quoted(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}

// --- Trees -------------------------------------------------------------------------------------------

interface Branch {
  readonly children: Map<string, Branch>;
  tensor: Tensor | null;
}

/**
 * A tree of parameters, indented, with dtype, shape and count of each tensor, the count below each
 * branch and the total. A tensor that stands in several places is shown and counted once.
 */
export function showTree(tree: Tree): string {
  const found = namedTensors(tree);
  const root: Branch = { children: new Map(), tensor: null };
  for (const [name, tensor] of found) {
    let at = root;
    for (const key of name === "" ? ["tensor"] : name.split(".")) {
      const child = at.children.get(key) ?? { children: new Map(), tensor: null };
      at.children.set(key, child);
      at = child;
    }
    at.tensor = tensor;
  }
  const rows: TapeRow[] = [];
  rowsOf(root, 0, rows);
  const count = countOf(root);
  const bytes = found.reduce((sum, [, x]) => sum + x.size * byteSize(x.dtype), 0);
  const footer = `${grouped(count)} numbers in ${found.length} tensor${found.length === 1 ? "" : "s"}, ${grouped(bytes)} bytes`;
  return [...aligned(rows), footer].join("\n");
}

type TapeRow = readonly [name: string, type: string, count: string];

function rowsOf(branch: Branch, depth: number, rows: TapeRow[]): void {
  for (const [key, child] of branch.children) {
    const type =
      child.tensor === null ? "" : header({ dtype: child.tensor.dtype, shape: child.tensor.shape });
    rows.push(["  ".repeat(depth) + key, type, grouped(countOf(child))]);
    rowsOf(child, depth + 1, rows);
  }
}

function aligned(rows: readonly TapeRow[]): string[] {
  const widest = (column: 0 | 1 | 2): number =>
    rows.reduce((width, row) => Math.max(width, row[column].length), 0);
  const [names, types, counts] = [widest(0), widest(1), widest(2)];
  return rows.map(
    ([name, type, count]) =>
      `${name.padEnd(names)}  ${type.padEnd(types)}  ${count.padStart(counts)}`,
  );
}

function countOf(branch: Branch): number {
  let count = branch.tensor?.size ?? 0;
  for (const child of branch.children.values()) count += countOf(child);
  return count;
}

function grouped(count: number): string {
  return count.toLocaleString("en-US");
}
