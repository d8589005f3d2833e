// What keeps a run from going on from a checkpoint: other settings or pairs, or a part that isn't what the run needs.
// Next: ../trainer.ts, which asks before it loads one.

import { ArgumentError } from "../../core/index.ts";
import type { StateDict } from "../../nn/index.ts";
import { changesOf } from "../../nn/run/loop.ts";
import type { TrainSettings } from "../trainer.ts";
import type { TrainState } from "./checkpoint.ts";
import { methods, type Objective } from "./objective.ts";
import { isOfHead, type Named } from "./startingPoint.ts";

/** Throws unless a run with these settings and pairs goes on where the checkpoint's stopped. */
export function checkResumable(state: TrainState, settings: TrainSettings, digest: string): void {
  const problems = changesOf(state.settings, settings);
  if (state.digest !== digest) problems.push("the pairs aren't the ones that it was trained on");
  if (problems.length === 0) return;
  throw new ArgumentError(
    `train: the run can't be resumed: ${problems.join("; ")}; leave everything as it was, or begin a new run`,
  );
}

/** Names with sizes, as they stand in errors. */
const listed = (all: readonly (readonly [name: string, size: unknown])[]): string =>
  all
    .map(([name, size]) => `${name} [${size}]`)
    .sort()
    .join(", ");

/** Throws unless the best weights are those of everything that is trained, where some were kept. */
export function checkBest({ best }: TrainState, weights: StateDict, trained: Named): void {
  const wanted = best === null ? [] : trained.map(([name, { shape }]) => [name, shape] as const);
  const found = Object.entries(weights).map(([name, { shape }]) => [name, shape] as const);
  if (listed(found) === listed(wanted)) return;
  throw new ArgumentError(
    "train: the checkpoint's best weights aren't those of the parameters that are trained; it is damaged, or another run's",
  );
}

/** Throws unless a checkpoint has the reference that the method needs, and no other. */
export function checkReference(reference: StateDict, objective: Objective): void {
  const wanted = listed(referenceOf(objective));
  const found = listed(Object.entries(reference).map(([name, { shape }]) => [name, shape]));
  if (found === wanted) return;
  throw new ArgumentError(
    `train: the checkpoint's reference is ${found || "missing"}, needed ${wanted || "none"}; it is damaged, or another run's`,
  );
}

/** What a method's reference holds, and how many numbers of each. */
function referenceOf({ isRegularized, pairs, trained, settings }: Objective) {
  const parts = methods[settings.method];
  if (isRegularized && "reference" in parts)
    return ["s_c", "s_r"].map((name) => [name, pairs.length] as const);
  const anchors = "anchored" in parts ? trained.filter(([name]) => !isOfHead(name)) : [];
  return anchors.map(([name, { size }]) => [name, size] as const);
}
