// A preference that a tiny model learns in seconds: after a prompt of three tokens, the better answer has
// more small ids. Run as a program, it trains on it in a folder, and goes on where the folder's run
// stopped: what grm.trainer.test.ts kills. Next: grm.trainer.test.ts.

import { argv, stdout } from "node:process";
import { type Random, random } from "../core/index.ts";
import {
  type HeadOptions,
  type Pair,
  RewardModel,
  type Sequence,
  type TrainOptions,
  train,
} from "../grm/index.ts";
import "../kernels/index.ts";
import { TrainFolder } from "../grm/node.ts";
import { CausalLM } from "../nn/index.ts";
import { saveSafetensors } from "../nn/node.ts";

const isProgram = argv[1] === import.meta.filename;
const vocabSize = 24;

function answer(rng: Random, isGood: boolean): Sequence {
  const length = 3 + rng.integer(2, 9);
  const one = (t: number): number => {
    if (t < 3) return 23;
    return isGood ? rng.integer(1, 15) : rng.integer(8, 23);
  };
  const ids = Int32Array.from({ length }, (_, t) => one(t));
  return { ids, labels: ids.map((id, t) => (t < 3 ? -100 : id)) };
}

export function toyPairs(count: number, seed: number): Pair[] {
  const rng = random(seed);
  return Array.from({ length: count }, (_, i) => ({
    chosen: answer(rng, true),
    rejected: answer(rng, false),
    margin: 0.5 * (1 + (i % 3)),
    line: i + 1,
  }));
}

export function toyModel({ dropout = 0, type = "mlp" }: HeadOptions = {}): RewardModel {
  const shape = { vocabSize, dim: 16, layers: 2, heads: 2, context: 16, dropout };
  return new RewardModel(new CausalLM(shape, { rng: random(1) }), {
    head: { dropout, type },
    rng: random(2),
  });
}

/** Every part of the state is in use: dropout, DPO's reference, the best weights. */
export const toyOptions: TrainOptions = {
  method: "grm-dpo",
  alpha: 0.3,
  seed: 5,
  epochs: 3,
  batchSize: 8,
  microBatchSize: 3,
  flips: 0.1,
  lr: 3e-3,
  best: "loss",
  evaluateEvery: 5,
  checkpointEvery: 2,
  parameterGradEvery: 4,
};

/** Trains in a folder, from its checkpoint if there is one, and says each step. */
export async function toyRun(path: string): Promise<void> {
  const folder = new TrainFolder(path);
  const isNew = !folder.has("checkpoint.safetensors");
  if (isNew) await folder.begin();
  const resume = isNew ? undefined : (await folder.resume()).checkpoint;
  const { model } = await train(toyModel({ dropout: 0.1 }), toyPairs(96, 3), toyOptions, {
    validation: toyPairs(16, 4),
    resume,
    onRecord: (record) => folder.record(record),
    onCheckpoint: (checkpoint) => folder.save(checkpoint),
    onProgress: ({ step }) => isProgram && stdout.write(`${step}\n`),
  });
  await saveSafetensors(folder.at("model.safetensors"), model.stateDict());
}

if (isProgram) await toyRun(argv[2] ?? "");
