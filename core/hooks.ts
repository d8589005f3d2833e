// Looking at gradients on their way: a hook sees the whole gradient of a tensor in every backward walk and may
// replace it; retainGrad asks for the gradient of a tensor that is no leaf. Next: tape.ts, which calls them.

import { DTypeError, GraphError, ShapeError } from "./errors.ts";
import { formatShape, sameShape } from "./shape.ts";
import { accept, signatures } from "./signature.ts";
import { checkTensor, type Tensor } from "./tensor.ts";

const takes = signatures({
  registerHook: "x: Tensor, hook: function",
  retainGrad: "x: Tensor",
});

/** A gradient hook: sees the whole gradient of a tensor, and may return another one to go on with. */
export type Hook = (g: Tensor) => Tensor | undefined;

/** The gradient of `x` after its hooks, in the order in which they were registered. */
export function runHooks(x: Tensor, g: Tensor): Tensor {
  let current = g;
  for (const hook of x.hooks) {
    const replaced = hook(current.keep());
    if (replaced === undefined) continue;
    checkTensor("registerHook", replaced, "what the hook returns");
    if (!sameShape(replaced.shape, x.shape)) {
      throw new ShapeError(
        `registerHook: the hook returned shape ${formatShape(replaced.shape)} for a tensor of shape ${formatShape(x.shape)}`,
      );
    }
    if (replaced.dtype !== x.dtype) {
      throw new DTypeError(
        `registerHook: the hook returned ${replaced.dtype} for a tensor of ${x.dtype}; g.to("${x.dtype}") converts it`,
      );
    }
    current = replaced;
  }
  return current;
}

/** The sum of both. A .grad that somebody else set may be of another kind, and would make the sum one. */
export function added(before: Tensor, own: Tensor): Tensor {
  if (before.dtype === own.dtype && sameShape(before.shape, own.shape)) return before.add(own);
  throw new GraphError(
    `backward: .grad was set to ${before.dtype} ${formatShape(before.shape)}; set it to null, or to ` +
      `${own.dtype} ${formatShape(own.shape)}`,
  );
}

function checkRequiresGrad(name: string, x: Tensor): void {
  if (!x.requiresGrad)
    throw new GraphError(`${name}: this tensor has no gradient; it needs requiresGrad`);
}

/** Calls `hook` with the gradient of `x` in every walk. Returns a function that removes it. */
export function registerHook(x: Tensor, hook: Hook): () => void {
  accept(takes.registerHook, arguments);
  checkRequiresGrad("registerHook", x);
  x.hooks = [...x.hooks, hook];
  return () => {
    x.hooks = x.hooks.filter((other) => other !== hook);
  };
}

/** Makes backward() fill `.grad` of a tensor that was computed (leaves have it anyway); returns it. */
export function retainGrad(x: Tensor): Tensor {
  accept(takes.retainGrad, arguments);
  checkRequiresGrad("retainGrad", x);
  x.retainsGrad = true;
  x.storage.usedOutsideGraph = true;
  return x;
}
