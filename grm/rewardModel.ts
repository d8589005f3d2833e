// The reward model: a causal language model with a second head. Both heads read the same final hidden
// state; the language model's says which token comes next, the reward head's how good the answer is.
// The part below both, the backbone, makes of B rows of T tokens a hidden state of C numbers for each: [B,T,C].
// A Module is a class whose fields are parameters and other modules; Linear is x Wᵀ + b, an MLP several of them
// with ReLU (max(x, 0)) between; Dropout sets random elements to 0 in training. tap(name, x) returns x, and lets
// inspection see or change it by name; rng.fork(name) is a generator of random numbers of its own.
// Names are those of the official code and of a saved CausalLM put together ("model.layers.0...",
// "lm_head.weight", "v_head.summary.0.weight"), so that a base's weights fit in as they are.
// Next: losses.ts for what both are trained on, batches.ts for what they are fed.

import { ArgumentError, arange, type Random, type Tensor, zeros } from "../core/index.ts";
import { accept, signatures } from "../core/signature.ts";
import { forwardTakes } from "../nn/backbone.ts";
import {
  type Backbone,
  CausalLM,
  Dropout,
  type ForwardOptions,
  Linear,
  type ModelConfig,
  Module,
} from "../nn/index.ts";
import { styleName } from "../nn/transformer.ts";

const takes = signatures(
  {
    ValueHead: "dim: number, config: object, { rng: Random }",
    RewardModel:
      'lm: CausalLM, { rng: Random, head?: { type?: "linear" | "mlp", layers?: number, ' +
      "neurons?: number, dropout?: number } }",
    forward: forwardTakes,
    reward: "hidden: Tensor",
    logits: "hidden: Tensor",
    logProbs: "hidden: Tensor, targets: { places: Tensor, tokens: Tensor, ... }",
  },
  () => ({ CausalLM }),
);

/** What a reward head is: complete, checked, and JSON. */
export interface HeadConfig {
  /** One matrix, or an MLP d -> neurons -> ReLU -> ... -> 1. */
  readonly type: "linear" | "mlp";
  /** Hidden layers of an MLP. */
  readonly layers: number;
  /** Width of each; 1024 in the paper, the width of the hidden state here. */
  readonly neurons: number;
  /** Probability, in training, on the hidden state. */
  readonly dropout: number;
}

/** What may be said of a reward head; by default it is an MLP with one hidden layer, as wide as the hidden state. */
export type HeadOptions = Partial<HeadConfig>;

/** Fills in defaults and checks; an ArgumentError names what is wrong. */
export function headConfig(options: HeadOptions, dim: number): HeadConfig {
  const config = { type: "mlp", layers: 1, neurons: dim, dropout: 0.1, ...options } as const;
  const { type, layers, neurons, dropout } = config;
  const isCount = (x: number): boolean => Number.isSafeInteger(x) && x > 0;
  if (
    !["linear", "mlp"].includes(type) ||
    !isCount(layers) ||
    !isCount(neurons) ||
    !(dropout >= 0 && dropout < 1)
  ) {
    throw new ArgumentError(
      `reward head: got ${JSON.stringify(config)}; needed type "linear" or "mlp", whole numbers > 0 of ` +
        "layers and neurons, and dropout in [0, 1)",
    );
  }
  return config;
}

class ReLU extends Module {
  forward(x: Tensor): Tensor {
    return x.relu();
  }
}

/**
 * The reward head, `v_head` in the official code: hidden states [..., C] to rewards [...]. The last matrix
 * begins normal with variance 1 / (inputs + 1) and bias 0 (2009.01325), hidden layers as PyTorch's.
 */
export class ValueHead extends Module {
  readonly dropout: Dropout;
  readonly summary: Linear | readonly (Linear | ReLU)[];

  constructor(
    dim: number,
    readonly config: HeadConfig,
    init: { readonly rng: Random },
  ) {
    accept(takes.ValueHead, arguments);
    super();
    const { rng } = init;
    const { type, layers, neurons, dropout } = config;
    this.dropout = new Dropout(dropout);
    const last = (width: number): Linear =>
      new Linear(width, 1, { rng: rng.fork("last"), std: 1 / Math.sqrt(width + 1) });
    const hidden = (i: number): (Linear | ReLU)[] => [
      new Linear(i === 0 ? dim : neurons, neurons, { rng: rng.fork(`hidden ${i}`) }),
      new ReLU(),
    ];
    this.summary =
      type === "linear"
        ? last(dim)
        : [...Array.from({ length: layers }, (_, i) => hidden(i)).flat(), last(neurons)];
  }

  forward(hidden: Tensor): Tensor {
    const x = this.dropout.forward(hidden);
    const { summary } = this;
    const y =
      summary instanceof Linear
        ? summary.forward(x)
        : summary.reduce((inner, layer) => layer.forward(inner), x);
    return y.squeeze(-1);
  }
}

/** Where text-generation loss is: N places of a batch [B,T], those before the tokens that carry it. */
export interface Targets {
  /** b T + t - 1 for a label at [b, t]: the hidden state that predicts it. int32 [N] */
  readonly places: Tensor;
  /** The labels there, int32 [N]. */
  readonly tokens: Tensor;
  /** The row b of each, int32 [N]. */
  readonly rows: Tensor;
  /** How many labels each row has. */
  readonly counts: readonly number[];
}

/** What a forward pass of a reward model on ids [B,T] gives. */
export interface Rewarded {
  /** Final hidden states [B,T,C]: what both heads read. */
  readonly hidden: Tensor;
  /** Of the last real token of each row, [B]. */
  readonly rewards: Tensor;
  /** Where those tokens are: b T + t, int32 [B]. */
  readonly places: Tensor;
}

/**
 * A language model with a second head: both read the same final hidden state [B,T,C], the one for the next
 * token, the other for a reward at the last token (2406.10216, section 3).
 */
export class RewardModel extends Module {
  readonly config: ModelConfig;
  readonly model: Backbone;
  readonly lmHead: Linear;
  readonly vHead: ValueHead;
  readonly #lm: CausalLM;
  /** A token that no reward is read at where sequences end with it: what a classifier of others takes for padding. */
  padding: number | null = null;

  /** A fresh reward head on a language model, whose backbone and head it shares. */
  constructor(lm: CausalLM, options: { readonly head?: HeadOptions; readonly rng: Random }) {
    accept(takes.RewardModel, arguments);
    super();
    const { head = {}, rng } = options;
    this.#lm = lm;
    this.config = lm.config;
    this.model = lm.model;
    this.lmHead = lm.lmHead;
    this.vHead = new ValueHead(lm.model.dim, headConfig(head, lm.model.dim), { rng });
    const { dtype } = lm.lmHead.weight;
    if (dtype !== "float32") this.vHead.to(dtype);
  }

  protected override fieldName(field: string): string {
    return styleName(this.config.style, field) ?? super.fieldName(field);
  }

  /** The language model inside, which shares every parameter but the reward head's. */
  get lm(): CausalLM {
    return this.#lm;
  }

  /** Ids [B,T], padded on either side (mask: where tokens are), to hidden states and one reward for each row. */
  forward(ids: Tensor, options: ForwardOptions = {}): Rewarded {
    accept(takes.forward, arguments);
    const hidden = this.tap("hidden", this.model.forward(ids, options)); // [B,T,C]
    const places = lastPlaces(ids, options.mask);
    return { hidden, rewards: this.reward(atPlaces(hidden, places)), places };
  }

  /** Hidden states [..., C] to rewards [...]: of last tokens, or of all. */
  reward(hidden: Tensor): Tensor {
    accept(takes.reward, arguments);
    return this.tap("rewards", this.vHead.forward(hidden));
  }

  /** Hidden states [..., C] to logits [..., V]. */
  logits(hidden: Tensor): Tensor {
    accept(takes.logits, arguments);
    return this.tap("logits", this.lmHead.forward(hidden));
  }

  /**
   * s(y) of each row, [B]: what sequenceLogProbs gives on all logits, but with logits made only where
   * there is loss.
   */
  logProbs(hidden: Tensor, targets: Targets): Tensor {
    accept(takes.logProbs, arguments);
    const { places, tokens, rows } = targets;
    const losses = this.logits(atPlaces(hidden, places)).crossEntropy(tokens, {
      reduction: "none",
    });
    const none = zeros([hidden.shape[0] ?? 0], { dtype: hidden.dtype });
    return none.indexAdd(rows, losses).neg();
  }
}

/** Rows of hidden states [B,T,C] at flat places b T + t: [N,C]. */
export function atPlaces(hidden: Tensor, places: Tensor): Tensor {
  const [B = 0, T = 0, C = 0] = hidden.shape;
  return hidden.reshape([B * T, C]).indexSelect(places);
}

/** The place b T + t of each row's last real token, int32 [B]. */
export function lastPlaces(ids: Tensor, mask?: Tensor): Tensor {
  const [B = 0, T = 0] = ids.shape;
  const count = arange(1, T + 1, { dtype: "int32" });
  const real = mask === undefined ? count.expand([B, T]) : mask.to("int32").mul(count);
  return real.argmax({ dim: 1 }).add(arange(0, B, { dtype: "int32" }).mul(T));
}
