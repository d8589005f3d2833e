// A run on disk, whatever it trains: run.json (what was asked for), metrics.jsonl (what it said), and
// checkpoint.safetensors (how it goes on); beside them stands the model. The order of the file operations
// is decided here alone, so that a kill between any two of them leaves a folder that can be gone on with,
// or begun again. A run begins with run.json and no metrics; a line is added when it is said; saving writes
// the checkpoint first and the model after it; resuming reads the checkpoint, and then takes out of the
// metrics what was said after it. Next: loop.ts for the steps between.

import type * as z from "zod";
import { parseLines } from "../checked.ts";
import { appendLine, fileExists, joinPath, readFile, replaceFile } from "../checkpoints/files.ts";
import { type Field, parseJson } from "../checkpoints/json.ts";
import type { AtStep, Checkpoint, CheckpointFormat } from "./checkpoint.ts";

/** What differs between kinds of runs. */
export interface RunKind<State extends AtStep, Part extends string, Line extends AtStep> {
  readonly checkpoint: CheckpointFormat<State, Part>;
  /** A line of metrics.jsonl. */
  readonly line: z.ZodType<Line>;
  /** The last step of which the metrics hold lines when the checkpoint of `step` is made. */
  lastLine(step: number): number;
}

const names = {
  run: "run.json",
  metrics: "metrics.jsonl",
  checkpoint: "checkpoint.safetensors",
  model: "config.json",
} as const;

export class RunFolder<State extends AtStep, Part extends string, Line extends AtStep> {
  constructor(
    readonly path: string,
    readonly kind: RunKind<State, Part, Line>,
  ) {}

  at(name: string): string {
    return joinPath(this.path, name);
  }

  has(name: string): boolean {
    return fileExists(this.at(name));
  }

  /** Whether there is a run to go on with, or a model: nothing may begin here. */
  get isTaken(): boolean {
    return this.has(names.checkpoint) || this.has(names.model);
  }

  /**
   * Writes what is known before the first step, in place of a run that never came to a checkpoint. What was
   * asked for is left out where the program knows it by itself.
   */
  async begin(run?: object): Promise<void> {
    if (run) await replaceFile(this.at(names.run), `${JSON.stringify(run, null, 2)}\n`);
    await replaceFile(this.at(names.metrics), "");
  }

  /** What begin() was given, to be checked. */
  run(): Field {
    const path = this.at(names.run);
    return parseJson(path, readFile(path));
  }

  /** Adds a line to the metrics. */
  record(line: Line): void {
    appendLine(this.at(names.metrics), JSON.stringify(line));
  }

  /** The lines of the metrics, but for one that a kill cut short; a FileError names one that is none. */
  metrics(): readonly Line[] {
    return this.#metrics().records;
  }

  #metrics() {
    const path = this.at(names.metrics);
    return parseLines(new TextDecoder().decode(readFile(path)), path, this.kind.line);
  }

  /** Saves how the run goes on, and then, with `saveModel`, the model as it is now. */
  async save(
    checkpoint: Checkpoint<State, Part>,
    saveModel: () => Promise<void> = async () => {},
  ): Promise<void> {
    await this.kind.checkpoint.save(this.at(names.checkpoint), checkpoint);
    await saveModel();
  }

  /** How the run goes on. */
  checkpoint(): Checkpoint<State, Part> {
    return this.kind.checkpoint.load(this.at(names.checkpoint));
  }

  /** Takes out of the metrics what came after a checkpoint and is done again; returns how many lines. */
  async rewind({ state }: Checkpoint<State, Part>): Promise<number> {
    const { records, torn } = this.#metrics();
    const last = this.kind.lastLine(state.step);
    const kept = records.filter(({ step }) => step <= last);
    const text = kept.map((record) => `${JSON.stringify(record)}\n`).join("");
    await replaceFile(this.at(names.metrics), text);
    return records.length - kept.length + (torn ? 1 : 0);
  }

  /** The last checkpoint, with the metrics as they were when it was made. */
  async resume(): Promise<{
    readonly checkpoint: Checkpoint<State, Part>;
    readonly again: number;
  }> {
    const checkpoint = this.checkpoint();
    return { checkpoint, again: await this.rewind(checkpoint) };
  }
}

/** The first of runs/<name>-1, -2, ... that isn't there. */
export function freeFolder(name: string): string {
  for (let n = 1; ; n++) {
    const path = joinPath("runs", `${name}-${n}`);
    if (!fileExists(path)) return path;
  }
}
