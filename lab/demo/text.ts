// What the demo says in words: before, what is done and why; after, the tables with how to read them, the
// verdict, what it doesn't show, and where to go on. Numbers and verdicts come from table.ts.
// Next: ../../cli/commands/demo.ts, which prints it.

import { fileURLToPath } from "node:url";
import { random } from "../../core/index.ts";
import { pointsText } from "../map/answers.ts";
import { type MapSummary, mapSummaries } from "../map/summary.ts";
import { type StoryComparison, spelled, spelledPairs, storyText } from "../worlds/index.ts";
import { committedBase } from "./bases.ts";
import { type DemoPlan, quickPlan, rateText } from "./plan.ts";
import { readResults } from "./resultFile.ts";
import type { DemoResult, DemoResultFile } from "./results.ts";
import { accuracyTable, differenceTable, verdict } from "./table.ts";

/** What is going to happen. `isMade`: whether a seed's base is pretrained now. */
export function introduction(
  plan: DemoPlan,
  seeds: readonly number[],
  isMade: (seed: number) => boolean,
): string {
  const taken = seeds.filter((seed) => !isMade(seed));
  const from = taken.length === 0 ? "" : ` From checkpoints that come with it: ${listed(taken)}.`;
  const stories = (plan.baseSteps * 32).toLocaleString("en-US");
  return `
WHAT DOES A TEXT-GENERATION LOSS DO TO A REWARD MODEL?   (GRM, arXiv 2406.10216)

The world is a miniature English in which the worth of a story is a formula: what is said of the
character in its title, pleasant (+) against unpleasant (-). For example, better and worse:
${example()}
Mood words are spelled in two pieces that they share with others, so a model must look them up.

1. A small language model reads ${stories} stories of the whole world: the base. A seed has its
   own base. Pretrained now: ${listed(seeds.filter(isMade))}.${from}
2. From each base, reward models learn from ${plan.pairs} noisy preferences that show a small part of the
   world: two of four domains, frequent words, simple sentences.
     frozen backbone   only the reward head learns
     BT                everything learns, from preferences alone (Bradley-Terry)
     stopped early     BT with the weights that did best on ${plan.validation} other preferences
     GRM-SFT, -DPO     the same, and the language model's head goes on predicting text from the
                       very hidden states that the reward is read from
   each at ${plan.rates.length} learning rates, since the rate may matter as much as the method.
3. All are tested on pairs like those they learnt from (id), and on pairs from where the preferences
   never were: other domains, rare words, complex sentences, and all at once. OOD is their mean.
`;
}

function listed(seeds: readonly number[]): string {
  return seeds.length > 4 ? `${seeds[0]} to ${seeds.at(-1)}` : seeds.join(", ");
}

/** The shortest of some pairs of a good and a bad story. */
function example(): string {
  const pairs = spelledPairs("id", 300, { labels: "true" }, random("example"));
  const length = ({ chosen, rejected }: StoryComparison): number =>
    chosen.response.length + rejected.response.length;
  const isClear = ({ chosen, rejected }: StoryComparison): boolean =>
    spelled.gold(chosen) > 1 && spelled.gold(rejected) < -1;
  const [pair] = pairs.filter(isClear).sort((a, b) => length(a) - length(b));
  if (pair === undefined) return "";
  return `  ${storyText(spelled, pair.chosen)}\n  ${storyText(spelled, pair.rejected)}`;
}

/** What came of it, beside what came of more seeds where those are committed. */
export function conclusion(results: readonly DemoResult[], plan: DemoPlan): string {
  const known = manySeeds(plan);
  const many = known !== null && seedCount(known.results) > seedCount(results) ? known : null;
  const parts = [
    accuracyTable(results, many?.results ?? null, plan),
    reading,
    `Differences out of distribution, in points, paired by seed, ${seedsText(results)}:`,
    differenceTable(results, plan),
    ...(many === null ? [] : ["", ofMany(many), differenceTable(many.results, plan)]),
    "",
    verdict(results, plan),
    ...(many === null
      ? []
      : ["", `The same asked of ${ofMany(many)}`, verdict(many.results, plan)]),
    ...(plan === quickPlan ? [] : mapSummaries().map(ofMap)),
    limits(plan),
  ];
  return parts.join("\n");
}

const reading = `
How to read it: accuracies are percentages of pairs ranked right, 50 is chance. ± is half of a 95 %
interval over seeds. "LM ppl" is how perplexed the model's language-model head ends up by stories
of the whole world; what it was before is in the head of the column.
`;

function seedCount(results: readonly DemoResult[]): number {
  return new Set(results.map(({ seed }) => seed)).size;
}

function seedsText(results: readonly DemoResult[]): string {
  const count = seedCount(results);
  return count === 1 ? "1 seed" : `${count} seeds`;
}

function ofMany({ results, command }: DemoResultFile): string {
  return `${seedsText(results)} (lab/demo/seeds.jsonl, made by: ${command}):`;
}

/** The committed results of many seeds, if they are there and of the same plan. */
export function manySeeds(plan: DemoPlan): DemoResultFile | null {
  const found = readResults(fileURLToPath(new URL("seeds.jsonl", import.meta.url)));
  return found !== null && JSON.stringify(found.plan) === JSON.stringify(plan) ? found : null;
}

/** What the map of a world says: over many settings, each method's own chosen by validation. */
function ofMap({ world, seeds, models, answers, alpha, atRates }: MapSummary): string {
  const rates = atRates.map(({ lr, gain }) => `${pointsText(gain)} at ${rateText(lr)}`);
  const said = `The map of the world "${world}" (${models} reward models of ${seeds} other seeds; lab/RESULTS.md, part 4): ${answers[0]} Where both train at one rate, GRM-SFT with alpha ${alpha} less plain BT is ${rates.join(", ")}.`;
  return `\n${said.replaceAll(/(.{1,100})(?: |$)/g, "$1\n").trimEnd()}`;
}

function limits(plan: DemoPlan): string {
  if (plan === quickPlan) return "\nA quick run: everything works, and the numbers mean nothing.";
  return `
What this does not show: anything about large models, human preferences or other worlds. A "best
rate" is chosen on the tests themselves, which flatters every method. An interval that holds 0
is no proof that there is no difference, and of those that leave it out one in twenty is wrong.`;
}

/** Where to go on. */
export function nextCommands(): string {
  const commands = [
    ["npx twoheads world spelled --pairs all", "the pairs that were hardest"],
    committedBase(1) === undefined
      ? ["npx twoheads base spelled", "a base to keep"]
      : ['npx twoheads generate spelled-1 --prompt "fox woods :"', "what a base writes"],
    ["npx twoheads demo --seeds 10", "narrower intervals"],
  ] as const;
  const width = Math.max(...commands.map(([command]) => command.length));
  const lines = commands.map(([command, what]) => `  ${command.padEnd(width)}   ${what}`);
  return ["\nNext:", ...lines].join("\n");
}
