// A job of a sweep, in words: one reward model, from its base's pretraining to its tests. Everything that its numbers
// depend on stands here, so that any machine may do it at any time and gets the same bits. Its id is a digest of these
// words; what is as usual, and what its method doesn't read, is left out of them, so that a setting that is added later
// changes no id.
// Next: plan.ts for how many jobs are written down, job.ts for how one is done.

import { createHash } from "node:crypto";
import * as z from "zod";
import { ArgumentError } from "../../core/index.ts";
import { methods } from "../../grm/trainer/objective.ts";
import { type TrainOptions, trainSchema, trainSettings } from "../../grm/trainer.ts";
import { settingsFrom } from "../../nn/checked.ts";
import { count, share } from "../../nn/run/settings.ts";
import { tokenisations } from "../worlds/tokenised.ts";
import { filesSchema } from "./files.ts";

const { shape } = trainSchema;

/** Settings of train() that a job may have, with the demo's defaults where train()'s are others. */
const training = {
  method: shape.method.unwrap(),
  lr: shape.lr.unwrap(),
  mode: shape.mode,
  epochs: shape.epochs.default(4),
  batchSize: shape.batchSize,
  warmup: shape.warmup,
  minLr: shape.minLr,
  weightDecay: shape.weightDecay,
  beta1: shape.beta1,
  beta2: shape.beta2,
  clip: shape.clip,
  alpha: shape.alpha.default(0.5),
  beta: shape.beta,
  sftForm: shape.sftForm,
  l2spAlpha: shape.l2spAlpha,
  l2spBeta: shape.l2spBeta,
  probeEpochs: shape.probeEpochs,
  probeLr: shape.probeLr,
  labelSmoothing: shape.labelSmoothing,
  centering: shape.centering,
  positive: shape.positive,
  flips: shape.flips,
  frozenParameters: shape.frozenParameters.default(["model.embed_tokens.weight"]),
  loraRank: shape.loraRank,
  loraAlpha: shape.loraAlpha,
  loraDropout: shape.loraDropout,
  best: shape.best,
} as const;

/** What the base is like, and what it has read. */
const base = {
  world: z.enum(["spelled", "deeds"]).default("spelled"),
  tokens: z.enum(tokenisations).default("spelled"),
  layers: count.default(3),
  dim: count.default(48),
  heads: count.default(4),
  baseSteps: count.default(2000),
} as const;

export const wordsSchema = z.strictObject({
  seed: z.int(),
  /** Pairs and a base of somebody's own, in place of a world's. */
  files: filesSchema.optional(),
  ...base,
  pairs: count.default(500),
  validation: count.default(100),
  tests: count.default(300),
  heldOut: count.default(100),
  head: z.enum(["linear", "mlp"]).default("linear"),
  headDropout: share.default(0),
  /** What the loss of grm-sft reads: chosen answers, rejected ones, or texts that the base was pretrained on. */
  sftOn: z.enum(["chosen", "rejected", "base"]).default("chosen"),
  dropout: share.default(0),
  ...training,
});

/** A job's words, complete. */
export type JobWords = Readonly<z.infer<typeof wordsSchema>>;

/** The names of everything that a plan may set; seeds and files apart. */
export const settingNames = Object.keys(wordsSchema.shape).filter(
  (name) => name !== "seed" && name !== "files",
);

/** A job: its words without what is as usual, and the id that follows from them. */
export interface SweepJob {
  readonly id: string;
  readonly words: Readonly<Record<string, unknown>>;
}

/** Complete words; an ArgumentError, with `of` before it, names what is wrong or doesn't go together. */
export function wordsFrom(of: string, given: unknown): JobWords {
  const words = settingsFrom(of, given, wordsSchema);
  if (words.world !== "spelled" && words.tokens !== "spelled") {
    throw new ArgumentError(
      `${of}: tokens "${words.tokens}" are those of the world "spelled"; "${words.world}" is written in one way`,
    );
  }
  if (words.files !== undefined && words.sftOn === "base")
    throw new ArgumentError(`${of}: sftOn "base" needs a world that writes texts; these are files`);
  trainSettings(trainingOf(words));
  return words;
}

/** The job that some words mean; words that train the same model to the bit are the same job. */
export function jobOf(of: string, given: unknown): SweepJob {
  const words = wordsFrom(of, given);
  const usual = wordsSchema.partial({ method: true, lr: true, seed: true }).parse({});
  const kept = Object.entries(meaning(words))
    .filter(([name, value]) => JSON.stringify(value) !== JSON.stringify(usual[name as "lr"]))
    .sort(([a], [b]) => (a < b ? -1 : 1));
  const short = Object.fromEntries(kept);
  return { id: digestOf(short), words: short };
}

/** The first 16 hexadecimal digits of SHA-256 of an object as JSON. */
export function digestOf(object: object): string {
  return createHash("sha256").update(JSON.stringify(object)).digest("hex").slice(0, 16);
}

/** The names of settings that say nothing where files are given. */
export const worldSettings: readonly string[] = [...Object.keys(base), "heldOut"];

/** Settings that only some trainings read: by name, whether this one does. */
const readBy: Readonly<Partial<Record<keyof JobWords, (words: JobWords) => boolean>>> = {
  alpha: isRegularised,
  beta: isRegularised,
  sftForm: (words) => words.method === "grm-sft",
  sftOn: (words) => words.method === "grm-sft",
  l2spAlpha: ({ method }) => method === "l2-sp",
  l2spBeta: ({ method }) => method === "l2-sp",
  probeEpochs: ({ method }) => method === "lp-ft",
  probeLr: ({ method }) => method === "lp-ft",
  labelSmoothing: ({ method }) => method === "label-smoothing",
  loraRank: ({ mode }) => mode === "lora",
  loraAlpha: ({ mode }) => mode === "lora",
  loraDropout: ({ mode }) => mode === "lora",
  mode: ({ method }) => method !== "frozen",
  ...Object.fromEntries(worldSettings.map((name) => [name, isOfWorld])),
};

function isOfWorld({ files }: JobWords): boolean {
  return files === undefined;
}

function isRegularised({ method }: JobWords): boolean {
  return "regularizer" in methods[method];
}

/** Words less those that this training doesn't read. Without weight, GRM is Bradley-Terry to the bit. */
function meaning(words: JobWords): Partial<JobWords> {
  const plain = isRegularised(words) && words.alpha === 0;
  const named: JobWords = plain ? { ...words, method: "bt" } : words;
  return Object.fromEntries(
    Object.entries(named).filter(([name]) => readBy[name as keyof JobWords]?.(named) ?? true),
  );
}

/** The options of train() that a job's words say. It looks at validation eight times where that matters. */
export function trainingOf(words: JobWords): TrainOptions {
  const { method, seed, pairs, batchSize, epochs } = words;
  const names = Object.keys(training) as (keyof typeof training)[];
  const steps = Math.ceil(Math.ceil(pairs / batchSize) * epochs);
  return {
    ...Object.fromEntries(names.map((name) => [name, words[name]])),
    ...(method === "frozen" && { mode: "frozen" }),
    seed,
    evaluateEvery: Math.max(1, Math.round(steps / 8)),
    parameterGradEvery: null,
    logEvery: Number.MAX_SAFE_INTEGER,
  };
}

/** What a base is like where nothing is said: the demo's. */
export const usualBase = z.strictObject(base).parse({});

/** A base, in words. */
export type BaseWords = Readonly<Pick<JobWords, "seed" | keyof typeof base>> & {
  /** Where it is already: of somebody's own. */
  readonly folder?: string;
};

/** The base that a job begins with. */
export function baseOf(words: JobWords): BaseWords {
  const { seed, world, tokens, layers, dim, heads, baseSteps, files } = words;
  const folder = files && { folder: files.base };
  return { seed, world, tokens, layers, dim, heads, baseSteps, ...folder }; // in the order of the schema
}
