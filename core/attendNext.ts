// Attention as a model needs it that writes token by token: the new token's keys and values go into a cache's
// room, and its queries attend to all that is there, in one call, with no heads taken apart. An update, since it
// overwrites the room. Devices without a kernel for it go by writeRows and scaledDotProductAttention.
// Next: ../nn/cache.ts, which holds the room.

import { ShapeError } from "./errors.ts";
import type { Block, UpdateEntry } from "./op.ts";
import { attentionForward, type Packed } from "./ops/fused/attentionLoops.ts";
import { pack, unpack } from "./ops/fused/heads.ts";
import { formatShape, sameShape } from "./shape.ts";
import { checkTensor, type Tensor } from "./tensor.ts";
import { rowsEntry, run } from "./update.ts";

/** How the heads lie: from which of their row's numbers on queries, keys and values stand. */
export interface Next extends Packed {
  readonly starts: readonly number[];
}

export const attendNextEntry: UpdateEntry<
  [room: readonly Tensor[], rows: readonly Tensor[], mask: Tensor | null, options: Next]
> = {
  name: "attendNext",
  kernel: {
    kind: "update",
    forward: ([y], room, rows, mask, o) => {
      const { heads, kvHeads, starts } = o;
      const D = room[0]?.shape[3] ?? 0;
      const [q, k, v] = rows.map((row, i) => {
        const part = [(starts[i] ?? 0) / D, i === 0 ? heads : kvHeads] as const;
        return unpack(row, (row.shape[2] ?? 0) / D, part);
      }) as [Block, Block, Block];
      rowsEntry.kernel.forward([], room, [k, v], o.offset);
      const apart = { ...q, data: new Float64Array(q.data.length) };
      const perQuery = { ...q, data: new Float64Array(q.data.length) };
      const [keys, values] = room as [Block, Block];
      attentionForward(apart, { largest: perQuery, mass: perQuery }, [q, keys, values, mask], o);
      if (y) pack(y, heads, [0, heads], apart);
    },
    writes: (room) => room,
  },
};

/** Whether the device of `x` has attendNext in one call. */
export function attendsNext(x: Tensor): boolean {
  return x.device.fuses?.(attendNextEntry, [x]) !== false;
}

/** What the new token sees, and where it stands. */
export interface NextOptions {
  readonly heads: number;
  /** How many tokens the room holds before. */
  readonly at: number;
  /** Which places of the room are tokens: bool that broadcasts to [B, H, 1, S]. Default: all up to the new one. */
  readonly mask?: Tensor | null;
}

/**
 * Attention of one new token to those before it and itself: `rows` is its packed projection [B, 1, (H + 2 Hkv) · D]
 * alone, or queries [B, 1, H · D], keys and values [B, 1, Hkv · D]; `room` is keys and values [B, Hkv, S, D], whose
 * row `at` is overwritten in place, off the tape. Gives [B, 1, H · D].
 */
export function attendNext(
  room: readonly [keys: Tensor, values: Tensor],
  rows: readonly Tensor[],
  { heads, at, mask = null }: NextOptions,
): Tensor {
  const [keys, values] = room;
  const [B = 0, kvHeads = 0, S = 0, D = 0] = keys.shape;
  const isPacked = rows.length === 1;
  const widths = [heads * D, kvHeads * D, kvHeads * D];
  const starts = isPacked ? [0, heads * D, (heads + kvHeads) * D] : [0, 0, 0];
  const three = starts.map((_, i) => checkTensor("attendNext", rows[isPacked ? 0 : i], "rows", i));
  three.forEach((row, i) => {
    const width = isPacked ? (heads + 2 * kvHeads) * D : (widths[i] ?? 0);
    const fits = sameShape(row.shape, [B, 1, width]) && row.dtype === keys.dtype;
    if (fits && at < S && sameShape(values.shape, keys.shape) && values.dtype === keys.dtype)
      return;
    throw new ShapeError(
      `attendNext: ${row.dtype} ${formatShape(row.shape)} with ${heads} heads doesn't fit into row ${at} of ` +
        `${keys.dtype} ${formatShape(keys.shape)}`,
    );
  });
  const options = { layout: "bthd", causal: true, offset: at, scale: 1 / Math.sqrt(D) } as const;
  const all: Next = { ...options, drop: { p: 0, seed: 0 }, heads, kvHeads, starts };
  const spec = { shape: [B, 1, heads * D], dtype: keys.dtype };
  const [y] = run(attendNextEntry, [room, three, mask, all], [spec]);
  return y as Tensor;
}
