// A pretraining run on disk: run.json (what was asked for), metrics.jsonl, checkpoint.safetensors (how it
// goes on), and the model as a folder that others open too: config.json, model.safetensors, tokenizer.json.
// Next: pretrain.ts.

import { resolve } from "node:path";
import * as z from "zod";
import { parseChecked } from "../../nn/checked.ts";
import {
  appendLine,
  fileExists,
  joinPath,
  readFile as readBytes,
} from "../../nn/checkpoints/files.ts";
import {
  type CausalLM,
  type PretrainCheckpoint,
  type PretrainRecord,
  parsePretrainMetrics,
  pretrainSchema,
  type Tokenizer,
} from "../../nn/index.ts";
import {
  loadCausalLM,
  loadPretrainCheckpoint,
  loadTokenizer,
  replaceFile,
  saveCausalLM,
  savePretrainCheckpoint,
  saveTokenizer,
} from "../../nn/node.ts";

const runSchema = z.strictObject({
  corpus: z.array(z.string()).min(1),
  /** The language model that it goes on from; absent for one from scratch. */
  base: z.string().optional(),
  settings: pretrainSchema,
});

export type PretrainRun = Readonly<z.infer<typeof runSchema>>;

export class RunFolder {
  constructor(readonly path: string) {}

  #at(name: string): string {
    return joinPath(this.path, name);
  }

  /** Whether a run was begun here. */
  get exists(): boolean {
    return fileExists(this.#at("run.json")) || fileExists(this.#at("config.json"));
  }

  /** Writes what is known before the first step. */
  async begin({ corpus, base, settings }: PretrainRun, tokenizer: Tokenizer): Promise<void> {
    const from = base === undefined ? {} : { base: resolve(base) };
    const run = { corpus: corpus.map((file) => resolve(file)), ...from, settings };
    await replaceFile(this.#at("run.json"), `${JSON.stringify(run, null, 2)}\n`);
    await replaceFile(this.#at("metrics.jsonl"), []);
    await saveTokenizer(this.path, tokenizer);
  }

  /** What the run was begun with. */
  run(): PretrainRun {
    const path = this.#at("run.json");
    return parseChecked(path, readBytes(path), "", runSchema);
  }

  /** The model as it was saved last. */
  model(): CausalLM {
    return loadCausalLM(this.path);
  }

  tokenizer(): Tokenizer {
    return loadTokenizer(this.path);
  }

  checkpoint(): PretrainCheckpoint {
    return loadPretrainCheckpoint(this.#at("checkpoint.safetensors"));
  }

  /** Saves how the run goes on, and the model as it is now. */
  async save(checkpoint: PretrainCheckpoint, lm: CausalLM): Promise<void> {
    await savePretrainCheckpoint(this.#at("checkpoint.safetensors"), checkpoint);
    await saveCausalLM(this.path, lm);
  }

  /** Adds a line to the metrics. */
  record(record: PretrainRecord): void {
    appendLine(this.#at("metrics.jsonl"), JSON.stringify(record));
  }

  /** Takes out of the metrics what came after a step, which is done again; returns how many lines. */
  async rewind(step: number): Promise<number> {
    const path = this.#at("metrics.jsonl");
    const { records, torn } = parsePretrainMetrics(new TextDecoder().decode(readBytes(path)), path);
    const kept = records.filter((record) => record.step <= step);
    await replaceFile(path, kept.map((record) => `${JSON.stringify(record)}\n`).join(""));
    return records.length - kept.length + (torn ? 1 : 0);
  }
}

/** The first of runs/pretrain-1, -2, ... that isn't there. */
export function freeFolder(): string {
  for (let n = 1; ; n++) {
    const path = joinPath("runs", `pretrain-${n}`);
    if (!fileExists(path)) return path;
  }
}
