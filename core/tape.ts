// The tape: which op made which tensor, and the walk back along it. Every op that touches a tensor with
// requiresGrad leaves a Node; backward() and grad() visit the nodes behind an output from the newest to
// the oldest, ask each op's rule for the gradients of its inputs, and add them up. The rules are written
// in ops, so with createGraph the walk itself is recorded and can be differentiated again.
// Next: op.ts, where nodes are made; ops/arithmetic.ts for rules; gradcheck.ts for whether they are right.

import { fullLike } from "./creation.ts";
import { isFloat } from "./dtype.ts";
import { AnomalyError, ArgumentError, GraphError, ShapeError } from "./errors.ts";
import { formatShape, sameShape } from "./shape.ts";
import { confine, Holders, type Storage } from "./storage.ts";
import { checkTensor, Tensor } from "./tensor.ts";

/** A gradient for one argument: none, a tensor, or how to compute it should it be needed. */
export type Gradient = Tensor | null | (() => Tensor);

/** What the tape knows of an op: its name, and the gradients of a node's arguments given its output's. */
export interface Recordable {
  readonly name: string;
  gradients(node: Node, g: Tensor, createGraph: boolean): readonly Gradient[];
}

let nodes = 0;

/** One line of the tape: y = entry(args). */
export class Node {
  /** Grows with time, so that descending ids are a topological order. */
  readonly id = nodes++;
  #versions: number;
  #args: readonly unknown[] | null;

  constructor(
    readonly entry: Recordable,
    args: readonly unknown[],
    readonly y: Tensor,
    /** Further outputs of the kernel that its backward pass reads. */
    public saved: readonly Tensor[],
    /** The caller's file and line, in anomaly mode. */
    readonly caller: string,
  ) {
    this.#args = args;
    this.#versions = this.#countVersions();
  }

  get released(): boolean {
    return this.#args === null;
  }

  /** The op's arguments: tensors, nulls for tensors left out, and options. */
  get args(): readonly unknown[] {
    return this.#args ?? [];
  }

  get inputs(): Tensor[] {
    return this.args.filter((arg) => arg instanceof Tensor);
  }

  /** Every tensor whose numbers the gradient may need. */
  holds(): readonly Tensor[] {
    return [...this.inputs, this.y, ...this.saved];
  }

  /** Forgets the arguments and retires what it computed, so that memory which only the graph held can go. */
  release(): void {
    for (const { storage } of this.saved) storage.retire();
    const { storage } = this.y;
    const isAlias = this.args.some((x) => x instanceof Tensor && x.storage === storage);
    if (!isAlias) storage.retire();
    this.#args = null;
    this.saved = [];
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
    for (const arg of this.args) if (arg instanceof Tensor) count += arg.storage.version;
    return count;
  }
}

// --- Modes -------------------------------------------------------------------------------------------

let recording = true;
let anomaly = false;

/** Whether ops leave nodes at the moment. */
export function isRecording(): boolean {
  return recording;
}

/** Whether anomaly mode is on. */
export function isDetectingAnomaly(): boolean {
  return anomaly;
}

function withRecording<T>(on: boolean, fn: () => T): T {
  const before = recording;
  recording = on;
  try {
    return fn();
  } finally {
    recording = before;
  }
}

function refusePromise<T>(name: string, result: T): T {
  if (result instanceof Promise) {
    throw new ArgumentError(
      `${name}: fn returned a promise, and the mode would end before it does; await outside of ${name}`,
    );
  }
  return result;
}

/** Runs `fn` without recording: what it computes is a constant to the tape. */
export function noGrad<T>(fn: () => T): T {
  return refusePromise("noGrad", withRecording(false, fn));
}

/** Runs `fn` with recording on, inside a noGrad for example. */
export function enableGrad<T>(fn: () => T): T {
  return refusePromise("enableGrad", withRecording(true, fn));
}

/**
 * Runs `fn` and throws an AnomalyError at the first op that makes a NaN or an infinity out of finite
 * inputs, forward or backward, with the line that called it. Slow: it reads every result. CPU devices.
 */
export function detectAnomaly<T>(fn: () => T): T {
  return refusePromise("detectAnomaly", withAnomaly(true, fn));
}

function withAnomaly<T>(on: boolean, fn: () => T): T {
  const before = anomaly;
  anomaly = on;
  try {
    return fn();
  } finally {
    anomaly = before;
  }
}

function nonFinite(x: Tensor): { value: number; at: number } | null {
  if (!isFloat(x.dtype)) return null;
  const data = x.data;
  for (let at = 0; at < data.length; at++) {
    const value = data[at] ?? 0;
    if (!Number.isFinite(value)) return { value, at };
  }
  return null;
}

/** In anomaly mode: throws if `outputs` hold a NaN or an infinity that no input brought along. */
export function checkAnomaly(
  what: string,
  outputs: readonly Tensor[],
  inputs: readonly Tensor[],
  caller: string,
): void {
  for (const y of outputs) {
    const bad = nonFinite(y);
    if (bad === null || inputs.some((x) => nonFinite(x) !== null)) continue;
    throw new AnomalyError(
      `${what}: the first ${Number.isNaN(bad.value) ? "NaN" : "infinity"} appears here: ` +
        `${bad.value} at ${bad.at} of shape ${formatShape(y.shape)}, from finite inputs ` +
        `${inputs.map((x) => formatShape(x.shape)).join(" ")}${caller && ` (called at ${caller})`}`,
    );
  }
}

// --- Walking back ------------------------------------------------------------------------------------

/** The nodes behind some tensors, newest first. Iterative, so that a long chain doesn't overflow. */
export function nodesBehind(roots: readonly Tensor[]): Node[] {
  const seen = new Set<Node>();
  const pending: Node[] = [];
  const visit = (x: Tensor): void => {
    if (x.node === null || seen.has(x.node)) return;
    seen.add(x.node);
    pending.push(x.node);
  };
  roots.forEach(visit);
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    for (const arg of node.args) if (arg instanceof Tensor) visit(arg);
  }
  return [...seen].sort((a, b) => b.id - a.id);
}

export interface WalkOptions {
  /** Keep the graph for another walk. Default: createGraph. */
  readonly retainGraph?: boolean;
  /** Record the walk itself, so that the gradients can be differentiated. */
  readonly createGraph?: boolean;
}

/** Which tensors a walk must reach: all that require gradients, or those that lead to `targets`. */
function wanted(
  order: readonly Node[],
  targets: ReadonlySet<Tensor> | null,
): (x: Tensor) => boolean {
  if (targets === null) return (x) => x.requiresGrad;
  const leading = new Set<Tensor>(targets);
  for (const node of order.toReversed()) {
    if (node.released || node.inputs.some((x) => leading.has(x))) leading.add(node.y);
  }
  return (x) => x.requiresGrad && leading.has(x);
}

const walkName = "the backward walk that made it";

/** The gradients that a walk has so far; their memory goes back as soon as they are used up. */
class Gradients {
  readonly of = new Map<Tensor, Tensor>();
  readonly #holders: Holders | null;

  /** `isRecorded`: the graph of the walk itself needs them all. */
  constructor(isRecorded: boolean) {
    this.#holders = isRecorded ? null : new Holders(walkName);
  }

  add(x: Tensor, g: Tensor): void {
    const sum = this.of.get(x);
    this.set(x, sum === undefined ? g : sum.add(g));
  }

  set(x: Tensor, g: Tensor): void {
    const before = this.of.get(x);
    this.#holders?.hold(g.storage);
    this.of.set(x, g);
    if (before !== undefined) this.#holders?.drop(before.storage);
  }

  /** Before g, the gradient of x, is used: forgets x's, unless it `stays`. Then comes `used`. */
  take(x: Tensor, g: Tensor, stays: boolean): void {
    this.#holders?.hold(g.storage);
    if (stays) this.set(x, g);
    else this.#forget(x);
  }

  used(g: Tensor): void {
    this.#holders?.drop(g.storage);
    this.#holders?.sweep();
  }

  /** The gradients that stayed: the walk needs them no more, others do. */
  handOver(): ReadonlyMap<Tensor, Tensor> {
    for (const g of this.of.values()) this.#holders?.handOver(g.storage);
    return this.of;
  }

  #forget(x: Tensor): void {
    const g = this.of.get(x);
    this.of.delete(x);
    if (g !== undefined) this.#holders?.drop(g.storage);
  }
}

/** Gradients of all wanted tensors behind `roots`, given those of the roots. */
function walk(
  roots: readonly Tensor[],
  seeds: readonly Tensor[],
  targets: ReadonlySet<Tensor> | null,
  { createGraph = false, retainGraph = createGraph }: WalkOptions,
): ReadonlyMap<Tensor, Tensor> {
  const gradients = new Gradients(createGraph);
  const order = nodesBehind(roots);
  const isWanted = wanted(order, targets);
  for (const x of [...roots, ...(targets ?? [])]) x.storage.outlivesGraph = true;
  withRecording(createGraph, () => {
    roots.forEach((root, i) => {
      gradients.add(root, seeds[i] ?? fullLike(root, 1));
    });
    for (const node of order) {
      const given = gradients.of.get(node.y);
      if (given === undefined || !isWanted(node.y)) continue;
      const g = runHooks(node.y, given);
      const isTarget = targets?.has(node.y) ?? node.y.retainsGrad;
      const isEnd = targets !== null && isTarget && !node.inputs.some(isWanted);
      gradients.take(node.y, g, isTarget);
      if (!isEnd) {
        node.check();
        step(node, g, createGraph, isWanted, gradients);
        if (!retainGraph) node.release();
      }
      gradients.used(g);
    }
    for (const [x, g] of gradients.of)
      if (x.node === null && x.hooks.length > 0) gradients.set(x, runHooks(x, g));
  });
  return gradients.handOver();
}

/** One node: the gradients of its inputs, brought to their shape and dtype and added up. */
function step(
  node: Node,
  g: Tensor,
  createGraph: boolean,
  isWanted: (x: Tensor) => boolean,
  gradients: Gradients,
): void {
  const { args } = node;
  const rule = withAnomaly(false, () => node.entry.gradients(node, g, createGraph));
  for (let i = 0; i < args.length; i++) {
    const x = args[i];
    const gradient = rule[i] ?? null;
    if (!(x instanceof Tensor) || !isWanted(x) || gradient === null) continue;
    const gx = typeof gradient === "function" ? withAnomaly(false, gradient) : gradient;
    if (anomaly) checkAnomaly(`gradient of ${node.entry.name}`, [gx], [g], node.caller);
    gradients.add(x, unbroadcast(gx, x));
  }
}

/** Sums a gradient over the axes that broadcasting stretched: the adjoint of stretching. */
function unbroadcast(g: Tensor, x: Tensor): Tensor {
  if (sameShape(g.shape, x.shape)) return g;
  const offset = g.rank - x.rank;
  const dims: number[] = [];
  g.shape.forEach((side, d) => {
    if (d < offset || (x.shape[d - offset] === 1 && side !== 1)) dims.push(d);
  });
  return g.sum({ dims }).reshape(x.shape);
}

/** A gradient hook: sees the whole gradient of a tensor, and may return another one to go on with. */
export type Hook = (g: Tensor) => Tensor | undefined;

function runHooks(x: Tensor, g: Tensor): Tensor {
  let current = g;
  for (const hook of x.hooks) {
    const replaced = hook(current.keep());
    if (replaced === undefined) continue;
    if (!sameShape(replaced.shape, x.shape)) {
      throw new ShapeError(
        `registerHook: the hook returned shape ${formatShape(replaced.shape)} for a tensor of shape ${formatShape(x.shape)}`,
      );
    }
    current = replaced;
  }
  return current;
}

/** Calls `hook` with the gradient of `x` in every walk. Returns a function that removes it. */
export function registerHook(x: Tensor, hook: Hook): () => void {
  if (!x.requiresGrad) {
    throw new GraphError("registerHook: this tensor has no gradient; it needs requiresGrad");
  }
  x.hooks = [...x.hooks, hook];
  return () => {
    x.hooks = x.hooks.filter((other) => other !== hook);
  };
}

/** Makes backward() fill `.grad` of a tensor that was computed (leaves have it anyway); returns it. */
export function retainGrad(x: Tensor): Tensor {
  if (!x.requiresGrad)
    throw new GraphError("retainGrad: this tensor has no gradient; it needs requiresGrad");
  x.retainsGrad = true;
  x.storage.outlivesGraph = true;
  return x;
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
  checkTensor("backward", y);
  const { gradient, createGraph = false } = options;
  checkRoot("backward", y, gradient);
  const seeds = gradient === undefined ? [] : [gradient];
  const run = (): Tensor[] =>
    withRecording(createGraph, () => fill(walk([y], seeds, null, options), seeds));
  if (createGraph) run();
  else releasing(run);
}

/** Adds what a walk found to `.grad` of leaves and of those that asked for it; returns these. */
function fill(found: ReadonlyMap<Tensor, Tensor>, seeds: readonly Tensor[]): Tensor[] {
  const owned = new Set(seeds.map((seed) => seed.storage));
  const filled: Tensor[] = [];
  for (const [x, g] of found) {
    if (x.node !== null && !x.retainsGrad) continue;
    const own = owned.has(g.storage) || x.hooks.length > 0 ? g.mul(1) : g; // .grad shares no memory
    owned.add(own.storage);
    x.grad = x.grad === null ? own : x.grad.add(own);
    x.grad.keep();
    filled.push(x.grad);
  }
  return filled;
}

/** Runs a walk that nobody will walk again: its own intermediates are given back at its end. */
function releasing(run: () => (Tensor | null)[]): (Tensor | null)[] {
  return confine(run, storagesOf, walkName);
}

function storagesOf(tensors: readonly (Tensor | null)[]): Storage[] {
  const storages: Storage[] = [];
  for (const x of tensors) if (x !== null) storages.push(x.storage);
  return storages;
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
  const roots = listOf(outputs);
  const targets = listOf(inputs);
  const seeds = options.gradOutputs === undefined ? [] : listOf(options.gradOutputs);
  roots.forEach((root, i) => {
    checkRoot("grad", checkTensor("grad", root, "an output"), seeds[i]);
  });
  targets.forEach((x, i) => {
    if (!checkTensor("grad", x, "an input").requiresGrad) {
      throw new GraphError(
        `grad: input ${i} doesn't require a gradient; make it with { requiresGrad: true }`,
      );
    }
  });
  const run = (): (Tensor | null)[] => {
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
  };
  return options.createGraph ? run() : releasing(run);
}

/** A stand-in that gradients stop at; integers have none. */
function leafOf(x: Tensor): Tensor {
  const leaf = x.detach();
  return isFloat(x.dtype) ? leaf.requiresGrad_() : leaf;
}

/** grad, with null for the integers among the leaves and for those that nothing depends on. */
function gradOfLeaves(
  y: Tensor,
  leaves: readonly Tensor[],
  options: Parameters<typeof grad>[2],
): (Tensor | null)[] {
  const floats = leaves.filter((x) => x.requiresGrad);
  const found = grad(y, floats, { ...options, allowUnused: true });
  return leaves.map((x) => found[floats.indexOf(x)] ?? null);
}

/**
 * The value of `fn` at `inputs` and its vector-Jacobian product: a function from a cotangent of the
 * output's shape to the gradients of the inputs (null where the output doesn't depend on one).
 */
export function vjp(
  fn: (...inputs: Tensor[]) => Tensor,
  inputs: readonly Tensor[],
): {
  readonly value: Tensor;
  readonly pull: (g: Tensor, options?: WalkOptions) => (Tensor | null)[];
} {
  const leaves = inputs.map(leafOf);
  const y = enableGrad(() => fn(...leaves));
  return {
    value: y.detach(),
    pull: (g, options = { retainGraph: true }) =>
      gradOfLeaves(y, leaves, { ...options, gradOutputs: g }),
  };
}

/**
 * Hessian-vector products of a scalar function: H v, one tensor for each input, without forming H.
 * Differentiates the inner product of gradient and vectors.
 */
export function hvp(
  fn: (...inputs: Tensor[]) => Tensor,
  inputs: readonly Tensor[],
  vectors: readonly Tensor[],
): Tensor[] {
  if (vectors.length !== inputs.length) {
    throw new ArgumentError(
      `hvp: got ${inputs.length} inputs and ${vectors.length} vectors; one for each`,
    );
  }
  const leaves = inputs.map(leafOf);
  return enableGrad(() => {
    const first = gradOfLeaves(fn(...leaves), leaves, { createGraph: true });
    const products = first.flatMap((g, i) => {
      const v = vectors[i];
      return g === null || v === undefined || !g.requiresGrad ? [] : [g.mul(v.detach()).sum()];
    });
    const [head, ...rest] = products;
    if (head === undefined) return leaves.map((x) => fullLike(x, 0));
    const total = rest.reduce((sum, term) => sum.add(term), head);
    return gradOfLeaves(total, leaves, {}).map((h, i) => h ?? fullLike(leaves[i] ?? total, 0));
  });
}
