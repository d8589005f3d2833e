// What the tests of sweeps share: a plan of sixty jobs that cost nothing, and the program as a process that can be
// watched and killed. Next: sweep.test.ts.

import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./folders.ts";

/** Sixty jobs of five seeds; everything runs, nothing is learnt. */
export const tinyPlan = {
  name: "tiny",
  fixed: {
    ...{ baseSteps: 4, dim: 16, layers: 1, pairs: 16, batchSize: 8, epochs: 1 },
    ...{ tests: 4, validation: 8, heldOut: 4, probeEpochs: 1 },
  },
  parts: [{ grid: { method: ["bt", "grm-sft", "lp-ft"], lr: [0.001, 0.01], flips: [0, 0.25] } }],
  seeds: { from: 1, count: 5 },
};

/** A process of the program. */
export interface Started {
  readonly child: ChildProcess;
  /** Its status; null if it was killed. */
  readonly ended: Promise<number | null>;
  /** What it printed so far. */
  said(): string;
  /** Its worker processes that are there now. */
  workers(): number[];
  /** Waits until something is there; throws if the process ends before, or after two minutes. */
  until<T>(look: () => T | undefined | false): Promise<T>;
}

/** Starts the program with these words. */
export function twoheadsProcess(words: readonly string[], env: NodeJS.ProcessEnv = {}): Started {
  const child = spawn(process.execPath, [join(root, "cli/bin.js"), ...words], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let text = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (some: Buffer) => {
      text += some;
    });
  const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
  const until = async <T>(look: () => T | undefined | false): Promise<T> => {
    for (let tries = 0; tries < 12_000; tries++) {
      const found = look();
      if (found !== undefined && found !== false) return found;
      if (child.exitCode !== null || child.signalCode !== null) break;
      await new Promise((wake) => setTimeout(wake, 10));
    }
    throw new Error(`the process ended, or it took two minutes: ${text}`);
  };
  return { child, ended, said: () => text, workers: () => childrenOf(child.pid ?? 0), until };
}

/** The processes that a process started, as Linux tells them. */
export function childrenOf(pid: number): number[] {
  try {
    const text = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8");
    return text.split(" ").filter(Boolean).map(Number);
  } catch {
    return []; // it is gone
  }
}
