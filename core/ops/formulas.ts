// Formulas of one number that more than one op is made of. Next: activations.ts.

import { portable } from "../portable.ts";

/** 1 / (1 + e^-x), in the form that doesn't overflow. */
export function sigmoidOf(x: number): number {
  if (x >= 0) return 1 / (1 + portable.exp(-x));
  const e = portable.exp(x);
  return e / (1 + e);
}

/** ln(1 + e^x), in the form that neither overflows nor cancels. */
export function softplusOf(x: number): number {
  return Math.max(x, 0) + portable.log1p(portable.exp(-Math.abs(x)));
}
