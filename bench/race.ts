// A race: every contestant, in a process of its own, makes ready for the same work; the results are
// held against each other; then they take turns, A B C A B C, until each has had its rounds. So a
// machine that is slower for a minute is slower for all of them.
// Read next: runner.ts, a contestant's process; contestant.ts, the other end of the line.

import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { TimingSample } from "./contestant.ts";
import { summary, type Timing, validate } from "./measure.ts";
import { progress } from "./report.ts";
import { type Entrant, Runner } from "./runner.ts";
import { nameOf, type Work } from "./works.ts";

/** What one contestant did. `timing` is missing where it couldn't, and `note` says why. */
export interface Finish {
  readonly name: string;
  readonly version: string;
  readonly about: string;
  readonly timing?: Timing;
  /** Fewer than three turns were calm: other processes wanted the cores. */
  readonly isDisturbed?: boolean;
  readonly peakBytes?: number;
  /** The largest |result - ours| / (1 + |ours|). */
  readonly deviation?: number;
  readonly note?: string;
}

export interface RaceOptions {
  /** Turns that each contestant gets; one that is slow gets three at least. */
  readonly rounds: number;
  /** Length of a turn; a turn is one run at least. */
  readonly milliseconds: number;
  /** Greatest difference from ours that still counts as the same result, relative to 1 + |ours|. */
  readonly tolerance: number;
}

/** Seconds in all that a slow contestant may take for its rounds beyond the third. */
const patience = 30;

/** A turn in which the process was preempted at most so often a second counts as calm. */
const calm = 20;

export const peersInstalled = existsSync(
  fileURLToPath(new URL("peers/node_modules", import.meta.url)),
);

export const ours = (threads: number): Entrant => ({
  file: "twoheads.ts",
  env: { TWOHEADS_THREADS: String(threads) },
});

/** Ours on one thread with wide lanes, where the engine may have them. */
export const oursWide: readonly Entrant[] =
  process.arch === "x64" && Number.parseInt(process.versions.v8, 10) >= 13
    ? [{ file: "twoheads.ts", env: { TWOHEADS_THREADS: "1", TWOHEADS_WIDE: "1" } }]
    : [];

/** The definition of a work in core's ops on the reference device: what it all must agree with. */
export const textbook: Entrant = {
  file: "twoheads.ts",
  args: ["textbook"],
  env: { TWOHEADS_DEVICE: "reference" },
};

export const peers: readonly Entrant[] = peersInstalled
  ? [
      { file: "peers/jax.ts", args: ["jit"] },
      { file: "peers/jax.ts", args: ["eager"] },
      { file: "peers/tfjs.ts" },
      { file: "peers/jspytorch.ts" },
      { file: "peers/gpujs.ts" },
    ]
  : [];

/** Who else takes part where there is a gradient. */
export const trainingPeers: readonly Entrant[] = peersInstalled
  ? [{ file: "peers/jax.ts", args: ["gradient"] }]
  : [];

export const howToInstall =
  "the peers aren't installed, so we run alone: npm ci --prefix bench/peers installs them";

/** A contestant in the race: who it is, what it has shown, its timings so far. */
interface Lane {
  readonly runner: Runner;
  readonly who: Pick<Finish, "name" | "version" | "about">;
  readonly turns: TimingSample[];
  result?: Float64Array;
  deviation?: number;
  note?: string;
  out: boolean;
}

/** Runs a work on all entrants. The first one is ours: its result is what the others must match. */
export async function race(
  work: Work,
  entrants: readonly Entrant[],
  options: RaceOptions,
): Promise<Finish[]> {
  const runners = entrants.map((entrant) => new Runner(entrant));
  const stop = () => {
    for (const runner of runners) runner.stop();
  };
  process.once("exit", stop);
  try {
    const lanes = await Promise.all(runners.map((runner, i) => enter(runner, entrants[i]?.title)));
    for (const lane of lanes) await makeReady(lane, work);
    compare(nameOf(work), lanes, options.tolerance);
    await takeTurns(nameOf(work), lanes, options);
    return lanes.map(finishOf);
  } finally {
    stop();
    process.off("exit", stop);
  }
}

async function enter(runner: Runner, title?: string): Promise<Lane> {
  const answer = await runner.hear();
  const lane = { runner, turns: [], out: false };
  if ("hello" in answer)
    return { ...lane, who: { ...answer.hello, ...(title !== undefined && { name: title }) } };
  const note = "cannot" in answer ? answer.cannot : "did not say hello";
  return { ...lane, who: { name: title ?? "?", version: "?", about: "" }, out: true, note };
}

async function makeReady(lane: Lane, work: Work): Promise<void> {
  if (lane.out) return;
  progress(`${nameOf(work)}: ${lane.who.name} makes ready`);
  const answer = await lane.runner.ask({ prepare: work });
  if ("result" in answer) lane.result = answer.result;
  if ("cannot" in answer) lane.out = true;
  const note = "cannot" in answer ? answer.cannot : "result" in answer ? answer.note : undefined;
  if (note !== undefined) lane.note = note;
}

/** Puts out who differs from the first; if the first failed there is nothing to compare with. */
function compare(name: string, lanes: readonly Lane[], tolerance: number): void {
  const want = lanes[0]?.result;
  if (want === undefined) throw new Error(`${name}: ours failed: ${lanes[0]?.note}`);
  for (const lane of lanes) {
    if (lane.result === undefined) continue;
    const got = lane.result;
    lane.deviation = want.reduce(
      (most, w, i) => Math.max(most, Math.abs((got[i] as number) - w) / (1 + Math.abs(w))),
      0,
    );
    try {
      validate(`${name}, ${lane.who.name}`, got, want, tolerance);
    } catch (error) {
      lane.out = true;
      lane.note = (error as Error).message;
    }
  }
}

/** How many turns long the warm-up is: the engine compiles what a training step calls over some 1,000 steps. */
const warmUp = 5;

async function takeTurns(name: string, lanes: readonly Lane[], options: RaceOptions) {
  const { rounds, milliseconds } = options;
  for (let round = 0; round <= rounds; round++) {
    for (const lane of lanes) {
      const spent = lane.turns.flatMap(({ seconds }) => seconds).reduce((a, b) => a + b, 0);
      if (lane.out || (lane.turns.length >= 3 && spent > patience)) continue;
      progress(`${name}: round ${round} of ${rounds}, ${lane.who.name}`);
      const length = round === 0 ? warmUp * milliseconds : milliseconds;
      const answer = await lane.runner.ask({ sample: { milliseconds: length } });
      if (!("seconds" in answer)) {
        lane.out = true;
        lane.note = "cannot" in answer ? answer.cannot : "did not run";
      } else if (round > 0) {
        lane.turns.push(answer);
      }
    }
  }
}

/** Of the calm turns; if they are few, of the three calmest. Chosen by preemptions, not by times. */
function finishOf({ who, turns, deviation, note, out }: Lane): Finish {
  const sorted = [...turns].sort((a, b) => a.preemptions - b.preemptions);
  const calmTurns = sorted.filter(({ preemptions }) => preemptions <= calm);
  const isDisturbed = calmTurns.length < Math.min(3, turns.length);
  const counted = isDisturbed ? sorted.slice(0, 3) : calmTurns;
  const timing = summary(counted.flatMap(({ seconds }) => seconds));
  const peakBytes = Math.max(...turns.map((turn) => turn.peakBytes));
  return {
    ...who,
    ...(!out && turns.length > 0 && { timing, isDisturbed, peakBytes }),
    ...(deviation !== undefined && { deviation }),
    ...(note !== undefined && { note }),
  };
}
