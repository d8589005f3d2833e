// What a project writes with the other doors: modules, optimisers, a language model, a reward model, its
// training and the report. Compiled by ../package.test.ts with each TypeScript; nothing here runs.
// Next: ../package.test.ts.

import {
  AdamW,
  CausalLM,
  capture,
  generate,
  inspect,
  type Pair,
  RewardModel,
  random,
  SGD,
  scorePairs,
  statistics,
  type Tensor,
  type TrainOptions,
  type TrainSettings,
  tensor,
  train,
  worlds,
} from "twoheads";
import type { Tensor as CoreTensor } from "twoheads/core";
import { bradleyTerry, type StepRecord, trainSchema, trainSettings } from "twoheads/grm";
import { createWasm, GpuDevice, provideGpu, WasmDevice } from "twoheads/kernels";
import {
  addLoRA,
  cosineSchedule,
  Embedding,
  LayerNorm,
  Linear,
  type ModelOptions,
  Module,
  type PretrainOptions,
  pretrainSettings,
  type StateDict,
} from "twoheads/nn";
import { type Figure, figureHtml, pageHtml } from "twoheads/report";

const rng = random(0);

class Classifier extends Module {
  readonly norm = new LayerNorm(4);
  readonly out = new Linear(4, 2, { rng });

  forward(x: Tensor): Tensor {
    return this.out.forward(this.norm.forward(x)).gelu();
  }
}

const model = new Classifier();
const optimiser = new AdamW(model, { lr: 1e-2, weightDecay: 0 });
export const plain = new SGD(model, { lr: 1e-2, momentum: 0.9 });
export const parameters: [string, CoreTensor][] = [...model.namedParameters()];
export const weights: StateDict = model.stateDict();
const schedule = cosineSchedule({ lr: 1e-2, steps: 100, warmup: 3 });
optimiser.lr = schedule(0);
export const norm: Tensor | null = optimiser.step({ maxNorm: 1 });

const shape: ModelOptions = { vocabSize: 16, dim: 32, layers: 2, heads: 4 };
const lm = new CausalLM(shape, { rng });
export const adapted = addLoRA(lm, { layers: ["model.layers.*.self_attn.q_proj"], rank: 4, rng });
const ids = tensor([[3, 1, 4]], { dtype: "int32" });
export const { activations } = capture(lm, ["hidden"], () => lm.forward(ids));
export const seen: Tensor | undefined = activations.hidden;
export const table = new Embedding(16, 4, { rng }).forward(ids);
export const written = generate(lm, [[1]], { maxTokens: 4, rng });

const rewardModel = new RewardModel(lm, { rng, head: { type: "mlp" } });
const sequence = { ids: Int32Array.of(3, 1, 4), labels: Int32Array.of(-100, 1, 4) };
const pairs: Pair[] = [{ chosen: sequence, rejected: sequence }];
const settings: TrainOptions = { method: "grm-sft", alpha: 0.01, lr: 1e-3 };
export const complete: TrainSettings = trainSettings(settings);
export const parsed: TrainSettings = trainSchema.parse(settings);
const rate: number = complete.lr;
const steps: number | null = complete.steps;
export const numbers = [rate, steps];
export const text: PretrainOptions = { minutes: 1, style: "gpt2" };
export const complete2 = pretrainSettings(text);
export const dim: number = complete2.dim;

export async function run(): Promise<boolean> {
  const { finished } = await train(rewardModel, pairs, settings, {
    signal: { aborted: false },
    onRecord: (record) => {
      if (record.kind === "train") note(record);
    },
  });
  const { chosen } = await scorePairs(rewardModel, pairs);
  const { disjoint } = await inspect.lossGradients(rewardModel, pairs, { method: "grm-sft" });
  return finished && disjoint && chosen !== undefined;
}

function note(record: StepRecord): void {
  const loss: number = record.loss;
  const regulariser: number | null = record.reg_loss;
  pages.push(`${loss} ${regulariser}`);
}

const pages: string[] = [];
export const figure: Figure = {
  title: "t",
  look: "l",
  limits: "n",
  table: { columns: [], rows: [] },
  picture: { missing: "no data" },
};
export const html: string = figureHtml(figure, "f");
export const devices = [WasmDevice, GpuDevice, createWasm, provideGpu, pageHtml] as const;
export const namespaces = [statistics, worlds] as const;
export const loss: Tensor = bradleyTerry(tensor([1]), tensor([0]));

// @ts-expect-error: no such method of training
train(rewardModel, pairs, { method: "grm" });
// @ts-expect-error: no such setting
trainSettings({ learningRate: 1 });
// @ts-expect-error: a text where a number belongs
pretrainSettings({ dim: "128" });
// @ts-expect-error: the heads are missing
new CausalLM({ vocabSize: 16, dim: 32, layers: 2 }, { rng });
// @ts-expect-error: a model of modules has no such field
model.outt.forward(ids);
// @ts-expect-error: a step without its kind of record
note({ kind: "evaluation" });
