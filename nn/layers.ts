// The layers that everything is built of: a parameter or two, and one op of core. Parameters have
// PyTorch's names and shapes. Next: attention.ts and feedForward.ts, which are made of these.

import { ArgumentError, type Random, type Tensor } from "../core/index.ts";
import { accept, signatures } from "../core/signature.ts";
import { filled, normal, uniform } from "./init.ts";
import type { LoRA } from "./lora.ts";
import { abstractClass, Module } from "./module.ts";

const takes = signatures({
  linearMaker: "rng: Random, std: number",
  Projection:
    "inFeatures: number, outFeatures: number, weightShape: Shape, { rng: Random, bias?: boolean, std?: number, weight?: Tensor }",
  Linear:
    "inFeatures: number, outFeatures: number, { rng: Random, bias?: boolean, std?: number, weight?: Tensor }",
  Conv1D:
    "inFeatures: number, outFeatures: number, { rng: Random, bias?: boolean, std?: number, weight?: Tensor }",
  Embedding: "count: number, dim: number, { rng: Random, std?: number }",
  LayerNorm: "dim: number, eps?: number",
  RMSNorm: "dim: number, eps?: number",
  Dropout: "p: number",
  forward: "x: Tensor",
});

/** How a linear layer begins, and whether it has a bias. */
export interface LinearOptions {
  readonly rng: Random;
  /** Default true. */
  readonly bias?: boolean;
  /** Deviation of the weight's normal distribution, the bias 0; default U(±1/√in) for both, as PyTorch. */
  readonly std?: number | undefined;
  /** The weight of another module, to share it. */
  readonly weight?: Tensor | undefined;
}

/** A matrix product with a bias: what Linear and Conv1D have in common, and what LoRA adapts. */
export abstract class Projection extends Module {
  weight: Tensor;
  bias: Tensor | null = null;
  /** A low-rank update beside the weight: see lora.ts. */
  lora: LoRA | null = null;

  constructor(
    readonly inFeatures: number,
    readonly outFeatures: number,
    weightShape: readonly [number, number],
    options: LinearOptions,
  ) {
    super();
    if (new.target === Projection) throw abstractClass("Projection", "a Linear or a Conv1D");
    accept(takes.Projection, arguments);
    const { rng, bias = true, std, weight } = options;
    const bound = 1 / Math.sqrt(inFeatures);
    const draw = (shape: readonly number[], name: string): Tensor =>
      std === undefined
        ? uniform(shape, { bound, rng: rng.fork(name) })
        : normal(shape, { std, rng: rng.fork(name) });
    this.weight = weight ?? draw(weightShape, "weight");
    if (bias)
      this.bias = std === undefined ? draw([outFeatures], "bias") : filled([outFeatures], 0);
  }

  protected abstract product(x: Tensor): Tensor;

  /** x [..., in] to [..., out]. */
  forward(x: Tensor): Tensor {
    accept(takes.forward, arguments);
    const y = this.product(x);
    return this.lora?.isActive ? y.add(this.lora.forward(x)) : y;
  }
}

/** y = x Wᵀ + bias; weight [out, in], bias [out]. */
export class Linear extends Projection {
  constructor(inFeatures: number, outFeatures: number, options: LinearOptions) {
    accept(takes.Linear, arguments);
    super(inFeatures, outFeatures, [outFeatures, inFeatures], options);
  }

  protected override product(x: Tensor): Tensor {
    return x.linear(this.weight, this.bias);
  }
}

/** Makes the layers of a part of a model: without biases unless said, each drawing from a fork of its own name. */
export function linearMaker(rng: Random, std: number) {
  accept(takes.linearMaker, arguments);
  return (from: number, to: number, name: string, options: Partial<LinearOptions> = {}): Linear =>
    new Linear(from, to, { rng: rng.fork(name), bias: false, std, ...options });
}

/** y = x W + bias with weight [in, out]: how GPT-2 stores its projections. */
export class Conv1D extends Projection {
  constructor(inFeatures: number, outFeatures: number, options: LinearOptions) {
    accept(takes.Conv1D, arguments);
    super(inFeatures, outFeatures, [inFeatures, outFeatures], options);
  }

  protected override product(x: Tensor): Tensor {
    return this.bias === null ? x.matmul(this.weight) : this.bias.addmm(x, this.weight);
  }
}

/** Rows of a table: indices [...] of int32 to [..., dim]; weight [count, dim]. */
export class Embedding extends Module {
  weight: Tensor;

  constructor(
    readonly count: number,
    readonly dim: number,
    options: { readonly rng: Random; readonly std?: number },
  ) {
    accept(takes.Embedding, arguments);
    super();
    const { rng, std = 1 } = options;
    this.weight = normal([count, dim], { std, rng: rng.fork("weight") });
  }

  forward(ids: Tensor): Tensor {
    accept(takes.forward, arguments);
    return this.weight.embedding(ids);
  }
}

/** Layers that give every state the same size, and then each of its numbers a scale, weight [dim]. */
abstract class Norm extends Module {
  weight: Tensor;

  constructor(
    dim: number,
    readonly eps = 1e-5,
  ) {
    super();
    this.weight = filled([dim], 1);
  }
}

/** (x - mean) / √(variance + eps) over the last axis, times weight plus bias, both [dim]. */
export class LayerNorm extends Norm {
  bias: Tensor;

  constructor(dim: number, eps?: number) {
    accept(takes.LayerNorm, arguments);
    super(dim, eps);
    this.bias = filled([dim], 0);
  }

  forward(x: Tensor): Tensor {
    accept(takes.forward, arguments);
    return x.layerNorm(this.weight, this.bias, { eps: this.eps });
  }
}

/** x / √(mean(x²) + eps) over the last axis, times weight [dim] (1910.07467). */
export class RMSNorm extends Norm {
  constructor(dim: number, eps?: number) {
    accept(takes.RMSNorm, arguments);
    super(dim, eps);
  }

  forward(x: Tensor): Tensor {
    accept(takes.forward, arguments);
    return x.rmsNorm(this.weight, { eps: this.eps });
  }
}

/** In training, zeroes elements with probability p and scales the others by 1 / (1 - p); train({ rng }) says by which draws. */
export class Dropout extends Module {
  constructor(readonly p: number) {
    accept(takes.Dropout, arguments);
    super();
  }

  /** Same shape as `x`. An ArgumentError in training without a generator, unless p is 0. */
  forward(x: Tensor): Tensor {
    accept(takes.forward, arguments);
    const options = this.options();
    return options === undefined ? x : x.dropout(options);
  }

  /** What to give to an op that drops by itself; undefined when nothing is dropped. */
  options(): { readonly p: number; readonly rng: Random } | undefined {
    const { training, p, rng } = this;
    if (!training || p === 0) return undefined;
    if (rng !== null) return { p, rng };
    throw new ArgumentError(
      "dropout: needs a generator to drop from: model.train({ rng: random(seed) }); model.eval() switches it off",
    );
  }
}
