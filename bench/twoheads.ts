// Ours, as its users write it: tensors, modules, AdamW. TWOHEADS_THREADS and TWOHEADS_DEVICE choose as
// anywhere else; with the argument `textbook` the model is definition.ts, in core's ops without modules,
// with `fma` multiplication and addition are one.
// Read next: peers/tfjs.ts, the same in another library.

import { readFileSync } from "node:fs";
import { currentDevice, type Tensor, tensor } from "../core/index.ts";
import { ready } from "../kernels/index.ts";
import { type Ready, serve } from "./contestant.ts";
import { textbookStep } from "./definition.ts";
import { trainingStep } from "./gpt.ts";
import { lanes } from "./lanes.ts";
import { comparedSteps, factors, rowsOf, type Work } from "./works.ts";

function simple(compute: () => Tensor): Ready {
  return { result: () => compute().data, run: () => compute().release() };
}

/** The first losses, then a step a run. */
function training(step: () => number): Ready {
  return { result: () => Array.from({ length: comparedSteps }, step), run: step };
}

function prepare(work: Work): Ready | string {
  if (work.kind === "train" && !isTextbook) return training(trainingStep(work.gpt));
  if (work.kind === "train") {
    const isSlow = device === "reference" && work.gpt.D > 64;
    return isSlow
      ? "M left out, plain loops take ten seconds a step"
      : training(textbookStep(work.gpt));
  }
  if (work.kind === "matmul") {
    const [a, b] = factors(work.n).map((x) => tensor(x, { shape: [work.n, work.n] })) as [
      Tensor,
      Tensor,
    ];
    return simple(() => a.matmul(b));
  }
  const x = tensor(rowsOf(work.shape), { shape: work.shape });
  return simple(() => (work.kind === "exp" ? x.exp() : x.softmax({ dim: -1 })));
}

const { version } = JSON.parse(
  readFileSync(new URL("../package.json", import.meta.url), "utf8"),
) as { version: string };

const isTextbook = process.argv[2] === "textbook";
if (process.argv[2] === "fma") await ready({ fma: true });
const device = currentDevice().name;
const threads = device === "wasm" ? Number(process.env.TWOHEADS_THREADS ?? 1) : 1;
const name = isTextbook
  ? "textbook, reference"
  : `twoheads, ${threads} thread${threads > 1 ? "s" : ""}${lanes === 256 ? ", 256-bit lanes" : ""}`;

serve({ name, version, about: `${device} device`, prepare });
