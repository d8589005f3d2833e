// Notes what a recorded function would launch: the steps of a plan. Nothing runs; the results are buffers
// that know which step computes them. Next: recordStep.ts, which makes one gpu.js pipeline of the plan.

import { DeviceError } from "../../core/index.ts";
import type { GpuKernel } from "./compile.ts";
import type { Scalar } from "./engine.ts";
import type { GpuBuffer } from "./storage.ts";

/** Where a step finds an array: computed by another step, or in a buffer from outside. */
export type Source = { readonly step: number } | { readonly outside: GpuBuffer };

export interface KernelStep {
  readonly kernel: GpuKernel;
  readonly length: number;
  readonly sources: readonly Source[];
  readonly scalars: readonly Scalar[];
}

export class Recorder {
  readonly steps: KernelStep[] = [];
  /** How many replays there were, and the learning rate that they take instead of the recorded one. */
  replays = 0;
  lr: number | null = null;
  /** The learning rates that it was recorded with. */
  readonly rates = new Set<number>();
  /** What was uploaded while the function ran: the same at every replay, unless it is overwritten. */
  readonly uploads = new Set<GpuBuffer>();
  /** Buffers from outside that the function overwrites, and which step computes their new numbers. */
  readonly written = new Map<GpuBuffer, number>();
  /** Set while the function runs: its buffers are worth nothing in another recording. */
  readonly #own = new WeakSet<GpuBuffer>();

  launch(
    kernel: GpuKernel,
    out: GpuBuffer,
    buffers: readonly GpuBuffer[],
    scalars: readonly Scalar[],
  ): void {
    const sources = buffers.map((buffer) => this.sourceOf(kernel.name, buffer));
    out.recorded = { step: this.steps.length };
    this.#own.add(out);
    this.steps.push({ kernel, length: out.length, sources, scalars });
  }

  sourceOf(reader: string, buffer: GpuBuffer): Source {
    const step = this.written.get(buffer);
    if (step !== undefined) return { step };
    if (buffer.recorded === null) return { outside: buffer };
    if (this.#own.has(buffer)) return { step: buffer.recorded.step };
    throw new DeviceError(
      `recordStep: ${reader} reads a tensor that another recordStep() recorded and never computed; return it from ` +
        "that recorded function, and pass it to this one",
    );
  }

  /** Says that a buffer's numbers are those of another from now on. */
  overwrite(buffer: GpuBuffer, by: GpuBuffer): void {
    const { recorded } = by;
    if (recorded === null || !this.#own.has(by))
      throw new DeviceError("recordStep: a tensor is overwritten by one that was made outside");
    if (buffer.recorded !== null) buffer.recorded = recorded;
    else this.written.set(buffer, recorded.step);
  }
}
