// Wide lanes: V8 from Node 24 on joins pairs of 128-bit operations into 256-bit ones when it is told to, on
// processors that have them. Multiplication and addition stay apart, so the bits are the same, and products
// take half the time. The engine calls this an experiment; hence kernels meet stored bits before anybody
// gets them, and run without where one differs.
// Next: kernels.ts; matmul.as.ts for the tile.

import { arch, versions } from "node:process";
import { setFlagsFromString } from "node:v8";
import { ArgumentError, environment } from "../../core/index.ts";
import { createWasm, type Wasm } from "./kernels.ts";
import { bitsOf, isFaster } from "./laneCheck.ts";
import { type Code, type Program, type Start, startBy } from "./module.ts";

/** Versions of V8 that were tried, of Node 24 to 26. An engine's experiment may end, or crash, in any other. */
const known = { first: 13, last: 14 };

/** V8's own default of a function's work before the better compiler takes over, roughly in bytes. */
const usualBudget = 13_000_000;

/** What the kernels' results on fixed numbers hash to, without and with fused multiply-add. */
export const knownBits = { plain: 0x8ec5d0e7, fma: 0x95e9b3d7 };

/**
 * Has the SIMD kernels start with wide lanes, where the engine has them: Node 24 to 26 on x64. The same
 * bits in about half the time. Before the first tensor, else it is an ArgumentError. When the kernels start
 * they are checked; if anything differs they run without, and a warning says so. `TWOHEADS_WIDE=0` leaves
 * wide lanes off whatever a program asks for, `TWOHEADS_WIDE=1` tries them in a newer Node too, and says
 * where there are none. `currentDevice().details.lanes` says what runs, 256 or 128.
 *
 * This sets a flag of V8 that holds for the whole process and every WebAssembly module in it, so it is for
 * programs, not for libraries. The command line calls it.
 */
export function wideLanes(): void {
  const asked = environment("TWOHEADS_WIDE") || undefined;
  if (asked !== undefined && asked !== "0" && asked !== "1")
    throw new ArgumentError(`TWOHEADS_WIDE=${asked}: 0 or 1 is needed`);
  if (asked === "0") return;
  const missing = whatIsMissing(asked === "1");
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

function whatIsMissing(isAsked: boolean): string | null {
  const other = ["bun", "deno", "electron"].find((engine) => versions[engine] !== undefined);
  if (other !== undefined) return `wide lanes need Node, this is ${other}`;
  if (arch !== "x64") return `wide lanes need an x64 processor, this is ${arch}`;
  const version = Number.parseInt(versions.v8 ?? "0", 10);
  if (version < known.first) return "wide lanes need Node 24 or newer";
  if (version <= known.last || isAsked) return null;
  return `wide lanes were never tried with V8 ${version}`;
}

/** Whether the kernels' bits are the stored ones, at the second time, when the better compiler has been there. */
function isAsStored(wasm: Wasm): boolean {
  try {
    bitsOf(wasm);
    return bitsOf(wasm) === knownBits[wasm.fma ? "fma" : "plain"];
  } catch {
    return false; // they reached outside of their memory, or worse
  }
}

/**
 * The same module with a section that no engine reads. Of equal bytes V8 keeps what it compiled first, with
 * the lanes of then.
 */
function markedAsWide(code: Code): Code {
  const name = new TextEncoder().encode("wide lanes");
  const section = [0, name.length + 1, name.length, ...name]; // 0: a section of one's own
  const marked = new Uint8Array(code.length + section.length);
  marked.set(code);
  marked.set(section, code.length);
  return marked;
}

/** Starts with wide lanes, if the results are right and the lanes are there; else without. */
export const startWide: Start = (make, code) => {
  setFlagsFromString("--experimental-wasm-revectorize");
  // What is checked must be what stays: the compiler that joins takes over after a function's first call.
  setFlagsFromString("--wasm-sync-tier-up");
  setFlagsFromString("--wasm-tiering-budget=1");
  let program: Program;
  try {
    program = make(256, markedAsWide(code));
    const wasm = createWasm({ program, threads: 1 });
    const isRight = isAsStored(wasm);
    if (isRight && isFaster(wasm)) return program;
    if (!isRight) say("wide lanes gave other bits than the stored ones");
    else if (environment("TWOHEADS_WIDE") === "1")
      say("TWOHEADS_WIDE=1, but this processor or engine joins no lanes");
  } finally {
    setFlagsFromString("--no-wasm-sync-tier-up");
    setFlagsFromString(`--wasm-tiering-budget=${usualBudget}`);
  }
  setFlagsFromString("--no-experimental-wasm-revectorize");
  return make(128);
};
