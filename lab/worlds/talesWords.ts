// The words of "tales": mood words are whole words, in two sets. Set A is what preference data shows;
// set B is kept out of it while responses are sampled, so that a reward model meets those words first
// when it is used. Tables to edit.
// Next: tales.ts.

import type { MoodClass } from "./words.ts";

type StoryWords = Readonly<Record<MoodClass, readonly string[]>>;

interface Polar {
  readonly pleasant: StoryWords;
  readonly unpleasant: StoryWords;
}

export const polar = {
  A: {
    pleasant: {
      ADJ: "warm bright sweet soft lovely kind".split(" "),
      FEEL: "happy glad proud calm".split(" "),
      VI: "smiled danced laughed sang".split(" "),
      VT: "shared enjoyed fixed cleaned".split(" "),
      ADV: "gladly nicely".split(" "),
    },
    unpleasant: {
      ADJ: "cold dark bitter rough ugly mean".split(" "),
      FEEL: "sad angry scared lonely".split(" "),
      VI: "cried fell shouted shivered".split(" "),
      VT: "lost broke hated dropped".split(" "),
      ADV: "badly sadly".split(" "),
    },
  },
  B: {
    pleasant: {
      ADJ: "golden gentle pretty fresh shiny cozy".split(" "),
      FEEL: "merry joyful cheerful hopeful".split(" "),
      VI: "giggled cheered played twirled".split(" "),
      VT: "loved saved polished admired".split(" "),
      ADV: "happily kindly".split(" "),
    },
    unpleasant: {
      ADJ: "dusty harsh broken rotten gloomy grim".split(" "),
      FEEL: "upset worried hurt jealous".split(" "),
      VI: "wept tripped growled trembled".split(" "),
      VT: "stole smashed ruined wasted".split(" "),
      ADV: "angrily coldly".split(" "),
    },
  },
} as const satisfies Record<"A" | "B", Polar>;

/** What the line after a story needs, with `dull` for one that repeats itself or wanders off. */
export const blurbWords = ["tale", "of", "dull"];

/** Tokens without a use so far, for forms that a reader adds. */
export const reserved = ["not"];

/** Sentence forms. C, D: main character and companion; P: place; T: a thing. */
export const forms = [
  "the C was FEEL .",
  "the C VI in the P .",
  "the C VT the ADJ T .",
  "the P was ADJ and ADJ .",
  "the C VT the T with the D .",
  "the D VI ADV .",
  "then the C VI and VI .",
  "one TIME the C VI to the P .",
  "the D was FEEL and ADJ .",
];
