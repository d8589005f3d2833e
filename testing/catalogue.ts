// How good is the check? A catalogue of the mistakes that people make in gradients, each drawn as a user's test would draw
// it, and how many of them are caught by how many draws: `twoheads check --catalogue` prints the table that
// docs/testing.md shows. Next: planted.ts for mistakes that gradcheck alone must see at one point.

import fc from "fast-check";
import { type Draw, noGrad, type Tensor, tensor, within } from "../core/index.ts";
import { gradientsHold } from "./checks.ts";
import { drawFrom } from "./draw.ts";
import { claim, type TensorFunction } from "./planted.ts";

/** One kind of mistake: a right function, the same values with wrong gradients, and what a test draws for them. */
export interface Mistake {
  readonly what: string;
  readonly right: TensorFunction;
  readonly wrong: TensorFunction;
  readonly draw: (d: Draw) => readonly Tensor[];
}

const any = (d: Draw): readonly Tensor[] => [d.tensor(d.shape({ maxRank: 3 }))];
const atLeastOne = (d: Draw): readonly Tensor[] => [d.tensor(d.shape({ maxRank: 3, minSide: 1 }))];
const matrix = (d: Draw): readonly Tensor[] => [d.tensor([d.integer(1, 3), d.integer(1, 3)])];

const mistake = (
  what: string,
  draw: Mistake["draw"],
  right: TensorFunction,
  taught: TensorFunction,
): Mistake => ({ what, draw, right, wrong: claim(right, taught) });

const centred: TensorFunction = (x) => x.sub(x.mean({ dims: -1, keepDims: true })).square();
const scaled = (x: Tensor): Tensor =>
  x.mul(tensor(Float64Array.from({ length: x.size }, (_, i) => 1 + i)).reshape(x.shape));
const affine: TensorFunction = (x, b) => x.add(b as Tensor).tanh();

/** Every kind of mistake. */
export const catalogue: readonly Mistake[] = [
  mistake(
    "scale: 0.1 % too large",
    any,
    (x) => x.sin(),
    (x) => x.sin().mul(1.001),
  ),
  mistake(
    "scale: a factor 2 forgotten",
    any,
    (x) => x.square(),
    (x) => x.square().div(2),
  ),
  mistake(
    "sign",
    any,
    (x) => x.sin(),
    (x) => x.sin().neg(),
  ),
  mistake(
    "missing term of a product",
    any,
    (x) => x.sigmoid().mul(x),
    (x) => x.sigmoid().detach().mul(x),
  ),
  mistake(
    "missing term: the part through a mean",
    (d) => [d.tensor([d.integer(1, 3), d.integer(1, 4)])],
    centred,
    (x) => x.sub(x.mean({ dims: -1, keepDims: true }).detach()).square(),
  ),
  mistake(
    "wrong axis",
    matrix,
    (x) => scaled(x).softmax({ dim: 1 }),
    (x) => scaled(x).softmax({ dim: 0 }),
  ),
  mistake(
    "forgotten broadcast: only the first row counts",
    (d) => {
      const [n, width] = [d.integer(1, 4), d.integer(1, 3)];
      return [d.tensor([n, width]), d.tensor([width])];
    },
    affine,
    (x, b) => {
      const bias = b as Tensor;
      const first = tensor(
        Float64Array.from({ length: x.shape[0] ?? 0 }, (_, i) => (i === 0 ? 1 : 0)),
      ).unsqueeze(1);
      return x.add(bias.mul(first).add(bias.detach().mul(first.neg().add(1)))).tanh();
    },
  ),
  {
    what: "detached branch",
    draw: any,
    right: (x) => x.exp().add(x.square()),
    wrong: (x) => x.detach().exp().add(x.square()),
  },
  mistake(
    "one element of many: 1 % in the last",
    atLeastOne,
    (x) => x.sin(),
    (x) => {
      const factors = Float64Array.from({ length: x.size }, (_, i) =>
        i === x.size - 1 ? 1.01 : 1,
      );
      return x.sin().mul(tensor(factors).reshape(x.shape));
    },
  ),
  {
    what: "right value, not differentiable again",
    draw: any,
    right: (x) => x.sin(),
    wrong: (x) => {
      const there = x.detach();
      return there.sin().add(there.cos().mul(x.sub(there)));
    },
  },
  mistake(
    "only at one end of the domain: above 2.5 of [-3, 3]",
    any,
    (x) => x.tanh(),
    (x) => x.tanh().mul(x.gt(2.4).where(1.01, 1)),
  ),
  mistake(
    "only below 0",
    (d) => [d.tensor(d.shape({ maxRank: 3 }), within(-3, 3, { offset: 1 / 8 }))],
    (x) => x.gt(0).where(x, x.mul(0.1)),
    (x) => x.gt(0).where(x, 0),
  ),
  {
    what: "everything under noGrad",
    draw: any,
    right: (x) => x.mul(2),
    wrong: (x) => noGrad(() => x.mul(2)),
  },
];

/** How many of the seeds caught a mistake within each number of draws. */
export interface Detection {
  readonly what: string;
  /** Shares of the seeds, one for each of `draws`. */
  readonly caught: readonly number[];
}

/** In which draw a mistake is caught, from a seed; Infinity if in none. */
function firstCatch({ wrong, draw }: Mistake, seed: number, most: number): number {
  const drawn = fc.gen().map((gen) => draw(drawFrom(gen)));
  const report = fc.check(
    fc.property(drawn, (xs) => gradientsHold(wrong as never, xs, { name: "f" })),
    { seed, numRuns: most, endOnFailure: true },
  );
  return report.failed ? report.numRuns : Number.POSITIVE_INFINITY;
}

/** For each mistake of the catalogue, the share of `seeds` seeds that catch it within each number of draws. */
export function detections(
  draws: readonly number[],
  seeds: number,
  onDone: (what: string) => void = () => {},
): Detection[] {
  const most = Math.max(...draws);
  return catalogue.map((planted) => {
    const first = Array.from({ length: seeds }, (_, seed) => firstCatch(planted, seed, most));
    onDone(planted.what);
    return {
      what: planted.what,
      caught: draws.map((n) => first.filter((at) => at <= n).length / seeds),
    };
  });
}

/** The table as Markdown. */
export function detectionTable(draws: readonly number[], found: readonly Detection[]): string {
  const percent = (share: number): string => `${Number((100 * share).toFixed(1))} %`;
  const rows = [
    ["mistake", ...draws.map((n) => `${n} draw${n === 1 ? "" : "s"}`)],
    ["---", ...draws.map(() => "---:")],
    ...found.map(({ what, caught }) => [what, ...caught.map(percent)]),
  ];
  return rows.map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}
