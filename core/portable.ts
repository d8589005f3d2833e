// Functions that give the same bits in every engine. The specification leaves Math.exp, log, sin, cos
// and pow to the engine, and they differ in the last bit between engines and versions; IEEE 754 fixes
// + - * / and sqrt. Whatever lies between a seed and a loss outside of a device's kernels (random
// normals, rotary tables, learning rates) uses these. Double precision, within 2 ulp where it matters.
// Next: random.ts, which draws with them.

/** Two parts of ln 2: the first has zeros at its end, so that k * LN2_HIGH is exact for |k| < 2^20. */
const LN2_HIGH = 0.6931471803691238;
const LN2_LOW = 1.9082149292705877e-10;

/** Three parts of π/2, the first two with zeros at their ends (as Cody and Waite). */
const HALF_PI = [1.5707963267341256, 6.077100506303966e-11, 2.0222662487959506e-21] as const;

/** m 2^e, exact unless it leaves the range. */
function scale(m: number, e: number): number {
  let y = m;
  for (let k = e; k > 0; k--) y *= 2;
  for (let k = e; k < 0; k++) y /= 2;
  return y;
}

/** Natural logarithm: x = m 2^e with m in [0.71, 1.42); ln m = 2 artanh t = 2 (t + t³/3 + ...), t = (m-1)/(m+1). */
export function log(x: number): number {
  if (!(x > 0) || x === Infinity) return x === 0 ? -Infinity : x === Infinity ? x : Number.NaN;
  let m = x;
  let e = 0;
  for (; m < Math.SQRT1_2; m *= 2) e--;
  for (; m >= Math.SQRT2; m /= 2) e++;
  const t = (m - 1) / (m + 1);
  const t2 = t * t; // at most 0.0295, so that 11 terms reach 2^-53
  let series = 0;
  for (let k = 21; k >= 1; k -= 2) series = series * t2 + 1 / k;
  return 2 * t * series + e * LN2_LOW + e * LN2_HIGH;
}

/** e^x = 2^k e^r with |r| <= ln 2 / 2, and e^r by its series. */
export function exp(x: number): number {
  if (Number.isNaN(x)) return x;
  if (x > 710) return Infinity;
  if (x < -746) return 0;
  const k = Math.round(x / Math.LN2);
  const r = x - k * LN2_HIGH - k * LN2_LOW;
  let series = 1;
  for (let n = 18; n >= 1; n--) series = 1 + (r * series) / n; // 0.35^18 / 18! < 2^-53
  return scale(series, k);
}

/** a^b: by squaring for whole b, else exp(b ln a), which needs a >= 0. */
export function pow(a: number, b: number): number {
  if (!Number.isInteger(b)) return a === 0 ? (b > 0 ? 0 : Infinity) : exp(b * log(a));
  let y = 1;
  for (let square = a, n = Math.abs(b); n > 0; n = Math.floor(n / 2), square *= square)
    if (n % 2 === 1) y *= square;
  return b < 0 ? 1 / y : y;
}

/** x - k π/2 with |.| <= π/4, and k modulo 4. Exact to double precision for |x| < 10^6. */
function quarter(x: number): { r: number; k: number } {
  const k = Math.round(x / (Math.PI / 2));
  const r = x - k * HALF_PI[0] - k * HALF_PI[1] - k * HALF_PI[2];
  return { r, k: ((k % 4) + 4) % 4 };
}

/** r - r³/3! + r⁵/5! - ... */
function sineSeries(r: number): number {
  let series = 1;
  for (let n = 20; n >= 2; n -= 2) series = 1 - (r * r * series) / (n * (n + 1));
  return r * series;
}

/** 1 - r²/2! + r⁴/4! - ... */
function cosineSeries(r: number): number {
  let series = 1;
  for (let n = 20; n >= 2; n -= 2) series = 1 - (r * r * series) / (n * (n - 1));
  return series;
}

/** Sine of an angle in radians. */
export function sin(x: number): number {
  const { r, k } = quarter(x);
  const value = k % 2 === 0 ? sineSeries(r) : cosineSeries(r);
  return k < 2 ? value : -value;
}

/** Cosine of an angle in radians. */
export function cos(x: number): number {
  const { r, k } = quarter(x);
  const value = k % 2 === 0 ? cosineSeries(r) : sineSeries(r);
  return k === 0 || k === 3 ? value : -value;
}
