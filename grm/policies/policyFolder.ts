// A policy's run on disk: run.json (what was asked for), metrics.jsonl, checkpoint.safetensors (how it goes
// on), and the policy as a model's folder that others open. Next: ../../cli/commands/ppo.ts.

import { parseLines } from "../../nn/checked.ts";
import { appendLine, fileExists, joinPath, readFile } from "../../nn/checkpoints/files.ts";
import { parseJson } from "../../nn/checkpoints/json.ts";
import { replaceFile } from "../../nn/node.ts";
import {
  loadPolicyCheckpoint,
  type PolicyCheckpoint,
  savePolicyCheckpoint,
} from "./policyCheckpoint.ts";
import { type PolicyRecord, policyRecordSchema } from "./policyRecords.ts";

export class PolicyFolder {
  constructor(readonly path: string) {}

  at(name: string): string {
    return joinPath(this.path, name);
  }

  /** Whether a run was begun here, or a model stands here. */
  get exists(): boolean {
    return fileExists(this.at("run.json")) || fileExists(this.at("config.json"));
  }

  /** Writes what is known before the first round. */
  async begin(run: unknown): Promise<void> {
    await replaceFile(this.at("run.json"), `${JSON.stringify(run, null, 2)}\n`);
    await replaceFile(this.at("metrics.jsonl"), []);
  }

  /** What begin() was given, and a way to refuse it. */
  run() {
    const path = this.at("run.json");
    return parseJson(path, readFile(path));
  }

  record(record: PolicyRecord): void {
    appendLine(this.at("metrics.jsonl"), JSON.stringify(record));
  }

  /** All lines of the metrics; one that a kill cut short is left out. A FileError names one that is none. */
  metrics(): readonly PolicyRecord[] {
    const path = this.at("metrics.jsonl");
    const text = new TextDecoder().decode(readFile(path));
    return parseLines(text, path, policyRecordSchema).records;
  }

  save(checkpoint: PolicyCheckpoint): Promise<void> {
    return savePolicyCheckpoint(this.at("checkpoint.safetensors"), checkpoint);
  }

  /** Reads the last checkpoint, and takes out of the metrics the rounds that are done again. */
  async resume(): Promise<PolicyCheckpoint> {
    const checkpoint = loadPolicyCheckpoint(this.at("checkpoint.safetensors"));
    const kept = this.metrics().filter(({ step }) => step < checkpoint.state.step);
    const text = kept.map((record) => `${JSON.stringify(record)}\n`).join("");
    await replaceFile(this.at("metrics.jsonl"), text);
    return checkpoint;
  }
}
