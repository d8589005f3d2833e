// The suite in a process of its own, for WebGPU in Node: its driver is chosen by environment variables
// that must be there when the process starts. Prints what it found as JSON. Next: ../gpu.node.test.ts.

import type { Mode } from "../../kernels/index.ts";
import { suite } from "./suite.ts";

const [, , mode = "webgpu", runs = "1", steps = "50"] = process.argv;
try {
  const findings = await suite(mode as Mode, { runs: Number(runs), steps: Number(steps) });
  process.stdout.write(`${JSON.stringify(findings)}\n`, () => process.exit(0));
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`, () =>
    process.exit(1),
  );
}
