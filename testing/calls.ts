// Calls with drawn arguments: with leaves of the tape in the places of tensors, with generators that begin anew, and
// all that comes out, gradients included, in a row. Next: checks.ts.

import { arange, grad, isFloat, Random, Tensor, tensorsOf, zerosLike } from "../core/index.ts";

/** What is called: an op or a function of tensors and options. */
export type AnyFunction = (...args: never[]) => unknown;

/** Calls a function; its tensors in a row (sort has two, split any number). */
export function outputsOf(fn: AnyFunction, args: readonly unknown[]): Tensor[] {
  const y = (fn as (...args: unknown[]) => unknown)(...args.map(fresh));
  return y instanceof Tensor ? [y] : tensorsOf(y);
}

/** Options whose generators start anew, so that every call drops the same elements. */
function fresh(arg: unknown): unknown {
  if (arg instanceof Random) return Random.restore(arg.state());
  return isOptions(arg)
    ? Object.fromEntries(Object.entries(arg).map(([key, value]) => [key, fresh(value)]))
    : arg;
}

function isOptions(arg: unknown): arg is object {
  return arg !== null && typeof arg === "object" && Object.getPrototypeOf(arg) === Object.prototype;
}

/** The arguments with other tensors in the places of those that `picks` picks. */
export function replaceTensors(
  args: readonly unknown[],
  by: (x: Tensor, i: number) => Tensor,
  picks: (x: Tensor) => boolean = () => true,
): unknown[] {
  let i = 0;
  const replace = (arg: unknown): unknown => {
    if (arg instanceof Tensor) return picks(arg) ? by(arg, i++) : arg;
    if (isOptions(arg)) {
      return Object.fromEntries(Object.entries(arg).map(([key, value]) => [key, replace(value)]));
    }
    return Array.isArray(arg) ? arg.map(replace) : arg;
  };
  return args.map(replace);
}

/** The arguments with other tensors in the places of the float ones. */
export function replaceFloats(
  args: readonly unknown[],
  by: (x: Tensor, i: number) => Tensor,
): unknown[] {
  return replaceTensors(args, by, (x) => isFloat(x.dtype));
}

/** The float tensors among the arguments. */
export function floatsOf(args: readonly unknown[]): Tensor[] {
  const found: Tensor[] = [];
  replaceFloats(args, (x) => {
    found.push(x);
    return x;
  });
  return found;
}

/** The arguments with leaves of the tape in the places of the tensors that `picks` picks, and these leaves. */
export function withLeaves(
  args: readonly unknown[],
  picks: (x: Tensor) => boolean,
): { readonly live: unknown[]; readonly leaves: Tensor[] } {
  const leaves: Tensor[] = [];
  const leafOf = (x: Tensor): Tensor => {
    const leaf = x.detach().requiresGrad_();
    leaves.push(leaf);
    return leaf;
  };
  return { live: replaceTensors(args, leafOf, picks), leaves };
}

/** Numbers in (-1, 1) that no symmetry cancels, in the shape, dtype and on the device of y. */
function weightsLike(y: Tensor): Tensor {
  return arange(1, y.size + 1)
    .onDevice(y.device.name)
    .to(y.dtype)
    .reshape(y.shape)
    .sin();
}

/** Values, and the gradients of their weighted sum; of order 2 the gradients of those, too. Keeps none of the graph. */
export function withGradients(
  fn: AnyFunction,
  args: readonly unknown[],
  order: 1 | 2 = 1,
): Tensor[] {
  const { live, leaves } = withLeaves(args, (x) => isFloat(x.dtype));
  const ys = outputsOf(fn, live);
  const first = gradientsOf(ys, leaves, order === 2);
  const again = order === 2 ? gradientsOf(first, leaves, false) : [];
  return [...ys, ...first, ...again].map((y) => y.detach());
}

function gradientsOf(
  ys: readonly Tensor[],
  leaves: readonly Tensor[],
  createGraph: boolean,
): Tensor[] {
  const live = ys.filter((y) => y.requiresGrad);
  if (live.length === 0) return [];
  for (const y of live) y.keep();
  const found = grad(live, leaves, {
    gradOutputs: live.map(weightsLike),
    createGraph,
    retainGraph: true,
    allowUnused: true,
  });
  return found.map((g, i) => g ?? zerosLike(leaves[i] as Tensor));
}
