// The words of "deeds": what somebody may do to somebody else, well or badly, how they and places are, and who and where
// they are. There is more of everything than in the other worlds, as the base reads all of it and preference data a small
// part. Tables to edit.
// Next: deeds.ts.

import { domains, type WordDomain } from "./words.ts";

/** Deeds, the most frequent first; each is its own participle. */
export const deedWords = {
  good: [
    ..."helped fed thanked hugged praised saved taught warmed healed guided cheered".split(" "),
    ..."trusted kissed freed guarded washed carried joined welcomed comforted defended".split(" "),
    ..."encouraged rescued nursed amused admired supported protected greeted rewarded".split(" "),
    ..."cured honoured".split(" "),
  ],
  bad: [
    ..."hit robbed kicked mocked cheated chased tricked insulted pushed scared betrayed".split(" "),
    ..."cursed trapped slapped ignored blamed threatened deceived scratched teased annoyed".split(
      " ",
    ),
    ..."burned poisoned banished wounded punished bullied attacked accused abandoned".split(" "),
    ..."starved hunted".split(" "),
  ],
} as const;

/** Deeds that are neither. */
export const plainDeeds = "met followed passed heard called watched".split(" ");

/** How a place is. Whole words. */
export const placeMoods = {
  good: "warm bright sweet soft lovely golden".split(" "),
  bad: "cold dark rough ugly dusty broken".split(" "),
} as const;

/** How somebody is. The base reads of it, and preference data doesn't say it. */
export const personMoods = {
  good: "kind gentle honest loyal fair noble".split(" "),
  bad: "cruel mean sly selfish rude greedy".split(" "),
} as const;

/** A acts on B, as preferences mostly say it. */
export const activeForms = { done: "the A DEED the B .", never: "the A never DEED the B ." };

/** The same said the other way around. */
export const passiveForms = {
  done: "the B was DEED by the A .",
  never: "the B was never DEED by the A .",
};

/** How a place or somebody is. */
export const moodForm = "the X was MOOD .";

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
