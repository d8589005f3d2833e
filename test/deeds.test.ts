// The world "deeds" against its description: stories parsed back by their four forms, gold computed a second time from
// the forms alone, what each split may hold and how often, what only the base is told, the shortcut that holds in training
// and nowhere else; and a sweep's job in it.
// Next: ../lab/worlds/deeds.ts; grm.worlds.test.ts for the worlds of the demos.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { random } from "../core/index.ts";
import { dataOf } from "../lab/demo/data.ts";
import { worldOf } from "../lab/sweep/bases.ts";
import { jobsOf, sweepPlan } from "../lab/sweep/plan.ts";
import { baseOf, wordsFrom } from "../lab/sweep/words.ts";
import { newBase } from "../lab/worlds/base.ts";
import { deedsSplits } from "../lab/worlds/deeds.ts";
import {
  deedDomains,
  deedWords,
  personMoods,
  placeMoods,
  plainDeeds,
} from "../lab/worlds/deedsWords.ts";
import { comparisons, deeds, type Story } from "../lab/worlds/index.ts";
import { holds } from "../testing/property.ts";

const { good, bad } = deedWords;
const worth = new Map([
  ...good.map((word) => [word, 1] as const),
  ...bad.map((word) => [word, -1] as const),
  ...plainDeeds.map((word) => [word, 0] as const),
]);

const deed = `(?<deed>${[...worth.keys()].join("|")})`;
const forms = {
  active: new RegExp(`^the (?<A>\\w+) (?<never>never )?${deed} the (?<B>\\w+) \\.$`),
  passive: new RegExp(`^the (?<B>\\w+) was (?<never>never )?${deed} by the (?<A>\\w+) \\.$`),
  told: new RegExp(
    `^the (?<A>\\w+) was (?<mood>${[...personMoods.good, ...personMoods.bad].join("|")}) \\.$`,
  ),
  place: new RegExp(
    `^the (?<P>\\w+) was (?<mood>${[...placeMoods.good, ...placeMoods.bad].join("|")}) \\.$`,
  ),
};

interface Said {
  readonly form: keyof typeof forms;
  readonly parts: Readonly<Record<string, string | undefined>>;
}

/** Each sentence by the one form that fits it. */
function saidIn({ response }: Story): Said[] {
  const sentences = response.join(" ").match(/[^.]+\./g) ?? [];
  return sentences.map((sentence) => {
    const found = Object.entries(forms).flatMap(([form, pattern]) => {
      const parts = pattern.exec(sentence.trim())?.groups;
      return parts === undefined ? [] : [{ form: form as Said["form"], parts }];
    });
    assert.equal(found.length, 1, `${sentence} fits ${found.length} forms`);
    return found[0] as Said;
  });
}

function goldByForms(story: Story): number {
  const own = saidIn(story).filter(
    ({ form, parts }) => form !== "told" && parts.A === story.title[1],
  );
  const sum = own.reduce(
    (sum, { parts }) => sum + (parts.never ? -1 : 1) * (worth.get(parts.deed ?? "") ?? Number.NaN),
    0,
  );
  return Math.max(-4, Math.min(4, 0.8 * sum));
}

const show = ({ title, response }: Story): string => [...title, ...response].join(" ");

function documentStory(words: readonly string[]): Story {
  return { title: words.slice(0, 4), response: words.slice(4, -1) };
}

describe("deeds: stories", () => {
  test("64 deeds, half of them good, and every word once", () => {
    const words = [...good, ...bad];
    assert.equal(new Set(words).size, 64);
    assert.equal(good.length, bad.length);
    assert.equal(deeds.tokenizer.vocabSize, 254);
    assert.equal(newBase(deeds, random(0)).parameterCount(), 79_152 + 52 * 48);
  });

  test("a document tells now and then how somebody is, mostly as their deeds are", () => {
    const rng = random("told");
    const stories = Array.from({ length: 400 }, () => documentStory(deeds.document(rng)));
    const isGood = (mood = ""): boolean => personMoods.good.some((word) => word === mood);
    const agree = stories.flatMap((story) => {
      const gold = deeds.gold(story);
      const told = saidIn(story).filter(
        ({ form, parts }) => form === "told" && parts.A === story.title[1],
      );
      return gold === 0 ? [] : told.map(({ parts }) => Number(isGood(parts.mood) === gold > 0));
    });
    assert.ok(agree.length > 150, `${agree.length}`);
    const share = agree.reduce((sum, x) => sum + x, 0) / agree.length;
    assert.ok(share > 0.85, `${share}`);
  });

  test("documents parse, keep to two characters of a domain and to 64 tokens", () =>
    holds(
      "documents parse, keep to two characters of a domain and to 64 tokens",
      (d) => deeds.document(d.rng),
      (words) => {
        assert.ok(words.length <= 64 && words.at(-1) === "<end>");
        const story = documentStory(words);
        const said = saidIn(story);
        const [, C = "", P = ""] = story.title;
        const domain = Object.values(deedDomains).find(
          ({ characters, places }) =>
            characters.some((name) => name === C) && places.some((name) => name === P),
        );
        assert.ok(domain, `${C} at the ${P}`);
        const cast = new Set(said.flatMap(({ parts: { A, B } }) => [A, B].filter(Boolean)));
        assert.ok(cast.size < 2 || (cast.size === 2 && cast.has(C)));
        for (const name of cast) assert.ok(domain.characters.some((known) => known === name));
        const places = said.filter(({ form }) => form === "place");
        assert.ok(places.length <= 1 && places.every(({ parts }) => parts.P === P));
        const text = words.join(" ");
        assert.equal(deeds.tokenizer.decode(deeds.tokenizer.encode(text)), text);
      },
      { runs: 200, show: (words) => words.join(" ") },
    ));

  test("gold is what a second reading by the forms gives", () =>
    holds(
      "gold is what a second reading by the forms gives",
      (d) => documentStory(deeds.document(d.rng)),
      (story) => assert.equal(deeds.gold(story), goldByForms(story)),
      { runs: 300, show },
    ));

  test("gold counts what the title's character did, and clips at 4", () => {
    const [good1, bad1] = [good[0], bad[0]];
    const gold = (response: string) =>
      deeds.gold({ title: ["<bos>", "fox", "woods", ":"], response: response.split(" ") });
    assert.equal(gold(`the fox ${good1} the bear .`), 0.8);
    assert.equal(gold(`the bear ${good1} the fox .`), 0);
    assert.equal(gold(`the fox was ${good1} by the bear .`), 0);
    assert.equal(gold(`the bear was ${good1} by the fox .`), 0.8);
    assert.equal(gold(`the bear was never ${good1} by the fox .`), -0.8);
    assert.equal(gold(`the fox never ${bad1} the bear . the woods was warm .`), 0.8);
    assert.equal(gold("the fox met the bear . the fox was kind ."), 0);
    assert.equal(gold(Array(7).fill(`the fox ${bad1} the bear .`).join(" ")), -4);
  });
});

describe("deeds: preference data", () => {
  const of = (split: keyof typeof deedsSplits, count: number): Story[] =>
    comparisons(deeds, split, count, { labels: "true" }, random(`deeds ${split}`)).flatMap(
      ({ chosen, rejected }) => [chosen, rejected],
    );

  for (const split of deeds.splits) {
    test(`${split}: holds what it may, as often as it says`, () => {
      const stories = of(split, 300);
      const style = deedsSplits[split];
      const people = style.domains.flatMap((name) => [...deedDomains[name].characters]);
      assert.deepEqual(new Set(stories.map(({ title }) => title[1])), new Set(people));
      const said = stories.flatMap(saidIn).filter(({ form }) => form !== "place");
      assert.ok(said.every(({ form }) => form !== "told"));
      const near = (is: (one: Said) => boolean, wanted: number, what: string): void => {
        const share = said.filter(is).length / said.length;
        const deviation = Math.sqrt((wanted * (1 - wanted)) / said.length);
        assert.ok(Math.abs(share - wanted) <= 4 * deviation, `${what}: ${share} of ${wanted}`);
      };
      near(({ form }) => form === "passive", style.passive, "passive");
      near(({ parts }) => parts.never !== undefined, style.never, "never");
      const used = new Set(said.map(({ parts }) => parts.deed));
      for (const words of [good, bad])
        words.forEach((word, rank) => {
          if (rank < style.fromRank) assert.ok(!used.has(word), word);
          else if (rank < style.fromRank + 2) assert.ok(used.has(word), word);
        });
    });
  }

  test("in training the place says who is good, and where the split says so it says the opposite", () => {
    const isGood = (mood: string | undefined): boolean =>
      placeMoods.good.some((word) => word === mood);
    const agreement = (split: keyof typeof deedsSplits): number => {
      const seen = of(split, 500).flatMap((story) => {
        const gold = deeds.gold(story);
        const place = saidIn(story).find(({ form }) => form === "place");
        if (gold === 0 || place === undefined) return [];
        return [gold > 0 === isGood(place.parts.mood) ? 1 : 0];
      });
      assert.ok(seen.length > 300);
      return seen.reduce<number>((sum, x) => sum + x, 0) / seen.length;
    };
    assert.ok(agreement("id") > 0.75);
    assert.ok(agreement("place") < 0.25);
    assert.ok(Math.abs(agreement("all") - 0.5) < 0.08);
  });

  test("a split that isn't there is told with those that are", () => {
    assert.throws(
      () => comparisons(deeds, "taste" as "id", 1, { labels: "true" }, random(0)),
      /comparisons: "deeds" has no split "taste"; needed one of id, domain, word, form, place, all/,
    );
  });
});

describe("deeds: a sweep", () => {
  const plan = (fixed: Record<string, string>) =>
    sweepPlan({
      name: "some",
      fixed,
      parts: [{ grid: { method: "bt", lr: 1e-3 } }],
      seeds: { count: 1 },
    });

  test("has jobs in it, with pairs of its splits", () => {
    const [job] = jobsOf(plan({ world: "deeds" }));
    assert.equal(job?.words.world, "deeds");
    const words = wordsFrom("test", job?.words);
    const world = worldOf(baseOf(words));
    assert.equal(world.tokenizer, deeds.tokenizer);
    const sizes = { pairs: 20, validation: 10, tests: 5, heldOut: 2 };
    const { training, tests } = dataOf(1, sizes, world);
    assert.equal(training.length, 20);
    assert.deepEqual(Object.keys(tests), deeds.splits);
    for (const [split, pairs] of Object.entries(tests))
      assert.ok(pairs.length === 5 && pairs.every(({ source }) => source === split));
  });

  test('is written in one way: the tokens of "spelled" are refused', () => {
    assert.throws(
      () => jobsOf(plan({ world: "deeds", tokens: "bytes" })),
      /tokens "bytes" are those of the world "spelled"/,
    );
  });
});
