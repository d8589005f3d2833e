// The words of the tiny pair, for who only speaks of them. Next: tiny.ts.

/** All words that there are, by their ids. */
export const tinyWords: readonly string[] = ["<bos>", "fox", "was", "glad", "cross"];

/** After "<bos> fox": the answer that is preferred, and the other. */
export const tinyAnswers = { chosen: "was glad", rejected: "was cross" } as const;
