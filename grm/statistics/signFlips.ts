// Whether a mean is further from 0 than chance puts it: if nothing but chance said which of two was better,
// each pair's difference could as well have the other sign (Fisher 1935). With few pairs all ways to give
// signs are counted, so that p is exact: three pairs all one way are 2 of 8 ways, p = 0.25, where a
// bootstrap, which sees no other pairs than these, would be sure. Next: bootstrap.ts.

import type { Random } from "../../core/index.ts";
import { accept, signatures } from "../../core/signature.ts";
import { checkFinite } from "./finite.ts";
import { inUnits } from "./vectors.ts";

const takes = signatures({
  signFlipTest: "differences: number[], { rng: Random, rounds?: number }",
});

/** Up to so many differences that aren't 0, all 2^n ways to give them signs are counted. */
export const mostExact = 20;

/**
 * Two-sided p of the sign-flip test: the share of ways to give differences their signs whose sum is at least
 * as far from 0. Of wins and losses alone it is the sign test's. Exact where at most 20 differences aren't
 * 0 (these say nothing); else of `rounds` random ways and the one that was seen.
 */
export function signFlipTest(
  differences: ArrayLike<number>,
  options: { readonly rng: Random; readonly rounds?: number },
): number {
  accept(takes.signFlipTest, arguments);
  const { rng, rounds = 10_000 } = options;
  checkFinite(differences, (i) => `signFlipTest: the difference of item ${i + 1}`);
  const all = Array.from(inUnits(differences).values);
  const sizes = Float64Array.from(all, Math.abs)
    .filter((size) => size > 0)
    .sort()
    .reverse();
  const whole = sizes.reduce((sum, size) => sum + size, 0);
  const seen = Math.abs(all.reduce((sum, d) => sum + d, 0));
  const least = seen - sizes.length * Number.EPSILON * whole; // sums that are equal may come out apart
  if (!(least > 0)) return 1;
  if (sizes.length <= mostExact) return (2 * waysFrom(sizes, least)) / 2 ** sizes.length;
  let further = 1;
  for (let round = 0; round < rounds; round++) {
    if (Math.abs(flippedSum(sizes, rng)) >= least) further++;
  }
  return further / (rounds + 1);
}

/** How many ways to give sizes, largest first, their signs have a sum >= least. */
function waysFrom(sizes: Float64Array, least: number): number {
  const after = sizes.map((_, i) => sizes.subarray(i).reduce((sum, size) => sum + size, 0));
  const count = (i: number, sum: number): number => {
    const rest = after[i] ?? 0;
    if (sum + rest < least) return 0;
    if (sum - rest >= least) return 2 ** (sizes.length - i);
    const size = sizes[i] ?? 0;
    return count(i + 1, sum + size) + count(i + 1, sum - size);
  };
  return count(0, 0);
}

/** Σ ± sizes; one uniform number is 32 signs. */
function flippedSum(sizes: Float64Array, rng: Random): number {
  let [sum, signs] = [0, 0];
  for (let i = 0; i < sizes.length; i++) {
    signs = i % 32 === 0 ? Math.floor(rng.uniform() * 2 ** 32) : signs >>> 1;
    sum += signs & 1 ? (sizes[i] ?? 0) : -(sizes[i] ?? 0);
  }
  return sum;
}
