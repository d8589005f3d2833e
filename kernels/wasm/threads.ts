// Fork and join over one shared memory. A job is a kernel, its arguments and its units, cut into
// chunks; whoever is awake takes the next chunk, and the caller takes chunks too, so it can finish
// the job alone while workers sleep or the machine is busy. Every unit is computed whole and in the
// same way by anyone, so neither the number of threads nor who came first changes a bit of the
// result. Workers wait in Atomics.wait, which burns nothing, and are unref'd, so they never keep
// the process alive.
// Read next: kernels.ts, which says how much work is worth sharing.

import { builtin } from "../../core/device.ts";
import { ArgumentError, DeviceError, environment } from "../../core/index.ts";
import { reasonOf } from "../../core/show.ts";
import type { Exports, SharedKernel } from "./exports.ts";
import type { HostMemory, HostModule } from "./host.ts";
import type { Lanes } from "./module.ts";

/** A thread's own working memory: matmul's turned operands, attention's blocks. */
export const scratchBytes = 1 << 20;

// The control block: Int32 slots, then the job's arguments as doubles.
const GENERATION = 0; // counts jobs; sleepers wait for it to change
const LEFT = 1; // chunks that nobody has taken
const DONE = 2; // chunks finished
const KERNEL = 3;
const UNITS = 4;
const CHUNK = 5; // units to a chunk
const COUNT = 6; // arguments
const SLEEPERS = 7;
const CHUNKS = 8;
const FAILED = 9; // chunks whose kernel threw
const argumentsAt = 64;
const mostArguments = 24;
export const controlBytes = argumentsAt + 8 * mostArguments;

/**
 * Takes chunks until none is left. The arguments are read only after a chunk has been taken: while
 * a taken chunk is unfinished the caller cannot begin another job, so they are this job's. Plain
 * JavaScript without a closure: workers run its text.
 */
function work(
  control: Int32Array,
  values: Float64Array,
  kernels: ((...args: number[]) => void)[],
): void {
  let left = Atomics.load(control, 1);
  while (left > 0) {
    const found = Atomics.compareExchange(control, 1, left, left - 1);
    if (found === left) {
      const from = (left - 1) * (control[5] as number);
      const to = Math.min(from + (control[5] as number), control[4] as number);
      const args = Array.from(values.subarray(0, control[6]));
      try {
        (kernels[control[3] as number] as (...args: number[]) => void)(from, to, ...args);
      } catch {
        Atomics.add(control, 9, 1); // the caller must not wait for ever
      }
      const chunks = control[8] as number;
      if (Atomics.add(control, 2, 1) + 1 === chunks) Atomics.notify(control, 2);
      left = Atomics.load(control, 1);
    } else {
      left = found;
    }
  }
}

/** What a worker is given. */
interface Duty {
  readonly module: HostModule;
  readonly memory: HostMemory;
  readonly control: number;
  readonly scratch: number;
  readonly isWide: number;
  readonly names: readonly SharedKernel[];
  readonly spins: number;
}

/**
 * The worker: after a job it looks out for the next for some microseconds (a training step is a
 * train of jobs), then sleeps. Its text runs there, with that of `share`: neither has a closure.
 */
function serve(duty: Duty, share: typeof work): void {
  const { module, memory, control: at, scratch, isWide, names, spins } = duty;
  const instance = new WebAssembly.Instance(module, { env: { memory } });
  const exports = instance.exports as Record<string, (...args: number[]) => void>;
  exports.setScratch?.(scratch);
  exports.setWide?.(isWide);
  const kernels = names.map((name) => exports[name] as (...args: number[]) => void);
  const control = new Int32Array(memory.buffer, at, 16);
  const values = new Float64Array(memory.buffer, at + 64, 24);
  for (;;) {
    const seen = Atomics.load(control, 0);
    share(control, values, kernels);
    let spin = spins;
    while (spin > 0 && Atomics.load(control, 0) === seen) spin--;
    if (spin > 0) continue;
    Atomics.add(control, 7, 1);
    Atomics.wait(control, 0, seen);
    Atomics.sub(control, 7, 1);
  }
}

/** The text of a worker that serves `data`, an expression. */
function servingText(data: string): string {
  return `(${serve})(${data}, ${work})`;
}

interface WorkerThread {
  terminate(): unknown;
  /** Whether it started; a page's policy may forbid it. */
  readonly started: Promise<boolean>;
}
type MakeHelper = (data: Duty) => WorkerThread;

interface NodeWorker {
  terminate(): unknown;
  unref(): void;
}

interface WebWorker {
  terminate(): unknown;
  postMessage(data: object): void;
  onmessage: (() => void) | null;
  onerror: ((event: { preventDefault(): void }) => void) | null;
}

/** How this platform makes a worker: Node's threads, a browser's workers; null where there are none. */
function workerMaker(): MakeHelper | null {
  const node = builtin<{ Worker: new (source: string, options: object) => NodeWorker }>(
    "node:worker_threads",
  );
  if (node) {
    return (workerData) => {
      const source = servingText('require("node:worker_threads").workerData');
      const options = { eval: true, workerData, execArgv: [], env: {} };
      const worker = new node.Worker(source, options);
      worker.unref(); // it doesn't keep the process alive
      return { terminate: () => worker.terminate(), started: Promise.resolve(true) };
    };
  }
  const web = (globalThis as { Worker?: new (url: string) => WebWorker }).Worker;
  return web === undefined ? null : (data) => webHelper(web, data);
}

/** Milliseconds within which a browser's worker must say that it is there. */
const mostWaiting = 10_000;

function webHelper(web: new (url: string) => WebWorker, data: Duty): WorkerThread {
  const source = `onmessage = ({ data }) => { postMessage(0); ${servingText("data")} };`;
  const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  const worker = new web(url);
  const started = new Promise<boolean>((resolve) => {
    worker.onmessage = () => resolve(true);
    worker.onerror = (event) => {
      event.preventDefault();
      resolve(false);
    };
    setTimeout(() => resolve(false), mostWaiting);
  }).finally(() => URL.revokeObjectURL(url));
  worker.postMessage(data);
  return { terminate: () => worker.terminate(), started };
}

/** A browser's page may not sleep: there the caller looks until the job is done. */
const maySleep = !("document" in globalThis);

export interface ThreadOptions {
  module: HostModule;
  memory: HostMemory;
  exports: Exports;
  lanes: Lanes;
  /** Threads in all, the caller's included. */
  count: number;
  /** Address of `controlBytes` bytes. */
  control: number;
  /** Called once per worker for `scratchBytes` bytes of its own. */
  allocScratch: () => number;
}

/** How many threads to use: TWOHEADS_THREADS, or the processor's, at most 8. */
export function threadCount(): number {
  const asked = environment("TWOHEADS_THREADS");
  if (asked === undefined) return Math.min(8, processors());
  const count = Number(asked);
  if (Number.isInteger(count) && count >= 1 && count <= 64) return count;
  throw new ArgumentError(`TWOHEADS_THREADS=${asked}: a whole number from 1 to 64 is needed`);
}

/** Browsers say it, and newer Node; Node 20 has it from the system. */
function processors(): number {
  const { navigator } = globalThis as { navigator?: { hardwareConcurrency?: number } };
  const os = builtin<{ availableParallelism: () => number }>("node:os");
  return navigator?.hardwareConcurrency ?? os?.availableParallelism() ?? 1;
}

/**
 * How often a worker looks before it goes to sleep: some 200 microseconds, longer than most gaps
 * inside a training step.
 */
const workerSpins = 40_000;
const callerSpins = 5000;

/** Milliseconds without sharing after a job on which the others only kept the caller waiting. */
const shortestPause = 5;
const longestPause = 500;

export class Threads {
  /** Threads in all, the caller's included: 1 where workers can't start. */
  count: number;
  /** How many jobs were shared. */
  shared = 0;
  #pause = shortestPause;
  #pausedUntil = 0;
  #workers: WorkerThread[] = [];
  readonly #make: MakeHelper | null;
  /** Of all workers, from the beginning, as what never moves lies in the way of what does. */
  readonly #scratches: number[];
  #started = false;
  readonly #control: Int32Array;
  readonly #values: Float64Array;
  readonly #options: ThreadOptions;
  readonly #names: SharedKernel[];
  readonly #kernels: ((...args: number[]) => void)[];

  constructor(options: ThreadOptions) {
    this.#options = options;
    const { memory, exports, control } = options;
    this.#make = memory.buffer instanceof ArrayBuffer ? null : workerMaker();
    this.count = this.#make === null ? 1 : options.count;
    this.#scratches = Array.from({ length: this.count - 1 }, options.allocScratch);
    this.#control = new Int32Array(memory.buffer, control, 16).fill(0);
    this.#values = new Float64Array(memory.buffer, control + argumentsAt, mostArguments);
    this.#names = Object.keys(exports) as SharedKernel[];
    this.#kernels = this.#names.map((name) => exports[name] as (...args: number[]) => void);
  }

  /**
   * Whether waking somebody would be needed, which takes far longer than handing work to whoever
   * looks out for it.
   */
  get asleep(): boolean {
    return !this.#started || (this.#control[SLEEPERS] as number) > 0;
  }

  /** Whether the other cores were busy with something else just now, so that sharing would cost time. */
  get paused(): boolean {
    return this.#pausedUntil > 0 && performance.now() < this.#pausedUntil;
  }

  /**
   * A worker that lost its core in the middle of a chunk keeps the caller waiting for longer than the
   * caller worked. Then sharing stops for a while, and for longer each time that happens again.
   */
  #judge(start: number, joined: number, end: number): void {
    const waited = end - joined;
    if (waited > 0.1 && waited > joined - start) {
      this.#pausedUntil = end + this.#pause;
      this.#pause = Math.min(longestPause, 2 * this.#pause);
    } else if (this.#pause > shortestPause) this.#pause /= 1.1;
  }

  /**
   * Runs units [0, units) of a kernel in chunks of `chunk` units, on whoever is free, and returns
   * when all are done.
   */
  run(kernel: SharedKernel, units: number, chunk: number, args: readonly number[]): void {
    if (!this.#started) this.#start();
    const control = this.#control;
    const chunks = Math.ceil(units / chunk);
    for (let i = 0; i < args.length; i++) this.#values[i] = args[i] as number;
    control[KERNEL] = this.#names.indexOf(kernel);
    control[UNITS] = units;
    control[CHUNK] = chunk;
    control[COUNT] = args.length;
    control[CHUNKS] = chunks;
    Atomics.store(control, DONE, 0);
    Atomics.store(control, LEFT, chunks);
    Atomics.add(control, GENERATION, 1);
    if (Atomics.load(control, SLEEPERS) > 0) Atomics.notify(control, GENERATION);
    this.shared++;
    const start = performance.now();
    work(control, this.#values, this.#kernels);
    const joined = performance.now();
    this.#join(chunks);
    this.#judge(start, joined, performance.now());
    if (Atomics.exchange(control, FAILED, 0) === 0) return;
    throw new DeviceError(
      `wasm: ${kernel} reached outside of its memory; its result is not to be used`,
    );
  }

  /**
   * Waits for chunks that workers have taken: looks for a while, then sleeps until the last one is
   * finished.
   */
  #join(chunks: number): void {
    const control = this.#control;
    for (let spin = callerSpins; spin > 0; spin--)
      if (Atomics.load(control, DONE) === chunks) return;
    for (
      let done = Atomics.load(control, DONE);
      done !== chunks;
      done = Atomics.load(control, DONE)
    ) {
      if (maySleep) Atomics.wait(control, DONE, done, 1);
    }
  }

  /**
   * Starts the workers and waits until they are there, as a page does before its first step. Where one can't
   * start, a sentence says so, and the caller computes alone.
   */
  async begin(): Promise<void> {
    if (this.count === 1 || this.#started) return;
    this.#start();
    const started = await Promise.all(this.#workers.map((worker) => worker.started));
    if (!started.includes(false)) return;
    this.#alone("a worker didn't start (worker-src of a Content-Security-Policy needs blob:)");
  }

  #alone(why: string): void {
    console.warn(`wasm: ${why}; computing with one thread`);
    for (const worker of this.#workers) worker.terminate();
    this.#workers = [];
    this.count = 1;
  }

  #start(): void {
    this.#started = true;
    const { module, memory, lanes, control } = this.#options;
    const isWide = Number(lanes === 256);
    const shared = { module, memory, control, isWide, names: this.#names, spins: workerSpins };
    for (const scratch of this.#scratches) {
      try {
        const helper = this.#make?.({ ...shared, scratch });
        if (helper) this.#workers.push(helper);
      } catch (error) {
        this.#alone(`a worker didn't start (${reasonOf(error)})`);
        break;
      }
    }
  }

  /** Ends the workers. Nothing needs to call this for the process to end. */
  async stop(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
    this.#workers = [];
    this.#started = false;
    this.#control.fill(0);
  }
}
