// Causal attention forward and backward, one thread: GFLOP/s of the products that the mask leaves.
// Held against core's reference device.
// Read next: ../../kernels/wasm/attention.as.ts.

import { grad, scaledDotProductAttention, type Tensor } from "../../core/index.ts";
import { spread, time, validate } from "../measure.ts";
import { digits, duration, type ResultTable } from "../report.ts";
import { get, given, on, one } from "./shared.ts";

type Four = [number, number, number, number];

export async function attention(table: ResultTable): Promise<void> {
  table.head("[B, H, T, D]", "forward", "spread", "GFLOP/s", "backward", "spread", "GFLOP/s");
  for (const [B, H, T, D] of [
    [16, 4, 64, 16],
    [16, 4, 64, 32],
    [2, 4, 256, 64],
    [1, 4, 1024, 64],
  ] as const) {
    const n = B * H * T * D;
    const inputs = [1, 2, 3, 4].map((seed) => given(n, seed));
    const [q, k, v, g] = inputs.map(([at]) => at) as Four;
    const [o, dq, dk, dv] = [0, 0, 0, 0].map(() => one.alloc(4 * n)) as Four;
    const [largest, mass] = [0, 0].map(() => one.alloc(4 * B * H * T)) as [number, number];
    const shape = layout(B, H, T, D);
    const forward = () =>
      one.run("attention", B * H * Math.ceil(T / 64), 1, 1, shape, q, k, v, o, largest, mass);
    const backward = () =>
      one.run("attentionGrad", B * H, 1, 1, shape, g, q, k, v, o, largest, mass, dq, dk, dv);
    forward();
    backward();
    checkFirstHead(
      [T, D],
      inputs.map(([, values]) => values),
      [o, dq, dk, dv],
    );
    const work = 2 * B * H * T * T * D; // two products, half of each masked away
    const [there, back] = [time(forward), time(backward)];
    const cells = [there, back].flatMap((t, i) => {
      const rate = (work * (i === 0 ? 1 : 2.5)) / t.median / 1e9; // five products on the way back
      return [duration(t.median), spread(t), digits(rate)];
    });
    await table.row([`[${B}, ${H}, ${T}, ${D}]`, ...cells], { forward: there, backward: back });
    for (const at of [q, k, v, g, o, dq, dk, dv]) one.free(at, 4 * n);
    for (const at of [largest, mass]) one.free(at, 4 * B * H * T);
  }
}

/** What the kernel reads: sizes, then the strides of q, k, v and o, then no mask. */
function layout(B: number, H: number, T: number, D: number): number {
  const s = [H * T * D, T * D, D];
  const at = one.layout([B, H, H, T, T, D, 1, 0, 0, ...s, ...s, ...s, ...s, 0, 0, 0, 0, 0, 0]);
  one.f32[(at >> 2) + 8] = 1 / Math.sqrt(D);
  return at;
}

/** The result and the three gradients of the first head of the first sequence. */
function checkFirstHead(
  shape: readonly [number, number],
  inputs: readonly Float32Array[],
  outputs: readonly number[],
): void {
  const size = shape[0] * shape[1];
  const [q, k, v, g] = inputs.map((values) => on(shape, values).requiresGrad_()) as [
    Tensor,
    Tensor,
    Tensor,
    Tensor,
  ];
  const y = scaledDotProductAttention(q, k, v, { causal: true });
  const want = [y, ...(grad(y, [q, k, v], { gradOutputs: g }) as Tensor[])];
  const names = ["attention", "dq", "dk", "dv"];
  for (const [i, name] of names.entries())
    validate(name, get(outputs[i]!, size), want[i]!.data, 1e-5);
}
