// What may be asked of a function of tensors: that its gradients are right, that every device gives the same, that a
// fast one is what its definition says. Each draws inputs and throws with the smallest that fails.
// Next: op.ts for all that is asked of an op, module.ts for a module.

import fc from "fast-check";
import {
  ArgumentError,
  device as deviceNamed,
  gradcheck,
  isFloat,
  type Tensor,
  type TypedArray,
} from "../core/index.ts";
import { accept, signatures } from "../core/signature.ts";
import {
  type AnyFunction,
  floatsOf,
  outputsOf,
  replaceFloats,
  replaceTensors,
  withGradients,
} from "./calls.ts";
import { argumentsCode, importsFor } from "./code.ts";
import { argumentsOf, type Drawing } from "./draw.ts";
import {
  checkAsyncProperty,
  checkProperty,
  PropertyError,
  type PropertyOptions,
} from "./property.ts";

const property = "runs?: number, seed?: number, name?: string";
const draws = "draw: function | object | any[]";
const takes = signatures({
  checkGradients: `fn: function, ${draws}, { order?: number, rtol?: number, atol?: number, ${property} }`,
  sameAsDefinition: `fast: function, definition: function, ${draws}, { tolerance?: number, gradients?: boolean, ${property} }`,
  sameOnDevices: `fn: function, ${draws}, { devices?: any[], order?: number, tolerance?: number, dtype?: DType, ${property} }`,
});

/** How a check is run, and what messages call the function. */
export interface CheckOptions extends PropertyOptions {
  /** What messages call the function. Default: its own name. */
  readonly name?: string;
}

/** The name of a function in messages and in code. */
export function nameOf(fn: AnyFunction): string {
  return (fn as { entry?: { name: string } }).entry?.name || fn.name || "fn";
}

/** Code that a person runs to see the failure alone. */
export function pasteable(call: string): string {
  return `as code\n${importsFor(call)}${call};`;
}

/** Throws unless x and y are the same tensors up to `tolerance`, relative to numbers above 1. */
export function near(x: Tensor, y: Tensor, tolerance: number, what: string): void {
  nearNumbers(x, x.data, y, y.data, tolerance, what);
}

function nearNumbers(
  x: Tensor,
  a: TypedArray,
  y: Tensor,
  b: TypedArray,
  tolerance: number,
  what: string,
): void {
  const [kind, wanted] = [x, y].map((t) => `${t.dtype}[${t.shape}]`) as [string, string];
  if (kind !== wanted) throw new PropertyError(`${what}: ${kind} instead of ${wanted}`);
  for (let i = 0; i < b.length; i++) {
    const [p = 0, q = 0] = [a[i], b[i]];
    const fits = Object.is(p, q) || Math.abs(p - q) <= tolerance * Math.max(1, Math.abs(q));
    if (!fits) throw new PropertyError(`${what}: ${p} instead of ${q} at ${i} of ${wanted}`);
  }
}

/** Throws unless two lists of tensors are the same up to `tolerance`. */
export function allNear(
  xs: readonly Tensor[],
  ys: readonly Tensor[],
  tolerance: number,
  what: string,
): void {
  if (xs.length !== ys.length)
    throw new PropertyError(`${what}: ${xs.length} tensors instead of ${ys.length}`);
  xs.forEach((x, i) => {
    near(x, ys[i] as Tensor, tolerance, xs.length === 1 ? what : `${what}, tensor ${i}`);
  });
}

// --- Gradients ---------------------------------------------------------------------------------------

/** How closely gradients are looked at, and to which order. */
export interface CheckGradientsOptions extends CheckOptions {
  /** 1: gradients; 2 (default): also the gradients of the gradients. */
  readonly order?: number;
  /** See gradcheck. */
  readonly rtol?: number;
  readonly atol?: number;
}

/** The gradients of a function at some arguments, all of its float tensors in float64; integers and options stay. */
export function gradientsHold(
  fn: AnyFunction,
  args: readonly unknown[],
  options: CheckGradientsOptions,
): void {
  const { order, rtol, atol, name = nameOf(fn) } = options;
  const doubles = replaceFloats(args, (x) => (x.dtype === "float64" ? x : x.to("float64")));
  const leaves = floatsOf(doubles);
  if (leaves.length === 0) return;
  const slopes = (...xs: Tensor[]): Tensor[] =>
    outputsOf(
      fn,
      replaceFloats(doubles, (_, i) => xs[i] as Tensor),
    ).filter((y) => isFloat(y.dtype));
  if (slopes(...leaves).length === 0) return; // integers or bools: no slopes
  gradcheck(slopes, leaves, {
    name,
    ...(order !== undefined && { order }),
    ...(rtol !== undefined && { rtol }),
    ...(atol !== undefined && { atol }),
  });
}

/** A call of gradcheck that shows a counterexample. */
export function gradcheckCode(name: string, args: readonly unknown[], order = 2): string {
  const doubles = replaceFloats(args, (x) => x.to("float64"));
  const isPlain = doubles.every((x, i) => floatsOf([x]).length === 1 && x === floatsOf(doubles)[i]);
  const more = order === 2 ? "" : `, { order: ${order} }`;
  if (isPlain) return pasteable(`gradcheck(${name}, [${argumentsCode(doubles)}]${more})`);
  let at = 0;
  const names: string[] = [];
  const places = replaceFloats(doubles, (x) => x);
  const text = places.map((x) => {
    if (floatsOf([x]).length !== 1 || x !== floatsOf([x])[0]) return argumentsCode([x]);
    names.push(`x${at}`);
    return `x${at++}`;
  });
  const plain = places.filter((x) => floatsOf([x])[0] === x);
  return pasteable(
    `gradcheck((${names.join(", ")}) => ${name}(${text.join(", ")}), [${argumentsCode(plain)}]${more})`,
  );
}

/**
 * Throws unless the gradients of `fn` agree with central differences, to order 2 unless said, at everything that `draw`
 * draws: `checkGradients(f, [tensors()])`. Floats are checked in float64. The message holds the smallest
 * counterexample as code, both numbers, the seed, and a command that runs the case again.
 */
export function checkGradients<A extends readonly unknown[]>(
  fn: (...args: A) => unknown,
  draw: Drawing<A>,
  options: CheckGradientsOptions = {},
): void {
  accept(takes.checkGradients, arguments);
  const { name = nameOf(fn as AnyFunction), order = 2 } = options;
  const args = argumentsOf("checkGradients", draw);
  checkProperty(
    `${name}: gradients`,
    fc.property(args, (drawn) => gradientsHold(fn as AnyFunction, drawn, { ...options, name })),
    { ...options, show: ([drawn]) => gradcheckCode(name, drawn, order) },
  );
}

// --- Definitions and devices -------------------------------------------------------------------------

/** How far a fast function may be from its definition. */
export interface SameOptions extends CheckOptions {
  /** The largest difference, relative to numbers above 1. Default: 1e-10 in float64, 1e-5 in float32. */
  readonly tolerance?: number;
}

function toleranceFor(args: readonly unknown[]): number {
  return floatsOf(args).some((x) => x.dtype === "float32") ? 1e-5 : 1e-10;
}

/**
 * Throws unless `fast` has the values and the gradients of `definition` at everything that `draw` draws. `gradients:
 * false` compares values alone.
 */
export function sameAsDefinition<A extends readonly unknown[]>(
  fast: (...args: A) => unknown,
  definition: (...args: A) => unknown,
  draw: Drawing<A>,
  options: SameOptions & { readonly gradients?: boolean } = {},
): void {
  accept(takes.sameAsDefinition, arguments);
  const { name = nameOf(fast as AnyFunction), tolerance, gradients = true } = options;
  const run = gradients ? withGradients : outputsOf;
  checkProperty(
    `${name}: same as its definition`,
    fc.property(argumentsOf("sameAsDefinition", draw), (args) =>
      allNear(
        run(fast as AnyFunction, args),
        run(definition as AnyFunction, args),
        tolerance ?? toleranceFor(args),
        "its values and gradients differ from the definition's",
      ),
    ),
    { ...options, show: ([args]) => pasteable(`${name}(${argumentsCode(args)})`) },
  );
}

/** Which devices are compared, and how closely. */
export interface SameOnDevicesOptions extends SameOptions {
  /** Their names. Default: all CPU devices that are there besides the reference. */
  readonly devices?: readonly string[];
  /** 1 (default): values and gradients; 2: also gradients of gradients. */
  readonly order?: 1 | 2;
  /** What floats are converted to. Default: float32, which every device has. */
  readonly dtype?: "float32" | "float64";
}

/** Whether a device is known and starts. */
export function isThere(name: string): boolean {
  try {
    return deviceNamed(name).name === name;
  } catch {
    return false;
  }
}

/** Throws unless a device gives the values and gradients of the reference. */
async function agrees(
  fn: AnyFunction,
  args: readonly unknown[],
  device: string,
  { order = 1, tolerance }: SameOnDevicesOptions,
): Promise<void> {
  const put = (name: string): unknown[] =>
    replaceTensors(args, (x) => (x.device.name === name ? x : x.onDevice(name)));
  const here = withGradients(fn, put("reference"), order);
  const there = withGradients(fn, put(device), order);
  if (here.length !== there.length)
    throw new PropertyError(`${device}: ${there.length} tensors instead of ${here.length}`);
  for (const [i, x] of there.entries()) {
    const y = here[i] as Tensor;
    nearNumbers(
      x,
      await x.read(),
      y,
      await y.read(),
      tolerance ?? toleranceFor(args),
      `${device}, tensor ${i}`,
    );
  }
}

/**
 * Rejects unless every device gives the values and the gradients that the reference device gives, at everything that
 * `draw` draws. GPUs come by name: `await sameOnDevices(f, [tensors()], { devices: ["wasm", "gpu"] })`.
 */
export async function sameOnDevices<A extends readonly unknown[]>(
  fn: (...args: A) => unknown,
  draw: Drawing<A>,
  options: SameOnDevicesOptions = {},
): Promise<void> {
  accept(takes.sameOnDevices, arguments);
  const {
    devices = ["wasm"].filter(isThere),
    dtype = "float32",
    name = nameOf(fn as AnyFunction),
  } = options;
  if (devices.length === 0)
    throw new ArgumentError(
      'sameOnDevices: there is no device besides the reference; import "twoheads/kernels" brings wasm, and ' +
        '{ devices: ["gpu"] } names one',
    );
  const drawn: fc.Arbitrary<readonly unknown[]> = argumentsOf("sameOnDevices", draw);
  for (const device of devices) {
    deviceNamed(device);
    const asked = fc.asyncProperty(drawn, (args) =>
      agrees(
        fn as AnyFunction,
        replaceFloats(args, (x) => (x.dtype === dtype ? x : x.to(dtype))),
        device,
        options,
      ),
    );
    await checkAsyncProperty(`${name}: on ${device} as on the reference`, asked, {
      ...options,
      show: ([args]) =>
        pasteable(`${name}(${argumentsCode(replaceFloats(args, (x) => x.to(dtype)))})`),
    });
  }
}
