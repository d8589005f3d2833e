// What the committed maps say, small enough to come with the package, which has no room for their results: the demo's
// verdict, the lessons and the explorer's tour read it. `npm run map` makes it again from the results beside it.
// Next: answers.ts for the sentences; ../RESULTS.md, part 4, for what they mean.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { accept, signature } from "../../core/signature.ts";
import type { Interval } from "../../grm/statistics/index.ts";
import { readMerged } from "../sweep/results.ts";
import { answersOf, findingsOf, sharedRates } from "./answers.ts";

/** GRM-SFT less plain Bradley-Terry out of distribution, in points, paired by seed, both at one rate. */
export interface GainAtRate {
  readonly lr: number;
  readonly gain: Interval;
}

/** What the map of one world says. */
export interface MapSummary {
  readonly world: string;
  readonly seeds: number;
  readonly models: number;
  /** The sentences of `twoheads map`, the answer first. */
  readonly answers: readonly string[];
  /** At the setting around which the plan looks, with the alpha that most of its places have, the hottest rate first. */
  readonly alpha: number;
  readonly atRates: readonly GainAtRate[];
}

const takes = signature("mapSummaries", "");

const worlds = { spelled: "results.jsonl", deeds: "deeds.jsonl" } as const;

const fileOf = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

/** What the committed maps say, made from their results, which the package hasn't: about a second. */
export function summariesMade(): MapSummary[] {
  return Object.entries(worlds).map(([world, file]) => {
    const { plan, outcomes } = readMerged(fileOf(file));
    const findings = findingsOf(plan, outcomes);
    const { alpha, rates } = sharedRates(findings);
    const { seeds, jobs, failures } = findings;
    return {
      ...{ world, seeds, models: jobs - failures, answers: answersOf(findings), alpha },
      atRates: rates.flatMap(({ lr, centre }) => (centre ? [{ lr, gain: centre }] : [])),
    };
  });
}

/** What the committed maps say, a world each, as it was made last. */
export function mapSummaries(): readonly MapSummary[] {
  accept(takes, arguments);
  return JSON.parse(readFileSync(fileOf("summary.json"), "utf8"));
}
