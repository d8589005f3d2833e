// "spelled" read in other pieces: the same stories, gold and pairs, with mood words as two shared pieces (as it is), as
// whole words, or everything byte by byte. What a model has to look up in its layers differs; what is true doesn't.
// Next: spelled.ts.

import { ByteTokenizer } from "../../nn/index.ts";
import { type SplitName, spelled } from "./spelled.ts";
import { polar, reserved } from "./spelledWords.ts";
import { functionWords, special } from "./words.ts";
import { type PreferenceWorld, vocabulary } from "./world.ts";

/** How "spelled" may be cut into tokens. */
export const tokenisations = ["spelled", "words", "bytes"] as const;

/** How a world's texts are cut into tokens. */
export type Tokenisation = (typeof tokenisations)[number];

/** "ba -lin" is one word. */
function joined(words: readonly string[]): string {
  return words.join(" ").replaceAll(" -", "-");
}

const moodWords = Object.values(polar).flatMap((words) => Object.values(words).flat());

/** The most bytes of a token of "spelled", with the space in front of it. */
const bytesOfToken = 1 + "squirrel".length;

const variants: Readonly<Record<Tokenisation, PreferenceWorld<SplitName>>> = {
  spelled,
  words: {
    ...spelled,
    tokenizer: vocabulary(functionWords, moodWords, reserved),
    text: joined,
  },
  bytes: {
    ...spelled,
    tokenizer: new ByteTokenizer({ special }),
    text: joined,
    longest: bytesOfToken * spelled.longest,
  },
};

/** The world "spelled" with its texts cut in this way. */
export function tokenised(how: Tokenisation): PreferenceWorld<SplitName> {
  return variants[how];
}
