// Wide lanes: V8 from Node 24 on joins pairs of 128-bit operations into 256-bit ones when it is told to, on
// processors that have them. Multiplication and addition stay apart, so the bits are the same, and products
// take half the time. The engine calls this an experiment; hence kernels meet stored bits before anybody
// gets them, and run without where one differs.
// Next: kernels.ts; matmul.as.ts for the tile.

import { arch, versions } from "node:process";
import { setFlagsFromString } from "node:v8";
import { ArgumentError, environment } from "../../core/index.ts";
import { createWasm } from "./kernels.ts";
import { bitsOf, isFaster } from "./laneCheck.ts";
import { type Program, type Start, startBy } from "./module.ts";

/** What the kernels' results on fixed numbers hash to, without and with fused multiply-add. */
export const knownBits = { plain: 0x3269d2bf, fma: 0x34c26207 };

/**
 * Has the SIMD kernels start with wide lanes, where the engine has them: Node 24 and newer on x64. The same
 * bits in about half the time. Before the first tensor, else it is an ArgumentError. When the kernels start
 * they are checked; if anything differs they run without, and a warning says so. `TWOHEADS_WIDE=0` leaves
 * wide lanes off whatever a program asks for. `currentDevice().details.lanes` says what runs, 256 or 128.
 *
 * This sets a flag of V8 that holds for the whole process and every WebAssembly module in it, so it is for
 * programs, not for libraries. The command line calls it.
 */
export function wideLanes(): void {
  const asked = environment("TWOHEADS_WIDE") || undefined;
  if (asked !== undefined && asked !== "0" && asked !== "1")
    throw new ArgumentError(`TWOHEADS_WIDE=${asked}: 0 or 1 is needed`);
  if (asked === "0") return;
  const missing = whatIsMissing();
  if (missing !== null) {
    if (asked === "1") say(`TWOHEADS_WIDE=1, but ${missing}`);
  } else if (!startBy(startWide)) {
    throw new ArgumentError(
      "wideLanes: the kernels run already, with 128-bit lanes; call it before the first tensor",
    );
  }
}

function say(why: string): void {
  console.warn(`wasm: ${why}; running with 128-bit lanes`);
}

function whatIsMissing(): string | null {
  if (arch !== "x64") return `wide lanes need an x64 processor, this is ${arch}`;
  const version = Number.parseInt(versions.v8 ?? "0", 10);
  return version >= 13 ? null : "wide lanes need Node 24 or newer";
}

/** Starts with wide lanes, if the results are right and the lanes are there; else without. */
export const startWide: Start = (make) => {
  setFlagsFromString("--experimental-wasm-revectorize");
  setFlagsFromString("--no-liftoff"); // what is checked is what stays: the compiler that joins, at once
  let program: Program;
  try {
    program = make(256);
    const wasm = createWasm({ program, threads: 1 });
    const isRight = bitsOf(wasm) === knownBits[program.fma ? "fma" : "plain"];
    if (isRight && isFaster(wasm)) return program;
    if (!isRight) say("wide lanes gave other bits than the stored ones");
    else if (environment("TWOHEADS_WIDE") === "1")
      say("TWOHEADS_WIDE=1, but this processor or engine joins no lanes");
  } finally {
    setFlagsFromString("--liftoff");
  }
  setFlagsFromString("--no-experimental-wasm-revectorize");
  return make(128);
};
