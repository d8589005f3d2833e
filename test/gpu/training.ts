// Trains a tiny transformer for some steps on any device, eagerly or recorded, and gives the losses: the
// same script everywhere, and one line that names the device. Runs in Node and in browsers.
// Next: ../gpu.test.ts, which compares the curves.

import { randint, random, type Tensor, use } from "../../core/index.ts";
import { recordStep } from "../../kernels/index.ts";
import { AdamW, CausalLM } from "../../nn/index.ts";

const settings = { vocabSize: 17, dim: 16, layers: 1, heads: 2, context: 8 } as const;

interface TrainingRun {
  readonly losses: readonly number[];
  readonly milliseconds: number;
  /** What ran a recorded step. */
  readonly executor: string;
  /** How often the last step submitted work to WebGPU's queue. */
  readonly submissions: number;
}

/** Counts what WebGPU's queue is given from now on; 0 where there is no WebGPU. */
function countSubmissions(): () => number {
  const { GPUQueue } = globalThis as { GPUQueue?: { prototype: { submit: (x: never) => void } } };
  if (GPUQueue === undefined) return () => 0;
  const { submit } = GPUQueue.prototype;
  let count = 0;
  GPUQueue.prototype.submit = function (this: object, buffers: never) {
    count++;
    return submit.call(this, buffers);
  };
  return () => {
    GPUQueue.prototype.submit = submit;
    return count;
  };
}

export async function train(
  device: string,
  steps: number,
  { recorded = false, style = "llama" }: { recorded?: boolean; style?: "llama" | "gpt2" } = {},
): Promise<TrainingRun> {
  use(device);
  const rng = random("gpu");
  const model = new CausalLM({ ...settings, style }, { rng });
  const optimiser = new AdamW(model, { lr: 1e-2, weightDecay: 0.1 });
  const step = (ids: Tensor): Tensor => {
    const loss = model.forward(ids).crossEntropy(ids);
    loss.backward();
    optimiser.step({ maxNorm: 1 });
    optimiser.zeroGrad();
    return loss;
  };
  const run = recorded
    ? recordStep(step)
    : Object.assign(async (x: Tensor) => step(x), { executor: "" });
  const losses: number[] = [];
  const started = performance.now();
  let submissions = 0;
  for (let i = 0; i < steps; i++) {
    const count = countSubmissions();
    const loss = await run(randint([2, 8], { high: 17, rng: rng.fork(i) }));
    submissions = count();
    losses.push(await loss.item());
  }
  return { losses, milliseconds: performance.now() - started, executor: run.executor, submissions };
}
