// Causal attention forward and backward, one thread: GFLOP/s of the products that the mask leaves.
// Read next: ../../kernels/wasm/attention.as.ts.

import { spread, time, validate } from "../measure.ts";
import { digits, duration, type Table } from "../report.ts";
import { get, given, one } from "./shared.ts";

export async function attention(table: Table): Promise<void> {
  table.head("[B, H, T, D]", "forward", "spread", "GFLOP/s", "backward", "spread", "GFLOP/s");
  for (const [B, H, T, D] of [
    [16, 4, 64, 16],
    [16, 4, 64, 32],
    [2, 4, 256, 64],
    [1, 4, 1024, 64],
  ] as const) {
    const n = B * H * T * D;
    const [q, k, v, g] = [1, 2, 3, 4].map((seed) => given(n, seed)[0]) as [number, ...number[]];
    const [o, dq, dk, dv] = [0, 0, 0, 0].map(() => one.alloc(4 * n)) as [number, ...number[]];
    const [lse, delta] = [one.alloc(4 * B * H * T), one.alloc(4 * B * H * T)];
    const shape = layout(B, H, T, D);
    const forward = () =>
      one.run("attention", B * H * Math.ceil(T / 64), 1, 1, shape, q, k!, v!, o, lse);
    const backward = () =>
      one.run("attentionGrad", B * H, 1, 1, shape, g!, q, k!, v!, o, lse, dq!, dk!, dv!, delta);
    forward();
    validate("attention, first row", get(o, D), get(v!, D), 1e-6); // it sees only itself
    const work = 2 * B * H * T * T * D; // two products, half of each masked away
    const [there, back] = [time(forward), time(backward)];
    const cells = [there, back].flatMap((t, i) => {
      const rate = (work * (i === 0 ? 1 : 2.5)) / t.median / 1e9; // five products on the way back
      return [duration(t.median), spread(t), digits(rate)];
    });
    await table.row([`[${B}, ${H}, ${T}, ${D}]`, ...cells], { forward: there, backward: back });
  }
}

/** What the kernel reads: sizes, then the strides of q, k, v and o, then no mask. */
function layout(B: number, H: number, T: number, D: number): number {
  const s = [H * T * D, T * D, D];
  const at = one.layout([B, H, H, T, T, D, 1, 0, 0, ...s, ...s, ...s, ...s, 0, 0, 0, 0, 0, 0]);
  one.f32[(at >> 2) + 8] = 1 / Math.sqrt(D);
  return at;
}
