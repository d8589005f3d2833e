// One seed of the comparison from nothing: a base, preferences, proxies, a pool for best-of-n, policies.
// Depends on the seed and the plan alone, so that any process may do it and gives the same bits.
// Next: seeds.ts for who does them, summary.ts for what is concluded.

import { random } from "../../core/index.ts";
import { bestOfNCurve, goldOptimum, logSpaced } from "../../grm/policies/bestOfN.ts";
import { type Answer, fluencyJudge, type Judge } from "../../grm/policies/judges.ts";
import { bestOfNKL } from "../../grm/policies/kl.ts";
import type { PolicyRecord } from "../../grm/policies/policyRecords.ts";
import { trainPolicy } from "../../grm/policies/policyTrainer.ts";
import { sampleAnswers, syntheticPreferences } from "../../grm/policies/preferences.ts";
import { Proxies, type ProxyName } from "../../grm/policies/proxies.ts";
import type { Task } from "../../grm/policies/task.ts";
import { deviation, mean, rankCorrelation } from "../../grm/statistics/index.ts";
import { makeTemporaryFolder, removeTemporaryFolder } from "../../nn/checkpoints/temporary.ts";
import type { CausalLM } from "../../nn/index.ts";
import { loadCausalLM, saveCausalLM } from "../../nn/node.ts";
import { breathe } from "../../nn/run/loop.ts";
import { documents, perplexity, pretrainBase, worldNamed } from "../worlds/index.ts";
import { type JudgeName, type OveroptPlan, policyOptions, proxyTraining } from "./plan.ts";
import type { CurveResult, SeedResult } from "./results.ts";
import { worldTask } from "./tasks.ts";

/** How far a seed is, as a share, and what it is at. */
export type OnProgress = (done: number, doing: string) => void;

/** About how long the parts take, in seconds of one core. */
const costs = { baseStep: 0.011, sample: 4e-4, proxy: 1.7, round: 0.22 };

/** All that comes of a seed. */
export async function runSeed(
  seed: number,
  plan: OveroptPlan,
  onProgress: OnProgress,
): Promise<SeedResult> {
  const folder = makeTemporaryFolder("overopt");
  try {
    return await new Seed(seed, plan, onProgress, folder).run();
  } finally {
    removeTemporaryFolder(folder);
  }
}

class Seed {
  readonly #task: Task;
  readonly #total: number;
  #spent = 0;

  constructor(
    readonly seed: number,
    readonly plan: OveroptPlan,
    readonly onProgress: OnProgress,
    readonly folder: string,
  ) {
    this.#task = worldTask(worldNamed(plan.world));
    const policies = plan.policies.reduce((sum, { judges }) => sum + judges.length, 0);
    this.#total =
      costs.baseStep * plan.baseSteps +
      costs.sample * plan.prompts * plan.samples +
      costs.proxy * plan.judges.length +
      costs.round * policies * plan.policySteps;
  }

  /** A fresh copy of the base. */
  readonly #base = (): CausalLM => loadCausalLM(this.folder);

  #spend(cost: number, doing: string): void {
    this.#spent += cost;
    this.onProgress(Math.min(1, this.#spent / this.#total), doing);
  }

  async run(): Promise<SeedResult> {
    const { plan, seed } = this;
    const rng = random(`overopt ${seed}`);
    await this.#pretrain();
    const { pairs, ties, right, rightBefore } = await syntheticPreferences(
      this.#task,
      this.#base(),
      { count: plan.pairs, flips: plan.flips, rng: rng.fork("preferences") },
    );
    const pool = await this.#pool(rng.fork("pool"));
    const proxies = new Proxies({
      base: this.#base,
      pairs,
      ...proxyTraining(plan),
      seed,
      calibration: pool.answers,
    });
    const judgeNamed = (name: JudgeName): Promise<Judge> =>
      name === "gold" ? Promise.resolve(this.#task.gold) : proxies.judge(name as ProxyName);
    const bon: CurveResult[] = [];
    const correlation: Record<string, number> = {};
    for (const name of plan.judges) {
      const scores = await (await judgeNamed(name)).score(pool.answers);
      bon.push(bestOfNResult(name, scores, pool));
      correlation[name] = agreement(scores, pool);
      this.#spend(costs.proxy, `best-of-n by ${name}`);
    }
    const policies: CurveResult[] = [];
    for (const { algorithm, judges } of plan.policies)
      for (const name of judges)
        policies.push(await this.#policy(algorithm, name, await judgeNamed(name), pool));
    const held = documents(worldNamed(plan.world), 300, random("held out"));
    const base = { perplexity: perplexity(this.#base(), held), optimum: optimumOf(pool) };
    const labels = { rightBefore, right, ties };
    return { seed, ...labels, ...base, correlation, curves: [...bon, ...policies] };
  }

  async #pretrain(): Promise<void> {
    const { seed, plan } = this;
    const onStep = async ({ step }: { readonly step: number }): Promise<void> => {
      this.#spend(costs.baseStep, `pretraining, step ${step}`);
      await breathe();
    };
    const base = await pretrainBase(worldNamed(plan.world), seed, onStep, plan.baseSteps);
    await saveCausalLM(this.folder, base);
    for (const p of base.parameters()) p.release();
  }

  async #pool(rng: ReturnType<typeof random>): Promise<AnswerPool> {
    const { prompts: count, samples } = this.plan;
    const prompts = this.#task.prompts(count, rng.fork("prompts"));
    const options = { samples, rng: rng.fork("answers") };
    const answers = await sampleAnswers(this.#base(), prompts, this.#task, options);
    this.#spend(costs.sample * count * samples, "writing the pool");
    return {
      answers,
      samples,
      ns: logSpaced(samples, 17),
      gold: await this.#task.gold.score(answers),
      fluency: await fluencyJudge(this.#base()).score(answers),
    };
  }

  /** A policy trained against a judge: its course, round by round. */
  async #policy(
    algorithm: "ppo" | "rloo",
    name: JudgeName,
    judge: Judge,
    pool: AnswerPool,
  ): Promise<CurveResult> {
    const records: PolicyRecord[] = [];
    const lm = this.#base();
    const reference = this.#base();
    const task = { ...this.#task, controls: [fluencyJudge(reference)] };
    const { policy } = await trainPolicy(
      { lm, reference, task, judge },
      policyOptions(this.plan, algorithm, this.seed),
      {
        onRecord: (record) => {
          records.push(record);
          this.#spend(costs.round, `${algorithm} against ${name}, round ${record.step}`);
        },
      },
    );
    for (const p of [...policy.parameters(), ...reference.parameters()]) p.release();
    const z = scaleOf(await judge.score(pool.answers));
    return {
      method: algorithm,
      judge: name,
      at: records.map(({ step }) => step),
      kl: records.map(({ kl_k1 }) => kl_k1),
      proxy: records.map(({ proxy }) => z(proxy)),
      gold: records.map(({ gold }) => gold),
      length: records.map(({ length }) => length),
      fluency: records.map(({ controls }) => controls.fluency ?? Number.NaN),
    };
  }
}

// --- Best-of-n ---------------------------------------------------------------------------------------

/** The base's answers, those of a prompt together, and what is known of them. */
interface AnswerPool {
  readonly answers: readonly Answer[];
  readonly samples: number;
  readonly ns: readonly number[];
  readonly gold: Float64Array;
  readonly fluency: Float64Array;
}

/** Where each prompt's answers begin and end. */
function promptsOf({ answers, samples }: AnswerPool): [from: number, to: number][] {
  const prompts = answers.length / samples;
  return Array.from({ length: prompts }, (_, p) => [p * samples, (p + 1) * samples]);
}

/** Rank correlation with the gold within a prompt, 0 where one of both is all alike. */
function agreement(scores: Float64Array, pool: AnswerPool): number {
  const each = promptsOf(pool).map((place) =>
    rankCorrelation(scores.subarray(...place), pool.gold.subarray(...place)),
  );
  return mean(each.map((r) => r ?? 0));
}

function bestOfNResult(judge: JudgeName, scores: Float64Array, pool: AnswerPool): CurveResult {
  const { ns, gold, fluency, answers } = pool;
  const z = scores.map(scaleOf(scores));
  const lengths = Float64Array.from(answers, ({ response }) => response.length);
  const curve = (values: Float64Array): number[] => {
    const each = promptsOf(pool).map((place) =>
      bestOfNCurve(z.subarray(...place), values.subarray(...place), ns),
    );
    return ns.map((_, i) => mean(each.map((one) => one[i] ?? Number.NaN)));
  };
  return {
    method: "bon",
    judge,
    at: [...ns],
    kl: ns.map(bestOfNKL),
    proxy: curve(z),
    gold: curve(gold),
    length: curve(lengths),
    fluency: curve(fluency),
  };
}

/** From a judge's rewards to deviations from their mean. */
function scaleOf(rewards: Float64Array): (reward: number) => number {
  const [centre, spread] = [mean(rewards), deviation(rewards)];
  return (reward) => (reward - centre) / (spread > 0 ? spread : 1);
}

/** The most gold that choosing from the pool can have at each n's KL. */
function optimumOf(pool: AnswerPool): number[] {
  const { ns, gold, samples } = pool;
  const alike = Array.from({ length: samples }, () => 1 / samples);
  return ns.map((n) =>
    mean(promptsOf(pool).map((place) => goldOptimum(alike, gold.subarray(...place), bestOfNKL(n)))),
  );
}
