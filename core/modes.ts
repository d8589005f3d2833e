// Whether ops are recorded on the tape at the moment. Recording is on until noGrad turns it off around what
// needs no gradients: an evaluation, an optimiser's step, and the backward walk itself unless its own
// gradients are wanted. And whether fused ops run as their definitions. Next: node.ts for what is recorded, anomaly.ts for the other mode.

import { ArgumentError } from "./errors.ts";
import { accept, signatures } from "./signature.ts";

const takes = /* @__PURE__ */ signatures({
  noGrad: "fn: function",
  enableGrad: "fn: function",
  withDefinitions: "fn: function",
});

let recording = true;

/** Whether ops leave nodes at the moment. */
export function isRecording(): boolean {
  return recording;
}

/** Runs `fn` with recording on or off, and puts back what was before. */
export function withRecording<T>(on: boolean, fn: () => T): T {
  const before = recording;
  recording = on;
  try {
    return fn();
  } finally {
    recording = before;
  }
}

/** Throws if what ran inside of a mode is still running: the mode would end before it does. */
export function refusePromise<T>(name: string, result: T): T {
  if (result instanceof Promise) {
    throw new ArgumentError(
      `${name}: fn returned a promise, and the mode would end before it does; await outside of ${name}`,
    );
  }
  return result;
}

/** Runs `fn` without recording: what it computes is a constant to the tape. */
export function noGrad<T>(fn: () => T): T {
  accept(takes.noGrad, arguments);
  return refusePromise("noGrad", withRecording(false, fn));
}

/** Runs `fn` with recording on, inside a noGrad for example. */
export function enableGrad<T>(fn: () => T): T {
  accept(takes.enableGrad, arguments);
  return refusePromise("enableGrad", withRecording(true, fn));
}

let defining = false;

/** Whether fused ops run as their definitions at the moment. */
export function isDefining(): boolean {
  return defining;
}

/**
 * Runs `fn` with every fused op replaced by its definition, so that all intermediates (an attention
 * pattern, say) stand on the tape. Slower; the same values up to rounding.
 */
export function withDefinitions<T>(fn: () => T): T {
  accept(takes.withDefinitions, arguments);
  const before = defining;
  defining = true;
  try {
    return fn();
  } finally {
    defining = before;
  }
}
