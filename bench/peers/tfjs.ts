// TensorFlow.js on its WebAssembly backend, with SIMD. In Node that backend never uses threads (its
// flag WASM_HAS_MULTITHREAD_SUPPORT is false there). Gradients by tf.variableGrads, the update by
// its own Adam after a decoupled decay. Its wasm backend has no gradient of gather, so embeddings
// and the loss go by one-hot rows.
// Read next: jax.ts.

import * as tf from "@tensorflow/tfjs";
import { getThreadsCount, setThreadsCount } from "@tensorflow/tfjs-backend-wasm";
import { type Ready, serve } from "../contestant.ts";
import { adamW, batchesOf, comparedSteps, factors, initialWeights } from "../works.ts";
import { type GPTShape, layerNormEps, rowsOf, transposed, type Work } from "../works.ts";

type Weights = Record<string, tf.Variable>;

setThreadsCount(1);
await tf.setBackend("wasm");
await tf.ready();
if (!(await tf.env().getAsync("WASM_HAS_SIMD_SUPPORT"))) throw new Error("tfjs found no SIMD");

/** A result that is computed, read once, and afterwards dropped as soon as it is there. */
function simple(compute: () => tf.Tensor): Ready {
  return {
    result: () => tf.tidy(() => compute().dataSync()),
    run: () => compute().dispose(),
  };
}

function variables(shape: GPTShape): Weights {
  const entries = Object.entries(initialWeights(shape)).map(([name, weight]) => {
    const isLinear = /c_\w+\.weight|lm_head/.test(name);
    const { shape, data } = isLinear ? transposed(weight) : weight;
    return [name, tf.variable(tf.tensor(data, [...shape]), true, name)] as const;
  });
  return Object.fromEntries(entries);
}

function layerNorm(x: tf.Tensor, w: Weights, name: string): tf.Tensor {
  const { mean, variance } = tf.moments(x, -1, true);
  const unit = x.sub(mean).mul(variance.add(layerNormEps).rsqrt());
  return unit.mul(w[`${name}.weight`]!).add(w[`${name}.bias`]!);
}

function linear(x: tf.Tensor2D, w: Weights, name: string): tf.Tensor2D {
  return tf.matMul(x, w[`${name}.weight`] as tf.Tensor2D).add(w[`${name}.bias`]!);
}

/** 0.5 x (1 + tanh(√(2/π) (x + 0.044715 x³))) */
function gelu(x: tf.Tensor2D): tf.Tensor2D {
  const inner = x.add(x.mul(x).mul(x).mul(0.044715)).mul(Math.sqrt(2 / Math.PI));
  return x.mul(0.5).mul(inner.tanh().add(1));
}

function attention(x: tf.Tensor2D, w: Weights, name: string, shape: GPTShape, mask: tf.Tensor) {
  const { B, T, D, H } = shape;
  const heads = linear(x, w, `${name}.c_attn`)
    .reshape([B, T, 3, H, D / H])
    .transpose([2, 0, 3, 1, 4]);
  const [q, k, v] = tf.unstack(heads) as [tf.Tensor4D, tf.Tensor4D, tf.Tensor4D]; // [B, H, T, D/H]
  const scores = tf
    .matMul(q, k, false, true)
    .mul(1 / Math.sqrt(D / H))
    .add(mask);
  const mixed = tf
    .matMul(tf.softmax(scores), v)
    .transpose([0, 2, 1, 3])
    .reshape([B * T, D]);
  return linear(mixed as tf.Tensor2D, w, `${name}.c_proj`);
}

function lossOf(w: Weights, x: Int32Array, y: Int32Array, shape: GPTShape, mask: tf.Tensor) {
  const { B, T, D, V, L } = shape;
  const tokens = tf.oneHot(tf.tensor1d(x, "int32"), V).toFloat() as tf.Tensor2D;
  const embedded = tf.matMul(tokens, w.wte as tf.Tensor2D).reshape([B, T, D]);
  let h = embedded.add(w.wpe!).reshape([B * T, D]) as tf.Tensor2D;
  for (let i = 0; i < L; i++) {
    const name = `h.${i}`;
    h = h.add(
      attention(layerNorm(h, w, `${name}.ln_1`) as tf.Tensor2D, w, `${name}.attn`, shape, mask),
    );
    const wide = linear(layerNorm(h, w, `${name}.ln_2`) as tf.Tensor2D, w, `${name}.mlp.c_fc`);
    h = h.add(linear(gelu(wide), w, `${name}.mlp.c_proj`));
  }
  const logits = tf.matMul(layerNorm(h, w, "ln_f") as tf.Tensor2D, w.lm_head as tf.Tensor2D);
  const wanted = tf.oneHot(tf.tensor1d(y, "int32"), V).toFloat();
  return tf
    .logSoftmax(logits)
    .mul(wanted)
    .sum()
    .div(-B * T) as tf.Scalar;
}

function training(shape: GPTShape): Ready {
  const w = variables(shape);
  const list = Object.values(w);
  const { lr, beta1, beta2, eps, weightDecay } = adamW;
  const optimizer = tf.train.adam(lr, beta1, beta2, eps);
  const { T } = shape;
  const mask = tf.tensor2d(
    Float32Array.from({ length: T * T }, (_, i) => (i % T > Math.floor(i / T) ? -1e9 : 0)),
    [T, T],
  );
  const batch = batchesOf(shape);
  let steps = 0;
  const step = (): number => {
    const { x, y } = batch(steps++);
    return tf.tidy(() => {
      const { value, grads } = tf.variableGrads(() => lossOf(w, x, y, shape, mask), list);
      for (const p of list) p.assign(p.mul(1 - lr * weightDecay));
      optimizer.applyGradients(grads as Parameters<typeof optimizer.applyGradients>[0]);
      return value.dataSync()[0] as number;
    });
  };
  return { result: () => Array.from({ length: comparedSteps }, step), run: step };
}

function prepare(work: Work): Ready {
  if (work.kind === "train") return training(work.gpt);
  if (work.kind === "matmul") {
    const [a, b] = factors(work.n).map((x) => tf.tensor2d(x, [work.n, work.n]));
    return simple(() => tf.matMul(a!, b!));
  }
  const x = tf.tensor2d(rowsOf(work.shape), [...work.shape]);
  return simple(() => (work.kind === "exp" ? tf.exp(x) : tf.softmax(x)));
}

serve({
  name: "tfjs-wasm",
  version: tf.version.tfjs,
  about: `SIMD, ${getThreadsCount()} thread (its only way in Node)`,
  prepare,
});
