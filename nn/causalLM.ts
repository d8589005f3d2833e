// A language model: a backbone and a head that turns each final hidden state into logits over the next
// token. The head is a module of its own, so that others can stand beside it on the same hidden state.
// Next: generate.ts; ../grm for the reward head.

import type { Random, Tensor } from "../core/index.ts";
import { accept, signatures } from "../core/signature.ts";
import { type Backbone, type ForwardOptions, forwardTakes } from "./backbone.ts";
import { type ModelConfig, type ModelOptions, modelConfig } from "./config.ts";
import { Linear } from "./layers.ts";
import { LSTM } from "./lstm.ts";
import { Module } from "./module.ts";
import { styleName, Transformer } from "./transformer.ts";

const takes = signatures({
  makeBackbone: "options: object, { rng: Random }",
  CausalLM: "config: object, { rng: Random }",
  hidden: forwardTakes,
  forward: forwardTakes,
});

/** The backbone that a configuration describes. */
export function makeBackbone(options: ModelOptions, init: { readonly rng: Random }): Backbone {
  accept(takes.makeBackbone, arguments);
  const config = modelConfig(options);
  return config.style === "lstm" ? new LSTM(config, init) : new Transformer(config, init);
}

/**
 * A language model: a backbone (Llama-style, GPT-2-style or LSTM, as the options say) and the head for the
 * next token. Its parameters have Hugging Face's names.
 */
export class CausalLM extends Module {
  readonly config: ModelConfig;
  readonly model: Backbone;
  readonly lmHead: Linear;

  /** A fresh model, its weights drawn from `rng`; an ArgumentError names each option that is wrong. */
  constructor(options: ModelOptions, init: { readonly rng: Random }) {
    accept(takes.CausalLM, arguments);
    super();
    const { rng } = init;
    this.config = modelConfig(options);
    const { dim, vocabSize, tied } = this.config;
    this.model = makeBackbone(this.config, { rng: rng.fork("model") });
    const weight = tied ? this.model.embedTokens.weight : undefined;
    const head = { rng: rng.fork("lm_head"), bias: false, std: 0.02, weight };
    this.lmHead = new Linear(dim, vocabSize, head);
  }

  protected override fieldName(field: string): string {
    return styleName(this.config.style, field) ?? super.fieldName(field);
  }

  /** Ids [B,T] to the final hidden states [B,T,C], announced as "hidden". */
  hidden(ids: Tensor, options?: ForwardOptions): Tensor {
    accept(takes.hidden, arguments);
    return this.tap("hidden", this.model.forward(ids, options));
  }

  /** Ids [B,T] to logits [B,T,V] for the token after each. */
  forward(ids: Tensor, options?: ForwardOptions): Tensor {
    accept(takes.forward, arguments);
    return this.tap("logits", this.lmHead.forward(this.hidden(ids, options)));
  }
}
