// Elementary functions, four floats at a time, from arithmetic alone: the same bits on every
// machine and browser, which the engine's own Math.exp and kin do not promise. exp, log, tanh and
// erf stay within 4 ulp over the whole range, and infinities, NaN, signed zeros and denormals come
// out as IEEE 754 would have them.
//
// Each is a reduction to a small interval, a polynomial there (least maximal error, fitted in 40
// digits), and the way back. Constants are read from memory: a v128 constant in the code costs the
// engine several instructions each time round. `pmin` and `pmax` are one instruction where `min`
// and `max` are seven; with x first they let NaN through.
// Read next: unary.as.ts, which loops these over arrays.

import { c, promoteHigh } from "./lanes.as";

const ONE = memory.data<f32>([1]);
const TWO = memory.data<f32>([2]);
const HALF = memory.data<f32>([0.5]);
const ABS = memory.data<i32>([0x7fffffff]);
const INFINITY = memory.data<f32>([f32.MAX_VALUE * 2]);
const LOG2E = memory.data<f32>([1.44269504]);
// ln 2 in two parts; the first has nine bits, so its product with any exponent is exact.
const LN2_HIGH = memory.data<f32>([0.693359375]);
const LN2_LOW = memory.data<f32>([-0.00021219444170128554]);
// 1.5 * 2^23: adding it rounds to an integer and leaves that integer in the low bits.
const MAGIC = memory.data<f32>([12582912]);
const BIAS = memory.data<i32>([127]);

/** x with the sign bit cleared. */
@inline
export function absolute(x: v128): v128 {
  return v128.and(x, c(ABS));
}

/** |x| with the sign of s. */
@inline
function withSign(x: v128, s: v128): v128 {
  return v128.bitselect(x, s, c(ABS));
}

// P[0] + P[1] x + ... + P[n] x^n, from the inside out.
@inline
function poly1(x: v128, P: usize): v128 {
  return f32x4.add(c(P), f32x4.mul(x, c(P + 4)));
}
@inline
function poly2(x: v128, P: usize): v128 {
  return f32x4.add(c(P), f32x4.mul(x, poly1(x, P + 4)));
}
@inline
function poly3(x: v128, P: usize): v128 {
  return f32x4.add(c(P), f32x4.mul(x, poly2(x, P + 4)));
}
@inline
function poly4(x: v128, P: usize): v128 {
  return f32x4.add(c(P), f32x4.mul(x, poly3(x, P + 4)));
}
@inline
function poly5(x: v128, P: usize): v128 {
  return f32x4.add(c(P), f32x4.mul(x, poly4(x, P + 4)));
}
@inline
function poly6(x: v128, P: usize): v128 {
  return f32x4.add(c(P), f32x4.mul(x, poly5(x, P + 4)));
}
@inline
function poly7(x: v128, P: usize): v128 {
  return f32x4.add(c(P), f32x4.mul(x, poly6(x, P + 4)));
}
@inline
function poly8(x: v128, P: usize): v128 {
  return f32x4.add(c(P), f32x4.mul(x, poly7(x, P + 4)));
}

// poly4 from pairs of terms upwards (Estrin), so that less waits for what isn't yet computed.
@inline
function pairs4(x: v128, x2: v128, P: usize): v128 {
  const upper = f32x4.add(poly1(x, P + 8), f32x4.mul(x2, c(P + 16)));
  return f32x4.add(poly1(x, P), f32x4.mul(x2, upper));
}

/** 2^i for integers -126 <= i <= 127. */
@inline
function power2(i: v128): v128 {
  return i32x4.shl(i32x4.add(i, c(BIAS)), 23);
}

// (exp(r) - 1 - r) / r² on |r| <= ln(2)/2, relative error 3e-9.
const EXP = memory.data<f32>([
  0.5, 0.166665181517601, 0.04166620597243309, 0.008368954062461853, 0.0013950599823147058,
]);
const EXP_LEAST = memory.data<f32>([-104]); // below it, zero
const EXP_MOST = memory.data<f32>([89]); // above it, infinity

/** x = n ln 2 + r; returns exp(r) - 1. `t` is x / ln 2 + MAGIC. */
@inline
function reducedExp(x: v128, t: v128): v128 {
  const n = f32x4.sub(t, c(MAGIC));
  const r = f32x4.sub(f32x4.sub(x, f32x4.mul(n, c(LN2_HIGH))), f32x4.mul(n, c(LN2_LOW)));
  const r2 = f32x4.mul(r, r);
  return f32x4.add(r, f32x4.mul(r2, pairs4(r, r2, EXP)));
}

@inline
function timesLog2e(x: v128): v128 {
  return f32x4.add(f32x4.mul(x, c(LOG2E)), c(MAGIC));
}

/** exp(x) over the whole range, denormal results included. */
@inline
export function exp4(x: v128): v128 {
  return expWithin(f32x4.pmin(f32x4.pmax(x, c(EXP_LEAST)), c(EXP_MOST)));
}

/** The same for EXP_LEAST <= x <= EXP_MOST: 2^n is applied in two halves. */
@inline
function expWithin(x: v128): v128 {
  const t = timesLog2e(x);
  const p = f32x4.add(c(ONE), reducedExp(x, t));
  const n = i32x4.sub(t, c(MAGIC));
  const half = i32x4.shr_s(n, 1);
  return f32x4.mul(f32x4.mul(p, power2(half)), power2(i32x4.sub(n, half)));
}

// For softmax, where denormal results mean nothing and cost much, and x is at most a little above 0:
// 2 exp(r) times 2^(n - 1), whose bits are (n + 126) << 23, which is 0 for n = -126. So results below
// 2^-125.5 are exact zeros without a comparison, and FLUSH_MAGIC leaves n + 126 in the low bits.
const FLUSH_MAGIC = memory.data<f32>([12583038]);
const FLUSH_LEAST = memory.data<f32>([-87.3]); // n = -126
// 2 exp(r) on |r| <= ln(2)/2, relative error 3e-10, and 2 2^r on |r| <= 1/2, 9e-8.
const TWICE_EXP = memory.data<f32>([
  2, 2, 1, 0.333330363035202, 0.08333241194486618, 0.016737908124923706, 0.0027901199646294117,
]);
const TWICE_EXP2 = memory.data<f32>([
  2, 1.3862939552109832, 0.4804448424107617, 0.11101467295912056, 0.0193430211960227,
  0.0026529532990672683,
]);
const FLUSH_LEAST2 = memory.data<f32>([-126]);

/** exp(x) for x <= 88; below -87 an exact zero. */
@inline
export function expFlush4(x: v128): v128 {
  x = f32x4.pmax(x, c(FLUSH_LEAST));
  const t = f32x4.add(f32x4.mul(x, c(LOG2E)), c(FLUSH_MAGIC));
  const n = f32x4.sub(t, c(FLUSH_MAGIC));
  const r = f32x4.sub(f32x4.sub(x, f32x4.mul(n, c(LN2_HIGH))), f32x4.mul(n, c(LN2_LOW)));
  return f32x4.mul(poly6(r, TWICE_EXP), i32x4.shl(t, 23));
}

/** 2^x for x <= 127; below -125.5 an exact zero. For attention, whose scores are in these units. */
@inline
export function exp2Flush4(x: v128): v128 {
  x = f32x4.pmax(x, c(FLUSH_LEAST2));
  const t = f32x4.add(x, c(FLUSH_MAGIC));
  const r = f32x4.sub(x, f32x4.sub(t, c(FLUSH_MAGIC)));
  return f32x4.mul(poly5(r, TWICE_EXP2), i32x4.shl(t, 23));
}

const EXPM1_LEAST = memory.data<f32>([-30]);
const EXPM1_MOST = memory.data<f32>([32]); // above it, exp(x) - 1 rounds to exp(x)

/** exp(x) - 1 for x <= 32 without cancellation: 2^n (exp(r) - 1) + (2^n - 1). */
@inline
function smallExpm1(x: v128): v128 {
  x = f32x4.pmin(f32x4.pmax(x, c(EXPM1_LEAST)), c(EXPM1_MOST));
  const t = timesLog2e(x);
  const scale = power2(i32x4.sub(t, c(MAGIC)));
  return f32x4.add(f32x4.mul(scale, reducedExp(x, t)), f32x4.sub(scale, c(ONE)));
}

@inline
export function expm14(x: v128): v128 {
  const y = v128.bitselect(exp4(x), smallExpm1(x), f32x4.gt(x, c(EXPM1_MOST)));
  return v128.bitselect(x, y, f32x4.eq(x, f32x4.sub(x, x))); // zeros keep their sign
}

const SQRT_HALF = memory.data<f32>([0.70710678]);
const LEAST_NORMAL = memory.data<f32>([1.17549435e-38]);
const TWO_TO_23 = memory.data<f32>([8388608]);
const TWENTY_THREE = memory.data<f32>([23]);
// (log(1 + f) - f + f²/2) / f³ on sqrt(1/2) <= 1 + f < sqrt(2), relative error of the whole 1e-8.
const LOG = memory.data<f32>([
  0.3333331048488617, -0.24999986588954926, 0.20002152025699615, -0.16669197380542755,
  0.14219918847084045, -0.12385798245668411, 0.1186603531241417, -0.11779666692018509,
  0.06917984038591385,
]);

/** log(x): x = 2^e (1 + f), so e ln 2 + log(1 + f). */
@inline
export function log4(x: v128): v128 {
  const small = f32x4.lt(x, c(LEAST_NORMAL));
  const bits = v128.bitselect(f32x4.mul(x, c(TWO_TO_23)), x, small);
  const exponent = i32x4.shr_s(i32x4.sub(bits, c(SQRT_HALF)), 23);
  const f = f32x4.sub(i32x4.sub(bits, i32x4.shl(exponent, 23)), c(ONE));
  const e = f32x4.sub(f32x4.convert_i32x4_s(exponent), v128.and(small, c(TWENTY_THREE)));
  const f2 = f32x4.mul(f, f);
  let y = f32x4.mul(f32x4.mul(f2, f), poly8(f, LOG));
  y = f32x4.add(y, f32x4.mul(e, c(LN2_LOW)));
  y = f32x4.sub(y, f32x4.mul(c(HALF), f2));
  y = f32x4.add(f32x4.add(f, y), f32x4.mul(e, c(LN2_HIGH)));
  y = v128.bitselect(y, x, f32x4.lt(x, c(INFINITY))); // infinity and NaN stay
  const edge = f32x4.sub(f32x4.sqrt(x), c(INFINITY)); // -infinity at 0, NaN below
  return v128.bitselect(edge, y, f32x4.le(x, f32x4.splat(0)));
}

/** log(1 + x): the rounding error of u = 1 + x is put back as (x - (u - 1)) / u. */
@inline
export function log1p4(x: v128): v128 {
  const u = f32x4.add(c(ONE), x);
  const lost = f32x4.div(f32x4.sub(x, f32x4.sub(u, c(ONE))), u);
  const regular = v128.and(f32x4.gt(u, f32x4.splat(0)), f32x4.lt(u, c(INFINITY)));
  return f32x4.add(log4(u), v128.and(lost, regular));
}

/** tanh(x) = (e^2|x| - 1) / (e^2|x| + 1), with the sign of x. */
@inline
export function tanh4(x: v128): v128 {
  const u = smallExpm1(f32x4.mul(c(TWO), absolute(x)));
  return withSign(f32x4.div(u, f32x4.add(u, c(TWO))), x);
}

/** 1 / (1 + e^-x), from e^-|x| so that nothing overflows and small results keep their digits. */
@inline
export function sigmoid4(x: v128): v128 {
  return sigmoidFrom(x, expWithin(f32x4.pmax(f32x4.neg(absolute(x)), c(EXP_LEAST))));
}

/** The sigmoid of x, given e = e^-|x|. */
@inline
function sigmoidFrom(x: v128, e: v128): v128 {
  const above = v128.bitselect(e, c(ONE), f32x4.lt(x, f32x4.splat(0)));
  return f32x4.div(above, f32x4.add(c(ONE), e));
}

/** x sigmoid(x); x stops at where that is 0, so that -infinity gives 0. */
@inline
export function silu4(x: v128): v128 {
  return f32x4.mul(f32x4.pmax(x, c(EXP_LEAST)), sigmoid4(x));
}

/** (x sigmoid(x))'; x stops on both sides at where that is 0 and 1, so that infinities give the limits. */
@inline
export function siluSlope4(x: v128): v128 {
  x = f32x4.pmin(f32x4.pmax(x, c(EXP_LEAST)), f32x4.neg(c(EXP_LEAST)));
  const s = sigmoidFrom(x, expWithin(f32x4.neg(absolute(x))));
  return f32x4.add(s, f32x4.mul(f32x4.mul(x, s), f32x4.sub(c(ONE), s)));
}

/** log(1 + e^x) = max(x, 0) + log(1 + e^-|x|). */
@inline
export function softplus4(x: v128): v128 {
  const tail = log1p4(exp4(f32x4.neg(absolute(x))));
  return f32x4.add(f32x4.pmax(x, f32x4.splat(0)), tail);
}

const ERF_SPLIT = memory.data<f32>([0.925]);
const ERF_MOST = memory.data<f32>([3.95]); // above it, 1
// erf(x) / x as a polynomial in x² below the split; log(1 - erf(x)) above it.
const ERF_BELOW = memory.data<f32>([
  1.128379225730896, -0.37612634897232056, 0.11283694207668304, -0.02685927040874958,
  0.005200634244829416, -0.0008137437398545444, 8.345224341610447e-5,
]);
const ERF_ABOVE = memory.data<f32>([
  0.00017468578880652785, -1.1295149326324463, -0.6333469152450562, -0.10828010737895966,
  0.025119438767433167, -0.004171067848801613, 0.0004344636690802872, -2.1095145712024532e-5,
]);

@inline
export function erf4(x: v128): v128 {
  const a = f32x4.pmin(absolute(x), c(ERF_MOST));
  const above = f32x4.sub(c(ONE), expFlush4(poly7(a, ERF_ABOVE)));
  const below = f32x4.mul(a, poly6(f32x4.mul(a, a), ERF_BELOW));
  return withSign(v128.bitselect(above, below, f32x4.gt(a, c(ERF_SPLIT))), x);
}

// Phi, the normal distribution function, and the slope of x Phi(x) are both 1/2 and an odd function,
// here x P(x²) / Q(x²) with P and Q of degree 5 (least maximal error 5e-9 and 1.1e-7; rounding makes
// it 2.2e-7 and 3.6e-7). |x| ends at a number where the quotient rounds to exactly 1/2, so beyond it
// they are exactly 0 and 1. One division and twenty-odd operations: half of what an exponential, a
// reciprocal and a polynomial in it take. A table is where |x| ends, P[0..5] and Q[0..5].
const CDF = memory.data<f32>([
  5.35,
  0.3989422498894739, 0.03315073288795205, 0.004639114234563066, 0.00016228557156714138,
  6.368225655277945e-6, 2.3713008182765157e-8,
  1, 0.24976272673036362, 0.028256610833737487, 0.0018475216672593213, 7.185797720882937e-5,
  1.2266342363543255e-6,
]);
const SLOPE = memory.data<f32>([
  5.8999996,
  0.7978853577115865, -0.030997736535437834, 0.014230464596802278, 1.9183077540266416e-5,
  3.595671352591786e-5, 1.9294402664432047e-7,
  1, 0.29449168887111277, 0.040979597752602626, 0.003522989235954651, 0.00019202528343214203,
  8.952892236576755e-6,
]);
// The same for (1 + tanh u) / 2 with u = sqrt(2/pi) (x + 0.044715 x³), which GPT-2 has in Phi's place
// (fitted to 4.8e-9 and 2.7e-7; rounding makes it 1.6e-7 and 4.3e-7).
const TANH_CDF = memory.data<f32>([
  4.9295,
  0.39894231319151086, 0.030626950324751667, 0.0036224219439304466, 0.00013370156144326966,
  6.839071088796817e-6, 2.225660203712091e-8,
  1, 0.24426259082465487, 0.024419129931971928, 0.0012961503470763538, 7.485864861525796e-5,
  1.2496142606226183e-6,
]);
const TANH_SLOPE = memory.data<f32>([
  5.2785,
  0.7978864485287231, -0.039287304140141255, 0.013176379449041545, -0.00015966656456110038,
  3.233193332545623e-5, 1.5858586915238918e-7,
  1, 0.2857622234711447, 0.03548403399164488, 0.002270000465805269, 0.00013910412492008163,
  7.906968728678594e-6,
]);

// Left of -3.5 a half and its opposite cancel: what is right there is e^-x²/2, or e^2u, times a function that
// hardly bends. Few numbers are there, and right of 3.5, where |x| ends: unary.as.ts looks for them first.
const FAR = memory.data<f32>([12.25]); // 3.5²
const TAIL = memory.data<f32>([-3.5]);
const TAIL_LEAST = memory.data<f32>([-15]); // below it, zero
const MINUS_HALF = memory.data<f64>([-0.5]);
// -x Phi(x) e^x²/2, and its slope's part in x: P(x²) / Q(x²) of degree 3, relative error 9e-10 and 3e-10.
// A table is P[0..3] and Q[0..3].
const CDF_TAIL = memory.data<f32>([
  4.559556007385254, 14.641057014465332, 5.3374505043029785, 0.3989422619342804,
  31.316225051879883, 48.079505920410156, 14.378997802734375, 1,
]);
const SLOPE_TAIL = memory.data<f32>([
  -3.3433187007904053, 4.1842827796936035, 3.5917725563049316, 0.3989422917366028,
  4.0975236892700195, 19.491849899291992, 10.0032377243042, 1,
]);
// 2u = x (A + B x²), and its slope A + 3 B x².
const TWICE_U = memory.data<f64>([1.5957691216057308, 0.07135481627260025]);
const TWICE_U_SLOPE = memory.data<f32>([1.5957691216057308, 0.21406444881780074]);

/** 1/2 + x P(x²) / Q(x²) of a table, for |x| where it ends at most; NaN stays. */
@inline
function halfAndOdd(x: v128, table: usize): v128 {
  const u = f32x4.mul(x, x);
  return f32x4.add(
    c(HALF),
    f32x4.div(f32x4.mul(x, poly5(u, table + 4)), poly5(u, table + 28)),
  );
}

/** e^y of four doubles: floats would leave too few digits behind the point of a large y. */
@inline
function expWide(low: v128, high: v128): v128 {
  const y = demote(low, high);
  const rest = demote(
    f64x2.sub(low, f64x2.promote_low_f32x4(y)),
    f64x2.sub(high, promoteHigh(y)),
  );
  const e = exp4(y);
  return f32x4.add(e, f32x4.mul(e, rest));
}

@inline
function demote(low: v128, high: v128): v128 {
  const a = f32x4.demote_f64x2_zero(low),
    b = f32x4.demote_f64x2_zero(high);
  return v128.shuffle<f32>(a, b, 0, 1, 4, 5);
}

@inline
function minusHalfSquare(x: v128): v128 {
  return f64x2.mul(f64x2.mul(x, x), v128.load64_splat(MINUS_HALF));
}

/** e^-x²/2 P(x²) / Q(x²) of a table. */
@inline
function normalTail(x: v128, table: usize): v128 {
  const e = expWide(minusHalfSquare(f64x2.promote_low_f32x4(x)), minusHalfSquare(promoteHigh(x)));
  const u = f32x4.mul(x, x);
  return f32x4.mul(e, f32x4.div(poly3(u, table), poly3(u, table + 16)));
}

@inline
function twiceU(x: v128): v128 {
  const bend = f64x2.mul(f64x2.mul(x, x), v128.load64_splat(TWICE_U + 8));
  return f64x2.mul(x, f64x2.add(bend, v128.load64_splat(TWICE_U)));
}

/** (1 + tanh u) / 2. */
@inline
function tanhTail(x: v128): v128 {
  const e = expWide(twiceU(f64x2.promote_low_f32x4(x)), twiceU(promoteHigh(x)));
  return f32x4.div(e, f32x4.add(c(ONE), e));
}

/** Whether some |x| of these 16 is 3.5 or more, or NaN: as whole numbers, floats >= 0 and NaN are in order. */
@inline
export function anyFar(a: v128, b: v128, c4: v128, d: v128): bool {
  const ab = i32x4.max_u(f32x4.mul(a, a), f32x4.mul(b, b));
  const cd = i32x4.max_u(f32x4.mul(c4, c4), f32x4.mul(d, d));
  return v128.any_true(i32x4.ge_u(i32x4.max_u(ab, cd), c(FAR)));
}

// For |x| < 3.5.

/** x Phi(x). */
@inline
export function geluNear4(x: v128): v128 {
  return f32x4.mul(x, halfAndOdd(x, CDF));
}

/** x (1 + tanh u) / 2. */
@inline
export function geluTanhNear4(x: v128): v128 {
  return f32x4.mul(x, halfAndOdd(x, TANH_CDF));
}

/** (x Phi(x))' = Phi(x) + x phi(x). */
@inline
export function geluSlopeNear4(x: v128): v128 {
  return halfAndOdd(x, SLOPE);
}

/** (x (1 + tanh u) / 2)' = (1 + tanh u) / 2 + x (1 - tanh² u) u' / 2. */
@inline
export function geluTanhSlopeNear4(x: v128): v128 {
  return halfAndOdd(x, TANH_SLOPE);
}

// The same for every x; in the tail they are -e^-x²/2 P / Q, x e^-x²/2 P / Q, and with s = e^2u / (1 + e^2u),
// which is (1 + tanh u) / 2: x s, and s + x s (1 - s) 2u'.

@inline
function inTail(x: v128): v128 {
  return f32x4.le(x, c(TAIL));
}

@inline
export function gelu4(x: v128): v128 {
  const y = f32x4.mul(x, halfAndOdd(f32x4.pmin(x, c(CDF)), CDF));
  if (!v128.any_true(inTail(x))) return y;
  const z = f32x4.pmax(x, c(TAIL_LEAST));
  return v128.bitselect(f32x4.neg(normalTail(z, CDF_TAIL)), y, inTail(x));
}

@inline
export function geluSlope4(x: v128): v128 {
  const y = halfAndOdd(f32x4.pmin(x, c(SLOPE)), SLOPE);
  if (!v128.any_true(inTail(x))) return y;
  const z = f32x4.pmax(x, c(TAIL_LEAST));
  return v128.bitselect(f32x4.mul(z, normalTail(z, SLOPE_TAIL)), y, inTail(x));
}

@inline
export function geluTanh4(x: v128): v128 {
  const y = f32x4.mul(x, halfAndOdd(f32x4.pmin(x, c(TANH_CDF)), TANH_CDF));
  if (!v128.any_true(inTail(x))) return y;
  const z = f32x4.pmax(x, c(TAIL_LEAST));
  return v128.bitselect(f32x4.mul(z, tanhTail(z)), y, inTail(x));
}

@inline
export function geluTanhSlope4(x: v128): v128 {
  const y = halfAndOdd(f32x4.pmin(x, c(TANH_SLOPE)), TANH_SLOPE);
  if (!v128.any_true(inTail(x))) return y;
  const z = f32x4.pmax(x, c(TAIL_LEAST)),
    s = tanhTail(z);
  const steep = f32x4.add(c(TWICE_U_SLOPE), f32x4.mul(f32x4.mul(z, z), c(TWICE_U_SLOPE + 4)));
  const bend = f32x4.mul(f32x4.mul(z, steep), f32x4.sub(c(ONE), s));
  return v128.bitselect(f32x4.mul(s, f32x4.add(c(ONE), bend)), y, inTail(x));
}

// Angles are reduced in double precision: x - n pi/2, pi/2 in two parts of which the first has 33
// bits.
const TWO_OVER_PI = memory.data<f64>([0.6366197723675814]);
const PI_2_HIGH = memory.data<f64>([1.5707963267341256]);
const PI_2_LOW = memory.data<f64>([6.077100506506192e-11]);
const MAGIC64 = memory.data<f64>([6755399441055744]); // 1.5 * 2^52
const ANGLE_MOST = memory.data<f32>([1000000]);
const SIN = memory.data<f32>([-0.16666655242443085, 0.008332173340022564, -0.00019516654720064253]);
const COS = memory.data<f32>([0.0416666679084301, -0.0013888883404433727, 2.479951217537746e-5]);
const NO_BIT = memory.data<i32>([0]);
const ONE_BIT = memory.data<i32>([1]);
const TWO_BIT = memory.data<i32>([2]);

/** Two angles reduced to |r| <= pi/4; the quarter turns are the low bits of `turns`. */
@inline
function turns(x: v128): v128 {
  return f64x2.add(f64x2.mul(x, v128.load64_splat(TWO_OVER_PI)), v128.load64_splat(MAGIC64));
}

@inline
function reduceAngle(x: v128, t: v128): v128 {
  const n = f64x2.sub(t, v128.load64_splat(MAGIC64));
  const r = f64x2.sub(x, f64x2.mul(n, v128.load64_splat(PI_2_HIGH)));
  return f64x2.sub(r, f64x2.mul(n, v128.load64_splat(PI_2_LOW)));
}

/** sin(x + quarter * pi/2). */
@inline
function sinFrom(x: v128, quarter: usize): v128 {
  const low = f64x2.promote_low_f32x4(x);
  const high = promoteHigh(x);
  const t0 = turns(low),
    t1 = turns(high);
  const r0 = f32x4.demote_f64x2_zero(reduceAngle(low, t0));
  const r1 = f32x4.demote_f64x2_zero(reduceAngle(high, t1));
  const r = v128.shuffle<f32>(r0, r1, 0, 1, 4, 5);
  const q = i32x4.add(v128.shuffle<f32>(t0, t1, 0, 2, 4, 6), c(quarter));
  const r2 = f32x4.mul(r, r);
  const s = f32x4.add(r, f32x4.mul(f32x4.mul(r, r2), poly2(r2, SIN)));
  const k = f32x4.add(
    f32x4.sub(c(ONE), f32x4.mul(c(HALF), r2)),
    f32x4.mul(f32x4.mul(r2, r2), poly2(r2, COS)),
  );
  const odd = i32x4.eq(v128.and(q, c(ONE_BIT)), c(ONE_BIT));
  return v128.xor(v128.bitselect(k, s, odd), i32x4.shl(v128.and(q, c(TWO_BIT)), 30));
}

@inline
function anyLarge(x: v128): bool {
  return v128.any_true(v128.not(f32x4.le(absolute(x), c(ANGLE_MOST))));
}

@inline
export function sin4(x: v128): v128 {
  return anyLarge(x) ? sinLarge(x) : sinFrom(x, NO_BIT);
}

@inline
export function cos4(x: v128): v128 {
  return anyLarge(x) ? cosLarge(x) : sinFrom(x, ONE_BIT);
}

// Beyond a million radians (and for infinities and NaN), one lane at a time with the module's own
// scalar functions.
function sinLarge(x: v128): v128 {
  let y = f32x4.splat(<f32>NativeMath.sin(f32x4.extract_lane(x, 0)));
  y = f32x4.replace_lane(y, 1, <f32>NativeMath.sin(f32x4.extract_lane(x, 1)));
  y = f32x4.replace_lane(y, 2, <f32>NativeMath.sin(f32x4.extract_lane(x, 2)));
  return f32x4.replace_lane(y, 3, <f32>NativeMath.sin(f32x4.extract_lane(x, 3)));
}

function cosLarge(x: v128): v128 {
  let y = f32x4.splat(<f32>NativeMath.cos(f32x4.extract_lane(x, 0)));
  y = f32x4.replace_lane(y, 1, <f32>NativeMath.cos(f32x4.extract_lane(x, 1)));
  y = f32x4.replace_lane(y, 2, <f32>NativeMath.cos(f32x4.extract_lane(x, 2)));
  return f32x4.replace_lane(y, 3, <f32>NativeMath.cos(f32x4.extract_lane(x, 3)));
}

/** x^y, one lane at a time: the logarithm needs double precision, which the scalar function has. */
export function pow4(x: v128, y: v128): v128 {
  let z = f32x4.splat(power(f32x4.extract_lane(x, 0), f32x4.extract_lane(y, 0)));
  z = f32x4.replace_lane(z, 1, power(f32x4.extract_lane(x, 1), f32x4.extract_lane(y, 1)));
  z = f32x4.replace_lane(z, 2, power(f32x4.extract_lane(x, 2), f32x4.extract_lane(y, 2)));
  return f32x4.replace_lane(z, 3, power(f32x4.extract_lane(x, 3), f32x4.extract_lane(y, 3)));
}

/** IEEE 754's, where 1 to any power and -1 to an infinite one are 1; JavaScript's are NaN. */
function power(x: f32, y: f32): f32 {
  if (x == 1 || (x == -1 && abs(y) == f32.MAX_VALUE * 2)) return 1;
  return NativeMathf.pow(x, y);
}
