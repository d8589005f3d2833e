// npm run real: what a text-generation loss does to a reward model on real preference data, as tables.
// Needs the shared data (TWOHEADS_DATA or ../shared/data) and about an hour of two cores; Ctrl-C stops it,
// and the same command goes on. The tables and what they show stand in ../lab/RESULTS.md.
// Next: ../lab/real/plan.ts.

import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { TwoheadsError } from "../core/index.ts";
import { experiments } from "../lab/real/plan.ts";
import { runPlan } from "../lab/real/run.ts";
import { tablesOf } from "../lab/real/tables.ts";
import { clockTime, display } from "./commands/progress.ts";
import { exitAsStopped, stopOnSignals } from "./commands/stop.ts";

const beside = fileURLToPath(new URL("../../shared/data", import.meta.url));
const data = process.env.TWOHEADS_DATA ?? beside;
const out = process.argv[2] ?? join("runs", "real");

async function real(): Promise<void> {
  if (!existsSync(data)) {
    throw new TwoheadsError(`real: no data at ${data}; name its folder in TWOHEADS_DATA`);
  }
  mkdirSync(out, { recursive: true });
  const screen = display();
  const stop = stopOnSignals(
    () => screen.say("stopping, what runs is saved; Ctrl-C again quits at once"),
    () => screen.end(),
  );
  const started = performance.now();
  const onDone = (done: number, of: number, what: string): void => {
    const seconds = (performance.now() - started) / 1000;
    const left = (seconds * (of - done)) / done;
    screen.say(`${done} of ${of}: ${what}; about ${clockTime(left)} left`);
  };
  try {
    await runPlan({ data, out, workers: 2, signal: stop.signal, onDone });
  } finally {
    screen.end();
    stop.dispose();
  }
  if (stop.signal.aborted) {
    console.log(`stopped; go on with: npm run real -- ${out}`);
    exitAsStopped();
    return;
  }
  console.log(experiments.map((experiment) => tablesOf(out, experiment)).join("\n\n"));
}

await real().catch((error: unknown) => {
  if (!(error instanceof TwoheadsError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
});
