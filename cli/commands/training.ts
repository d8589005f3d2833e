// What the commands that train have in common: Ctrl-C, lines that are kept and told,
// and what is said of a run that was stopped. Next: pretrain.ts, train.ts, ppo.ts.

import type { Rewound } from "../../nn/run/folder.ts";
import type { Display } from "./progress.ts";
import { stopOnSignals } from "./stop.ts";

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

/** What is said of a run that goes on, and of its metrics. */
export function goingOn(after: string, { again, lost }: Rewound): string[] {
  return [
    `going on after ${after}`,
    ...(again > 0 ? [`${again} lines of metrics came after it; they are made again`] : []),
    ...(lost > 0
      ? [`${lost} lines of metrics that came before it are lost; figures have a gap`]
      : []),
  ];
}

/** What is said of a run that has nothing left to do. */
export const nothingLeft = (path: string): string =>
  `the run in ${path} is finished, and nothing of it is missing`;

/** What is said of a run that was stopped. */
export function howToGoOn(command: string, after: string, path: string): string {
  return `stopped after ${after}; go on with: npx twoheads ${command} --resume ${path}`;
}
