// The property tests' common part: how they draw what an op's entry asks for (core/draw.ts, over
// fast-check), how often they run, and what a failure prints: the shrunk counterexample and a command
// that replays exactly it. Next: ops.test.ts.

import fc from "fast-check";
import { type Domain, type Draw, random, Tensor, tensor, within } from "../core/index.ts";
import { sizeOf } from "../core/shape.ts";

/** How many inputs each property draws; TWOHEADS_RUNS overrides it. */
export const RUNS = Number(process.env.TWOHEADS_RUNS ?? 25);

/**
 * Runs a property over drawn inputs. On failure the message holds the smallest counterexample, printed by
 * `show`, and a command that replays it.
 */
export function holds<T>(
  name: string,
  draw: (d: Draw) => T,
  predicate: (drawn: T) => void,
  { runs = RUNS, show = showArguments }: { runs?: number; show?: (drawn: T) => string } = {},
): void {
  let smallest: T | undefined;
  let cause: unknown;
  const property = fc.property(fc.gen(), (gen) => {
    const drawn = draw(drawFrom(gen));
    try {
      predicate(drawn);
    } catch (error) {
      [smallest, cause] = [drawn, error];
      throw error;
    }
  });
  const [, seed, path] = /^(-?\d+):(.*)$/.exec(process.env.TWOHEADS_REPLAY ?? "") ?? [];
  const again = path === undefined ? {} : { seed: Number(seed), path, endOnFailure: true };
  const report = fc.check(property, { numRuns: runs, ...again });
  if (!report.failed) return;
  const message = cause instanceof Error ? cause.message : String(report.errorInstance ?? "failed");
  throw new Error(
    `${name}: ${message}\n  counterexample: ${smallest === undefined ? "none" : show(smallest)}\n` +
      `  replay: TWOHEADS_REPLAY="${report.seed}:${report.counterexamplePath ?? ""}" ` +
      `npm test -- --test-name-pattern="${name}"`,
    { cause },
  );
}

/** Arguments as a person would write them. */
export function showArguments(drawn: unknown): string {
  if (drawn instanceof Tensor) {
    return `tensor(${JSON.stringify(drawn.toArray())}, { dtype: "${drawn.dtype}" }) of [${drawn.shape}]`;
  }
  if (Array.isArray(drawn)) return drawn.map(showArguments).join(", ");
  if (drawn !== null && typeof drawn === "object") {
    return `{${Object.entries(drawn).map(([key, value]) => `${key}: ${showArguments(value)}`)}}`;
  }
  return String(drawn);
}

/** core's Draw over a fast-check generator. Tensors are float64 on a grid of quarters. */
export function drawFrom(gen: fc.GeneratorValue): Draw {
  const integer = (low: number, high: number): number => gen(fc.integer, { min: low, max: high });
  const pick = <T>(...choices: readonly T[]): T => choices[integer(0, choices.length - 1)] as T;
  const shape: Draw["shape"] = ({ minRank = 0, maxRank = 4, minSide = 0, maxSide = 3 } = {}) =>
    Array.from({ length: integer(minRank, maxRank) }, () => integer(minSide, maxSide));
  const numbers = (size: number, { low, high, offset, distinct }: Domain): number[] => {
    if (distinct) {
      const order = random(integer(0, 1e6)).permutation(size);
      return [...order].map((rank) => low + ((high - low) * (rank + 0.5)) / size);
    }
    const grid = fc.integer({
      min: Math.ceil(low * 4),
      max: Math.floor(high * 4) - (offset > 0 ? 1 : 0),
    });
    return gen(fc.array, grid, { minLength: size, maxLength: size }).map((n) => n / 4 + offset);
  };
  return {
    rng: random(integer(0, 1e6)),
    integer,
    pick,
    shape,
    broadcast: (to) => to.slice(integer(0, to.length)).map((side) => pick(side, 1)),
    tensor: (sides, domain = within(-3, 3)) =>
      tensor(Float64Array.from(numbers(sizeOf(sides), domain)), { shape: sides }),
    indices: (sides, size) =>
      tensor(
        Int32Array.from({ length: sizeOf(sides) }, () => integer(0, Math.max(0, size - 1))),
        { shape: sides },
      ),
    mask: (sides) =>
      tensor(
        Uint8Array.from({ length: sizeOf(sides) }, () => integer(0, 1)),
        { shape: sides },
      ),
  };
}
