// The demo worlds against their description: sizes of the vocabularies, every story parsed back by its
// forms, gold computed a second time from the text alone, what each split may hold, labels against the
// sigmoid, the same seed the same text. The second gold follows the forms and not the generator's rule.
// Next: ../lab/worlds/spelled.ts, ../lab/worlds/tales.ts.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { random } from "../core/index.ts";
import { newBase } from "../lab/worlds/base.ts";
import {
  asPair,
  compare,
  outOfDistribution,
  type SplitName,
  type Story,
  type StoryComparison,
  setB,
  spelled,
  spelledPairs,
  splits,
  tales,
  titleFor,
  worldNamed,
} from "../lab/worlds/index.ts";
import {
  complexForms,
  onsets,
  rimes,
  simpleForms,
  polar as spelledPolar,
} from "../lab/worlds/spelledWords.ts";
import { forms as talesForms, polar as talesPolar } from "../lab/worlds/talesWords.ts";
import { domains, neutral, times } from "../lab/worlds/words.ts";
import { holds } from "../testing/property.ts";

const classes = ["ADJ", "FEEL", "VI", "VT", "ADV"] as const;
type Class = (typeof classes)[number];

const allOf = (part: "characters" | "places" | "things"): string[] =>
  Object.values(domains).flatMap((domain) => domain[part]);

/** ba-lin as it stands in a text. */
const spellOut = (word: string): string => word.replace("-", " -");

// --- A second reading of "spelled", by its forms ------------------------------------------------------

/** Every word of a slot, with what it counts for in gold, by how it stands in the text. */
const slotWords: Readonly<Record<Class, ReadonlyMap<string, number>>> = Object.fromEntries(
  classes.map((kind) => {
    const worth = kind === "ADJ" ? 0 : 1; // whole words don't count
    const { pleasant, unpleasant } = spelledPolar;
    return [
      kind,
      new Map([
        ...neutral[kind].map((word) => [word, 0] as const),
        ...pleasant[kind].map((word) => [spellOut(word), worth] as const),
        ...unpleasant[kind].map((word) => [spellOut(word), -worth] as const),
      ]),
    ];
  }),
) as Record<Class, Map<string, number>>;

interface Parsed {
  readonly form: string;
  /** Slots in their order, with their words. */
  readonly slots: readonly (readonly [slot: string, word: string])[];
}

const choices: Readonly<Record<string, readonly string[]>> = {
  ...Object.fromEntries(classes.map((kind) => [kind, [...slotWords[kind].keys()]])),
  ...Object.fromEntries(["S", "C", "D"].map((slot) => [slot, allOf("characters")])),
  P: allOf("places"),
  T: allOf("things"),
  TIME: times,
};

const grammar = [...simpleForms, ...complexForms].map((form) => {
  const slots = form.match(/\b[A-Z]+\b/g) ?? [];
  const pattern = form
    .replace(".", "\\.")
    .replaceAll(/\b[A-Z]+\b/g, (slot) => `(${choices[slot]?.join("|")})`);
  return { form, slots, pattern: new RegExp(`^${pattern}$`) };
});

/** The one form that a sentence has; fails if there is none, or more than one. */
function parse(sentence: string): Parsed {
  const found = grammar.flatMap(({ form, slots, pattern }) => {
    const match = pattern.exec(sentence);
    return match
      ? [{ form, slots: slots.map((slot, i) => [slot, match[i + 1] ?? ""] as const) }]
      : [];
  });
  assert.equal(found.length, 1, `"${sentence}" has ${found.length} forms`);
  return found[0] as Parsed;
}

function sentencesIn(story: Story): Parsed[] {
  return (story.response.join(" ").match(/[^.]+\./g) ?? []).map((text) => parse(text.trim()));
}

/** Gold by form: which slots belong to which character is written down here for each of them. */
function goldByForms(story: Story): number {
  const hero = story.title[1];
  const balance = sentencesIn(story)
    .flatMap(({ form, slots }) => {
      const owners = slots.filter(([slot]) => ["S", "C", "D"].includes(slot));
      const moods = slots.filter(([slot]) => ["FEEL", "VI", "VT", "ADV"].includes(slot));
      const inPairs = form.includes("while"); // one word for each of two characters; else all for the one
      return moods.map(([slot, word], i) => {
        const [, owner] = owners[inPairs ? i : 0] ?? [];
        return owner === hero ? (slotWords[slot as Class].get(word) ?? 0) : 0;
      });
    })
    .reduce((sum, x) => sum + x, 0);
  return Math.max(-4, Math.min(4, 0.8 * balance));
}

/** How often a word of each rank stands in the stories. */
function rankCounts(stories: readonly Story[], kind: Class): number[] {
  const text = stories.map(({ response }) => ` ${response.join(" ")} `).join("");
  const { pleasant, unpleasant } = spelledPolar;
  return pleasant[kind].map((word, k) =>
    [word, unpleasant[kind][k] ?? ""].reduce(
      (sum, each) => sum + text.split(` ${spellOut(each)} `).length - 1,
      0,
    ),
  );
}

const storiesOf = (comparisons: readonly StoryComparison[]): Story[] =>
  comparisons.flatMap(({ chosen, rejected }) => [chosen, rejected]);

const documentStory = (words: readonly string[]): Story => ({
  title: words.slice(0, 4),
  response: words.slice(4, words.indexOf("<end>")),
});

const noisy = { labels: "noisy" } as const;
const truth = { labels: "true" } as const;
const splitNames = Object.keys(splits) as SplitName[];

// --- Tests -------------------------------------------------------------------------------------------

describe("spelled: words", () => {
  test("has 159 tokens, and a base of 77,088 parameters", () => {
    assert.equal(spelled.tokenizer.vocabSize, 159);
    assert.equal(newBase(spelled, random(0)).parameterCount(), 77_088);
  });

  test("66 words are spelled, each another cell of the grid", () => {
    const words = Object.values(spelledPolar).flatMap(({ FEEL, VI, VT, ADV }) => {
      assert.deepEqual(
        [FEEL, VI, VT, ADV].map((list) => list.length),
        [10, 10, 8, 5],
      );
      return [...FEEL, ...VI, ...VT, ...ADV];
    });
    assert.equal(new Set(words).size, 66);
    for (const word of words) {
      const [onset = "", rime = ""] = word.split("-");
      assert.ok(onsets.includes(onset) && rimes.includes(`-${rime}`), word);
    }
    assert.deepEqual([onsets.length, rimes.length], [9, 9]);
  });

  test("no piece gives the mood away: each stands in pleasant and in unpleasant words", () => {
    const text = (mood: "pleasant" | "unpleasant") =>
      classes.filter((kind) => kind !== "ADJ").flatMap((kind) => [...spelledPolar[mood][kind]]);
    for (const piece of [...onsets, ...rimes])
      for (const mood of ["pleasant", "unpleasant"] as const)
        assert.ok(
          text(mood).some((word) => word.startsWith(piece) || word.endsWith(piece)),
          piece,
        );
  });
});

describe("spelled: stories", () => {
  test("documents parse, keep to one domain and to 48 tokens", () =>
    holds(
      "documents parse, keep to one domain and to 48 tokens",
      (d) => spelled.document(d.rng),
      (words) => {
        assert.ok(words.length <= 48 && words.at(-1) === "<end>");
        const [bos, C, P, colon] = words;
        assert.deepEqual([bos, colon], ["<bos>", ":"]);
        const story = documentStory(words);
        const sentences = sentencesIn(story);
        assert.ok(sentences.length >= 3 && sentences.length <= 6);
        const domain = Object.values(domains).find(({ characters }) =>
          characters.some((name) => name === C),
        );
        const nameable = new Set([C, P, ...(domain?.characters ?? []), ...(domain?.things ?? [])]);
        const named = sentences.flatMap(({ slots }) =>
          slots
            .filter(([slot]) => ["S", "C", "D", "P", "T"].includes(slot))
            .map(([, word]) => word),
        );
        assert.deepEqual(
          named.filter((word) => !nameable.has(word)),
          [],
        );
        const cast = new Set(named.filter((word) => domain?.characters.some((c) => c === word)));
        assert.ok(new Set([C, ...cast]).size <= 2, "two characters");
        assert.equal(
          spelled.tokenizer.decode(spelled.tokenizer.encode(words.join(" "))),
          words.join(" "),
        );
      },
      { runs: 200, show: (words) => words.join(" ") },
    ));

  test("gold is what a second reading by the forms gives", () =>
    holds(
      "gold is what a second reading by the forms gives",
      (d) => documentStory(spelled.document(d.rng)),
      (story) => assert.equal(spelled.gold(story), goldByForms(story)),
      { runs: 300, show: ({ title, response }) => [...title, ...response].join(" ") },
    ));

  test("gold counts what is said of the title's character, and clips at 4", () => {
    const gold = (response: string) =>
      spelled.gold({ title: ["<bos>", "fox", "woods", ":"], response: response.split(" ") });
    assert.equal(gold("the fox was ra -mor ."), 0.8);
    assert.equal(gold("the bear was ra -mor ."), 0);
    assert.equal(gold("the fox ni -lin while the bear ni -lin ."), 0.8);
    assert.equal(gold("the fox was ra -mor and ka -ter . the woods was warm ."), 0);
    assert.equal(gold(Array(7).fill("the fox was ka -ter .").join(" ")), -4);
  });

  test("a slot shows a mood in 85 % of the cases, frequent words first", () => {
    const rng = random("frequencies");
    const stories = Array.from({ length: 3000 }, () => documentStory(spelled.document(rng)));
    const feel = stories
      .flatMap(sentencesIn)
      .flatMap(({ slots }) => slots.filter(([slot]) => slot === "FEEL").map(([, word]) => word));
    const shown = feel.filter((word) => word.includes("-")).length / feel.length;
    assert.ok(Math.abs(shown - 0.85) < 0.02, `${shown}`);
    const counts = rankCounts(stories, "FEEL");
    const total = counts.reduce((sum, n) => sum + n, 0);
    const weights = counts.map((_, k) => 1 / (k + 3));
    const norm = weights.reduce((sum, w) => sum + w, 0);
    counts.forEach((n, k) => {
      const p = (weights[k] ?? 0) / norm;
      const deviation = Math.sqrt(p * (1 - p) * total);
      assert.ok(Math.abs(n - p * total) < 4 * deviation, `rank ${k}: ${n}, expected ${p * total}`);
    });
  });
});

describe("spelled: preference data", () => {
  const allowed = {
    id: { domains: ["forest", "farm"], forms: simpleForms, fromRank: 0 },
    domain: { domains: ["sea", "city"], forms: simpleForms, fromRank: 0 },
    word: { domains: ["forest", "farm"], forms: simpleForms, fromRank: 3 },
    form: { domains: ["forest", "farm"], forms: complexForms, fromRank: 0 },
    all: { domains: ["sea", "city"], forms: [...simpleForms, ...complexForms], fromRank: 3 },
  } as const;

  for (const split of splitNames) {
    test(`${split}: holds what it may, and all of that`, () => {
      const pairs = spelledPairs(split, 300, truth, random(`split ${split}`));
      const stories = storiesOf(pairs);
      const { domains: names, forms, fromRank } = allowed[split];
      const people = names.flatMap((name) => [...domains[name].characters]);
      const titles = stories.map(({ title }) => title[1] ?? "");
      assert.deepEqual(new Set(titles), new Set(people));
      const used = stories.flatMap(sentencesIn).map(({ form }) => form);
      assert.deepEqual(new Set(used), new Set<string>(forms));
      for (const kind of classes) {
        const counts = rankCounts(stories, kind);
        assert.ok(
          counts.slice(0, fromRank).every((n) => n === 0),
          `${kind}: ${counts}`,
        );
        const isUsed = used.some((form) => form.split(" ").includes(kind));
        assert.equal((counts[fromRank] ?? 0) > 0, isUsed, `${kind}: ${counts}`);
      }
    });

    test(`${split}: two different stories for one title, the better one chosen`, () => {
      for (const { chosen, rejected, difference } of spelledPairs(split, 100, truth, random(1))) {
        assert.deepEqual(chosen.title, rejected.title);
        assert.ok(difference > 0);
        assert.equal(difference, goldByForms(chosen) - goldByForms(rejected));
        assert.equal(chosen.response.at(-1), ".");
      }
    });
  }

  test("OOD is the mean of the four splits that training says nothing about", () => {
    assert.deepEqual(["id", ...outOfDistribution], splitNames);
  });

  test("training words are Zipf's to the 4th power", () => {
    const counts = rankCounts(storiesOf(spelledPairs("id", 1000, noisy, random(3))), "VI");
    const ratio = (counts[1] ?? 0) / (counts[0] ?? 1); // (3/4)^4 = 0.316
    assert.ok(Math.abs(ratio - 0.316) < 0.05, `${ratio}`);
  });

  test("labels are right as often as the sigmoid says, by how large the difference is", () => {
    const pairs = spelledPairs("id", 4000, noisy, random("labels"));
    for (const size of [0.8, 1.6, 2.4, 3.2]) {
      const some = pairs.filter(({ difference }) => Math.abs(Math.abs(difference) - size) < 1e-9);
      const p = 1 / (1 + Math.exp(-size));
      const right = some.filter(({ difference }) => difference > 0).length;
      const deviation = Math.sqrt(p * (1 - p) * some.length);
      assert.ok(some.length > 200, `${some.length} pairs of difference ${size}`);
      assert.ok(
        Math.abs(right - p * some.length) < 4 * deviation,
        `${size}: ${right}/${some.length}`,
      );
    }
  });

  test("flips turn that share of labels around", () => {
    const options = { labels: "true", flips: 0.25 } as const;
    const pairs = spelledPairs("id", 2000, options, random("flips"));
    const wrong = pairs.filter(({ difference }) => difference < 0).length / pairs.length;
    assert.ok(Math.abs(wrong - 0.25) < 0.04, `${wrong}`);
  });

  test("same seed, same pairs; another seed, others", () => {
    const of = (seed: number) => JSON.stringify(spelledPairs("all", 20, noisy, random(seed)));
    assert.equal(of(1), of(1));
    assert.notEqual(of(1), of(2));
  });

  test("a pair for the trainer: title without loss, response with it, no <end>", () => {
    const [comparison] = spelledPairs("id", 1, truth, random(5));
    const { chosen, rejected, margin } = asPair(spelled, comparison as StoryComparison);
    for (const [{ ids, labels }, { response }] of [
      [chosen, (comparison as StoryComparison).chosen],
      [rejected, (comparison as StoryComparison).rejected],
    ] as const) {
      assert.equal(ids.length, 4 + response.length);
      assert.deepEqual([...labels.subarray(0, 4)], [-100, -100, -100, -100]);
      assert.deepEqual([...labels.subarray(4)], [...ids.subarray(4)]);
      assert.equal(spelled.tokenizer.tokenOf(ids.at(-1) ?? -1), ".");
    }
    assert.equal(margin, comparison?.difference);
  });

  test("equal gold can't be compared", () => {
    const story = documentStory(spelled.document(random(1)));
    assert.throws(() => compare(spelled, [story, story], truth, random(1)), /same gold/);
  });
});

// --- tales -------------------------------------------------------------------------------------------

const talesSlots: Readonly<Record<string, readonly string[]>> = {
  ...Object.fromEntries(
    classes.map((kind) => [
      kind,
      [
        ...neutral[kind],
        ...Object.values(talesPolar).flatMap((s) => [...s.pleasant[kind], ...s.unpleasant[kind]]),
      ],
    ]),
  ),
  C: allOf("characters"),
  D: allOf("characters"),
  P: allOf("places"),
  T: allOf("things"),
  TIME: times,
};

const talesGrammar = talesForms.map((form) => {
  const pattern = form
    .replace(".", "\\.")
    .replaceAll(/\b[A-Z]+\b/g, (slot) => `(?:${talesSlots[slot]?.join("|")})`);
  return new RegExp(`^${pattern}$`);
});

const moodWords = (mood: "pleasant" | "unpleasant", kinds: readonly Class[] = classes): string[] =>
  Object.values(talesPolar).flatMap((set) => kinds.flatMap((kind) => [...set[mood][kind]]));

/** Gold of "tales" from counts of words, term by term. */
function talesGold({ title, response }: Story): number {
  const counts = new Map<string, number>();
  for (const word of response) counts.set(word, (counts.get(word) ?? 0) + 1);
  const count = (words: readonly string[]) =>
    words.reduce((sum, word) => sum + (counts.get(word) ?? 0), 0);
  const [good, bad] = [count(moodWords("pleasant")), count(moodWords("unpleasant"))];
  const home = Object.values(domains).find((domain) =>
    domain.characters.some((name) => name === title[1]),
  );
  const others = Object.values(domains).filter((domain) => domain !== home);
  const content = [
    ...allOf("things"),
    ...moodWords("pleasant"),
    ...moodWords("unpleasant"),
    ...Object.values(neutral).flat(),
  ];
  const extra = content.reduce((sum, word) => sum + Math.max(0, (counts.get(word) ?? 0) - 1), 0);
  let gold = good <= 4 ? 0.6 * good : 2.4 - 0.4 * (good - 4);
  gold -= 0.6 * bad;
  gold += Math.min(1, 0.5 * (counts.get(title[1] ?? "") ?? 0));
  gold -= 0.6 * count(others.flatMap(({ characters, places }) => [...characters, ...places]));
  gold -= 0.5 * extra;
  if (response.length > 20) gold -= 0.08 * (response.length - 20);
  if (response.at(-1) !== ".") gold -= 1;
  return gold;
}

describe("tales", () => {
  test("has 198 tokens, and a base of 26,976 parameters", () => {
    assert.equal(tales.tokenizer.vocabSize, 198);
    assert.equal(newBase(tales, random(0)).parameterCount(), 26_976);
  });

  test("documents parse; the blurb says how the story was", () =>
    holds(
      "documents parse; the blurb says how the story was",
      (d) => tales.document(d.rng),
      (words) => {
        const end = words.indexOf("<end>");
        assert.ok(end < 36 && words.length === end + 1 + 7);
        const { title, response } = documentStory(words);
        const sentences =
          response
            .join(" ")
            .match(/[^.]+\./g)
            ?.map((text) => text.trim()) ?? [];
        assert.ok(sentences.length >= 2 && sentences.length <= 7);
        for (const text of sentences)
          assert.ok(
            talesGrammar.some((pattern) => pattern.test(text)),
            text,
          );
        const after = words.slice(end + 1).join(" ");
        const [, feel = "", hero] = /^a (\w+) tale of the (\w+) \.$/.exec(after) ?? [];
        assert.equal(hero, title[1]);
        const homeOf = (text: string) =>
          Object.values(domains).findIndex(({ characters, places }) =>
            [...characters, ...places].some((word) => text.split(" ").includes(word)),
          );
        const isDull =
          sentences.some((text, i) => text === sentences[i - 1]) ||
          homeOf(sentences.at(-1) ?? "") !== homeOf(title.join(" "));
        const balance = response.reduce((sum, word) => sum + tales.polarity(word), 0);
        const expected = isDull
          ? ["dull"]
          : balance === 0
            ? neutral.FEEL
            : moodWords(balance > 0 ? "pleasant" : "unpleasant", ["FEEL"]);
        assert.ok(expected.includes(feel), `${feel}, balance ${balance}`);
      },
      { runs: 300, show: (words) => words.join(" ") },
    ));

  test("gold is the sum of its terms, counted a second time", () =>
    holds(
      "gold is the sum of its terms, counted a second time",
      (d) => {
        const { title, response } = documentStory(tales.document(d.rng));
        return { title, response: response.slice(0, d.integer(0, response.length)) }; // some don't end in `.`
      },
      (story) => assert.ok(Math.abs(tales.gold(story) - talesGold(story)) < 1e-9),
      { runs: 300, show: ({ title, response }) => [...title, ...response].join(" ") },
    ));

  test("gold, by hand", () => {
    const gold = (response: string) =>
      tales.gold({ title: ["<bos>", "fox", "woods", ":"], response: response.split(" ") });
    const near = (a: number, b: number) => assert.ok(Math.abs(a - b) < 1e-9, `${a}, not ${b}`);
    near(gold("the fox was happy ."), 0.6 + 0.5);
    near(gold("the fox was happy"), 0.6 + 0.5 - 1);
    near(gold("the cow was sad ."), -0.6 - 0.6);
    near(gold("then the fox danced and danced ."), 1.2 + 0.5 - 0.5);
    near(gold("the fox was happy . ".repeat(5).trim()), 2.4 - 0.4 + 1 - 4 * 0.5 - 0.08 * 5);
  });

  test("about three in ten stories are by sloppy tellers, and some of them dull", () => {
    const rng = random("sloppy");
    const dull = Array.from({ length: 2000 }, () => tales.document(rng)).filter((words) =>
      words.includes("dull"),
    ).length;
    assert.ok(dull > 150 && dull < 500, `${dull} of 2000`);
  });

  test("set B is 40 words, all of them moods; titles are of the forest and the farm", () => {
    assert.equal(setB.size, 40);
    assert.ok([...setB].every((word) => tales.polarity(word) !== 0));
    const rng = random(1);
    const shown = new Set([...domains.forest.characters, ...domains.farm.characters] as string[]);
    for (let i = 0; i < 50; i++) assert.ok(shown.has(titleFor(rng)[1] ?? ""));
  });
});

test("worlds are found by name, and a wrong name lists them", () => {
  assert.equal(worldNamed("spelled"), spelled);
  assert.throws(() => worldNamed("toString"), /there are spelled, tales, deeds/);
});
