// A training run on disk: metrics.jsonl and checkpoint.safetensors, from which it goes on after a stop or
// a kill at any moment. What else stands in the folder is the command's matter.
// Next: ../../cli/commands/train.ts.

import {
  appendLine,
  fileExists,
  joinPath,
  makeFolder,
  readFile,
  replaceFile,
} from "../../nn/checkpoints/files.ts";
import { loadTrainCheckpoint, saveTrainCheckpoint, type TrainCheckpoint } from "./checkpoint.ts";
import { parseTrainMetrics, type TrainRecord } from "./records.ts";

/** What a training run keeps in its folder: checkpoint, metrics and model, by path. */
export class TrainFolder {
  constructor(readonly path: string) {}

  at(name: string): string {
    return joinPath(this.path, name);
  }

  has(name: string): boolean {
    return fileExists(this.at(name));
  }

  /** Empties the metrics for a new run. */
  async begin(): Promise<void> {
    makeFolder(this.path);
    await replaceFile(this.at("metrics.jsonl"), []);
  }

  /** Adds a line to the metrics. */
  record(record: TrainRecord): void {
    appendLine(this.at("metrics.jsonl"), JSON.stringify(record));
  }

  metrics(): readonly TrainRecord[] {
    return this.#metrics().records;
  }

  #metrics() {
    const path = this.at("metrics.jsonl");
    return parseTrainMetrics(new TextDecoder().decode(readFile(path)), path);
  }

  save(checkpoint: TrainCheckpoint): Promise<void> {
    return saveTrainCheckpoint(this.at("checkpoint.safetensors"), checkpoint);
  }

  /** Reads the last checkpoint, and takes out of the metrics what came after it and is done again. */
  async resume(): Promise<{ readonly checkpoint: TrainCheckpoint; readonly again: number }> {
    const checkpoint = loadTrainCheckpoint(this.at("checkpoint.safetensors"));
    const { records, torn } = this.#metrics();
    const kept = records.filter(({ step }) => step <= checkpoint.state.step);
    const text = kept.map((record) => `${JSON.stringify(record)}\n`).join("");
    await replaceFile(this.at("metrics.jsonl"), text);
    return { checkpoint, again: records.length - kept.length + (torn ? 1 : 0) };
  }
}
