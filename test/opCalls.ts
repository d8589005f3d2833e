// Calling ops by name with drawn arguments, as the properties of the op table do it on every device.
// Next: ops.test.ts, gpu/opTable.ts.

import * as core from "../core/index.ts";
import { Random, Tensor, tensorsOf } from "../core/index.ts";

type Fn = (...args: unknown[]) => unknown;

export function functionOf(name: string): Fn {
  return (core as unknown as Record<string, Fn>)[name] as Fn;
}

/** Calls an op; its tensors in a row (sort has two, split any number). */
export function outputsOf(name: string, args: readonly unknown[]): Tensor[] {
  const y = functionOf(name)(...args.map(fresh));
  return y instanceof Tensor ? [y] : tensorsOf([...(y as Tensor[])]);
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
