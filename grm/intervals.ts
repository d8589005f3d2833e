// How sure a mean over a few seeds is. Student's t, because seeds are few: with 3 of them a 95 %
// interval reaches 4.3 standard errors to each side, and this is what honesty costs.
// Next: ../lab/demo/table.ts.

/** The 97.5 % quantiles of Student's t with 1, 2, ... 30 degrees of freedom. */
const quantiles = [
  12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.16, 2.145,
  2.131, 2.12, 2.11, 2.101, 2.093, 2.086, 2.08, 2.074, 2.069, 2.064, 2.06, 2.056, 2.052, 2.048,
  2.045, 2.042,
];

/** Beyond the table: the first terms of its expansion in 1/df around the normal's 1.96. */
function quantile(df: number): number {
  return quantiles[df - 1] ?? 1.96 + 2.372 / df;
}

export interface Interval {
  readonly mean: number;
  /** Half of the 95 % interval; null where there is only one number, which says nothing about chance. */
  readonly half: number | null;
  /** How many numbers it is from. */
  readonly n: number;
}

/** The mean of independent numbers with its 95 % interval. */
export function interval(values: readonly number[]): Interval {
  const n = values.length;
  const mean = values.reduce((sum, x) => sum + x, 0) / n;
  if (n < 2) return { mean, half: null, n };
  const variance = values.reduce((sum, x) => sum + (x - mean) * (x - mean), 0) / (n - 1);
  return { mean, half: quantile(n - 1) * Math.sqrt(variance / n), n };
}

/** Whether the interval leaves 0 out: 1 above, -1 below, 0 if it doesn't. */
export function signOf({ mean, half }: Interval): -1 | 0 | 1 {
  if (half === null || Math.abs(mean) <= half) return 0;
  return mean > 0 ? 1 : -1;
}
