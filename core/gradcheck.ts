// Are the gradients right? gradcheck compares them with finite differences in double precision, along
// random directions (one number per argument instead of one per element), and then does the same to the
// gradients themselves, which checks the gradients of gradients. Written in the manner of HIPS
// autograd's check_grads. Next: test/ops.test.ts, which runs it over the whole op table.

import { zerosLike } from "./creation.ts";
import { ArgumentError, GradcheckError } from "./errors.ts";
import { enableGrad } from "./modes.ts";
import { Random } from "./random.ts";
import { grad } from "./tape.ts";
import { fromData, Tensor } from "./tensor.ts";

/** How closely gradcheck looks, and to which order. */
export interface GradcheckOptions {
  /** 1: gradients; 2 (default): also the gradients of the gradients; and so on. */
  readonly order?: number;
  /** Largest difference, relative to the size of the terms that make up the derivative. Default 1e-6. */
  readonly rtol?: number;
  /** Largest difference where everything is about 0. Default 1e-8. */
  readonly atol?: number;
  /** Half the step of the differences; errors fall with its 4th power. Default 1e-3. */
  readonly step?: number;
  /** Seeds the random directions. Default 0. */
  readonly seed?: number | string;
  /** What messages call the function; its own name unless said. */
  readonly name?: string;
}

type Fn = (...inputs: Tensor[]) => Tensor | readonly Tensor[];

interface Check {
  readonly name: string;
  readonly rtol: number;
  readonly atol: number;
  readonly step: number;
  readonly rng: Random;
}

function outputsOf(y: Tensor | readonly Tensor[]): readonly Tensor[] {
  return y instanceof Tensor ? [y] : y;
}

function nameOf(fn: Fn): string {
  const { entry } = fn as { entry?: { name: string } };
  return entry?.name || fn.name || "fn";
}

/**
 * Throws a GradcheckError unless the gradients of `fn` at `inputs` (float64 tensors; those that require
 * gradients are checked, all of them if none says so) agree with central differences, to order 2 unless
 * said. The message names function, argument, index and both numbers. Returns true, so that it can
 * stand in an assertion.
 */
export function gradcheck(
  fn: Fn,
  inputs: Tensor | readonly Tensor[],
  options: GradcheckOptions = {},
): true {
  const { order = 2, rtol = 1e-6, atol = 1e-8, step = 1e-3, seed = 0, name = nameOf(fn) } = options;
  const list = inputs instanceof Tensor ? [inputs] : inputs;
  const checked = list.some((x) => x.requiresGrad)
    ? list.map((x) => x.requiresGrad)
    : list.map((x) => x.dtype === "float64");
  list.forEach((x, i) => {
    if (checked[i] && x.dtype !== "float64") {
      throw new ArgumentError(
        `gradcheck: argument ${i} of ${name} is ${x.dtype}; differences need float64`,
      );
    }
  });
  if (!checked.includes(true))
    throw new ArgumentError(`gradcheck: ${name} has no float64 argument to check`);
  const rest: Fn = (...free) => {
    let at = 0;
    return fn(...list.map((x, i) => (checked[i] ? (free[at++] as Tensor) : x)));
  };
  const free = list.filter((_, i) => checked[i]);
  const names = list.flatMap((_, i) => (checked[i] ? [`argument ${i}`] : []));
  checkOrder(rest, free, names, order, { name, rtol, atol, step, rng: Random.from(seed) });
  return true;
}

/** Checks fn's gradients; then, for order - 1, the function from inputs and cotangents to gradients. */
function checkOrder(
  fn: Fn,
  inputs: readonly Tensor[],
  names: readonly string[],
  order: number,
  check: Check,
): void {
  const leaves = inputs.map((x) => x.detach().requiresGrad_());
  const outputs = enableGrad(() => outputsOf(fn(...leaves)))
    .map((y, i) => ({ y, i }))
    .filter(({ y }) => y.requiresGrad);
  if (outputs.length === 0) return;
  const cotangents = outputs.map(({ y }) => normal(y, check.rng));
  const weighted = (...xs: Tensor[]): Tensor[] => {
    const ys = outputsOf(fn(...xs));
    return outputs.map(({ i }) => ys[i] as Tensor);
  };
  for (const createGraph of [false, true]) {
    checkFirst(weighted, leaves, cotangents, names, createGraph, check);
  }
  if (order <= 1) return;
  const pull: Fn = (...args) => {
    const xs = args
      .slice(0, inputs.length)
      .map((x) => (x.requiresGrad ? x : x.detach().requiresGrad_()));
    const gs = args.slice(inputs.length);
    const ys = weighted(...xs);
    const live = ys.map((y, i) => ({ y, g: gs[i] as Tensor })).filter(({ y }) => y.requiresGrad);
    return grad(
      live.map(({ y }) => y),
      xs,
      {
        gradOutputs: live.map(({ g }) => g),
        createGraph: true,
        allowUnused: true,
      },
    ).map((g, i) => g ?? zerosLike(xs[i] as Tensor));
  };
  const next = { ...check, name: `gradient of ${check.name}` };
  const cotangentNames = cotangents.map((_, i) => `the gradient of output ${i}`);
  checkOrder(pull, [...inputs, ...cotangents], [...names, ...cotangentNames], order - 1, next);
}

/** Every argument along a random direction; where that disagrees, its elements one by one. */
function checkFirst(
  fn: (...xs: Tensor[]) => readonly Tensor[],
  leaves: readonly Tensor[],
  cotangents: readonly Tensor[],
  names: readonly string[],
  createGraph: boolean,
  check: Check,
): void {
  const value = (xs: readonly Tensor[]): number =>
    fn(...xs).reduce((sum, y, i) => sum + dot(y, cotangents[i] as Tensor), 0);
  const ys = enableGrad(() => fn(...leaves));
  const gradients = grad(ys, leaves, { gradOutputs: cotangents, createGraph, allowUnused: true });
  leaves.forEach((x, i) => {
    if (x.size === 0) return;
    const g = (gradients[i] ?? zerosLike(x)).data;
    const along = (direction: ArrayLike<number>): void => {
      const numeric = difference(
        (t) => value(leaves.map((leaf, j) => (j === i ? moved(leaf, direction, t) : leaf))),
        check.step,
      );
      const [analytic, scale] = products(g, direction);
      if (
        Math.abs(numeric - analytic) <=
        check.atol + check.rtol * Math.max(scale, Math.abs(numeric))
      )
        return;
      const unit = direction as Float64Array;
      const only = unit.reduce((found, d, at) => (d !== 0 ? (found === -1 ? at : -2) : found), -1);
      if (only >= 0) fail(check, names[i] ?? "", x, only, analytic, numeric, createGraph);
      for (let at = 0; at < x.size; at++) along(Float64Array.from(g, (_, j) => Number(j === at)));
      fail(check, names[i] ?? "", x, -1, analytic, numeric, createGraph);
    };
    along(normal(x, check.rng).data);
  });
}

function fail(
  { name }: Check,
  argument: string,
  x: Tensor,
  at: number,
  analytic: number,
  numeric: number,
  createGraph: boolean,
): never {
  const where =
    at < 0
      ? "along a random direction"
      : `at [${position(x.shape, at).join(",")}] of ${x.dtype}[${x.shape.join(",")}]`;
  throw new GradcheckError(
    `gradcheck: ${name}: ${argument} ${where}: the gradient says ${analytic}, finite differences say ${numeric}` +
      `${createGraph ? " (with createGraph)" : ""}`,
  );
}

function position(shape: readonly number[], at: number): number[] {
  let rest = at;
  return [...shape]
    .reverse()
    .map((side) => {
      const i = rest % side;
      rest = Math.floor(rest / side);
      return i;
    })
    .reverse();
}

/** f'(0) by the five-point rule: (f(-2h) - 8 f(-h) + 8 f(h) - f(2h)) / 12h, error of order h⁴. */
function difference(f: (t: number) => number, h: number): number {
  return (f(-2 * h) - 8 * f(-h) + 8 * f(h) - f(2 * h)) / (12 * h);
}

/** x + t direction. */
function moved(x: Tensor, direction: ArrayLike<number>, t: number): Tensor {
  const data = Float64Array.from(x.data, (value, i) => value + t * (direction[i] ?? 0));
  return fromData(data, x.shape, "float64", x.device);
}

/** A random direction like x; 1 where there is only one, so that a message shows the derivative itself. */
function normal(x: Tensor, rng: Random): Tensor {
  return fromData(
    Float64Array.from({ length: x.size }, () => (x.size === 1 ? 1 : rng.normal())),
    x.shape,
    "float64",
    x.device,
  );
}

function dot(a: Tensor, b: Tensor): number {
  return products(a.data, b.data)[0];
}

/** The inner product, and the sum of its terms' sizes: the scale that rounding and tolerance go by. */
function products(a: ArrayLike<number>, b: ArrayLike<number>): [number, number] {
  let sum = 0;
  let scale = 0;
  for (let i = 0; i < a.length; i++) {
    const term = (a[i] ?? 0) * (b[i] ?? 0);
    if (term === 0) continue;
    sum += term;
    scale += Math.abs(term);
  }
  return [sum, scale];
}
