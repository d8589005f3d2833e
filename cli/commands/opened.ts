// Models in folders, opened to be used: of a run that isn't at its end the weights are refused, unless somebody asks
// for them as they are. Next: runs.ts for what else a run's folder holds, ../../nn/run/folder.ts for its states.

import { Option } from "commander";
import { ArgumentError } from "../../core/index.ts";
import type { RewardModelFolder } from "../../grm/rewardModelFiles.ts";
import { loadRewardModel } from "../../grm/rewardModelFolder.ts";
import { TrainFolder } from "../../grm/trainer/folder.ts";
import { fileExists, joinPath, readFile } from "../../nn/checkpoints/files.ts";
import { parseJson } from "../../nn/checkpoints/json.ts";
import { knownDigest, unfinishedName } from "../../nn/checkpoints/seal.ts";
import type { CausalLM, Tokenizer } from "../../nn/index.ts";
import { loadCausalLM, openWeights } from "../../nn/node.ts";
import { modelFolder } from "./bases.ts";
import { kindOf } from "./runs.ts";

/** What a command that opens models is told. */
export interface UnfinishedFlag {
  readonly unfinished?: boolean | undefined;
}

/** The switch. */
export const unfinishedOption = (): Option =>
  new Option("--unfinished", "take the weights of a run that isn't at its end, as they are now");

const noModel = "no model yet";

/** How far a run is whose weights aren't those of its end, as "step 4 of 8"; null of any other folder. */
export function unfinishedAt(path: string): string | null {
  if (!fileExists(joinPath(path, "run.json")) || knownDigest(path) !== undefined) return null;
  if (!fileExists(joinPath(path, "model.safetensors"))) return noModel;
  const weights = openWeights(path);
  weights.close();
  return weights.metadata.get(unfinishedName) ?? (kindOf(path) === "train" ? bySteps(path) : null);
}

/** The same of weights that say nothing, as runs of earlier versions wrote them: from the metrics. */
function bySteps(path: string): string | null {
  const folder = new TrainFolder(path);
  if (!folder.has("metrics.jsonl")) return null;
  const records = folder.metrics();
  const steps = records.find((record) => record.kind === "start")?.steps ?? 1;
  const step = records.findLast(({ kind }) => kind === "train")?.step ?? 0;
  return step >= steps ? null : `step ${step} of ${steps}`;
}

/** The command that goes on with a run. */
function commandOf(path: string): string {
  const kind = kindOf(path);
  if (kind !== "policy") return kind;
  const file = joinPath(path, "run.json");
  const { value } = parseJson(file, readFile(file)).get("settings").get("algorithm");
  return value === "rloo" ? value : "ppo";
}

/** What is said of a run that isn't at its end; null of any other folder. */
export function sayUnfinished(path: string): string | null {
  const at = unfinishedAt(path);
  if (at === null) return null;
  const how = at === noModel ? `holds a run with ${noModel}` : `is unfinished, at ${at}`;
  return `${path} ${how}; npx twoheads ${commandOf(path)} --resume ${path} goes on with it`;
}

/** An ArgumentError if a run isn't at its end, and nobody asked for its weights as they are. */
function refuseUnfinished(path: string, { unfinished = false }: UnfinishedFlag): void {
  const said = unfinished ? null : sayUnfinished(path);
  if (said !== null) {
    throw new ArgumentError(`${said}, and --unfinished takes its weights as they are`);
  }
}

/** Opens a reward model that is to be used. */
export function openRewardModel(path: string, flag: UnfinishedFlag): RewardModelFolder {
  refuseUnfinished(modelFolder(path), flag);
  return loadRewardModel(path);
}

/** Opens a language model that is to be used. */
export function openCausalLM(path: string, flag: UnfinishedFlag): CausalLM {
  refuseUnfinished(path, flag);
  return loadCausalLM(path);
}

/** Tokens that end a text: the tokenizer's end, and those that generation_config.json names. */
export function stopsOf(folder: string, tokenizer: Tokenizer): number[] {
  const path = joinPath(folder, "generation_config.json");
  const named = fileExists(path)
    ? parseJson(path, readFile(path)).get("eos_token_id").value
    : undefined;
  const ids = [tokenizer.special.eos, ...(Array.isArray(named) ? named : [named])];
  return [...new Set(ids.filter((id) => typeof id === "number"))];
}
