// An optimiser's state inside a run's: its counts stand in the state, its tensors in a part of their own.
// Next: ../pretrain/trainer.ts, the first that goes on from it; checkpoint.ts for the file.

import * as z from "zod";
import type { StateDict } from "../module.ts";
import type { Optimiser } from "../optim.ts";

const count = z.int().min(0);

/** The fields of a run's state that say how far its optimiser is. */
export const optimiserFields = {
  optimiserStep: count,
  /** Steps that parameters had no gradient at, see OptimiserState. */
  optimiserMissed: z.record(z.string(), count).optional(),
};

interface OptimiserCounts {
  readonly optimiserStep: number;
  readonly optimiserMissed?: Readonly<Record<string, number>> | undefined;
}

/** The counts for a run's state, and the tensors, which share memory with the optimiser. */
export function optimiserState(optimiser: Optimiser) {
  const { step: optimiserStep, missed, tensors } = optimiser.stateDict();
  return { counts: { optimiserStep, ...(missed && { optimiserMissed: missed }) }, tensors };
}

/** Goes on from the counts of a run's state, and the tensors beside it. */
export function loadOptimiser(
  optimiser: Optimiser,
  { optimiserStep: step, optimiserMissed: missed }: OptimiserCounts,
  tensors: StateDict,
): void {
  optimiser.loadStateDict({ step, missed, tensors });
}
