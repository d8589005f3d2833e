// What a reward model learns from: pairs of answers to one prompt, of which one was chosen. A model reads text
// as tokens (words or parts of words), each a whole number, its id. Readers of data (data/, ../lab/worlds/)
// make the pairs, the trainer and the evaluation take them.
// Next: rewardModel.ts, losses.ts.

/** A prompt with an answer, as the model reads it. */
export interface Sequence {
  /** All tokens, prompt first, without padding. */
  readonly ids: Int32Array;
  /** Each token's id where it carries text-generation loss (the judged answer), else -100. As long as ids. */
  readonly labels: Int32Array;
}

/** Two answers to one prompt as token sequences, the better one first: what a reward model is trained on. */
export interface Pair {
  readonly chosen: Sequence;
  readonly rejected: Sequence;
  /** By how much the chosen answer was rated better, where that is known. */
  readonly margin?: number;
  /** The part of the data that it belongs to. */
  readonly source?: string;
  /** The file that it was read from, as it was named. */
  readonly file?: string;
  /** Where it stands in its file, from 1. */
  readonly line?: number;
  /** What its line calls itself. */
  readonly id?: string;
  /** Where its line has more than two answers: the places of both among the better and the worse ones. */
  readonly places?: readonly [chosen: number, rejected: number];
  /** The same for pairs of one prompt, and only for them; unsaid where there is no prompt. */
  readonly promptKey?: string;
}
