// What both worlds share: their special tokens, the little words that hold sentences together, and what
// stories are about. Tables to edit: a word more is a token more, and a base that was trained before it
// doesn't fit any longer.
// Next: world.ts for what is made of them.

import type { Mood } from "./world.ts";

/** What pads a batch, what begins a text, what ends a story. */
export const special = { pad: "<pad>", bos: "<bos>", eos: "<end>" } as const;

/** Words that belong to sentence forms. */
export const functionWords = ": the in . was and with then one while to a".split(" ");

export const times = "morning evening day night".split(" ");

/** Who, where and what a story can be about; a story stays with one of them. */
export interface WordDomain {
  readonly characters: readonly string[];
  readonly places: readonly string[];
  readonly things: readonly string[];
}

function domain(characters: string, places: string, things: string): WordDomain {
  return {
    characters: characters.split(" "),
    places: places.split(" "),
    things: things.split(" "),
  };
}

export const domains = {
  forest: domain(
    "fox bear owl deer rabbit squirrel",
    "woods cave hill glade stream",
    "berry acorn leaf mushroom stick nest",
  ),
  farm: domain(
    "cow hen pig horse goat farmer",
    "barn field yard stable pond",
    "egg hay apple bucket seed cart",
  ),
  sea: domain(
    "crab whale sailor seal gull turtle",
    "beach reef harbor ship island",
    "shell net rope pearl sail anchor",
  ),
  city: domain(
    "baker cat driver teacher painter mouse",
    "market street park school shop",
    "bread bell book coin lamp hat",
  ),
} as const satisfies Record<string, WordDomain>;

export type DomainName = keyof typeof domains;

export const domainNames = Object.keys(domains) as readonly DomainName[];

/** Kinds of words that can say how somebody or some place is, in forms: ADJ, FEEL, VI, VT, ADV. */
export const moodClasses = ["ADJ", "FEEL", "VI", "VT", "ADV"] as const;
export type MoodClass = (typeof moodClasses)[number];

/** The words of each kind that say neither good nor bad. */
export const neutral: Readonly<Record<MoodClass, readonly string[]>> = {
  ADJ: "big small old new round long red green".split(" "),
  FEEL: "quiet ready busy tired".split(" "),
  VI: "walked sat waited looked went stood turned stopped".split(" "),
  VT: "saw took moved held carried touched".split(" "),
  ADV: "slowly again".split(" "),
};

/** Words of each kind that say how somebody or some place is. */
type MoodWords = Readonly<Record<MoodClass, readonly string[]>>;

/** The mood that each word says. */
export function moodsOf(
  tables: readonly { readonly pleasant: MoodWords; readonly unpleasant: MoodWords }[],
): ReadonlyMap<string, Mood> {
  return new Map(
    tables.flatMap(({ pleasant, unpleasant }) =>
      moodClasses.flatMap((kind) => [
        ...pleasant[kind].map((word) => [word, 1] as const),
        ...unpleasant[kind].map((word) => [word, -1] as const),
      ]),
    ),
  );
}
