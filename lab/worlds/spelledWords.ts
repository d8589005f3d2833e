// The words of "spelled": words that say something good or bad about somebody are written as two pieces
// that they share with others, as sub-word tokens are in real models. Each is a cell of the grid of
// onsets and rimes; the cells were drawn at random once. No single piece is good or bad, so a model has
// to look the word up in its layers. Tables to edit.
// Next: spelled.ts.

import type { MoodClass } from "./words.ts";

export const onsets = "ba do fi gu ka le mo ni ra".split(" ");

export const rimes = "-lin -ter -sh -ven -mor -dle -py -zen -kas".split(" ");

/** By mood and kind, the most frequent first. ADJ, which say how a place is, are whole words. */
export const polar = {
  pleasant: {
    ADJ: "warm bright sweet soft lovely kind golden gentle pretty fresh shiny cozy".split(" "),
    FEEL: "ra-mor ra-ter ni-kas do-zen fi-ven ni-ter ka-sh fi-zen gu-py mo-zen".split(" "),
    VI: "ni-lin do-py ba-zen mo-kas mo-lin gu-sh fi-mor ra-kas fi-dle gu-ven".split(" "),
    VT: "mo-ven ni-sh do-lin ka-mor ba-sh le-ter le-zen ba-dle".split(" "),
    ADV: "gu-kas ka-lin ka-kas fi-ter mo-sh".split(" "),
  },
  unpleasant: {
    ADJ: "cold dark rough ugly mean dusty harsh broken rotten grim dirty damp".split(" "),
    FEEL: "ka-ter ni-py ka-py gu-zen do-ven ra-lin fi-lin ka-dle ra-ven ka-zen".split(" "),
    VI: "ni-ven ra-py ba-lin ni-zen le-kas gu-ter le-dle ka-ven ba-kas ba-mor".split(" "),
    VT: "le-py ra-dle do-ter fi-py le-mor mo-ter mo-mor do-sh".split(" "),
    ADV: "do-kas fi-kas gu-lin ba-ter ni-dle".split(" "),
  },
} as const satisfies Record<string, Record<MoodClass, readonly string[]>>;

/** Tokens without a use so far, for forms that a reader adds. They make the vocabulary 159. */
export const reserved = ["not", "but"];

/** Sentence forms. C, D: main character and companion; S: either; P: place; T: a thing. */
export const simpleForms = [
  "the S was FEEL .",
  "the S VI ADV .",
  "the S VI in the P .",
  "then the S VT the T .",
  "the P was ADJ .",
  "one TIME the S VI .",
];

export const complexForms = [
  "the S VT the ADJ T .",
  "the S was FEEL and FEEL .",
  "the S VI and VI .",
  "the C VI while the D VI .",
  "the D was FEEL while the C VT the T .",
];
