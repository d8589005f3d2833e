// Elementwise functions of one operand, and their gradients: y[i] = f(x[i]) and dx[i] = g[i]
// f'(x[i]). A class here is only a name for `at`; `map<Tanh>` is compiled with the function's body
// inside the loop. Units are elements [from, to), so any split between threads gives the same bits.
// Read next: math.as.ts for the functions, binary.as.ts for two operands.

import {
  absolute,
  anyFar,
  cos4,
  erf4,
  exp4,
  expm14,
  gelu4,
  geluSlope4,
  geluSlopeNear4,
  geluTanh4,
  geluTanhSlope4,
  geluTanhSlopeNear4,
  geluTanhNear4,
  geluNear4,
  log1p4,
  log4,
  sigmoid4,
  silu4,
  siluSlope4,
  sin4,
  softplus4,
  tanh4,
} from "./math.as";
import { c, loadPart, storePart } from "./lanes.as";

const ONE = memory.data<f32>([1]);
const SIGN = memory.data<i32>([0x80000000]);

// The part vector at the end goes through the same loop body: a body is up to sixty instructions,
// and one copy is enough for most.

/** y[i] = f(x[i]). */
@inline
function map<F>(from: usize, to: usize, x: usize, y: usize): void {
  const f = changetype<F>(<usize>0);
  for (let i = from << 2, end = to << 2; i < end; i += 16) {
    const count = (end - i) >> 2;
    const v = f.at(count >= 4 ? v128.load(x + i) : loadPart(x + i, count));
    if (count >= 4) v128.store(y + i, v);
    else storePart(y + i, v, count);
  }
}

/**
 * The same, four vectors a turn: constants are loaded once for all, and four chains of operations that
 * wait for their own results fill each other's gaps. For the functions that training spends its time
 * in.
 */
@inline
function mapFour<F>(from: usize, to: usize, x: usize, y: usize): void {
  const last = from + ((to - from) & ~15);
  for (let i = from << 2; i < last << 2; i += 64) {
    const p = x + i;
    map16<F>(v128.load(p), v128.load(p, 16), v128.load(p, 32), v128.load(p, 48), y + i);
  }
  map<F>(last, to, x, y);
}

/** f of 16 floats, to y. */
@inline
function map16<F>(a: v128, b: v128, c: v128, d: v128, y: usize): void {
  const f = changetype<F>(<usize>0);
  const a1 = f.at(a),
    b1 = f.at(b),
    c1 = f.at(c),
    d1 = f.at(d);
  v128.store(y, a1);
  v128.store(y, b1, 16);
  v128.store(y, c1, 32);
  v128.store(y, d1, 48);
}

/** z[i] = f(x[i], y[i]). */
@inline
function zip<F>(from: usize, to: usize, x: usize, y: usize, z: usize): void {
  const f = changetype<F>(<usize>0);
  for (let i = from << 2, end = to << 2; i < end; i += 16) {
    const count = (end - i) >> 2;
    const a = count >= 4 ? v128.load(x + i) : loadPart(x + i, count);
    const b = count >= 4 ? v128.load(y + i) : loadPart(y + i, count);
    const v = f.at(a, b);
    if (count >= 4) v128.store(z + i, v);
    else storePart(z + i, v, count);
  }
}

@inline
function zipFour<F>(from: usize, to: usize, x: usize, y: usize, z: usize): void {
  const last = from + ((to - from) & ~15);
  for (let i = from << 2; i < last << 2; i += 64) {
    const p = y + i;
    zip16<F>(x + i, v128.load(p), v128.load(p, 16), v128.load(p, 32), v128.load(p, 48), z + i);
  }
  zip<F>(last, to, x, y, z);
}

/** f of 16 floats at x and those given, to z. */
@inline
function zip16<F>(x: usize, a: v128, b: v128, c: v128, d: v128, z: usize): void {
  const f = changetype<F>(<usize>0);
  const a1 = f.at(v128.load(x), a),
    b1 = f.at(v128.load(x, 16), b),
    c1 = f.at(v128.load(x, 32), c),
    d1 = f.at(v128.load(x, 48), d);
  v128.store(z, a1);
  v128.store(z, b1, 16);
  v128.store(z, c1, 32);
  v128.store(z, d1, 48);
}

/** mapFour for gelu: 16 floats that are all near 0 go by a shorter formula. */
@inline
function mapNear<Near, F>(from: usize, to: usize, x: usize, y: usize): void {
  const last = from + ((to - from) & ~15);
  for (let i = from; i < last; i += 16) {
    const p = x + (i << 2);
    const a = v128.load(p),
      b = v128.load(p, 16),
      c = v128.load(p, 32),
      d = v128.load(p, 48);
    if (anyFar(a, b, c, d)) mapApart<F>(i, i + 16, x, y);
    else map16<Near>(a, b, c, d, y + (i << 2));
  }
  mapApart<F>(last, to, x, y);
}

/** map, called: one copy of a long body. */
function mapApart<F>(from: usize, to: usize, x: usize, y: usize): void {
  map<F>(from, to, x, y);
}

/** zipFour for gelu's gradient, likewise. */
@inline
function zipNear<Near, F>(from: usize, to: usize, g: usize, x: usize, z: usize): void {
  const last = from + ((to - from) & ~15);
  for (let i = from; i < last; i += 16) {
    const p = x + (i << 2);
    const a = v128.load(p),
      b = v128.load(p, 16),
      c = v128.load(p, 32),
      d = v128.load(p, 48);
    if (anyFar(a, b, c, d)) zipApart<F>(i, i + 16, g, x, z);
    else zip16<Near>(g + (i << 2), a, b, c, d, z + (i << 2));
  }
  zipApart<F>(last, to, g, x, z);
}

function zipApart<F>(from: usize, to: usize, x: usize, y: usize, z: usize): void {
  zip<F>(from, to, x, y, z);
}

// Unary: y = f(x).

@unmanaged
class Neg {
  @inline at(x: v128): v128 {
    return f32x4.neg(x);
  }
}
@unmanaged
class Abs {
  @inline at(x: v128): v128 {
    return absolute(x);
  }
}
@unmanaged
class Sign {
  @inline at(x: v128): v128 {
    const one = v128.or(c(ONE), v128.and(x, c(SIGN)));
    const moved = f32x4.ne(x, f32x4.splat(0));
    return v128.bitselect(v128.bitselect(one, x, moved), x, f32x4.eq(x, x));
  }
}
@unmanaged
class Exp {
  @inline at(x: v128): v128 {
    return exp4(x);
  }
}
@unmanaged
class Expm1 {
  @inline at(x: v128): v128 {
    return expm14(x);
  }
}
@unmanaged
class Log {
  @inline at(x: v128): v128 {
    return log4(x);
  }
}
@unmanaged
class Log1p {
  @inline at(x: v128): v128 {
    return log1p4(x);
  }
}
@unmanaged
class Sqrt {
  @inline at(x: v128): v128 {
    return f32x4.sqrt(x);
  }
}
@unmanaged
class Rsqrt {
  @inline at(x: v128): v128 {
    return f32x4.div(c(ONE), f32x4.sqrt(x));
  }
}
@unmanaged
class Square {
  @inline at(x: v128): v128 {
    return f32x4.mul(x, x);
  }
}
@unmanaged
class Reciprocal {
  @inline at(x: v128): v128 {
    return f32x4.div(c(ONE), x);
  }
}
@unmanaged
class Sin {
  @inline at(x: v128): v128 {
    return sin4(x);
  }
}
@unmanaged
class Cos {
  @inline at(x: v128): v128 {
    return cos4(x);
  }
}
@unmanaged
class Tanh {
  @inline at(x: v128): v128 {
    return tanh4(x);
  }
}
@unmanaged
class Sigmoid {
  @inline at(x: v128): v128 {
    return sigmoid4(x);
  }
}
@unmanaged
class Relu {
  @inline at(x: v128): v128 {
    return f32x4.pmax(x, f32x4.splat(0));
  }
}
@unmanaged
class Erf {
  @inline at(x: v128): v128 {
    return erf4(x);
  }
}
@unmanaged
class Silu {
  @inline at(x: v128): v128 {
    return silu4(x);
  }
}
/** x Phi(x). */
@unmanaged
class Gelu {
  @inline at(x: v128): v128 {
    return gelu4(x);
  }
}
@unmanaged
class GeluNear {
  @inline at(x: v128): v128 {
    return geluNear4(x);
  }
}
/** GPT-2's, with a tanh in Phi's place. */
@unmanaged
class GeluTanh {
  @inline at(x: v128): v128 {
    return geluTanh4(x);
  }
}
@unmanaged
class GeluTanhNear {
  @inline at(x: v128): v128 {
    return geluTanhNear4(x);
  }
}

export function unaryNeg(from: usize, to: usize, x: usize, y: usize): void {
  map<Neg>(from, to, x, y);
}
export function unaryAbs(from: usize, to: usize, x: usize, y: usize): void {
  map<Abs>(from, to, x, y);
}
export function unarySign(from: usize, to: usize, x: usize, y: usize): void {
  map<Sign>(from, to, x, y);
}
export function unaryExp(from: usize, to: usize, x: usize, y: usize): void {
  mapFour<Exp>(from, to, x, y);
}
export function unaryExpm1(from: usize, to: usize, x: usize, y: usize): void {
  map<Expm1>(from, to, x, y);
}
export function unaryLog(from: usize, to: usize, x: usize, y: usize): void {
  map<Log>(from, to, x, y);
}
export function unaryLog1p(from: usize, to: usize, x: usize, y: usize): void {
  map<Log1p>(from, to, x, y);
}
export function unarySqrt(from: usize, to: usize, x: usize, y: usize): void {
  map<Sqrt>(from, to, x, y);
}
export function unaryRsqrt(from: usize, to: usize, x: usize, y: usize): void {
  map<Rsqrt>(from, to, x, y);
}
export function unarySquare(from: usize, to: usize, x: usize, y: usize): void {
  map<Square>(from, to, x, y);
}
export function unaryReciprocal(from: usize, to: usize, x: usize, y: usize): void {
  map<Reciprocal>(from, to, x, y);
}
export function unarySin(from: usize, to: usize, x: usize, y: usize): void {
  map<Sin>(from, to, x, y);
}
export function unaryCos(from: usize, to: usize, x: usize, y: usize): void {
  map<Cos>(from, to, x, y);
}
export function unaryTanh(from: usize, to: usize, x: usize, y: usize): void {
  mapFour<Tanh>(from, to, x, y);
}
export function unarySigmoid(from: usize, to: usize, x: usize, y: usize): void {
  map<Sigmoid>(from, to, x, y);
}
/** log sigmoid(x) = -softplus(-x); + 0 turns -0 into 0. */
export function unaryLogSigmoid(from: usize, to: usize, x: usize, y: usize): void {
  softplus(from, to, x, y, f32x4.splat(-1));
}
export function unarySoftplus(from: usize, to: usize, x: usize, y: usize): void {
  softplus(from, to, x, y, f32x4.splat(1));
}

/** sign * softplus(sign * x), in one copy for both signs. */
function softplus(from: usize, to: usize, x: usize, y: usize, sign: v128): void {
  for (let i = from << 2, end = to << 2; i < end; i += 16) {
    const count = (end - i) >> 2;
    const v = f32x4.mul(sign, count >= 4 ? v128.load(x + i) : loadPart(x + i, count));
    const signed = f32x4.add(f32x4.mul(sign, softplus4(v)), f32x4.splat(0));
    if (count >= 4) v128.store(y + i, signed);
    else storePart(y + i, signed, count);
  }
}

export function unaryRelu(from: usize, to: usize, x: usize, y: usize): void {
  map<Relu>(from, to, x, y);
}
export function unaryErf(from: usize, to: usize, x: usize, y: usize): void {
  map<Erf>(from, to, x, y);
}
export function unarySilu(from: usize, to: usize, x: usize, y: usize): void {
  mapFour<Silu>(from, to, x, y);
}
export function unaryGelu(from: usize, to: usize, x: usize, y: usize): void {
  mapNear<GeluNear, Gelu>(from, to, x, y);
}
export function unaryGeluTanh(from: usize, to: usize, x: usize, y: usize): void {
  mapNear<GeluTanhNear, GeluTanh>(from, to, x, y);
}

/** y = min(max(x, low), high), so that high wins where they cross; NaN stays NaN. */
export function unaryClamp(from: usize, to: usize, x: usize, y: usize, low: f32, high: f32): void {
  for (let i = from << 2; i < to << 2; i += 4) {
    const v = load<f32>(x + i),
      above = v < low ? low : v;
    store<f32>(y + i, above > high ? high : above);
  }
}

// Gradients in one pass: dx = g f'(x), from x or from y = f(x), whichever is said.

/** From x: f'(x) = [x > 0]. */
@unmanaged
class ReluGrad {
  @inline at(g: v128, x: v128): v128 {
    return v128.and(g, f32x4.gt(x, f32x4.splat(0)));
  }
}
/** From y: f' = y (1 - y). */
@unmanaged
class SigmoidGrad {
  @inline at(g: v128, y: v128): v128 {
    return f32x4.mul(g, f32x4.mul(y, f32x4.sub(c(ONE), y)));
  }
}
/** From y: f' = 1 - y². */
@unmanaged
class TanhGrad {
  @inline at(g: v128, y: v128): v128 {
    return f32x4.mul(g, f32x4.sub(c(ONE), f32x4.mul(y, y)));
  }
}
/** From x: f' = sigmoid(-x). */
@unmanaged
class LogSigmoidGrad {
  @inline at(g: v128, x: v128): v128 {
    return f32x4.mul(g, sigmoid4(f32x4.neg(x)));
  }
}
/** From x: f' = s + x s (1 - s), s = sigmoid(x). */
@unmanaged
class SiluGrad {
  @inline at(g: v128, x: v128): v128 {
    return f32x4.mul(g, siluSlope4(x));
  }
}
/** From x: f' = Phi(x) + x phi(x). */
@unmanaged
class GeluGrad {
  @inline at(g: v128, x: v128): v128 {
    return f32x4.mul(g, geluSlope4(x));
  }
}
@unmanaged
class GeluNearGrad {
  @inline at(g: v128, x: v128): v128 {
    return f32x4.mul(g, geluSlopeNear4(x));
  }
}
/** From x: f' as in math.as.ts. */
@unmanaged
class GeluTanhGrad {
  @inline at(g: v128, x: v128): v128 {
    return f32x4.mul(g, geluTanhSlope4(x));
  }
}
@unmanaged
class GeluTanhNearGrad {
  @inline at(g: v128, x: v128): v128 {
    return f32x4.mul(g, geluTanhSlopeNear4(x));
  }
}

export function gradRelu(from: usize, to: usize, g: usize, x: usize, dx: usize): void {
  zip<ReluGrad>(from, to, g, x, dx);
}
export function gradSigmoid(from: usize, to: usize, g: usize, y: usize, dx: usize): void {
  zip<SigmoidGrad>(from, to, g, y, dx);
}
export function gradTanh(from: usize, to: usize, g: usize, y: usize, dx: usize): void {
  zip<TanhGrad>(from, to, g, y, dx);
}
export function gradLogSigmoid(from: usize, to: usize, g: usize, x: usize, dx: usize): void {
  zip<LogSigmoidGrad>(from, to, g, x, dx);
}
export function gradSilu(from: usize, to: usize, g: usize, x: usize, dx: usize): void {
  zipFour<SiluGrad>(from, to, g, x, dx);
}
export function gradGelu(from: usize, to: usize, g: usize, x: usize, dx: usize): void {
  zipNear<GeluNearGrad, GeluGrad>(from, to, g, x, dx);
}
export function gradGeluTanh(from: usize, to: usize, g: usize, x: usize, dx: usize): void {
  zipNear<GeluTanhNearGrad, GeluTanhGrad>(from, to, g, x, dx);
}
