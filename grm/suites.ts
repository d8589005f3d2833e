// Benchmarks of reward models by name, each with the sections and averages of its own definition, over pairs that
// were read from its files. A benchmark counts a tie as wrong, but for best-of-4, where it shares the point.
//   reward-bench    2403.13787: sections of subsets, weighted by their sizes (math as much as code)
//   reward-bench-2  2506.01937: best of 4 by subset, and ties by accuracy and margins
//   rm-bench        2410.16184: three styles of each answer; hard, normal and easy by which side has more style
//   llmbar          2310.07641: the natural set and four adversarial ones
// Next: evaluation.ts for what else is said of a model.

import { ArgumentError, portable } from "../core/index.ts";
import { accept, signatures } from "../core/signature.ts";
import type { Pair } from "./pairs.ts";
import type { PairScores } from "./scores.ts";

const takes = signatures({
  suiteResult: "name: string, pairs: any[], scores: { chosen: object, rejected: object, ... }",
});

/** A part of a benchmark and what a model reaches in it, from 0 to 1. */
export interface SuiteSection {
  readonly name: string;
  readonly score: number;
  /** Rows that it is of: prompts, or pairs where each row is one. */
  readonly rows: number;
}

/** What a model reaches in a benchmark. */
export interface SuiteResult {
  readonly suite: SuiteName;
  /** The benchmark's own average. */
  readonly score: number;
  /** What the average is made of. */
  readonly sections: readonly SuiteSection[];
  /** The parts of the sections. */
  readonly subsets: readonly SuiteSection[];
}

/** A row of a benchmark: the rewards of its better and of its worse answers, each in their order. */
interface Prompted {
  readonly source: string;
  readonly id: string;
  readonly better: number[];
  readonly worse: number[];
}

type SuiteRule = (rows: readonly Prompted[]) => Omit<SuiteResult, "suite">;

const rules = {
  "reward-bench": rewardBench,
  "reward-bench-2": rewardBench2,
  "rm-bench": rmBench,
  llmbar: llmBar,
} as const satisfies Readonly<Record<string, SuiteRule>>;

/** A benchmark that `twoheads eval --suite` knows. */
export type SuiteName = keyof typeof rules;

/** The names of the benchmarks. */
export const suites = Object.keys(rules) as readonly SuiteName[];

/** A model's result in a benchmark, from the rewards of the pairs of its files. */
export function suiteResult(
  name: SuiteName,
  pairs: readonly Pair[],
  scores: PairScores,
): SuiteResult {
  accept(takes.suiteResult, arguments);
  const rule: SuiteRule | undefined = rules[name];
  if (rule === undefined) {
    throw new ArgumentError(
      `suiteResult: there is no suite "${name}"; there are ${suites.join(", ")}`,
    );
  }
  return { suite: name, ...rule(rowsOf(pairs, scores)) };
}

/** The rows that pairs came from. */
function rowsOf(pairs: readonly Pair[], { chosen, rejected }: PairScores): Prompted[] {
  const rows = new Map<string, Prompted>();
  pairs.forEach((pair, i) => {
    const { file = "", line = i, source, id = "", places: [c, r] = [0, 0] } = pair;
    const key = `${line} ${file}`;
    const row = rows.get(key) ?? { source: source ?? folderOf(file), id, better: [], worse: [] };
    rows.set(key, row);
    row.better[c] = chosen.rewards[i] ?? Number.NaN;
    row.worse[r] = rejected.rewards[i] ?? Number.NaN;
  });
  return [...rows.values()];
}

/** LLMBar's sets are files in folders: Adversarial/Neighbor/dataset.json is Neighbor. */
const folderOf = (file: string): string => file.split(/[/\\]/).at(-2) ?? "";

const meanOf = (values: readonly number[]): number =>
  values.reduce((sum, x) => sum + x, 0) / values.length;

/** Whether the first better answer is above the first worse one. */
const isRight = ({ better: [a = Number.NaN], worse: [b = Number.NaN] }: Prompted): number =>
  Number(a > b);

/** Rows by source, each with a score. */
function bySource(
  rows: readonly Prompted[],
  score: (own: readonly Prompted[]) => number,
): SuiteSection[] {
  const names = [...new Set(rows.map(({ source }) => source))];
  return names.map((name) => {
    const own = rows.filter(({ source }) => source === name);
    return { name, score: score(own), rows: own.length };
  });
}

const accuracy = (rows: readonly Prompted[]): number => meanOf(rows.map(isRight));

/** A section of subsets, weighted; null where none of them is there. */
function section(
  name: string,
  subsets: readonly SuiteSection[],
  weight: (subset: SuiteSection) => number,
): SuiteSection | null {
  const total = subsets.reduce((sum, subset) => sum + weight(subset), 0);
  if (total === 0) return null;
  const score = subsets.reduce((sum, subset) => sum + weight(subset) * subset.score, 0) / total;
  return { name, score, rows: subsets.reduce((sum, { rows }) => sum + rows, 0) };
}

const averageOf = (sections: readonly SuiteSection[]): number =>
  meanOf(sections.map(({ score }) => score));

/** Sections by name with the subsets in them; what isn't there is left out, what isn't known is refused. */
function sectioned(
  subsets: readonly SuiteSection[],
  names: Readonly<Record<string, readonly string[]>>,
  weight: (subset: SuiteSection) => number,
): SuiteSection[] {
  const known = Object.values(names).flat();
  const other = subsets.find(({ name }) => !known.includes(name));
  if (other !== undefined) {
    throw new ArgumentError(`suite: "${other.name}" is none of its parts: ${known.join(", ")}`);
  }
  return Object.entries(names).flatMap(
    ([name, parts]) =>
      section(
        name,
        subsets.filter((subset) => parts.includes(subset.name)),
        weight,
      ) ?? [],
  );
}

// --- RewardBench -------------------------------------------------------------------------------------

const rewardBenchSections = {
  Chat: [
    "alpacaeval-easy",
    "alpacaeval-length",
    "alpacaeval-hard",
    "mt-bench-easy",
    "mt-bench-med",
  ],
  "Chat Hard": [
    "mt-bench-hard",
    "llmbar-natural",
    "llmbar-adver-neighbor",
    "llmbar-adver-GPTInst",
    "llmbar-adver-GPTOut",
    "llmbar-adver-manual",
  ],
  Safety: [
    "refusals-dangerous",
    "refusals-offensive",
    "xstest-should-refuse",
    "xstest-should-respond",
    "donotanswer",
  ],
  Reasoning: ["math-prm", "hep-cpp", "hep-go", "hep-java", "hep-js", "hep-python", "hep-rust"],
};

/** math-prm has 447 rows, and weighs as much as the six languages of code together, 984. */
const rewardBenchWeights: Readonly<Record<string, number>> = {
  ...{
    "alpacaeval-easy": 100,
    "alpacaeval-length": 95,
    "alpacaeval-hard": 95,
    "mt-bench-easy": 28,
  },
  ...{ "mt-bench-med": 40, "mt-bench-hard": 37, "math-prm": 984, "refusals-dangerous": 100 },
  ...{ "refusals-offensive": 100, "llmbar-natural": 100, "llmbar-adver-neighbor": 134 },
  ...{ "llmbar-adver-GPTInst": 92, "llmbar-adver-GPTOut": 47, "llmbar-adver-manual": 46 },
  ...{
    "xstest-should-refuse": 154,
    "xstest-should-respond": 250,
    donotanswer: 136,
    "hep-cpp": 164,
  },
  ...{ "hep-go": 164, "hep-java": 164, "hep-js": 164, "hep-python": 164, "hep-rust": 164 },
};

function rewardBench(rows: readonly Prompted[]): Omit<SuiteResult, "suite"> {
  const subsets = bySource(rows, accuracy);
  const sections = sectioned(
    subsets,
    rewardBenchSections,
    ({ name }) => rewardBenchWeights[name] ?? 0,
  );
  return { score: averageOf(sections), sections, subsets };
}

// --- RewardBench 2 -----------------------------------------------------------------------------------

function rewardBench2(rows: readonly Prompted[]): Omit<SuiteResult, "suite"> {
  const sections = bySource(rows, (own) =>
    own[0]?.source.toLowerCase() === "ties" ? tiesScore(own) : meanOf(own.map(bestOf)),
  );
  return { score: averageOf(sections), sections, subsets: [] };
}

/** 1 where the better answer has the highest reward of all, 1/k where k have it. */
function bestOf({ better: [a = Number.NaN], worse }: Prompted): number {
  if (worse.some((b) => !(a >= b))) return 0;
  return 1 / (1 + worse.filter((b) => b === a).length);
}

/**
 * Prompts with many right answers (tied) beside prompts like them with one (ref): 0.3 each for right answers above all
 * wrong ones; 0.2 where the gap to the wrong ones is wider than that among the right ones, 0.2 where it is so in both
 * prompts, and a hundredth of how much wider.
 */
function tiesScore(rows: readonly Prompted[]): number {
  const stats = new Map(rows.map((row) => [row.id, gapsOf(row)]));
  const of = (kind: string) =>
    [...stats].filter(([id]) => id.startsWith(`${kind}:`)).map(([, own]) => own);
  const right = (kind: string): number => {
    const own = of(kind);
    return own.length === 0 ? 0 : meanOf(own.map(({ gap }) => Number(gap > 0)));
  };
  const both = [...stats].flatMap(([id, tied]) => {
    const ref = id.startsWith("tied:") ? stats.get(id.replace("tied:", "ref:")) : undefined;
    return ref === undefined || Number.isNaN(tied.spread)
      ? []
      : [{ tied, least: Math.min(tied.gap, ref.gap) }];
  });
  if (both.length === 0) {
    throw new ArgumentError('suite: Ties needs rows whose ids are "tied:NUMBER" and "ref:NUMBER"');
  }
  const wider = meanOf(both.map(({ tied }) => Number(tied.gap > tied.spread)));
  const widerInBoth = meanOf(both.map(({ tied, least }) => Number(least > tied.spread)));
  const apart = both.filter(({ tied }) => tied.spread > 0);
  const byHowMuch =
    apart.length === 0
      ? 0
      : meanOf(apart.map(({ tied, least }) => portable.tanh(least / tied.spread - 1)));
  return (
    0.3 * right("tied") + 0.3 * right("ref") + 0.2 * wider + 0.2 * widerInBoth + 0.01 * byHowMuch
  );
}

/** From the lowest right answer to the highest wrong one, and from the highest right one (NaN: of one) to the lowest. */
function gapsOf({ better, worse }: Prompted): { readonly gap: number; readonly spread: number } {
  const lowest = Math.min(...better);
  const spread = better.length > 1 ? Math.max(...better) - lowest : Number.NaN;
  return { gap: lowest - Math.max(...worse), spread };
}

// --- RM-Bench ----------------------------------------------------------------------------------------

/** Styles in their order: concise, detailed, detailed with markdown. */
const styles = [0, 1, 2];

const difficulties: Readonly<Record<string, (chosen: number, rejected: number) => boolean>> = {
  hard: (c, r) => c < r,
  normal: (c, r) => c === r,
  easy: (c, r) => c > r,
};

function rmBench(rows: readonly Prompted[]): Omit<SuiteResult, "suite"> {
  const share = (own: readonly Prompted[], counts: (c: number, r: number) => boolean): number =>
    meanOf(
      own.flatMap(({ better, worse }) =>
        styles.flatMap((c) =>
          styles.flatMap((r) =>
            counts(c, r) ? [Number((better[c] ?? Number.NaN) > (worse[r] ?? Number.NaN))] : [],
          ),
        ),
      ),
    );
  const subsets = Object.entries(difficulties).flatMap(([difficulty, counts]) =>
    bySource(rows, (own) => share(own, counts)).map((one) => ({
      ...one,
      name: `${one.name} ${difficulty}`,
    })),
  );
  const domains = [...new Set(rows.map(({ source }) => domainOf(source)))];
  const ofDomain = (domain: string, difficulty: string): number =>
    averageOf(
      subsets.filter(({ name }) => domainOf(name) === domain && name.endsWith(` ${difficulty}`)),
    );
  const sections = Object.keys(difficulties).map((difficulty) => ({
    name: difficulty,
    score: meanOf(domains.map((domain) => ofDomain(domain, difficulty))),
    rows: rows.length,
  }));
  return { score: averageOf(sections), sections, subsets };
}

/** safety-refuse and safety-response are one domain. */
const domainOf = (source: string): string => source.split(/[- ]/, 1)[0] ?? "";

// --- LLMBar ------------------------------------------------------------------------------------------

function llmBar(rows: readonly Prompted[]): Omit<SuiteResult, "suite"> {
  const subsets = bySource(rows, accuracy);
  const natural = subsets.filter(({ name }) => /natural/i.test(name));
  const adversarial = subsets.filter((subset) => !natural.includes(subset));
  const sections = [
    section("natural", natural, () => 1),
    section("adversarial", adversarial, () => 1),
  ];
  return { score: averageOf(subsets), sections: sections.filter((one) => one !== null), subsets };
}
