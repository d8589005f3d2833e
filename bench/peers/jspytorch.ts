// js-pytorch: PyTorch's names over nested JavaScript arrays of doubles, on the CPU (its GPU device
// needs a GL context). It has no GELU, no AdamW and a ReLU block with attention scaled by 1/d²
// instead of 1/√d, so the model is composed of its ops. They guess which axes to broadcast from the
// sizes, wrongly where two agree (T = D here), so rows are flattened to [B * T, D] first.
// Read next: gpujs.ts.

import { readFileSync } from "node:fs";
import { torch } from "js-pytorch";
import { type Ready, serve } from "../contestant.ts";
import { adamW, batchesOf, comparedSteps, factors, initialWeights } from "../works.ts";
import { type GPTShape, layerNormEps, rowsOf, transposed, type Work } from "../works.ts";

type Tensor = InstanceType<typeof torch.Tensor>;
type Nested = number[] | Nested[];
type Weights = Record<string, Tensor>;

function nested(data: ArrayLike<number>, [side = 1, ...rest]: readonly number[], at = 0): Nested {
  const step = rest.reduce((a, b) => a * b, 1);
  return Array.from({ length: side }, (_, i) =>
    rest.length === 0 ? (data[at + i] as number) : nested(data, rest, at + i * step),
  ) as Nested;
}

function simple(compute: () => Tensor): Ready {
  return { result: () => (compute().data as Nested).flat(2) as number[], run: compute };
}

function parameters(shape: GPTShape): Weights {
  const entries = Object.entries(initialWeights(shape)).map(([name, weight]) => {
    const isLinear = /c_\w+\.weight|lm_head/.test(name);
    const { shape: dims, data } = isLinear ? transposed(weight) : weight;
    return [name, torch.tensor(nested(data, dims), true)] as const;
  });
  return Object.fromEntries(entries);
}

function layerNorm(x: Tensor, w: Weights, name: string): Tensor {
  const deviation = x.variance(-1, true).add(layerNormEps).sqrt();
  const unit = x.sub(x.mean(-1, true)).div(deviation);
  return unit.mul(w[`${name}.weight`]!).add(w[`${name}.bias`]!);
}

function linear(x: Tensor, w: Weights, name: string): Tensor {
  return x.matmul(w[`${name}.weight`]!).add(w[`${name}.bias`]!);
}

/** x / (1 + exp(-2 u)), which is 0.5 x (1 + tanh u), u = √(2/π) (x + 0.044715 x³). */
function gelu(x: Tensor): Tensor {
  const inner = x.add(x.pow(3).mul(0.044715)).mul(-2 * Math.sqrt(2 / Math.PI));
  return x.div(inner.exp().add(1));
}

/** [B * T, D] to [B * T, D]: four heads, each query sees the keys before it and its own. */
function attention(x: Tensor, w: Weights, name: string, shape: GPTShape, mask: Tensor): Tensor {
  const { B, T, D, H } = shape;
  const part = (i: string) =>
    linear(x, w, `${name}.c_attn.${i}`)
      .reshape([B, T, H, D / H])
      .transpose(1, 2);
  const [q, k, v] = [part("0"), part("1"), part("2")]; // [B, H, T, D / H]
  const scores = q
    .matmul(k.transpose(-2, -1))
    .mul(1 / Math.sqrt(D / H))
    .reshape([B * H * T, T]);
  const seen = scores.masked_fill(mask, (el: number) => el === 0, -Infinity);
  const p = new torch.nn.Softmax().forward(seen, -1).reshape([B, H, T, T]);
  return linear(
    p
      .matmul(v)
      .transpose(1, 2)
      .reshape([B * T, D]),
    w,
    `${name}.c_proj`,
  );
}

function lossOf(w: Weights, x: Int32Array, y: Int32Array, shape: GPTShape, mask: Tensor): Tensor {
  const { B, T, D, L } = shape;
  let h = w
    .wte!.at(Array.from(x))
    .reshape([B, T, D])
    .add(w.wpe!)
    .reshape([B * T, D]);
  for (let i = 0; i < L; i++) {
    h = h.add(attention(layerNorm(h, w, `h.${i}.ln_1`), w, `h.${i}.attn`, shape, mask));
    const wide = linear(layerNorm(h, w, `h.${i}.ln_2`), w, `h.${i}.mlp.c_fc`);
    h = h.add(linear(gelu(wide), w, `h.${i}.mlp.c_proj`));
  }
  const logits = layerNorm(h, w, "ln_f").matmul(w.lm_head!);
  return new torch.nn.CrossEntropyLoss().forward(logits, torch.tensor(Array.from(y)));
}

/** It can't cut a tensor, so q, k and v get a projection each. */
function cutProjections(w: Weights, { L, D }: GPTShape): void {
  for (let i = 0; i < L; i++) {
    const name = `h.${i}.attn.c_attn`;
    const [weight, bias] = [
      w[`${name}.weight`]!.data as number[][],
      w[`${name}.bias`]!.data as number[],
    ];
    for (const part of [0, 1, 2]) {
      const [from, to] = [part * D, (part + 1) * D];
      w[`${name}.${part}.weight`] = torch.tensor(
        weight.map((row) => row.slice(from, to)),
        true,
      );
      w[`${name}.${part}.bias`] = torch.tensor(bias.slice(from, to), true);
    }
    delete w[`${name}.weight`];
    delete w[`${name}.bias`];
  }
}

function update(p: Tensor, step: number): void {
  const { lr, beta1, beta2, eps, weightDecay } = adamW;
  const g = torch.tensor(p.grad as Nested);
  p.m = (p.m as Tensor).mul(beta1).add(g.mul(1 - beta1));
  p.v = (p.v as Tensor).mul(beta2).add(g.pow(2).mul(1 - beta2));
  const deviation = p.v
    .div(1 - beta2 ** step)
    .sqrt()
    .add(eps);
  const stepped = p.m
    .div(1 - beta1 ** step)
    .div(deviation)
    .mul(-lr);
  p._data = torch
    .tensor(p.data)
    .mul(1 - lr * weightDecay)
    .add(stepped).data;
  p.zero_grad();
}

function training(shape: GPTShape): Ready {
  const w = parameters(shape);
  cutProjections(w, shape);
  const list = Object.values(w);
  for (const p of list) {
    p.m = torch.zeros(p.shape);
    p.v = torch.zeros(p.shape);
  }
  const { B, H, T } = shape;
  const seen = torch.tril([T, T]).data as number[][];
  const mask = torch.tensor(Array.from({ length: B * H }, () => seen).flat());
  const batch = batchesOf(shape);
  let steps = 0;
  const step = (): number => {
    const { x, y } = batch(steps++);
    const loss = lossOf(w, x, y, shape, mask);
    loss.backward();
    for (const p of list) update(p, steps);
    return (loss.data as number[])[0] as number;
  };
  return { result: () => Array.from({ length: comparedSteps }, step), run: step };
}

function prepare(work: Work): Ready | string {
  if (work.kind === "train") {
    return work.gpt.D > 64 ? "M left out, a step takes a minute" : training(work.gpt);
  }
  if (work.kind === "matmul") {
    const [a, b] = factors(work.n).map((x) => torch.tensor(nested(x, [work.n, work.n])));
    return simple(() => a!.matmul(b!));
  }
  const x = torch.tensor(nested(rowsOf(work.shape), work.shape));
  const softmax = new torch.nn.Softmax();
  return simple(() => (work.kind === "exp" ? x.exp() : softmax.forward(x, -1)));
}

const { version } = JSON.parse(
  readFileSync(new URL("node_modules/js-pytorch/package.json", import.meta.url), "utf8"),
) as { version: string };

serve({ name: "js-pytorch", version, about: "nested arrays of doubles, 1 thread", prepare });
