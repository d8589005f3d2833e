// What a training run was asked for, as run.json in its folder: enough to begin it and, with the
// checkpoint beside it, to go on. Next: train.ts.

import { resolve } from "node:path";
import * as z from "zod";
import { random } from "../../core/index.ts";
import { holdOut, type Overlap, overlapOf, type PairReport } from "../../grm/data/index.ts";
import type { Pair } from "../../grm/pairs.ts";
import { trainSchema } from "../../grm/trainer.ts";
import { problemsOf } from "../../nn/checked.ts";
import { fileExists, joinPath, readFile } from "../../nn/checkpoints/files.ts";
import { parseJson } from "../../nn/checkpoints/json.ts";
import { FileError } from "../../nn/index.ts";
import { digestFields } from "../../nn/run/folder.ts";
import { type PreferenceFlags, type Reader, readPreferences } from "./preferences.ts";

const count = z.int().min(1);
const fields = z.record(z.string(), z.string());

export const trainRunSchema = z.strictObject({
  /** The folder of the language model that it began with. */
  base: z.string(),
  data: z.array(z.string()).min(1),
  where: fields.optional(),
  limit: count.optional(),
  lenient: z.boolean().optional(),
  /** The columns of prompt and answers, where they have other names than the usual ones. */
  promptKey: z.string().optional(),
  chosenKey: z.string().optional(),
  rejectedKey: z.string().optional(),
  groupBy: z.string().optional(),
  /** Files to evaluate on; without any, `holdOut` of the pairs are held out. */
  validation: z.array(z.string()).optional(),
  validationWhere: fields.optional(),
  holdOut: z.number().min(0).lt(1),
  /** By what pairs are held out. Runs of earlier versions held out single pairs, whatever their prompts. */
  holdOutBy: z.literal("prompt").optional(),
  /** Whether the drift of hidden states from the base is recorded at every evaluation. */
  inspect: z.boolean().optional(),
  /** In which other form metrics are written. */
  log: z.literal("csv").optional(),
  settings: trainSchema,
  ...digestFields,
});

export type TrainRun = Readonly<z.infer<typeof trainRunSchema>>;

const name = "run.json";

/** Whether a training run was begun in a folder. */
export function hasTrainRun(folder: string): boolean {
  return fileExists(joinPath(folder, name));
}

/** With paths that hold wherever the run is gone on with. */
export function resolved(run: TrainRun): TrainRun {
  const full = (files: readonly string[]): string[] => files.map((file) => resolve(file));
  const { base, data, validation } = run;
  const paths = { base: resolve(base), data: full(data) };
  return { ...run, ...paths, ...(validation && { validation: full(validation) }) };
}

export function readTrainRun(folder: string): TrainRun {
  const path = joinPath(folder, name);
  const { value } = parseJson(path, readFile(path));
  const parsed = trainRunSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new FileError(
    path,
    "",
    `describes no training of a reward model: ${problemsOf(parsed.error)}`,
  );
}

export interface RunData {
  readonly training: readonly Pair[];
  readonly validation: readonly Pair[];
  /** Of the training files, and of the validation files if there are any. */
  readonly reports: readonly PairReport[];
  /** Prompts that are on both sides. */
  readonly overlap: Overlap;
}

/** The pairs of a run: the same ones every time. */
export async function readRunData(run: TrainRun, reader: Reader): Promise<RunData> {
  const { data, limit, validation, validationWhere, holdOut: share, settings } = run;
  const { lenient, promptKey, chosenKey, rejectedKey, groupBy } = run;
  const columns = { lenient, promptKey, chosenKey, rejectedKey, groupBy };
  const asked = given({ data, limit, where: run.where, ...columns });
  const { pairs, report } = await readPreferences("train", asked, reader);
  if (validation === undefined) {
    const loose = pairs.map(({ promptKey: _, ...pair }) => pair);
    const rng = random(settings.seed).fork("hold out");
    const split = holdOut(run.holdOutBy === "prompt" ? pairs : loose, share, rng);
    return { ...split, reports: [report], overlap: overlapOf(split.validation, split.training) };
  }
  const other = given({ data: validation, where: validationWhere, ...columns });
  const held = await readPreferences("train", other, reader);
  return {
    training: pairs,
    validation: held.pairs,
    reports: [report, held.report],
    overlap: overlapOf(held.pairs, pairs),
  };
}

/** Flags without those that aren't given. */
function given(
  flags: { readonly [flag in keyof PreferenceFlags]: PreferenceFlags[flag] | undefined },
): PreferenceFlags {
  return Object.fromEntries(Object.entries(flags).filter(([, value]) => value !== undefined));
}

/** What there is to say of prompts on both sides; null where there are none. */
export function describeOverlap({ prompts, ofPrompts, pairs, ofPairs }: Overlap): string | null {
  if (prompts === 0) return null;
  const share = (n: number, of: number): string =>
    `${n.toLocaleString("en-US")} of ${of.toLocaleString("en-US")}`;
  return `${share(prompts, ofPrompts)} prompts to evaluate on are trained on as well (${share(pairs, ofPairs)} pairs): what is measured on them is not what new prompts would show`;
}
