// Ours, as its users write it: tensors, modules, AdamW. TWOHEADS_THREADS and TWOHEADS_DEVICE choose as
// anywhere else; with the argument `ops` the model is gpt.ts, in core's ops without modules.
// Read next: peers/tfjs.ts, the same in another library.

import { readFileSync } from "node:fs";
import { currentDevice, random, type Tensor, tensor } from "../core/index.ts";
import "../kernels/index.ts";
import { AdamW, CausalLM } from "../nn/index.ts";
import { type Ready, serve } from "./contestant.ts";
import { trainer } from "./gpt.ts";
import {
  adamW,
  batchesOf,
  comparedSteps,
  factors,
  type GPTShape,
  initialWeights,
  layerNormEps,
  rowsOf,
  transposed,
  type Work,
} from "./works.ts";

function simple(compute: () => Tensor): Ready {
  return { result: () => compute().data, run: () => compute().release() };
}

/** A GPT-2 with the weights of works.ts; GPT-2's linear layers lie [in, out], its head [out, in]. */
function gpt(shape: GPTShape): CausalLM {
  const { V: vocabSize, L: layers, D: dim, H: heads, T: context } = shape;
  const config = { style: "gpt2", tied: false, normEps: layerNormEps } as const;
  const model = new CausalLM(
    { ...config, vocabSize, layers, dim, heads, context },
    { rng: random(1) },
  );
  const entries = Object.entries(initialWeights(shape)).map(([name, weight]) => {
    const { shape: dims, data } = /c_\w+\.weight/.test(name) ? transposed(weight) : weight;
    const prefix = name === "lm_head" ? "" : "transformer.";
    const suffix = /^(wte|wpe|lm_head)$/.test(name) ? ".weight" : "";
    return [prefix + name + suffix, tensor(data, { shape: dims })] as const;
  });
  model.loadStateDict(Object.fromEntries(entries));
  return model;
}

function training(shape: GPTShape): Ready {
  const model = gpt(shape);
  const { beta1, beta2, ...rest } = adamW;
  const optimiser = new AdamW(model, { ...rest, beta1, beta2, decays: () => true });
  const batch = batchesOf(shape);
  let steps = 0;
  const step = (): number => {
    const { x, y } = batch(steps++);
    const [ids, targets] = [x, y].map((data) => tensor(data, { shape: [shape.B, shape.T] })) as [
      Tensor,
      Tensor,
    ];
    const loss = model.forward(ids).crossEntropy(targets);
    loss.backward();
    optimiser.step();
    optimiser.zeroGrad();
    return loss.data[0] as number;
  };
  return { result: () => Array.from({ length: comparedSteps }, step), run: step };
}

function trainingByOps(shape: GPTShape): Ready {
  const step = trainer(shape);
  return { result: () => Array.from({ length: comparedSteps }, step), run: step };
}

function prepare(work: Work): Ready | string {
  if (work.kind === "train" && !isByOps) return training(work.gpt);
  if (work.kind === "train") {
    const isSlow = device === "reference" && work.gpt.D > 64;
    return isSlow ? "left out: plain loops take half a minute a step" : trainingByOps(work.gpt);
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

const isByOps = process.argv[2] === "ops";
const device = currentDevice().name;
const threads = device === "wasm" ? Number(process.env.TWOHEADS_THREADS ?? 1) : 1;
const name = isByOps
  ? `core's ops, ${device}`
  : `twoheads, ${threads} thread${threads > 1 ? "s" : ""}`;

serve({ name, version, about: `${device} device`, prepare });
