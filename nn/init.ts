// How parameters begin: leaves that ask for gradients and stay when a scope ends. Each takes a generator,
// which layers fork by name, so that a layer's first values depend on the seed and its place alone.
// Next: layers.ts.

import { full, type Random, rand, randn, type Shape, scope, type Tensor } from "../core/index.ts";

/** A leaf that asks for gradients and stays until it is released. */
function parameter(make: () => Tensor): Tensor {
  return scope(make).keep().requiresGrad_();
}

/** A parameter drawn from a normal distribution around 0. */
export function normal(shape: Shape, { std, rng }: { std: number; rng: Random }): Tensor {
  return parameter(() => randn(shape, { rng }).mul(std));
}

/** A parameter drawn evenly from (-bound, bound). */
export function uniform(shape: Shape, { bound, rng }: { bound: number; rng: Random }): Tensor {
  return parameter(() =>
    rand(shape, { rng })
      .mul(2 * bound)
      .sub(bound),
  );
}

/** A parameter with the same value everywhere. */
export function filled(shape: Shape, value: number): Tensor {
  return parameter(() => full(shape, value));
}
