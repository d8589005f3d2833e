// The property tests' common part: how often they run, and what a failure prints: the shrunk counterexample
// and a command that replays exactly it. Next: drawFrom.ts for how they draw, ops.test.ts.

import { relative } from "node:path";
import { beforeEach } from "node:test";
import fc from "fast-check";
import type { Draw } from "../core/index.ts";
import { drawFrom, showArguments } from "./drawFrom.ts";

/** How many inputs each property draws; TWOHEADS_RUNS overrides it. */
export const RUNS = Number(process.env.TWOHEADS_RUNS ?? 25);

/** The test that runs, and how many properties it has begun. */
let running = { name: "", properties: 0 };
beforeEach(({ name }) => {
  running = { name, properties: 0 };
});

/** How a property is run: how often, from which seed (unless said, another one each time), how inputs are shown. */
export interface PropertyOptions<T> {
  readonly runs?: number;
  readonly seed?: number;
  readonly show?: (drawn: T) => string;
}

/**
 * Runs a property over drawn inputs. On failure the message holds the smallest counterexample, printed by
 * `show`, and a command that replays it.
 */
export function holds<T>(
  name: string,
  draw: (d: Draw) => T,
  predicate: (drawn: T) => void,
  { show = showArguments, ...options }: PropertyOptions<T> = {},
): void {
  // drawn when it is generated, not when it is tried: a path through shrunk values is walked without trying them
  const drawn = fc.gen().map((gen) => ({ value: draw(drawFrom(gen)) }));
  const property = fc.property(drawn, ({ value }) => predicate(value));
  checkProperty(name, property, { ...options, show: ([{ value }]) => show(value) });
}

/** Checks a property of fast-check's own; a failure says the same as one of `holds`. */
export function checkProperty<T>(
  name: string,
  property: fc.IProperty<T>,
  { runs = RUNS, seed: first, show = fc.stringify }: PropertyOptions<T> = {},
): void {
  const ordinal = ++running.properties;
  const report = fc.check(property, {
    numRuns: runs,
    ...(first !== undefined && { seed: first }),
    ...replayed<T>(ordinal),
  });
  if (!report.failed) return;
  const { seed, counterexample, counterexamplePath, errorInstance: cause } = report;
  const message = cause instanceof Error ? cause.message : String(cause ?? "failed");
  const shown = counterexample === null ? "none" : show(counterexample);
  const place = `${ordinal}:${seed}:${counterexamplePath ?? ""}`;
  throw new Error(
    `${name}: ${message}\n  counterexample: ${shown}\n  replay: ${replayCommand(place)}`,
    { cause },
  );
}

/**
 * Runs one case of one property in the test that runs now, on every Node and from every shell: a character
 * of the test's name that one of them could misread is any character in the pattern.
 */
function replayCommand(place: string): string {
  const file = relative(process.cwd(), process.argv[1] ?? "").replaceAll("\\", "/");
  const pattern = running.name.replaceAll(/[^\p{L}\p{N} ,:=_-]/gu, ".").replace(/^-/, ".");
  return `npm run test:one -- ${file} "${pattern}" --replay=${place}`;
}

/** How fast-check draws a case again, if this is the property that is asked for. */
function replayed<T>(ordinal: number): fc.Parameters<T> {
  const asked = /^(\d+):(-?\d+):(.*)$/.exec(process.env.TWOHEADS_REPLAY ?? "");
  if (Number(asked?.[1]) !== ordinal) return {};
  return { seed: Number(asked?.[2]), path: asked?.[3] ?? "", endOnFailure: true };
}
