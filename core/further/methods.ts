// Makes the further ops methods of Tensor: x.flatten() is flatten(x). The package's main entry imports this file
// for its effect; core alone has them as functions, so that a page loads what it uses. Next: ../../index.ts.

import { furtherOps, Tensor } from "../index.ts"; // first, so that the table of ops keeps its order
import type { Methods } from "../tensor.ts";
import * as ops from "./index.ts";
import type { Unique, UniqueOptions } from "./picking.ts";

declare module "../tensor.ts" {
  interface Tensor extends Methods<typeof ops> {
    /** unique(x, options); what it gives depends on the options. */
    unique<const O extends UniqueOptions = Readonly<Record<never, never>>>(options?: O): Unique<O>;
  }
}

for (const [name, fn] of Object.entries<unknown>(ops)) {
  if (typeof fn !== "function" || !furtherOps.has(name) || name in Tensor.prototype) continue;
  Object.defineProperty(Tensor.prototype, name, {
    value(this: Tensor, ...rest: unknown[]): unknown {
      return fn(this, ...rest);
    },
  });
}
