// Attention. Its loops (attentionLoops.ts) compute one row of the pattern at a time and never store the T x S
// matrix; its definition does, so that a probe which wants to see the pattern runs withDefinitions(() => ...).
// Next: packedAttention.ts.

import { constant, indicesLike } from "../../creation.ts";
import { type Draw, within } from "../../draw.ts";
import { checkFloat } from "../../dtype.ts";
import { ShapeError } from "../../errors.ts";
import { fused } from "../../kinds.ts";
import { apply, type Block, type Op } from "../../op.ts";
import { Random } from "../../random.ts";
import { formatShape, sameShape } from "../../shape.ts";
import type { Tensor } from "../../tensor.ts";
import {
  type Attend,
  attentionBackward,
  attentionForward,
  attentionOptions,
  checkMask,
  type HeadLayout,
  perQuery,
} from "./attentionLoops.ts";
import { checkDrop, dropMask } from "./drop.ts";
import type { DropoutOptions } from "./dropout.ts";
import { headsBack, headsFirst } from "./heads.ts";

export type { HeadLayout } from "./attentionLoops.ts";

/** What a query may see, how scores are scaled, and dropout on the pattern. */
export interface AttentionOptions {
  /** Position i sees positions up to i + offset. */
  readonly causal?: boolean;
  /** How many keys came before the first query (a cache's length). Default 0, as in PyTorch. */
  readonly offset?: number;
  /** bool (true: may be seen) or float (added to the scores), broadcast to [..., H, T, S]. */
  readonly mask?: Tensor | null;
  /** Default 1 / sqrt(D). */
  readonly scale?: number;
  /** Dropout on the pattern. */
  readonly dropout?: DropoutOptions;
}

/** Which keys each query may see, as bools that broadcast to the scores; null if all. */
function visible(
  q: Tensor,
  k: Tensor,
  mask: Tensor | null,
  { causal, offset }: Attend,
): Tensor | null {
  const limit = indicesLike(q, q.shape.at(-2) ?? 0)
    .unsqueeze(1)
    .add(offset);
  const past = causal ? indicesLike(q, k.shape.at(-2) ?? 0).le(limit) : null;
  if (mask === null) return past;
  const open = mask.dtype === "bool" ? mask : mask.ne(-Infinity);
  return past === null ? open : open.logicalAnd(past);
}

/** Key heads repeated for the query heads that share them: [..., Hkv, S, D] to [..., H, S, D]. */
function repeatHeads(x: Tensor, H: number): Tensor {
  const [S = 0, D = 0] = x.shape.slice(-2);
  const heads = x.shape.at(-3) ?? 1;
  if (x.rank < 3 || heads === H) return x;
  const batch = x.shape.slice(0, -3);
  return x
    .unsqueeze(-3)
    .expand([...batch, heads, H / heads, S, D])
    .reshape([...batch, H, S, D]);
}

/** pattern = softmax(scale q kᵀ + mask), all T x S of it; rows that see nothing are 0. */
function attentionDefinition(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  mask: Tensor | null,
  options: Attend,
): Tensor {
  if (options.layout === "bthd") {
    const swap = (x: Tensor): Tensor => x.permute([0, 2, 1, 3]);
    const inner: Attend = { ...options, layout: "bhtd" };
    return swap(apply(scaledDotProductAttention.entry, [swap(q), swap(k), swap(v), mask, inner]));
  }
  const H = q.shape.at(-3) ?? 1;
  const raw = q.matmul(repeatHeads(k, H), { transposeB: true }).mul(options.scale);
  const scores = mask !== null && mask.dtype !== "bool" ? raw.add(mask) : raw;
  const open = visible(q, k, mask, options);
  let pattern: Tensor;
  if (open === null) pattern = scores.softmax({ dim: -1 });
  else {
    const sees = open.sum({ dims: -1, keepDims: true }).gt(0);
    const closed = sees.where(constant(-Infinity, q.dtype, q.device), 0);
    pattern = open.where(open.where(scores, closed).softmax({ dim: -1 }), 0);
  }
  const kept =
    options.drop.p === 0 ? pattern : pattern.mul(dropMask(q, pattern.shape, options.drop));
  return kept.named("pattern").matmul(repeatHeads(v, H));
}

/**
 * softmax(scale q kᵀ + mask) v over [..., H, T, D], [..., Hkv, S, D] and [..., Hkv, S, Dv]; H is a multiple
 * of Hkv (grouped queries). A query that may see no key gives zeros.
 */
export const scaledDotProductAttention: Op<
  (
    q: Tensor,
    k: Tensor,
    v: Tensor,
    options?: AttentionOptions & { readonly layout?: HeadLayout },
  ) => Tensor,
  [q: Tensor, k: Tensor, v: Tensor, mask: Tensor | null, options: Attend],
  "largest" | "mass"
> = fused({
  definition: attentionDefinition,
  infer: (q, _k, v, _mask, { layout }) => {
    const rows = q.shape.slice(0, -1);
    const [B = 0, T = 0, H = 0] = rows;
    return [
      { shape: [...rows, v.shape.at(-1) ?? 0], dtype: q.dtype },
      perQuery(layout === "bthd" ? [B, H, T] : rows, q.dtype),
    ];
  },
  forward: ([y, masses], q, k, v, mask, o) => {
    if (o.layout === "bhtd") return attentionForward(y, masses, [q, k, v, mask], o);
    const apart = headsFirst(y, false);
    attentionForward(apart, masses, [headsFirst(q), headsFirst(k), headsFirst(v), mask], o);
    headsBack(y, apart);
  },
  backward: (gradients, g, _saved, q, k, v, mask, o) => {
    if (o.layout === "bhtd") return attentionBackward(gradients, g, [q, k, v, mask], o);
    const [dq, dk, dv, dmask = null] = gradients;
    const apart = [q, k, v].map((x) => headsFirst(x, false));
    const inputs = [headsFirst(q), headsFirst(k), headsFirst(v), mask] as const;
    attentionBackward([...apart, dmask], headsFirst(g), inputs, o);
    for (const [i, dx] of [dq, dk, dv].entries()) if (dx) headsBack(dx, apart[i] as Block);
  },
  call:
    (run, { name }) =>
    (q, k, v, options = {}) => {
      const { causal = false, offset = 0, mask = null, layout = "bhtd" } = options;
      checkAttention(q, k, v, mask, layout);
      const scale = options.scale ?? 1 / Math.sqrt(q.shape.at(-1) ?? 1);
      const drop = checkDrop(name, options.dropout?.p ?? 0, options.dropout?.rng);
      return run(q, k, v, mask, { layout, causal, offset, scale, drop });
    },
  takes: `q: Tensor, k: Tensor, v: Tensor, { ${attentionOptions}, layout?: "bhtd" | "bthd" }`,
  example:
    "tensor([[1, 0]]).scaledDotProductAttention(tensor([[1, 0], [0, 1]]), tensor([[1], [2]]))  // [[1.3302]]",
  draw: drawAttention,
});

function drawAttention(d: Draw): readonly unknown[] {
  const [T, S, D] = [d.integer(1, 3), d.integer(1, 3), d.integer(1, 3)];
  const [B, heads, group] = [d.integer(1, 2), d.integer(1, 2), d.integer(1, 2)];
  const small = within(-1, 1);
  const layout = d.pick<HeadLayout>("bhtd", "bthd");
  const at = (H: number, rows: number): Tensor =>
    d.tensor(layout === "bhtd" ? [B, H, rows, D] : [B, rows, H, D], small);
  const mask = d.pick(null, d.mask([B, 1, T, S]), d.tensor([T, S], small));
  const dropout = d.pick(undefined, { p: 0.5, rng: Random.from(1) });
  const options = {
    layout,
    causal: d.pick(true, false),
    offset: d.integer(0, 1),
    mask,
    ...(dropout && { dropout }),
  };
  return [at(heads * group, T), at(heads, S), at(heads, S), options];
}

function checkAttention(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  mask: Tensor | null,
  layout: HeadLayout,
): void {
  const name = "scaledDotProductAttention";
  for (const x of [q, k, v]) checkFloat(name, x.dtype);
  const [headAxis, rowAxis] = layout === "bthd" ? [-2, -3] : [-3, -2];
  const [H, heads] = [q.shape.at(headAxis) ?? 1, k.shape.at(headAxis) ?? 1];
  const fits =
    [q, k, v].every((x) => x.rank >= 2 && x.rank === q.rank && x.dtype === q.dtype) &&
    (layout === "bhtd" || q.rank === 4) &&
    sameShape(k.shape.slice(0, -1), v.shape.slice(0, -1)) &&
    sameShape(q.shape.slice(0, -3), k.shape.slice(0, -3)) &&
    q.shape.at(-1) === k.shape.at(-1) &&
    Number.isInteger(H / heads);
  if (!fits) {
    const needed =
      layout === "bthd"
        ? "[B, T, H, D], [B, S, Hkv, D] and [B, S, Hkv, Dv]"
        : "[..., H, T, D], [..., Hkv, S, D] and [..., Hkv, S, Dv]";
    throw new ShapeError(
      `${name}: q ${formatShape(q.shape)}, k ${formatShape(k.shape)}, v ${formatShape(v.shape)}: needed ` +
        `${needed} of one dtype, with H a multiple of Hkv`,
    );
  }
  if (mask === null) return;
  const [T, S] = [q.shape.at(rowAxis) ?? 0, k.shape.at(rowAxis) ?? 0];
  const rows = layout === "bthd" ? [q.shape[0] ?? 0, H, T] : q.shape.slice(0, -1);
  checkMask(name, mask, q.dtype, [...rows, S]);
}
