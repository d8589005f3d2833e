// Ops of their own that people write who have the package and nothing else: an elementwise one, whose derivative is wrong
// in the way that such things are (the chain rule's factor is forgotten), straight-through rounding, and softmax times a
// matrix in one loop with its definition. Compiled by ../package.test.ts with each TypeScript, and run there.
// Next: ../own.test.ts.

import {
  addMethods,
  custom,
  elementwise,
  fused,
  grad,
  gradcheck,
  type Tensor,
  tensor,
  within,
} from "twoheads";

/** (x + √(x² + 4)) / 2; its derivative lacks the half. */
export const squareplus = elementwise({
  name: "squareplus",
  forward: (x) => (x + Math.sqrt(x * x + 4)) / 2,
  vjp: (g, _y, x) => [g.mul(x.div(x.square().add(4).sqrt()).add(1))],
  draw: within(-3, 3),
});

export const roundSte = custom({
  name: "roundSte",
  forward: (x: Tensor) => x.round(),
  backward: (g) => [g],
});

/** softmax(scores) V: scores [n,k], v [k,width]. */
export const mix = fused({
  name: "mix",
  takes: "scores: Tensor, v: Tensor",
  definition: (scores: Tensor, v: Tensor) => scores.softmax({ dim: -1 }).matmul(v),
  saves: ["p"],
  infer: (scores, v) => [
    { shape: [scores.shape[0] ?? 0, v.shape[1] ?? 0], dtype: scores.dtype },
    { p: { shape: scores.shape, dtype: scores.dtype } },
  ],
  forward: ([y, { p }], scores, v) => {
    const [n = 0, k = 0] = scores.shape;
    const width = v.shape[1] ?? 0;
    for (let i = 0; i < n; i++) {
      const row = Array.from({ length: k }, (_, j) => scores.data[i * k + j] ?? 0);
      const max = Math.max(...row);
      const mass = row.reduce((sum, s) => sum + Math.exp(s - max), 0);
      row.forEach((s, j) => {
        const share = Math.exp(s - max) / mass;
        p.data[i * k + j] = share;
        for (let c = 0; c < width; c++)
          y.data[i * width + c] =
            (y.data[i * width + c] ?? 0) + share * (v.data[j * width + c] ?? 0);
      });
    }
  },
  backward: ([ds, dv], g, [y, { p }], scores, v) => {
    const [n = 0, k = 0] = scores.shape;
    const width = v.shape[1] ?? 0;
    for (let at = 0; at < n * k; at++) {
      const [i, j] = [Math.floor(at / k), at % k];
      for (let c = 0; c < width; c++) {
        const gy = (g.data[i * width + c] ?? 0) * (p.data[at] ?? 0);
        const [from, out] = [v.data[j * width + c] ?? 0, y.data[i * width + c] ?? 0];
        if (ds) ds.data[at] = (ds.data[at] ?? 0) + gy * (from - out);
        if (dv) dv.data[j * width + c] = (dv.data[j * width + c] ?? 0) + gy;
      }
    }
  },
});

declare module "twoheads/tensor" {
  interface Tensor {
    squareplus(): Tensor;
  }
}
addMethods({ squareplus });

const leaky = elementwise({
  name: "leaky",
  arity: 1,
  options: { slope: 0.01 },
  forward: (x, slope) => (x > 0 ? x : slope * x),
  vjp: (g, _y, x, { slope }) => [x.gt(0).where(g, g.mul(slope))],
});
export const half: Tensor = leaky(tensor([1]).squareplus(), { slope: 0.5 });

/** What must not compile; nobody calls it. */
export function wrong(): void {
  // @ts-expect-error: no such option
  leaky(half, { slop: 1 });
  // @ts-expect-error: one operand
  squareplus(half, half);
  // @ts-expect-error: two tensors
  mix(half);
  // @ts-expect-error: a gradient is a tensor
  custom({ forward: (x: Tensor) => x, backward: () => [1] });
}

function complaint(op: (x: Tensor) => Tensor): string {
  try {
    gradcheck(op, tensor([0.5], { dtype: "float64" }));
    return "fine";
  } catch (error) {
    return error instanceof Error ? error.message : "?";
  }
}

/** What the three ops do on a device, in a line. */
export async function report(device: string): Promise<string> {
  const put = (values: number[][]): Tensor => tensor(values).onDevice(device).requiresGrad_();
  const x = put([[0.5, 1.75]]);
  const v = put([
    [1, 2],
    [0.5, -1],
  ]);
  const ones = await grad(roundSte(x).sum(), x)[0]?.read();
  const [first] = grad(mix(x, v).square().sum(), x, { createGraph: true });
  const second = first ? grad(first.square().sum(), v)[0] : null;
  const numbers = [...((await second?.read()) ?? [])].map((n) => n.toFixed(4));
  return `${complaint(squareplus)}; roundSte ${[...(ones ?? [])].join(" ")}; mix ${numbers.join(" ")}`;
}
