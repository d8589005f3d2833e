// The logistic function, which turns a difference of rewards into a probability, and its loss, without
// overflow. Next: wins.ts.

import { portable } from "../../core/index.ts";

const { exp, log1p } = portable;

/** ln(1 + e^x) without overflow. */
export function softplus(x: number): number {
  return Math.max(x, 0) + log1p(exp(-Math.abs(x)));
}

/** 1 / (1 + e^-x) without overflow. */
export function sigmoid(x: number): number {
  const e = exp(-Math.abs(x));
  return x >= 0 ? 1 / (1 + e) : e / (1 + e);
}
