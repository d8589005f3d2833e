// The GPT of works.ts written out in core's ops, without modules: the shapes and the formulas on one
// screen, and the losses that every library's training step is held against.
// Read next: twoheads.ts, the same through nn.

import {
  crossEntropy,
  embedding,
  gelu,
  grad,
  layerNorm,
  linear,
  matmul,
  noGrad,
  scaledDotProductAttention,
  scope,
  type Tensor,
  tensor,
} from "../core/index.ts";
import {
  adamW,
  batchOf,
  type GPTShape,
  initialWeights,
  layerNormEps,
  type Weight,
} from "./works.ts";

type Weights = Record<string, Tensor>;

export function tensorOf({ data, shape }: Weight): Tensor {
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
function update(
  p: Float32Array,
  g: ArrayLike<number>,
  m: Float64Array,
  v: Float64Array,
  t: number,
) {
  const { lr, beta1, beta2, eps, weightDecay } = adamW;
  const [fix1, fix2] = [1 - beta1 ** t, 1 - beta2 ** t];
  for (let i = 0; i < p.length; i++) {
    const gi = g[i] as number;
    m[i] = beta1 * (m[i] as number) + (1 - beta1) * gi;
    v[i] = beta2 * (v[i] as number) + (1 - beta2) * gi * gi;
    const stepped = (m[i] as number) / fix1 / (Math.sqrt((v[i] as number) / fix2) + eps);
    p[i] = (p[i] as number) * (1 - lr * weightDecay) - lr * stepped;
  }
}

/** The losses of the first steps, on the device in use. */
export function losses(shape: GPTShape, steps: number): number[] {
  const start = Object.entries(initialWeights(shape));
  const w = Object.fromEntries(start.map(([name, weight]) => [name, tensorOf(weight)]));
  const moments = start.map(
    ([, { data }]) => [new Float64Array(data.length), new Float64Array(data.length)] as const,
  );
  return Array.from({ length: steps }, (_, s) => {
    const { x, y } = batchOf(shape, s);
    const [value, gradients] = scope(() => {
      const [tx, ty] = [x, y].map((ids) => tensor(ids, { shape: [shape.B, shape.T] }));
      const mean = loss(w, tx as Tensor, ty as Tensor, shape);
      return [mean, grad(mean, Object.values(w))] as const;
    });
    noGrad(() =>
      Object.values(w).forEach((p, i) => {
        const data = (p.data as Float32Array).slice();
        update(
          data,
          (gradients[i] as Tensor).data,
          ...(moments[i] as [Float64Array, Float64Array]),
          s + 1,
        );
        p.assign(data);
      }),
    );
    return value.data[0] as number;
  });
}
