// What computes, in words for a command's first lines. Next: train.ts.

import { currentDevice } from "../../core/index.ts";

/** The device that runs, and its lanes if it has them: "wasm with 256-bit lanes". */
export function describeDevice(): string {
  const { name, details } = currentDevice();
  return details?.lanes === undefined ? name : `${name} with ${details.lanes}-bit lanes`;
}
