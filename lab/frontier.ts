// The frontier over alpha: how well GRM-SFT tells good from bad out of distribution, against how much of
// the language model is left, as the weight of the text-generation loss goes from 0 (plain BT) to nearly
// 1, in the world "spelled", at the demo's settings. One point is one training run.
// Next: demo/job.ts for data and settings, ../cli/commands/frontier.ts for who makes many.

import { fileURLToPath } from "node:url";
import * as z from "zod";
import { ArgumentError, random } from "../core/index.ts";
import { retention } from "../grm/inspect/retention.ts";
import { readJsonLines, writeJsonLines } from "../grm/jsonLines.ts";
import { RewardModel } from "../grm/rewardModel.ts";
import { train } from "../grm/trainer.ts";
import type { CausalLM } from "../nn/index.ts";
import { loadCausalLM } from "../nn/node.ts";
import { accuracies, dataOf, settingsOf } from "./demo/data.ts";
import { type DemoPlan, fullPlan, planSchema, quickPlan } from "./demo/plan.ts";
import { oodOf } from "./demo/results.ts";
import { perplexity } from "./worlds/index.ts";

const share = z.number().min(0).max(1);

const pointSchema = z.strictObject({
  seed: z.int(),
  lr: z.number(),
  alpha: share,
  /** Share of test pairs ranked right: like training, and the mean of the four other tests. */
  id: share,
  ood: share,
  /** On held-out stories of the whole world: of the base, and after reward training. */
  perplexityBefore: z.number(),
  perplexity: z.number(),
  /** KL(model ‖ base) on the same stories, in nats a token. */
  kl: z.number(),
});

export type FrontierPoint = Readonly<z.infer<typeof pointSchema>>;

/** The alphas of the frontier; 0 is plain BT. */
export const frontierAlphas = [0, 0.01, 0.03, 0.1, 0.3, 0.5, 0.7, 0.9, 0.97] as const;

/** Trains one reward model from a base and measures both of its sides. */
export async function frontierPoint(
  folder: string,
  { seed, lr, alpha }: Pick<FrontierPoint, "seed" | "lr" | "alpha">,
  plan: DemoPlan,
): Promise<FrontierPoint> {
  const { training, tests, held } = dataOf(seed, plan);
  const [lm, base] = [loadCausalLM(folder), loadCausalLM(folder)];
  const rng = random(`demo ${seed}`).fork("head");
  const model = new RewardModel(lm, { head: { type: "linear", dropout: 0 }, rng });
  const settings = settingsOf(seed, { method: "grm-sft", lr }, { ...plan, alpha });
  await train(model, training, settings);
  const found = await accuracies(model, tests);
  const ood = oodOf({ accuracy: found });
  const perplexities = {
    perplexityBefore: perplexity(base, held),
    perplexity: perplexity(lm, held),
  };
  const point = { seed, lr, alpha, id: found.id, ood, ...perplexities };
  const kl = await divergence(lm, base, held);
  for (const p of [...model.parameters(), ...base.parameters()]) p.release();
  return { ...point, kl };
}

async function divergence(
  lm: CausalLM,
  base: CausalLM,
  held: readonly Int32Array[],
): Promise<number> {
  const found = await retention(
    lm,
    base,
    held.map((ids) => ({ ids, labels: ids })),
  );
  return found?.kl ?? Number.NaN;
}

// --- The file ----------------------------------------------------------------------------------------

const headSchema = z.strictObject({ command: z.string(), plan: planSchema.optional() });

export interface FrontierFile {
  /** What made it. */
  readonly command: string;
  /** Sizes and settings; files of earlier versions say no more than the command does. */
  readonly plan?: DemoPlan | undefined;
  readonly points: readonly FrontierPoint[];
}

/** Points in JSON Lines behind a line with the command; null if there is no such file. */
export function readFrontier(path: string): FrontierFile | null {
  const found = readJsonLines(path, headSchema, pointSchema);
  return found && { ...found.head, points: found.rows };
}

/** The points of a file that a run with this plan goes on with; an ArgumentError if its plan is another. */
export function pointsOfPlan(path: string, plan: DemoPlan): readonly FrontierPoint[] {
  const found = readFrontier(path);
  if (found === null) return [];
  const known = found.plan ?? (found.command.endsWith("--quick") ? quickPlan : fullPlan);
  if (JSON.stringify(known) === JSON.stringify(plan)) return found.points;
  throw new ArgumentError(
    `frontier: ${path} holds points of another plan (sizes; with or without --quick); choose another --out, or delete it`,
  );
}

/** Writes the points in the order of seed, rate and alpha. */
export async function writeFrontier(
  path: string,
  { command, plan, points }: FrontierFile,
): Promise<void> {
  const order = (a: FrontierPoint, b: FrontierPoint): number =>
    a.seed - b.seed || a.lr - b.lr || a.alpha - b.alpha;
  await writeJsonLines(path, { command, plan }, points.toSorted(order));
}

/** The frontier that was computed once and came with the program; null if it isn't there. */
export function committedFrontier(): FrontierFile | null {
  return readFrontier(fileURLToPath(new URL("frontier.jsonl", import.meta.url)));
}
