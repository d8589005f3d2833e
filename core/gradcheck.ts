// Are the gradients right? gradcheck compares them with finite differences in double precision, number by
// number: every column of the Jacobian of a small argument, all elements of a large one in groups of like
// size, each against single outputs and random sums of them. Then it does the same to the gradients
// themselves, which checks the gradients of gradients. After HIPS autograd's check_grads and PyTorch's
// gradcheck.
//
// A central difference is (f(x + h) - f(x - h)) / 2h. The Jacobian holds dy[k]/dx[i], outputs by inputs: moving
// x along a *direction* (one element, or some with weights) measures a combination of its columns; a walk
// back from a *row*, a weighted sum of the outputs, gives one of its rows. Both give one number for the same
// row and direction, and these must agree. The weights of outputs are also called cotangents.
// Next: probes.ts for what is compared; differences.ts for the numbers to compare with; test/kit/planted.ts for
// what it catches.

import { zerosLike } from "./creation.ts";
import {
  type Column,
  columnAt,
  type DifferenceLine,
  diagnose,
  type FunctionAtPoint,
  isRepeated,
  noiseOf,
  roundingOf,
  type Sparse,
  weigh,
} from "./differences.ts";
import { isFloat } from "./dtype.ts";
import { ArgumentError, GradcheckError } from "./errors.ts";
import { enableGrad } from "./modes.ts";
import {
  directionsOf,
  moved,
  outputAt,
  position,
  type Row,
  reachOf,
  rowOf,
  rowsOf,
  weightsOf,
} from "./probes.ts";
import { Random } from "./random.ts";
import { accept, signature } from "./signature.ts";
import { grad } from "./tape.ts";
import { checkTensor, fromData, Tensor } from "./tensor.ts";

const takes = signature(
  "gradcheck",
  "fn: function, inputs: Tensor | Tensor[], { order?: number, rtol?: number, atol?: number, " +
    "step?: number, seed?: number | string, name?: string, names?: any[] }",
);

/** How closely gradcheck looks, and to which order. */
export interface GradcheckOptions {
  /** 1: gradients; 2 (default): also the gradients of the gradients; and so on. */
  readonly order?: number;
  /** Largest difference, relative to the one derivative that is compared. Default 1e-6. */
  readonly rtol?: number;
  /** Largest difference where the finite differences themselves are that uncertain. Default 1e-8. */
  readonly atol?: number;
  /** Half the step of the differences; errors fall with its 4th power. Default 1e-3. */
  readonly step?: number;
  /** Seeds the random directions. Default 0. */
  readonly seed?: number | string;
  /** What messages call the function; its own name unless said. */
  readonly name?: string;
  /** What messages call the inputs, in their order; "argument 0" and so on unless said. */
  readonly names?: readonly string[];
}

type Fn = (...inputs: Tensor[]) => Tensor | readonly Tensor[];

interface Check {
  readonly name: string;
  readonly rtol: number;
  readonly atol: number;
  readonly step: number;
  readonly rng: Random;
}

function nameOf(fn: Fn): string {
  const { entry } = fn as { entry?: { name: string } };
  return entry?.name || fn.name || "fn";
}

/**
 * Throws a GradcheckError unless the gradients of `fn` at `inputs` (float64 tensors; those that require
 * gradients are checked, all of them if none says so) agree with central differences, to order 2 unless
 * said. The message names function, argument, index, output and both numbers, and says so where the
 * function has a kink, isn't deterministic or returns nothing to check. Returns true, so that it can stand
 * in an assertion.
 */
export function gradcheck(
  fn: Fn,
  inputs: Tensor | readonly Tensor[],
  options: GradcheckOptions = {},
): true {
  accept(takes, arguments);
  const { order = 2, rtol = 1e-6, atol = 1e-8, step = 1e-3, seed = 0, name = nameOf(fn) } = options;
  const list = inputs instanceof Tensor ? [inputs] : inputs;
  for (const x of list) checkTensor("gradcheck", x, "each input");
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
  const names = list.flatMap((_, i) => (checked[i] ? [options.names?.[i] ?? `argument ${i}`] : []));
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
  const outputs = (xs: readonly Tensor[]): readonly Tensor[] =>
    float64Outputs(
      enableGrad(() => [fn(...xs)]),
      check.name,
    );
  const ys = outputs(leaves);
  const point: FunctionAtPoint = {
    at: (i, direction, t) =>
      valuesOf(outputs(leaves.map((x, j) => (j === i ? moved(x, direction, t) : x)))),
    values: valuesOf(ys),
    step: check.step,
  };
  checkRepeats(point, ys, check.name);
  const rows = rowsOf(ys, leaves, check.rng);
  leaves.forEach((x, i) => {
    for (const direction of directionsOf(x, rows[0]?.gradients[i] ?? null, check.rng))
      checkAlong(direction, { x, i, name: names[i] ?? "", ys, leaves, point, rows, check });
  });
  if (order <= 1) return;
  const cotangents = ys.map((y) => {
    // 1 for a single number, so that a message shows the derivative itself
    const weights = y.size === 1 ? Float64Array.of(1) : weightsOf(y.size, check.rng);
    return fromData(weights, y.shape, "float64", y.device);
  });
  const next = { ...check, name: `gradient of ${check.name}` };
  const cotangentNames = ys.map((_, i) => `the gradient of output ${i}`);
  const all = [...inputs, ...cotangents];
  checkOrder(pullOf(outputs, inputs.length), all, [...names, ...cotangentNames], order - 1, next);
}

/** The function from inputs and cotangents to the gradients of the inputs. */
function pullOf(outputs: (xs: readonly Tensor[]) => readonly Tensor[], inputs: number): Fn {
  return (...args) => {
    const xs = args.slice(0, inputs);
    const ys = outputs(xs);
    const tracked = ys.flatMap((y, i) => (y.requiresGrad ? [[y, args[inputs + i] as Tensor]] : []));
    const gradients = grad(
      tracked.map(([y]) => y as Tensor),
      xs,
      { gradOutputs: tracked.map(([, g]) => g as Tensor), createGraph: true, allowUnused: true },
    );
    return gradients.map((g, i) => g ?? zerosLike(xs[i] as Tensor));
  };
}

/** What fn returned, as far as differences can say something of it. */
function float64Outputs([returned]: readonly unknown[], name: string): readonly Tensor[] {
  const list: readonly unknown[] = Array.isArray(returned) ? returned : [returned];
  const other = list.find((y) => !(y instanceof Tensor));
  if (list.length === 0 || other !== undefined || !list.every((y) => y instanceof Tensor)) {
    const what = list.length === 0 ? "an empty list" : describe(other);
    throw new GradcheckError(
      `gradcheck: ${name} returned ${what} and no tensor; it must return a tensor or a list of tensors`,
    );
  }
  const floats = list.filter((y) => isFloat(y.dtype));
  const narrow =
    floats.find((y) => y.dtype !== "float64") ?? (floats.length === 0 ? list[0] : undefined);
  if (narrow !== undefined) {
    throw new GradcheckError(
      `gradcheck: ${name} returned a ${narrow.dtype} tensor; differences need float64 outputs`,
    );
  }
  return floats;
}

function describe(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (value instanceof Promise) return "a promise";
  return typeof value === "object"
    ? `an object (${value.constructor?.name ?? "no class"})`
    : `a ${typeof value}`;
}

/** Throws unless the same inputs give the same outputs again. */
function checkRepeats({ at, values }: FunctionAtPoint, ys: readonly Tensor[], name: string): void {
  const again = at(-1, new Map(), 0);
  const i =
    again.length === values.length ? values.findIndex((y, k) => !Object.is(y, again[k])) : 0;
  if (i < 0) return;
  throw new GradcheckError(
    `gradcheck: ${name} isn't deterministic: ${outputAt(ys, i)} was ${values[i]} and then ${again[i]} for the ` +
      "same inputs; make its generators anew, from the same seed, in every call",
  );
}

// --- Comparing ---------------------------------------------------------------------------------------

/** An argument, and everything that it is checked with. */
interface Argument {
  readonly x: Tensor;
  readonly i: number;
  readonly name: string;
  readonly ys: readonly Tensor[];
  readonly leaves: readonly Tensor[];
  readonly point: FunctionAtPoint;
  readonly rows: readonly Row[];
  readonly check: Check;
}

/** One direction against all rows; a group that disagrees is looked at element by element instead. */
function checkAlong(direction: Sparse, argument: Argument): void {
  const { i, point, rows } = argument;
  const line: DifferenceLine = {
    point,
    argument: i,
    direction,
    columns: new Map<number, Column>(),
  };
  for (const row of rows) {
    if (disagreement(line, row, argument) === null) continue;
    if (direction.size === 1) throw new GradcheckError(messageOf(line, row, argument));
    for (const at of direction.keys())
      checkAlong(new Map([[at, reachOf(argument.x, at)]]), argument);
    return;
  }
}

interface Derivatives {
  readonly analytic: number;
  readonly numeric: number;
}

/** A derivative by differences, how far the tape's may be from it, and how far rounding may put it off. */
interface Estimate {
  readonly numeric: number;
  readonly limit: number;
  readonly noise: number;
}

/** The derivative of a row along a line, by the tape and by differences; null if they agree. */
function disagreement(
  line: DifferenceLine,
  { weights, gradients }: Row,
  { i, check: { name, rtol, atol, step } }: Argument,
): Derivatives | null {
  const gradient = gradients[i] ?? null;
  const tape = gradient === null ? { sum: 0, size: 0 } : weigh(gradient, line.direction);
  const noise = noiseOf(line.point, weights);
  const at = (h: number): Estimate => {
    const { sum, size } = weigh(columnAt(line, h).slopes, weights);
    return { numeric: sum, limit: rtol * Math.max(tape.size, size), noise: noise / h };
  };
  const error = ({ numeric }: Estimate): number => Math.abs(numeric - tape.sum);
  const first = at(step);
  const wrong = { analytic: tape.sum, numeric: first.numeric };
  if (!Number.isFinite(tape.sum) || (gradient === null && changes(line, weights))) return wrong;
  if (error(first) <= first.limit + first.noise) return null;
  if (!isRepeated(line, step)) {
    throw new GradcheckError(
      `gradcheck: ${name} isn't deterministic: the same inputs gave it other outputs in another call; make its ` +
        "generators anew, from the same seed, in every call, and keep nothing from call to call",
    );
  }
  const [close, closer, ...others] = [8, 64, 512, 2 ** 12, 2 ** 15, 1 / 8].map((by) =>
    at(step / by),
  ) as [...[Estimate, Estimate, ...Estimate[]]];
  // where a bend of the slope makes the error fall like the step itself, two steps tell where it leads
  const ahead = {
    ...closer,
    numeric: (8 * closer.numeric - close.numeric) / 7,
    noise: 2 * closer.noise,
  };
  const isFine = [close, closer, ...others, ahead].some(
    (o) => error(o) <= o.limit + o.noise && o.noise <= Math.max(10 * o.limit, atol),
  );
  const spreads = [close, closer].map((o) => Math.abs(o.numeric - first.numeric));
  const unsure = Math.max(...spreads, roundingOf(1) / step); // intermediates of size 1 that cancel
  return isFine || error(first) <= Math.min(atol, unsure) ? null : wrong;
}

/** Whether the outputs change along a line at all, close by too, by more than rounding. */
function changes(line: DifferenceLine, weights: Sparse): boolean {
  const { values, step } = line.point;
  return [step, step / 64].every((h) => {
    const { largest } = columnAt(line, h);
    return [...weights.keys()].some(
      (k) => (largest[k] ?? 0) > roundingOf(Math.max(1, Math.abs(values[k] ?? 0))),
    );
  });
}

function messageOf(line: DifferenceLine, row: Row, argument: Argument): string {
  const { x, i, name, check, ys, leaves } = argument;
  const { slopes } = columnAt(line, check.step);
  const steepest = [...row.weights.keys()].reduce((a, b) =>
    Math.abs(slopes[b] ?? 0) > Math.abs(slopes[a] ?? 0) ? b : a,
  );
  const single = row.weights.size === 1 ? [] : rowOf(steepest, ys, leaves);
  const worst = single.find((other) => disagreement(line, other, argument) !== null) ?? row;
  const { analytic, numeric } = disagreement(line, worst, argument) as Derivatives;
  const [[at, by] = [0, 1]] = line.direction;
  const where = `at [${position(x.shape, at)}] of ${x.dtype}[${x.shape}]${worst.what && `, ${worst.what}`}`;
  const cut =
    "; the tape knows no way from there to the argument, though the value changes with it: detach, noGrad or " +
    "plain numbers (x.data) cut it off";
  const reason = diagnose(line, worst.weights) || (worst.gradients[i] === null ? cut : "");
  return (
    `gradcheck: ${check.name}: ${name} ${where}: the gradient says ${analytic / by}, ` +
    `finite differences say ${numeric / by}${worst.createGraph ? " (with createGraph)" : ""}${reason}`
  );
}

/** All numbers of some tensors in a row. */
function valuesOf(ys: readonly Tensor[]): Float64Array {
  const values = new Float64Array(ys.reduce((sum, y) => sum + y.size, 0));
  let at = 0;
  for (const y of ys) {
    values.set(y.data, at);
    at += y.size;
  }
  return values;
}
