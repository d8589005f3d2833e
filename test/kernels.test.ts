// Every SIMD kernel against plain loops in double precision, on drawn shapes: sizes 0 and 1, every
// remainder of four and eight, infinities, NaN and denormals where they mean something; and every
// shared kernel against itself with one and three threads, bit for bit. A failure prints a command that
// replays it. Next: the kernel in ../kernels/wasm whose line failed.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import { isCurrent, targets } from "../kernels/wasm/build.ts";
import { createWasm, type Product, type Wasm } from "../kernels/wasm/kernels.ts";
import { checkProperty } from "../testing/property.ts";

const one = createWasm({ threads: 1 });
const three = createWasm({ threads: 3, worthSharing: 0 });

// --- scaffolding

const check = (name: string, body: () => void) => test(`kernels: ${name}`, body);

const dyadic = fc.integer({ min: -16, max: 16 }).map((n) => n / 4);
const size = fc.integer({ min: 0, max: 37 });
const positive = fc.integer({ min: 1, max: 37 });
const flag = fc.boolean();

/** Draws arguments and holds `body` to them. */
function holds<T>(arb: fc.Arbitrary<T>, body: (value: T) => void, numRuns = 60): void {
  checkProperty("kernels", fc.property(arb, body), { runs: numRuns });
}

/** Deterministic numbers in [-1, 1), from a seed. */
function numbers(n: number, seed: number): Float32Array {
  let state = (seed * 2654435761 + 12345) >>> 0;
  return Float32Array.from({ length: n }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state >>> 8) / 2 ** 23 - 1;
  });
}

/** Buffers of one check, on one instance. */
class Bench {
  private held: [at: number, bytes: number][] = [];
  constructor(readonly wasm: Wasm) {}
  room(floats: number): number {
    const at = this.wasm.alloc(floats * 4);
    this.held.push([at, floats * 4]);
    this.wasm.f32.fill(Number.NaN, at >> 2, (at >> 2) + floats); // so reading too much shows
    return at;
  }
  put(values: ArrayLike<number>): number {
    const at = this.room(values.length);
    this.wasm.f32.set(values, at >> 2);
    return at;
  }
  putInts(values: ArrayLike<number>): number {
    const at = this.room(values.length);
    this.wasm.i32.set(values, at >> 2);
    return at;
  }
  putBytes(values: ArrayLike<number>): number {
    const at = this.room(Math.ceil(values.length / 4));
    this.wasm.u8.set(values, at);
    return at;
  }
  get(at: number, n: number): Float32Array {
    return this.wasm.f32.slice(at >> 2, (at >> 2) + n);
  }
  getInts(at: number, n: number): Int32Array {
    return this.wasm.i32.slice(at >> 2, (at >> 2) + n);
  }
  end(): void {
    for (const [at, bytes] of this.held) this.wasm.free(at, bytes);
    this.held = [];
  }
}

/** Runs `body` on one thread and on three; the results must be the same bits. Returns them. */
function both(body: (bench: Bench) => Float32Array[]): Float32Array[] {
  const results = [one, three].map((wasm) => {
    const bench = new Bench(wasm);
    const result = body(bench);
    bench.end();
    return result;
  });
  const [a, b] = results as [Float32Array[], Float32Array[]];
  const bits = (x: Float32Array) => Buffer.from(x.buffer, x.byteOffset, x.byteLength);
  a.forEach((x, i) => {
    if (!bits(x).equals(bits(b[i] as Float32Array)))
      throw new Error(`threads changed the bits of result ${i}`);
  });
  return a;
}

/** |got - want| <= atol + rtol |want|, and NaN, infinity where wanted. */
function close(got: ArrayLike<number>, want: ArrayLike<number>, rtol: number, atol = rtol): void {
  if (got.length !== want.length)
    throw new Error(`${got.length} numbers where ${want.length} were wanted`);
  for (let i = 0; i < want.length; i++) {
    const g = got[i] as number;
    const w = want[i] as number;
    const same = Object.is(Number.isNaN(g), Number.isNaN(w)) && (Number.isNaN(w) || g === w);
    if (!same && !(Math.abs(g - w) <= atol + rtol * Math.abs(w)))
      throw new Error(`[${i}] is ${g}; wanted ${w}`);
  }
}

const sum = (values: ArrayLike<number>) => Array.from(values).reduce((a, b) => a + b, 0);
const indices = (n: number) => Array.from({ length: n }, (_, i) => i);
const at = (x: ArrayLike<number>, i: number) => x[i] as number;

// --- elementary

/** erf in double precision: the series below 2.5, the continued fraction of erfc above. */
function erf(x: number): number {
  const a = Math.abs(x);
  if (Number.isNaN(x)) return x;
  if (a > 6) return Math.sign(x);
  if (a < 2.5) {
    let term = x;
    let total = x;
    for (let n = 1; n < 80; n++) {
      term *= (-x * x) / n;
      total += term / (2 * n + 1);
    }
    return (2 / Math.sqrt(Math.PI)) * total;
  }
  let f = 0;
  for (let k = 80; k > 0; k--) f = k / 2 / (a + f);
  return Math.sign(x) * (1 - Math.exp(-a * a) / ((a + f) * Math.sqrt(Math.PI)));
}

const sigmoid = (x: number) => (x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x)));
const softplus = (x: number) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
const cdf = (x: number) => 0.5 * (1 + erf(x / Math.SQRT2));
const pdf = (x: number) => Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);
const inner = (x: number) => Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3);

const f32 = new Float32Array(1);
const u32 = new Uint32Array(f32.buffer);

/** Distance in units of the last place of the float32 nearest to `want`. */
export function ulps(got: number, want: number): number {
  if (Number.isNaN(want)) return Number.isNaN(got) ? 0 : Infinity;
  const rounded = Math.fround(want);
  if (got === rounded) return 0;
  if (!Number.isFinite(rounded) || !Number.isFinite(got)) {
    const most = 3.4028234663852886e38; // one step from infinity is one step
    return Math.abs(got) >= most && Math.abs(want) >= most * (1 - 2e-7) && got * want > 0
      ? 1
      : Infinity;
  }
  const exponent = Math.max(-126, Math.floor(Math.log2(Math.abs(want) || 1e-300)));
  return Math.abs(got - want) / 2 ** (exponent - 23);
}

/** Numbers from everywhere: `count` bit patterns spread over all 2^32, and the special ones. */
export function everywhere(count: number): Float32Array {
  const x = new Float32Array(count);
  const bits = new Uint32Array(x.buffer);
  for (let i = 0; i < count; i++) bits[i] = Math.floor((i * 2 ** 32) / count) + (i % 977);
  const special = [
    0,
    -0,
    1,
    -1,
    Infinity,
    -Infinity,
    NaN,
    1e-45,
    -1e-45,
    1.17549435e-38,
    3.4028234e38,
    88.72284,
    -103.97,
    0.925,
  ];
  x.set(special.slice(0, count));
  return x;
}

type Name = keyof Wasm["exports"];
type Any = (...args: number[]) => void;
const call = (wasm: Wasm, name: string, ...args: number[]) =>
  (wasm.exports[name as Name] as Any)(...args);

/** The greatest error of a unary kernel over `x`, in ulp, and where. */
export function worst(
  name: string,
  f: (x: number) => number,
  x: Float32Array,
): { ulp: number; x: number } {
  const bench = new Bench(one);
  const p = bench.put(x);
  const q = bench.room(x.length);
  call(one, name, 0, x.length, p, q);
  const y = bench.get(q, x.length);
  bench.end();
  let result = { ulp: 0, x: 0 };
  x.forEach((v, i) => {
    const ulp = ulps(at(y, i), f(v));
    if (!(ulp <= result.ulp)) result = { ulp, x: v };
  });
  return result;
}

/** Stated bounds in ulp over the whole range. */
export const bounds: Record<string, [f: (x: number) => number, ulp: number]> = {
  unaryExp: [Math.exp, 2],
  unaryLog: [Math.log, 2],
  unaryTanh: [Math.tanh, 4],
  unaryErf: [erf, 4],
  unarySin: [Math.sin, 2],
  unaryCos: [Math.cos, 2],
  unaryExpm1: [Math.expm1, 4],
  unaryLog1p: [Math.log1p, 4],
  unarySigmoid: [sigmoid, 4],
  unarySoftplus: [softplus, 4],
  unaryLogSigmoid: [(x) => -softplus(-x), 4],
  unarySqrt: [Math.sqrt, 0.5],
  unaryRsqrt: [(x) => 1 / Math.sqrt(x), 2],
  unaryReciprocal: [(x) => 1 / x, 0.5],
  unarySquare: [(x) => x * x, 0.5],
  unaryNeg: [(x) => -x, 0],
  unaryAbs: [Math.abs, 0],
  unarySign: [Math.sign, 0],
  unaryRelu: [(x) => Math.max(x, 0), 0],
};

for (const [name, [f, bound]] of Object.entries(bounds)) {
  check(`${name}: at most ${bound} ulp everywhere`, () => {
    const { ulp, x } = worst(name, f, everywhere(200_003));
    f32[0] = x;
    if (!(ulp <= bound))
      throw new Error(`${ulp.toFixed(2)} ulp at ${x} (0x${at(u32, 0).toString(16)})`);
  });
}

/** Held against max(1, |x|): their lower tails are products of small numbers, or differences. */
const smooth: [string, (x: number) => number][] = [
  ["unaryGelu", (x) => x * cdf(x)],
  ["unarySilu", (x) => x * sigmoid(x)],
  ["unaryGeluTanh", (x) => 0.5 * x * (1 + Math.tanh(inner(x)))],
];
for (const [name, f] of smooth) {
  check(`${name}: within 1e-6 max(1, |x|)`, () => {
    const x = numbers(4099, 7).map((v) => v * 12);
    const bench = new Bench(one);
    const p = bench.put(x);
    call(one, name, 0, x.length, p, p);
    close(bench.get(p, x.length), Array.from(x, f), 1e-6);
    bench.end();
  });
}

const slopes: Record<string, (x: number) => number> = {
  gradRelu: (x) => (x > 0 ? 1 : 0),
  gradLogSigmoid: (x) => sigmoid(-x),
  gradSilu: (x) => sigmoid(x) * (1 + x * (1 - sigmoid(x))),
  gradGelu: (x) => cdf(x) + x * pdf(x),
  gradGeluTanh: (x) => {
    const t = Math.tanh(inner(x));
    return (
      0.5 * (1 + t) + 0.5 * x * (1 - t * t) * Math.sqrt(2 / Math.PI) * (1 + 3 * 0.044715 * x * x)
    );
  },
  gradSigmoid: (y) => y * (1 - y),
  gradTanh: (y) => 1 - y * y,
};
for (const [name, slope] of Object.entries(slopes)) {
  check(`${name}: within 2e-6`, () => {
    holds(size, (n) => {
      const g = numbers(n, n);
      const x = numbers(n, n + 1).map((v, i) => v * (i % 2 ? 12 : 5));
      const [dx] = both((bench) => {
        const p = bench.room(n);
        bench.wasm.run(name as "gradGelu", n, 1000, 4, bench.put(g), bench.put(x), p);
        return [bench.get(p, n)];
      });
      close(
        dx as Float32Array,
        Array.from(g, (v, i) => v * slope(at(x, i))),
        2e-6,
      );
    });
  });
}

// --- binary

const arithmetic: Record<string, (a: number, b: number) => number> = {
  Add: (a, b) => a + b,
  Sub: (a, b) => a - b,
  Mul: (a, b) => a * b,
  Div: (a, b) => a / b,
  Maximum: Math.max,
  Minimum: Math.min,
  Pow: (a, b) => a ** b,
};
const relations: Record<string, (a: number, b: number) => boolean> = {
  Equal: (a, b) => a === b,
  NotEqual: (a, b) => a !== b,
  Less: (a, b) => a < b,
  LessEqual: (a, b) => a <= b,
  Greater: (a, b) => a > b,
  GreaterEqual: (a, b) => a >= b,
};
const special = fc.oneof(
  { weight: 6, arbitrary: dyadic },
  fc.constantFrom(NaN, Infinity, -Infinity, 1e-45, -0),
);
const forms = fc.record({
  outer: fc.integer({ min: 1, max: 5 }),
  inner: positive,
  aStep: fc.constantFrom(0, 1),
  bStep: fc.constantFrom(0, 1),
  aRow: flag,
  bRow: flag,
  values: fc.array(special, { minLength: 8, maxLength: 400 }),
});
type Form = typeof forms extends fc.Arbitrary<infer T> ? T : never;

function operands(form: Form) {
  const n = form.outer * form.inner;
  const stride = (step: number, row: boolean) => (row ? (step ? form.inner : 1) : 0);
  const aStride = stride(form.aStep, form.aRow);
  const bStride = stride(form.bStep, form.bRow);
  const pick = (i: number) => at(form.values, i % form.values.length);
  const a = Float32Array.from({ length: n }, (_, i) => pick(i));
  const b = Float32Array.from({ length: n }, (_, i) => pick(3 * i + 1));
  const each = (f: (a: number, b: number) => number) =>
    indices(n).map((e) => {
      const o = Math.floor(e / form.inner);
      const i = e % form.inner;
      return f(at(a, o * aStride + i * form.aStep), at(b, o * bStride + i * form.bStep));
    });
  const put = (bench: Bench): number[] => [
    ...[form.inner, 0],
    ...[bench.put(a), aStride, form.aStep],
    ...[bench.put(b), bStride, form.bStep],
  ];
  return { n, put, each };
}

for (const [name, f] of Object.entries(arithmetic)) {
  check(`binary${name}: all broadcast forms, ${name === "Pow" ? "1 ulp" : "exact"}`, () => {
    holds(forms, (form) => {
      const { n, put, each } = operands(form);
      const [out] = both((bench) => {
        const p = bench.room(n);
        bench.wasm.run(`binary${name}` as "binaryAdd", n, 1000, 4, ...put(bench), p);
        return [bench.get(p, n)];
      });
      each(f).forEach((want, i) => {
        const ulp = ulps(at(out as Float32Array, i), want);
        const isOne = name === "Pow" && Number.isNaN(want); // |1|^inf: NaN in JavaScript, 1 in IEEE 754
        if (!(ulp <= (name === "Pow" ? 1 : 0)) && !isOne)
          throw new Error(`[${i}] ${at(out as Float32Array, i)}, wanted ${want}`);
      });
    });
  });
}

for (const [name, f] of Object.entries(relations)) {
  check(`compare${name}: all broadcast forms, exact`, () => {
    holds(forms, (form) => {
      const { n, put, each } = operands(form);
      const bench = new Bench(one);
      const p = bench.room(n);
      call(one, `compare${name}`, 0, n, ...put(bench), p);
      close(
        one.u8.slice(p, p + n),
        each((x, y) => Number(f(x, y))),
        0,
      );
      bench.end();
    });
  });
}

check("binary with a layout: five outer dimensions, and where", () => {
  const shape = fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 6, maxLength: 6 });
  holds(fc.tuple(shape, fc.array(flag, { minLength: 12, maxLength: 12 })), ([sizes, keep]) => {
    const n = sizes.reduce((p, s) => p * s, 1);
    const strides = (from: number) => {
      let next = 1;
      const result = Array(6).fill(0);
      for (let d = 5; d >= 0; d--) {
        if (!keep[from + d]) continue;
        result[d] = next;
        next *= at(sizes, d);
      }
      return result as number[];
    };
    const [as, bs] = [strides(0), strides(6)];
    const [a, b] = [numbers(n, 1), numbers(n, 2)];
    const c = Uint8Array.from(numbers(n, 3), (v) => Number(v > 0));
    const offset = (e: number, s: number[]) => {
      let rest = e;
      let o = 0;
      for (let d = 5; d >= 0; d--) {
        o += (rest % at(sizes, d)) * at(s, d);
        rest = Math.floor(rest / at(sizes, d));
      }
      return o;
    };
    const outs = both((bench) => {
      const { wasm } = bench;
      const layout = wasm.layout([...sizes.slice(0, 5), ...as.slice(0, 5), ...bs.slice(0, 5)]);
      const p = bench.room(n);
      const q = bench.room(n);
      const [pa, pb, pc] = [bench.put(a), bench.put(b), bench.putBytes(c)];
      const of = (x: number, k: number, steps: readonly number[]) => [x, layout + k, at(steps, 5)];
      const inner = [n, 1e3, 4, at(sizes, 5)] as const;
      wasm.run("binarySub", ...inner, layout, ...of(pa, 20, as), ...of(pb, 40, bs), p);
      const [condition, chosen] = [of(pc, 20, as), of(pa, 20, as)];
      wasm.run("where", ...inner, layout, ...condition, ...chosen, ...of(pb, 40, bs), q);
      return [bench.get(p, n), bench.get(q, n)];
    });
    close(
      outs[0] as Float32Array,
      indices(n).map((e) => at(a, offset(e, as)) - at(b, offset(e, bs))),
      1e-7,
    );
    const chosen = indices(n).map((e) =>
      at(c, offset(e, as)) ? at(a, offset(e, as)) : at(b, offset(e, bs)),
    );
    close(outs[1] as Float32Array, chosen, 0);
  });
});

check("axpy, affine, fill, clamp", () => {
  holds(size, (n) => {
    const [x, y] = [numbers(n, 1), numbers(n, 2)];
    const [sum_, line, filled, clamped] = both((bench) => {
      const { wasm } = bench;
      const [p, q, r, s, t] = [
        bench.put(x),
        bench.put(y),
        bench.room(n),
        bench.room(n),
        bench.room(n),
      ];
      wasm.run("axpy", n, 1e3, 4, 0.5, p, q);
      wasm.run("affine", n, 1e3, 4, p, r, 2, 3);
      wasm.run("fill", n, 1e3, 4, s, 0x3f800000);
      wasm.run("unaryClamp", n, 1e3, 4, p, t, -0.25, 0.5);
      return [bench.get(q, n), bench.get(r, n), bench.get(s, n), bench.get(t, n)];
    });
    close(
      sum_ as Float32Array,
      Array.from(y, (v, i) => v + 0.5 * at(x, i)),
      1e-7,
    );
    close(
      line as Float32Array,
      Array.from(x, (v) => 2 * v + 3),
      1e-6,
    );
    close(filled as Float32Array, Array(n).fill(1), 0);
    close(
      clamped as Float32Array,
      Array.from(x, (v) => Math.min(Math.max(v, -0.25), 0.5)),
      0,
    );
  });
});

check("dropout: the stated hash, exactly", () => {
  const kept = (i: number, seed: number, p: number) => {
    let h = (Math.imul(i, 0x9e3779b9) + seed) >>> 0;
    h = Math.imul(h ^ (h >>> 16), 0x85ebca6b) >>> 0;
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35) >>> 0;
    h = (h ^ (h >>> 16)) >>> 0;
    return (h >>> 8) * 2 ** -24 >= p;
  };
  holds(fc.tuple(size, fc.nat(), fc.constantFrom(0, 0.1, 0.5, 0.9)), ([n, seed, rate]) => {
    const p = Math.fround(rate);
    const x = numbers(n, 5);
    const scale = Math.fround(1 / Math.fround(1 - p));
    const [y] = both((bench) => {
      const q = bench.put(x);
      bench.wasm.run("dropout", n, 1e3, 4, q, q, p, seed);
      return [bench.get(q, n)];
    });
    close(
      y as Float32Array,
      Array.from(x, (v, i) => (kept(i, seed, p) ? Math.fround(v * scale) : 0)),
      0,
    );
  });
});

// --- matmul

/** The product in double precision, and the sum of |a b| that bounds its rounding error. */
function product(
  a: Float32Array,
  b: Float32Array,
  p: Product,
  i: number,
): { c: number[]; scale: number[] } {
  const { M, N, K } = p;
  const c: number[] = [];
  const scale: number[] = [];
  for (let m = 0; m < M; m++) {
    for (let n = 0; n < N; n++) {
      let s = 0;
      let t = 0;
      for (let k = 0; k < K; k++) {
        const x = at(a, i * (p.strideA ?? M * K) + (p.transposeA ? k * M + m : m * K + k));
        const y = at(b, i * (p.strideB ?? K * N) + (p.transposeB ? n * K + k : k * N + n));
        s += x * y;
        t += Math.abs(x * y);
      }
      c.push(s);
      scale.push(t);
    }
  }
  return { c, scale };
}

function checkProduct(p: Product, from: "nothing" | "itself" | "bias"): void {
  const { M, N, K } = p;
  const batch = p.batch ?? 1;
  const a = numbers(batch * M * K, 1);
  const b = numbers(batch * K * N, 2);
  const c = numbers(batch * M * N, 3);
  const bias = numbers(N, 4);
  const [out] = both((bench) => {
    const pc = bench.put(c);
    const start = { add: from === "itself", bias: from === "bias" ? bench.put(bias) : 0 };
    bench.wasm.matmul(bench.put(a), bench.put(b), pc, { ...p, ...start });
    return [bench.get(pc, c.length)];
  });
  for (let i = 0; i < batch; i++) {
    const want = product(a, b, p, i);
    want.c.forEach((w, e) => {
      const base = from === "itself" ? at(c, i * M * N + e) : from === "bias" ? at(bias, e % N) : 0;
      const got = at(out as Float32Array, i * M * N + e);
      const bound = 2 ** -23 * (8 + Math.sqrt(K)) * (at(want.scale, e) + Math.abs(base));
      if (!(Math.abs(got - w - base) <= bound))
        throw new Error(`batch ${i} [${e}] is ${got}; wanted ${w + base}`);
    });
  }
}

const products = fc.record({
  M: size,
  N: size,
  K: size,
  batch: fc.integer({ min: 1, max: 3 }),
  transposeA: flag,
  transposeB: flag,
});
const bases = fc.constantFrom("nothing" as const, "itself" as const, "bias" as const);

check("matmul, small: all forms, within (8 + sqrt K) eps sum |a b|", () => {
  holds(fc.tuple(products, bases), ([p, from]) => checkProduct(p, from), 300);
});
check("matmul, large: packed path, all forms", () => {
  const large = fc.record({
    M: fc.integer({ min: 2, max: 140 }),
    N: fc.integer({ min: 60, max: 100 }),
    K: fc.integer({ min: 513, max: 1100 }),
    transposeA: flag,
    transposeB: flag,
  });
  holds(fc.tuple(large, bases), ([p, from]) => checkProduct(p, from), 12);
});
check("matmul: one row, shared operands, folded batches", () => {
  const rows = fc.record({
    M: fc.constant(1),
    N: fc.nat(100),
    K: fc.nat(100),
    transposeA: flag,
    transposeB: flag,
  });
  holds(fc.tuple(rows, bases), ([p, from]) => checkProduct(p, from), 100);
  holds(fc.tuple(products, flag), ([p, shareA]) =>
    checkProduct({ ...p, ...(shareA ? { strideA: 0 } : { strideB: 0 }) }, "nothing"),
  );
  // few rows times a transposed matrix, of nothing: sums of no products are 0
  checkProduct(
    { M: 1, N: 32, K: 0, batch: 2, transposeA: false, transposeB: true, strideB: 0 },
    "nothing",
  );
});

// --- reductions

function checkSum([outer, n, inner_, squares]: [number, number, number, boolean]): void {
  const squared = squares && inner_ === 1;
  const x = numbers(outer * n * inner_, 1);
  const [out] = both((bench) => {
    const p = bench.room(outer * inner_);
    bench.wasm.sum(bench.put(x), p, outer, n, inner_, 1 / n, squared);
    return [bench.get(p, outer * inner_)];
  });
  const want = indices(outer * inner_).map((e) => {
    const [o, i] = [Math.floor(e / inner_), e % inner_];
    return (
      sum(
        indices(n)
          .map((j) => at(x, (o * n + j) * inner_ + i))
          .map((v) => (squared ? v * v : v)),
      ) / n
    );
  });
  close(out as Float32Array, want, 1.2e-7);
}

check("sum, mean of [outer, n, inner]: one float's rounding", () => {
  holds(fc.tuple(positive, positive, positive, flag), checkSum);
});
check("sum, mean of rows wider than are summed side by side", () => {
  const inner_ = fc.integer({ min: 500, max: 1100 });
  holds(fc.tuple(fc.integer({ min: 1, max: 3 }), positive, inner_, flag), checkSum, 12);
});

check("the mean of ten million equal values is that value to 1e-6", () => {
  const n = 10_000_000;
  const bench = new Bench(one);
  const p = bench.room(n);
  one.f32.fill(0.1, p >> 2, (p >> 2) + n);
  const q = bench.room(1);
  one.sum(p, q, 1, n, 1, 1 / n);
  close(bench.get(q, 1), [0.1], 1e-6);
  bench.end();
});

check("sums longer than a block: the same bits for any threads", () => {
  const x = numbers(100_003, 1);
  const [out] = both((bench) => {
    const p = bench.room(1);
    bench.wasm.sum(bench.put(x), p, 1, x.length, 1, 1, true);
    return [bench.get(p, 1)];
  });
  close(out as Float32Array, [sum(x.map((v) => v * v).map(Number))], 1e-5);
});

check("max, min, argmax, argmin with NaN and infinities", () => {
  const shape = fc.tuple(fc.integer({ min: 1, max: 4 }), positive, fc.integer({ min: 1, max: 5 }));
  holds(
    fc.tuple(shape, fc.array(special, { minLength: 1, maxLength: 300 })),
    ([[outer, n, inner_], values]) => {
      const x = Float32Array.from({ length: outer * n * inner_ }, (_, i) =>
        at(values, i % values.length),
      );
      for (const sign of [1, -1]) {
        const m = outer * inner_;
        const [best, where] = both((bench) => {
          const [p, q, r] = [bench.put(x), bench.room(m), bench.room(m)];
          bench.wasm.run("extreme", m, 1e3, 1, p, n, inner_, q, sign);
          bench.wasm.run("argExtreme", m, 1e3, 1, p, n, inner_, r, sign);
          return [bench.get(q, m), Float32Array.from(bench.getInts(r, m))];
        });
        for (let e = 0; e < m; e++) {
          const [o, i] = [Math.floor(e / inner_), e % inner_];
          const row = indices(n).map((j) => at(x, (o * n + j) * inner_ + i));
          const want = sign > 0 ? Math.max(...row) : Math.min(...row);
          const index = Number.isNaN(want) ? row.findIndex(Number.isNaN) : row.indexOf(want);
          close([at(best as Float32Array, e)], [want], 0);
          close([at(where as Float32Array, e)], [index], 0);
        }
      }
    },
  );
});

// --- rows

const rowsOf = (x: ArrayLike<number>, n: number) =>
  indices(n === 0 ? 0 : x.length / n).map((r) =>
    Array.from(x as Float32Array).slice(r * n, (r + 1) * n),
  );

function softmaxOf(row: number[]): number[] {
  const m = Math.max(...row);
  const e = row.map((v) => Math.exp(v - m)); // NaN where all are masked
  const s = sum(e);
  return e.map((v) => v / s);
}

const table = fc.record({
  rows: fc.integer({ min: 0, max: 9 }),
  n: positive,
  seed: fc.nat(1000),
  masked: flag,
});

check("softmax, logSoftmax and gradients, with masked entries", () => {
  holds(table, ({ rows, n, seed, masked }) => {
    const x = numbers(rows * n, seed).map((v, i) =>
      masked && (i * 7 + seed) % 3 === 0 ? -Infinity : v * 9,
    );
    const g = numbers(rows * n, seed + 1);
    const size_ = rows * n;
    const [y, l, dy, dl] = both((bench) => {
      const { wasm } = bench;
      const [px, pg, py, pl, pdy, pdl] = [
        bench.put(x),
        bench.put(g),
        ...indices(4).map(() => bench.room(size_)),
      ] as number[];
      const args = (...list: (number | undefined)[]) => list as number[];
      wasm.run("softmax", rows, 1e4, 1, ...args(px, py, n));
      wasm.run("logSoftmax", rows, 1e4, 1, ...args(px, pl, n));
      wasm.run("softmaxGrad", rows, 1e4, 1, ...args(pg, py, pdy, n));
      wasm.run("logSoftmaxGrad", rows, 1e4, 1, ...args(pg, pl, pdl, n));
      return [py, pl, pdy, pdl].map((p) => bench.get(p as number, size_));
    }) as [Float32Array, Float32Array, Float32Array, Float32Array];
    const gradients = rowsOf(g, n);
    rowsOf(x, n).forEach((row, r) => {
      const p = softmaxOf(row);
      const part = (v: Float32Array) => v.subarray(r * n, (r + 1) * n);
      close(part(y), p, 1e-6, 1e-9);
      row.forEach((v, i) => {
        if (v === -Infinity && at(p, i) === 0 && at(part(y), i) !== 0)
          throw new Error("a masked entry is not an exact zero");
      });
      close(
        part(l),
        p.map((v, i) =>
          v === 0
            ? -Infinity
            : at(row, i) -
              Math.max(...row) -
              Math.log(sum(row.map((w) => Math.exp(w - Math.max(...row))))),
        ),
        1e-6,
      );
      const gr = gradients[r] as number[];
      const gp = sum(gr.map((v, i) => v * at(p, i)));
      close(
        part(dy),
        p.map((v, i) => v * (at(gr, i) - gp)),
        2e-6,
        1e-6,
      );
      close(
        part(dl),
        p.map((v, i) => at(gr, i) - v * sum(gr)),
        1e-6,
        2e-6,
      );
    });
  });
});

check("crossEntropy and its gradient: ignored targets, smoothing", () => {
  holds(fc.tuple(table, fc.constantFrom(0, 0.1)), ([{ rows, n, seed }, smoothing]) => {
    const x = numbers(rows * n, seed).map((v) => v * 6);
    const target = indices(rows).map((r) => (r % 4 === 3 ? -100 : (r * 5 + seed) % n));
    const g = numbers(rows, seed + 1);
    const [loss, dx] = both((bench) => {
      const { wasm } = bench;
      const [px, pt, pg, pl, pe, ps, pd] = [
        bench.put(x),
        bench.putInts(target),
        bench.put(g),
        bench.room(rows),
        bench.room(rows),
        bench.room(rows),
        bench.room(rows * n),
      ];
      wasm.run("crossEntropy", rows, 1e4, 1, px, pt, n, -100, smoothing, pl, pe, ps);
      wasm.run(
        "crossEntropyGrad",
        rows,
        1e4,
        1,
        pg,
        1,
        0.5,
        px,
        pt,
        pe,
        ps,
        pd,
        n,
        -100,
        smoothing,
      );
      return [bench.get(pl, rows), bench.get(pd, rows * n)];
    }) as [Float32Array, Float32Array];
    rowsOf(x, n).forEach((row, r) => {
      const t = at(target, r);
      const p = softmaxOf(row);
      const logP = p.map(Math.log);
      const want = t < 0 ? 0 : -(1 - smoothing) * at(logP, t) - (smoothing / n) * sum(logP);
      close([at(loss, r)], [want], 2e-6);
      const grad = p.map((v, i) =>
        t < 0 ? 0 : 0.5 * at(g, r) * (v - (1 - smoothing) * Number(i === t) - smoothing / n),
      );
      close(dx.subarray(r * n, (r + 1) * n), grad, 1e-6, 1e-6);
    });
  });
});

check("layerNorm, rmsNorm and gradients", () => {
  const shape = fc.record({
    rows: fc.integer({ min: 0, max: 70 }),
    n: positive,
    centred: flag,
    weighted: flag,
  });
  holds(shape, ({ rows, n, centred, weighted }) => {
    const [x, g, w, b] = [numbers(rows * n, 1), numbers(rows * n, 2), numbers(n, 3), numbers(n, 4)];
    const eps = 1e-3;
    const [y, dx, dw, db] = both((bench) => {
      const { wasm } = bench;
      const [px, pg, pw, pb] = [
        bench.put(x),
        bench.put(g),
        weighted ? bench.put(w) : 0,
        weighted ? bench.put(b) : 0,
      ];
      const [py, pd, pdw, pdb, pr] = [
        bench.room(rows * n),
        bench.room(rows * n),
        bench.room(n),
        bench.room(n),
        bench.room(rows),
      ];
      const pm = centred ? bench.room(rows) : 0;
      wasm.run("norm", rows, 1e4, 1, px, py, n, pw, pb, eps, pm, pr);
      wasm.normGrad(pg, px, pd, rows, n, pw, pm, pr, pdw, pdb);
      return [
        bench.get(py, rows * n),
        bench.get(pd, rows * n),
        bench.get(pdw, n),
        bench.get(pdb, n),
      ];
    }) as [Float32Array, Float32Array, Float32Array, Float32Array];
    const wantW = Array(n).fill(0) as number[];
    const wantB = Array(n).fill(0) as number[];
    const gradients = rowsOf(g, n);
    rowsOf(x, n).forEach((row, r) => {
      const m = centred ? sum(row) / n : 0;
      const rstd = 1 / Math.sqrt(sum(row.map((v) => (v - m) ** 2)) / n + eps);
      const h = row.map((v) => (v - m) * rstd);
      const gr = gradients[r] as number[];
      const k = gr.map((v, i) => v * (weighted ? at(w, i) : 1));
      const meanK = centred ? sum(k) / n : 0;
      const meanKh = sum(k.map((v, i) => v * at(h, i))) / n;
      close(
        y.subarray(r * n, (r + 1) * n),
        h.map((v, i) => (weighted ? v * at(w, i) + at(b, i) : v)),
        1e-5,
      );
      const tolerance = 2e-6 * (1 + rstd);
      close(
        dx.subarray(r * n, (r + 1) * n),
        k.map((v, i) => rstd * (v - meanK - at(h, i) * meanKh)),
        1e-5,
        tolerance,
      );
      gr.forEach((v, i) => {
        wantW[i] = at(wantW, i) + v * at(h, i);
        wantB[i] = at(wantB, i) + v;
      });
    });
    close(dw, wantW, 2e-5);
    close(db, wantB, 2e-5);
  });
});

check("rope: both styles, partial, per batch, and back again", () => {
  const shape = fc.record({
    B: fc.integer({ min: 1, max: 3 }),
    H: fc.integer({ min: 1, max: 3 }),
    T: fc.integer({ min: 1, max: 5 }),
    D: fc.integer({ min: 1, max: 12 }),
    rest: fc.constantFrom(0, 3),
    interleaved: flag,
    perBatch: flag,
  });
  holds(shape, ({ B, H, T, D: half, rest, interleaved, perBatch }) => {
    const D = 2 * half + rest;
    const n = B * H * T * D;
    const x = numbers(n, 1);
    const angle = numbers((perBatch ? B : 1) * T * half, 2).map((v) => v * 3);
    const [cos, sin] = [angle.map(Math.cos), angle.map(Math.sin)];
    const [y, back] = both((bench) => {
      const { wasm } = bench;
      const [px, py, pc, ps] = [bench.put(x), bench.room(n), bench.put(cos), bench.put(sin)];
      const stride = perBatch ? T * half : 0;
      const style = interleaved ? 1 : 0;
      const turn = (from: number, isBack: 0 | 1) => {
        const rows = [1, T, H * T, D, 2 * half, stride, style, isBack];
        wasm.run("rope", B * H * T, 1e4, 1, from, py, pc, ps, ...rows);
        return bench.get(py, n);
      };
      return [turn(px, 0), turn(py, 1)];
    }) as [Float32Array, Float32Array];
    close(back, x, 1e-6);
    const want = Array.from(x);
    for (let r = 0; r < B * H * T; r++) {
      for (let i = 0; i < half; i++) {
        const e = (perBatch ? Math.floor(r / (H * T)) * T * half : 0) + (r % T) * half + i;
        const [p, q] = interleaved ? [2 * i, 2 * i + 1] : [i, i + half];
        const [a, b] = [at(x, r * D + p), at(x, r * D + q)];
        want[r * D + p] = a * at(cos, e) - b * at(sin, e);
        want[r * D + q] = b * at(cos, e) + a * at(sin, e);
      }
    }
    close(y, want, 1e-6);
  });
});

// --- attention

interface Attention {
  B: number;
  Hkv: number;
  group: number;
  T: number;
  S: number;
  D: number;
  causal: boolean;
  offset: number;
  mask: 0 | 1 | 2;
  interleaved: boolean;
}

/** Attention and its gradients as the textbook has them, in double precision. */
function attend(z: Attention, q: number[], k: number[], v: number[], g: number[], mask: number[]) {
  const { B, Hkv, group, T, S, D } = z;
  const H = Hkv * group;
  const scale = 1 / Math.sqrt(D);
  const o = q.map(() => 0);
  const dq = q.map(() => 0);
  const dk = k.map(() => 0);
  const dv = v.map(() => 0);
  for (let bh = 0; bh < B * H; bh++) {
    const kv = Math.floor(bh / H) * Hkv + Math.floor((bh % H) / group);
    for (let t = 0; t < T; t++) {
      const qi = (bh * T + t) * D;
      const score = indices(S).map((s) => {
        if (z.causal && s > t + z.offset) return -Infinity;
        const m = at(mask, (Math.floor(bh / H) * T + t) * S + s);
        if (z.mask === 1 && !m) return -Infinity;
        const dot = sum(indices(D).map((d) => at(q, qi + d) * at(k, (kv * S + s) * D + d)));
        return dot * scale + (z.mask === 2 ? m : 0);
      });
      const p = softmaxOf(score).map((v) => v || 0); // zeros where nothing may be seen
      const dp = p.map((_, s) =>
        sum(indices(D).map((d) => at(g, qi + d) * at(v, (kv * S + s) * D + d))),
      );
      const delta = sum(p.map((w, s) => w * at(dp, s)));
      p.forEach((w, s) => {
        const ds = w * (at(dp, s) - delta) * scale;
        for (let d = 0; d < D; d++) {
          const ki = (kv * S + s) * D + d;
          o[qi + d] = at(o, qi + d) + w * at(v, ki);
          dv[ki] = at(dv, ki) + w * at(g, qi + d);
          dq[qi + d] = at(dq, qi + d) + ds * at(k, ki);
          dk[ki] = at(dk, ki) + ds * at(q, qi + d);
        }
      });
    }
  }
  return [o, dq, dk, dv];
}

/** [B,H,T,D] as stored [B,T,H,D], which the kernel reaches by strides; and back. */
function interleave(
  x: ArrayLike<number>,
  B: number,
  H: number,
  T: number,
  D: number,
  back = false,
): number[] {
  const y = Array(x.length).fill(0) as number[];
  for (let b = 0; b < B; b++)
    for (let h = 0; h < H; h++)
      for (let t = 0; t < T; t++)
        for (let d = 0; d < D; d++) {
          const [i, j] = [((b * H + h) * T + t) * D + d, ((b * T + t) * H + h) * D + d];
          y[back ? i : j] = at(x, back ? j : i);
        }
  return y;
}

function checkAttention(z: Attention): void {
  const { B, Hkv, T, S, D } = z;
  const H = Hkv * z.group;
  const [nq, nk] = [B * H * T * D, B * Hkv * S * D];
  const q = Array.from(numbers(nq, 1), (v) => v * 3);
  const [k, v, g] = [numbers(nk, 2), numbers(nk, 3), numbers(nq, 4)].map((x) => Array.from(x)) as [
    number[],
    number[],
    number[],
  ];
  const mask = Array.from(numbers(B * T * S, 5), (w) =>
    z.mask === 1 ? Number(w > -0.3) : w > 0.8 ? -Infinity : w,
  );
  const strides = (heads: number, rows: number) =>
    z.interleaved ? [rows * heads * D, D, heads * D] : [heads * rows * D, rows * D, D];
  const stored = (x: number[], heads: number, rows: number) =>
    z.interleaved ? interleave(x, B, heads, rows, D) : x;
  const results = both((bench) => {
    const { wasm } = bench;
    const maskAt = z.mask === 1 ? bench.putBytes(mask) : z.mask === 2 ? bench.put(mask) : 0;
    const [qs, ks] = [strides(H, T), strides(Hkv, S)];
    const shape = wasm.layout([
      B,
      H,
      Hkv,
      T,
      S,
      D,
      Number(z.causal),
      z.offset,
      0,
      ...qs,
      ...ks,
      ...ks,
      ...qs,
      z.mask,
      maskAt,
      T * S,
      0,
      S,
      1,
    ]);
    wasm.f32[(shape >> 2) + 8] = 1 / Math.sqrt(D);
    const [pq, pk, pv, pg] = [
      bench.put(stored(q, H, T)),
      bench.put(stored(k, Hkv, S)),
      bench.put(stored(v, Hkv, S)),
      bench.put(stored(g, H, T)),
    ];
    const sizes = [nq, B * H * T, B * H * T, nq, nk, nk];
    const [po, pl, ps, pdq, pdk, pdv] = sizes.map((n) => bench.room(n)) as [
      ...[number, number, number, number, number, number],
    ];
    wasm.run("attention", B * H * Math.ceil(T / 64), 1e5, 1, shape, pq, pk, pv, po, pl, ps);
    wasm.run("attentionGrad", B * Hkv, 1e5, 1, shape, pg, pq, pk, pv, po, pl, ps, pdq, pdk, pdv);
    return [bench.get(po, nq), bench.get(pdq, nq), bench.get(pdk, nk), bench.get(pdv, nk)];
  });
  const want = attend(z, q, k, v, g, mask);
  results.forEach((result, i) => {
    const [heads, rows] = i < 2 ? [H, T] : [Hkv, S];
    const plain = z.interleaved ? interleave(result, B, heads, rows, D, true) : result;
    close(plain, want[i] as number[], 1e-5, 4e-6 * Math.sqrt(i < 2 ? S : T * z.group));
  });
}

const attentions = (most: number) =>
  fc.record({
    B: fc.integer({ min: 1, max: 2 }),
    Hkv: fc.integer({ min: 1, max: 2 }),
    group: fc.integer({ min: 1, max: 2 }),
    T: fc.integer({ min: 1, max: most }),
    S: fc.integer({ min: 1, max: most }),
    D: fc.integer({ min: 1, max: 20 }),
    causal: flag,
    offset: fc.nat(5),
    mask: fc.constantFrom(0 as const, 1 as const, 2 as const),
    interleaved: flag,
  });
check("attention and gradients: grouped heads, causal, masks, strides", () =>
  holds(attentions(20), checkAttention, 80),
);
check("attention and gradients: several blocks", () => holds(attentions(150), checkAttention, 8));

// --- moving

check("stridedCopy: any permutation of up to six dimensions, slices and expansion", () => {
  const shape = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 6 });
  holds(
    fc.tuple(shape, fc.infiniteStream(fc.nat(1000))),
    ([sizes, draws]) => {
      const order = indices(sizes.length).sort((i, j) => i - j);
      for (let i = order.length - 1; i > 0; i--) {
        const j = draws.next().value % (i + 1);
        [order[i], order[j]] = [at(order, j), at(order, i)];
      }
      const contiguous = (s: number[]) =>
        s.map((_, d) => s.slice(d + 1).reduce((p, v) => p * v, 1));
      const expanded = draws.next().value % (2 * sizes.length);
      const inStrides = contiguous(sizes).map((s, d) => (d === expanded ? 0 : s));
      const outSizes = order.map((d) => at(sizes, d));
      const moved = order.map((d) => at(inStrides, d));
      const n = sizes.reduce((p, v) => p * v, 1);
      const x = numbers(n, 1);
      const [y] = both((bench) => {
        const p = bench.room(n);
        bench.wasm.stridedCopy(bench.put(x), p, outSizes, moved, contiguous(outSizes));
        return [bench.get(p, n)];
      });
      const want = indices(n).map((e) => {
        let rest = e;
        let o = 0;
        for (let d = outSizes.length - 1; d >= 0; d--) {
          o += (rest % at(outSizes, d)) * at(moved, d);
          rest = Math.floor(rest / at(outSizes, d));
        }
        return at(x, o);
      });
      close(y as Float32Array, want, 0);
    },
    200,
  );
});

check("gather and scatter: rows and along a dimension, in order", () => {
  const shape = fc.record({
    outer: fc.integer({ min: 1, max: 4 }),
    n: positive,
    m: size,
    inner: fc.integer({ min: 1, max: 9 }),
  });
  holds(shape, ({ outer, n, m, inner: w }) => {
    const x = numbers(outer * n * w, 1);
    const index = Array.from(numbers(outer * m * w, 2), (v) => Math.floor(((v + 1) / 2) * n));
    const rows = Array.from(numbers(m, 3), (v) => Math.floor(((v + 1) / 2) * n));
    const g = numbers(outer * m * w, 4);
    const [y, dx, ry, rdx] = both((bench) => {
      const { wasm } = bench;
      const [px, pi, pr, pg] = [
        bench.put(x),
        bench.putInts(index),
        bench.putInts(rows),
        bench.put(g),
      ];
      const [py, pdx, pry, prdx] = [
        bench.room(g.length),
        bench.put(x),
        bench.room(m * w),
        bench.put(x),
      ];
      wasm.run("gather", outer, 1e4, 1, px, pi, py, n, m, w);
      wasm.run("scatterAdd", outer, 1e4, 1, pg, pi, pdx, n, m, w);
      wasm.run("gatherRows", m, 1e4, 1, px, pr, pry, w);
      wasm.run("scatterAddRows", n, 1e4, 1, pg, pr, m, prdx, w);
      return [
        bench.get(py, g.length),
        bench.get(pdx, x.length),
        bench.get(pry, m * w),
        bench.get(prdx, x.length),
      ];
    }) as [Float32Array, Float32Array, Float32Array, Float32Array];
    const source = (e: number) => {
      const o = Math.floor(e / (m * w));
      return (o * n + at(index, e)) * w + (e % w);
    };
    close(
      y,
      Array.from(g, (_, e) => at(x, source(e))),
      0,
    );
    const want = Float32Array.from(x);
    g.forEach((v, e) => {
      want[source(e)] = at(want, source(e)) + v;
    });
    close(dx, want, 0);
    close(
      ry,
      indices(m * w).map((e) => at(x, at(rows, Math.floor(e / w)) * w + (e % w))),
      0,
    );
    const wantRows = Float32Array.from(x);
    for (let e = 0; e < m * w; e++) {
      const i = at(rows, Math.floor(e / w)) * w + (e % w);
      wantRows[i] = at(wantRows, i) + at(g, e);
    }
    close(rdx, wantRows, 0);
  });
});

// --- optimisers

check("AdamW, SGD and the sum of squares over a list", () => {
  holds(fc.array(size, { minLength: 1, maxLength: 5 }), (sizes) => {
    const n = sum(sizes);
    const [w, g, m, v] = [numbers(n, 1), numbers(n, 2), numbers(n, 3), numbers(n, 4).map(Math.abs)];
    const [b1, b2, lr, wd, eps, t] = [0.9, 0.99, 0.01, 0.1, 1e-8, 3];
    const [w1, m1, v1, w2, m2, parts] = both((bench) => {
      const { wasm } = bench;
      const [pw, pg, pm, pv] = [bench.put(w), bench.put(g), bench.put(m), bench.put(v)];
      const [qw, qm] = [bench.put(w), bench.put(m)];
      let offset = 0;
      const entries = (...at_: number[]) =>
        sizes.flatMap((s) => {
          const row = [...at_.map((p) => p + 4 * offset), s];
          offset += s;
          return row;
        });
      const list = bench.putInts(entries(pw, pg, pm, pv));
      offset = 0;
      const sgd = bench.putInts(entries(qw, pg, qm, qm));
      const doubles = bench.room(2 * sizes.length);
      wasm.run("sumSquaresList", sizes.length, 1e5, 1, list, doubles);
      wasm.run(
        "adamwList",
        sizes.length,
        1e5,
        1,
        list,
        0.5,
        b1,
        b2,
        1 - b1,
        1 - b2,
        1 - lr * wd,
        lr / (1 - b1 ** t),
        1 / Math.sqrt(1 - b2 ** t),
        eps,
      );
      wasm.run("sgdList", sizes.length, 1e5, 1, sgd, 0.5, lr, 0.9, wd, 1);
      const squares = Float32Array.from(sizes, (_, i) => at(wasm.f64, (doubles >> 3) + i));
      return [...[pw, pm, pv, qw, qm].map((p) => bench.get(p, n)), squares];
    }) as [Float32Array, Float32Array, Float32Array, Float32Array, Float32Array, Float32Array];
    let start = 0;
    sizes.forEach((s, i) => {
      close([at(parts, i)], [sum(Array.from(g.subarray(start, start + s), (x) => x * x))], 1e-6);
      start += s;
    });
    const half = Array.from(g, (x) => x / 2);
    const wantM = half.map((x, i) => b1 * at(m, i) + (1 - b1) * x);
    const wantV = half.map((x, i) => b2 * at(v, i) + (1 - b2) * x * x);
    close(m1, wantM, 1e-6);
    close(v1, wantV, 1e-6);
    const adam = half.map((_, i) => {
      const move = at(wantM, i) / (1 - b1 ** t) / (Math.sqrt(at(wantV, i) / (1 - b2 ** t)) + eps);
      return at(w, i) * (1 - lr * wd) - lr * move;
    });
    close(w1, adam, 1e-5);
    const decayed = half.map((x, i) => x + wd * at(w, i));
    const velocity = decayed.map((x, i) => 0.9 * at(m, i) + x);
    close(m2, velocity, 1e-6);
    close(
      w2,
      decayed.map((x, i) => at(w, i) - lr * (x + 0.9 * at(velocity, i))),
      1e-6,
    );
  });
});

// --- threads

test("workers wake for work that is worth sharing, not for a little of it among what is not", async () => {
  const two = createWasm({ threads: 2 });
  const p = two.alloc(4 * 65_536);
  const large = () => two.run("unaryTanh", 65_536, 1, 1024, p, p); // 65 microseconds by its cost
  const small = () => two.run("unaryTanh", 1024, 30, 1024, p, p); // 30, and can't be split
  for (let i = 0; i < 100; i++) {
    large();
    for (let j = 0; j < 3; j++) small();
  }
  assert.equal(two.threads.shared, 0);
  for (let i = 0; i < 20; i++) large();
  assert.ok(two.threads.shared > 0, "twenty in a row are shared");
  await two.threads.stop();
});

// --- memory

check("pool: aligned, disjoint, reused; statistics add up", () => {
  holds(fc.array(fc.tuple(fc.integer({ min: 0, max: 5000 }), flag), { maxLength: 60 }), (steps) => {
    const { pool } = one;
    const before = pool.statistics.inUse;
    const live: [number, number][] = [];
    for (const [bytes, release] of steps) {
      const p = pool.alloc(bytes);
      if (p === 0 || p % 64) throw new Error(`address ${p}`);
      for (const [q, size_] of live)
        if (p < q + size_ && q < p + bytes) throw new Error("two buffers overlap");
      if (!release) live.push([p, bytes]);
      else {
        pool.free(p, bytes);
        const again = pool.alloc(bytes);
        if (again !== p) throw new Error("a freed buffer was not the next of its size");
        pool.free(again, bytes);
      }
    }
    for (const [p, bytes] of live) pool.free(p, bytes);
    if (pool.statistics.inUse !== before)
      throw new Error("bytes in use do not return to where they were");
  });
});

check("pool: 4 GiB is the end, said in a sentence", () => {
  try {
    one.alloc(2 ** 32);
  } catch (error) {
    if (/out of memory: 4\.0 GiB wanted/.test((error as Error).message)) return;
    throw error;
  }
  throw new Error("no error");
});

check("exports.ts lists what the module exports, with as many parameters", () => {
  const source = readFileSync(new URL("../kernels/wasm/exports.ts", import.meta.url), "utf8");
  const others = source.indexOf("interface Others");
  const listed = Array.from(source.matchAll(/^ {2}(\w+)\(([^)]*)\): /gm), (match) => {
    const [, name, list = ""] = match;
    const range = match.index < others ? 2 : 0; // a kernel's from and to
    return `${name}/${range + list.split(",").filter((p) => p.trim()).length}`;
  });
  const exported = Object.entries(one.exports).map(
    ([name, f]) => `${name}/${(f as () => void).length}`,
  );
  const missing = [
    ...listed.filter((x) => !exported.includes(x)),
    ...exported.filter((x) => !listed.includes(x)),
  ];
  if (missing.length) throw new Error(`only on one side: ${missing.join(", ")}`);
});

check("unshared memory: the same module, the same bits", () => {
  const alone = createWasm({ shared: false });
  const x = numbers(1001, 1);
  const run = (wasm: Wasm) => {
    const bench = new Bench(wasm);
    const p = bench.put(x);
    wasm.run("unaryTanh", x.length, 1, 4, p, p);
    return bench.get(p, x.length);
  };
  close(run(alone), run(one), 0);
});

// --- the files

for (const target of Object.keys(targets)) {
  test(`${target} is what its sources build, below 64 KiB`, async () => {
    assert.ok(await isCurrent(target), `${target}: run npx tsx kernels/wasm/build.ts`);
  });
}

test("with fused multiply-add, products agree; where there is none, a sentence says so", () => {
  const script =
    'const { WasmDevice } = await import("./kernels/index.ts");' +
    "const { wasm } = new WasmDevice({ threads: 1 });" +
    "const [a, b, c] = [0, 1, 2].map(() => wasm.alloc(4 * 64 * 64));" +
    "for (let i = 0; i < 4096; i++) { wasm.f32[(a >> 2) + i] = Math.fround(i / 7); wasm.f32[(b >> 2) + i] = i % 5; }" +
    "wasm.matmul(a, b, c, { M: 64, N: 64, K: 64 });" +
    "let want = 0; for (let k = 0; k < 64; k++) want += Math.fround((64 + k) / 7) * ((64 * k + 3) % 5);" +
    "console.log(wasm.fma, Math.abs(wasm.f32[(c >> 2) + 64 + 3] / want - 1) < 1e-6);";
  const flags = ["--import", "tsx", "--input-type=module", "-e", script];
  const env = { ...process.env, TWOHEADS_FMA: "1" };
  const { stdout, stderr } = spawnSync(process.execPath, flags, { encoding: "utf8", env });
  const [fma, agrees] = stdout.trim().split(" ");
  assert.equal(agrees, "true", stderr);
  if (fma === "false") assert.match(stderr, /TWOHEADS_FMA=1, but this engine lacks relaxed SIMD/);
  else assert.equal(fma, "true");
});
