// How the time of a training step grows with the length T, the width D and the layers L, each by
// itself: the linear parts double with what doubles, attention with T squared, products with D squared.
// Read next: races.ts.

import { spread } from "./measure.ts";
import { ours, race } from "./race.ts";
import type { RacesOptions } from "./races.ts";
import { digits, duration, type ResultTable } from "./report.ts";
import type { GPTShape } from "./works.ts";

const base: GPTShape = { V: 256, L: 2, D: 64, H: 4, T: 64, B: 8 };

const grown: readonly (readonly [keyof GPTShape, readonly number[]])[] = [
  ["T", [32, 64, 128, 256, 512]],
  ["D", [32, 64, 128, 256]],
  ["L", [1, 2, 4, 8]],
];

/** Multiplies and adds of a step: forward, and twice that on the way back. */
function operations({ V, L, D, T, B }: GPTShape): number {
  const products = 12 * L * D * D + V * D; // a token's weights
  const attention = L * T * D; // q kᵀ and p v, half of each masked away
  return 3 * 2 * B * T * (products + attention);
}

export async function growth(table: ResultTable, { quick }: RacesOptions): Promise<void> {
  table.head("one thread", "a step", "spread", "x before", "tokens/s", "GFLOP/s");
  for (const [name, values] of grown) {
    let before: number | null = null;
    for (const value of quick ? values.slice(0, 3) : values) {
      const gpt = { ...base, [name]: value };
      const turns = { rounds: 3, milliseconds: quick ? 100 : 300, tolerance: 1e-3 };
      const [finish] = await race({ kind: "train", gpt }, [ours(1)], turns);
      if (finish?.timing === undefined) throw new Error(`${name} ${value}: ${finish?.note}`);
      const { timing } = finish;
      const seconds = timing.median;
      const ratio = before === null ? "" : digits(seconds / before);
      const rates = [(gpt.B * gpt.T) / seconds, operations(gpt) / seconds / 1e9].map(digits);
      const cells = [
        `${name} ${value}`,
        `${finish.isDisturbed ? "~" : ""}${duration(seconds)}`,
        spread(timing),
        ratio,
        ...rates,
      ];
      await table.row(cells, { gpt, timing });
      before = seconds;
    }
  }
}
