// Elementwise functions of one operand, and their gradients: y[i] = f(x[i]) and dx[i] = g[i]
// f'(x[i]). A class here is only a name for `at`; `map<Tanh>` is compiled with the function's body
// inside the loop. Units are elements [from, to), so any split between threads gives the same bits.
// Read next: math.as.ts for the functions, binary.as.ts for two operands.

import {
  absolute,
  cos4,
  erf4,
  exp4,
  expm14,
  gelu4,
  geluSlope4,
  geluTanh4,
  geluTanhSlope4,
  log1p4,
  log4,
  logSigmoid4,
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
  const f = changetype<F>(<usize>0);
  const last = from + ((to - from) & ~15);
  for (let i = from << 2; i < last << 2; i += 64) {
    const a = f.at(v128.load(x + i)),
      b = f.at(v128.load(x + i, 16)),
      c = f.at(v128.load(x + i, 32)),
      d = f.at(v128.load(x + i, 48));
    v128.store(y + i, a);
    v128.store(y + i, b, 16);
    v128.store(y + i, c, 32);
    v128.store(y + i, d, 48);
  }
  map<F>(last, to, x, y);
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
  const f = changetype<F>(<usize>0);
  const last = from + ((to - from) & ~15);
  for (let i = from << 2; i < last << 2; i += 64) {
    const a = f.at(v128.load(x + i), v128.load(y + i)),
      b = f.at(v128.load(x + i, 16), v128.load(y + i, 16)),
      c = f.at(v128.load(x + i, 32), v128.load(y + i, 32)),
      d = f.at(v128.load(x + i, 48), v128.load(y + i, 48));
    v128.store(z + i, a);
    v128.store(z + i, b, 16);
    v128.store(z + i, c, 32);
    v128.store(z + i, d, 48);
  }
  zip<F>(last, to, x, y, z);
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
class LogSigmoid {
  @inline at(x: v128): v128 {
    return logSigmoid4(x);
  }
}
@unmanaged
class Softplus {
  @inline at(x: v128): v128 {
    return softplus4(x);
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
/** GPT-2's, with a tanh in Phi's place. */
@unmanaged
class GeluTanh {
  @inline at(x: v128): v128 {
    return geluTanh4(x);
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
export function unaryLogSigmoid(from: usize, to: usize, x: usize, y: usize): void {
  map<LogSigmoid>(from, to, x, y);
}
export function unarySoftplus(from: usize, to: usize, x: usize, y: usize): void {
  map<Softplus>(from, to, x, y);
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
  mapFour<Gelu>(from, to, x, y);
}
export function unaryGeluTanh(from: usize, to: usize, x: usize, y: usize): void {
  mapFour<GeluTanh>(from, to, x, y);
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
/** From x: f' as in math.as.ts. */
@unmanaged
class GeluTanhGrad {
  @inline at(g: v128, x: v128): v128 {
    return f32x4.mul(g, geluTanhSlope4(x));
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
  zipFour<GeluGrad>(from, to, g, x, dx);
}
export function gradGeluTanh(from: usize, to: usize, g: usize, x: usize, dx: usize): void {
  zipFour<GeluTanhGrad>(from, to, g, x, dx);
}
