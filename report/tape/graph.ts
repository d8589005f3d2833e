// The tape behind a loss as a graph of plain data: a box for each leaf and each op, with its numbers, its gradient
// and the module that it ran in. What draws it (draw.ts) knows no tensors, and so runs in a page as it does here.
// Next: modules.ts for who says what ran in which module, layout.ts for where boxes stand.

import { grad, type Tensor } from "../../core/index.ts";
import { type Node, nodesBehind } from "../../core/node.ts";
import { header } from "../../core/show.ts";
import { optionCode, type TapeEntry, tapeEntries } from "../../core/showTape.ts";
import { moduleAbove, modulesAround, type TapeBox, type TapeGraph } from "./boxes.ts";
import type { TapeModules } from "./modules.ts";

/**
 * Modules without the inner ones of a single op: a projection is its op and its weight, and no frame.
 * `ran`: the path of each op.
 */
function worthAFrame(paths: readonly string[], ran: readonly string[]): string[] {
  const countIn = (path: string): number =>
    ran.filter((at) => at === path || at.startsWith(`${path}.`)).length;
  return paths.filter((path) => countIn(path) > 1 || moduleAbove(path, paths) === "");
}

/**
 * The graph behind a loss. `gradients`: those of every box, by a walk that keeps the graph and writes no
 * `.grad`. It waits for numbers that are still on their way from a GPU.
 */
export async function tapeGraph(
  loss: Tensor,
  watched: TapeModules,
  { gradients }: { readonly gradients: boolean },
): Promise<TapeGraph> {
  const entries = tapeEntries([loss]);
  const modules = framed(withWays(watched, entries), entries);
  const found = gradients ? gradientsOf(loss, entries) : [];
  const places = new Map(entries.map(({ tensor }, i) => [tensor, i]));
  const pathOf = pathsIn(entries, modules);
  const boxes: TapeBox[] = [];
  for (const [id, { line, tensor, node }] of entries.entries()) {
    const gradient = found[id] ?? null;
    boxes.push({
      id,
      name: modules.parameters.get(tensor) ?? (dataName(tensor, entries) || line.name),
      op: line.op,
      inputs: node?.inputs.flatMap((x) => places.get(x) ?? []) ?? [],
      options: optionsOf({ line, tensor, node }, places),
      module: pathOf[id] ?? "",
      type: header({ dtype: line.dtype, shape: line.shape }).replace(/^:/, ""),
      shape: line.shape,
      requiresGrad: line.requiresGrad,
      values: Array.from(await tensor.read()),
      gradient: gradient && Array.from(await gradient.read()),
    });
  }
  const paths = new Set(boxes.flatMap(({ module }) => modulesAround(module, modules.paths)));
  return { boxes, modules: modules.paths.filter((path) => paths.has(path)) };
}

/** What to call data that has no name: the op that reads it; "" where several do, and of all else. */
function dataName(x: Tensor, entries: readonly TapeEntry[]): string {
  if (x.name !== "" || x.node !== null || x.requiresGrad) return "";
  const readers = new Set(
    entries.flatMap(({ node }) => (node?.inputs.includes(x) ? node.entry.name : [])),
  );
  const [only = "", ...others] = readers;
  return only === "" || others.length > 0 ? "" : `data of ${only}`;
}

/** Ops outside of all modules that lead into one are a part of their own: "into v_head". */
function withWays(modules: TapeModules, entries: readonly TapeEntry[]): TapeModules {
  const ways = new Map<Node, string>();
  const leadsTo = new Map<Node, Set<string>>();
  for (const { node } of entries.toReversed()) {
    if (node === null) continue;
    const [only = "", ...others] = leadsTo.get(node) ?? [];
    const isOutside = modules.of(node) === "" && only !== "" && others.length === 0;
    if (isOutside) ways.set(node, `into ${only}`);
    const top = isOutside ? only : (modulesAround(modules.of(node), modules.paths)[0] ?? "");
    for (const { node: before } of node.inputs)
      if (before !== null) leadsTo.set(before, (leadsTo.get(before) ?? new Set()).add(top));
  }
  const paths = [...modules.paths, ...new Set(ways.values())];
  return { ...modules, paths, of: (node) => ways.get(node) ?? modules.of(node) };
}

/** The same modules, where those without a frame are part of the one around them. */
function framed(modules: TapeModules, entries: readonly TapeEntry[]): TapeModules {
  const ran = entries.flatMap(({ node }) => (node === null ? [] : modules.of(node)));
  const paths = worthAFrame(modules.paths, ran);
  const of = (node: Node): string => {
    const path = modules.of(node);
    return paths.includes(path) ? path : moduleAbove(path, paths);
  };
  return { ...modules, paths, of };
}

/** Derivatives of a loss by each line's tensor, by one walk that keeps the graph. */
export function gradientsOf(loss: Tensor, entries: readonly TapeEntry[]): (Tensor | null)[] {
  const asking = entries.filter(({ tensor }) => tensor.requiresGrad).map(({ tensor }) => tensor);
  const found = grad(loss, asking, { retainGraph: true, allowUnused: true });
  const byTensor = new Map(asking.map((x, i) => [x, found[i] ?? null]));
  return entries.map(({ tensor }) => byTensor.get(tensor) ?? null);
}

/** What stands beside the inputs: numbers that were written between tensors, and options. */
function optionsOf({ line, node }: TapeEntry, places: ReadonlyMap<Tensor, number>): string[] {
  const constants = node?.inputs.filter((x) => !places.has(x)).map((x) => x.name) ?? [];
  return [...constants, ...line.options.map(optionCode)];
}

/** The module of each line: of an op the one it ran in, of a parameter its own, of other leaves their users'. */
function pathsIn(entries: readonly TapeEntry[], modules: TapeModules): string[] {
  const usersOf = new Map<Tensor, Node[]>();
  const nodes = entries.flatMap(({ node }) => node ?? []);
  for (const node of nodes)
    for (const x of node.inputs) usersOf.set(x, [...(usersOf.get(x) ?? []), node]);
  const around = (node: Node): string[] => modulesAround(modules.of(node), modules.paths);
  return entries.map(({ tensor, node }) => {
    if (node !== null) return modules.of(node);
    const users = (usersOf.get(tensor) ?? []).map(around);
    const [first = [], ...others] = users;
    const shared = first.filter((path, i) => others.every((paths) => paths[i] === path));
    return shared.at(-1) ?? "";
  });
}

/** Whether a walk has let go of what is behind a loss. */
export function isReleased(loss: Tensor): boolean {
  return nodesBehind([loss]).some(({ released }) => released);
}
