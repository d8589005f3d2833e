// The mistakes that people make in gradient rules, to be planted in an op and found. Each changes what a right rule
// gave. Next: tapeBench.ts, which plants one.

import { type Tensor, tensor } from "../core/index.ts";
import type { Node } from "../core/node.ts";

/** A mistake in a rule. */
export interface Bug {
  /** What is wrong, as the end of a sentence that begins with the op's name. */
  readonly says: string;
  /** Whether it can be made in this op. */
  fits(node: Node): boolean;
  /** The gradients of the inputs as the wrong rule gives them. */
  change(right: readonly (Tensor | null)[]): (Tensor | null)[];
}

function changed(right: readonly (Tensor | null)[], change: (g: Tensor) => Tensor) {
  return right.map((g) => g && change(g));
}

/** How many inputs get a gradient. */
function receivers({ inputs }: Node): number {
  return new Set(inputs.filter((x) => x.requiresGrad)).size;
}

/** Numbers behind one another that are no row of one. */
function isLong({ inputs }: Node): boolean {
  return inputs.some((x) => x.requiresGrad && x.size > 3);
}

export const bugs: readonly Bug[] = [
  {
    says: "has the wrong sign",
    fits: () => true,
    change: (right) => changed(right, (g) => g.neg()),
  },
  {
    says: "forgets a factor of 2: what it gives is half of what it should be",
    fits: () => true,
    change: (right) => changed(right, (g) => g.mul(0.5)),
  },
  {
    says: "is a tenth too large",
    fits: () => true,
    change: (right) => changed(right, (g) => g.mul(1.1)),
  },
  {
    says: "gives its last input nothing",
    fits: (node) => receivers(node) > 1,
    change: (right) => {
      const last = right.findLastIndex((g) => g !== null);
      return right.map((g, i) => (i === last && g !== null ? g.mul(0) : g));
    },
  },
  {
    says: "loses what is below 0, as if a relu stood there",
    fits: isLong,
    change: (right) => changed(right, (g) => g.relu()),
  },
  {
    says: "gives its numbers in the reverse order",
    fits: isLong,
    change: (right) =>
      changed(right, (g) => {
        const all = Array.from({ length: g.size }, (_, i) => g.size - 1 - i);
        const places = tensor(all, { dtype: "int32" });
        return g.reshape([-1]).indexSelect(places, { dim: 0 }).reshape(g.shape);
      }),
  },
];
