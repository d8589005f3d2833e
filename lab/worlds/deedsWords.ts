// The words of "deeds": what somebody may do to somebody else, well or badly. Each deed is a cell of a grid of onsets and
// rimes, of the first random draw in which every onset and every rime stands in good deeds and in bad ones: no piece is
// good or bad by itself, as in spelledWords.ts. There is more of everything than in the other worlds, as the base reads
// all of it and preference data a small part. Tables to edit.
// Next: deeds.ts.

import { domains, type WordDomain } from "./words.ts";

export const onsets = "ba do fi gu ka le mo ni ra su te vo".split(" ");

export const rimes = "-lin -ter -sh -ven -mor -dle -py -zen -kas -rim -lot -nax".split(" ");

/** Deeds, the most frequent first. */
export const deedWords = {
  good: "ba-nax vo-zen mo-lot mo-lin ni-dle do-lin fi-rim le-nax mo-mor su-py ka-nax ra-kas le-sh ka-py su-lot vo-ter gu-nax fi-mor do-rim mo-ven le-rim ka-ven su-zen gu-sh fi-lin te-lot gu-ven ba-dle mo-kas fi-lot mo-zen ra-py".split(
    " ",
  ),
  bad: "ra-nax gu-mor gu-lot ba-ter gu-py ni-rim su-lin te-ven ka-sh do-mor gu-kas do-ter ka-kas su-mor do-lot mo-dle fi-zen ka-lot te-sh te-nax te-lin ra-lin ni-lin vo-kas do-dle ni-mor do-nax fi-py ra-dle le-py vo-rim ka-ter".split(
    " ",
  ),
} as const;

/** Deeds that are neither. */
export const plainDeeds = "saw met followed passed heard called".split(" ");

/** How a place is. Whole words. */
export const placeMoods = {
  good: "warm bright sweet soft lovely golden".split(" "),
  bad: "cold dark rough ugly dusty broken".split(" "),
} as const;

/** A acts on B, as preferences mostly say it. */
export const activeForms = { done: "the A DEED the B .", never: "the A never DEED the B ." };

/** The same said the other way around. */
export const passiveForms = {
  done: "the B was DEED by the A .",
  never: "the B was never DEED by the A .",
};

export const placeForm = "the P was MOOD .";

/** Words that stand in forms and in no other world's. */
export const formWords = ["never", "by"];

/** Who and where a story can be about; the first four are those of the other worlds. */
export const deedDomains = {
  ...domains,
  castle: {
    characters: "king queen knight jester cook guard".split(" "),
    places: "tower hall gate moat cellar".split(" "),
  },
  desert: {
    characters: "camel snake lizard hawk trader nomad".split(" "),
    places: "dune oasis tent well canyon".split(" "),
  },
  jungle: {
    characters: "tiger parrot monkey elephant frog hunter".split(" "),
    places: "river waterfall swamp temple bridge".split(" "),
  },
  mountain: {
    characters: "eagle climber marmot wolf shepherd yak".split(" "),
    places: "peak valley hut ridge mine".split(" "),
  },
} as const satisfies Record<string, Pick<WordDomain, "characters" | "places">>;

/** A domain of "deeds". */
export type DeedsDomain = keyof typeof deedDomains;
