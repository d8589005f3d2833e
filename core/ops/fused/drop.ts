// Which elements dropout drops: a function of a seed and a place. So the mask needs no memory, and another
// device, another number of threads or attention's pattern has the same one. Next: dropout.ts.

import type { DType } from "../../dtype.ts";
import { ArgumentError } from "../../errors.ts";
import type { Random } from "../../random.ts";
import { type Shape, sizeOf } from "../../shape.ts";
import { fromData, type Tensor } from "../../tensor.ts";

/** A dropout: how likely an element is dropped, and the seed of the mask. */
export interface Drop {
  readonly p: number;
  readonly seed: number;
}

/**
 * Whether element i survives: a hash of seed and i, so that the mask needs no memory and is the same on
 * every device and thread. The mixing steps are MurmurHash3's 32-bit finaliser.
 */
export function survives(i: number, { p, seed }: Drop): boolean {
  let h = (Math.imul(i, 0x9e3779b9) + seed) | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  h ^= h >>> 16;
  return (h >>> 8) / 2 ** 24 >= Math.fround(p);
}

/** What the others are multiplied by: 1 / (1 - p) in the precision of the dtype. */
export function scaleOf(p: number, dtype: DType): number {
  if (p === 1) return 0;
  return dtype === "float64" ? 1 / (1 - p) : Math.fround(1 / Math.fround(1 - p));
}

/** The mask as numbers: 0 where dropped, else the scale. */
export function dropMask(x: Tensor, shape: Shape, drop: Drop): Tensor {
  const data = new Float64Array(sizeOf(shape));
  for (let i = 0; i < data.length; i++) data[i] = survives(i, drop) ? scaleOf(drop.p, x.dtype) : 0;
  return fromData(data, shape, "float64", x.device).to(x.dtype);
}

/** The probability, checked, and the seed that one draw of `rng` gives. */
export function checkDrop(name: string, p: number, rng: Random | undefined): Drop {
  if (!(p >= 0 && p <= 1))
    throw new ArgumentError(`${name}: the probability ${p} must be in [0, 1]`);
  return { p, seed: p > 0 && rng ? rng.integer(-(2 ** 31), 2 ** 31) : 0 };
}
