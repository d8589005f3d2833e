// The feed-forward part of a block: each position by itself goes up to a wider space, through a
// non-linearity, and back down. Next: transformer.ts.

import type { Random, Tensor } from "../core/index.ts";
import { accept, signatures } from "../core/signature.ts";
import { type Activation, residualStd, type TransformerConfig } from "./config.ts";
import { Conv1D, type Linear, linearMaker } from "./layers.ts";
import { abstractClass, Module } from "./module.ts";

const takes = signatures({
  forward: "x: Tensor",
  FeedForward: "config: object",
  SwiGLU: "config: object, rng: Random",
  MLP: "config: object, rng: Random",
});

const activations: Readonly<Record<Activation, (x: Tensor) => Tensor>> = {
  silu: (x) => x.silu(),
  gelu: (x) => x.gelu(),
  gelu_tanh: (x) => x.gelu({ approximate: "tanh" }),
};

/** The part of a block that works on each token alone: x [B,T,C] to [B,T,C], through a wider layer. */
export abstract class FeedForward extends Module {
  constructor(readonly config: TransformerConfig) {
    super();
    if (new.target === FeedForward) throw abstractClass("FeedForward", "a SwiGLU or an MLP");
    accept(takes.FeedForward, arguments);
  }

  /** x [B,T,C] to [B,T,C]. */
  abstract forward(x: Tensor): Tensor;

  protected activate(x: Tensor): Tensor {
    return activations[this.config.activation](x);
  }
}

/** down(silu(gate(x)) * up(x)), without biases (2002.05202). */
export class SwiGLU extends FeedForward {
  readonly gateProj: Linear;
  readonly upProj: Linear;
  readonly downProj: Linear;

  constructor(config: TransformerConfig, rng: Random) {
    accept(takes.SwiGLU, arguments);
    super(config);
    const { dim, ffDim } = config;
    const linear = linearMaker(rng, config.initStd);
    this.gateProj = linear(dim, ffDim, "gate_proj");
    this.upProj = linear(dim, ffDim, "up_proj");
    this.downProj = linear(ffDim, dim, "down_proj", { std: residualStd(config) });
  }

  override forward(x: Tensor): Tensor {
    accept(takes.forward, arguments);
    const gate = this.activate(this.gateProj.forward(x));
    const inner = this.tap("act", gate.mul(this.upProj.forward(x)));
    return this.tap("out", this.downProj.forward(inner));
  }
}

/** proj(gelu(fc(x))), with biases: GPT-2's. */
export class MLP extends FeedForward {
  readonly cFc: Conv1D;
  readonly cProj: Conv1D;

  constructor(config: TransformerConfig, rng: Random) {
    accept(takes.MLP, arguments);
    super(config);
    const { dim, ffDim, initStd: std } = config;
    this.cFc = new Conv1D(dim, ffDim, { rng: rng.fork("c_fc"), std });
    this.cProj = new Conv1D(ffDim, dim, { rng: rng.fork("c_proj"), std: residualStd(config) });
  }

  override forward(x: Tensor): Tensor {
    accept(takes.forward, arguments);
    const inner = this.tap("act", this.activate(this.cFc.forward(x)));
    return this.tap("out", this.cProj.forward(inner));
  }
}
