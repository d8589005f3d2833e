// Attention: softmax(scale q kᵀ + mask) v. The scores of all queries and keys are one array [rows, S]
// (rows: every query of every head), each of whose cells is one product; a row's largest and the sum of its
// exponentials turn them into the pattern p. Backwards, with dp = g vᵀ: ds = p (dp - Σ dp p), dq = scale ds k, dk = scale dsᵀ q, dv = pᵀ g.
// Next: update.ts, for what an optimiser does.

import type { Tensor } from "../../core/index.ts";
import type { Attend } from "../../core/ops/fused/attentionLoops.ts";
import { broadcastStrides } from "../../core/shape.ts";
import { type Helper, kernel, type Numbers, type Thread } from "./compile.ts";
import type { Engine } from "./engine.ts";
import { expOf, keyHeadOf, logOf, quotient } from "./math.ts";
import { max } from "./reduce.ts";
import { bufferOf, buffersOf, type GpuRule } from "./rule.ts";
import type { GpuBuffer } from "./storage.ts";
import { move } from "./view.ts";

const helpers: readonly Helper[] = [
  expOf as Helper,
  logOf as Helper,
  quotient as Helper,
  keyHeadOf as Helper,
];

/** The score of a key that may not be seen; masks of -3.4e38 only make a score very small. */
const closed = -Infinity;

/** scale q·k, or `hidden` for keys that a causal query may not see. */
const scoreKernel = kernel(
  "attention.scores",
  2,
  function (
    this: Thread,
    q: Numbers,
    k: Numbers,
    T: number,
    S: number,
    D: number,
    H: number,
    group: number,
    scale: number,
    last: number,
    hidden: number,
  ) {
    const i = this.thread.x;
    const row = quotient(i, S);
    const s = i - row * S;
    const head = quotient(row, T);
    if (s > row - head * T + last) {
      return hidden;
    }
    const keyHead = keyHeadOf(head, H, group);
    let dot = 0;
    for (let c = 0; c < D; c++) {
      dot += q[row * D + c]! * k[(keyHead * S + s) * D + c]!;
    }
    return dot * scale;
  },
  helpers,
);

/** The scores with a mask: bools say what may be seen, floats are added. */
const maskKernel = kernel(
  "attention.mask",
  2,
  function (this: Thread, scores: Numbers, mask: Numbers, isBool: number, hidden: number) {
    const i = this.thread.x;
    if (isBool > 0) {
      if (mask[i]! === 0) {
        return hidden;
      }
      return scores[i]!;
    }
    if (scores[i]! <= hidden || mask[i]! <= hidden) {
      return hidden;
    }
    return scores[i]! + mask[i]!;
  },
  helpers,
);

/** Σ exp(score - largest) of each row; of a row that sees nothing, 0. */
const massKernel = kernel(
  "attention.mass",
  2,
  function (this: Thread, scores: Numbers, largest: Numbers, S: number, hidden: number) {
    const row = this.thread.x;
    const m = largest[row]!;
    let sum = 0;
    for (let s = 0; s < S; s++) {
      if (scores[row * S + s]! <= hidden) {
        sum += 0;
      } else {
        sum += expOf(scores[row * S + s]! - m);
      }
    }
    return sum;
  },
  helpers,
);

/** p = exp(score - largest) / mass; 0 for keys that may not be seen. */
const patternKernel = kernel(
  "attention.pattern",
  3,
  function (
    this: Thread,
    scores: Numbers,
    largest: Numbers,
    masses: Numbers,
    S: number,
    hidden: number,
  ) {
    const i = this.thread.x;
    const row = quotient(i, S);
    if (scores[i]! <= hidden) {
      return 0;
    }
    return expOf(scores[i]! - largest[row]!) / masses[row]!;
  },
  helpers,
);

/** x[row, c] = by Σ_s p[row, s] v[s, c], for the key head that the row's head shares. */
const mixKernel = kernel(
  "attention.mix",
  2,
  function (
    this: Thread,
    p: Numbers,
    v: Numbers,
    T: number,
    S: number,
    D: number,
    H: number,
    group: number,
    by: number,
  ) {
    const i = this.thread.x;
    const row = quotient(i, D);
    const c = i - row * D;
    const head = quotient(row, T);
    const keyHead = keyHeadOf(head, H, group);
    let sum = 0;
    for (let s = 0; s < S; s++) {
      sum += p[row * S + s]! * v[(keyHead * S + s) * D + c]!;
    }
    return sum * by;
  },
  helpers,
);

/** Σ_c g y of each row, which is Σ_s dp p. */
const rowDot = kernel(
  "attention.along",
  2,
  function (this: Thread, g: Numbers, y: Numbers, D: number) {
    const row = this.thread.x;
    let dot = 0;
    for (let c = 0; c < D; c++) {
      dot += g[row * D + c]! * y[row * D + c]!;
    }
    return dot;
  },
);

/** ds = p (dp - along), from dp = g vᵀ. */
const scoreBackward = kernel(
  "attention.dscores",
  3,
  function (this: Thread, p: Numbers, dp: Numbers, along: Numbers, S: number) {
    const i = this.thread.x;
    return p[i]! * (dp[i]! - along[quotient(i, S)]!);
  },
  helpers,
);

/** x[s, c] = by Σ p[row, s] g[row, c] over the rows of all heads that share the key head. */
const collectKernel = kernel(
  "attention.collect",
  2,
  function (
    this: Thread,
    p: Numbers,
    g: Numbers,
    T: number,
    S: number,
    D: number,
    group: number,
    by: number,
  ) {
    const i = this.thread.x;
    const place = quotient(i, D);
    const c = i - place * D;
    const keyHead = quotient(place, S);
    const s = place - keyHead * S;
    let sum = 0;
    for (let r = 0; r < group * T; r++) {
      const row = keyHead * group * T + r;
      sum += p[row * S + s]! * g[row * D + c]!;
    }
    return sum * by;
  },
  helpers,
);

interface Sizes {
  readonly T: number;
  readonly S: number;
  readonly D: number;
  readonly Dv: number;
  readonly H: number;
  readonly group: number;
  /** How many queries and how many keys, over all heads. */
  readonly rows: number;
  readonly keys: number;
}

function sizesOf(q: Tensor, k: Tensor, v: Tensor): Sizes {
  const [T = 0, D = 0] = q.shape.slice(-2);
  const [S = 0, Dv = 0] = v.shape.slice(-2);
  const H = q.shape.at(-3) ?? 1;
  const group = H / (k.shape.at(-3) ?? 1);
  return { T, S, D, Dv, H, group, rows: q.size / D, keys: k.size / D };
}

/** The scores [rows, S], masked. */
function scoresOf(
  engine: Engine,
  [q, k]: readonly [Tensor, Tensor],
  mask: Tensor | null,
  { causal, offset, scale }: Attend,
  { T, S, D, H, group, rows }: Sizes,
): GpuBuffer {
  const last = causal ? offset : S;
  const numbers = [T, S, D, H, group, scale, last, closed];
  const raw = engine.launch(scoreKernel, "float32", rows * S, buffersOf(q, k), numbers);
  if (mask === null) return raw;
  const shape = [...q.shape.slice(0, -1), S];
  const wide = move(engine, bufferOf(mask), shape, broadcastStrides(mask.shape, shape));
  const isBool = mask.dtype === "bool" ? 1 : 0;
  return engine.launch(maskKernel, "float32", rows * S, [raw, wide], [isBool, closed]);
}

function patternOf(
  engine: Engine,
  scores: GpuBuffer,
  { largest, mass }: { readonly largest: GpuBuffer; readonly mass: GpuBuffer },
  { rows, S }: Sizes,
): GpuBuffer {
  return engine.launch(patternKernel, "float32", rows * S, [scores, largest, mass], [S, closed]);
}

/** Heads before positions, no dropout, and no gradient for the mask: the rest runs the definition. */
export const attention: GpuRule<"scaledDotProductAttention"> = {
  fits: ([q, , v, mask, { layout, drop }]) => {
    if (layout !== "bhtd" || drop.p > 0 || q.size === 0 || v.size === 0) return false;
    return !mask?.requiresGrad;
  },
  forward: (engine, { args: [q, k, v, mask, options] }) => {
    const sizes = sizesOf(q, k, v);
    const { T, S, Dv, H, group, rows } = sizes;
    const scores = scoresOf(engine, [q, k], mask, options, sizes);
    const largest = max(engine, scores, { outer: rows, n: S, inner: 1 });
    const mass = engine.launch(massKernel, "float32", rows, [scores, largest], [S, closed]);
    const p = patternOf(engine, scores, { largest, mass }, sizes);
    const numbers = [T, S, Dv, H, group, 1];
    const y = engine.launch(mixKernel, "float32", rows * Dv, [p, bufferOf(v)], numbers);
    return [y, { largest, mass }];
  },
  backward: (engine, { g, y, saved, args: [q, k, v, mask, options], outputs }) => {
    const sizes = sizesOf(q, k, v);
    const { T, S, D, Dv, H, group, rows, keys } = sizes;
    const [gs, qs, ks] = [bufferOf(g), bufferOf(q), bufferOf(k)];
    const scores = scoresOf(engine, [q, k], mask, options, sizes);
    const masses = { largest: bufferOf(saved.largest), mass: bufferOf(saved.mass) };
    const p = patternOf(engine, scores, masses, sizes);
    const dscores = (): GpuBuffer => {
      const numbers = [T, S, Dv, H, group, 1, S, closed];
      const dp = engine.launch(scoreKernel, "float32", rows * S, [gs, bufferOf(v)], numbers);
      const along = engine.launch(rowDot, "float32", rows, [gs, bufferOf(y)], [Dv]);
      return engine.launch(scoreBackward, "float32", rows * S, [p, dp, along], [S]);
    };
    const [wantsQ, wantsK, wantsV] = outputs.map((spec) => spec !== null);
    const ds = wantsQ || wantsK ? dscores() : null;
    const made: GpuBuffer[] = [];
    const collect = (from: GpuBuffer, by: GpuBuffer, width: number, scale: number): GpuBuffer =>
      engine.launch(
        collectKernel,
        "float32",
        keys * width,
        [from, by],
        [T, S, width, group, scale],
      );
    if (ds && wantsQ) {
      const numbers = [T, S, D, H, group, options.scale];
      made.push(engine.launch(mixKernel, "float32", rows * D, [ds, ks], numbers));
    }
    if (ds && wantsK) made.push(collect(ds, qs, D, options.scale));
    if (wantsV) made.push(collect(p, gs, Dv, 1));
    return made;
  },
};
