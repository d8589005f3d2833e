// The memory of a plain training loop, nothing released by hand: what the device's pool and the process
// hold after more and more steps. It must not grow.
// Read next: ../kernels/wasm/memory.ts.

import { device, use } from "../core/index.ts";
import "../kernels/index.ts";
import type { WasmDevice } from "../kernels/index.ts";
import { trainingStep } from "./gpt.ts";
import type { RacesOptions } from "./races.ts";
import { progress, type ResultTable } from "./report.ts";
import { sizes } from "./works.ts";

const mib = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;

export async function memory(table: ResultTable, { quick }: RacesOptions): Promise<void> {
  use("wasm");
  const { statistics } = (device("wasm") as WasmDevice).wasm.pool;
  table.head("after", "pool, in use", "pool, held", "most in use", "js heap", "process");
  for (const [name, most] of quick
    ? ([["XS", 1e3]] as const)
    : ([
        ["XS", 1e4],
        ["S", 1e3],
      ] as const)) {
    const step = trainingStep(sizes[name]);
    let taken = 0;
    for (let steps = 1; steps <= most; steps *= 10) {
      for (; taken < steps; taken++) {
        if (taken % 50 === 0) progress(`memory ${name}: step ${taken} of ${most}`);
        step();
      }
      const { heapUsed, rss } = process.memoryUsage();
      const { inUse, held, peak } = statistics;
      const cells = [inUse, held, peak, heapUsed, rss].map(mib);
      const data = { name, steps, inUse, held, peak, heapUsed, rss };
      await table.row([`${name}, ${steps} steps`, ...cells], data);
    }
  }
}
