// What an optimiser does to its parameters, as kernels: the new averages first, then the new weights. A
// kernel writes a new array, and the parameter's buffer takes it over, so that nothing is overwritten while
// somebody reads it. Numbers that change from step to step are asked for again at every replay of a
// recorded step. Next: recordStep.ts.

import type { Tensor } from "../../core/index.ts";
import { pow } from "../../core/portable.ts";
import type { UpdateRulesOf } from "../../core/rule.ts";
import type { updates } from "../../core/updates.ts";
import { type Helper, kernel, type Numbers, type Thread } from "./compile.ts";
import type { Engine, Scalar } from "./engine.ts";
import { quotient } from "./math.ts";
import { sum } from "./reduce.ts";
import { bufferOf } from "./rule.ts";
import type { GpuBuffer } from "./storage.ts";

// --- AdamW -------------------------------------------------------------------------------------------

/** m = β1 m + (1 - β1) g. */
const firstMoment = kernel(
  "adamw.m",
  3,
  function (this: Thread, m: Numbers, g: Numbers, gradScale: Numbers, beta1: number) {
    const i = this.thread.x;
    return beta1 * m[i]! + (1 - beta1) * gradScale[0]! * g[i]!;
  },
);

/** v = β2 v + (1 - β2) g². */
const secondMoment = kernel(
  "adamw.v",
  3,
  function (this: Thread, v: Numbers, g: Numbers, gradScale: Numbers, beta2: number) {
    const i = this.thread.x;
    const scaled = gradScale[0]! * g[i]!;
    return beta2 * v[i]! + (1 - beta2) * scaled * scaled;
  },
);

/** AMSGrad's largest v so far. */
const larger = kernel("adamw.largest", 2, function (this: Thread, a: Numbers, b: Numbers) {
  return Math.max(a[this.thread.x]!, b[this.thread.x]!);
});

/** w = w (1 - lr λ) - lr m̂ / (√v̂ + eps), with m̂ = m / (1 - β1ᵗ) and v̂ = v / (1 - β2ᵗ). */
const weights = kernel(
  "adamw.w",
  3,
  function (
    this: Thread,
    w: Numbers,
    m: Numbers,
    v: Numbers,
    lr: number,
    weightDecay: number,
    rest1: number,
    rest2: number,
    eps: number,
  ) {
    const i = this.thread.x;
    const step = (lr * m[i]!) / rest1 / (Math.sqrt(v[i]! / rest2) + eps);
    return w[i]! * (1 - lr * weightDecay) - step;
  },
);

/** attendNext has no kernel here: a cache goes by writeRows and attention. */
type UpdateRules = Required<Omit<UpdateRulesOf<Engine, GpuBuffer, typeof updates>, "attendNext">>;
type UpdateOf<K extends keyof UpdateRules> = UpdateRules[K]["update"];

const adamwStep: UpdateOf<"adamwStep"> = (engine, { args }) => {
  const [ws, gs, ms, vs, gradScale, options, largest] = args;
  const { beta1, beta2, eps, weightDecay } = options;
  const by = gradScale === null ? engine.scalar(1) : bufferOf(gradScale);
  const time = engine.time(options);
  const rest = (beta: number): Scalar => time((_, step) => 1 - pow(beta, step));
  const numbers = [time((lr) => lr), weightDecay, rest(beta1), rest(beta2), eps];
  for (const [i, parameter] of ws.entries()) {
    const [w, g, m, v] = [parameter, gs[i], ms[i], vs[i]].map((x) => x && bufferOf(x));
    if (!w || !g || !m || !v) continue; // the lists are equally long
    engine.overwrite(m, engine.launch(firstMoment, m.dtype, m.length, [m, g, by], [beta1]));
    engine.overwrite(v, engine.launch(secondMoment, v.dtype, v.length, [v, g, by], [beta2]));
    const top = largest === null ? v : bufferOf(largest[i] as Tensor);
    if (top !== v)
      engine.overwrite(top, engine.launch(larger, top.dtype, top.length, [top, v], []));
    engine.overwrite(w, engine.launch(weights, w.dtype, w.length, [w, m, top], numbers));
  }
  return [];
};

// --- SGD ---------------------------------------------------------------------------------------------

/** m = μ m + g, with g the scaled gradient plus λ w. */
const momentumOf = kernel(
  "sgd.m",
  4,
  function (
    this: Thread,
    w: Numbers,
    g: Numbers,
    m: Numbers,
    gradScale: Numbers,
    mStep: number,
    momentum: number,
    weightDecay: number,
  ) {
    const i = this.thread.x;
    return momentum * m[i * mStep]! + gradScale[0]! * g[i]! + weightDecay * w[i]!;
  },
);

/** m = μ m + (1 - τ) g, of a gradient that has its scale and decay already. */
const dampedMomentum = kernel(
  "sgd.damped",
  2,
  function (this: Thread, m: Numbers, g: Numbers, momentum: number, dampening: number) {
    const i = this.thread.x;
    return momentum * m[i]! + (1 - dampening) * g[i]!;
  },
);

/** w = w - lr (μ m + g). */
const descend = kernel(
  "sgd.w",
  3,
  function (this: Thread, w: Numbers, g: Numbers, m: Numbers, lr: number, momentum: number) {
    const i = this.thread.x;
    return w[i]! - lr * (g[i]! + momentum * m[i]!);
  },
);

const sgdStep: UpdateOf<"sgdStep"> = (engine, { args: [ws, gs, ms, gradScale, options] }) => {
  const { momentum, nesterov, weightDecay, dampening = 0 } = options;
  const by = gradScale === null ? engine.scalar(1) : bufferOf(gradScale);
  const lr = engine.time({ ...options, step: 1 })((rate) => rate);
  for (const [i, parameter] of ws.entries()) {
    const [w, g] = [bufferOf(parameter), bufferOf(gs[i] as Tensor)];
    const gradient = (mu: number, m: GpuBuffer, mStep: number): GpuBuffer =>
      engine.launch(momentumOf, w.dtype, w.length, [w, g, m, by], [mStep, mu, weightDecay]);
    const plain = (): GpuBuffer => gradient(0, engine.scalar(0), 0);
    const step = (direction: GpuBuffer, mu: number, m: GpuBuffer): GpuBuffer =>
      engine.launch(descend, w.dtype, w.length, [w, direction, m], [lr, mu]);
    if (ms === null) {
      const direction = plain();
      engine.overwrite(w, step(direction, 0, direction));
      continue;
    }
    const m = bufferOf(ms[i] as Tensor);
    const damped = (): GpuBuffer =>
      engine.launch(dampedMomentum, m.dtype, m.length, [m, plain()], [momentum, dampening]);
    const fresh = dampening === 0 ? gradient(momentum, m, 1) : damped();
    const updated = nesterov ? step(plain(), momentum, fresh) : step(fresh, 0, fresh);
    engine.overwrite(m, fresh);
    engine.overwrite(w, updated);
  }
  return [];
};

// --- The norm of all gradients -----------------------------------------------------------------------

const square = kernel("globalNorm.square", 1, function (this: Thread, x: Numbers) {
  return x[this.thread.x]! * x[this.thread.x]!;
});

const plus = kernel("globalNorm.plus", 2, function (this: Thread, a: Numbers, b: Numbers) {
  return a[this.thread.x]! + b[this.thread.x]!;
});

const root = kernel("globalNorm", 1, function (this: Thread, x: Numbers) {
  return Math.sqrt(x[this.thread.x]!);
});

const globalNorm: UpdateOf<"globalNorm"> = (engine, { args: [list] }) => {
  const squares = list
    .filter((x) => x.size > 0)
    .map((x) => {
      const terms = engine.launch(square, "float32", x.size, [bufferOf(x)], []);
      return sum(engine, terms, { outer: 1, n: x.size, inner: 1 });
    });
  const total = squares.reduce(
    (a, b) => engine.launch(plus, "float32", 1, [a, b], []),
    engine.scalar(0),
  );
  return [engine.launch(root, "float32", 1, [total], [])];
};

// --- Rows of a cache ---------------------------------------------------------------------------------

/** Blocks [C, D] with rows [at, at + T) from blocks [T, D]. */
const placed = kernel(
  "writeRows",
  2,
  function (
    this: Thread,
    old: Numbers,
    fresh: Numbers,
    C: number,
    D: number,
    T: number,
    at: number,
  ) {
    const i = this.thread.x;
    const row = quotient(i, D);
    const block = quotient(row, C);
    const t = row - block * C - at;
    if (t < 0 || t >= T) {
      return old[i]!;
    }
    return fresh[(block * T + t) * D + i - row * D]!;
  },
  [quotient as Helper],
);

const writeRows: UpdateOf<"writeRows"> = (engine, { args: [targets, sources, at] }) => {
  for (const [i, target] of targets.entries()) {
    const source = sources[i] as Tensor;
    const [C = 0, D = 0] = target.shape.slice(-2);
    const [old, fresh] = [bufferOf(target), bufferOf(source)];
    const numbers = [C, D, source.shape.at(-2) ?? 0, at];
    engine.overwrite(old, engine.launch(placed, old.dtype, old.length, [old, fresh], numbers));
  }
  return [];
};

export const updateRules: UpdateRules = {
  adamwStep: { update: adamwStep },
  sgdStep: { update: sgdStep },
  globalNorm: { update: globalNorm },
  writeRows: { update: writeRows },
};
