// npm run nightly: what takes too long for every change. 100,000 steps of ten kinds of loops in bounded memory, and 20,000 damaged
// files over all readers; some hours. Next: pool.test.ts, fuzz.test.ts.

import { spawnSync } from "node:child_process";

const flags = ["--import", "tsx", "--test", "--test-concurrency=2"];
const { status } = spawnSync(
  process.execPath,
  [...flags, "test/pool.test.ts", "test/fuzz.test.ts"],
  {
    env: { ...process.env, TWOHEADS_NIGHTLY: "1" },
    stdio: "inherit",
  },
);
process.exitCode = status ?? 1;
