// The angles of rotary positions, as tables that rope takes. No op, so that the op table does without it and a
// program that turns nothing loads nothing of it. Next: rope.ts.

import { ArgumentError } from "../../errors.ts";
import { portable } from "../../portable.ts";
import { accept, signature } from "../../signature.ts";
import { fromData, Tensor } from "../../tensor.ts";

const takes = signature(
  "ropeTables",
  "positions: Tensor | number[], { dim: number, base?: number }",
);

/**
 * The angle tables that rope takes: cos and sin of position * base^(-2i/dim), each [..., dim/2] float32.
 * The same bits in every engine. Reads the positions: CPU devices only, or give plain numbers.
 */
export function ropeTables(
  positions: Tensor | readonly number[],
  options: { readonly dim: number; readonly base?: number },
): { readonly cos: Tensor; readonly sin: Tensor } {
  accept(takes, arguments);
  const { dim, base = 10000 } = options;
  if (!Number.isInteger(dim / 2)) throw new ArgumentError(`ropeTables: dim ${dim} must be even`);
  const half = dim / 2;
  const [values, rows, on] =
    positions instanceof Tensor
      ? [positions.data, positions.shape, positions.device]
      : [positions, [positions.length], undefined];
  const frequencies = Array.from({ length: half }, (_, i) => portable.pow(base, (-2 * i) / dim));
  const table = (turn: (angle: number) => number): Tensor => {
    const data = new Float32Array(values.length * half);
    for (let i = 0; i < data.length; i++)
      data[i] = turn((values[Math.floor(i / half)] ?? 0) * (frequencies[i % half] ?? 0));
    return fromData(data, [...rows, half], "float32", on);
  };
  return { cos: table(portable.cos), sin: table(portable.sin) };
}
