// L2-SP: weight decay towards the weights that training began with, where plain decay goes to 0. What the base knows
// is then held on to by its weights, as a text-generation loss holds on to what it says.
// Next: objective.ts, which adds it to the reward loss.

import { ArgumentError, type Tensor, tensor } from "../../core/index.ts";
import { accept, signatures } from "../../core/signature.ts";

const takes = signatures({
  l2sp: "weights: Tensor[], start: Tensor[], head: Tensor[], { alpha?: number, beta?: number }",
});

/** The strengths of L2-SP. */
export interface L2spOptions {
  /** Of the pull towards the starting point. Default 0.01. */
  readonly alpha?: number;
  /** Of the decay of what is new, towards 0. Default 0.01. */
  readonly beta?: number;
}

/**
 * L2-SP: (α/2) Σ ‖w - w⁰‖² over the weights that the base had, with w⁰ what they began as, plus (β/2) Σ ‖w‖² over
 * the new head's (Li, Grandvalet and Davoine 2018, 1802.01483, equation 2). `start` has the shapes of `weights`;
 * a scalar. dL/dw = α (w - w⁰), and β w for the head.
 */
export function l2sp(
  weights: readonly Tensor[],
  start: readonly Tensor[],
  head: readonly Tensor[],
  options: L2spOptions = {},
): Tensor {
  accept(takes.l2sp, arguments);
  const { alpha = 0.01, beta = 0.01 } = options;
  if (weights.length !== start.length || weights.length + head.length === 0) {
    throw new ArgumentError(
      `l2sp: got ${weights.length} weights, ${start.length} starting points and ${head.length} of the head; ` +
        "needed a starting point for each weight, and at least one weight",
    );
  }
  const squares = (list: readonly Tensor[], scale: number): Tensor[] =>
    list.map((w) =>
      w
        .square()
        .sum()
        .mul(scale / 2),
    );
  const moved = weights.map((w, i) => w.sub(start[i] as Tensor));
  const terms = [...squares(moved, alpha), ...squares(head, beta)];
  return terms.reduce((sum, term) => sum.add(term));
}

/** Parameters by their names. */
export type Named = readonly (readonly [name: string, parameter: Tensor])[];

/** Whether a parameter is the reward head's, and so none that the base had. */
export function isOfHead(name: string): boolean {
  return name.startsWith("v_head.");
}

/** The trained weights that the base had, and what they began as. */
export class StartingPoint {
  readonly #weights: readonly Tensor[];
  readonly #start: readonly Tensor[];
  readonly #head: readonly Tensor[];

  /** Of trained parameters, and of what `read` said of them before the first step. */
  constructor(trained: Named, numbers: Readonly<Record<string, Float64Array>>) {
    const shared = trained.filter(([name]) => !isOfHead(name));
    this.#weights = shared.map(([, p]) => p);
    this.#start = shared.map(([name, { shape, dtype }]) =>
      tensor(numbers[name] ?? [], { shape, dtype }).keep(),
    );
    this.#head = trained.filter(([name]) => isOfHead(name)).map(([, p]) => p);
  }

  /** The numbers of all trained weights that the base had, by their names. */
  static async read(trained: Named): Promise<Record<string, Float64Array>> {
    const shared = trained.filter(([name]) => !isOfHead(name));
    const read = shared.map(async ([name, p]) => [name, Float64Array.from(await p.read())]);
    return Object.fromEntries(await Promise.all(read));
  }

  /** What L2-SP adds to the loss: a scalar. */
  penalty(options: L2spOptions): Tensor {
    return l2sp(this.#weights, this.#start, this.#head, options);
  }
}
