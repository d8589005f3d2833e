// What is optimised, and by which measure: prompts to write for, how long, where an answer ends, and the
// gold reward. Which tasks there are is for others to say (lab/overopt/tasks.ts has the worlds' and stories').
// Next: preferences.ts, which makes a proxy's training data from a task.

import type { Random } from "../../core/index.ts";
import type { Tokenizer } from "../../nn/index.ts";
import type { Judge } from "./judges.ts";

/** Prompts to write on, and what is measured of the answers. */
export interface Task {
  readonly name: string;
  readonly tokenizer: Tokenizer;
  /** Prompts as token ids. */
  prompts(count: number, rng: Random): number[][];
  /** The longest response. */
  readonly maxTokens: number;
  /** Tokens that end a response, and are no part of it. */
  readonly stop: readonly number[];
  readonly gold: Judge;
  /** Other measures to watch. */
  readonly controls: readonly Judge[];
  /** Tokens that are banned while preference data is sampled: what a proxy never sees. */
  readonly unseen: readonly number[];
}
