// Which module each op of a tape ran in: while a function runs, every module's forward says where it begins and
// ends, and the nodes recorded between are its own. Watching changes no number.
// Next: graph.ts, which reads it.

import type { Tensor } from "../../core/index.ts";
import { type Node, nodes } from "../../core/node.ts";
import type { Module } from "../../nn/index.ts";

/** Who ran what on a tape. */
export interface TapeModules {
  /** All paths that there are. */
  readonly paths: readonly string[];
  /** The innermost module that a node was recorded in; "" outside of all. */
  of(node: Node): string;
  /** Names of parameters. */
  readonly parameters: ReadonlyMap<Tensor, string>;
}

/** A tape of which nobody knows modules. */
export const noModules: TapeModules = { paths: [], of: () => "", parameters: new Map() };

/** Nodes that were recorded while a part ran: those with from <= id < to. */
interface Stretch {
  readonly path: string;
  readonly from: number;
  readonly to: number;
}

/** Runs `fn`, and tells of each op which of `model`'s modules it ran in. */
export function watchModules<T>(
  model: Module,
  fn: () => T,
): { readonly result: T; readonly modules: TapeModules } {
  const stretches: Stretch[] = [];
  const parts = model.namedModules().filter(([path]) => path !== "");
  const restore = parts.map(([path, part]) => watch(part, path, stretches));
  try {
    const result = fn();
    const names = model.namedParameters().map(([name, p]) => [p, name] as const);
    return {
      result,
      modules: modulesOf(
        parts.map(([path]) => path),
        stretches,
        new Map(names),
      ),
    };
  } finally {
    for (const undo of restore) undo();
  }
}

/** Makes a module say when its forward begins and ends; undone by what it returns. */
function watch(part: Module, path: string, stretches: Stretch[]): () => void {
  const forward: unknown = Reflect.get(part, "forward");
  if (typeof forward !== "function") return () => {};
  const watched = (...args: unknown[]): unknown => {
    const from = nodes;
    const y: unknown = Reflect.apply(forward, part, args);
    stretches.push({ path, from, to: nodes });
    return y;
  };
  Object.defineProperty(part, "forward", { value: watched, configurable: true, enumerable: false });
  return () => void Reflect.deleteProperty(part, "forward");
}

function modulesOf(
  paths: readonly string[],
  stretches: readonly Stretch[],
  parameters: ReadonlyMap<Tensor, string>,
): TapeModules {
  const of = ({ id }: Node): string => {
    const around = stretches.filter(({ from, to }) => from <= id && id < to);
    return (
      around.reduce<Stretch | null>(
        (a, b) => (a === null || b.to - b.from < a.to - a.from ? b : a),
        null,
      )?.path ?? ""
    );
  };
  return { paths, of, parameters };
}

/** The same, with a name for what led to each of some results outside of all modules. */
export function withParts(
  modules: TapeModules,
  results: Readonly<Record<string, Tensor | null>>,
): TapeModules {
  const named = new Map<Node, string>();
  for (const [name, y] of Object.entries(results)) {
    if (y === null) continue;
    for (const node of ownNodes(y, modules)) if (!named.has(node)) named.set(node, name);
  }
  const paths = [...modules.paths, ...Object.keys(results)];
  return { ...modules, paths, of: (node) => modules.of(node) || (named.get(node) ?? "") };
}

/** The nodes from `y` back to the first ones of modules. */
function ownNodes(y: Tensor, modules: TapeModules): Node[] {
  const pending = y.node === null ? [] : [y.node];
  const found = new Set<Node>();
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    if (found.has(node) || modules.of(node) !== "") continue;
    found.add(node);
    for (const { node: before } of node.inputs) if (before !== null) pending.push(before);
  }
  return [...found];
}
