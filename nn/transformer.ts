// The transformer: embeddings, then blocks that each read the residual stream and add to it, then a last
// norm. Out come hidden states; heads turn them into logits or rewards. The same code is a Llama or a
// GPT-2; what differs are the parts (by config) and the names, which are those of Hugging Face's
// LlamaForCausalLM and GPT2LMHeadModel, so that a state dict opens in PyTorch as it is.
// Next: causalLM.ts for the head on top, generate.ts for what it is good for.

import { DeviceError, type Random, ShapeError, scope, type Tensor, tensor } from "../core/index.ts";
import { isRecording } from "../core/modes.ts";
import { accept, signatures } from "../core/signature.ts";
import { isListening } from "./activations.ts";
import { GPT2Attention, LlamaAttention, type Pass, type SelfAttention } from "./attention.ts";
import { Backbone, type ForwardOptions, forwardTakes } from "./backbone.ts";
import { asKVCache, type KeyPlaces, KVCache, type LayerCache } from "./cache.ts";
import { modelConfig, type TransformerConfig, type TransformerOptions } from "./config.ts";
import { type FeedForward, MLP, SwiGLU } from "./feedForward.ts";
import { Dropout, Embedding, LayerNorm, RMSNorm } from "./layers.ts";
import { Module } from "./module.ts";
import { Rotary } from "./rotary.ts";

const takes = signatures({
  TransformerBlock: "config: object, rng: Random",
  Transformer: "config: object, { rng: Random }",
  forward: forwardTakes,
});

/** What GPT2LMHeadModel calls the parts that have Llama's names here. */
const gpt2Names: Readonly<Record<string, string>> = {
  model: "transformer",
  embedTokens: "wte",
  embedPositions: "wpe",
  layers: "h",
  norm: "ln_f",
  inputLayernorm: "ln_1",
  selfAttn: "attn",
  postAttentionLayernorm: "ln_2",
};

/** The name of a field in the checkpoints of a style; undefined where the usual rule holds. */
export function styleName(style: string, field: string): string | undefined {
  return style === "gpt2" ? gpt2Names[field] : undefined;
}

function makeNorm({ style, dim, normEps }: TransformerConfig): LayerNorm | RMSNorm {
  return style === "gpt2" ? new LayerNorm(dim, normEps) : new RMSNorm(dim, normEps);
}

/** x + attention(norm(x)), then x + feedForward(norm(x)): pre-norm, as in GPT-2 and Llama. */
export class TransformerBlock extends Module {
  readonly inputLayernorm: LayerNorm | RMSNorm;
  readonly selfAttn: SelfAttention;
  readonly postAttentionLayernorm: LayerNorm | RMSNorm;
  readonly mlp: FeedForward;
  readonly dropout: Dropout;

  constructor(
    readonly config: TransformerConfig,
    rng: Random,
  ) {
    accept(takes.TransformerBlock, arguments);
    super();
    const isGPT2 = config.style === "gpt2";
    const [Attention, Feed] = isGPT2 ? [GPT2Attention, MLP] : [LlamaAttention, SwiGLU];
    this.inputLayernorm = makeNorm(config);
    this.selfAttn = new Attention(config, rng.fork("attention"));
    this.postAttentionLayernorm = makeNorm(config);
    this.mlp = new Feed(config, rng.fork("mlp"));
    this.dropout = new Dropout(config.dropout);
  }

  protected override fieldName(field: string): string {
    return styleName(this.config.style, field) ?? super.fieldName(field);
  }

  /** The residual stream x [B,T,C], with what this block adds. */
  forward(x: Tensor, pass: Pass, cache?: LayerCache): Tensor {
    const attended = this.selfAttn.forward(this.inputLayernorm.forward(x), pass, cache);
    const middle = this.tap("mid", x.add(this.dropout.forward(attended)));
    const fed = this.mlp.forward(this.postAttentionLayernorm.forward(middle));
    return this.tap("resid", middle.add(this.dropout.forward(fed)));
  }
}

/**
 * Embeddings, blocks of attention and feed-forward, and a last norm: ids [B,T] to hidden states [B,T,C], T
 * at most config.context.
 */
export class Transformer extends Backbone {
  readonly config: TransformerConfig;
  readonly embedTokens: Embedding;
  readonly embedPositions: Embedding | null;
  readonly layers: readonly TransformerBlock[];
  readonly norm: LayerNorm | RMSNorm;
  readonly dropout: Dropout;
  readonly #rotary: Rotary | null;

  constructor(options: TransformerOptions, init: { readonly rng: Random }) {
    accept(takes.Transformer, arguments);
    super();
    const { rng } = init;
    const config = modelConfig(options);
    const { dim, layers, initStd: std, positions } = config;
    this.config = config;
    this.embedTokens = new Embedding(config.vocabSize, dim, { rng: rng.fork("tokens"), std });
    this.embedPositions =
      positions === "learned"
        ? new Embedding(config.context, dim, { rng: rng.fork("positions"), std })
        : null;
    const block = (i: number): TransformerBlock =>
      new TransformerBlock(config, rng.fork(`layer ${i}`));
    this.layers = Array.from({ length: layers }, (_, i) => block(i));
    this.norm = makeNorm(config);
    this.dropout = new Dropout(config.dropout);
    this.#rotary =
      positions === "rope"
        ? new Rotary(config.context, config.headDim, config.ropeBase, config.ropeScaling)
        : null;
  }

  get context(): number {
    return this.config.context;
  }

  protected override fieldName(field: string): string {
    return styleName(this.config.style, field) ?? super.fieldName(field);
  }

  override newCache(): KVCache {
    return new KVCache(this.config.layers, this.context);
  }

  override forward(ids: Tensor, options: ForwardOptions = {}): Tensor {
    accept(takes.forward, arguments);
    const cache = asKVCache(options.cache);
    const { positions, ...pass } = this.#prepare(ids, options, cache);
    const tokens = this.embedTokens.forward(ids);
    const placed =
      this.embedPositions === null ? tokens : tokens.add(this.embedPositions.forward(positions));
    const start = this.tap("embed", this.dropout.forward(placed));
    const end = this.layers.reduce(
      (x, block, i) => freed(ids.size, () => block.forward(x, pass, cache?.layers[i])),
      start,
    );
    return this.tap("hidden", this.norm.forward(end));
  }

  /** Positions, angles and mask, once for all layers. */
  #prepare(
    ids: Tensor,
    { mask }: ForwardOptions,
    cache: KVCache | null,
  ): Pass & { readonly positions: Tensor } {
    const [B, T] = checkIds(ids, mask);
    const offset = cache?.length ?? 0;
    if (offset + T > this.context) {
      throw new ShapeError(
        `Transformer: ${offset + T} positions don't fit its context of ${this.context}; shorten the sequences`,
      );
    }
    const needed =
      mask === undefined || (cache === null && isRightPadded(mask)) ? null : mask.to("bool");
    const places = cache === null ? needed && placesOf(needed) : cache.extend(B, T, needed);
    const positions = places?.positions ?? countFrom(offset, T);
    const tables = this.#rotary?.tables(this.embedTokens.weight.dtype, offset + T) ?? null;
    const rows = (table: Tensor): Tensor => {
      if (places === null) return table.slice({ dim: 0, start: offset, end: offset + T });
      return table.embedding(positions).unsqueeze(1); // the same for every head
    };
    return {
      positions,
      rope: tables && { cos: rows(tables.cos), sin: rows(tables.sin) },
      mask: places?.keys.reshape([B, 1, 1, -1]) ?? null,
      offset,
    };
  }
}

/**
 * Runs a block. Without gradients and listeners nobody needs what it makes on its way: the next block finds
 * that memory free, and still in the processor's cache. Of a few tokens that is too little to be worth it.
 */
function freed(tokens: number, block: () => Tensor): Tensor {
  return tokens < 32 || isRecording() || isListening() ? block() : scope(block);
}

/** Batch size and length of ids, or a ShapeError. */
export function checkIds(ids: Tensor, mask: Tensor | undefined): readonly [B: number, T: number] {
  const [B = 0, T = 0] = ids.shape;
  if (ids.rank !== 2 || ids.dtype !== "int32" || T === 0) {
    throw new ShapeError(
      `forward: ids must be int32 [batch, tokens] with at least one token, got ${ids.dtype} [${ids.shape}]`,
    );
  }
  if (mask && (String(mask.shape) !== String(ids.shape) || !/int32|bool/.test(mask.dtype))) {
    throw new ShapeError(
      `forward: mask must be bool or int32 [${ids.shape}] as ids, got ${mask.dtype} [${mask.shape}]`,
    );
  }
  return [B, T];
}

function countFrom(start: number, count: number): Tensor {
  return tensor(new Int32Array(count).map((_, i) => start + i));
}

/** Which of the places [B,T] hold tokens, and their positions: how many tokens came before, padding not counted. */
function placesOf(keys: Tensor): KeyPlaces {
  const counts = keys.to("int32").cumsum({ dim: 1 });
  return { keys, positions: counts.sub(1).maximum(0).to("int32") };
}

/**
 * Whether padding comes after all tokens: a causal model never looks there, so that it needs no mask.
 * False, which is always right, where the numbers can't be read at once (on a GPU).
 */
function isRightPadded(mask: Tensor): boolean {
  try {
    const { data } = mask;
    const T = mask.shape[1] ?? 1;
    return data.every((real, i) => i % T === 0 || real === 0 || data[i - 1] !== 0);
  } catch (error) {
    if (error instanceof DeviceError) return false;
    throw error;
  }
}
