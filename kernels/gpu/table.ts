// Which op runs as which kernels. Most ops run by their kind: elementwise and reduce kernels are built
// around the entries' own formulas. The rest has kernels written by hand. What has neither here (linear,
// dropout, packed attention) is a fused op that runs its definition, whose parts have kernels.
// Next: device.ts.

import type { Call, Entry, ForwardCall, Kernel, UpdateEntry } from "../../core/index.ts";
import { RuleTable } from "../../core/rule.ts";
import { attention } from "./attention.ts";
import { type Helper, kernel, type Numbers, type Thread } from "./compile.ts";
import { crossEntropyRules } from "./crossEntropy.ts";
import { elementwise } from "./elementwise.ts";
import type { Engine } from "./engine.ts";
import { gatherRules } from "./gather.ts";
import { truncate } from "./math.ts";
import { contract } from "./matmul.ts";
import { normRules } from "./norm.ts";
import { pick, reduce, scan } from "./reduce.ts";
import { rope } from "./rope.ts";
import { bufferOf, type GpuRule, type GpuRules } from "./rule.ts";
import { softmaxRules } from "./softmax.ts";
import type { GpuBuffer } from "./storage.ts";
import { updateRules } from "./update.ts";
import { view } from "./view.ts";

/** Another dtype, which are all float32 here: whole parts for int32, 0 or 1 for bool. */
const converted = kernel(
  "to",
  1,
  function (this: Thread, x: Numbers, wantsWhole: number, wantsBool: number) {
    const value = x[this.thread.x]!;
    if (wantsWhole > 0) {
      return truncate(value);
    }
    if (wantsBool > 0) {
      if (value === 0) {
        return 0;
      }
      return 1;
    }
    return value;
  },
  [truncate as Helper],
);

const to: GpuRule<"to"> = {
  forward: (engine, { args: [x], outputs: [{ dtype }] }) => {
    const numbers = [dtype === "int32" ? 1 : 0, dtype === "bool" ? 1 : 0];
    return [engine.launch(converted, dtype, x.size, [bufferOf(x)], numbers)];
  },
};

const named: GpuRules = {
  ...softmaxRules,
  ...crossEntropyRules,
  ...normRules,
  ...gatherRules,
  to,
  rope,
  scaledDotProductAttention: attention,
};
const table = new RuleTable<Engine, GpuBuffer>(named, updateRules);

/** Runs a call by its op's rule, or that of its kind; null where only the op's definition runs. */
export function runKernels(engine: Engine, call: Call): readonly GpuBuffer[] | null {
  const made = table.run(engine, call);
  if (made !== undefined || call.pass === "update") return made ?? null;
  const { kernel } = call.entry;
  if (kernel.kind === "elementwise") return elementwise(engine, kernel, call);
  return call.pass === "backward" ? null : runKind(engine, kernel, call);
}

function runKind(engine: Engine, kernel: Kernel, call: ForwardCall): readonly GpuBuffer[] | null {
  switch (kernel.kind) {
    case "reduce":
      return reduce(engine, kernel, call);
    case "scan":
      return scan(engine, kernel, call);
    case "pick":
      return pick(engine, kernel, call);
    case "view":
      return view(engine, kernel, call);
    case "contract":
      return contract(engine, kernel, call);
    default:
      return null;
  }
}

/** Whether a fused op has kernels for these arguments. */
export function fuses(entry: Entry | UpdateEntry, args: readonly unknown[]): boolean {
  return table.fits(entry, args) ?? entry.kernel.kind === "elementwise";
}
