// Derivatives of functions, rather than of tensors that are already there: the value of a function with the
// way back through it (vjp), and products with the matrix of its second derivatives (hvp).
// Next: gradcheck.ts, which compares gradients with finite differences.

import { fullLike } from "./creation.ts";
import { isFloat } from "./dtype.ts";
import { ArgumentError } from "./errors.ts";
import { enableGrad } from "./modes.ts";
import { accept, signatures } from "./signature.ts";
import { grad, type WalkOptions, walks } from "./tape.ts";
import { checkTensor, type Tensor } from "./tensor.ts";

const takes = signatures({
  vjp: "fn: function, inputs: Tensor[]",
  pull: `g: Tensor, { ${walks} }`,
  hvp: "fn: function, inputs: Tensor[], vectors: Tensor[]",
});

/** A stand-in that gradients stop at; integers have none. */
function leafOf(x: Tensor): Tensor {
  const leaf = checkTensor("grad", x, "each input").detach();
  return isFloat(x.dtype) ? leaf.requiresGrad_() : leaf;
}

/** grad, with null for the integers among the leaves and for those that y doesn't depend on. */
function gradOfLeaves(
  y: Tensor,
  leaves: readonly Tensor[],
  options: Parameters<typeof grad>[2],
): (Tensor | null)[] {
  if (!y.requiresGrad) return leaves.map(() => null);
  const floats = leaves.filter((x) => x.requiresGrad);
  const found = grad(y, floats, { ...options, allowUnused: true });
  return leaves.map((x) => found[floats.indexOf(x)] ?? null);
}

/**
 * The value of `fn` at `inputs` and its vector-Jacobian product: a function from a cotangent of the
 * output's shape to the gradients of the inputs (null where the output doesn't depend on one).
 */
export function vjp(
  fn: (...inputs: Tensor[]) => Tensor,
  inputs: readonly Tensor[],
): {
  readonly value: Tensor;
  readonly pull: (g: Tensor, options?: WalkOptions) => (Tensor | null)[];
} {
  accept(takes.vjp, arguments);
  const leaves = inputs.map(leafOf);
  const y = checkTensor(
    "vjp",
    enableGrad(() => fn(...leaves)),
    "what fn returns",
  );
  return {
    value: y.detach(),
    pull(g, options = { retainGraph: true }) {
      accept(takes.pull, arguments);
      return gradOfLeaves(y, leaves, { ...options, gradOutputs: g });
    },
  };
}

/**
 * Hessian-vector products of a scalar function: H v, one tensor for each input, without forming H: zeros
 * where the gradient doesn't change, nulls if the function depends on no input.
 * Differentiates the inner product of gradient and vectors.
 */
export function hvp(
  fn: (...inputs: Tensor[]) => Tensor,
  inputs: readonly Tensor[],
  vectors: readonly Tensor[],
): (Tensor | null)[] {
  accept(takes.hvp, arguments);
  if (vectors.length !== inputs.length) {
    throw new ArgumentError(
      `hvp: got ${inputs.length} inputs and ${vectors.length} vectors; one for each`,
    );
  }
  const leaves = inputs.map(leafOf);
  return enableGrad(() => {
    const y = checkTensor("hvp", fn(...leaves), "what fn returns");
    const first = gradOfLeaves(y, leaves, { createGraph: true });
    if (first.every((g) => g === null)) return first;
    const products = first.flatMap((g, i) => {
      const v = vectors[i];
      if (g === null || !g.requiresGrad) return [];
      return [g.mul(checkTensor("hvp", v, "each vector").detach()).sum()];
    });
    const [head, ...rest] = products;
    if (head === undefined) return leaves.map((x) => fullLike(x, 0));
    const total = rest.reduce((sum, term) => sum.add(term), head);
    return gradOfLeaves(total, leaves, {}).map((h, i) => h ?? fullLike(leaves[i] ?? total, 0));
  });
}
