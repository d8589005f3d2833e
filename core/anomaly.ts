// Anomaly mode: where does the first NaN come from? Every result is read and compared with what went in; the
// op that made a NaN or an infinity out of finite numbers is named, with the caller's line.
// Next: op.ts, which checks results; tape.ts, which checks gradients.

import { isFloat } from "./dtype.ts";
import { AnomalyError } from "./errors.ts";
import { refusePromise } from "./modes.ts";
import type { Node } from "./node.ts";
import { formatShape } from "./shape.ts";
import { accept, signature } from "./signature.ts";
import type { Tensor } from "./tensor.ts";

const takes = /* @__PURE__ */ signature("detectAnomaly", "fn: function");

/** Looks at results while anomaly mode is on. Set by detectAnomaly alone, so that a bundle without it has no check. */
let watch: typeof checkFinite | null = null;

/** The check of what ops make, while anomaly mode is on. */
export function watcher(): typeof checkFinite | null {
  return watch;
}

/**
 * Runs `fn` and throws an AnomalyError at the first op that makes a NaN or an infinity out of finite
 * inputs, forward or backward, with the line that called it. Slow: it reads every result. CPU devices.
 */
export function detectAnomaly<T>(fn: () => T): T {
  accept(takes, arguments);
  return refusePromise("detectAnomaly", withWatch(checkFinite, fn));
}

/** Runs an op's gradient rule unwatched: checkGradient looks at what it made, under the name of that op. */
export function unwatched<T>(fn: () => T): T {
  return watch ? withWatch(null, fn) : fn();
}

function withWatch<T>(check: typeof watch, fn: () => T): T {
  const before = watch;
  watch = check;
  try {
    return fn();
  } finally {
    watch = before;
  }
}

function nonFinite(x: Tensor): { value: number; at: number } | null {
  if (!isFloat(x.dtype)) return null;
  const data = x.data;
  for (let at = 0; at < data.length; at++) {
    const value = data[at] ?? 0;
    if (!Number.isFinite(value)) return { value, at };
  }
  return null;
}

/** Throws if `outputs` hold a NaN or an infinity that no input brought along; else gives the caller's line. */
function checkFinite(
  what: string,
  outputs: readonly Tensor[],
  inputs: readonly Tensor[],
  caller = callerLine(),
): string {
  for (const y of outputs) {
    const bad = nonFinite(y);
    if (bad === null || inputs.some((x) => nonFinite(x) !== null)) continue;
    throw new AnomalyError(
      `${what}: the first ${Number.isNaN(bad.value) ? "NaN" : "infinity"} appears here: ` +
        `${bad.value} at ${bad.at} of shape ${formatShape(y.shape)}, from finite inputs ` +
        `${inputs.map((x) => formatShape(x.shape)).join(" ")}${caller && ` (called at ${caller})`}`,
    );
  }
  return caller;
}

/** In anomaly mode: throws if a gradient of a node's op has a NaN or an infinity that `g` didn't bring along. */
export function checkGradient(node: Node, gx: Tensor, g: Tensor): void {
  watch?.(`gradient of ${node.entry.name}`, [gx], [g], node.caller);
}

/** The folder of a module's address, as stack traces have it; null for a script or a blob, which has none. */
function folderOf(address: string | undefined): string | null {
  const path = /^\w+:\/\/[^/]*(\/.*\/|\/)/.exec(address ?? "")?.[1];
  return path === undefined ? null : decodeURIComponent(path);
}

/** File and line of the first caller outside of this folder. */
function callerLine(): string {
  const here = folderOf(import.meta.url);
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 50;
  const stack = new Error().stack ?? "";
  Error.stackTraceLimit = stackTraceLimit;
  const outside = stack
    .split("\n")
    .find((line, i) => i > 0 && (here === null || !line.includes(here)));
  return (
    outside
      ?.replace(/^\s*at\s+/, "")
      .replace(/^.*\((.*)\)$/, "$1")
      .replace("file://", "") ?? ""
  );
}
