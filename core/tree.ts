// Trees of tensors: a tensor, or arrays, objects and maps of such trees (a batch, a model's
// parameters, an optimiser's state). Everything that takes "some tensors" walks them here, in a fixed
// order and with dotted names. Next: show.ts prints a tree, scope.ts keeps one.

import { Tensor } from "./tensor.ts";

/** A tensor, or arrays, plain objects and maps of trees. Other values are leaves without tensors. */
export type Tree = unknown;

function children(tree: Tree): Iterable<[string | number, unknown]> {
  if (Array.isArray(tree)) return tree.entries();
  if (tree instanceof Map) return tree as Map<string, unknown>;
  if (tree !== null && typeof tree === "object" && !ArrayBuffer.isView(tree)) {
    return Object.entries(tree);
  }
  return [];
}

/** Every tensor of a tree with its dotted name, in the order of the tree; each tensor once. */
export function namedTensors(tree: Tree): [name: string, tensor: Tensor][] {
  const found: [string, Tensor][] = [];
  const seen = new Set<unknown>();
  const walk = (at: unknown, name: string): void => {
    if (at === null || typeof at !== "object" || seen.has(at)) return;
    seen.add(at);
    if (at instanceof Tensor) found.push([name, at]);
    else
      for (const [key, child] of children(at))
        walk(child, name === "" ? `${key}` : `${name}.${key}`);
  };
  walk(tree, "");
  return found;
}

/** Every tensor of a tree. */
export function tensorsOf(tree: Tree): Tensor[] {
  return namedTensors(tree).map(([, tensor]) => tensor);
}
