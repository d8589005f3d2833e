// The wasm device: core's ops on the SIMD kernels. An op whose name stands in the table runs there, if
// its dtypes and shapes are what the kernel was made for; everything else runs core's reference loops on
// the same memory, and is counted. A fused op without a fitting kernel runs its definition, whose parts
// have kernels. Next: table.ts for which op runs what, memory.ts for where the numbers are.

import {
  type Buffer,
  type Call,
  type Device,
  type Entry,
  environment,
  runLoops,
  type Storage,
  Tensor,
  type TypedArray,
  type UpdateEntry,
} from "../../core/index.ts";
import { createWasm, type Wasm, type WasmOptions } from "./kernels.ts";
import { type WasmBuffer, WasmMemory } from "./memory.ts";
import { bufferOf, isFloat32, makeLike } from "./rule.ts";
import { rules, runKernels } from "./table.ts";

/**
 * The wasm device: ops as SIMD kernels in WebAssembly, on threads that share its memory. The same bits for
 * any number of threads. use("wasm") makes one.
 */
export class WasmDevice implements Device {
  readonly name = "wasm";
  readonly wasm: Wasm;
  readonly memory: WasmMemory;
  /** How often each op ran reference loops in float32 because no kernel fitted. */
  readonly fallbacks = new Map<string, number>();

  constructor(options: WasmOptions = {}) {
    this.wasm = createWasm(options);
    this.memory = new WasmMemory(this.wasm);
  }

  get details(): Device["details"] & object {
    const { threads, fma, lanes } = this.wasm;
    return { threads: threads.count, fma, lanes };
  }

  upload(data: TypedArray, dtype: WasmBuffer["dtype"]): WasmBuffer {
    return this.memory.takeOver(data, dtype);
  }

  view(buffer: Buffer): TypedArray {
    return this.memory.view(buffer as WasmBuffer);
  }

  async read(buffer: Buffer): Promise<TypedArray> {
    return this.memory.peek(buffer as WasmBuffer).slice();
  }

  write(buffer: Buffer, data: TypedArray): void {
    this.memory.assign(buffer as WasmBuffer, data);
  }

  free(buffer: Buffer): void {
    this.memory.free(buffer as WasmBuffer);
  }

  allowRelease(storage: Storage): void {
    this.memory.allowRelease(storage, storage.buffer("allowRelease") as WasmBuffer);
  }

  fuses(entry: Entry | UpdateEntry, args: readonly unknown[]): boolean {
    const [first] = args;
    if (!(first instanceof Tensor) || first.dtype !== "float32") return true;
    return rules.fits(entry, args) ?? "isOwn" in entry; // somebody's own loops run
  }

  differentiates(entry: Entry, g: Tensor): boolean {
    return g.dtype === "float32" && g.size > 0 && rules.differentiates(entry);
  }

  run(call: Call): readonly WasmBuffer[] {
    const { memory } = this;
    memory.tidy();
    for (const x of call.tensors) memory.hold(bufferOf(x));
    const isDouble = call.tensors[0]?.dtype === "float64";
    return (isDouble ? null : runKernels(this, call)) ?? this.#loops(call);
  }

  #loops(call: Call): readonly WasmBuffer[] {
    const { memory } = this;
    if (call.pass !== "update" && call.tensors.some(isFloat32)) this.#count(call);
    const inPlace = call.pass === "update";
    const dataOf = (x: Tensor): TypedArray =>
      inPlace ? memory.view(bufferOf(x)) : memory.peek(bufferOf(x));
    const outputs = call.outputs.map((spec) => {
      if (spec === null) return null;
      return { ...spec, buffer: makeLike(this, spec) };
    });
    const arrays = outputs.map((y) => y && { ...y, data: memory.array(y.buffer).fill(0) });
    runLoops(call, arrays, dataOf);
    return outputs.flatMap((y) => (y === null ? [] : [y.buffer]));
  }

  #count(call: Call): void {
    const { entry } = call;
    const before = this.fallbacks.get(entry.name) ?? 0;
    this.fallbacks.set(entry.name, before + 1);
    if (before > 0 || environment("DEBUG") === undefined) return;
    const shapes = call.tensors.map((x) => `[${x.shape}]`);
    console.error(`wasm: ${entry.name} ${shapes.join(" ")} runs reference loops: no kernel fits`);
  }
}
