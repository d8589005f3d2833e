// Causal self-attention: every position mixes the values of the positions before it, weighted by how
// well its query meets their keys. Several heads do so side by side; with fewer key heads than query
// heads (2305.13245), neighbouring query heads share one. Next: transformer.ts.

import { attendsNext } from "../core/attendNext.ts";
import {
  type AttentionOptions,
  indicesLike,
  type Random,
  scaledDotProductAttention,
  type Tensor,
} from "../core/index.ts";
import { accept, signatures } from "../core/signature.ts";
import { isListening } from "./activations.ts";
import type { LayerCache } from "./cache.ts";
import { residualStd, type TransformerConfig } from "./config.ts";
import { Conv1D, Dropout, type Linear, linearMaker, RMSNorm } from "./layers.ts";
import { abstractClass, Module } from "./module.ts";
import type { RotaryTables } from "./rotary.ts";

const takes = signatures({
  SelfAttention: "config: object",
  LlamaAttention: "config: object, rng: Random",
  GPT2Attention: "config: object, rng: Random",
});

/** What all layers of one forward pass share; made once for it. */
export interface Pass {
  /** Angles of the positions, [T, D/2], or [B,1,T,D/2] where rows differ; null without rotary positions. */
  readonly rope: RotaryTables | null;
  /** Which keys are tokens, [B,1,1,S] bool, S with a cache's room; null if all are. */
  readonly mask: Tensor | null;
  /** How many keys came before the first query. */
  readonly offset: number;
}

/** [B,T,H·D] to [B,H,T,D]. Of a single token nothing is moved. */
function toHeads(x: Tensor, headDim: number): Tensor {
  const [B = 0, T = 0, width = 0] = x.shape;
  if (T === 1) return x.reshape([B, width / headDim, 1, headDim]);
  return x.reshape([B, T, width / headDim, headDim]).permute([0, 2, 1, 3]);
}

/** [B,H,T,D] back to [B,T,H·D]. */
function fromHeads(x: Tensor): Tensor {
  const [B = 0, H = 0, T = 0, D = 0] = x.shape;
  if (T === 1) return x.reshape([B, 1, H * D]);
  return x.permute([0, 2, 1, 3]).reshape([B, T, H * D]);
}

/** A norm of every head by itself, x [B,T,H·D]; x as it is where there is none. */
function inHeads(x: Tensor, norm: RMSNorm | null): Tensor {
  if (norm === null) return x;
  const [B = 0, T = 0] = x.shape;
  return norm.forward(x.reshape([B, T, -1, norm.weight.size])).reshape(x.shape);
}

/** The identity matrix [n,n] in the dtype and on the device of `x`. */
function eyeLike(x: Tensor, n: number): Tensor {
  const index = indicesLike(x, n);
  return index.unsqueeze(1).eq(index).to(x.dtype);
}

/** Activations that are there only where heads are apart. */
const parts = ["q", "k", "v", "pattern"];

type Projections = readonly [q: Tensor, k: Tensor, v: Tensor];

/**
 * Attention of every token to those before it and itself, in heads: x [B,T,C] to [B,T,C]. LlamaAttention and
 * GPT2Attention say how queries, keys and values are made.
 */
export abstract class SelfAttention extends Module {
  readonly dropout: Dropout;

  constructor(readonly config: TransformerConfig) {
    super();
    if (new.target === SelfAttention)
      throw abstractClass("SelfAttention", "a LlamaAttention or a GPT2Attention");
    accept(takes.SelfAttention, arguments);
    this.dropout = new Dropout(config.dropout);
  }

  /** Queries [B,T,H·D], keys and values [B,T,Hkv·D]. */
  protected abstract project(x: Tensor): Projections;
  protected abstract output(x: Tensor): Tensor;

  /** x [B,T,C] to [B,T,C]. */
  forward(x: Tensor, pass: Pass, cache?: LayerCache): Tensor {
    const isSeen = isListening() && parts.some((name) => this.isHeard(name));
    const next = cache && !isSeen ? this.#next(x, pass, cache) : null;
    const z = next ?? (cache || isSeen ? this.#byHeads(x, pass, cache) : this.byRows(x, pass));
    return this.tap("out", this.output(this.tap("z", z)));
  }

  /** Attention of one new token in one call; null where that can't be. */
  #next(x: Tensor, pass: Pass, cache: LayerCache): Tensor | null {
    const isNext = x.shape[1] === 1 && cache.keys !== null && this.dropout.options() === undefined;
    if (!isNext || !attendsNext(x)) return null;
    return cache.attend(this.rowsOf(x, pass), this.config.heads, pass.mask);
  }

  /** What attendNext takes of one new token: queries [B,1,H·D], keys and values [B,1,Hkv·D], or all in one row. */
  protected rowsOf(x: Tensor, { rope }: Pass): readonly Tensor[] {
    const [q, k, v] = this.project(x);
    if (rope === null) return [q, k, v];
    const turn = (y: Tensor): Tensor =>
      toHeads(y, this.config.headDim).rope(rope.cos, rope.sin).reshape(y.shape);
    return [turn(q), turn(k), v];
  }

  /** Attention with the heads where the projections leave them, [B,T,H,D]: nothing is moved. */
  protected byRows(x: Tensor, { rope, mask, offset }: Pass): Tensor {
    const [B = 0, T = 0] = x.shape;
    const { headDim } = this.config;
    const [q, k, v] = this.project(x).map((y) => y.reshape([B, T, -1, headDim])) as [
      Tensor,
      Tensor,
      Tensor,
    ];
    const table = (t: Tensor): Tensor => t.reshape([-1, T, 1, headDim / 2]);
    const tables = rope && { cos: table(rope.cos), sin: table(rope.sin) };
    const turn = (y: Tensor): Tensor => (tables === null ? y : y.rope(tables.cos, tables.sin));
    const dropout = this.dropout.options();
    const options = {
      layout: "bthd",
      causal: true,
      offset,
      mask,
      ...(dropout && { dropout }),
    } as const;
    return scaledDotProductAttention(turn(q), turn(k), v, options).reshape([B, T, -1]);
  }

  /** Attention with the heads apart, [B,H,T,D], where each part can be seen and keys can be kept. */
  #byHeads(x: Tensor, { rope, mask, offset }: Pass, cache?: LayerCache): Tensor {
    const [q, k, v] = this.project(x).map((y) => toHeads(y, this.config.headDim)) as [
      Tensor,
      Tensor,
      Tensor,
    ];
    const turn = (y: Tensor): Tensor => (rope === null ? y : y.rope(rope.cos, rope.sin));
    const query = this.tap("q", turn(q));
    const key = this.tap("k", turn(k));
    const value = this.tap("v", v);
    const { keys, values } = cache?.append(key, value) ?? { keys: key, values: value };
    const dropout = this.dropout.options();
    const options = { causal: true, offset, mask, ...(dropout && { dropout }) };
    return fromHeads(this.#attend(query, keys, values, options));
  }

  /**
   * softmax(q kᵀ / √D) v. The softmax, [B,H,T,S], is made only for those who listen to "pattern". A cache's
   * room behind the last token is never seen, as attention is causal.
   */
  #attend(q: Tensor, k: Tensor, v: Tensor, options: AttentionOptions): Tensor {
    if (!this.isHeard("pattern")) return scaledDotProductAttention(q, k, v, options);
    const [B = 0, H = 0, T = 0, D = 0] = q.shape;
    const Hkv = k.shape[1] ?? 1;
    const S = (options.offset ?? 0) + T;
    const [keys, values] = [k, v].map((x) => x.slice({ dim: 2, end: S })) as [Tensor, Tensor];
    const mask = options.mask?.slice({ dim: -1, end: S }) ?? null;
    const identity = eyeLike(k, S).expand([B, Hkv, S, S]); // softmax(...) I is the softmax itself
    const found = scaledDotProductAttention(q, keys, identity, { ...options, mask });
    const pattern = this.tap("pattern", found);
    const groups = pattern.reshape([B, Hkv, (H / Hkv) * T, S]); // the query heads that share a key head
    return groups.matmul(values).reshape([B, H, T, D]);
  }
}

/** Four projections, with the biases and the norms of queries and keys that the configuration says. */
export class LlamaAttention extends SelfAttention {
  readonly qProj: Linear;
  readonly kProj: Linear;
  readonly vProj: Linear;
  readonly oProj: Linear;
  readonly qNorm: RMSNorm | null;
  readonly kNorm: RMSNorm | null;

  constructor(config: TransformerConfig, rng: Random) {
    accept(takes.LlamaAttention, arguments);
    super(config);
    const linear = linearMaker(rng, config.initStd);
    const { dim, headDim, attentionBias, qkNorm = false, normEps } = config;
    const [width, keyWidth] = [config.heads * headDim, config.kvHeads * headDim];
    const bias = attentionBias !== undefined;
    this.qProj = linear(dim, width, "q_proj", { bias });
    this.kProj = linear(dim, keyWidth, "k_proj", { bias });
    this.vProj = linear(dim, keyWidth, "v_proj", { bias });
    const std = residualStd(config);
    this.oProj = linear(width, dim, "o_proj", { bias: attentionBias === "all", std });
    this.qNorm = qkNorm ? new RMSNorm(headDim, normEps) : null;
    this.kNorm = qkNorm ? new RMSNorm(headDim, normEps) : null;
  }

  protected override project(x: Tensor): Projections {
    const q = inHeads(this.qProj.forward(x), this.qNorm);
    return [q, inHeads(this.kProj.forward(x), this.kNorm), this.vProj.forward(x)];
  }

  protected override output(x: Tensor): Tensor {
    return this.oProj.forward(x);
  }
}

/** One projection to queries, keys and values at once, with biases. */
export class GPT2Attention extends SelfAttention {
  readonly cAttn: Conv1D;
  readonly cProj: Conv1D;

  constructor(config: TransformerConfig, rng: Random) {
    accept(takes.GPT2Attention, arguments);
    super(config);
    const { dim, heads, headDim, initStd: std } = config;
    const width = heads * headDim;
    this.cAttn = new Conv1D(dim, 3 * width, { rng: rng.fork("c_attn"), std });
    this.cProj = new Conv1D(width, dim, { rng: rng.fork("c_proj"), std: residualStd(config) });
  }

  /** Without rotary positions the projection stays packed. */
  protected override byRows(x: Tensor, pass: Pass): Tensor {
    if (pass.rope !== null) return super.byRows(x, pass);
    const { heads } = this.config;
    const dropout = this.dropout.options();
    const options = { heads, causal: true, mask: pass.mask, ...(dropout && { dropout }) };
    return this.cAttn.forward(x).packedAttention(options);
  }

  protected override rowsOf(x: Tensor, pass: Pass): readonly Tensor[] {
    return pass.rope === null ? [this.cAttn.forward(x)] : super.rowsOf(x, pass);
  }

  protected override project(x: Tensor): Projections {
    const all = this.cAttn.forward(x);
    const width = this.cAttn.outFeatures / 3;
    const part = (i: number): Tensor =>
      all.slice({ dim: -1, start: i * width, end: (i + 1) * width });
    return [part(0), part(1), part(2)];
  }

  protected override output(x: Tensor): Tensor {
    return this.cProj.forward(x);
  }
}
