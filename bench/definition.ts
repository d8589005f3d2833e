// The GPT of works.ts written out in core's ops, without modules: the shapes and the formulas on one
// screen, and the losses that every library's training step is held against.
// Read next: gpt.ts, the same through nn.

import {
  crossEntropy,
  embedding,
  gelu,
  grad,
  layerNorm,
  linear,
  matmul,
  scaledDotProductAttention,
  scope,
  type Tensor,
  type TypedArray,
  tensor,
} from "../core/index.ts";
import {
  adamW,
  batchesOf,
  type GPTShape,
  initialWeights,
  layerNormEps,
  type Weight,
} from "./works.ts";

type Weights = Record<string, Tensor>;

function tensorOf({ data, shape }: Weight): Tensor {
  return tensor(data, { shape, requiresGrad: true });
}

/** The mean loss of predicting y from x, both [B * T]. */
function loss(w: Weights, x: Tensor, y: Tensor, { L, T, H, D, B }: GPTShape): Tensor {
  const p = (name: string) => w[name] as Tensor;
  const norm = (h: Tensor, name: string) =>
    layerNorm(h, p(`${name}.weight`), p(`${name}.bias`), { eps: layerNormEps });
  const project = (h: Tensor, name: string) => linear(h, p(`${name}.weight`), p(`${name}.bias`));
  const positions = tensor(
    Int32Array.from({ length: T }, (_, t) => t),
    { shape: [T] },
  );

  let h = embedding(p("wte"), x).add(embedding(p("wpe"), positions)); // [B, T, D]
  for (let i = 0; i < L; i++) {
    const qkv = project(norm(h, `h.${i}.ln_1`), `h.${i}.attn.c_attn`); // [B, T, 3 D]
    const [q, k, v] = qkv.split(D, { dim: -1 }).map(
      (part) => part.reshape([B, T, H, D / H]).permute([0, 2, 1, 3]), // [B, H, T, D / H]
    ) as [Tensor, Tensor, Tensor];
    const mixed = scaledDotProductAttention(q, k, v, { causal: true });
    const joined = mixed.permute([0, 2, 1, 3]).reshape([B, T, D]);
    h = h.add(project(joined, `h.${i}.attn.c_proj`));
    const wide = project(norm(h, `h.${i}.ln_2`), `h.${i}.mlp.c_fc`); // [B, T, 4 D]
    h = h.add(project(gelu(wide, { approximate: "tanh" }), `h.${i}.mlp.c_proj`));
  }
  const logits = matmul(norm(h, "ln_f"), p("lm_head"), { transposeB: true }); // [B, T, V]
  return crossEntropy(logits, y);
}

/** A step of AdamW in plain arrays: decoupled decay, then the corrected moments. */
function update<P extends TypedArray>(
  p: P,
  g: TypedArray,
  m: Float64Array,
  v: Float64Array,
  step: number,
): P {
  const { lr, beta1, beta2, eps, weightDecay } = adamW;
  const [fix1, fix2] = [1 - beta1 ** step, 1 - beta2 ** step];
  for (let i = 0; i < p.length; i++) {
    m[i] = beta1 * m[i]! + (1 - beta1) * g[i]!;
    v[i] = beta2 * v[i]! + (1 - beta2) * g[i]! ** 2;
    const stepped = m[i]! / fix1 / (Math.sqrt(v[i]! / fix2) + eps);
    p[i] = p[i]! * (1 - lr * weightDecay) - lr * stepped;
  }
  return p;
}

/** Initial weights on the device in use; each call is a step, and gives its loss. */
export function textbookStep(shape: GPTShape): () => number {
  const entries = Object.entries(initialWeights(shape));
  const w = Object.fromEntries(entries.map(([name, weight]) => [name, tensorOf(weight)]));
  const zeros = () => Object.values(w).map((p) => new Float64Array(p.size));
  const [m, v] = [zeros(), zeros()];
  const batch = batchesOf(shape);
  let steps = 0;
  return () => {
    const { x, y } = batch(steps++);
    return scope(() => {
      const [ids, targets] = [x, y].map((data) => tensor(data, { shape: [shape.B, shape.T] }));
      const mean = loss(w, ids as Tensor, targets as Tensor, shape);
      const gradients = grad(mean, Object.values(w));
      Object.values(w).forEach((p, i) => {
        p.assign(update(p.data.slice(), (gradients[i] as Tensor).data, m[i]!, v[i]!, steps));
      });
      return mean.detach();
    }).data[0] as number;
  };
}
