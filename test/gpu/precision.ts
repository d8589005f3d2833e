// How exact each mode is: float32 functions against double precision, over the numbers that networks
// meet; what becomes of NaN, infinities, denormals and zeros; and how large whole numbers stay exact.
// Runs in Node and in browsers. Next: ../gpu.test.ts, where the bounds stand.

import * as core from "../../core/index.ts";
import { type Tensor, tensor } from "../../core/index.ts";
import type { Unary } from "../../core/kinds.ts";

type Name = "exp" | "expm1" | "log" | "log1p" | "sqrt" | "rsqrt" | "sin" | "cos" | "tanh" | "erf";

/** The ranges that the bounds are for. */
export const ranges: Readonly<Record<Name, readonly [number, number]>> = {
  exp: [-20, 20],
  expm1: [-5, 5],
  log: [1e-6, 1e6],
  log1p: [-0.9, 100],
  sqrt: [0, 1e6],
  rsqrt: [1e-6, 1e6],
  sin: [-20_000, 20_000], // where float32 has digits for the reduction: see kernels/gpu/math.ts
  cos: [-20_000, 20_000],
  tanh: [-10, 10],
  erf: [-4, 4],
};

/** Largest |y - f(x)| / max(1, |f(x)|) over a range, for every function. */
export async function errors(device: string): Promise<Record<string, number>> {
  const found: Record<string, number> = {};
  for (const [name, [low, high]] of Object.entries(ranges)) {
    const xs = Float32Array.from({ length: 2001 }, (_, i) => low + ((high - low) * i) / 2000);
    const fn = (core as unknown as Record<string, Unary>)[name] as Unary;
    core.use(device);
    const actual = await fn(tensor(xs)).read();
    core.use("reference");
    const exact = fn(tensor(Float64Array.from(xs))).data as Float64Array;
    found[name] = exact.reduce<number>(
      (worst, y, i) =>
        Math.max(worst, Math.abs((actual[i] as number) - y) / Math.max(1, Math.abs(y))),
      0,
    );
  }
  return found;
}

const odd = [Number.NaN, Infinity, -Infinity, 1e-40, -0, 3e38, 1000, -1000];

/** What ops make of odd numbers, as text. */
export async function oddities(device: string): Promise<Record<string, string>> {
  core.use(device);
  const x = tensor(Float32Array.from(odd));
  const cases: Record<string, Tensor> = {
    add0: x.add(0),
    mul1: x.mul(1),
    isNaN: x.isNaN(),
    isFinite: x.isFinite(),
    maximum0: x.maximum(0),
    minimum0: x.minimum(0),
    relu: x.relu(),
    exp: x.exp(),
    log: x.log(),
    tanh: x.tanh(),
    sqrt: x.sqrt(),
    sigmoid: x.sigmoid(),
    silu: x.silu(),
    sign: x.sign(),
    eqSelf: x.eq(x),
    neSelf: x.ne(x),
    whereNe: x.ne(1000).where(1, x),
    powOfOne: tensor([1, 1, -1, -1, 1]).pow(
      tensor([Infinity, -Infinity, Infinity, -Infinity, NaN]),
    ),
    softmaxHidden: tensor([-Infinity, -Infinity]).softmax({ dim: 0 }),
    siluEnds: tensor([-Infinity, Infinity]).silu(),
    crossed: x.clamp({ min: 3, max: 0 }),
    rmsHuge: tensor([1e20, 1e20]).rmsNorm(),
    max: x.max(),
    argmax: x.argmax(),
    clamp: x.clamp({ min: -1, max: 1 }),
    pow2: x.pow(2),
    powHalf: x.pow(0.5),
    reciprocal: x.reciprocal(),
  };
  const found: Record<string, string> = {};
  for (const [name, y] of Object.entries(cases)) found[name] = String(await y.read());
  core.use("reference");
  return found;
}
