// recordStep(fn): a whole training step as one gpu.js pipeline. The function runs once and computes nothing;
// what it would launch is noted. Then every call replays the plan: on webgpu in one submission, on webasm in
// one go over one memory. What the function overwrites (parameters, the optimiser's averages) goes into the
// plan and comes out of it: gpu.js's plans take arrays and give arrays, so that state crosses to the host
// and back once a replay, and all else stays on the device. Next: record.ts, what is noted.

import {
  ArgumentError,
  currentDevice,
  DeviceError,
  ShapeError,
  Tensor,
  type Tree,
  tensorsOf,
} from "../../core/index.ts";
import { sameShape } from "../../core/shape.ts";
import { accept, signatures } from "../../core/signature.ts";
import { Storage } from "../../core/storage.ts";
import { settingsOf } from "./compile.ts";
import { GpuDevice } from "./device.ts";
import { type Engine, numberOf } from "./engine.ts";
import type { PipelineShortcut, Shortcut } from "./library.ts";
import type { Backend } from "./modes.ts";
import { type KernelStep, Recorder, type Source } from "./record.ts";
import { bufferOf } from "./rule.ts";
import { fromDevice, type GpuBuffer, toDevice } from "./storage.ts";

const takes = signatures({
  recordStep: "fn: function",
});

/** A recorded function: call it as the one that was recorded; the results come as a promise. */
export interface RecordedStep<A extends readonly Tensor[], R extends Tree> {
  (...inputs: A): Promise<R>;
  /** The learning rate of the replays to come; null (at first): as it was recorded. */
  lr: number | null;
  /**
   * How many replays there were. An AdamW that was recorded at step t is at t + replays - 1; its own count
   * stays at t, so before it is saved or goes on eagerly:
   * optimiser.loadStateDict({ ...optimiser.stateDict(), step: t + replays - 1 }).
   */
  readonly replays: number;
  /** How many kernels a replay runs; 0 before the first call. */
  readonly steps: number;
  /** What runs the plan: "fused-encoder" (one submission), "fused-threaded", "fused-sync", or "generic". */
  readonly executor: string;
  /** Gives the plan's memory back. */
  destroy(): void;
}

/**
 * Records `fn` at the first call, for the shapes of its inputs, and replays it from then on: the same numbers
 * as running it, up to rounding. `fn` must not read numbers or draw at random; its own JavaScript runs only
 * once, while AdamW's step goes on by itself. Tensors that it creates are the same at every replay. On a
 * device that isn't a gpu one, every call just runs `fn`.
 */
export function recordStep<A extends readonly Tensor[], R extends Tree>(
  fn: (...inputs: A) => R,
): RecordedStep<A, R> {
  accept(takes.recordStep, arguments);
  let plan: ReplayPlan | null = null;
  let result: Tree = null;
  const run = async (inputs: A): Promise<R> => {
    const device = inputs[0]?.device ?? currentDevice();
    if (!(device instanceof GpuDevice)) return fn(...inputs);
    plan ??= await ReplayPlan.of(device, inputs, () => {
      result = fn(...inputs);
      return result;
    });
    const outputs = await plan.run(inputs);
    return replaced(result, outputs) as R;
  };
  let last: Promise<unknown> = Promise.resolve();
  const replay = (...inputs: A): Promise<R> => {
    const turn = last.then(() => run(inputs)); // each begins with the state that the one before left
    last = turn.catch(() => {});
    return turn;
  };
  return Object.defineProperties(replay, {
    lr: {
      get: () => plan?.recorder.lr ?? null,
      set: (rate: number | null) => {
        if (plan === null)
          throw new ArgumentError("recordStep: lr can be set after the first call");
        const { size } = plan.recorder.rates;
        if (rate !== null && size > 1) {
          throw new ArgumentError(
            `recordStep: the step was recorded with ${size} learning rates (groups), and one can't replace them; ` +
              "record it anew for others",
          );
        }
        plan.recorder.lr = rate;
      },
    },
    replays: { get: () => plan?.recorder.replays ?? 0 },
    steps: { get: () => plan?.recorder.steps.length ?? 0 },
    executor: { get: () => plan?.executor ?? "none yet" },
    destroy: { value: () => plan?.destroy() },
  }) as unknown as RecordedStep<A, R>;
}

/** The result with the recorded tensors replaced by computed ones. */
function replaced(result: Tree, tensors: ReadonlyMap<Tensor, Tensor>): Tree {
  if (result instanceof Tensor) return tensors.get(result) ?? result;
  if (Array.isArray(result)) return result.map((part: Tree) => replaced(part, tensors));
  if (result === null || typeof result !== "object") return result;
  const parts = Object.entries(result as Readonly<Record<string, Tree>>);
  return Object.fromEntries(parts.map(([key, part]) => [key, replaced(part, tensors)]));
}

/** Where a plan finds an array when it runs. */
type Seat = { readonly argument: number } | { readonly literal: Float32Array };

class ReplayPlan {
  /** Buffers whose numbers are handed in at every replay: inputs, state, and what may change outside. */
  readonly #arguments: GpuBuffer[] = [];
  readonly #seats = new Map<GpuBuffer, Seat>();
  readonly #kernels = new Map<string, Shortcut>();
  readonly #pipeline: PipelineShortcut;
  /** Set once a replay showed that the plan runs in the device's mode. */
  #isChecked = false;

  private constructor(
    readonly device: GpuDevice,
    readonly engine: Engine,
    readonly backend: Backend,
    readonly recorder: Recorder,
    readonly inputs: readonly Tensor[],
    readonly results: readonly Tensor[],
  ) {
    for (const x of inputs) this.#argumentOf(bufferOf(x));
    for (const buffer of recorder.written.keys()) this.#argumentOf(buffer);
    for (const step of recorder.steps)
      for (const source of step.sources) if ("outside" in source) this.#seat(source.outside);
    const scalars = recorder.steps.flatMap((step) =>
      step.scalars.filter((s) => typeof s !== "number"),
    );
    const fn = (...handles: unknown[]): unknown[] => this.#trace(handles as never[]);
    Object.defineProperty(fn, "length", { value: this.#arguments.length + scalars.length });
    this.#pipeline = backend.gpu.createPipeline(fn);
  }

  /** Records a function. */
  static async of(
    device: GpuDevice,
    inputs: readonly Tensor[],
    fn: () => Tree,
  ): Promise<ReplayPlan> {
    const { engine } = device;
    const backend = await engine.ready();
    if (engine.recorder !== null) throw new ArgumentError("recordStep: recordings don't nest");
    const recorder = new Recorder();
    engine.recorder = recorder;
    let results: Tensor[];
    try {
      results = tensorsOf(fn());
    } finally {
      engine.recorder = null;
    }
    if (recorder.steps.length === 0)
      throw new ArgumentError("recordStep: the function computes nothing on this device");
    return new ReplayPlan(device, engine, backend, recorder, inputs, results);
  }

  get executor(): string {
    return this.#pipeline.executorKind;
  }

  destroy(): void {
    this.#pipeline.destroy();
    for (const shortcut of this.#kernels.values()) shortcut.destroy();
    this.#kernels.clear();
  }

  // --- Building --------------------------------------------------------------------------------------

  #argumentOf(buffer: GpuBuffer): void {
    if (this.#seats.has(buffer)) return;
    this.#seats.set(buffer, { argument: this.#arguments.length });
    this.#arguments.push(buffer);
  }

  /** What was uploaded while recording never changes; everything else is asked for at each replay. */
  #seat(buffer: GpuBuffer): void {
    const isLiteral = this.recorder.uploads.has(buffer) || buffer.length === 0;
    if (!isLiteral) this.#argumentOf(buffer);
    else if (!this.#seats.has(buffer)) {
      const host = buffer.length === 0 ? null : buffer.host;
      this.#seats.set(buffer, { literal: toDevice("recordStep", host ?? Float32Array.of(0)) });
    }
  }

  /** What gpu.js runs once, with handles in place of arrays: every step calls its kernel. */
  #trace(handles: readonly never[]): unknown[] {
    const made: unknown[] = [];
    let scalar = this.#arguments.length;
    for (const step of this.recorder.steps) {
      const arrays = step.sources.map((source) => this.#handleOf(source, handles, made));
      const numbers = step.scalars.map((s) => (typeof s === "number" ? s : handles[scalar++]));
      made.push(this.#kernel(step)(...([...arrays, ...numbers] as never[])));
    }
    const states = [...this.recorder.written.values()].map((step) => made[step]);
    return [...states, ...this.#computed().map((x) => made[bufferOf(x).recorded?.step ?? 0])];
  }

  #handleOf(source: Source, handles: readonly never[], made: readonly unknown[]): unknown {
    if ("step" in source) return made[source.step];
    const seat = this.#seats.get(source.outside) as Seat;
    return "literal" in seat ? seat.literal : handles[seat.argument];
  }

  /** A plan's kernels are made for the sizes of their result and of what they read: WebGL bakes both in. */
  #kernel({ kernel, length, sources }: KernelStep): Shortcut {
    const lengths = sources.map((source) =>
      "step" in source ? this.recorder.steps[source.step]?.length : source.outside.length,
    );
    const key = `${kernel.name} ${length} ${lengths}`;
    const known = this.#kernels.get(key);
    if (known !== undefined) return known;
    const { gpu } = this.backend;
    const shortcut = gpu.createKernel(kernel.source, settingsOf(kernel, [length]));
    this.#kernels.set(key, shortcut);
    return shortcut;
  }

  /** The results that a replay computes; others (an input returned as it is) stay as they are. */
  #computed(): Tensor[] {
    return this.results.filter((x) => bufferOf(x).recorded !== null);
  }

  // --- Running ---------------------------------------------------------------------------------------

  async run(inputs: readonly Tensor[]): Promise<ReadonlyMap<Tensor, Tensor>> {
    const { engine } = this;
    if (this.device.engine !== engine) {
      throw new DeviceError(
        "recordStep: the GPU that this was recorded for is gone; record the function again",
      );
    }
    engine.checkAlive();
    this.#checkInputs(inputs);
    const buffers = [...this.#arguments];
    this.inputs.forEach((x, i) => {
      const seat = this.#seats.get(bufferOf(x)) as { readonly argument: number };
      buffers[seat.argument] = bufferOf(inputs[i] as Tensor);
    });
    const arrays = await Promise.all(buffers.map((buffer) => hostOf(engine, buffer)));
    const scalars = this.recorder.steps.flatMap((step) =>
      step.scalars.flatMap((s) => (typeof s === "number" ? [] : numberOf(s))),
    );
    const made = await this.#pipeline(...arrays, ...scalars).catch((error: unknown) =>
      engine.failed("recordStep", error),
    );
    this.#check();
    this.recorder.replays++;
    return this.#take(engine, made);
  }

  /** A plan is for the shapes, dtypes and device that it was recorded with. */
  #checkInputs(inputs: readonly Tensor[]): void {
    this.inputs.forEach((x, i) => {
      const given = inputs[i];
      const isAlike = given?.device === x.device && given.dtype === x.dtype;
      if (isAlike && sameShape(given.shape, x.shape)) return;
      throw new ShapeError(
        `recordStep: input ${i} was recorded as ${x.dtype} [${x.shape}] on ${x.device.name} and is now ` +
          `${given?.dtype ?? "missing"} [${given?.shape ?? ""}]; record another function for another shape`,
      );
    });
  }

  /** Puts new numbers into the state, and results into tensors of their own. */
  #take(engine: Engine, made: readonly Float32Array[]): ReadonlyMap<Tensor, Tensor> {
    const states = [...this.recorder.written.keys()];
    states.forEach((buffer, i) => {
      engine.memory.free(buffer);
      buffer.host = made[i] as Float32Array;
    });
    return new Map(
      this.#computed().map((x, i) => {
        const data = fromDevice(
          "recordStep",
          made[states.length + i] as Float32Array,
          x.dtype,
          x.size,
        );
        const buffer = this.device.upload(data, x.dtype);
        const storage = new Storage(this.device, x.dtype, x.shape, buffer, "recordStep");
        return [x, new Tensor(storage, x.shape)];
      }),
    );
  }

  #check(): void {
    if (this.#isChecked) return;
    const { backend } = this.#pipeline;
    const expected = this.backend.mode === "webgl2" ? "gpu" : this.backend.mode;
    if (backend !== expected) {
      throw new DeviceError(
        `recordStep: the plan ran on gpu.js's "${backend}" instead of ${this.backend.mode} ` +
          `(${this.#pipeline.fallbackReason ?? "no reason given"}); run the function without recordStep()`,
      );
    }
    this.#isChecked = true;
  }
}

/** A buffer's numbers on the host, kept there: the next replay needs them again. */
async function hostOf(engine: Engine, buffer: GpuBuffer): Promise<Float32Array> {
  if (buffer.length === 0) return Float32Array.of(0);
  buffer.host ??= await engine.read(buffer);
  return toDevice("recordStep", buffer.host);
}
