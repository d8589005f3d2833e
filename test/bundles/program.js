// What runs in Node and in every browser, bundled or not: the README's model, twenty steps of it, and products
// that threads share. Its bits are compared. Plain JavaScript, as it stands in a page.
// Next: ../bundles.test.ts.

import { AdamW, CausalLM, DeviceError, randn, random, ready, tensor, use } from "twoheads";

export async function program(options) {
  const device = await ready(options);
  const model = new CausalLM({ vocabSize: 16, dim: 32, layers: 2, heads: 4 }, { rng: random(0) });
  const optimiser = new AdamW(model, { lr: 1e-2 });
  const ids = tensor([[3, 1, 4, 1, 5, 9, 2, 6]], { dtype: "int32" });
  const numbers = [];
  let last = "";
  for (let step = 1; step <= 20; step++) {
    const logits = model.forward(ids.slice({ dim: 1, end: -1 }));
    const loss = logits.crossEntropy(ids.slice({ dim: 1, start: 1 }));
    loss.backward();
    const norm = optimiser.step({ maxNorm: 1 });
    optimiser.zeroGrad();
    numbers.push(await loss.item(), await norm.item());
    last = `loss ${loss}, gradient norm ${norm}`;
  }
  const [a, b] = [0, 1].map((seed) => randn([256, 256], { rng: random(seed) }));
  const rounds = device.name === "wasm" ? 20 : 0; // the reference device takes long, and has other bits
  for (let i = 0; i < rounds; i++) numbers.push(await a.matmul(b).sum().item());
  return {
    last,
    numbers,
    device: device.name,
    threads: device.details?.threads ?? 0,
    wasm: named("wasm"),
  };
}

/** The device of that name, or why there is none. */
function named(name) {
  try {
    return use(name).name;
  } catch (error) {
    return `${error instanceof DeviceError ? "DeviceError" : "another error"}: ${error.message}`;
  }
}
