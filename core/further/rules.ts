// Gradient rules that others wrote: what they return is looked at before the walk takes it, so that a forgotten
// gradient or one of another shape is told with the op's name and the argument's place, and not three ops later.
// Next: own.ts and custom.ts, which use it.

import { ArgumentError, DTypeError, GraphError, ShapeError } from "../errors.ts";
import { isRecording, withRecording } from "../modes.ts";
import type { Gradient } from "../node.ts";
import { describeValue } from "../refusal.ts";
import { formatShape } from "../shape.ts";
import { grad } from "../tape.ts";
import { Tensor } from "../tensor.ts";

/** A gradient rule written in ops: (g, result, ...arguments). */
export type GradientRule = (g: Tensor, y: Tensor, ...args: unknown[]) => readonly Gradient[];

/** The rule, with a look at what it returns. */
export function checkRule(name: string, rule: GradientRule): GradientRule {
  return (g, y, ...args) => checkGradients(name, rule(g, y, ...args), args);
}

/** Gradients as the walk takes them; an error names the op and the argument where one isn't what it must be. */
export function checkGradients(
  name: string,
  found: unknown,
  args: readonly unknown[],
): readonly Gradient[] {
  const wanted = args.flatMap((x, i) => (x instanceof Tensor ? [i] : []));
  if (!Array.isArray(found))
    throw new ArgumentError(
      `${name}: its gradient rule returned ${describeValue(found)}; it must return a list with one for each ` +
        "argument, null where there is none: [g.mul(x)]",
    );
  const [last = 0] = wanted.slice(-1);
  if (found.length <= last || found.length > args.length)
    throw new GraphError(
      `${name}: its gradient rule returned ${found.length} gradients, and there are ${last + 1} arguments up to the ` +
        "last tensor; write null for one that has none",
    );
  return found.map((given: unknown, i) => {
    const x = args[i];
    if (given === null || given === undefined) return null;
    if (!(x instanceof Tensor))
      throw new GraphError(`${name}: argument ${i} is no tensor, and its gradient must be null`);
    if (!x.requiresGrad) return null;
    if (typeof given === "function")
      return () => checkGradient(name, (given as () => unknown)(), x, i);
    return checkGradient(name, given, x, i);
  });
}

function checkGradient(name: string, given: unknown, x: Tensor, i: number): Tensor {
  const what = `${name}: the gradient of argument ${i}`;
  if (!(given instanceof Tensor))
    throw new ArgumentError(`${what} must be a tensor or null, got ${describeValue(given)}`);
  if (given.dtype !== x.dtype)
    throw new DTypeError(
      `${what} is ${given.dtype}, and the argument ${x.dtype}; g.to("${x.dtype}") converts it`,
    );
  const offset = given.rank - x.rank;
  const fits =
    offset >= 0 && x.shape.every((side, d) => side === 1 || side === given.shape[offset + d]);
  if (!fits)
    throw new ShapeError(
      `${what} has shape ${formatShape(given.shape)}, and the argument ${formatShape(x.shape)}; it must have the ` +
        "argument's shape, or one that the argument broadcasts to",
    );
  return given;
}

/** The gradients of a definition in other ops, taken with respect to stand-ins so that no path leads around it. */
export function throughDefinition(definition: (...args: never[]) => Tensor): GradientRule {
  return (g, _y, ...args) => {
    const createGraph = isRecording();
    return withRecording(true, () => {
      const standIns = args.map((x) =>
        x instanceof Tensor && x.requiresGrad ? x.reshape(x.shape) : x,
      );
      const inputs = standIns.filter((x, i): x is Tensor => x !== args[i]);
      const y = definition(...(standIns as never[]));
      if (!y.requiresGrad) return args.map(() => null);
      const found = grad(y, inputs, { gradOutputs: g, createGraph, allowUnused: true });
      return standIns.map((x) => (x instanceof Tensor ? (found[inputs.indexOf(x)] ?? null) : null));
    });
  };
}
