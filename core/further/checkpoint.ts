// Memory for time: what a function computes on its way is forgotten, and computed again when the walk back needs it.
// A network of L layers, each in a checkpoint, keeps L inputs and the intermediates of one layer (Chen et al. 2016,
// arXiv 1604.06174). The graph behind such a function is a single node, whose gradients are found by a walk of their
// own; generators that drew draw the same numbers again. Next: functional.ts.

import { confine } from "../memory.ts";
import { enableGrad, isRecording } from "../modes.ts";
import { type Gradient, Node, nodes } from "../node.ts";
import { Random, type RandomState } from "../random.ts";
import { accept, signature } from "../signature.ts";
import { grad } from "../tape.ts";
import { checkTensor, Tensor } from "../tensor.ts";

const takes = /* @__PURE__ */ signature("checkpoint", "fn: function, inputs: Tensor[]");

/** Runs `fn` while `standIn` says which generator draws in another's place. */
function drawing<T>(standIn: (rng: Random) => Random, fn: () => T): T {
  const before = Random.standIn;
  Random.standIn = standIn;
  try {
    return fn();
  } finally {
    Random.standIn = before;
  }
}

/** Runs `fn`; notes where each generator stood that draws inside. */
function noting<T>(states: Map<Random, RandomState>, fn: () => T): T {
  const outer = Random.standIn;
  return drawing((rng) => {
    const real = outer(rng);
    if (!states.has(rng)) states.set(rng, real.state());
    return real;
  }, fn);
}

/** Runs `fn` with generators that draw from these states on; those of the caller stay where they are. */
function replaying<T>(states: ReadonlyMap<Random, RandomState>, fn: () => T): T {
  const copies = new Map([...states].map(([rng, state]) => [rng, Random.restore(state)]));
  const outer = Random.standIn;
  return drawing((rng) => copies.get(rng) ?? outer(rng), fn);
}

/** The tensors from before node `first` that y's gradient reaches: inputs, and what fn takes from around it. */
function sourcesOf(y: Tensor, first: number): Tensor[] {
  const seen = new Set<Tensor>();
  const sources: Tensor[] = [];
  const pending = [y];
  for (let x = pending.pop(); x !== undefined; x = pending.pop()) {
    if (!x.requiresGrad || seen.has(x)) continue;
    seen.add(x);
    if (x.node === null || x.node.id < first) sources.push(x);
    else pending.push(...x.node.inputs);
  }
  return sources;
}

/** Runs `fn` with these tensors as leaves without hooks, so that a walk back ends at them and leaves no trace there. */
function asLeaves<T>(tensors: readonly Tensor[], fn: () => T): T {
  const before = tensors.map(({ node, hooks, storage }) => ({
    own: { node, hooks },
    storage,
    usedOutsideGraph: storage.usedOutsideGraph,
  }));
  for (const x of tensors) Object.assign(x, { node: null, hooks: [] });
  try {
    return fn();
  } finally {
    before.forEach(({ own, storage, usedOutsideGraph }, i) => {
      Object.assign(tensors[i] ?? {}, own);
      storage.usedOutsideGraph = usedOutsideGraph;
    });
  }
}

/**
 * fn(...inputs), whose intermediates are released at once and computed again when backward() needs them: less
 * memory, for a second run of `fn`. Value and gradients are the same, dropout included, to the bit where no tensor
 * is used several times inside and elsewhere too: that sum may have another order. `fn` must compute the same each
 * time and leave nothing behind but the tensor that it returns; what it takes from around it (parameters,
 * masks) must stay until then.
 */
export function checkpoint(fn: (...inputs: Tensor[]) => Tensor, inputs: readonly Tensor[]): Tensor {
  accept(takes, arguments);
  for (const [i, x] of inputs.entries()) checkTensor("checkpoint", x, "input", i);
  const run = (): Tensor => checkTensor("checkpoint", fn(...inputs), "what fn returns");
  if (!isRecording()) return run();
  const first = nodes;
  const states = new Map<Random, RandomState>();
  const made = confine(
    () => noting(states, run),
    (y) => [y.storage],
    "checkpoint()",
  );
  if (made.node === null || made.node.id < first) return made;
  const sources = sourcesOf(made, first);
  const gradients = (_: Node, g: Tensor, createGraph: boolean): readonly Gradient[] =>
    asLeaves(sources, () => {
      const again = replaying(states, () => enableGrad(run));
      return grad(again, sources, { gradOutputs: g, createGraph, allowUnused: true });
    });
  const y = new Tensor(made.storage, made.shape);
  y.requiresGrad = true;
  y.node = new Node({ name: "checkpoint", gradients }, sources, [...sources, ...inputs], y, {}, "");
  return y;
}
