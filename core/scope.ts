// scope(() => ...): memory with a lifetime that can be read off the page. Everything made inside is
// given back at the end except what the function returns, what x.keep() holds, and what the returned
// tensors still need for their gradients. Devices that count on the garbage collector (reference) gain
// early errors; devices with a pool (wasm, gpu) gain their memory back. Next: tape.ts.

import { ArgumentError } from "./errors.ts";
import { collecting, type Storage } from "./storage.ts";
import { nodesBehind } from "./tape.ts";
import { type Tree, tensorsOf } from "./tree.ts";

/** Runs `fn`, releases what it made except what it returns, and returns that. Scopes nest. */
export function scope<T extends Tree>(fn: () => T): T {
  const { result, made, outer } = collecting(fn);
  if (result instanceof Promise) {
    throw new ArgumentError(
      "scope: fn returned a promise; make the tensors in a plain function and await outside of it",
    );
  }
  const stay = new Set<Storage>();
  const roots = tensorsOf(result);
  for (const root of roots) {
    stay.add(root.storage);
    if (root.grad !== null) stay.add(root.grad.storage);
  }
  for (const node of nodesBehind(roots)) for (const held of node.holds()) stay.add(held.storage);
  for (const storage of made) {
    if (stay.has(storage)) outer?.add(storage);
    else if (!storage.kept) storage.release("scope()");
  }
  return result;
}
