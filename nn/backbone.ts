// Backbone: tokens in, final hidden states out. Heads (the language model's, a reward model's) stand on
// this and don't know whether a transformer or an LSTM is below. Next: transformer.ts, lstm.ts.

import type { Tensor } from "../core/index.ts";
import type { ModelConfig } from "./config.ts";
import type { Embedding } from "./layers.ts";
import { abstractClass, Module } from "./module.ts";

/**
 * What a backbone remembers of the tokens it has read, so that the next call reads on from there. It owns
 * its tensors: they stay when a scope ends; release() releases them. For use without gradients (noGrad).
 */
export interface Cache {
  /** How many places, padding included, have been read. */
  readonly length: number;
  /** Goes on with these rows of the batch, in this order; a row may be named several times. */
  select(rows: Tensor): void;
  /** Gives the memory back. */
  release(): void;
}

/** What a forward pass may be told: padding, a cache to read on from, and where dropout draws from. */
export interface ForwardOptions {
  /** [B,T] bool or int32: which ids are tokens; the others are padding, on whichever side. */
  readonly mask?: Tensor | undefined;
  /** Reads on from there, and remembers these tokens too. */
  readonly cache?: Cache | undefined;
}

/** What forward() takes, as it stands in a signature. */
export const forwardTakes = "ids: Tensor, { mask?: Tensor, cache?: object }";

/**
 * What turns ids [B,T] into hidden states [B,T,C]: the transformer, or the LSTM. Heads and training know no
 * more of it.
 */
export abstract class Backbone extends Module {
  abstract readonly config: ModelConfig;
  /** The longest sequence; Infinity if there is no limit. */
  abstract readonly context: number;
  abstract readonly embedTokens: Embedding;

  constructor() {
    super();
    if (new.target === Backbone) throw abstractClass("Backbone", "a Transformer or an LSTM");
  }

  /** Width of the hidden states. */
  get dim(): number {
    return this.config.dim;
  }

  get vocabSize(): number {
    return this.config.vocabSize;
  }

  /**
   * Ids [B,T] of int32 to hidden states [B,T,C]. What a sequence gets depends on its own tokens alone:
   * not on the rest of the batch, nor on padding. The states of padding mean nothing.
   */
  abstract forward(ids: Tensor, options?: ForwardOptions): Tensor;

  /** A cache that has read nothing yet. */
  abstract newCache(): Cache;
}
