// The KV cache: the keys and values of every layer for the tokens that were read so far, so that a new
// token costs one row instead of all rows again. They are written in place, into room for more tokens than
// there are; where it is used up, there is twice as much, and what was there is copied once.
// Next: attention.ts, which appends to it; generate.ts.

import { attendNext } from "../core/attendNext.ts";
import {
  ArgumentError,
  arange,
  cat,
  constant,
  GraphError,
  ones,
  type Tensor,
} from "../core/index.ts";
import { accept, signatures } from "../core/signature.ts";
import { writeRows } from "../core/update.ts";
import type { Cache } from "./backbone.ts";

const takes = signatures({
  KVCache: "layers: number, context?: number",
  select: "rows: Tensor",
});

/** The tensor that a cache holds from now on in place of `old`. */
function replace(old: Tensor | null, fresh: Tensor): Tensor {
  if (old !== null && old.storage !== fresh.storage) old.release();
  return fresh.keep();
}

/** One layer's keys and values, [B, Hkv, capacity, D] each, of which the first `length` are there. */
export class LayerCache {
  keys: Tensor | null = null;
  values: Tensor | null = null;
  readonly #cache: KVCache;

  constructor(cache: KVCache) {
    this.#cache = cache;
  }

  /** Adds those of new tokens [B, Hkv, T, D], which the cache has counted; returns all, with the room. */
  append(k: Tensor, v: Tensor): { keys: Tensor; values: Tensor } {
    if (k.requiresGrad || v.requiresGrad) {
      throw new GraphError("cache: keys and values go without gradients; run the model in noGrad");
    }
    const { length, capacity } = this.#cache;
    const T = k.shape[2] ?? 0;
    if (this.keys === null && T === capacity) {
      [this.keys, this.values] = [k.keep(), v.keep()];
      return { keys: k, values: v };
    }
    const keys = withRoom(this.keys, k, capacity);
    const values = withRoom(this.values, v, capacity);
    writeRows([keys, values], [k, v], length - T);
    this.keys = replace(this.keys, keys);
    this.values = replace(this.values, values);
    return { keys, values };
  }

  /**
   * Attention of one new token to all, its keys and values added, in one call: see attendNext. Null where append
   * and scaledDotProductAttention are needed: on a device without it, for a first token, and with gradients.
   */
  attend(rows: readonly Tensor[], heads: number, mask: Tensor | null): Tensor | null {
    const { length, capacity } = this.#cache;
    if (this.keys === null || this.values === null || rows.some((x) => x.requiresGrad)) return null;
    this.keys = replace(this.keys, withRoom(this.keys, this.keys, capacity));
    this.values = replace(this.values, withRoom(this.values, this.values, capacity));
    return attendNext([this.keys, this.values], rows, { heads, at: length - 1, mask });
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

/** `old` if it has the capacity, else its rows with zeros behind them; of the form of `like`. */
function withRoom(old: Tensor | null, like: Tensor, capacity: number): Tensor {
  if (old?.shape[2] === capacity) return old;
  const [B = 0, H = 0, , D = 0] = like.shape;
  const fresh = constant(0, like.dtype, like.device).expand([B, H, capacity, D]);
  if (old !== null) writeRows([fresh], [old], 0);
  return fresh;
}

/** Where new tokens are, if there is padding: which places of the room hold tokens, and their positions. */
export interface KeyPlaces {
  /** [B, capacity] bool; true where nothing is yet. */
  readonly keys: Tensor;
  /** Of the new tokens, [B, T] int32: how many tokens came before each. */
  readonly positions: Tensor;
}

/**
 * Keys and values of the tokens so far, layer by layer: a transformer that reads on from it doesn't compute
 * them again.
 */
export class KVCache implements Cache {
  readonly layers: readonly LayerCache[];
  length = 0;
  /** How many tokens there is room for, at most the context. */
  capacity = 0;
  /** Which places hold tokens, as in KeyPlaces, and how many do, [B,1] int32; null as long as all do. */
  #mask: Tensor | null = null;
  #count: Tensor | null = null;

  /** `context`: the most tokens that there will be. Default: no limit. */
  constructor(
    layers: number,
    readonly context = Number.POSITIVE_INFINITY,
  ) {
    accept(takes.KVCache, arguments);
    this.layers = Array.from({ length: layers }, () => new LayerCache(this));
  }

  /** Counts B x T new places, of which `mask` [B,T] says which hold tokens (null: all); null if all do so far. */
  extend(B: number, T: number, mask: Tensor | null): KeyPlaces | null {
    const past = this.length;
    this.length += T;
    const hasRoom = this.length <= this.capacity;
    if (!hasRoom) this.capacity = Math.max(this.length, Math.min(2 * this.capacity, this.context));
    if (this.#mask === null && mask === null) return null;
    if (this.#mask === null || mask !== null || !hasRoom) {
      const bools = (n: number): Tensor => ones([B, n], { dtype: "bool" });
      const before = this.#mask?.slice({ dim: 1, end: past }) ?? bools(past);
      const fresh = mask ?? bools(T);
      const all = cat([before, fresh, bools(this.capacity - this.length)], { dim: 1 });
      this.#mask = replace(this.#mask, all);
    }
    return { keys: this.#mask, positions: this.#place(B, T, past, mask) };
  }

  /** Positions of new tokens; counts them. */
  #place(B: number, T: number, past: number, mask: Tensor | null): Tensor {
    const before = this.#count ?? arange(1, { dtype: "int32" }).add(past).expand([B, 1]);
    const upTo = mask?.to("int32").cumsum({ dim: 1 }) ?? arange(1, T + 1, { dtype: "int32" });
    const counts = before.add(upTo); // [B,T], each token counted with itself
    this.#count = replace(this.#count, counts.slice({ dim: 1, start: -1 }));
    return counts.sub(1).maximum(0).to("int32");
  }

  select(rows: Tensor): void {
    accept(takes.select, arguments);
    for (const layer of this.layers) layer.select(rows);
    if (this.#mask) this.#mask = replace(this.#mask, this.#mask.indexSelect(rows));
    if (this.#count) this.#count = replace(this.#count, this.#count.indexSelect(rows));
  }

  release(): void {
    for (const layer of this.layers) layer.release();
    this.#mask?.release();
    this.#count?.release();
  }
}

/** The KV cache among an options' caches; an ArgumentError for one of another kind of model. */
export function asKVCache(cache: Cache | undefined): KVCache | null {
  if (cache === undefined) return null;
  if (cache instanceof KVCache) return cache;
  throw new ArgumentError("cache: a transformer needs a cache that its own newCache() made");
}
