// What a pretraining run was asked for, as run.json in its folder. Next: pretrain.ts.

import { resolve } from "node:path";
import * as z from "zod";
import { problemsOf } from "../../nn/checked.ts";
import { pretrainSchema } from "../../nn/index.ts";
import type { PretrainFolder } from "../../nn/pretrain/folder.ts";
import { digestFields } from "../../nn/run/folder.ts";

const runSchema = z.strictObject({
  corpus: z.array(z.string()).min(1),
  /** The language model that it goes on from; absent for one from scratch. */
  base: z.string().optional(),
  settings: pretrainSchema,
  ...digestFields,
});

export type PretrainRun = Readonly<z.infer<typeof runSchema>>;

/** With paths that hold wherever the run is gone on with. */
export function resolved({ corpus, base, ...run }: PretrainRun): PretrainRun {
  const from = base === undefined ? {} : { base: resolve(base) };
  return { corpus: corpus.map((file) => resolve(file)), ...from, ...run };
}

/** What a run was begun with. */
export function readPretrainRun(folder: PretrainFolder): PretrainRun {
  const json = folder.run();
  const parsed = runSchema.safeParse(json.value);
  return parsed.success ? parsed.data : json.fail(problemsOf(parsed.error));
}
