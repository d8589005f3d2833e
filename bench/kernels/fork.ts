// What it costs to share a job with a second thread: alone; with a worker that looks out for work;
// with one that sleeps. worthSharing in kernels/wasm/kernels.ts comes from here.
// Read next: ../../kernels/wasm/threads.ts.

import { createWasm } from "../../kernels/wasm/kernels.ts";
import { summary, validate } from "../measure.ts";
import { duration, type ResultTable } from "../report.ts";
import { get } from "./shared.ts";

/** The median of 100 single calls in seconds, each after `pause` milliseconds of something else. */
function after(pause: number, body: () => void): number {
  const timings = Array.from({ length: 100 }, () => {
    for (const end = performance.now() + pause; performance.now() < end; );
    const start = performance.now();
    body();
    return (performance.now() - start) / 1e3;
  });
  return summary(timings).median;
}

export async function fork(table: ResultTable): Promise<void> {
  const two = createWasm({ threads: 2, worthSharing: 0 });
  const at = two.alloc(1 << 22);
  table.head("exp", "alone", "awake", "asleep");
  for (const n of [64, 4096, 16384, 65536, 262144, 1 << 20]) {
    const alone = () => (two.exports.unaryExp as (...a: number[]) => void)(0, n, at, at);
    const shared = () => two.run("unaryExp", n, 1, 16, at, at);
    two.f32.fill(0, at >> 2, (at >> 2) + n);
    shared();
    validate("exp, shared", get(at, n, two), new Float32Array(n).fill(1), 0);
    const timings = [after(0.02, alone), after(0.02, shared), after(2, shared)];
    await table.row([`${n} elements`, ...timings.map(duration)], { n, timings });
  }
}
