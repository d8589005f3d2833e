// jax-js on its WebAssembly device, in three variants: `jit` (the whole step compiled as one), `gradient`
// (loss and gradient compiled, the optimiser eager, as one writes it with an optimiser from a library)
// and `eager`. Without the browser's Worker it runs on the caller's thread, which is what Node offers
// it. x.ref says that x is used again: a function owns what it is given.
//
//   jax.ts jit | gradient | eager
// Read next: jspytorch.ts.

import { readFileSync } from "node:fs";
import { type Array as JaxArray, jit, nn, numpy as np, tree, valueAndGrad } from "@jax-js/jax";
import { type Ready, serve } from "../contestant.ts";
import { adamW, batchesOf, comparedSteps, factors, initialWeights } from "../works.ts";
import { type GPTShape, layerNormEps, rowsOf, transposed, type Work } from "../works.ts";

type Arrays = Record<string, JaxArray>;

const variant = process.argv[2] ?? "jit";
const compiled = <F extends (...args: JaxArray[]) => JaxArray>(f: F) =>
  variant === "jit" ? jit(f) : f;

function put(data: Float32Array | Int32Array, shape: readonly number[]): JaxArray {
  const dtype = data instanceof Int32Array ? np.int32 : np.float32;
  return np.array(data as never, { dtype }).reshape([...shape]);
}

function simple(compute: () => JaxArray): Ready {
  return {
    result: async () => (await compute().data()) as Float32Array,
    run: async () => (await compute().blockUntilReady()).dispose(),
  };
}

function layerNorm(x: JaxArray, w: Arrays, name: string): JaxArray {
  const unit = nn.standardize(x, -1, { epsilon: layerNormEps });
  return unit.mul(w[`${name}.weight`]!.ref).add(w[`${name}.bias`]!.ref);
}

function linear(x: JaxArray, w: Arrays, name: string): JaxArray {
  return np.matmul(x, w[`${name}.weight`]!.ref).add(w[`${name}.bias`]!.ref);
}

/** [B * T, 3 D] to [B * T, D]. By matmul: its own attention is an einsum, which needs Node 22. */
function attention(qkv: JaxArray, { B, T, D, H }: GPTShape): JaxArray {
  const [q, k, v] = np
    .split(qkv, 3, -1)
    .map((part) => part.reshape([B, T, H, D / H]).transpose([0, 2, 1, 3])) as [
    JaxArray,
    JaxArray,
    JaxArray,
  ];
  const scores = np.matmul(q, np.matrixTranspose(k)).mul(1 / Math.sqrt(D / H));
  const seen = np.tri(T, T, 0, { dtype: np.bool });
  const p = nn.softmax(np.where(seen, scores, -Infinity));
  return np
    .matmul(p, v)
    .transpose([0, 2, 1, 3])
    .reshape([B * T, D]);
}

/** Losses of a batch: its tokens x and y, [B * T] each. Uses up x and y, leaves w. */
function lossOf(w: Arrays, x: JaxArray, y: JaxArray, shape: GPTShape): JaxArray {
  const { B, T, D, V, L } = shape;
  const embedded = np.matmul(nn.oneHot(x, V), w.wte!.ref).reshape([B, T, D]);
  let h = embedded.add(w.wpe!.ref).reshape([B * T, D]);
  for (let i = 0; i < L; i++) {
    const qkv = linear(layerNorm(h.ref, w, `h.${i}.ln_1`), w, `h.${i}.attn.c_attn`);
    h = h.add(linear(attention(qkv, shape), w, `h.${i}.attn.c_proj`));
    const wide = linear(layerNorm(h.ref, w, `h.${i}.ln_2`), w, `h.${i}.mlp.c_fc`);
    h = h.add(linear(nn.gelu(wide), w, `h.${i}.mlp.c_proj`));
  }
  const logits = np.matmul(layerNorm(h, w, "ln_f"), w.lm_head!.ref);
  return nn
    .logSoftmax(logits)
    .mul(nn.oneHot(y, V))
    .sum()
    .div(-B * T);
}

type State = {
  w: Arrays;
  m: Arrays;
  v: Arrays;
};

/** One step of AdamW; fix1 and fix2 correct the moments. Uses up its arguments. */
function update(state: State, g: Arrays, fix1: JaxArray, fix2: JaxArray): State {
  const { lr, beta1, beta2, eps, weightDecay } = adamW;
  const next: State = { w: {}, m: {}, v: {} };
  for (const name of Object.keys(state.w)) {
    const gi = g[name]!;
    const m = state.m[name]!.mul(beta1).add(gi.ref.mul(1 - beta1));
    const v = state.v[name]!.mul(beta2).add(np.square(gi).mul(1 - beta2));
    const stepped = m.ref.div(fix1.ref).div(np.sqrt(v.ref.div(fix2.ref)).add(eps));
    next.w[name] = state.w[name]!.mul(1 - lr * weightDecay).sub(stepped.mul(lr));
    next.m[name] = m;
    next.v[name] = v;
  }
  fix1.dispose();
  fix2.dispose();
  return next;
}

function initialState(shape: GPTShape): State {
  const state: State = { w: {}, m: {}, v: {} };
  for (const [name, weight] of Object.entries(initialWeights(shape))) {
    const isLinear = /c_\w+\.weight|lm_head/.test(name);
    const { shape: dims, data } = isLinear ? transposed(weight) : weight;
    state.w[name] = put(data, dims);
    state.m[name] = np.zeros([...dims]);
    state.v[name] = np.zeros([...dims]);
  }
  return state;
}

function training(shape: GPTShape): Ready {
  let state = initialState(shape);
  const batch = batchesOf(shape);
  let steps = 0;
  const gradient = (w: Arrays, x: JaxArray, y: JaxArray) =>
    valueAndGrad((p: Arrays, a: JaxArray, b: JaxArray) => {
      const l = lossOf(p, a, b, shape);
      tree.dispose(p);
      return l;
    })(w, x, y);
  const lossAndGradient = variant === "gradient" ? jit(gradient) : gradient;
  const whole = (s: State, x: JaxArray, y: JaxArray, fix1: JaxArray, fix2: JaxArray) => {
    const [loss, g] = lossAndGradient(tree.ref(s.w), x, y);
    return { loss, state: update(s, g as Arrays, fix1, fix2) };
  };
  const compute = variant === "jit" ? jit(whole) : whole;
  const step = async (): Promise<number> => {
    const { x, y } = batch(steps++);
    const fixes = [adamW.beta1, adamW.beta2].map((beta) => np.array(1 - beta ** steps));
    const { loss, state: next } = compute(
      state,
      put(x, [x.length]),
      put(y, [y.length]),
      fixes[0]!,
      fixes[1]!,
    );
    state = next as State;
    for (const p of Object.values(state.w)) await p.blockUntilReady();
    return (await loss.data())[0] as number;
  };
  return {
    result: async () => {
      const losses: number[] = [];
      for (let i = 0; i < comparedSteps; i++) losses.push(await step());
      return losses;
    },
    run: step,
  };
}

function prepare(work: Work): Ready {
  if (work.kind === "train") return training(work.gpt);
  if (work.kind === "matmul") {
    const [a, b] = factors(work.n).map((x) => put(x, [work.n, work.n])) as [JaxArray, JaxArray];
    const product = compiled((p: JaxArray, q: JaxArray) => np.matmul(p, q));
    return simple(() => product(a.ref, b.ref));
  }
  const x = put(rowsOf(work.shape), work.shape);
  const f = compiled((p: JaxArray) => (work.kind === "exp" ? np.exp(p) : nn.softmax(p)));
  return simple(() => f(x.ref));
}

const { version } = JSON.parse(
  readFileSync(new URL("node_modules/@jax-js/jax/package.json", import.meta.url), "utf8"),
) as { version: string };

const called = variant === "gradient" ? "jit gradient" : variant;

serve({
  name: `jax-js, ${called}`,
  version,
  about: "wasm device, 1 thread (its only way in Node)",
  prepare,
});
