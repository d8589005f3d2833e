// Does one job of gpuWork.ts in a process of its own. Read next: gpu.ts, which starts it.

import "../kernels/index.ts";
import { type GpuJob, work } from "./gpuWork.ts";

process.once("message", async (job: GpuJob) => {
  try {
    process.send?.(await work(job));
  } catch (error) {
    process.send?.({ error: error instanceof Error ? error.message : String(error) });
  }
});
