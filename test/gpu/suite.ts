// Everything that is tried of one mode, as numbers and texts that a test can judge: it runs in Node, in a
// child process of it, and in a browser's page, and only plain data comes back.
// Next: judge.ts, which judges.

import { DeviceError, device, tensor, use } from "../../core/index.ts";
import type { GpuDevice, Mode } from "../../kernels/index.ts";
import { checkOpTable, type OpTableReport } from "./opTable.ts";
import { errors, oddities } from "./precision.ts";
import { sizes } from "./sizes.ts";
import { train } from "./training.ts";

export interface SuitePlan {
  /** Drawn inputs for each op; 0 leaves the op table out. */
  readonly runs: number;
  /** Training steps, eager and recorded. */
  readonly steps: number;
}

export type Findings = Readonly<{
  mode: Mode;
  /** What the device says that ran. */
  ran: Mode;
  opTable: OpTableReport;
  eager: readonly number[];
  recorded: readonly number[];
  executor: string;
  /** Submissions of a recorded step to WebGPU's queue. */
  submissions: number;
  errors: Readonly<Record<string, number>>;
  oddities: Readonly<Record<string, string>>;
  sizes: readonly string[];
  /** What a program meets after the GPU was lost, and what is left. */
  loss: Loss;
  kernels: number;
  milliseconds: number;
}>;

export interface Loss {
  readonly message: string;
  readonly elsewhere: readonly number[];
  readonly onHost: readonly number[];
  readonly old: string;
  readonly restarted: readonly number[];
}

/** Tolerance of everything that is compared with the reference device. */
export const tolerance = 1e-5;

async function messageOf(fn: () => unknown): Promise<string> {
  try {
    await fn();
  } catch (error) {
    return error instanceof DeviceError ? error.message : `not a DeviceError: ${error}`;
  }
  return "no error";
}

/** Takes the GPU away and looks what is left. The last thing that a device is put through. */
async function lose(name: string): Promise<Loss> {
  const gpu = device(name) as GpuDevice;
  use("reference");
  const elsewhere = tensor([1, 2]);
  use(name);
  const onHost = tensor([3, 4]);
  const there = tensor([5, 6]).mul(2);
  await there.read();
  await gpu.lose();
  const message = await messageOf(async () => {
    for (let i = 0; i < 100; i++) {
      await new Promise((resolve) => setTimeout(resolve, 20)); // browsers say it between tasks
      await there.add(1).read();
    }
  });
  const left = [elsewhere, onHost].map(async (x) => [...(await x.read())]);
  gpu.restart();
  const restarted = [...(await onHost.mul(10).read())];
  const old = await messageOf(() => there.add(1).read());
  const [first = [], second = []] = await Promise.all(left);
  use("reference");
  return { message, elsewhere: first, onHost: second, old, restarted };
}

export async function suite(mode: Mode, { runs, steps }: SuitePlan): Promise<Findings> {
  const started = performance.now();
  const name = `gpu:${mode}`;
  const gpu = device(name) as GpuDevice;
  const ran = await gpu.ready();
  use("reference");
  const opTable = await checkOpTable(name, { runs, tolerance });
  const eager = await train(name, steps);
  const recorded = await train(name, steps, { recorded: true });
  const findings = {
    mode,
    ran,
    opTable,
    eager: eager.losses,
    recorded: recorded.losses,
    executor: recorded.executor,
    submissions: recorded.submissions,
    errors: await errors(name),
    oddities: await oddities(name),
    sizes: await sizes(name, tolerance),
    kernels: gpu.statistics.kernels.length,
  };
  const loss = await lose(name);
  return { ...findings, loss, milliseconds: performance.now() - started };
}
