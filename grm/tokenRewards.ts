// A reward for every place of a sequence: what the reward head says of the text up to there. Trained is
// only the last one, which is the sequence's reward; those before show where a judgement comes from.
// Next: scores.ts for last rewards alone.

import { noGrad, scope } from "../core/index.ts";
import { accept, signatures } from "../core/signature.ts";
import { breathe } from "../nn/run/loop.ts";
import { batchesByLength, makeBatch } from "./batches.ts";
import type { Sequence } from "./pairs.ts";
import { RewardModel } from "./rewardModel.ts";
import { taken } from "./scores.ts";

const takes = signatures(
  { tokenRewards: "model: RewardModel, sequences: any[], { batchTokens?: number }" },
  () => ({ RewardModel }),
);

/**
 * Rewards of every token of every sequence, in evaluation mode, in the order of the sequences.
 * `batchTokens` is how many places a batch has, padding included.
 */
export async function tokenRewards(
  model: RewardModel,
  sequences: readonly Sequence[],
  options: { readonly batchTokens?: number } = {},
): Promise<Float64Array[]> {
  accept(takes.tokenRewards, arguments);
  const { batchTokens = 4096 } = options;
  const lengths = sequences.map(({ ids }) => ids.length);
  const found = new Array<Float64Array>(sequences.length);
  const resumeTraining = model.pauseTraining();
  try {
    for (const batch of batchesByLength(lengths, batchTokens)) {
      const rows = batch.map((at) => sequences[at] as Sequence);
      const rewards = noGrad(() =>
        scope(() => {
          const { ids, mask } = makeBatch(rows);
          return model.reward(model.forward(ids, { mask }).hidden); // [B,T]
        }),
      );
      const T = rewards.shape[1] ?? 0;
      const numbers = Float64Array.from(await taken(rewards));
      batch.forEach((at, row) => {
        found[at] = numbers.slice(row * T, row * T + (lengths[at] ?? 0));
      });
      await breathe();
    }
  } finally {
    resumeTraining();
  }
  return found;
}
