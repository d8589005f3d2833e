// What double precision must give in every engine, whose own Math.exp and kin differ in the last bit: the
// portable functions over their ranges and edges, and five steps of a small GPT in float64 on the
// reference device. Runs in any engine: `console.log(float64Hash())`. Next: ../golden.test.ts.

import { portable, randint, random, scope, use } from "../../core/index.ts";
import { AdamW, CausalLM } from "../../nn/index.ts";
import { runs } from "./losses.ts";

const edges = [0, -0, 1, -1, 2, -2, 0.5, 5e-324, 1e-310, 1e308, 1e22, Infinity, -Infinity, NaN];

/** Numbers of every size: ± m 2^e. */
function* inputs(count: number): Generator<number> {
  yield* edges;
  const rng = random("float64");
  for (let i = 0; i < count; i++) yield (rng.uniform() - 0.5) * 2 ** (i % 64) * 2 ** -32;
}

function* numbers(): Generator<number> {
  const { pow, ...unary } = portable;
  for (const x of inputs(2000)) {
    for (const fn of Object.values(unary)) yield fn(x);
    for (const y of edges) yield pow(x, y);
    yield pow(Math.abs(x), (x % 8) * 3.7);
  }
  use("reference");
  for (const options of Object.values(runs)) {
    const rng = random("golden");
    const model = new CausalLM(options, { rng: rng.fork("model") }).to("float64");
    const optimiser = new AdamW(model, { lr: 3e-3 });
    for (let step = 0; step < 5; step++) {
      yield scope(() => {
        const ids = randint([1, 12], { high: 61, rng });
        const loss = model.train({ rng }).forward(ids).crossEntropy(ids);
        loss.backward();
        optimiser.step();
        optimiser.zeroGrad();
        return loss;
      }).data[0] as number;
    }
  }
}

/** FNV-1a over the bytes of all those numbers, every NaN alike, as eight hexadecimal digits. */
export function float64Hash(): string {
  let h = 0x811c9dc5;
  const double = new Float64Array(1);
  const bytes = new Uint8Array(double.buffer);
  for (const x of numbers()) {
    double[0] = x;
    if (Number.isNaN(x)) bytes.fill(0xff);
    for (const byte of bytes) h = Math.imul(h ^ byte, 0x01000193);
  }
  return (h >>> 0).toString(16).padStart(8, "0");
}
