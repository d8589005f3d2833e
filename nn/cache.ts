// The KV cache: the keys and values of every layer for the tokens that were read so far, so that a new
// token costs one row instead of all rows again. Next: attention.ts, which appends to it; generate.ts.

import { ArgumentError, cat, GraphError, ones, type Tensor } from "../core/index.ts";
import { accept, signature } from "../core/signature.ts";
import type { Cache } from "./backbone.ts";

const takes = signature("KVCache", "layers: number");

/** The tensor that a cache holds from now on in place of `old`. */
function replace(old: Tensor | null, fresh: Tensor): Tensor {
  if (old !== null && old.storage !== fresh.storage) old.release();
  return fresh.keep();
}

/** One layer's keys and values, [B, Hkv, S, D] each. */
export class LayerCache {
  keys: Tensor | null = null;
  values: Tensor | null = null;

  /** Adds those of new tokens; returns all. */
  append(k: Tensor, v: Tensor): { keys: Tensor; values: Tensor } {
    if (k.requiresGrad || v.requiresGrad) {
      throw new GraphError("cache: keys and values go without gradients; run the model in noGrad");
    }
    const keys = this.keys === null ? k : cat([this.keys, k], { dim: 2 });
    const values = this.values === null ? v : cat([this.values, v], { dim: 2 });
    this.keys = replace(this.keys, keys);
    this.values = replace(this.values, values);
    return { keys, values };
  }

  select(rows: Tensor): void {
    if (this.keys) this.keys = replace(this.keys, this.keys.indexSelect(rows));
    if (this.values) this.values = replace(this.values, this.values.indexSelect(rows));
  }

  release(): void {
    this.keys?.release();
    this.values?.release();
  }
}

/**
 * Keys and values of the tokens so far, layer by layer: a transformer that reads on from it doesn't compute
 * them again.
 */
export class KVCache implements Cache {
  readonly layers: readonly LayerCache[];
  length = 0;
  /** Which places hold tokens, [B,S] bool; null as long as all do. */
  #mask: Tensor | null = null;

  constructor(layers: number) {
    accept(takes, arguments);
    this.layers = Array.from({ length: layers }, () => new LayerCache());
  }

  /** Counts B x T new places; returns which of all places hold tokens, null if all do. */
  extend(B: number, T: number, mask: Tensor | null): Tensor | null {
    const past = this.length;
    this.length += T;
    if (this.#mask === null && mask === null) return null;
    const before = this.#mask ?? ones([B, past], { dtype: "bool" });
    const fresh = mask ?? ones([B, T], { dtype: "bool" });
    this.#mask = replace(this.#mask, cat([before, fresh], { dim: 1 }));
    return this.#mask;
  }

  select(rows: Tensor): void {
    for (const layer of this.layers) layer.select(rows);
    if (this.#mask) this.#mask = replace(this.#mask, this.#mask.indexSelect(rows));
  }

  release(): void {
    for (const layer of this.layers) layer.release();
    this.#mask?.release();
  }
}

/** The KV cache among an options' caches; an ArgumentError for one of another kind of model. */
export function asKVCache(cache: Cache | undefined): KVCache | null {
  if (cache === undefined) return null;
  if (cache instanceof KVCache) return cache;
  throw new ArgumentError("cache: a transformer needs a cache that its own newCache() made");
}
