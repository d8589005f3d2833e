// What DEBUG=2 and DEBUG=3 show, to find out where time goes: 2 prints, when the program ends, how long
// each op ran on its device; 3 also prints every call with its shapes, as it happens. (DEBUG=1 is the
// devices': what ran without a kernel. showTape prints graphs.) Next: op.ts, which runs calls through here.

import { type Buffer, type Device, environment } from "./device.ts";
import { shortName } from "./dtype.ts";
import type { Call, Spec } from "./op.ts";
import { formatShape } from "./shape.ts";

const level = Number(environment("DEBUG") ?? 0) || 0;

interface Spent {
  calls: number;
  milliseconds: number;
}

const spent = new Map<string, Spent>();

/** device.run(call), timed and shown if DEBUG asks for it. */
export const runCall: (device: Device, call: Call) => readonly Buffer[] =
  level < 2 ? (device, call) => device.run(call) : watched;

function watched(device: Device, call: Call): readonly Buffer[] {
  const name = call.pass === "backward" ? `${call.entry.name} backward` : call.entry.name;
  const start = performance.now();
  const buffers = device.run(call);
  const milliseconds = performance.now() - start;
  if (spent.size === 0 && typeof process !== "undefined") process.once?.("exit", printSpent);
  const sum = spent.get(name) ?? { calls: 0, milliseconds: 0 };
  spent.set(name, { calls: sum.calls + 1, milliseconds: sum.milliseconds + milliseconds });
  if (level >= 3) {
    const inputs = call.tensors.map(describe);
    const outputs = call.outputs.flatMap((y) => (y === null ? [] : [describe(y)]));
    console.error(
      `${name} ${inputs.join(" ")} -> ${outputs.join(" ")} ${milliseconds.toFixed(3)} ms`,
    );
  }
  return buffers;
}

function describe({ dtype, shape }: Spec): string {
  return `${shortName[dtype]}${formatShape(shape)}`;
}

function printSpent(): void {
  const rows = [...spent].sort(([, a], [, b]) => b.milliseconds - a.milliseconds);
  const total = rows.reduce((sum, [, { milliseconds }]) => sum + milliseconds, 0);
  for (const [name, { calls, milliseconds }] of rows) {
    const share = `${((100 * milliseconds) / total).toFixed(1)} %`;
    console.error(
      `${name.padEnd(36)}${`${calls} calls`.padStart(16)}${`${milliseconds.toFixed(1)} ms`.padStart(14)}${share.padStart(9)}`,
    );
  }
}
