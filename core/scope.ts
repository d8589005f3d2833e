// scope(() => ...): memory whose release can be read off the page. Everything made inside is
// given back at the end except what the function returns, what x.keep() holds, and what the returned
// tensors still need for their gradients. Devices that count on the garbage collector (reference) gain
// early errors; devices with a pool (wasm, gpu) gain their memory back. Next: memory.ts.

import { ArgumentError } from "./errors.ts";
import { confine } from "./memory.ts";
import { nodesBehind } from "./node.ts";
import { accept, signature } from "./signature.ts";
import type { Storage } from "./storage.ts";
import { type Tree, tensorsOf } from "./tree.ts";

const takes = signature("scope", "fn: function");

/** Runs `fn`, releases what it made except what it returns, and returns that. Scopes nest. */
export function scope<T extends Tree>(fn: () => T): T {
  accept(takes, arguments);
  return confine(fn, heldBy, "scope()");
}

/** The storages of a result's tensors, of their gradients, and of the graph behind them. */
function heldBy(result: Tree): Storage[] {
  if (result instanceof Promise) {
    throw new ArgumentError(
      "scope: fn returned a promise; make the tensors in a plain function and await outside of it",
    );
  }
  const roots = tensorsOf(result);
  const behind = nodesBehind(roots).flatMap((node) => node.holds());
  const gradients = roots.flatMap((root) => root.grad ?? []);
  return [...roots, ...gradients, ...behind].map((x) => x.storage);
}
