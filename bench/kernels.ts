// The SIMD kernels against the machine: matmul as a share of a register-only multiply-add loop,
// everything else in GB/s (bytes read once plus bytes written once) or in nanoseconds an element.
// Each result is validated before it is timed.
//
//   npx tsx bench/kernels.ts [matmul|batched|fused|rows|attention|threads|fork ...]
// Read next: ladder.ts, the way to the matmul.

import { createWasm, type Wasm } from "../kernels/wasm/kernels.ts";
import { line, numbers, spread, stamp, time, validate } from "./measure.ts";

const one = createWasm({ threads: 1 });

function put(wasm: Wasm, values: Float32Array): number {
  const at = wasm.alloc(values.byteLength);
  wasm.f32.set(values, at >> 2);
  return at;
}
const get = (wasm: Wasm, at: number, n: number) => wasm.f32.slice(at >> 2, (at >> 2) + n);

/** GFLOP/s of multiplies and adds on registers alone. */
function peak(): number {
  const rounds = 1_000_000;
  return (104 * rounds) / time(() => one.exports.peak(rounds, 0.5, 0.25), 60).median / 1e9;
}

/** A few entries of a product, in double precision. */
function spotCheck(
  name: string,
  c: Float32Array,
  a: Float32Array,
  b: Float32Array,
  N: number,
  K: number,
  turned = false,
): void {
  for (let e = 0; e < c.length; e += Math.max(1, Math.floor(c.length / 50))) {
    const [m, n] = [Math.floor(e / N), e % N];
    let sum = 0;
    for (let k = 0; k < K; k++)
      sum += (a[m * K + k] as number) * (b[turned ? n * K + k : k * N + n] as number);
    validate(name, [c[e] as number], [sum], 1e-4);
  }
}

function matmul(): void {
  line("matmul, one thread", "GFLOP/s", "spread", "of peak", "B transposed", "A transposed");
  for (const n of [64, 128, 256, 384, 512, 1024]) {
    const [x, y] = [numbers(n * n, 1), numbers(n * n, 2)];
    const [a, b, c] = [put(one, x), put(one, y), one.alloc(4 * n * n)];
    one.matmul(a, b, c, { M: n, N: n, K: n });
    spotCheck(`matmul ${n}`, get(one, c, n * n), x, y, n, n);
    const before = peak();
    const t = time(() => one.matmul(a, b, c, { M: n, N: n, K: n }));
    const tB = time(() => one.matmul(a, b, c, { M: n, N: n, K: n, transposeB: true }));
    const tA = time(() => one.matmul(a, b, c, { M: n, N: n, K: n, transposeA: true }));
    const ceiling = (before + peak()) / 2;
    const rate = (s: number) => (2 * n ** 3) / s / 1e9;
    const share = (s: number) => `${((rate(s) / ceiling) * 100).toFixed(0)} %`;
    line(
      `  ${n} x ${n} x ${n}`,
      rate(t.median).toFixed(1),
      spread(t),
      share(t.median),
      share(tB.median),
      share(tA.median),
    );
    for (const at of [a, b, c]) one.free(at, 4 * n * n);
  }
  line("  peak, registers only", peak().toFixed(1));
}

function batched(): void {
  line("batched matmul, one thread", "GFLOP/s", "spread");
  const shapes = [
    [64, 64, 16, true, "q kT, d 16"],
    [64, 64, 32, true, "q kT, d 32"],
    [64, 64, 64, true, "q kT, d 64"],
    [64, 16, 64, false, "p v, d 16"],
    [64, 32, 64, false, "p v, d 32"],
    [16, 16, 16, false, "16 x 16 x 16"],
    [32, 32, 8, false, "32 x 32 x 8"],
  ] as const;
  for (const [M, N, K, transposeB, name] of shapes) {
    const batch = 64;
    const [x, y] = [numbers(batch * M * K, 1), numbers(batch * N * K, 2)];
    const [a, b, c] = [put(one, x), put(one, y), one.alloc(4 * batch * M * N)];
    one.matmul(a, b, c, { M, N, K, batch, transposeB });
    spotCheck(name, get(one, c, M * N), x, y, N, K, transposeB);
    const t = time(() => one.matmul(a, b, c, { M, N, K, batch, transposeB }));
    line(
      `  ${name}, batch ${batch}`,
      ((2 * batch * M * N * K) / t.median / 1e9).toFixed(1),
      spread(t),
    );
  }
  const [n, k] = [1024, 1024];
  const [x, y] = [numbers(k, 1), numbers(n * k, 2)];
  const [a, b, c] = [put(one, x), put(one, y), one.alloc(4 * n)];
  for (const transposeB of [false, true]) {
    one.matmul(a, b, c, { M: 1, N: n, K: k, transposeB });
    spotCheck("one row", get(one, c, n), x, y, n, k, transposeB);
    const t = time(() => one.matmul(a, b, c, { M: 1, N: n, K: k, transposeB }));
    line(
      `  1 x 1024 x 1024${transposeB ? ", B transposed" : ""}`,
      ((2 * n * k) / t.median / 1e9).toFixed(1),
      spread(t),
      `${((4 * n * k) / t.median / 1e9).toFixed(1)} GB/s`,
    );
  }
}

const gelu = (x: number) =>
  0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));

function fused(): void {
  const n = 131072;
  line(`elementwise on ${n}, one thread`, "ns/element", "spread", "GB/s");
  const [x, g] = [numbers(n, 1), numbers(n, 2)];
  const [px, pg, py] = [put(one, x), put(one, g), one.alloc(4 * n)];
  const row = (name: string, bytes: number, body: () => void) => {
    const t = time(body, 60);
    line(
      `  ${name}`,
      ((t.median / n) * 1e9).toFixed(3),
      spread(t),
      ((bytes * n) / t.median / 1e9).toFixed(1),
    );
  };
  const unary: [string, (x: number) => number][] = [
    ["Neg", (v) => -v],
    ["Relu", (v) => Math.max(v, 0)],
    ["Exp", Math.exp],
    ["Tanh", Math.tanh],
    ["Sin", Math.sin],
    ["Sigmoid", (v) => 1 / (1 + Math.exp(-v))],
    ["LogSigmoid", (v) => -Math.log1p(Math.exp(-v))],
    ["Silu", (v) => v / (1 + Math.exp(-v))],
    ["GeluTanh", gelu],
  ];
  for (const [name, f] of unary) {
    const kernel = `unary${name}` as "unaryExp";
    one.run(kernel, n, 1, 4, px, py);
    validate(name, get(one, py, 1000), Array.from(x.subarray(0, 1000), f), 1e-5);
    row(name, 8, () => one.run(kernel, n, 1, 4, px, py));
  }
  for (const name of ["unaryLog", "unaryErf", "unaryGelu"] as const)
    row(name.slice(5), 8, () => one.run(name, n, 1, 4, px, py));
  for (const name of ["gradGelu", "gradGeluTanh", "gradSilu"] as const)
    row(name, 12, () => one.run(name, n, 1, 4, pg, px, py));
  row("Add, same shape", 12, () => one.run("binaryAdd", n, 1, 4, n, 0, px, 0, 1, pg, 0, 1, py));
  row("Add, a row to every row [1024,128]", 8, () =>
    one.run("binaryAdd", n, 1, 4, 128, 0, px, 128, 1, pg, 0, 1, py),
  );
  row("Mul, scalar", 8, () => one.run("binaryMul", n, 1, 4, n, 0, px, 0, 1, pg, 0, 0, py));
  row("Pow", 12, () => one.run("binaryPow", n, 1, 4, n, 0, px, 0, 1, pg, 0, 1, py));
  row("axpy", 12, () => one.run("axpy", n, 1, 4, 0.5, px, py));
  row("dropout", 8, () => one.run("dropout", n, 1, 4, px, py, 0.1, 7));
  row("sum of all", 4, () => one.sum(px, py, 1, n, 1));
  row("sum over rows [1024,128]", 4, () => one.sum(px, py, 1, 1024, 128));
  row("transpose [1024,128]", 8, () => one.stridedCopy(px, py, [128, 1024], [1, 128], [1024, 1]));
  row("[16,64,4,32] -> [16,4,64,32]", 8, () =>
    one.stridedCopy(px, py, [16, 4, 64, 32], [8192, 32, 128, 1], [8192, 2048, 32, 1]),
  );
  const [m, v] = [put(one, numbers(n, 3)), put(one, numbers(n, 4).map(Math.abs))];
  const blocks = n / 8192;
  const list = one.alloc(20 * blocks);
  for (let i = 0; i < blocks; i++)
    one.i32.set([px, pg, m, v].map((p) => p + 32768 * i).concat(8192), (list >> 2) + 5 * i);
  row("AdamW", 28, () =>
    one.run("adamwList", blocks, 1, 1, list, 1, 0.9, 0.99, 0.1, 0.01, 1, 1e-9, 1, 1e-8),
  );
}

function rows(): void {
  line("rows, one thread", "microseconds", "spread", "GB/s");
  for (const [r, n] of [
    [512, 256],
    [4096, 64],
    [1024, 512],
  ] as const) {
    const size = r * n;
    const x = numbers(size, 1);
    const [px, py, pg, pd] = [
      put(one, x),
      one.alloc(4 * size),
      put(one, numbers(size, 2)),
      one.alloc(4 * size),
    ];
    const [w, b, means, rstds] = [
      put(one, numbers(n, 3)),
      put(one, numbers(n, 4)),
      one.alloc(4 * r),
      one.alloc(4 * r),
    ];
    const [targets, loss, lse] = [one.alloc(4 * r), one.alloc(4 * r), one.alloc(4 * r)];
    one.i32.fill(3, targets >> 2, (targets >> 2) + r);
    one.run("softmax", r, 1, 1, px, py, n);
    const e = Array.from(x.subarray(0, n), Math.exp);
    const total = e.reduce((s, v) => s + v, 0);
    validate(
      "softmax",
      get(one, py, n),
      e.map((v) => v / total),
      1e-6,
    );
    const row = (name: string, bytes: number, body: () => void) => {
      const t = time(body, 60);
      line(
        `  ${name} [${r},${n}]`,
        (t.median * 1e6).toFixed(1),
        spread(t),
        ((bytes * size) / t.median / 1e9).toFixed(1),
      );
    };
    row("exp", 8, () => one.run("unaryExp", size, 1, 4, px, py));
    row("softmax", 8, () => one.run("softmax", r, 1, 1, px, py, n));
    row("softmaxGrad", 12, () => one.run("softmaxGrad", r, 1, 1, pg, py, pd, n));
    row("logSoftmax", 8, () => one.run("logSoftmax", r, 1, 1, px, py, n));
    row("crossEntropy", 4, () =>
      one.run("crossEntropy", r, 1, 1, px, targets, n, -100, 0, loss, lse),
    );
    row("crossEntropyGrad", 8, () =>
      one.run("crossEntropyGrad", r, 1, 1, loss, 0, 1, px, targets, lse, pd, n, -100, 0),
    );
    row("layerNorm", 8, () => one.run("norm", r, 1, 1, px, py, n, w, b, 1e-5, means, rstds));
    row("layerNorm backward, dw, db", 12, () =>
      one.normGrad(pg, px, pd, r, n, w, means, rstds, w, b),
    );
  }
}

function attention(): void {
  line("attention, causal, one thread", "microseconds", "spread", "GFLOP/s");
  for (const [B, H, T, D] of [
    [16, 4, 64, 16],
    [16, 4, 64, 32],
    [2, 4, 256, 64],
    [1, 4, 1024, 64],
  ] as const) {
    const n = B * H * T * D;
    const [q, k, v, g] = [1, 2, 3, 4].map((s) => put(one, numbers(n, s))) as [
      number,
      number,
      number,
      number,
    ];
    const [o, dq, dk, dv] = [0, 0, 0, 0].map(() => one.alloc(4 * n)) as [
      number,
      number,
      number,
      number,
    ];
    const [lse, delta] = [one.alloc(4 * B * H * T), one.alloc(4 * B * H * T)];
    const s = [H * T * D, T * D, D];
    const shape = one.layout([B, H, H, T, T, D, 1, 0, 0, ...s, ...s, ...s, ...s, 0, 0, 0, 0, 0, 0]);
    one.f32[(shape >> 2) + 8] = 1 / Math.sqrt(D);
    const forward = () =>
      one.run("attention", B * H * Math.ceil(T / 64), 1, 1, shape, q, k, v, o, lse);
    forward();
    validate("attention, first row", get(one, o, D), get(one, v, D), 1e-6); // sees only itself
    const flops = 2 * B * H * T * T * D; // two products, half of each masked away
    const row = (name: string, work: number, body: () => void) => {
      const t = time(body);
      line(
        `  ${name} [${B},${H},${T},${D}]`,
        (t.median * 1e6).toFixed(0),
        spread(t),
        (work / t.median / 1e9).toFixed(1),
      );
    };
    row("forward", flops, forward);
    row("backward", 2.5 * flops, () =>
      one.run("attentionGrad", B * H, 1, 1, shape, g, q, k, v, o, lse, dq, dk, dv, delta),
    );
  }
}

function threads(): void {
  const two = createWasm({ threads: 2 });
  line("two threads", "one, us", "two, us", "ratio");
  const row = (name: string, body: (wasm: Wasm) => void) => {
    const [a, b] = [time(() => body(one)), time(() => body(two))];
    line(
      `  ${name}`,
      (a.median * 1e6).toFixed(0),
      (b.median * 1e6).toFixed(0),
      (a.median / b.median).toFixed(2),
    );
  };
  for (const n of [64, 128, 256, 512]) {
    const at = [one, two].map((wasm) => [
      put(wasm, numbers(n * n, 1)),
      put(wasm, numbers(n * n, 2)),
      wasm.alloc(4 * n * n),
    ]);
    row(`matmul ${n}`, (wasm) => {
      const [a, b, c] = at[wasm === one ? 0 : 1] as [number, number, number];
      wasm.matmul(a, b, c, { M: n, N: n, K: n });
    });
  }
  for (const n of [8192, 131072, 1 << 20]) {
    const at = [put(one, numbers(n, 1)), put(two, numbers(n, 1))];
    row(`exp on ${n}`, (wasm) =>
      wasm.run(
        "unaryExp",
        n,
        0.5,
        1024,
        at[wasm === one ? 0 : 1] as number,
        at[wasm === one ? 0 : 1] as number,
      ),
    );
  }
}

/** The median of 100 single calls, each after `pause` milliseconds of something else. */
function after(pause: number, body: () => void): number {
  const timings = Array.from({ length: 100 }, () => {
    for (const end = performance.now() + pause; performance.now() < end; );
    const start = performance.now();
    body();
    return performance.now() - start;
  });
  return timings.sort((a, b) => a - b)[50] as number;
}

/** One job alone, shared with a worker that looks out for it, and with one that must be woken. */
function fork(): void {
  const two = createWasm({ threads: 2, worthSharing: 0 });
  const at = two.alloc(1 << 22);
  line("fork and join, microseconds", "alone", "awake", "asleep");
  for (const n of [64, 4096, 16384, 65536, 262144, 1 << 20]) {
    const alone = () => (two.exports.unaryExp as (...a: number[]) => void)(0, n, at, at);
    const shared = () => two.run("unaryExp", n, 1, 16, at, at);
    shared();
    const timings = [after(0.02, alone), after(0.02, shared), after(2, shared)];
    line(`  exp on ${n}`, ...timings.map((ms) => (ms * 1e3).toFixed(1)));
  }
}

const suites = { matmul, batched, fused, rows, attention, threads, fork };
const wanted = process.argv.slice(2);
console.log(stamp());
for (const [name, suite] of Object.entries(suites))
  if (wanted.length === 0 || wanted.includes(name)) suite();
