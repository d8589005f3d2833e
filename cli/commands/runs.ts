// Runs in their folders, opened for a look: which kind a folder holds, and of a training run everything
// that there is to inspect. What is missing (a base that was deleted, data that moved) becomes a sentence,
// not an error. Next: pages.ts, inspect.ts.

import { basename, dirname, resolve } from "node:path";
import { random } from "../../core/index.ts";
import type { Evaluation } from "../../grm/evaluation.ts";
import type { InspectOptions } from "../../grm/inspect/inspect.ts";
import type { RewardModelFolder } from "../../grm/rewardModelFiles.ts";
import { loadRewardModel } from "../../grm/rewardModelFolder.ts";
import { TrainFolder } from "../../grm/trainer/folder.ts";
import { methods } from "../../grm/trainer/objective.ts";
import type { TrainRecord } from "../../grm/trainer/records.ts";
import type { TrainSettings } from "../../grm/trainer.ts";
import { keptFile } from "../../lab/demo/kept.ts";
import { probeGoldFeatures } from "../../lab/goldFeatures.ts";
import { spelled, spelledPairs } from "../../lab/worlds/index.ts";
import { fileExists, joinPath, readFile } from "../../nn/checkpoints/files.ts";
import { parseJson } from "../../nn/checkpoints/json.ts";
import { type CausalLM, FileError, type Tokenizer } from "../../nn/index.ts";
import { loadCausalLM } from "../../nn/node.ts";
import { type RunData, readRunData, readTrainRun, type TrainRun } from "./trainRun.ts";

/** A training run with what is needed to look into it. */
export interface OpenRun extends RewardModelFolder {
  readonly path: string;
  readonly run: TrainRun;
  readonly records: readonly TrainRecord[];
  readonly data: RunData;
  /** The language model that it began with. */
  readonly base: CausalLM | undefined;
  /** If it was made already. */
  readonly evaluation?: Evaluation | null;
}

/** Called with a share and what is done. */
export type Progress = (done: number, status: string) => void;

/** What kind of run stands in a folder, by its files; a FileError if none does. */
export function kindOf(
  path: string,
): "train" | "kept" | "pretrain" | "policy" | "overopt" | "demo" | "bon" {
  if (path.endsWith(".json") && fileExists(path)) return "bon";
  if (fileExists(joinPath(path, "demo.jsonl"))) return "demo";
  if (fileExists(joinPath(path, "results.json"))) return "overopt";
  const file = joinPath(path, "run.json");
  if (!fileExists(file) && fileExists(joinPath(path, keptFile))) return "kept";
  if (!fileExists(file)) {
    throw new FileError(
      path,
      "",
      "holds no run: there is no run.json, results.json or demo.jsonl, and it is no .json file of `twoheads bon`",
    );
  }
  const run = parseJson(file, readFile(file)).object();
  if (run.corpus !== undefined) return "pretrain";
  return run.flags === undefined ? "train" : "policy";
}

/** A name for figures: the folder's own. */
export function nameOf(path: string): string {
  return basename(resolve(path));
}

/** Names that differ: with the folder above where they would be the same. */
export function namesOf(paths: readonly string[]): string[] {
  const names = paths.map(nameOf);
  if (new Set(names).size === names.length) return names;
  return paths.map((path) => `${nameOf(dirname(resolve(path)))}/${nameOf(path)}`);
}

/** Opens a training run: its model, records, pairs and base. */
export async function openRun(path: string, say: (message: string) => void): Promise<OpenRun> {
  const run = readTrainRun(path);
  const model = loadRewardModel(path);
  const data = await readRunData(run, model);
  return {
    ...model,
    path,
    run,
    data,
    records: new TrainFolder(path).metrics(),
    base: baseOf(run.base, say),
  };
}

/** The base of a run, if it is still there. */
export function baseOf(folder: string, say: (message: string) => void): CausalLM | undefined {
  try {
    return loadCausalLM(folder);
  } catch (error) {
    if (!(error instanceof FileError)) throw error;
    say(`perplexities stand alone, as the base isn't there any more: ${error.message}`);
    return undefined;
  }
}

/** Whether two tokenizers are the same: their files, whatever the order of fields and special tokens. */
export function readsAlike(a: Tokenizer, b: Tokenizer): boolean {
  const content = (tokenizer: Tokenizer): string =>
    tokenizer
      .files()
      .map(({ name, bytes }) => {
        const text = new TextDecoder().decode(bytes);
        return name.endsWith(".json") ? JSON.stringify(inOrder(JSON.parse(text))) : text;
      })
      .join("\n");
  return a === b || content(a) === content(b);
}

/** JSON with fields by name, and lists of things with ids by id. */
function inOrder(value: unknown): unknown {
  if (value === null || typeof value !== "object") return value;
  if (!Array.isArray(value)) {
    const fields = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
    return Object.fromEntries(fields.map(([name, field]) => [name, inOrder(field)]));
  }
  const idOf = (item: unknown): number => (item as { id?: number } | null)?.id ?? 0;
  return value.map(inOrder).sort((a, b) => idOf(a) - idOf(b)); // stable: others stay as they are
}

/** The losses of the first run that has a text-generation loss. */
export function lossesOf(
  settings: readonly TrainSettings[],
): { method: TrainSettings["method"]; alpha: number; beta: number } | undefined {
  const found = settings.find(
    ({ method, alpha }) => "regularizer" in methods[method] && alpha > 0 && alpha < 1,
  );
  return found && { method: found.method, alpha: found.alpha, beta: found.beta };
}

/** Probes of gold features, where the tokenizer is that of the world whose truth is known. */
export function probesFor(tokenizer: Tokenizer, count = 300): InspectOptions["probes"] {
  if (!readsAlike(tokenizer, spelled.tokenizer)) return undefined;
  const stories = (split: "id" | "all", pairs: number) =>
    spelledPairs(split, pairs, { labels: "true" }, random(`probes ${split} ${pairs}`)).flatMap(
      ({ chosen, rejected }) => [chosen, rejected],
    );
  const held = Math.ceil(count / 2);
  const training = stories("id", count);
  const tests = { id: stories("id", held), all: stories("all", held) };
  return (lm) => probeGoldFeatures(lm, { training, tests });
}
