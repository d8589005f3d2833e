// Larger shapes than the op table draws: reductions in several rounds, lines longer than any default
// loop limit, batches along three axes, and indices in the millions, which must be exact although they
// are counted in float32. Runs in Node and in browsers. Next: suite.ts.

import {
  arange,
  cat,
  embedding,
  noGrad,
  rand,
  randn,
  random,
  type Tensor,
  tensor,
  use,
} from "../../core/index.ts";

type Make = (rng: ReturnType<typeof random>) => Tensor;

/** Computations whose result is compared with the reference device's. */
const cases: Readonly<Record<string, Make>> = {
  "a sum of 100,000": (rng) => randn([100_000], { rng }).sum(),
  "sums of 3,000 rows": (rng) => rand([3, 3000, 2], { rng }).sum({ dims: 1 }),
  "the position of the largest of 5,000": (rng) => randn([2, 5000], { rng }).argmax({ dims: 1 }),
  "running sums of 1,500": (rng) => rand([1500], { rng }).cumsum({ dim: 0, reverse: true }),
  "softmax of 3,000": (rng) => randn([2, 3000], { rng }).softmax({ dim: -1 }),
  "a product of 70 x 130 x 90": (rng) =>
    randn([70, 130], { rng }).matmul(randn([130, 90], { rng })),
  "batches along three axes": (rng) =>
    randn([2, 1, 3, 4, 5], { rng }).matmul(randn([1, 3, 1, 5, 2], { rng })),
  "a sort of 500": (rng) => randn([500], { rng }).argsort({ descending: true }),
  "300 rows of a table": (rng) =>
    embedding(
      randn([40, 16], { rng }),
      tensor(Int32Array.from({ length: 300 }, (_, i) => (i * 7) % 40)),
    ),
  "three parts along an inner axis": (rng) => {
    const part = (n: number): Tensor => randn([3, n, 4], { rng });
    return cat([part(1), part(5), part(2)], { dim: 1 }).permute([2, 0, 1]);
  },
  "a mean of int32": () =>
    tensor(Int32Array.of(1, 2, 4))
      .to("float32")
      .mean(),
};

/** A permutation of 2^21 elements, of which a few are compared: an index that is one off shows. */
async function permuted(device: string): Promise<string[]> {
  use(device);
  const [n, m] = [2999, 699];
  const x = await arange(0, n * m)
    .to("float32")
    .reshape([n, m])
    .transpose()
    .read();
  const wrong = x.findIndex((value, i) => value !== (i % n) * m + Math.floor(i / n));
  return wrong < 0 ? [] : [`a transposed [${n}, ${m}]: ${x[wrong]} at ${wrong}`];
}

/** What differs from the reference device by more than `tolerance`; nothing, if all is well. */
export async function sizes(device: string, tolerance: number): Promise<string[]> {
  const wrong: string[] = [];
  for (const [name, make] of Object.entries(cases)) {
    const [actual, expected] = await Promise.all(
      [device, "reference"].map((where) => {
        use(where);
        return noGrad(() => make(random(name))).read();
      }),
    );
    expected?.forEach((y, i) => {
      const x = actual?.[i] ?? Number.NaN;
      if (wrong.at(-1)?.startsWith(name)) return;
      if (!(Math.abs(x - y) <= tolerance * Math.max(1, Math.abs(y))))
        wrong.push(`${name}: ${x} instead of ${y} at ${i}`);
    });
  }
  wrong.push(...(await permuted(device)));
  use("reference");
  return wrong;
}
