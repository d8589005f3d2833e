// The logistic function, which turns a difference of rewards into a probability, and its loss, without
// overflow. Next: wins.ts.

import { portable } from "../../core/index.ts";
import { accept, signatures } from "../../core/signature.ts";

const takes = signatures({
  softplus: "x: number",
  sigmoid: "x: number",
});

const { exp, log1p } = portable;

/** ln(1 + e^x) without overflow. */
export function softplus(x: number): number {
  if (typeof x !== "number" || arguments.length > 1) accept(takes.softplus, arguments); // called for every number
  return Math.max(x, 0) + log1p(exp(-Math.abs(x)));
}

/** 1 / (1 + e^-x) without overflow. */
export function sigmoid(x: number): number {
  if (typeof x !== "number" || arguments.length > 1) accept(takes.sigmoid, arguments);
  const e = exp(-Math.abs(x));
  return x >= 0 ? 1 / (1 + e) : e / (1 + e);
}
