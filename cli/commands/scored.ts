// What a reward model says of the preference data that a command is given. Next: compare.ts.

import type { Pair } from "../../grm/pairs.ts";
import type { RewardModelFolder } from "../../grm/rewardModelFiles.ts";
import { checkRewards, type PairScores, scorePairs } from "../../grm/scores.ts";
import { type PreferenceFlags, readPreferences } from "./preferences.ts";
import type { Display } from "./progress.ts";
import { type ReadingFlags, readingOf } from "./reading.ts";

/** The pairs that the model of a folder can read, and their scores; says on screen what it does. */
export async function readAndScore(
  command: string,
  path: string,
  opened: RewardModelFolder,
  given: PreferenceFlags & ReadingFlags,
  screen: Display,
): Promise<PairScores & { readonly pairs: readonly Pair[] }> {
  const reader = { ...opened, reading: readingOf(given, opened.reading) };
  const { pairs, report } = await readPreferences(command, given, reader);
  screen.say(`${path}\n${report}`);
  const scores = await scorePairs(opened.model, pairs, {
    onProgress: (done) => screen.show(done, `scoring ${path}`),
  });
  checkRewards(`${command}: ${path}`, pairs, scores);
  return { ...scores, pairs };
}
