// One line of the tape. Every op that touches a tensor with requiresGrad leaves a Node: which op, of what, and what
// came out. A tensor knows the node that made it, so the lines hang together as a graph, and there is no list to
// keep: the part of the tape behind a tensor is what can be reached from it. A node holds the numbers that its
// op's gradient may need, and notices if one of them was overwritten.
// Next: tape.ts, the walk back along the nodes.

import { GraphError } from "./errors.ts";
import type { Tensor } from "./tensor.ts";

/** A gradient for one argument: none, a tensor, or how to compute it should it be needed. */
export type Gradient = Tensor | null | (() => Tensor);

/** What the tape knows of an op: its name, and the gradients of a node's arguments given its output's. */
export interface Recordable {
  readonly name: string;
  gradients(node: Node, g: Tensor, createGraph: boolean): readonly Gradient[];
}

/** How many there were: the id of the next one. */
export let nodes = 0;
/** How many times the nodes behind something were looked for. */
let searches = 0;

const none: readonly never[] = [];
/** What an op that saves nothing saves. */
export const nothing: Readonly<Record<string, never>> = {};

/** One line of the tape: y = entry(args). */
export class Node {
  /** Grows with time, so that descending ids are a topological order. */
  readonly id = nodes++;
  /** Whether a walk has let the arguments go. */
  released = false;
  /** The last search that found it. */
  found = 0;
  readonly #versions: number;

  constructor(
    readonly entry: Recordable,
    /** The op's arguments: tensors, nulls for tensors left out, and options. */
    public args: readonly unknown[],
    /** The tensors among them. */
    public inputs: readonly Tensor[],
    readonly y: Tensor,
    /** Further outputs of the kernel that its backward pass reads, by name. */
    public saved: Readonly<Record<string, Tensor>>,
    /** The caller's file and line, in anomaly mode. */
    readonly caller: string,
  ) {
    this.#versions = this.#countVersions();
  }

  /** Every tensor whose numbers the gradient may need. */
  holds(): readonly Tensor[] {
    return [...this.inputs, this.y, ...Object.values(this.saved)];
  }

  /** Drops the arguments, and allows the device to release what only the graph held. */
  release(): void {
    for (const name in this.saved) this.saved[name]?.storage.allowRelease();
    const { storage } = this.y;
    let isAlias = false;
    for (const x of this.inputs) if (x.storage === storage) isAlias = true;
    if (!isAlias) storage.allowRelease();
    this.released = true;
    this.args = this.inputs = none;
    this.saved = nothing;
  }

  /** Throws if the graph is gone or a value was overwritten since it was recorded. */
  check(): void {
    if (this.released) {
      throw new GraphError(
        `backward: the graph behind ${this.entry.name} was released by an earlier backward(); ` +
          "pass { retainGraph: true } to that one to walk it again",
      );
    }
    if (this.#countVersions() !== this.#versions) {
      throw new GraphError(
        `backward: an input or the output of ${this.entry.name} was changed in place (assign) after it ` +
          "was recorded; call backward() before, or assign to a copy",
      );
    }
  }

  #countVersions(): number {
    let count = this.y.storage.version;
    for (const x of this.inputs) count += x.storage.version;
    return count;
  }
}

/** The nodes behind some tensors, newest first. Iterative, so that a long chain doesn't overflow. */
export function nodesBehind(roots: readonly Tensor[]): Node[] {
  const search = ++searches;
  const found: Node[] = [];
  const visit = (xs: readonly Tensor[]): void => {
    for (const { node } of xs) {
      if (node === null || node.found === search) continue;
      node.found = search;
      found.push(node);
    }
  };
  visit(roots);
  for (let i = 0; i < found.length; i++) visit((found[i] as Node).inputs);
  return found.sort((a, b) => b.id - a.id);
}
