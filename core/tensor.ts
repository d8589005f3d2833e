// Tensor: a shape, a storage of numbers on some device, and its place on the tape. The class holds
// only what a tensor *is*; what can be done with one (x.mul(y), x.backward()) are the exported
// functions of ops/ and tape.ts, which index.ts makes methods as well.
//
// The words: shape [2,3] means two rows of three numbers, [] a single number (a scalar); dtype is the type of
// the numbers. An op computes a tensor from tensors. The tape notes which op made which tensor, one node each;
// a tensor that no op made is a leaf: data, or a parameter that is trained. The gradient of a scalar L at x has
// x's shape and holds dL/dx[i], how much L changes by each number of x; backward() walks the tape from L back
// to the leaves and finds it. All tensors and nodes behind L are its graph, which the walk releases.
// Next: ops/arithmetic.ts for the first op, tape.ts for gradients.

import { currentDevice, type Device, device as deviceNamed } from "./device.ts";
import { type DType, dtypeOf, isFloat, type TypedArray } from "./dtype.ts";
import { ArgumentError, DTypeError, GraphError, ShapeError } from "./errors.ts";
import type { Hook } from "./hooks.ts";
import type { Node } from "./node.ts";
import type * as Ops from "./ops/index.ts";
import { describeValue } from "./refusal.ts";
import { formatShape, type Shape, sameShape, sizeOf } from "./shape.ts";
import { describe, format } from "./show.ts";
import { accept, signatures } from "./signature.ts";
import { Storage } from "./storage.ts";
import type { backward } from "./tape.ts";

/** The names of a module's ops, but for those that are no methods. Asks nothing of Tensor, which is made of them. */
type MethodNames<M> = {
  [K in keyof M]: M[K] extends { readonly entry: unknown }
    ? "isMethod" extends keyof M[K]
      ? never
      : K
    : never;
}[keyof M];

/** The ops of a module that take a tensor first, as methods of that tensor. */
export type Methods<M, Names extends keyof M = MethodNames<M>> = {
  readonly [K in Names]: M[K] extends (x: never, ...rest: infer R) => infer Y
    ? (...rest: R) => Y
    : never;
};

/** Nested arrays of numbers, as deep as the tensor has axes. */
export type Nested = number | boolean | readonly Nested[];

/**
 * Numbers in a shape, on a device, and how they were computed, until that is released. tensor(), zeros() and others
 * make one; every op that takes a tensor first is a method as well: x.mul(y) is mul(x, y).
 */
export interface Tensor extends Methods<typeof Ops> {
  /**
   * Adds the gradient of this scalar to `.grad` of every leaf behind it that requires one; other shapes need `gradient`, what a later scalar's
   * gradient here would be (the cotangent). Releases the graph unless told to retain it. A GraphError if nothing requires one, a ShapeError without `gradient` for no scalar.
   */
  backward(options?: Parameters<typeof backward>[1]): void;
  /**
   * Calls `hook` with this tensor's gradient in every walk back; what it returns, if anything, takes the
   * gradient's place. Returns a function that removes the hook.
   */
  registerHook(hook: Hook): () => void;
  /** Makes backward() fill `.grad` of this tensor although it was computed; returns it. */
  retainGrad(): Tensor;
}

const noHooks: readonly Hook[] = [];

/** What calls may look like (signature.ts): accept(takes.f, arguments) throws a sentence if one doesn't fit. */
const takes = signatures({
  read: "",
  item: "",
  keep: "",
  release: "",
  detach: "",
  named: "name: string",
  onDevice: "name: string",
  requiresGrad_: "on?: boolean",
  assign: "values: Tensor | number[]",
});

export class Tensor {
  /** Whether backward() brings a gradient to this tensor. */
  requiresGrad = false;
  /** The gradient that backward() accumulated here: leaves, and tensors that asked with retainGrad(). */
  grad: Tensor | null = null;
  /** How this tensor was computed; null for leaves. */
  node: Node | null = null;
  /** What the printed tape calls it. */
  name = "";
  /** Gradient hooks: see registerHook. */
  hooks: readonly Hook[] = noHooks;
  /** Whether backward() fills `grad` although this is no leaf: see retainGrad. */
  retainsGrad = false;

  constructor(
    readonly storage: Storage,
    readonly shape: Shape,
  ) {}

  get dtype(): DType {
    return this.storage.dtype;
  }

  get device(): Device {
    return this.storage.device;
  }

  /** Number of axes. */
  get rank(): number {
    return this.shape.length;
  }

  /** Number of elements. */
  get size(): number {
    return this.storage.length;
  }

  /** The numbers, row-major, as the device holds them: a view, not a copy. CPU devices only. */
  get data(): TypedArray {
    return this.device.view(this.storage.buffer("data"));
  }

  /** A copy of the numbers, row-major, on any device. */
  read(): Promise<TypedArray> {
    accept(takes.read, arguments);
    return this.device.read(this.storage.buffer("read"));
  }

  /** The one number of a tensor with one element, on any device. */
  async item(): Promise<number> {
    accept(takes.item, arguments);
    if (this.size !== 1) {
      throw new ShapeError(
        `item: needs one element, got shape ${formatShape(this.shape)}; read() gives them all`,
      );
    }
    const [value = Number.NaN] = await this.read();
    return value;
  }

  /** The numbers as nested arrays (bools as true and false). CPU devices only. */
  toArray(): Nested {
    return nest(this.data, this.shape, this.dtype === "bool");
  }

  /** Names the tensor for the printed tape; returns it. */
  named(name: string): this {
    accept(takes.named, arguments);
    this.name = name;
    return this;
  }

  /** Keeps the memory whatever scope or backward() ends around it; returns the tensor. */
  keep(): this {
    accept(takes.keep, arguments);
    this.storage.kept = true;
    return this;
  }

  /** Gives the memory back now. Reading the tensor afterwards is an error. */
  release(): void {
    accept(takes.release, arguments);
    this.storage.release("x.release()");
  }

  /** The same numbers, off the tape: gradients stop here. Shares the memory, which stays when the graph is released. */
  detach(): Tensor {
    accept(takes.detach, arguments);
    this.storage.usedOutsideGraph = true;
    return new Tensor(this.storage, this.shape);
  }

  /** A new leaf on another device, by name, off the tape. CPU devices only. */
  onDevice(name: string): Tensor {
    accept(takes.onDevice, arguments);
    return fromData(this.data.slice(), this.shape, this.dtype, deviceNamed(name));
  }

  /** Makes a leaf ask for gradients (or stop asking); returns it. */
  requiresGrad_(on = true): this {
    accept(takes.requiresGrad_, arguments);
    if (this.node !== null) {
      throw new GraphError(
        `requiresGrad_: this tensor was computed by ${this.node.entry.name}; call x.detach() first`,
      );
    }
    if (on && !isFloat(this.dtype)) {
      throw new DTypeError(
        `requiresGrad_: only float tensors have gradients, got ${this.dtype}; x.to("float32") converts it`,
      );
    }
    this.requiresGrad = on;
    return this;
  }

  /** Overwrites the numbers in place, off the tape: what an optimiser does to a parameter. */
  assign(values: Tensor | TypedArray): this {
    accept(takes.assign, arguments);
    if (values instanceof Tensor && this.#copies(values)) return this;
    const [data, shape] =
      values instanceof Tensor ? [values.data, values.shape] : [values, [values.length]];
    const fits =
      values instanceof Tensor ? sameShape(shape, this.shape) : data.length === this.size;
    if (!fits) {
      throw new ShapeError(
        `assign: ${formatShape(shape)} doesn't fill a tensor of shape ${formatShape(this.shape)}`,
      );
    }
    if (!isFloat(this.dtype) && dtypeOf(data) !== this.dtype) {
      throw new DTypeError(
        `assign: ${dtypeOf(data)} values don't fit ${this.dtype}; x.to("${this.dtype}") converts them`,
      );
    }
    const numbers = this.dtype === "bool" ? data.map((x) => Number(x !== 0)) : data;
    this.device.write(this.storage.buffer("assign"), numbers);
    this.storage.version++;
    return this;
  }

  /** assign without the host, where the device can: same device, shape and dtype. */
  #copies(values: Tensor): boolean {
    const { device, dtype, shape } = this;
    const isAlike =
      values.device === device && values.dtype === dtype && sameShape(values.shape, shape);
    if (device.copy === undefined || !isAlike) return false;
    device.copy(this.storage.buffer("assign"), values.storage.buffer("assign"));
    this.storage.version++;
    return true;
  }

  /** What comparisons and Number(x) see: the one number there is; else an error, as JavaScript would compare printed text. */
  [Symbol.toPrimitive](hint: string): number | string {
    if (hint === "string") return this.toString();
    if (this.size === 1) return this.data[0] ?? Number.NaN;
    throw new ShapeError(
      `number: a tensor of shape ${formatShape(this.shape)} is no single number; ` +
        "x.lt(y) compares and x.add(y) adds element by element, String(x) prints",
    );
  }

  toString(): string {
    return format(this.data, this.shape, this.dtype);
  }

  /** What JSON.stringify writes: toArray(), in which JSON has null for NaN and infinities. */
  toJSON(): Nested {
    return this.toArray();
  }

  /** What console.log shows in Node: dtype and shape, then the numbers. */
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return describe(this);
  }
}

/** A tensor over an array that is handed over, of exactly that dtype. */
export function fromData(
  data: TypedArray,
  shape: Shape,
  dtype: DType,
  device: Device = currentDevice(),
  by = "tensor",
): Tensor {
  if (data.length !== sizeOf(shape)) {
    throw new ShapeError(
      `tensor: ${data.length} numbers don't fill shape ${formatShape(shape)}, which holds ${sizeOf(shape)}`,
    );
  }
  return new Tensor(new Storage(device, dtype, shape, device.upload(data, dtype), by), shape);
}

/** Throws unless `x` is a tensor: the first thing an op says of a wrong argument, its `place`th `what`. */
export function checkTensor(op: string, x: unknown, what = "argument", place?: number): Tensor {
  if (x instanceof Tensor) return x;
  const which = place === undefined ? what : `${what} ${place}`;
  throw new ArgumentError(
    `${op}: ${which} must be a tensor, got ${describeValue(x)}; tensor(...) makes one`,
  );
}

function nest(data: TypedArray, shape: Shape, bool: boolean, depth = 0, at = 0): Nested {
  if (depth === shape.length) return bool ? data[at] === 1 : (data[at] ?? Number.NaN);
  const step = sizeOf(shape.slice(depth + 1));
  return Array.from({ length: shape[depth] ?? 0 }, (_, i) =>
    nest(data, shape, bool, depth + 1, at + i * step),
  );
}
