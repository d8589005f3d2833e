// Ops by their names. Next: ops.test.ts, gpu/opTable.ts.

import * as core from "../core/index.ts";

export function functionOf(name: string): (...args: unknown[]) => unknown {
  return (core as unknown as Record<string, (...args: unknown[]) => unknown>)[name] as never;
}
