// What shaders do differently from JavaScript, put right once: functions that kernels call in place of
// Math's own. Shading languages may drop NaN (exp(NaN) came back as infinity), have log(0) = -88, no
// expm1 and log1p worth the name, tanh that overflows, sin with four digits, and divisions that miss a whole
// number by a bit.
// All are plain TypeScript, so that gpu.js can translate them and anybody can read them.
// Next: formulas.ts, which puts them into the formulas of the op table.

/** floor(i / n) for whole numbers below 2^24: the quotient may come out one off, and the remainder shows it. */
export function quotient(i: number, n: number): number {
  let q = Math.floor(i / n);
  const r = i - q * n;
  if (r < 0) {
    q -= 1;
  }
  if (r >= n) {
    q += 1;
  }
  return q;
}

/** The line of element i where lines of n elements lie `inner` apart. */
export function lineOf(i: number, n: number, inner: number): number {
  const q = quotient(i, inner);
  return quotient(q, n) * inner + i - q * inner;
}

/** Among the key heads of all batches, the one that a head shares; H heads a batch, `group` to a key head. */
export function keyHeadOf(head: number, H: number, group: number): number {
  const batch = quotient(head, H);
  return batch * quotient(H, group) + quotient(head - batch * H, group);
}

/** e^x; NaN stays NaN. */
export function expOf(x: number): number {
  if (x === x) {
    return Math.exp(x);
  }
  return x;
}

/** ln x; -infinity at 0, NaN below. */
export function logOf(x: number): number {
  if (x > 0) {
    if (x < 3.4e38) {
      return Math.log(x);
    }
    return x;
  }
  if (x === 0) {
    return 0 - expOf(1000);
  }
  return Math.sqrt(0 - Math.abs(x));
}

/** e^x - 1: its series near 0, where the difference would cancel. */
export function expm1Of(x: number): number {
  if (Math.abs(x) < 0.5) {
    let sum = 1;
    for (let n = 9; n > 1; n -= 1) {
      sum = 1 + (x / n) * sum;
    }
    return x * sum;
  }
  return expOf(x) - 1;
}

/** ln(1 + x): 2 artanh(x / (2 + x)) near 0, by its series. */
export function log1pOf(x: number): number {
  if (Math.abs(x) < 0.5) {
    const s = x / (2 + x);
    let sum = 0;
    for (let n = 15; n > 0; n -= 2) {
      sum = sum * s * s + 1 / n;
    }
    return 2 * s * sum;
  }
  return logOf(1 + x);
}

/** tanh x = (1 - e^-2|x|) / (1 + e^-2|x|) with the sign of x. */
export function tanhOf(x: number): number {
  const e = expOf(0 - 2 * Math.abs(x));
  const y = (0 - expm1Of(0 - 2 * Math.abs(x))) / (1 + e);
  if (x < 0) {
    return 0 - y;
  }
  return y;
}

/**
 * (-1)^k sin(x - turns π) by its series. π is in three parts, so that the difference is exact for up to 2^13
 * turns: sin and cos hold to 1e-6 for angles up to 20,000. Beyond, float32 has too few digits for the
 * difference: the CPU devices reduce angles of any size.
 */
export function turnedSin(x: number, turns: number, k: number): number {
  const r = x - turns * 3.140625 - turns * 0.0009675025939941406 - turns * 1.509957990978376e-7;
  const s = r * r;
  const y =
    r *
    (1 -
      (s / 6) * (1 - (s / 20) * (1 - (s / 42) * (1 - (s / 72) * (1 - (s / 110) * (1 - s / 156))))));
  if (k - 2 * Math.floor(k / 2) > 0) {
    return 0 - y;
  }
  return y;
}

/** sin x, from x less the nearest multiple of π. */
export function sinOf(x: number): number {
  const k = Math.floor(x * 0.3183098861837907 + 0.5);
  return turnedSin(x, k, k);
}

/** cos x = sin(x + π/2), from x less the nearest odd multiple of π/2. */
export function cosOf(x: number): number {
  const k = Math.floor(x * 0.3183098861837907 + 1);
  return turnedSin(x, k - 0.5, k);
}

/**
 * The error function. Below 3 its Maclaurin series in the form without cancellation, erf x =
 * 2/√π exp(-x²) Σ 2ⁿ x²ⁿ⁺¹ / (2n+1)!! (Abramowitz and Stegun 7.1.6); from 3 on 1 - erfc x with erfc's
 * continued fraction (7.1.14), run from its 12th term inwards.
 */
export function erfOf(x: number): number {
  const z = Math.abs(x);
  if (z < 3) {
    let term = x;
    let sum = x;
    for (let n = 1; n < 40; n++) {
      term *= (2 * x * x) / (2 * n + 1);
      sum += term;
    }
    return 1.1283791670955126 * expOf(0 - x * x) * sum;
  }
  if (z >= 6) {
    if (x < 0) {
      return 0 - 1;
    }
    return 1;
  }
  if (z >= 3) {
    let fraction = z;
    for (let n = 12; n >= 1; n -= 1) {
      fraction = z + n / 2 / fraction;
    }
    const y = 1 - expOf(0 - z * z) / (1.7724538509055159 * fraction);
    if (x < 0) {
      return 0 - y;
    }
    return y;
  }
  return x;
}

/**
 * The larger of two; NaN if either is. Only equal numbers meet Math.max: NVIDIA's compiler takes `a === a ?
 * Math.max(a, b) : a` for the card's own max, which drops NaN.
 */
export function maxOf(a: number, b: number): number {
  if (a > b) {
    return a;
  }
  if (b > a) {
    return b;
  }
  if (a === b) {
    return Math.max(a, b); // of 0 and -0, 0
  }
  return a + b;
}

/** The smaller of two; NaN if either is. Written out for maxOf's reason. */
export function minOf(a: number, b: number): number {
  if (a < b) {
    return a;
  }
  if (b < a) {
    return b;
  }
  if (a === b) {
    return Math.min(a, b); // of 0 and -0, -0
  }
  return a + b;
}

/** a^b = |a|^b, with the sign of a where b is odd; NaN for a negative base and a broken exponent. */
export function powOf(a: number, b: number): number {
  if (b === 0) {
    return 1;
  }
  if (a === 1) {
    return 1;
  }
  if (a === 0 - 1) {
    if (Math.abs(b) > 3.4028234e38) {
      return 1;
    }
  }
  if (a === 0) {
    if (b > 0) {
      return 0;
    }
    if (b < 0) {
      return expOf(1000);
    }
    return b;
  }
  const size = expOf(b * logOf(Math.abs(a)));
  if (a > 0) {
    return size;
  }
  const whole = Math.floor(b);
  if (whole === b) {
    if (whole - 2 * Math.floor(whole / 2) > 0) {
      return 0 - size;
    }
    return size;
  }
  if (a < 0 - 3.4e38) {
    return size;
  }
  return Math.sqrt(a);
}

/** The whole part of x. */
export function truncate(x: number): number {
  if (x < 0) {
    return Math.ceil(x);
  }
  return Math.floor(x);
}
