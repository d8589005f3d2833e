// Heads taken apart and put together again: from rows in which they lie side by side, [B, T, H D], to one
// block of positions a head, [B, H, T, D], which attention's loops walk. Next: attention.ts.

import type { Block } from "../../op.ts";
import type { Shape } from "../../shape.ts";

/** Calls `visit` with the places of each row of D in [B, T, all, D] and, for `count` heads from `first`, in [B, count, T, D]. */
function eachHead(
  [B = 0, T = 0]: Shape,
  all: number,
  [first, count]: readonly [number, number],
  D: number,
  visit: (packed: number, apart: number) => void,
): void {
  for (let b = 0; b < B; b++)
    for (let t = 0; t < T; t++)
      for (let h = 0; h < count; h++)
        visit(((b * T + t) * all + first + h) * D, ((b * count + h) * T + t) * D);
}

/** Some heads of x [B, T, all · D] as a block [B, count, T, D]; their numbers, unless it is to be filled. */
export function unpack(
  x: Block,
  all: number,
  part: readonly [number, number],
  isFilled = true,
): Block {
  const [B = 0, T = 0, width = 0] = x.shape;
  const D = width / all;
  const data = new Float64Array(B * part[1] * T * D);
  if (isFilled) {
    eachHead(x.shape, all, part, D, (packed, apart) => {
      data.set(x.data.subarray(packed, packed + D), apart);
    });
  }
  return { shape: [B, part[1], T, D], dtype: x.dtype, data };
}

/** The other way: some heads into their places in x [B, T, all · D]. */
export function pack(x: Block, all: number, part: readonly [number, number], from: Block): void {
  const D = (x.shape[2] ?? 0) / all;
  eachHead(x.shape, all, part, D, (packed, apart) => {
    x.data.set(from.data.subarray(apart, apart + D), packed);
  });
}

/** [B, T, H, D] as a block [B, H, T, D]; its numbers, unless it is to be filled. */
export function headsFirst(x: Block, isFilled = true): Block {
  const [B = 0, T = 0, H = 0, D = 0] = x.shape;
  return unpack({ ...x, shape: [B, T, H * D] }, H, [0, H], isFilled);
}

/** A block [B, H, T, D] back into x [B, T, H, D]. */
export function headsBack(x: Block, apart: Block): void {
  const [B = 0, T = 0, H = 0, D = 0] = x.shape;
  pack({ ...x, shape: [B, T, H * D] }, H, [0, H], apart);
}
