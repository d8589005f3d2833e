// A run on disk, whatever it trains: run.json (what was asked for), metrics.jsonl (what it said), and
// checkpoint.safetensors (how it goes on); beside them stands the model. The order of the file operations
// is decided here alone, so that a kill between any two of them leaves a folder in one of three states:
//   free      no checkpoint and no weights: a run may begin here, again if one did before;
//   going     a checkpoint: --resume goes on. Weights beside it say how far they are, and aren't taken for finished;
//   finished  weights whose SHA-256 stands in run.json, the last thing that is written of a training.
// One process at a time works here (lock.ts). Next: loop.ts for the steps between, ../../docs/decisions.md for the table.

import * as z from "zod";
import { ArgumentError } from "../../core/index.ts";
import { parseLines } from "../checked.ts";
import {
  appendLine,
  digestOfFile,
  fileExists,
  joinPath,
  readFile,
  removeFile,
  replaceFile,
  syncFile,
} from "../checkpoints/files.ts";
import { indexName, weightsName } from "../checkpoints/folder.ts";
import { FileError } from "../checkpoints/index.ts";
import { type Field, parseJson } from "../checkpoints/json.ts";
import { knownDigest, unfinishedName } from "../checkpoints/seal.ts";
import type { AtStep, Checkpoint, CheckpointFormat } from "./checkpoint.ts";
import { Lock } from "./lock.ts";

/** What differs between kinds of runs. */
export interface RunKind<State extends AtStep, Part extends string, Line extends AtStep> {
  readonly checkpoint: CheckpointFormat<State, Part>;
  /** A line of metrics.jsonl. */
  readonly line: z.ZodType<Line>;
  /** The last step of which the metrics hold lines when the checkpoint of `step` is made. */
  lastLine(step: number): number;
}

const digests = z.record(z.string(), z.string()).optional();

/** Fields of every run.json, as SHA-256 by name: what the run reads (inputs.ts), and the weights that it ended with. */
export const digestFields = { inputs: digests, weights: digests };

const names = {
  run: "run.json",
  metrics: "metrics.jsonl",
  checkpoint: "checkpoint.safetensors",
} as const;

/** What is made of a run after its training; a run that begins takes away what another left. */
const made = ["eval.json", "metrics.csv", "report.html"];

/** What a model is stored in, ours or others'. */
const models = [weightsName, indexName, "pytorch_model.bin", "pytorch_model.bin.index.json"];

/** What goes into the metadata of weights that aren't the last ones. */
type Mark = Readonly<Record<string, string>>;

export class RunFolder<State extends AtStep, Part extends string, Line extends AtStep> {
  #lock: Lock | null = null;
  /** Of metrics.jsonl. */
  #lines = 0;

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

  /** An ArgumentError if there is a run to go on with, or a model: nothing may begin here. */
  checkFree(): void {
    const isModel = models.some((name) => this.has(name));
    const isForeign = this.has("config.json") && !this.has(names.run);
    if (!isModel && !isForeign && !this.has(names.checkpoint)) return;
    throw new ArgumentError(
      `${this.path} holds a run or a model already; go on with it, --resume ${this.path}, or choose another --out`,
    );
  }

  /** Whether the run came to its end, and its weights are the ones that it wrote then. */
  get isFinished(): boolean {
    const known = knownDigest(this.path);
    return known !== undefined && this.has(weightsName) && this.#digest() === known;
  }

  #digest(): string {
    return digestOfFile(this.at(weightsName));
  }

  /** Keeps others out until close(); an ArgumentError says who is in there. */
  lock(): void {
    this.#lock ??= Lock.ofFolder(this.path);
  }

  /** Lets others in. */
  close(): void {
    this.#lock?.release();
    this.#lock = null;
  }

  /** Writes what is known before the first step, in place of a run that never came to a checkpoint. */
  async begin(run?: object): Promise<void> {
    this.checkFree();
    this.lock();
    this.checkFree(); // whoever was here before may have ended meanwhile
    for (const name of made) removeFile(this.at(name));
    if (run) await this.#writeRun(run);
    await this.restart();
  }

  /** Begins the metrics anew, whatever stands in the folder. */
  async restart(): Promise<void> {
    this.lock();
    await replaceFile(this.at(names.metrics), "");
    this.#lines = 0;
  }

  async #writeRun(run: object): Promise<void> {
    await replaceFile(this.at(names.run), `${JSON.stringify(run, null, 2)}\n`);
  }

  /** What begin() was given, to be checked. */
  run(): Field {
    const path = this.at(names.run);
    return parseJson(path, readFile(path));
  }

  /** Adds a line to the metrics. */
  record(line: Line): void {
    this.#lock?.check();
    appendLine(this.at(names.metrics), JSON.stringify(line));
    this.#lines++;
  }

  /** The lines of the metrics, but for one that a kill cut short; a FileError names one that is none. */
  metrics(): readonly Line[] {
    return this.#metrics().records;
  }

  #metrics() {
    const path = this.at(names.metrics);
    const text = new TextDecoder().decode(readFile(path));
    return { texts: text.split("\n"), ...parseLines(text, path, this.kind.line) };
  }

  /**
   * Saves how the run goes on, once its metrics are on the disk, and then, with `saveModel`, the model as it is now;
   * the mark says in its metadata that it isn't finished.
   */
  async save(
    checkpoint: Checkpoint<State, Part>,
    saveModel: (mark: Mark) => Promise<void> = async () => {},
  ): Promise<void> {
    this.#lock?.check();
    const { step, steps } = checkpoint.state;
    const of = typeof steps === "number" ? ` of ${steps}` : "";
    syncFile(this.at(names.metrics));
    const path = this.at(names.checkpoint);
    await this.kind.checkpoint.save(path, { ...checkpoint, lines: this.#lines });
    await saveModel({ [unfinishedName]: `step ${step}${of}` });
  }

  /** Saves the model that the run ends with, and keeps its SHA-256 in run.json: from then on it is finished. */
  async finish(saveModel: () => Promise<void>): Promise<void> {
    this.#lock?.check();
    await saveModel();
    await this.#writeRun({ ...this.run().object(), weights: { [weightsName]: this.#digest() } });
  }

  /** How the run goes on. */
  checkpoint(): Checkpoint<State, Part> {
    if (this.has(names.run) && !this.has(names.checkpoint)) {
      const problem =
        "a run was begun here, and nothing of it is saved yet; begin it again with the same words";
      throw new FileError(this.path, "", problem);
    }
    return this.kind.checkpoint.load(this.at(names.checkpoint));
  }

  /**
   * Takes out of the metrics what came after a checkpoint and is done again: how many lines, and how many that
   * came before it are lost.
   */
  async rewind({ state, lines }: Checkpoint<State, Part>): Promise<Rewound> {
    if (!this.has(names.metrics)) await replaceFile(this.at(names.metrics), "");
    const { records, texts, torn } = this.#metrics();
    const last = this.kind.lastLine(state.step);
    const kept = texts.filter((_, i) => (records[i]?.step ?? Infinity) <= last);
    await replaceFile(this.at(names.metrics), kept.map((text) => `${text}\n`).join(""));
    this.#lines = kept.length;
    const again = records.length - kept.length + (torn ? 1 : 0);
    return { again, lost: Math.max(0, (lines ?? 0) - kept.length) };
  }

  /** The last checkpoint, with the metrics as they were when it was made. */
  async resume(): Promise<Rewound & { readonly checkpoint: Checkpoint<State, Part> }> {
    this.checkpoint(); // or nothing is locked, as nothing is here
    this.lock();
    const checkpoint = this.checkpoint();
    return { checkpoint, ...(await this.rewind(checkpoint)) };
  }
}

/** What became of metrics: lines that are done again, and lines that are lost. */
export interface Rewound {
  readonly again: number;
  readonly lost: number;
}

/** The first of runs/<name>-1, -2, ... that isn't there. */
export function freeFolder(name: string): string {
  for (let n = 1; ; n++) {
    const path = joinPath("runs", `${name}-${n}`);
    if (!fileExists(path)) return path;
  }
}
