// The cross entropy: a row's logSumExp less the logit of its class, and backwards the softmax less what was
// wanted. The mean is over the targets that count, whose number is worked out on the device too.
// Next: norm.ts.

import type { CrossEntropySettings, Tensor } from "../../core/index.ts";
import { type Helper, kernel, type Numbers, type Thread } from "./compile.ts";
import type { Engine } from "./engine.ts";
import { expOf, logOf, quotient } from "./math.ts";
import { max, sum } from "./reduce.ts";
import { bufferOf, buffersOf, type GpuRule, type GpuRules } from "./rule.ts";
import { mass as massOfLine } from "./softmax.ts";
import type { GpuBuffer } from "./storage.ts";

const helpers: readonly Helper[] = [expOf as Helper, logOf as Helper, quotient as Helper];

/** Each row's loss, with lse = max + ln mass: (1 - ε) (lse - x[target]) + ε mean(lse - x); 0 if ignored, NaN for no class. */
const rowLoss = kernel(
  "crossEntropy",
  4,
  function (
    this: Thread,
    x: Numbers,
    target: Numbers,
    largest: Numbers,
    masses: Numbers,
    classes: number,
    ignoreIndex: number,
    smoothing: number,
  ) {
    const row = this.thread.x;
    const c = target[row]!;
    if (c === ignoreIndex) {
      return 0;
    }
    if (c < 0 || c >= classes) {
      return logOf(0 - 1);
    }
    const m = largest[row]!;
    const rest = logOf(masses[row]!);
    let even = 0;
    if (smoothing > 0) {
      for (let k = 0; k < classes; k++) {
        even += m - x[row * classes + k]! + rest;
      }
    }
    const loss = m - x[row * classes + c]! + rest;
    return (1 - smoothing) * loss + (smoothing * even) / classes;
  },
  helpers,
);

/** 1 for each target that counts. */
const counts = kernel(
  "crossEntropy.counts",
  1,
  function (this: Thread, target: Numbers, ignoreIndex: number) {
    if (target[this.thread.x]! === ignoreIndex) {
      return 0;
    }
    return 1;
  },
);

/** A number over another. */
const ratio = kernel("crossEntropy.mean", 2, function (this: Thread, a: Numbers, b: Numbers) {
  return a[this.thread.x]! / b[this.thread.x]!;
});

/** g share (softmax(x) - wanted), 0 in rows that are ignored. */
const lossBackward = kernel(
  "crossEntropy.backward",
  6,
  function (
    this: Thread,
    g: Numbers,
    x: Numbers,
    target: Numbers,
    largest: Numbers,
    masses: Numbers,
    counted: Numbers,
    classes: number,
    gStep: number,
    ignoreIndex: number,
    smoothing: number,
  ) {
    const i = this.thread.x;
    const row = quotient(i, classes);
    const c = target[row]!;
    if (c === ignoreIndex) {
      return 0;
    }
    let wanted = smoothing / classes;
    if (i - row * classes === c) {
      wanted += 1 - smoothing;
    }
    return (g[row * gStep]! / counted[0]!) * (expOf(x[i]! - largest[row]!) / masses[row]! - wanted);
  },
  helpers,
);

/** How many targets count, for the mean; 1 for the others. */
function countedOf(
  engine: Engine,
  target: Tensor,
  { reduction, ignoreIndex }: CrossEntropySettings,
): GpuBuffer {
  if (reduction !== "mean") return engine.scalar(1);
  const ones = engine.launch(counts, "float32", target.size, [bufferOf(target)], [ignoreIndex]);
  return sum(engine, ones, { outer: 1, n: target.size, inner: 1 });
}

const crossEntropy: GpuRule<"crossEntropy"> = {
  forward: (engine, { args: [logits, target, options] }) => {
    const classes = logits.shape.at(-1) ?? 0;
    const rows = target.size;
    const [x, t] = [bufferOf(logits), bufferOf(target)];
    const largest = max(engine, x, { outer: rows, n: classes, inner: 1 });
    const masses = engine.launch(massOfLine, x.dtype, rows, [x, largest], [classes, 1]);
    const saved = { largest, mass: masses };
    const numbers = [classes, options.ignoreIndex, options.labelSmoothing];
    const losses = engine.launch(rowLoss, x.dtype, rows, [x, t, largest, masses], numbers);
    if (options.reduction === "none") return [losses, saved];
    const total = sum(engine, losses, { outer: 1, n: rows, inner: 1 });
    if (options.reduction === "sum") return [total, saved];
    const counted = countedOf(engine, target, options);
    return [engine.launch(ratio, x.dtype, 1, [total, counted], []), saved];
  },
  backward: (engine, { g, saved: { largest, mass }, args: [logits, target, options] }) => {
    const classes = logits.shape.at(-1) ?? 0;
    const gStep = options.reduction === "none" ? 1 : 0;
    const sources = [
      ...buffersOf(g, logits, target, largest, mass),
      countedOf(engine, target, options),
    ];
    const numbers = [classes, gStep, options.ignoreIndex, options.labelSmoothing];
    return [engine.launch(lossBackward, "float32", logits.size, sources, numbers)];
  },
};

export const crossEntropyRules: GpuRules = { crossEntropy };
