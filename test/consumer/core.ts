// What a project without the DOM's types, Node's types or anything else writes with core alone. Compiled
// by ../package.test.ts against the installed package with each TypeScript; nothing here runs.
// Next: rooms.ts.

import {
  arange,
  cat,
  enableGrad,
  type GradcheckOptions,
  grad,
  gradcheck,
  hvp,
  matmul,
  mul,
  noGrad,
  ones,
  randn,
  random,
  type Shape,
  scope,
  showTape,
  softmax,
  stack,
  Tensor,
  TwoheadsError,
  type TypedArray,
  tensor,
  use,
  vjp,
  zeros,
} from "twoheads/core";

/** Compiles where A and B are the same type. */
type Same<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function same<A, B>(_yes: Same<A, B>): void {}

const rng = random(0);
const x: Tensor = tensor([[1, 2]], { requiresGrad: true, dtype: "float64", name: "x" });
const made = [zeros([2, 3]), ones([2]), arange(4), randn([2, 2], { rng })];

// ops as methods and as functions, with their own types
export const product: Tensor = tensor([1]).mul(2);
same<ReturnType<typeof product.mul>, Tensor>(true);
same<Parameters<typeof x.mul>, [b: Tensor | number | boolean]>(true);
same<typeof x.shape, Shape>(true);
export const chained = x
  .matmul(x.transpose())
  .softmax({ dim: -1 })
  .sum({ dims: [0], keepDims: true });
export const both = [
  mul(x, 2),
  softmax(x, { dim: 0 }),
  matmul(x, x, { transposeB: true }),
] as const;
export const joined = cat([...made, stack([x, x])], { dim: 0 });
export const { values, indices } = x.topk(1, { dim: -1 });
export const pieces: Tensor[] = x.split(1, { dim: 1 });
export const numbers: TypedArray = x.data;
export const shown: string = showTape(chained);

// an op that takes a tensor first is a method, and no other is
type Core = typeof import("twoheads/core");
type TakesTensor<M> = {
  [K in keyof M]: M[K] extends ((x: infer X, ...rest: never[]) => unknown) & { entry: unknown }
    ? Tensor extends X
      ? K
      : never
    : never;
}[keyof M];
type OpName<M> = { [K in keyof M]: M[K] extends { entry: unknown } ? K : never }[keyof M];
same<Extract<keyof Tensor, OpName<Core>>, TakesTensor<Core>>(true);

// gradients
export const found: (Tensor | null)[] = grad(chained.sum(), [x], { createGraph: true });
const options: GradcheckOptions = { order: 2 };
export const checked: true = gradcheck((a, b) => a.mul(b), [x, x], options);
export const { value, pull } = vjp((a) => a.exp(), [x]);
export const products: (Tensor | null)[] = hvp((a) => a.square().sum(), [x], [x]);
export const kept = scope(() => noGrad(() => enableGrad(() => x.add(1))));
x.sum().backward({ retainGraph: true });
export const remove: () => void = x.registerHook((g) => g.mul(2));
export const asked: Tensor = x.retainGrad();
export const gradient: Tensor | null = x.grad;
export async function read(): Promise<number> {
  return (await x.read()).length + (await x.sum().item());
}
use("reference");

try {
  x.matmul(zeros([3]));
} catch (error) {
  if (error instanceof TwoheadsError) throw new Error(error.message);
}

// what must not compile: that it doesn't shows that nothing above is `any`
// @ts-expect-error: no such dtype
tensor([1], { dtype: "float16" });
// @ts-expect-error: no such option
x.softmax({ axis: 0 });
// @ts-expect-error: the axis is missing
x.softmax();
// @ts-expect-error: an option by position
x.sum(0);
// @ts-expect-error: no such method
x.sofmax({ dim: 0 });
// @ts-expect-error: cat takes a list first, so it is no method
x.cat([x]);
// @ts-expect-error: einsum takes an equation first, so it is no method
x.einsum("ij->ji");
// @ts-expect-error: a text is no operand
x.mul("2");
// @ts-expect-error: a list may end before that
made[9].sum();
// @ts-expect-error: a shape stays as it is
x.shape.push(1);
// @ts-expect-error: gradcheck takes a function of tensors
gradcheck((a) => a.item(), x);
export const isTensor = (y: unknown): y is Tensor => y instanceof Tensor;
