// How inputs are drawn: core's Draw, which ops ask for their arguments, over fast-check. Numbers lie on a grid of
// quarters, so that a counterexample shrinks to [0.5, -1]. Next: arbitraries.ts for what people draw, property.ts.

import fc from "fast-check";
import {
  ArgumentError,
  type Domain,
  type Draw,
  random,
  type Tensor,
  tensor,
  within,
} from "../core/index.ts";
import type { Described, Entry } from "../core/op.ts";
import { sizeOf } from "../core/shape.ts";

/** The example and the draw of an entry, which every entry of these sources has. */
export function described({ name, example, draw }: Entry): Described {
  if (example === undefined || draw === undefined)
    throw new ArgumentError(`${name} lacks an example or what to draw`);
  return { example, draw };
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

/**
 * What a check draws from: a function of a Draw that returns arguments; an arbitrary of arguments, or of the only
 * one; a list with an arbitrary for each.
 */
export type Drawing<T extends readonly unknown[] = readonly unknown[]> =
  | ((d: Draw) => readonly unknown[] | Tensor)
  | fc.Arbitrary<T>
  | fc.Arbitrary<Tensor>
  | { readonly [K in keyof T]: fc.Arbitrary<T[K]> };

function isArbitrary(value: unknown): value is fc.Arbitrary<unknown> {
  return value !== null && typeof value === "object" && "generate" in value;
}

/** The arguments that a drawing draws, as an arbitrary of lists. */
export function argumentsOf(name: string, drawing: unknown): fc.Arbitrary<readonly unknown[]> {
  const listed = (x: unknown): readonly unknown[] => (Array.isArray(x) ? x : [x]);
  // drawn when it is generated, not when it is tried: a path through shrunk values is walked without trying them
  if (typeof drawing === "function") return fc.gen().map((gen) => listed(drawing(drawFrom(gen))));
  if (isArbitrary(drawing)) return drawing.map(listed);
  if (Array.isArray(drawing) && drawing.length > 0 && drawing.every(isArbitrary))
    return fc.tuple(...(drawing as fc.Arbitrary<unknown>[]));
  throw new ArgumentError(
    `${name}: draw must be a function, an arbitrary or a list of arbitraries; write [tensors()], or ` +
      "(d) => [d.tensor([2, 3])]",
  );
}
