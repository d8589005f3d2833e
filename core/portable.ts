// Elementary functions that give the same bits in every engine. The specification leaves Math.exp and others
// to the engine, and they differ in the last bit between engines and versions; IEEE 754 fixes + - * / and
// sqrt, of which these are made. Double precision, within 1 ulp (mpmath, test/portable.test.ts), with IEEE
// 754's values at zeros, infinities and NaN. Each is a reduction to a small interval, a polynomial there
// (exp, log, sin and cos: the coefficients of FreeBSD's msun, by Sun Microsystems), and the way back.
// Next: ops/functions.ts and random.ts, which use them.

/** A double and its two halves: WORDS[HIGH] holds sign, exponent and the first 20 bits. */
const DOUBLE = new Float64Array(1);
const WORDS = new Int32Array(DOUBLE.buffer);
const HIGH = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1 ? 1 : 0;

/** 2^k for k from -1074 to 1023, at k + 1074. */
const POWERS = Float64Array.from({ length: 2098 }, (_, i) => i);
POWERS[1074] = 1;
for (let k = 1; k < 1024; k++) POWERS[1074 + k] = 2 * (POWERS[1073 + k] as number);
for (let k = 1; k < 1075; k++) POWERS[1074 - k] = (POWERS[1075 - k] as number) / 2;

/** y 2^k with one rounding, for k from -1075 to 1024: in two halves, the first of which is exact. */
function timesPower(y: number, k: number): number {
  const half = k >> 1;
  return y * (POWERS[half + 1074] as number) * (POWERS[k - half + 1074] as number);
}

/** p[0] + p[1] x + ... + p[n] x^n, from the inside out. */
function polynomial(x: number, p: Float64Array): number {
  let sum = 0;
  for (let i = p.length - 1; i >= 0; i--) sum = sum * x + (p[i] as number);
  return sum;
}

// --- Exponentials ------------------------------------------------------------------------------------

/** Two parts of ln 2: the first has zeros at its end, so that k * LN2_HIGH is exact for |k| < 2^20. */
const LN2_HIGH = 0.6931471803691238;
const LN2_LOW = 1.9082149292705877e-10;

/** e^r - 1 for r = high - low, |r| <= ln 2 / 2: e^r = 1 + r + r c / (2 - c), c = r - r² (1/6 - r²/360 + ...). */
function smallExpm1(high: number, low: number): number {
  const r = high - low;
  const t = r * r;
  const c =
    r -
    t *
      (0.16666666666666602 +
        t *
          (-0.0027777777777015593 +
            t * (6.613756321437934e-5 + t * (-1.6533902205465252e-6 + t * 4.1381367970572385e-8))));
  return high - (low - (r * c) / (2 - c));
}

/** e^x. */
export function exp(x: number): number {
  if (!(x < 709.8)) return x > 0 ? Infinity : x;
  if (x < -745.2) return 0;
  const k = Math.round(x / Math.LN2);
  return timesPower(1 + smallExpm1(x - k * LN2_HIGH, k * LN2_LOW), k);
}

/** e^x - 1 = 2^k (e^r - 1) + (2^k - 1), without cancellation. */
export function expm1(x: number): number {
  if (!(x < 709.8)) return x > 0 ? Infinity : x;
  if (x < -38) return -1;
  const k = Math.round(x / Math.LN2);
  const small = smallExpm1(x - k * LN2_HIGH, k * LN2_LOW);
  if (k === 0) return x === 0 ? x : small;
  if (k > 56) return timesPower(1 + small, k);
  const power = POWERS[k + 1074] as number;
  return power * small + (power - 1);
}

/** Hyperbolic tangent, from e^2|x| - 1 or e^-2|x| - 1. */
export function tanh(x: number): number {
  const a = Math.abs(x);
  if (!(a < 22)) return Number.isNaN(x) ? x : Math.sign(x);
  if (a < 2 ** -28) return x;
  const t = expm1(a < 1 ? -2 * a : 2 * a);
  const y = a < 1 ? -t / (t + 2) : 1 - 2 / (t + 2);
  return x < 0 ? -y : y;
}

// --- Logarithms and powers ---------------------------------------------------------------------------

/** The exponent that `mantissa` found. */
let exponent = 0;

/** m of x = m 2^e with m in [√½, √2), for finite x > 0; leaves e in `exponent`. */
function mantissa(x: number): number {
  const isTiny = x < 2 ** -1022;
  DOUBLE[0] = isTiny ? x * 2 ** 54 : x;
  const e = ((WORDS[HIGH] as number) - 0x3fe6a09e) >> 20;
  WORDS[HIGH] = (WORDS[HIGH] as number) - (e << 20);
  exponent = isTiny ? e - 54 : e;
  return DOUBLE[0] as number;
}

/** Natural logarithm: of m = 1 + f it is f - f²/2 + s (f²/2 + R), s = f / (2 + f), R = 2 s² (1/3 + s²/5 + ...). */
export function log(x: number): number {
  if (!(x > 0) || x === Infinity) return x === 0 ? -Infinity : x > 0 ? x : Number.NaN;
  const f = mantissa(x) - 1;
  const e = exponent;
  const s = f / (2 + f);
  const z = s * s;
  const R =
    z *
    (0.6666666666666735 +
      z *
        (0.3999999999940942 +
          z *
            (0.2857142874366239 +
              z *
                (0.22222198432149784 +
                  z *
                    (0.1818357216161805 + z * (0.15313837699209373 + z * 0.14798198605116586))))));
  const half = 0.5 * f * f;
  return e * LN2_HIGH - (half - (s * (half + R) + e * LN2_LOW) - f);
}

/** ln(1 + x): the rounding error of u = 1 + x is put back as (x - (u - 1)) / u. */
export function log1p(x: number): number {
  const u = 1 + x;
  if (!(u > 0) || u === Infinity || x === 0) return x === 0 ? x : log(u);
  return log(u) + (x - (u - 1)) / u;
}

/** a cut to 26 bits, so that products of such halves are exact; |a| < 2^996. */
function head(a: number): number {
  const c = 134217729 * a;
  return c - (c - a);
}

/** What a b is more than its rounded `product`. */
function productError(a: number, b: number, product: number): number {
  const a1 = head(a);
  const b1 = head(b);
  const a2 = a - a1;
  const b2 = b - b1;
  return a2 * b2 - (product - a1 * b1 - a2 * b1 - a1 * b2);
}

/** 1/5, 1/7, ..., 1/25: of artanh s = s (1 + s²/3 + s⁴/5 + ...). */
const ARTANH = Float64Array.from({ length: 11 }, (_, i) => 1 / (2 * i + 5));

/** What the logarithm that `wideLog` gave is short of the true one. */
let logRest = 0;

/** ln x to some 65 bits for finite x > 0: its double; leaves the rest in `logRest`. */
function wideLog(x: number): number {
  const m = mantissa(x);
  const d = m + 1;
  const s = (m - 1) / d; // a name with Rest holds what the name is short of: here of (m - 1) / (m + 1)
  const product = s * d;
  const sRest = (m - 1 - product - productError(s, d, product) - s * (m - (d - 1))) / d;
  const z = s * s;
  const zRest = productError(s, s, z) + 2 * s * sRest;
  const third = z / 3; // of z/3 + z²/5 + ...
  const thrice = 3 * third;
  const thirdRest =
    (z - thrice - productError(3, third, thrice) + zRest) / 3 + z * z * polynomial(z, ARTANH);
  const t = s * third;
  const tRest = productError(s, third, t) + s * thirdRest + sRest * third;
  const high = exponent * LN2_HIGH; // e ln 2 + 2 (s + t), in three sums
  const sum = high + 2 * s;
  const sumRest = exponent === 0 ? 0 : high - sum + 2 * s;
  const total = sum + 2 * t;
  const rest = sum - total + 2 * t + sumRest + 2 * (sRest + tRest) + exponent * LN2_LOW;
  const y = total + rest;
  logRest = total - y + rest;
  return y;
}

/** a^b where one of them is 0, infinite or NaN, or a is ±1; undefined elsewhere. */
function powerAtEdge(a: number, b: number): number | undefined {
  if (b === 0 || a === 1) return 1;
  if (Number.isNaN(a) || Number.isNaN(b)) return Number.NaN;
  const size = Math.abs(a);
  if (Math.abs(b) === Infinity) return size === 1 ? 1 : size > 1 === b > 0 ? Infinity : 0;
  if (size !== 0 && size !== Infinity && size !== 1) return undefined;
  if (size === 1 && !Number.isInteger(b)) return Number.NaN;
  const y = size === 1 ? 1 : (size === 0) === b > 0 ? 0 : Infinity;
  const isNegative = a < 0 || Object.is(a, -0);
  return isNegative && Math.abs(b % 2) === 1 ? -y : y;
}

/** a^b = e^(b ln a), with a's sign where b is odd; IEEE 754's pow: 1 to any power and -1 to an infinite one are 1. */
export function pow(a: number, b: number): number {
  const edge = powerAtEdge(a, b);
  if (edge !== undefined) return edge;
  if (a < 0 && !Number.isInteger(b)) return Number.NaN;
  if (b === 2) return a * a;
  const ln = wideLog(Math.abs(a));
  const p = b * ln;
  const sign = a < 0 && Math.abs(b % 2) === 1 ? -1 : 1;
  if (Math.abs(p) > 750) return p > 0 ? sign * Infinity : sign * 0;
  const rest = productError(b, ln, p) + b * logRest;
  const k = Math.round(p / Math.LN2);
  return sign * timesPower(1 + smallExpm1(p - k * LN2_HIGH, k * LN2_LOW - rest), k);
}

// --- Angles ------------------------------------------------------------------------------------------

/** Three parts of π/2, the first two with 33 bits, so that products with k < 2^20 are exact (Cody and Waite). */
const HALF_PI = [1.5707963267341256, 6.077100506303966e-11, 2.0222662487959506e-21] as const;

/** What the last reduced angle is short of the true one, and how many quarter turns went. */
let angleRest = 0;
let quarters = 0;

/** x - k π/2 with |.| <= π/4; leaves the rest in `angleRest` and k modulo 4 in `quarters`. */
function reduceAngle(x: number): number {
  if (Math.abs(x) > 1e6) return reduceLargeAngle(x);
  const k = Math.round(x / (Math.PI / 2));
  const first = x - k * HALF_PI[0];
  const second = k * HALF_PI[1];
  const r = first - second;
  const third = k * HALF_PI[2] - (first - r - second);
  const y = r - third;
  angleRest = r - y - third;
  quarters = k & 3;
  return y;
}

const BITS = 1280n;
const HALF_PI_HIGH = Math.PI / 2;
const HALF_PI_LOW = 6.123233995736766e-17;

/** 2^BITS arctan(1 / n), by its series in whole numbers. */
function arctanOfInverse(n: bigint): bigint {
  let sum = 0n;
  let term = (1n << BITS) / n;
  for (let k = 1n; term !== 0n; k += 2n, term /= n * n) sum += (k % 4n === 1n ? term : -term) / k;
  return sum;
}

let twoOverPi = 0n;

/** The same for any finite x, in whole numbers: x = m 2^e, and m 2^e (2 / π) is k and a fraction. */
function reduceLargeAngle(x: number): number {
  if (twoOverPi === 0n)
    // π/4 = 4 arctan 1/5 - arctan 1/239 (Machin)
    twoOverPi = (1n << (2n * BITS)) / (8n * arctanOfInverse(5n) - 2n * arctanOfInverse(239n));
  DOUBLE[0] = x;
  const e = (((WORDS[HIGH] as number) >> 20) & 0x7ff) - 1075;
  const whole = BigInt(x / (POWERS[e + 1074] as number)) * twoOverPi; // times 2^(BITS - e)
  const bits = BITS - BigInt(e);
  const k = (whole + (1n << (bits - 1n))) >> bits;
  const fraction = (whole - (k << bits)) >> (bits - 256n);
  const turn = Number(fraction);
  const turnRest = Number(fraction - BigInt(turn));
  const y = turn * HALF_PI_HIGH;
  angleRest =
    2 ** -256 *
    (productError(turn, HALF_PI_HIGH, y) + turn * HALF_PI_LOW + turnRest * HALF_PI_HIGH);
  quarters = Number(k & 3n);
  return 2 ** -256 * y;
}

/** sin of r + rest, |r| <= π/4. */
function smallSin(r: number, rest: number): number {
  const z = r * r;
  const p =
    0.00833333333332249 +
    z *
      (-0.0001984126982985795 +
        z * (2.7557313707070068e-6 + z * (-2.5050760253406863e-8 + z * 1.58969099521155e-10)));
  return r - (z * (0.5 * rest - z * r * p) - rest + z * r * 0.16666666666666632);
}

/** cos of r + rest, |r| <= π/4. */
function smallCos(r: number, rest: number): number {
  const z = r * r;
  const p =
    z *
    (0.0416666666666666 +
      z *
        (-0.001388888888887411 +
          z *
            (2.480158728947673e-5 +
              z *
                (-2.7557314351390663e-7 +
                  z * (2.087572321298175e-9 - z * 1.1359647557788195e-11)))));
  const half = 0.5 * z;
  const y = 1 - half;
  return y + (1 - y - half + (z * p - r * rest));
}

/** sin(x + turn π/2). */
function sinFrom(x: number, turn: number): number {
  if (!Number.isFinite(x)) return Number.NaN;
  const r = reduceAngle(x);
  const k = (quarters + turn) & 3;
  const y = k & 1 ? smallCos(r, angleRest) : smallSin(r, angleRest);
  return k > 1 ? -y : y;
}

/** Sine of an angle in radians. */
export function sin(x: number): number {
  return x === 0 ? x : sinFrom(x, 0);
}

/** Cosine of an angle in radians. */
export function cos(x: number): number {
  return sinFrom(x, 1);
}

// --- The error function ------------------------------------------------------------------------------

/** 2/√π (-1)ⁿ / (n! (2n + 1)): erf x = x (1 - x²/3 + x⁴/10 - ...). */
const ERF = Float64Array.from({ length: 22 }, () => 2 / Math.sqrt(Math.PI));
for (let n = 1, factorial = 1; n < ERF.length; n++) {
  factorial *= -n;
  ERF[n] = (ERF[0] as number) / factorial / (2 * n + 1);
}
/** e^x² (1 - erf x) on [1, 6] in t = (x - 5/2) / (x + 5/2), at Chebyshev's nodes, to 3e-18 of erf. */
const ERFC = Float64Array.of(
  0.2108063640611436,
  -0.37173673394897294,
  0.2517131932174488,
  -0.12503305237891782,
  0.03992253907546523,
  -0.003993701160123029,
  -0.0026423659518134547,
  0.0008759152875774328,
  0.0002283799633257643,
  -0.00012887483134837842,
  -3.4175718896856294e-5,
  1.8596747731144528e-5,
  7.499735050763299e-6,
  -2.2328516517555215e-6,
  -1.587633893127344e-6,
);

/** The error function 2/√π ∫₀ˣ exp(-t²) dt. */
export function erf(x: number): number {
  const a = Math.abs(x);
  if (a < 1) return x * polynomial(x * x, ERF);
  if (!(a < 6)) return Number.isNaN(x) ? x : Math.sign(x); // 1 - erf 6 < 2^-53
  const y = 1 - exp(-a * a) * polynomial((a - 2.5) / (a + 2.5), ERFC);
  return x < 0 ? -y : y;
}

/**
 * The functions by name. Formulas of ops call them as `portable.exp(x)`, whatever a bundler makes of this
 * file, so that devices which compile the formulas' text can put their own in their place.
 */
export const portable = { exp, expm1, log, log1p, pow, sin, cos, tanh, erf } as const;
