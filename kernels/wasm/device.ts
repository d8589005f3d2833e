// The wasm device: core's ops on the SIMD kernels. An op whose name stands in the table runs there, if
// its dtypes and shapes are what the kernel was made for; everything else runs core's reference loops on
// the same memory, and is counted. A fused op without a fitting kernel runs its definition, whose parts
// have kernels. Next: table.ts for which op runs what, memory.ts for where the numbers are.

import {
  type Buffer,
  type Call,
  type Device,
  environment,
  runLoops,
  type Storage,
  Tensor,
  type TypedArray,
} from "../../core/index.ts";
import { createWasm, type Wasm, type WasmOptions } from "./kernels.ts";
import { type Block, Memory } from "./memory.ts";
import { blockOf } from "./rule.ts";
import { ruleOf } from "./table.ts";

export class WasmDevice implements Device {
  readonly name = "wasm";
  readonly wasm: Wasm;
  readonly memory: Memory;
  /** How often each op ran reference loops in float32 because no kernel fitted. */
  readonly fallbacks = new Map<string, number>();

  constructor(options: WasmOptions = {}) {
    this.wasm = createWasm(options);
    this.memory = new Memory(this.wasm);
  }

  get details(): Device["details"] & object {
    return { threads: this.wasm.threads.count, fma: this.wasm.fma };
  }

  upload(data: TypedArray, dtype: Block["dtype"]): Block {
    return this.memory.adopt(data, dtype);
  }

  view(buffer: Buffer): TypedArray {
    return this.memory.view(buffer as Block);
  }

  async read(buffer: Buffer): Promise<TypedArray> {
    return this.memory.peek(buffer as Block).slice();
  }

  write(buffer: Buffer, data: TypedArray): void {
    this.memory.assign(buffer as Block, data);
  }

  free(buffer: Buffer): void {
    this.memory.free(buffer as Block);
  }

  retire(storage: Storage): void {
    this.memory.retire(storage, storage.buffer("retire") as Block);
  }

  fuses(entry: Call["entry"], args: readonly unknown[]): boolean {
    const [first] = args;
    if (!(first instanceof Tensor) || first.dtype !== "float32") return true;
    const rule = ruleOf(entry);
    return rule !== undefined && (rule.fits?.(args) ?? true);
  }

  run(call: Call): readonly Block[] {
    const { memory } = this;
    memory.tidy();
    for (const x of call.args) {
      if (x instanceof Tensor) memory.hold(blockOf(x));
      else if (call.entry.kernel.kind === "update" && Array.isArray(x))
        for (const y of x as Tensor[]) memory.hold(blockOf(y));
    }
    const [first] = call.args;
    const isDouble = first instanceof Tensor && first.dtype === "float64";
    const rule = isDouble ? undefined : ruleOf(call.entry);
    return rule?.[call.pass]?.(this, call) ?? this.#loops(call);
  }

  #loops(call: Call): readonly Block[] {
    const { memory } = this;
    if (call.args.some((x) => x instanceof Tensor && x.dtype === "float32")) this.#count(call);
    const inPlace = call.entry.kernel.kind === "update";
    const dataOf = (x: Tensor): TypedArray =>
      inPlace ? memory.view(blockOf(x)) : memory.peek(blockOf(x));
    const outputs = call.outputs.map((spec) => {
      if (spec === null) return null;
      const size = spec.shape.reduce((product, side) => product * side, 1);
      return { ...spec, block: memory.make(spec.dtype, size) };
    });
    const arrays = outputs.map((y) => y && { ...y, data: memory.array(y.block).fill(0) });
    runLoops(call, arrays, dataOf);
    return outputs.flatMap((y) => (y === null ? [] : [y.block]));
  }

  #count({ entry, args }: Call): void {
    const before = this.fallbacks.get(entry.name) ?? 0;
    this.fallbacks.set(entry.name, before + 1);
    if (before > 0 || environment("DEBUG") === undefined) return;
    const shapes = args.flatMap((x) => (x instanceof Tensor ? [`[${x.shape}]`] : []));
    console.error(`wasm: ${entry.name} ${shapes.join(" ")} runs reference loops: no kernel fits`);
  }
}
