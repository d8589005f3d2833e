// Which op runs as which kernels. Most ops run by their kind: elementwise and reduce kernels are built
// around the entries' own formulas. The rest has kernels written by hand. What has neither here (linear,
// dropout, packed attention) is a fused op that runs its definition, whose parts have kernels.
// Next: device.ts.

import type { Call, Entry, Tensor } from "../../core/index.ts";
import { attention } from "./attention.ts";
import { type Helper, kernel, type Numbers, type Thread } from "./compile.ts";
import { crossEntropyRules } from "./crossEntropy.ts";
import { elementwise } from "./elementwise.ts";
import { gatherRules } from "./gather.ts";
import { truncate } from "./math.ts";
import { contract } from "./matmul.ts";
import { normRules } from "./norm.ts";
import { pick, reduce, scan } from "./reduce.ts";
import { rope } from "./rope.ts";
import { blockOf, firstOf, type Rule, type Run } from "./rule.ts";
import { softmaxRules } from "./softmax.ts";
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

const to: Rule = {
  forward: (engine, call) => {
    const [x] = call.args as [Tensor];
    const { dtype } = firstOf(call);
    const numbers = [dtype === "int32" ? 1 : 0, dtype === "bool" ? 1 : 0];
    return [engine.launch(converted, dtype, x.size, [blockOf(x)], numbers)];
  },
};

const rules = new Map<string, Rule>([
  ...Object.entries(softmaxRules),
  ...Object.entries(crossEntropyRules),
  ...Object.entries(normRules),
  ...Object.entries(gatherRules),
  ["to", to],
  ["rope", rope],
  ["scaledDotProductAttention", attention],
]);

const kinds: Readonly<Record<string, Run>> = {
  elementwise,
  reduce,
  scan,
  pick,
  view,
  contract,
};

/** How a call runs; undefined where only the op's definition does. */
export function runOf({ entry, pass }: Call): Run | undefined {
  const rule = rules.get(entry.name);
  if (rule !== undefined) return rule[pass];
  return entry.kernel.kind === "update" ? updateRules[entry.name] : kinds[entry.kernel.kind];
}

/** Whether a fused op has kernels for these arguments. */
export function fuses(entry: Entry, args: readonly unknown[]): boolean {
  const rule = rules.get(entry.name);
  if (rule === undefined) return entry.kernel.kind === "elementwise";
  return rule.fits?.(args) ?? true;
}
