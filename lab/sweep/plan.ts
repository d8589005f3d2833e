// The plan of a sweep: which reward models to train, as grids and random samples over any setting of a job, for how many
// seeds, and how each method's own best setting is chosen. Seeds stand outermost, so that a part of the results is
// already an answer.
// Next: words.ts for a job, ../../cli/commands/sweep.ts for the command that runs a plan.

import * as z from "zod";
import { ArgumentError, portable, type Random, random } from "../../core/index.ts";
import { problemsOf, settingsFrom } from "../../nn/checked.ts";
import { nearest } from "../../nn/nearest.ts";
import { filesSchema, givenFilesSchema } from "./files.ts";
import { jobOf, type SweepJob, settingNames, worldSettings } from "./words.ts";

const scalar = z.union([z.number(), z.string(), z.array(z.string())]);

/** A value, or several: each of them is crossed with those of the other settings. */
const grid = z.record(
  z.string(),
  z.union([scalar, z.array(z.union([z.number(), z.string()])).min(1)]),
);

const range = z.strictObject({
  from: z.number(),
  to: z.number(),
  log: z.boolean().default(false).describe("whether logarithms are drawn evenly"),
});

const sample = z.strictObject({
  count: z.int().min(1),
  seed: z.int().default(0),
  over: z.record(z.string(), z.union([z.array(z.union([z.number(), z.string()])).min(1), range])),
});

const part = z.strictObject({ grid: grid.default({}), sample: sample.optional() });

export const planSchema = z.strictObject({
  name: z.string().regex(/^[\w-]+$/, "needed letters, digits, - and _, as it names a folder"),
  about: z.string().default("").describe("what it is for, in a line"),
  files: z
    .union([filesSchema, givenFilesSchema])
    .optional()
    .describe("a base and preference pairs of one's own, in place of the world"),
  fixed: z.record(z.string(), scalar).default({}).describe("settings that all jobs have"),
  parts: z.array(part).min(1),
  seeds: z.strictObject({ from: z.int().default(1), count: z.int().min(1) }),
  choose: z
    .strictObject({
      by: z.enum(["accuracy", "loss"]).default("accuracy"),
      over: z.array(z.string()).min(1).default(["lr"]),
      per: z.enum(["seed", "cell"]).default("seed"),
    })
    .prefault({})
    .describe(
      "how a method's own best is chosen: by validation in distribution, over these settings",
    ),
});

/** A plan, complete. */
export type SweepPlan = Readonly<z.infer<typeof planSchema>>;

/** Settings of a job, not yet checked. */
type Settings = Readonly<Record<string, unknown>>;

/** A plan from what a file says; an ArgumentError says in sentences what is wrong with it. */
export function sweepPlan(given: unknown): SweepPlan {
  const parsed = planSchema.safeParse(given);
  if (!parsed.success) throw new ArgumentError(`sweep: ${problemsOf(parsed.error, planSchema)}`);
  const plan = settingsFrom("sweep", parsed.data, planSchema);
  const used = [
    ...Object.keys(plan.fixed),
    ...plan.choose.over,
    ...plan.parts.flatMap(({ grid, sample }) => [
      ...Object.keys(grid),
      ...Object.keys(sample?.over ?? {}),
    ]),
  ];
  for (const name of used) {
    if (plan.files !== undefined && worldSettings.includes(name))
      throw new ArgumentError(`sweep: "${name}" is a setting of a world, and this plan has files`);
    if (settingNames.includes(name)) continue;
    const near = nearest(name, settingNames).join(", ");
    const why = name === "seed" ? "seeds stand in `seeds`" : `near are ${near}`;
    throw new ArgumentError(`sweep: there is no setting "${name}"; ${why}`);
  }
  return plan;
}

/** All jobs of a plan, each once: seed by seed, and of each seed in the order of the parts. */
export function jobsOf(plan: SweepPlan): SweepJob[] {
  const cells = plan.parts.flatMap((part, i) => cellsOf(part, `${plan.name} ${i}`));
  const jobs = new Map<string, SweepJob>();
  const { from, count } = plan.seeds;
  for (let seed = from; seed < from + count; seed++) {
    for (const cell of cells) {
      const words = { ...(plan.files && { files: plan.files }), ...plan.fixed, ...cell, seed };
      const job = jobOf(`sweep: the job ${JSON.stringify(words)}`, words);
      jobs.set(job.id, jobs.get(job.id) ?? job);
    }
  }
  return [...jobs.values()];
}

/** Values whose setting is itself a list of names: they aren't crossed. */
const lists: ReadonlySet<string> = new Set(["frozenParameters"]);

function cellsOf({ grid, sample }: z.infer<typeof part>, of: string): Settings[] {
  const drawn = sample === undefined ? [{}] : samplesOf(sample, of);
  return Object.entries(grid).reduce<Settings[]>((cells, [name, value]) => {
    const values = Array.isArray(value) && !lists.has(name) ? value : [value];
    return cells.flatMap((cell) => values.map((one) => ({ ...cell, [name]: one })));
  }, drawn);
}

function samplesOf({ count, seed, over }: z.infer<typeof sample>, of: string): Settings[] {
  const rng = random(`${of} ${seed}`);
  return Array.from({ length: count }, () =>
    Object.fromEntries(Object.entries(over).map(([name, from]) => [name, drawn(from, rng)])),
  );
}

/** One of a list, or a number of a range with three digits. */
function drawn(from: z.infer<typeof sample>["over"][string], rng: Random): unknown {
  if (Array.isArray(from)) return from[rng.integer(0, from.length)];
  const { log } = from;
  if (!(from.to > from.from) || (log && !(from.from > 0))) {
    const needed = log ? "0 < from < to" : "from < to";
    throw new ArgumentError(`sweep: a range from ${from.from} to ${from.to}; needed ${needed}`);
  }
  const ends = [from.from, from.to].map((x) => (log ? portable.log(x) : x)) as [number, number];
  const x = ends[0] + rng.uniform() * (ends[1] - ends[0]);
  return Number((log ? portable.exp(x) : x).toPrecision(3));
}
