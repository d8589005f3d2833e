// A sweep over somebody's own preference pairs in place of a world: a base in a folder, files of pairs to train on, to
// choose by and to test on. What the files held when the plan was read is in a digest among a job's words, so that a job
// that finds other files says so and does nothing.
// Next: job.ts, which trains on them; ../../grm/data/readPairs.ts for what files may hold.

import { createHash } from "node:crypto";
import * as z from "zod";
import { ArgumentError, random } from "../../core/index.ts";
import { chatTemplateIn } from "../../grm/data/chat.ts";
import { type ChatTemplate, templates, transcript } from "../../grm/data/index.ts";
import { readPairs } from "../../grm/data/onDisk.ts";
import type { Pair } from "../../grm/pairs.ts";
import { folderOnDisk, joinPath, readFile } from "../../nn/checkpoints/files.ts";
import { loadTokenizer } from "../../nn/node.ts";
import { count } from "../../nn/run/settings.ts";

const files = z.array(z.string()).min(1);

/** What a plan says of files; paths are from where the sweep is run. */
export const givenFilesSchema = z.strictObject({
  base: z.string().describe("folder of the language model to begin with, and its tokenizer"),
  training: files,
  validation: files.describe("pairs like those of training, which settings are chosen by"),
  tests: z
    .record(z.string(), files)
    .refine((tests) => "id" in tests && Object.keys(tests).length > 1, {
      message: "needed a test called id, of pairs like those of training, and others",
    }),
  template: z
    .enum(Object.keys(templates) as [string, ...string[]])
    .nullable()
    .default(null),
  maxLength: count.default(256),
});

/** The same among a job's words, with a digest of what the files hold. */
export const filesSchema = givenFilesSchema.extend({ digest: z.string() });

export type SweepFiles = Readonly<z.infer<typeof filesSchema>>;

/** Adds the digest of all files and of the base. */
export function withDigest(given: z.infer<typeof givenFilesSchema>): SweepFiles {
  return { ...given, digest: digestOfFiles(given) };
}

function digestOfFiles({
  base,
  training,
  validation,
  tests,
}: z.infer<typeof givenFilesSchema>): string {
  const hash = createHash("sha256");
  const paths = [...training, ...validation, ...Object.values(tests).flat()];
  for (const path of [
    joinPath(base, "model.safetensors"),
    joinPath(base, "tokenizer.json"),
    ...paths,
  ])
    hash.update(createHash("sha256").update(readFile(path)).digest());
  return hash.digest("hex").slice(0, 16);
}

/** Pairs of files, as a seed sees them. */
export interface FilesData {
  readonly training: readonly Pair[];
  readonly validation: readonly Pair[];
  readonly tests: Readonly<Record<string, readonly Pair[]>>;
}

/** How many of each a job wants, and which seed draws them. */
interface Wanted {
  readonly seed: number;
  readonly pairs: number;
  readonly validation: number;
  readonly tests: number;
}

/**
 * Reads pairs: of training and validation as many as are wanted, drawn by the seed; of each test the same ones for all
 * seeds. An ArgumentError where there are fewer, or the files aren't those that the plan was made for.
 */
export async function readFilesData(given: SweepFiles, wanted: Wanted): Promise<FilesData> {
  const found = digestOfFiles(given);
  if (found !== given.digest) {
    throw new ArgumentError(
      `sweep: the files of pairs or the base have changed since the plan was read (digest ${found}, not ${given.digest}); begin a new sweep`,
    );
  }
  const rng = random(`files ${wanted.seed}`);
  const draw = async (of: string, paths: readonly string[], count: number, by = rng.fork(of)) => {
    const pairs = await pairsOf(given, paths);
    if (pairs.length < count)
      throw new ArgumentError(
        `sweep: ${of}: the files have ${pairs.length} pairs, needed ${count}`,
      );
    const drawn = by.permutation(pairs.length).subarray(0, count);
    return Array.from(drawn, (i): Pair => ({ ...(pairs[i] as Pair), source: of }));
  };
  const tests: Record<string, readonly Pair[]> = {};
  for (const [name, paths] of Object.entries(given.tests))
    tests[name] = await draw(name, paths, wanted.tests, random(`test ${name}`));
  return {
    training: await draw("training", given.training, wanted.pairs),
    validation: await draw("validation", given.validation, wanted.validation),
    tests,
  };
}

async function pairsOf({ base, template, maxLength }: SweepFiles, paths: readonly string[]) {
  const tokenizer = loadTokenizer(base);
  const named: ChatTemplate | undefined =
    template === null ? undefined : templates[template as "plain"];
  const own = named ?? chatTemplateIn(folderOnDisk(base))?.template ?? transcript;
  const { pairs } = await readPairs([...paths], {
    tokenizer,
    template: own,
    maxLength,
  });
  return pairs;
}
