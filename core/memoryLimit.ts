// How much memory tensors may take. Numbers that are held on to end in arrays of the host, on every CPU device, and
// would fill the machine. Once as many bytes were made as the limit leaves, somebody looks: first at what the process
// has, which may be garbage, then at the tensors that can still be reached. Beyond the limit an error names those
// that take most. Only Node can tell who is reached; other engines have a limit of their own.
// A page's bundle leaves this file out, as it is no side effect by package.json; where Node imports core, it runs.
// Next: hostMemory.ts for who tells what is made, ../kernels/wasm/pool.ts.

import { builtin, environment } from "./device.ts";
import { byteSize } from "./dtype.ts";
import { ArgumentError } from "./errors.ts";
import { keeper, outOfMemory } from "./hostMemory.ts";
import { header, sizeText } from "./show.ts";
import { accept, signature } from "./signature.ts";
import { Storage } from "./storage.ts";

/** What Node tells of its process and of its heap. */
interface NodeProcess {
  memoryUsage(): { readonly rss: number; readonly arrayBuffers: number };
  /** A container's bytes; 0, or more than there are, without one. */
  constrainedMemory(): number;
  emitWarning: unknown;
  /** Deno and Bun say here that they aren't Node, and have "node:v8" without what it can tell. */
  readonly versions: Readonly<Record<string, string>>;
}
interface NodeHeap {
  queryObjects(constructor: unknown, options: { format: "summary" }): unknown;
}

const takes = signature("setMemoryLimit", "bytes?: number");

/** Bytes; null until somebody asks. */
let limit: number | null = null;
/** Bytes that may be made before the next look. */
let left = 0;

/**
 * Sets how many bytes the tensors of this process may take, Infinity for any number; beyond it an op is a DeviceError
 * that names the tensors which take most. Without `bytes`, and as `twoheads` starts with it: the GiB of
 * TWOHEADS_MEMORY, or else three quarters of what the machine or its container has. In Node alone.
 */
export function setMemoryLimit(bytes?: number): void {
  accept(takes, arguments);
  limit = bytes === undefined ? null : checked("setMemoryLimit: bytes", bytes);
  left = 0;
  if (isNode()) Object.assign(keeper, { take, holders });
}

function checked(what: string, x: number | string): number {
  if (Number(x) > 0) return Number(x);
  throw new ArgumentError(`${what} must be a number above 0, got ${x}`);
}

function byDefault(): number {
  const asked = environment("TWOHEADS_MEMORY");
  if (asked !== undefined) return checked("TWOHEADS_MEMORY", asked) * 2 ** 30;
  const machine = builtin<{ totalmem(): number }>("node:os")?.totalmem() ?? Infinity;
  return 0.75 * Math.min(machine, nodeProcess().constrainedMemory() || Infinity);
}

function isNode(): boolean {
  const heap = builtin<Partial<NodeHeap>>("node:v8");
  if (heap?.queryObjects === undefined) return false;
  const { deno, bun } = nodeProcess().versions;
  return deno === undefined && bun === undefined;
}

function nodeProcess(): NodeProcess {
  return (globalThis as unknown as { process: NodeProcess }).process;
}

function take(bytes: number, by: string): void {
  left -= bytes;
  if (left < 0) look(bytes, by);
}

function look(bytes: number, by: string): void {
  limit ??= byDefault();
  const { rss, arrayBuffers } = nodeProcess().memoryUsage();
  let all = bytes + rss + arrayBuffers; // what is resident may not be an array, and an array not resident: no less
  if (all > limit) {
    all = reached().reduce((sum, kind) => sum + kind.bytes, bytes);
    const why = `and tensors hold ${sizeText(all - bytes)} of the ${sizeText(limit)} of setMemoryLimit (TWOHEADS_MEMORY)`;
    if (all > limit) throw outOfMemory(by, bytes, why);
  }
  left = Math.max(limit - all, limit / 16); // looks stay rare
}

/** Tensors that one op made in one shape. */
interface Kind {
  readonly what: string;
  count: number;
  bytes: number;
}

/** What the program can still reach, the most bytes first. Node lists objects by printing them, which tells us each. */
function reached(): readonly Kind[] {
  const kinds = new Map<string, Kind>();
  const note = (storage: Storage): string => {
    const { by, length, dtype, released } = storage;
    const what = `${by} ${header(storage)}`;
    const kind = kinds.get(what) ?? { what, count: 0, bytes: 0 };
    if (released) return "";
    kinds.set(what, { what, count: kind.count + 1, bytes: kind.bytes + length * byteSize(dtype) });
    return "";
  };
  const inspected = Symbol.for("nodejs.util.inspect.custom");
  const process = nodeProcess();
  const { emitWarning } = process;
  const prototype = Storage.prototype as unknown as Record<symbol, unknown>;
  prototype[inspected] = function (this: Storage) {
    return note(this);
  };
  process.emitWarning = () => {}; // that listing objects is new
  try {
    builtin<NodeHeap>("node:v8")?.queryObjects(Storage, { format: "summary" });
  } finally {
    process.emitWarning = emitWarning;
    delete prototype[inspected];
  }
  return [...kinds.values()].sort((a, b) => b.bytes - a.bytes);
}

/** "; most is held by 40 x mul f32[512,512] (40.0 MiB), ...", or nothing. */
function holders(): string {
  const texts = reached().map(
    ({ what, count, bytes }) => `${count} x ${what} (${sizeText(bytes)})`,
  );
  return texts.length === 0 ? "" : `; most is held by ${texts.slice(0, 5).join(", ")}`;
}

setMemoryLimit();
