// The op table's properties on a gpu device, where numbers come later: for drawn arguments, values and
// gradients (and the gradients of those) agree with the reference device; recording and the way the
// inputs came about change nothing; fused kernels agree with their definition. Runs in Node and, bundled,
// in a browser. Next: ../gpu.test.ts and ../gpu.browser.test.ts, which run it in each mode.

import fc from "fast-check";
import * as core from "../../core/index.ts";
import {
  type Entry,
  grad,
  noGrad,
  opTable,
  type Tensor,
  type TypedArray,
  withDefinitions,
} from "../../core/index.ts";
import { outputsOf, replaceTensors, withLeaves } from "../../testing/calls.ts";
import { argumentsCode } from "../../testing/code.ts";
import { described, drawFrom } from "../../testing/draw.ts";
import { functionOf } from "../opNamed.ts";

export interface OpTableOptions {
  /** Drawn inputs for each op. */
  readonly runs: number;
  /** Largest difference from the reference, relative to numbers above 1. */
  readonly tolerance: number;
  readonly seed?: number;
  /** Only these ops. */
  readonly only?: readonly string[];
}

export interface OpTableReport {
  readonly ops: number;
  readonly properties: number;
  readonly failures: readonly string[];
  /** Ops that aren't held to the reference on this device, and why. */
  readonly skipped: Readonly<Record<string, string>>;
  /** The largest difference from the reference that was seen, and where. */
  readonly worst: readonly [difference: number, op: string];
  readonly milliseconds: number;
}

/** What a GPU isn't asked for. */
const skipped: Readonly<Record<string, string>> = {
  to: "its draw is a conversion to float64, which no GPU has; float32, int32 and bool are tested by name",
};

/** Numbers in (-1, 1) that no symmetry cancels, on the device of x. */
function weightsLike(x: Tensor): Tensor {
  const data = Float32Array.from({ length: x.size }, (_, i) => ((i * 7 + 3) % 11) / 8 - 0.625);
  return core.tensor(data, { shape: x.shape }).onDevice(x.device.name);
}

/** Values, gradients of their weighted sum, and (order 2) gradients of the gradients' weighted sum. */
function derivatives(name: string, args: readonly unknown[], order: 1 | 2): Tensor[] {
  const { live, leaves } = withLeaves(args, (x) => x.dtype === "float32");
  const ys = outputsOf(functionOf(name), live);
  const differentiable = ys.filter((y) => y.requiresGrad);
  if (differentiable.length === 0) return ys;
  const first = grad(differentiable, leaves, {
    gradOutputs: differentiable.map(weightsLike),
    createGraph: order === 2,
    allowUnused: true,
  }).filter((g) => g !== null);
  const again = first.filter((g) => g.requiresGrad);
  if (again.length === 0) return [...ys, ...first];
  const second = grad(again, leaves, { gradOutputs: again.map(weightsLike), allowUnused: true });
  return [...ys, ...first, ...second.filter((g) => g !== null)];
}

class Checker {
  worst: [number, string] = [0, ""];

  constructor(
    readonly device: string,
    readonly tolerance: number,
  ) {}

  /** Throws unless every tensor there has the numbers of the one here. */
  async near(name: string, what: string, there: Tensor[], here: readonly Tensor[]): Promise<void> {
    const found = await Promise.all(there.map((x) => x.read()));
    if (there.length !== here.length) throw new Error(`${what}: ${there.length} tensors`);
    for (const [i, y] of here.entries()) {
      const x = there[i] as Tensor;
      if (x.device.name !== this.device) throw new Error(`${what}: is on ${x.device.name}`);
      if (x.dtype !== y.dtype || String(x.shape) !== String(y.shape))
        throw new Error(`${what}: ${x.dtype}[${x.shape}] instead of ${y.dtype}[${y.shape}]`);
      this.#same(name, `${what} ${i}`, found[i] as TypedArray, await y.read());
    }
  }

  #same(name: string, what: string, actual: TypedArray, expected: TypedArray): void {
    for (let i = 0; i < expected.length; i++) {
      const [x = 0, y = 0] = [actual[i], expected[i]];
      if (Object.is(x, y) || (x === 0 && y === 0)) continue;
      const difference = Math.abs(x - y) / Math.max(1, Math.abs(y));
      if (!(difference <= this.tolerance)) throw new Error(`${what}: ${x} instead of ${y} at ${i}`);
      if (difference > this.worst[0]) this.worst = [difference, name];
    }
  }
}

/** One op, one draw: everything that must hold. */
async function check(checker: Checker, entry: Entry, drawn: readonly unknown[]): Promise<void> {
  const { name } = entry;
  const here = replaceTensors(drawn, (x) => (x.dtype === "float64" ? x.to("float32") : x));
  const there = replaceTensors(here, (x) => x.onDevice(checker.device));
  const expected = derivatives(name, here, 2);
  await checker.near(name, "values and gradients", derivatives(name, there, 2), expected);
  const values = noGrad(() => outputsOf(functionOf(name), here));
  const once = noGrad(() => outputsOf(functionOf(name), there));
  await checker.near(name, "without recording", once, values);
  const turned = replaceTensors(there, (x) =>
    x.rank < 2 ? x : noGrad(() => x.transpose().transpose()),
  );
  await checker.near(
    name,
    "from transposed inputs",
    derivatives(name, turned, 1),
    derivatives(name, here, 1),
  );
  if (entry.definition === undefined || entry.kernel.kind === "composed") return;
  const defined = withDefinitions(() => derivatives(name, there, 1));
  await checker.near(name, "the definition", defined, derivatives(name, here, 1));
}

/** Holds every op of the table to the reference on `device`. Numbers in the report, never a throw. */
export async function checkOpTable(
  device: string,
  options: OpTableOptions,
): Promise<OpTableReport> {
  const started = performance.now();
  const checker = new Checker(device, options.tolerance);
  const failures: string[] = [];
  const entries = [...opTable.values()].filter(
    ({ name }) => !(name in skipped) && (options.only?.includes(name) ?? true),
  );
  for (const entry of entries) {
    let drawn: readonly unknown[] = [];
    const property = fc.asyncProperty(fc.gen(), async (gen) => {
      drawn = described(entry).draw(drawFrom(gen));
      await check(checker, entry, drawn);
    });
    const report = await fc.check(property, { numRuns: options.runs, seed: options.seed ?? 1 });
    if (!report.failed) continue;
    const error = report.errorInstance;
    failures.push(
      `${entry.name}: ${error instanceof Error ? error.message : error}\n  counterexample: ${argumentsCode(drawn)}`,
    );
  }
  const milliseconds = performance.now() - started;
  const { worst } = checker;
  const properties = entries.length * 4;
  return { ops: entries.length, properties, failures, skipped, worst, milliseconds };
}
