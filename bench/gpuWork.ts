// What the gpu subject times, in Node and in a browser's page alike: matrix products and a training step of
// works.ts's GPT, eager and recorded. Everything is right before it is timed; times include waiting until the
// device is done, and reading one number. Read next: gpu.ts.

import { currentDevice, noGrad, scope, type Tensor, tensor, use } from "../core/index.ts";
import { GpuDevice, recordStep } from "../kernels/index.ts";
import { AdamW } from "../nn/index.ts";
import { gpt } from "./gpt.ts";
import { numbers, summary, type Timing, validate } from "./measure.ts";
import { adamW, batchesOf, type GPTShape, sizes } from "./works.ts";

export interface GpuJob {
  readonly device: string;
  /** Sides of the square matrices. */
  readonly sides: readonly number[];
  readonly size: keyof typeof sizes;
  /** The losses that the first steps must have; null: these are them. */
  readonly losses: readonly number[] | null;
  readonly milliseconds: number;
}

export interface Outcome {
  /** What computed, as its driver calls itself. */
  readonly adapter: string;
  readonly products: readonly Timing[];
  readonly eager: Timing;
  readonly recorded: Timing | null;
  /** What ran the recorded step, and how many kernels it has. */
  readonly plan: string;
  readonly losses: readonly number[];
}

/** Times something that is done when its promise is. */
async function time(body: () => Promise<unknown>, milliseconds: number): Promise<Timing> {
  await body();
  const timings: number[] = [];
  const end = performance.now() + milliseconds;
  const atLeast = (): number => ((timings[0] ?? 0) > 1 ? 2 : 5);
  while (timings.length < atLeast() || performance.now() < end) {
    const start = performance.now();
    await body();
    timings.push((performance.now() - start) / 1e3);
  }
  return summary(timings);
}

/** n x n times n x n, and the corner of the result. */
async function product(n: number, milliseconds: number): Promise<Timing> {
  const [a, b] = [numbers(n * n, 1), numbers(n * n, 2)];
  const [x, y] = [tensor(a, { shape: [n, n] }), tensor(b, { shape: [n, n] })];
  const corner = (): Tensor =>
    noGrad(() => scope(() => x.matmul(y).slice({ dim: 0, end: 1 }).slice({ dim: 1, end: 1 })));
  let sum = 0;
  for (let k = 0; k < n; k++) sum += (a[k] as number) * (b[k * n] as number);
  validate(`matmul ${n}`, await corner().read(), [sum], 1e-4);
  return time(() => corner().read(), milliseconds);
}

/** Batches as tensors, on the current device. */
function batches(shape: GPTShape): (step: number) => [Tensor, Tensor] {
  const batch = batchesOf(shape);
  return (step) => {
    const { x, y } = batch(step);
    return [x, y].map((data) => tensor(data, { shape: [shape.B, shape.T] })) as [Tensor, Tensor];
  };
}

/** A training step as a user writes one. */
function stepOf(shape: GPTShape): (ids: Tensor, targets: Tensor) => Tensor {
  const model = gpt(shape);
  const optimiser = new AdamW(model, { ...adamW, decays: () => true });
  return (ids, targets) => {
    const loss = model.forward(ids).crossEntropy(targets);
    loss.backward();
    optimiser.step();
    optimiser.zeroGrad();
    return loss;
  };
}

const firstSteps = 3;

/** The losses of the first steps, and how long a step takes from then on. */
async function steps(
  name: string,
  run: (ids: Tensor, targets: Tensor) => Promise<Tensor>,
  { size, losses, milliseconds }: GpuJob,
): Promise<[losses: number[], timing: Timing]> {
  const batch = batches(sizes[size]);
  let step = 0;
  const next = async (): Promise<number> => (await run(...batch(step++))).item();
  const first: number[] = [];
  while (first.length < firstSteps) first.push(await next());
  validate(name, first, losses ?? first, 1e-3);
  return [first, await time(next, milliseconds)];
}

export async function work(job: GpuJob): Promise<Outcome> {
  const device = use(job.device);
  if (device instanceof GpuDevice) await device.ready();
  const products: Timing[] = [];
  for (const n of job.sides) products.push(await product(n, job.milliseconds));
  const eagerStep = stepOf(sizes[job.size]);
  const [losses, eager] = await steps("a step", async (...xy) => eagerStep(...xy), job);
  const adapter = String(currentDevice().details?.adapter ?? currentDevice().name);
  if (!(device instanceof GpuDevice))
    return { adapter, products, eager, recorded: null, plan: "", losses };
  const step = recordStep(stepOf(sizes[job.size]));
  const [, recorded] = await steps("a recorded step", step, { ...job, losses });
  const plan = `${step.executor}, ${step.steps} kernels`;
  return { adapter, products, eager, recorded, plan, losses };
}
