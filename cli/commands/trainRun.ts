// What a training run was asked for, as run.json in its folder: enough to begin it and, with the
// checkpoint beside it, to go on. Next: train.ts.

import { resolve } from "node:path";
import * as z from "zod";
import { random } from "../../core/index.ts";
import type { PairReport } from "../../grm/data/index.ts";
import type { Pair } from "../../grm/pairs.ts";
import { trainSchema } from "../../grm/trainer.ts";
import { problemsOf } from "../../nn/checked.ts";
import { fileExists, joinPath, readFile } from "../../nn/checkpoints/files.ts";
import { parseJson } from "../../nn/checkpoints/json.ts";
import { FileError } from "../../nn/index.ts";
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
  /** Files to evaluate on; without any, `holdOut` of the pairs are held out. */
  validation: z.array(z.string()).optional(),
  validationWhere: fields.optional(),
  holdOut: z.number().min(0).lt(1),
  /** Whether the drift of hidden states from the base is recorded at every evaluation. */
  inspect: z.boolean().optional(),
  settings: trainSchema,
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
}

/** The pairs of a run: the same ones every time. */
export async function readRunData(run: TrainRun, reader: Reader): Promise<RunData> {
  const { data, limit, lenient, validation, validationWhere, holdOut, settings } = run;
  const asked: PreferenceFlags = {
    data,
    ...(run.where && { where: run.where }),
    ...(limit !== undefined && { limit }),
    ...(lenient !== undefined && { lenient }),
  };
  const { pairs, report } = await readPreferences("train", asked, reader);
  if (validation === undefined) {
    return { ...holdPairsOut(pairs, holdOut, settings.seed), reports: [report] };
  }
  const other: PreferenceFlags = {
    data: validation,
    ...(validationWhere && { where: validationWhere }),
    ...(lenient !== undefined && { lenient }),
  };
  const held = await readPreferences("train", other, reader);
  return { training: pairs, validation: held.pairs, reports: [report, held.report] };
}

/** Splits off a share of the pairs, drawn by the seed, in the order of the files. */
function holdPairsOut(pairs: readonly Pair[], share: number, seed: number) {
  const order = random(seed).fork("hold out").permutation(pairs.length);
  const held = new Set(order.subarray(0, Math.floor(pairs.length * share)));
  return {
    training: pairs.filter((_, i) => !held.has(i)),
    validation: pairs.filter((_, i) => held.has(i)),
  };
}
