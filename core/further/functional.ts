// Derivatives of functions, rather than of tensors that are already there: the value of a function with the
// way back through it (vjp) or forth (jvp), all its first and second derivatives (jacobian, hessian), and
// products with the matrix of the second ones (hvp).
// Next: ../gradcheck.ts, which compares gradients with finite differences.

import { fullLike, indicesLike } from "../creation.ts";
import { isFloat } from "../dtype.ts";
import { ArgumentError, ShapeError } from "../errors.ts";
import { enableGrad } from "../modes.ts";
import { stack } from "../ops/view.ts";
import { formatShape, sameShape } from "../shape.ts";
import { accept, signatures } from "../signature.ts";
import { grad, type WalkOptions, walks } from "../tape.ts";
import { checkTensor, type Tensor } from "../tensor.ts";

const takes = /* @__PURE__ */ signatures({
  vjp: "fn: function, inputs: Tensor[]",
  pull: `g: Tensor, { ${walks} }`,
  jvp: "fn: function, inputs: Tensor[], tangents: any[]",
  jacobian: "fn: function, inputs: Tensor[]",
  hessian: "fn: function, inputs: Tensor[]",
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

/** One tangent of jvp for the leaf at `place`: null for integers, which have none. */
function checkTangent(leaf: Tensor, tangent: unknown, place: number): Tensor | null {
  if (!leaf.requiresGrad && tangent !== null)
    throw new ArgumentError(
      `jvp: input ${place} is ${leaf.dtype}, which has no tangent; write null in its place`,
    );
  if (tangent === null) return null;
  const v = checkTensor("jvp", tangent, "tangent", place);
  if (sameShape(v.shape, leaf.shape)) return v.detach();
  throw new ShapeError(
    `jvp: tangent ${place} has shape ${formatShape(v.shape)}, its input ${formatShape(leaf.shape)}; they must agree`,
  );
}

/**
 * The value of `fn` at `inputs` and its Jacobian-vector product: how much the value changes, to first order, as
 * the inputs move along `tangents`, one of each input's shape (null: it doesn't move). Jᵀu is linear in u, and the
 * gradient of its inner product with the tangents, by u, is J v.
 */
export function jvp(
  fn: (...inputs: Tensor[]) => Tensor,
  inputs: readonly Tensor[],
  tangents: readonly (Tensor | null)[],
): { readonly value: Tensor; readonly tangent: Tensor } {
  accept(takes.jvp, arguments);
  if (tangents.length !== inputs.length) {
    throw new ArgumentError(
      `jvp: got ${inputs.length} inputs and ${tangents.length} tangents; one for each`,
    );
  }
  const leaves = inputs.map(leafOf);
  const vectors = leaves.map((x, i) => checkTangent(x, tangents[i], i));
  return enableGrad(() => {
    const y = checkTensor("jvp", fn(...leaves), "what fn returns");
    const u = fullLike(y, 1);
    if (isFloat(u.dtype)) u.requiresGrad_();
    const pulled = gradOfLeaves(y, leaves, { gradOutputs: u, createGraph: true });
    const total = pulled.reduce<Tensor>((sum, g, i) => {
      const v = vectors[i];
      return g && v ? sum.add(g.mul(v).sum()) : sum;
    }, u.mul(0).sum());
    const [tangent] = gradOfLeaves(total, [u], {});
    return { value: y.detach(), tangent: tangent ?? fullLike(y, 0) };
  });
}

/**
 * All first derivatives of `fn`: for each input a tensor of shape [...output, ...input], zeros where the output
 * doesn't depend on it, null for integers. One walk back for each element of the output.
 */
export function jacobian(
  fn: (...inputs: Tensor[]) => Tensor,
  inputs: readonly Tensor[],
): (Tensor | null)[] {
  accept(takes.jacobian, arguments);
  const { value, pull } = vjp(fn, inputs);
  const places = indicesLike(value, value.size);
  const rows = Array.from({ length: value.size }, (_, i) =>
    pull(places.eq(i).to(value.dtype).reshape(value.shape), { retainGraph: i + 1 < value.size }),
  );
  return inputs.map((x, i) => {
    if (!isFloat(x.dtype)) return null;
    const shape = [...value.shape, ...x.shape];
    if (rows.length === 0)
      return fullLike(x, 0).reshape([-1]).slice({ dim: 0, end: 0 }).reshape(shape);
    return stack(rows.map((row) => row[i] ?? fullLike(x, 0))).reshape(shape);
  });
}

/**
 * All second derivatives of a scalar function, the Jacobian of its gradient: at [i][j] a tensor of shape
 * [...input i, ...input j], null where one of them holds integers.
 */
export function hessian(
  fn: (...inputs: Tensor[]) => Tensor,
  inputs: readonly Tensor[],
): (Tensor | null)[][] {
  accept(takes.hessian, arguments);
  return inputs.map((x, i) => {
    const slope = (...xs: Tensor[]): Tensor => {
      const y = checkTensor("hessian", fn(...xs), "what fn returns");
      return gradOfLeaves(y, xs, { createGraph: true })[i] ?? fullLike(x, 0);
    };
    return isFloat(x.dtype) ? jacobian(slope, inputs) : inputs.map(() => null);
  });
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
  vectors.forEach((v, i) => {
    if (sameShape(checkTensor("hvp", v, "each vector").shape, leaves[i]?.shape ?? [])) return;
    throw new ShapeError(
      `hvp: vector ${i} has shape ${formatShape(v.shape)}, its input ${formatShape(leaves[i]?.shape ?? [])}`,
    );
  });
  return enableGrad(() => {
    const y = checkTensor("hvp", fn(...leaves), "what fn returns");
    const first = gradOfLeaves(y, leaves, { createGraph: true });
    if (first.every((g) => g === null)) return first;
    const products = first.flatMap((g, i) => {
      const v = vectors[i];
      if (g === null || !g.requiresGrad) return [];
      return [g.mul((v as Tensor).detach()).sum()];
    });
    const [head, ...rest] = products;
    if (head === undefined) return leaves.map((x) => fullLike(x, 0));
    const total = rest.reduce((sum, term) => sum.add(term), head);
    return gradOfLeaves(total, leaves, {}).map((h, i) => h ?? fullLike(leaves[i] ?? total, 0));
  });
}
