// The walk back along the tape: backward() and grad() visit the nodes (node.ts) behind an output from the newest to
// the oldest, ask each op's rule for the gradients of its inputs, and add them up: if x is used by y and z, then
// dL/dx is the part through y plus the part through z. Newest first, so that a tensor's gradient is complete
// before it is passed on. The rules are written in ops, so with createGraph the walk itself is recorded and
// can be differentiated again. Without what is optional here it is the dozen lines of
// walkthroughs/03-the-tape.md, and tests hold it to them, to the bit.
// Optional are: hooks (hooks.ts), functions that see or replace a tensor's gradient on its way; anomaly mode
// (anomaly.ts: unwatched, checkGradient), which finds the first NaN; and memory (memory.ts): Gradients is a map
// from tensors to gradients whose sweep() releases what nobody needs any more, confine() does it at the end.
// Next: op.ts, which makes the nodes; ops/arithmetic.ts for rules; gradcheck.ts for whether they are right.

import { checkGradient, unwatched } from "./anomaly.ts";
import { fullLike } from "./creation.ts";
import { ArgumentError, GraphError, ShapeError } from "./errors.ts";
import { added, runHooks } from "./hooks.ts";
import { confine, Gradients, walkName } from "./memory.ts";
import { withRecording } from "./modes.ts";
import { type Node, nodesBehind } from "./node.ts";
import { formatShape, sameShape } from "./shape.ts";
import { accept, signatures } from "./signature.ts";
import type { Storage } from "./storage.ts";
import { checkTensor, Tensor } from "./tensor.ts";

/** WalkOptions, as they stand in a signature. */
export const walks = "retainGraph?: boolean, createGraph?: boolean";
const takes = signatures({
  backward: `y: Tensor, { gradient?: Tensor, ${walks} }`,
  grad:
    "outputs: Tensor | Tensor[], inputs: Tensor | Tensor[], " +
    `{ gradOutputs?: Tensor | Tensor[], allowUnused?: boolean, ${walks} }`,
});

/** What stays after a walk back along the tape: the graph, and a graph of the walk itself. */
export interface WalkOptions {
  /** Keep the graph for another walk. Default: createGraph. */
  readonly retainGraph?: boolean;
  /** Record the walk itself, so that the gradients can be differentiated. */
  readonly createGraph?: boolean;
}

/** What a walk is for. */
interface Aim {
  /** Whether a gradient must reach `x`. */
  wants(x: Tensor): boolean;
  /** Whether the gradient of `y`, which was computed, was asked for. */
  returns(y: Tensor): boolean;
  /** Whether nothing behind `node` is wanted. */
  endsAt(node: Node): boolean;
}

/** To reach `targets`; or, without any, every leaf that requires a gradient and who asked with retainGrad. */
function aimOf(order: readonly Node[], targets: ReadonlySet<Tensor> | null): Aim {
  if (targets === null) {
    return { wants: (x) => x.requiresGrad, returns: (y) => y.retainsGrad, endsAt: () => false };
  }
  const leading = new Set<Tensor>(targets);
  for (const node of order.toReversed()) {
    if (node.released || node.inputs.some((x) => leading.has(x))) leading.add(node.y);
  }
  const wants = (x: Tensor): boolean => x.requiresGrad && leading.has(x);
  return {
    wants,
    returns: (y) => targets.has(y),
    endsAt: (node) => targets.has(node.y) && !node.inputs.some(wants),
  };
}

/** The gradient that a walk starts from, in the root's dtype: 1 unless it is given. */
function seedOf(root: Tensor, given: Tensor | undefined): Tensor {
  if (given === undefined) return fullLike(root, 1);
  return given.dtype === root.dtype ? given : given.to(root.dtype);
}

/** Gradients of all wanted tensors behind `roots`, given those of the roots. */
function walk(
  roots: readonly Tensor[],
  seeds: readonly Tensor[],
  targets: ReadonlySet<Tensor> | null,
  { createGraph = false, retainGraph = createGraph }: WalkOptions,
): ReadonlyMap<Tensor, Tensor> {
  const order = nodesBehind(roots);
  const aim = aimOf(order, targets);
  const gradients = new Gradients(createGraph);
  for (const x of [...roots, ...(targets ?? [])]) x.storage.usedOutsideGraph = true;
  roots.forEach((root, i) => {
    accumulate(gradients, root, seedOf(root, seeds[i]));
  });
  for (const node of order) {
    const complete = gradients.get(node.y); // whatever was made from y came before
    if (complete === undefined || !aim.wants(node.y)) continue;
    const g = runHooks(node.y, complete);
    if (aim.returns(node.y)) gradients.set(node.y, g);
    else gradients.delete(node.y);
    if (!aim.endsAt(node)) {
      node.check();
      step(node, g, createGraph, aim, gradients);
      if (!retainGraph) node.release();
    }
    gradients.sweep();
  }
  for (const [x, g] of gradients)
    if (x.node === null && x.hooks.length > 0) gradients.set(x, runHooks(x, g));
  return gradients.handOver();
}

/** One node: the gradients of its inputs by its op's rule, brought to their shape and added up. */
function step(
  node: Node,
  g: Tensor,
  createGraph: boolean,
  { wants }: Aim,
  gradients: Gradients,
): void {
  const rule = unwatched(() => node.entry.gradients(node, g, createGraph));
  const { args } = node;
  for (let i = 0; i < args.length; i++) {
    const x = args[i];
    const given = rule[i];
    if (!(x instanceof Tensor) || !wants(x) || !given) continue;
    const gx = typeof given === "function" ? unwatched(given) : given;
    checkGradient(node, gx, g);
    accumulate(gradients, x, unbroadcast(gx, x));
  }
}

/** A tensor that is used twice gets the sum. */
function accumulate(gradients: Gradients, x: Tensor, g: Tensor): void {
  const sum = gradients.get(x);
  gradients.set(x, sum === undefined ? g : sum.add(g));
}

/** Sums a gradient over the axes that broadcasting stretched: a number used n times gets n gradients. */
export function unbroadcast(g: Tensor, x: Tensor): Tensor {
  if (sameShape(g.shape, x.shape)) return g;
  const offset = g.rank - x.rank;
  const dims: number[] = [];
  g.shape.forEach((side, d) => {
    if (d < offset || (x.shape[d - offset] === 1 && side !== 1)) dims.push(d);
  });
  return g.sum({ dims }).reshape(x.shape);
}

function checkRoot(name: string, root: Tensor, seed: Tensor | undefined): void {
  if (!root.requiresGrad) {
    throw new GraphError(
      `${name}: nothing here requires a gradient; make a leaf with { requiresGrad: true }, ` +
        "and compute outside of noGrad",
    );
  }
  if (seed === undefined && root.size !== 1) {
    throw new ShapeError(
      `${name}: needs a scalar, got shape ${formatShape(root.shape)}; reduce it (y.sum().backward()), ` +
        `or give the gradient to start from (${name === "grad" ? "gradOutputs" : "gradient"})`,
    );
  }
  if (seed !== undefined && !sameShape(seed.shape, root.shape)) {
    throw new ShapeError(
      `${name}: the starting gradient has shape ${formatShape(seed.shape)}, the output ${formatShape(root.shape)}`,
    );
  }
}

/**
 * Adds the gradient of a scalar to `.grad` of every leaf behind it that requires one. Other shapes need
 * `gradient`, the cotangent to start from. Releases the graph unless told to retain it.
 */
export function backward(
  y: Tensor,
  options: WalkOptions & { readonly gradient?: Tensor } = {},
): void {
  accept(takes.backward, arguments);
  const { gradient, createGraph = false } = options;
  checkRoot("backward", y, gradient);
  const seeds = gradient === undefined ? [] : [gradient];
  run(createGraph, () => fill(walk([y], seeds, null, options), seeds));
}

/** Adds what a walk found to `.grad` of leaves and of those that asked for it; returns these. */
function fill(found: ReadonlyMap<Tensor, Tensor>, seeds: readonly Tensor[]): Tensor[] {
  const owned = new Set<Storage>();
  for (const seed of seeds) owned.add(seed.storage);
  const filled: Tensor[] = [];
  for (const [x, g] of found) {
    if (x.node !== null && !x.retainsGrad) continue;
    const own = owned.has(g.storage) || x.hooks.length > 0 ? g.mul(1) : g; // .grad shares no memory
    owned.add(own.storage);
    x.grad = x.grad === null ? own : added(x.grad, own);
    x.grad.keep();
    filled.push(x.grad);
  }
  return filled;
}

/** Runs a walk: recorded, or with its own intermediates released at its end, as nobody will walk it again. */
function run<T extends Tensor | null>(createGraph: boolean, fn: () => T[]): T[] {
  if (createGraph) return withRecording(true, fn);
  const storagesOf = (tensors: T[]): (Storage | undefined)[] => tensors.map((x) => x?.storage);
  return confine(() => withRecording(false, fn), storagesOf, walkName);
}

/** The same list, or the list of the one. */
function listOf<T>(x: T | readonly T[]): readonly T[] {
  return Array.isArray(x) ? (x as readonly T[]) : [x as T];
}

/**
 * Gradients of `outputs` (scalars, or with `gradOutputs` of their shapes) with respect to `inputs`, which
 * may be leaves or not; their sum over the outputs. Nothing is written to `.grad`. An input that the
 * outputs don't depend on is an error, or null with allowUnused. With createGraph the gradients can be
 * differentiated again, to any order.
 */
export function grad(
  outputs: Tensor | readonly Tensor[],
  inputs: Tensor | readonly Tensor[],
  options: WalkOptions & {
    readonly gradOutputs?: Tensor | readonly Tensor[];
    readonly allowUnused?: boolean;
  } = {},
): (Tensor | null)[] {
  accept(takes.grad, arguments);
  const roots = listOf(outputs);
  const targets = listOf(inputs);
  const seeds = options.gradOutputs === undefined ? [] : listOf(options.gradOutputs);
  if (seeds.length > 0 && seeds.length !== roots.length)
    throw new ArgumentError(
      `grad: got ${roots.length} outputs and ${seeds.length} gradOutputs; one for each`,
    );
  roots.forEach((root, i) => {
    const seed = seeds.length === 0 ? undefined : checkTensor("grad", seeds[i], "gradOutputs", i);
    checkRoot("grad", checkTensor("grad", root, "an output"), seed);
  });
  targets.forEach((x, i) => {
    if (!checkTensor("grad", x, "an input").requiresGrad) {
      throw new GraphError(
        `grad: input ${i} doesn't require a gradient; make it with { requiresGrad: true }`,
      );
    }
  });
  return run(options.createGraph ?? false, () => {
    const found = walk(roots, seeds, new Set(targets), options);
    return targets.map((x, i) => {
      const g = found.get(x) ?? null;
      if (g === null && !options.allowUnused) {
        throw new GraphError(
          `grad: the outputs don't depend on input ${i}; { allowUnused: true } gives null for it`,
        );
      }
      return g;
    });
  });
}
