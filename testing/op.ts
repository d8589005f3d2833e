// Everything that follows from an op's entry, as properties: gradients to order 2 against differences, recording,
// transposed inputs, float32 against float64, other devices against the reference, loops against the definition, and the
// example. The op table of this package is tested by the same. Next: ../test/ops.test.ts.

import fc from "fast-check";
import * as core from "../core/index.ts";
import { ArgumentError, type Entry, noGrad, type Tensor, withDefinitions } from "../core/index.ts";
import { accept, signatures } from "../core/signature.ts";
import {
  type AnyFunction,
  outputsOf,
  replaceFloats,
  replaceTensors,
  withGradients,
} from "./calls.ts";
import { allNear, gradcheckCode, gradientsHold, isThere, nameOf, pasteable } from "./checks.ts";
import { argumentsCode } from "./code.ts";
import { argumentsOf, type Drawing } from "./draw.ts";
import { checkProperty, PropertyError, type PropertyOptions, RUNS } from "./property.ts";
import { describedOp } from "./table.ts";

const options =
  "draw?: function | object | any[], order?: number, float32?: boolean, devices?: any[], name?: string, runs?: number, seed?: number";
const takes = signatures({
  checkOp: `op: function, { ${options} }`,
  opProperties: `op: function, { ${options} }`,
});

/** How an op is checked. */
export interface CheckOpOptions extends PropertyOptions {
  /** What messages call the op. Default: the name of its entry. */
  readonly name?: string;
  /** Draws its arguments. Default: what its entry says. */
  readonly draw?: Drawing;
  /** The order to which gradients are checked. 0 checks none, where they are wrong on purpose. Default: 2. */
  readonly order?: number;
  /** Whether float32 is held against float64: false where rounding makes results jump (sorting, say). Default: true. */
  readonly float32?: boolean;
  /** CPU devices that are held against the reference. Default: wasm, where it is there. */
  readonly devices?: readonly string[];
}

/** One thing that must hold of an op; run() throws if it doesn't. */
export interface OpProperty {
  readonly name: string;
  run(): void;
}

/** What was asked of an op, and how often. */
export interface OpReport {
  readonly properties: number;
  readonly cases: number;
}

interface Asked {
  readonly what: string;
  readonly holds: (args: readonly unknown[]) => void;
  readonly show?: (args: readonly unknown[]) => string;
}

function entryOf(name: string, op: AnyFunction): Entry {
  const { entry } = op as { entry?: Entry };
  if (entry !== undefined) return entry;
  throw new ArgumentError(
    `${name}: ${nameOf(op)} is no op, which elementwise(), reduce(), fused(), composed() and custom() make; ` +
      "checkGradients(fn, draw) takes any function",
  );
}

/** Ops whose result jumps, so that float32 rounding of the inputs may change it. */
function isSmooth({ kernel, name }: Entry): boolean {
  return kernel.kind !== "pick" && !["sort", "topk", "argsort", "to"].includes(name);
}

/** How far devices may be from the reference. */
const tolerances = { float32: 1e-5, float64: 1e-12 };

function deviceProperties(op: AnyFunction, name: string, devices: readonly string[]): Asked[] {
  return devices.flatMap((device) =>
    (["float64", "float32"] as const).map((dtype) => ({
      what: `${device} agrees with the reference in ${dtype}`,
      holds: (args) => {
        if (dtype === "float32" && name === "to") return; // its draw is a conversion to float64
        const here = replaceTensors(args, (x) =>
          (core.isFloat(x.dtype) ? x.to(dtype) : x).onDevice("reference"),
        );
        const there = withGradients(
          op,
          replaceTensors(here, (x) => x.onDevice(device)),
        );
        for (const x of there)
          if (x.device.name !== device)
            throw new PropertyError(`${device}: a tensor is on ${x.device.name}`);
        allNear(there, withGradients(op, here), tolerances[dtype], device);
      },
    })),
  );
}

function asked(
  op: AnyFunction,
  entry: Entry,
  {
    order = 2,
    float32 = isSmooth(entry),
    devices = ["wasm"].filter(isThere),
    name = entry.name,
  }: CheckOpOptions,
): Asked[] {
  const toFloat32 = (args: readonly unknown[]): unknown[] =>
    replaceFloats(args, (x) => x.to("float32"));
  const doubles = (ys: readonly Tensor[]): Tensor[] =>
    ys.map((y) => (y.dtype === "float32" ? y.to("float64") : y));
  const gradients: Asked = {
    what: `gradients to order ${order} agree with finite differences`,
    holds: (args) => gradientsHold(op, args, { order, name }),
    show: (args) => gradcheckCode(name, args, order),
  };
  return [
    ...(order > 0 ? [gradients] : []),
    {
      what: "recording leaves the value unchanged",
      holds: (args) =>
        allNear(
          outputsOf(
            op,
            replaceFloats(args, (x) => x.detach().requiresGrad_()),
          ),
          noGrad(() => outputsOf(op, args)),
          0,
          "recorded",
        ),
    },
    {
      what: "transposed inputs give the same",
      holds: (args) => {
        const twice = replaceFloats(args, (x) => (x.rank < 2 ? x : x.transpose().transpose()));
        allNear(outputsOf(op, twice), outputsOf(op, args), 0, "transposed");
      },
    },
    ...(float32
      ? [
          {
            what: "float32 agrees with float64",
            holds: (args: readonly unknown[]) => {
              const [single, double] = [
                withGradients(op, toFloat32(args)),
                withGradients(op, args),
              ];
              double.forEach((y, i) => {
                const { dtype } = single[i] as Tensor;
                if (dtype !== (y.dtype === "float64" ? "float32" : y.dtype))
                  throw new PropertyError(`float32: tensor ${i} is ${dtype}`);
              });
              allNear(doubles(single), double, 2e-5, "float32");
            },
          },
        ]
      : []),
    ...deviceProperties(op, name, devices),
    ...(entry.definition !== undefined && entry.kernel.kind !== "composed"
      ? [
          {
            what: "the loops agree with the definition",
            holds: (args: readonly unknown[]) =>
              allNear(
                withGradients(op, args),
                withDefinitions(() => withGradients(op, args)),
                1e-10,
                "fused",
              ),
          },
        ]
      : []),
  ];
}

/** Arguments whose floats are in float64, from which the properties start. */
function doubled(args: readonly unknown[]): readonly unknown[] {
  return replaceFloats(args, (x) => (x.dtype === "float64" ? x : x.to("float64")));
}

/** Runs "code  // what it prints", in which the names of core and of the op are known. */
function exampleHolds(name: string, op: AnyFunction, example: string): void {
  const [code = "", expected = ""] = example.split("  // ");
  const known: Record<string, unknown> = { ...core, [name]: op };
  const names = Object.keys(known).filter((key) => /^[a-z]\w*$/i.test(key) && key !== "var");
  const result: unknown = new Function(...names, `return ${code}`)(
    ...names.map((key) => known[key]),
  );
  const printed = Array.isArray(result) ? result.map(String).join(" ") : String(result);
  if (printed !== expected)
    throw new PropertyError(`${name}: its example ${code} prints ${printed}, and says ${expected}`);
}

/**
 * What follows from an op's entry, each as a property with a name: `for (const { name, run } of opProperties(op))
 * test(name, run)` makes a test of each.
 */
export function opProperties(op: AnyFunction, options: CheckOpOptions = {}): OpProperty[] {
  accept(takes.opProperties, arguments);
  const entry = entryOf("opProperties", op);
  const told = describedOp(entry);
  const { name = entry.name, draw = told.draw } = options;
  if (draw === undefined)
    throw new ArgumentError(
      `checkOp: ${name} doesn't say what to draw; give its builder, or checkOp(op, { draw }), a draw such as ` +
        "(d) => [d.tensor([2, 3])]",
    );
  const args = argumentsOf("checkOp", draw);
  const found = asked(op, entry, { ...options, name }).map(({ what, holds, show }) => ({
    name: `${name}: ${what}`,
    run: () =>
      checkProperty(`${name}: ${what}`, fc.property(args.map(doubled), holds), {
        ...options,
        show: ([drawn]) => show?.(drawn) ?? pasteable(`${name}(${argumentsCode(drawn)})`),
      }),
  }));
  const { example } = told;
  if (!example) return found;
  return [
    ...found,
    {
      name: `${name}: its example prints what it says`,
      run: () => exampleHolds(name, op, example),
    },
  ];
}

/**
 * Throws unless everything holds that follows from an op's entry: gradients to order 2, recording, transposed inputs,
 * float32, the wasm device where it is there, loops and definition, and the example. Says how much was asked.
 */
export function checkOp(op: AnyFunction, options: CheckOpOptions = {}): OpReport {
  accept(takes.checkOp, arguments);
  const properties = opProperties(op, options);
  for (const { run } of properties) run();
  const { runs = RUNS } = options;
  return { properties: properties.length, cases: properties.length * runs };
}
