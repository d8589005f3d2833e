// Attention on what one projection leaves, the heads of queries, keys and values side by side in a row:
// no copy takes them apart. Next: ../index.ts, where the table is made.

import { within } from "../../draw.ts";
import { checkFloat } from "../../dtype.ts";
import { ShapeError } from "../../errors.ts";
import { fused } from "../../kinds.ts";
import { apply, type Block, type Op } from "../../op.ts";
import { formatShape } from "../../shape.ts";
import type { Tensor } from "../../tensor.ts";
import { type AttentionOptions, scaledDotProductAttention } from "./attention.ts";
import {
  attentionBackward,
  attentionForward,
  attentionOptions,
  checkMask,
  type Packed,
  perQuery,
} from "./attentionLoops.ts";
import { checkDrop } from "./drop.ts";
import { pack, unpack } from "./heads.ts";

/** AttentionOptions, and how many heads lie side by side in qkv. */
export interface PackedOptions extends AttentionOptions {
  /** Query heads. */
  readonly heads: number;
  /** Key and value heads, which divide them; default as many. */
  readonly kvHeads?: number;
}

/** Where q, k and v begin among the heads of a packed row, and how many heads each has. */
function partsOf({ heads, kvHeads }: Packed): readonly (readonly [first: number, count: number])[] {
  return [
    [0, heads],
    [heads, kvHeads],
    [heads + kvHeads, kvHeads],
  ];
}

function packedDefinition(qkv: Tensor, mask: Tensor | null, o: Packed): Tensor {
  const [B = 0, T = 0, width = 0] = qkv.shape;
  const all = o.heads + 2 * o.kvHeads;
  const rows = qkv.reshape([B, T, all, width / all]).permute([0, 2, 1, 3]);
  const [q, k, v] = partsOf(o).map(([start, count]) =>
    rows.slice({ dim: 1, start, end: start + count }),
  );
  const y = apply(scaledDotProductAttention.entry, [q, k, v, mask, { ...o, layout: "bhtd" }]);
  return y.permute([0, 2, 1, 3]).reshape([B, T, (width / all) * o.heads]);
}

/**
 * Causal self-attention as one projection leaves it: qkv [B, T, (H + 2 Hkv) · D], the heads of the queries,
 * then those of the keys, then those of the values; gives [B, T, H · D]. scaledDotProductAttention without
 * taking the heads apart; mask broadcasts to [B, H, T, T].
 */
export const packedAttention: Op<
  (qkv: Tensor, options: PackedOptions) => Tensor,
  [qkv: Tensor, mask: Tensor | null, options: Packed],
  "largest" | "mass"
> = fused({
  definition: packedDefinition,
  infer: (qkv, _mask, { heads, kvHeads }) => {
    const [B = 0, T = 0, width = 0] = qkv.shape;
    const D = width / (heads + 2 * kvHeads);
    return [{ shape: [B, T, heads * D], dtype: qkv.dtype }, perQuery([B, heads, T], qkv.dtype)];
  },
  forward: ([y, masses], qkv, mask, o) => {
    const all = o.heads + 2 * o.kvHeads;
    const [q, k, v] = partsOf(o).map((part) => unpack(qkv, all, part)) as [Block, Block, Block];
    const apart = unpack(y, o.heads, [0, o.heads], false);
    attentionForward(apart, masses, [q, k, v, mask], o);
    pack(y, o.heads, [0, o.heads], apart);
  },
  backward: ([dqkv, dmask], g, _saved, qkv, mask, o) => {
    const all = o.heads + 2 * o.kvHeads;
    const parts = partsOf(o);
    const [q, k, v] = parts.map((part) => unpack(qkv, all, part)) as [Block, Block, Block];
    const gradients = parts.map((part) => unpack(qkv, all, part, false));
    const apart = unpack(g, o.heads, [0, o.heads]);
    attentionBackward([...gradients, dmask ?? null], apart, [q, k, v, mask], o);
    if (dqkv) for (const [i, dx] of gradients.entries()) pack(dqkv, all, parts[i] ?? [0, 0], dx);
  },
  call:
    (run, { name }) =>
    (qkv, options) => {
      const { heads, kvHeads = heads, causal = false, offset = 0, mask = null } = options;
      const D = checkPacked(qkv, mask, heads, kvHeads);
      const scale = options.scale ?? 1 / Math.sqrt(D);
      const drop = checkDrop(name, options.dropout?.p ?? 0, options.dropout?.rng);
      return run(qkv, mask, { layout: "bthd", causal, offset, scale, drop, heads, kvHeads });
    },
  takes: `qkv: Tensor, { heads: number, kvHeads?: number, ${attentionOptions} }`,
  example:
    "tensor([[[1, 2, 10], [1, 3, 20]]]).packedAttention({ heads: 1, causal: true })  // [[[     10],\n  [17.3106]]]",
  draw: (d) => {
    const [B, T, D] = [d.integer(1, 2), d.integer(1, 3), d.integer(1, 3)];
    const [kvHeads, group] = [d.integer(1, 2), d.integer(1, 2)];
    const heads = kvHeads * group;
    const small = within(-1, 1);
    const qkv = d.tensor([B, T, (heads + 2 * kvHeads) * D], small);
    const mask = d.pick(null, d.mask([B, 1, T, T]), d.tensor([T, T], small));
    return [qkv, { heads, kvHeads, causal: d.pick(true, false), mask }];
  },
});

/** The width of a head. */
function checkPacked(qkv: Tensor, mask: Tensor | null, heads: number, kvHeads: number): number {
  const name = "packedAttention";
  checkFloat(name, qkv.dtype);
  const [B = 0, T = 0, width = 0] = qkv.shape;
  const D = width / (heads + 2 * kvHeads);
  const fits = Number.isInteger(D) && Number.isInteger(heads / kvHeads) && heads > 0;
  if (qkv.rank !== 3 || !fits) {
    throw new ShapeError(
      `${name}: qkv ${formatShape(qkv.shape)} with ${heads} heads and ${kvHeads} for keys: needed ` +
        "[B, T, (heads + 2 kvHeads) D], heads a multiple of kvHeads",
    );
  }
  if (mask !== null) checkMask(name, mask, qkv.dtype, [B, heads, T, T]);
  return D;
}
