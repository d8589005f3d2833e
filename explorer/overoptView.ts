// What the over-optimisation view shows: two proxies learn a reward from few and noisy preferences in the world
// "tales", and the base's best answer of n by each of them is held against the truth. The experiment of
// lab/overopt with its data and settings, on fewer prompts.
// Next: views/overopt.tsx; ../lab/overopt/seed.ts for the whole comparison.

import { random } from "../core/index.ts";
import {
  type Answer,
  bestOfNCurve,
  logSpaced,
  Proxies,
  sampleAnswers,
  statistics,
  syntheticPreferences,
} from "../grm/index.ts";
import { worlds, worldTask } from "../lab/index.ts";
import { fullPlan, proxyTraining } from "../lab/overopt/plan.ts";
import { causalLMFromFiles, type Files } from "../nn/index.ts";
import { chooserNames, type OveroptChooser, overoptPrompts, overoptSizes } from "./settings.ts";

/** An answer that somebody chose of the first n. */
export interface Pick {
  readonly text: string;
  readonly gold: number;
  /** By who chose, in deviations from the mean of all answers. */
  readonly score: number;
}

/** What comes of one seed. */
export interface Overopt {
  readonly seed: number;
  /** From 1 to all answers of a prompt. */
  readonly ns: readonly number[];
  readonly prompts: readonly {
    readonly title: string;
    /** For each n, the best of the first n answers by each chooser. */
    readonly picks: readonly Readonly<Record<OveroptChooser, Pick>>[];
  }[];
  /** For each n, means over all prompts and all ways to draw n answers: gold, and the chooser's own score. */
  readonly curves: Readonly<
    Record<OveroptChooser, { readonly gold: readonly number[]; readonly score: readonly number[] }>
  >;
  /** Share of the preferences' labels that agree with the truth. */
  readonly right: number;
}

/** How far it is: a share, and what is being done. */
export interface OveroptProgress {
  readonly done: number;
  readonly doing: string;
}

/** Does it all, in some seconds. Same seed, same bits. */
export async function overoptimise(
  seed: number,
  files: Files,
  tell: (progress: OveroptProgress) => void,
): Promise<Overopt> {
  const world = worlds.worldNamed("tales");
  const task = worldTask(world);
  const base = () => causalLMFromFiles(files);
  const rng = random(`overopt ${seed}`);
  const { pairs: count, flips, samples } = fullPlan;
  tell({ done: 0, doing: "the base writes stories, and people prefer some" });
  const preferences = await syntheticPreferences(task, base(), {
    ...{ count, flips, rng: rng.fork("preferences") },
  });
  tell({ done: 0.15, doing: `the base writes ${overoptPrompts * samples} answers` });
  const pool = rng.fork("pool");
  const titles = task.prompts(overoptPrompts, pool.fork("prompts"));
  const options = { samples, rng: pool.fork("answers") };
  const answers = await sampleAnswers(base(), titles, task, options);
  const gold = await task.gold.score(answers);
  const proxies = new Proxies({
    ...{ base, pairs: preferences.pairs, seed, calibration: answers },
    ...proxyTraining(fullPlan),
  });
  const scores = { gold } as Record<OveroptChooser, Float64Array>;
  for (const [i, name] of (["bt", "grm-sft"] as const).entries()) {
    tell({ done: 0.4 + 0.3 * i, doing: `a proxy learns (${name}) and reads all answers` });
    scores[name] = standardised(await (await proxies.judge(name)).score(answers));
  }
  const ns = logSpaced(samples, overoptSizes + 1); // the first two are both 1
  const text = ({ response }: Answer): string =>
    world.tokenizer.decode([...response], { skipSpecial: true }).replaceAll(" .", ".");
  const prompts = titles.map((ids, p) => ({
    title: world.tokenizer.decode([...ids], { skipSpecial: true }).replace(" :", ""),
    picks: ns.map((n) => picksOf({ answers, scores, gold, text }, p * samples, n)),
  }));
  return { seed, ns, prompts, curves: curvesOf(scores, samples, ns), right: preferences.right };
}

function standardised(rewards: Float64Array): Float64Array {
  const [centre, spread] = [statistics.mean(rewards), statistics.deviation(rewards)];
  return rewards.map((reward) => (reward - centre) / (spread > 0 ? spread : 1));
}

interface Scored {
  readonly answers: readonly Answer[];
  readonly scores: Readonly<Record<OveroptChooser, Float64Array>>;
  readonly gold: Float64Array;
  readonly text: (answer: Answer) => string;
}

/** The best of n answers from a place on, by each chooser; the earliest where some are equally good. */
function picksOf({ answers, scores, gold, text }: Scored, from: number, n: number) {
  const best = (by: Float64Array): number => {
    let at = from;
    for (let i = from; i < from + n; i++) if ((by[i] ?? 0) > (by[at] ?? 0)) at = i;
    return at;
  };
  const picks = chooserNames.map((name) => {
    const at = best(scores[name]);
    const pick = {
      text: text(answers[at] as Answer),
      gold: gold[at] ?? Number.NaN,
      score: scores[name][at] ?? Number.NaN,
    };
    return [name, pick] as const;
  });
  return Object.fromEntries(picks) as Record<OveroptChooser, Pick>;
}

function curvesOf(
  scores: Readonly<Record<OveroptChooser, Float64Array>>,
  samples: number,
  ns: readonly number[],
): Overopt["curves"] {
  const over = (by: Float64Array, values: Float64Array): number[] => {
    const each = Array.from({ length: by.length / samples }, (_, p) => {
      const place = [p * samples, (p + 1) * samples] as const;
      return bestOfNCurve(by.subarray(...place), values.subarray(...place), ns);
    });
    return ns.map((_, i) => statistics.mean(each.map((one) => one[i] ?? Number.NaN)));
  };
  const curve = (name: OveroptChooser) => {
    const by = scores[name];
    return { gold: over(by, scores.gold), score: over(by, by) };
  };
  return { bt: curve("bt"), "grm-sft": curve("grm-sft"), gold: curve("gold") };
}
