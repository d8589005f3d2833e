// A frozen backbone says the same of a sequence every time, so it is asked once: the final hidden states
// of last tokens, from which a reward head is trained. Next: ../trainer.ts.

import { type DType, noGrad, scope, type Tensor, tensor } from "../../core/index.ts";
import { breathe } from "../../nn/run/loop.ts";
import { answersOf, batchesByLength, makeBatch } from "../batches.ts";
import type { Pair, Sequence } from "../pairs.ts";
import { atPlaces, type RewardModel } from "../rewardModel.ts";
import { taken } from "../scores.ts";

/** Places of a batch, padding included. */
const batchTokens = 4096;

export class Features {
  private constructor(
    /** [2N,C]: the chosen answers, then the rejected ones. */
    readonly numbers: Float64Array,
    readonly width: number,
    readonly dtype: DType,
  ) {}

  static async of(model: RewardModel, pairs: readonly Pair[]): Promise<Features> {
    const sequences = answersOf(pairs);
    const width = model.model.dim;
    const numbers = new Float64Array(sequences.length * width);
    const lengths = sequences.map(({ ids }) => ids.length);
    model.eval();
    for (const batch of batchesByLength(lengths, batchTokens)) {
      const some = batch.flatMap((i) => sequences[i] ?? []);
      const found = await taken(noGrad(() => scope(() => lastHidden(model, some))));
      batch.forEach((at, row) => {
        for (let k = 0; k < width; k++) numbers[at * width + k] = found[row * width + k] ?? 0;
      });
      await breathe();
    }
    return new Features(numbers, width, model.lmHead.weight.dtype);
  }

  /** [2B,C]: the chosen answers of these pairs, then the rejected ones. */
  batch(pairs: readonly number[]): Tensor {
    const { numbers, width, dtype } = this;
    const N = numbers.length / width / 2;
    const rows = [...pairs, ...pairs.map((i) => N + i)];
    const flat = new Float64Array(rows.length * width);
    rows.forEach((at, row) => {
      flat.set(numbers.subarray(at * width, (at + 1) * width), row * width);
    });
    return tensor(flat, { shape: [rows.length, width], dtype });
  }
}

function lastHidden(model: RewardModel, sequences: readonly Sequence[]): Tensor {
  const { ids, mask } = makeBatch(sequences);
  const { hidden, places } = model.forward(ids, { mask });
  return atPlaces(hidden, places);
}
