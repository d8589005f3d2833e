// What the commands that train have in common: where a run may begin, Ctrl-C, lines that are kept and told,
// and what is said of a run that was stopped. Next: pretrain.ts, train.ts, ppo.ts.

import { ArgumentError } from "../../core/index.ts";
import type { Display } from "./progress.ts";
import { stopOnSignals } from "./stop.ts";

/** An ArgumentError unless a run may begin in the folder. */
export function checkFree(
  command: string,
  { path, isTaken }: { readonly path: string; readonly isTaken: boolean },
): void {
  if (!isTaken) return;
  throw new ArgumentError(
    `${command}: ${path} holds a run or a model already; go on with it, --resume ${path}, or choose another --out`,
  );
}

/** Does some work that the first Ctrl-C ends after the step or round that it is at. */
export async function stoppable<T>(
  screen: Display,
  unit: "step" | "round",
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const stop = stopOnSignals(
    () => screen.say(`stopping after this ${unit}; Ctrl-C again quits at once`),
    () => screen.end(),
  );
  try {
    return await work(stop.signal);
  } finally {
    stop.dispose();
  }
}

/** Keeps each line in the run's folder and tells a person what is worth it. */
export function keepAndTell<Line>(
  folder: { record(line: Line): void },
  screen: Display,
  describe: (line: Line) => string | null,
): (line: Line) => void {
  return (line) => {
    folder.record(line);
    const message = describe(line);
    if (message !== null) screen.say(message);
  };
}

/** What is said of a run that was stopped. */
export function howToGoOn(command: string, after: string, path: string): string {
  return `stopped after ${after}; go on with: npx twoheads ${command} --resume ${path}`;
}
