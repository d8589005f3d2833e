// A run that stopped between two steps, as one value and as one file: parts with named tensors (weights,
// optimiser state), and beside them, as JSON in the file's metadata, everything else that decides how the
// run goes on. One file, replaced in one step, so that a kill at any moment leaves a whole checkpoint.
// Next: folder.ts for where it stands; ../pretrain/checkpoint.ts for the first of its formats.

import * as z from "zod";
import type { Tensor } from "../../core/index.ts";
import { parseChecked } from "../checked.ts";
import { replaceFile } from "../checkpoints/files.ts";
import { FileError, readTensors } from "../checkpoints/index.ts";
import { openSafetensors } from "../checkpoints/onDisk.ts";
import { checkSeal, sealedBytes, sealName } from "../checkpoints/seal.ts";
import type { StateDict } from "../module.ts";

/** A generator's state (core's RandomState). */
export const randomStateSchema = z.strictObject({
  /** States from before versions were counted have none; Random.restore refuses them. */
  version: z.number().default(1),
  seed: z.string(),
  alea: z.strictObject({ c: z.number(), s0: z.number(), s1: z.number(), s2: z.number() }),
});

/** Something that a run says, at one of its steps. */
export interface AtStep {
  readonly step: number;
  /** How many there will be, where that is known. */
  readonly steps?: number | null | undefined;
}

/** A state, and the parts with their tensors by name. */
export type Checkpoint<State extends AtStep, Part extends string> = Readonly<
  Record<Part, StateDict>
> & {
  readonly state: State;
  /** How many lines of metrics were written before it; of checkpoints from before these were counted nobody knows. */
  readonly lines?: number | undefined;
};

/** What every training goes on from: its model, and its optimiser's state by `<parameter>.<slot>`. */
export type TrainingCheckpoint<State extends AtStep> = Checkpoint<State, "model" | "optimiser">;

/** How one kind of checkpoint is written. */
export interface FormatOptions<State extends AtStep, Part extends string> {
  /** What the state is called in the file's metadata. */
  readonly key: string;
  /** Whose checkpoint it is, for errors: "a pretraining run". */
  readonly of: string;
  readonly state: z.ZodType<State>;
  /** In the order of the file; a tensor's name there is `<part>.<name>`. */
  readonly parts: readonly Part[];
}

const linesName = "twoheads.lines";
const count = z.int().min(0);

/** One kind of checkpoint, as a file. */
export class CheckpointFormat<State extends AtStep, Part extends string> {
  constructor(readonly options: FormatOptions<State, Part>) {}

  /** Writes a checkpoint; a kill at any moment leaves the old file or the new one. */
  async save(path: string, checkpoint: Checkpoint<State, Part>): Promise<void> {
    const { key, parts } = this.options;
    const { state, lines } = checkpoint;
    const tensors = parts.flatMap((part) =>
      Object.entries(checkpoint[part]).map(([name, x]) => [`${part}.${name}`, x] as const),
    );
    const counted = lines === undefined ? [] : [[linesName, String(lines)]];
    const metadata = Object.fromEntries([[key, JSON.stringify(state)], ...counted]);
    await replaceFile(path, sealedBytes(Object.fromEntries(tensors), { metadata }));
  }

  /** Reads a checkpoint onto the current device; a FileError if it is none of this kind, or damaged. */
  load(path: string): Checkpoint<State, Part> {
    const { key, of, state, parts } = this.options;
    const file = openSafetensors(path);
    const { metadata } = file;
    const text = metadata.get(key);
    const strange = [...metadata.keys()].find((name) => ![key, linesName, sealName].includes(name));
    if (text === undefined || strange !== undefined) {
      file.close();
      const found = text === undefined ? "" : `: its metadata have "${strange}"`;
      throw new FileError(path, "", `is no checkpoint of ${of}${found}`);
    }
    checkSeal(path);
    const lines = metadata.get(linesName);
    const tensors = Object.entries(readTensors(file));
    const dicts = parts.map((part) => [part, partOf(tensors, part)] as const);
    return {
      ...(Object.fromEntries(dicts) as Record<Part, StateDict>),
      state: parseChecked(path, text, key, state),
      ...(lines !== undefined && { lines: parseChecked(path, lines, linesName, count) }),
    };
  }
}

/** The format of a training that goes on from nothing but its model, its optimiser and its state. */
export function trainingFormat<State extends AtStep>(
  key: string,
  of: string,
  state: z.ZodType<State>,
): CheckpointFormat<State, "model" | "optimiser"> {
  return new CheckpointFormat({ key, of, state, parts: ["model", "optimiser"] });
}

/** The tensors of a part, without its name before theirs. */
function partOf(tensors: readonly (readonly [string, Tensor])[], part: string): StateDict {
  const own = tensors.filter(([name]) => name.startsWith(`${part}.`));
  return Object.fromEntries(own.map(([name, x]) => [name.slice(part.length + 1), x]));
}
