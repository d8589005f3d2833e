// Module: a tree of layers whose names come from the fields themselves. A field that holds a Module is a
// child, one that holds a Tensor is a parameter; so are those in arrays, Maps, Sets and plain objects, lists
// in lists too. camelCase becomes snake_case, and so `model.layers[0].selfAttn.qProj.weight` is called "model.layers.0.self_attn.q_proj.weight".
// What is neither learned nor saved (tables, caches) stays in private #fields, which the tree can't see.
// Next: activations.ts for what tap() does, layers.ts for the first modules.

import {
  ArgumentError,
  type DType,
  isFloat,
  type Random,
  showTree,
  Tensor,
} from "../core/index.ts";
import { accept, signatures } from "../core/signature.ts";
import { checkTensor } from "../core/tensor.ts";
import { announce, isHeard } from "./activations.ts";

const takes = signatures({
  parameters: "",
  namedParameters: "",
  eval: "",
  freeze: "",
  unfreeze: "",
  stateDict: "",
  parameterCount: "{ trainable?: boolean }",
  train: "{ rng?: Random | null }",
  to: "dtype: DType",
  withParameters: "by: object, fn: function",
  loadStateDict: "dict: object, { strict?: boolean }",
});

/** Says of a class that is there to be extended which ones to make; TypeScript would have refused `new`. */
export function abstractClass(name: string, kinds: string): ArgumentError {
  return new ArgumentError(`${name}: this class is there to be extended; make ${kinds}`);
}

/** Parameters by their dotted names. */
export type StateDict = Readonly<Record<string, Tensor>>;

/** Names that loadStateDict found on one side only. */
export interface LoadReport {
  /** Parameters that the dict has no values for; they stay as they were. */
  readonly missing: readonly string[];
  /** Names in the dict that no parameter has. */
  readonly unexpected: readonly string[];
}

/**
 * A part of a network: fields that are tensors are its parameters, fields that are modules its parts, and
 * their names are the names in state dicts and files. Extend it and write forward().
 */
export abstract class Module {
  /** Whether dropout drops; set for a whole tree by train() and eval(). */
  training = true;
  /** Where dropout draws from while it drops; set for a whole tree by train({ rng }). */
  rng: Random | null = null;

  // --- The tree --------------------------------------------------------------------------------------

  /** What a field is called in names. */
  protected fieldName(field: string): string {
    return field.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  }

  /** Modules and tensors in the fields, in their order. */
  *#children(): Generator<FieldPlace> {
    for (const [field, value] of Object.entries(this)) {
      const set = (fresh: Tensor): void => void Object.assign(this, { [field]: fresh });
      yield* placesIn(this.fieldName(field), value, set, new Set([this]));
    }
  }

  /** This module and everything below it, under every name that leads there; a way back up leads nowhere. */
  *#walk(
    path = "",
    above: readonly Module[] = [],
  ): Generator<[name: string, found: Module | Tensor]> {
    yield [path, this];
    const here = [...above, this];
    for (const { name, child } of this.#children()) {
      const full = path === "" ? name : `${path}.${name}`;
      if (child instanceof Tensor) yield [full, child];
      else if (!here.includes(child)) yield* child.#walk(full, here);
    }
  }

  /** This module ("") and all below it with their names; one that stands in several places once. */
  namedModules(): [name: string, module: Module][] {
    return once(
      [...this.#walk()].filter((pair): pair is [string, Module] => pair[1] instanceof Module),
    );
  }

  /** All parameters with their names, frozen ones too; a tied one once, under its first name. */
  namedParameters(): [name: string, parameter: Tensor][] {
    accept(takes.namedParameters, arguments);
    const all = once(this.#allNames());
    const names = new Set<string>();
    for (const [name] of all) {
      if (names.has(name))
        throw new ArgumentError(
          `${this.constructor.name}: two parameters are called "${name}"; rename a field or a key`,
        );
      names.add(name);
    }
    return all;
  }

  /** All parameters, frozen ones too; tied ones once. */
  parameters(): Tensor[] {
    accept(takes.parameters, arguments);
    return this.namedParameters().map(([, p]) => p);
  }

  /** How many numbers the parameters hold. `trainable`: only those that ask for gradients. */
  parameterCount(options: { readonly trainable?: boolean } = {}): number {
    accept(takes.parameterCount, arguments);
    const { trainable = false } = options;
    const counted = this.parameters().filter((p) => p.requiresGrad || !trainable);
    return counted.reduce((sum, p) => sum + p.size, 0);
  }

  /** Parameters with every name that leads to them: a tied one stands here several times. */
  #allNames(): [name: string, parameter: Tensor][] {
    return [...this.#walk()].filter((pair): pair is [string, Tensor] => pair[1] instanceof Tensor);
  }

  /** The tensors in this module's own fields, not in those of its parts; one that stands in two of them twice. */
  ownTensors(): Tensor[] {
    return [...this.#children()].flatMap(({ child }) => (child instanceof Tensor ? [child] : []));
  }

  // --- Modes -----------------------------------------------------------------------------------------

  /**
   * Switches this tree to training and returns it. Every dropout in it drops, drawing from `rng`; without
   * one, from the generator that it was given before.
   */
  train(options: { readonly rng?: Random | null } = {}): this {
    accept(takes.train, arguments);
    const { rng } = options;
    for (const [, module] of this.namedModules()) {
      module.training = true;
      module.rng = rng ?? module.rng;
    }
    return this;
  }

  /** Switches this tree to evaluation, in which nothing is dropped; returns it. */
  eval(): this {
    accept(takes.eval, arguments);
    for (const [, module] of this.namedModules()) module.training = false;
    return this;
  }

  /**
   * Switches this tree to evaluation until the function that it returns is called, which gives every
   * module its own mode back: parts of a tree may be shared with another one, or be in modes of their own.
   */
  pauseTraining(): () => void {
    const before = this.namedModules().map(([, module]) => [module, module.training] as const);
    this.eval();
    return () => {
      for (const [module, training] of before) module.training = training;
    };
  }

  /** No parameter of this tree asks for gradients any more; returns it. */
  freeze(): this {
    accept(takes.freeze, arguments);
    for (const p of this.parameters()) p.requiresGrad_(false);
    return this;
  }

  /** Every float parameter of this tree asks for gradients; returns it. */
  unfreeze(): this {
    accept(takes.unfreeze, arguments);
    for (const p of this.parameters()) p.requiresGrad_(isFloat(p.dtype));
    return this;
  }

  /**
   * Converts every float parameter to another float dtype; they are new tensors, so make optimisers
   * afterwards. Integers and bools stay what they are.
   */
  to(dtype: DType): this {
    accept(takes.to, arguments);
    if (!isFloat(dtype))
      throw new ArgumentError(`to: parameters are float32 or float64, not ${dtype}`);
    const converted = new Map<Tensor, Tensor>();
    for (const p of this.parameters()) {
      if (!isFloat(p.dtype)) continue;
      const fresh = p.detach().to(dtype).keep();
      converted.set(p, fresh.requiresGrad_(p.requiresGrad));
    }
    for (const [, module] of this.namedModules()) {
      for (const { child, set } of [...module.#children()]) {
        const fresh = child instanceof Tensor ? converted.get(child) : undefined;
        if (fresh) set(fresh);
      }
    }
    return this;
  }

  /**
   * Runs `fn` with other tensors in the places of some parameters, and puts these back: what a network gives for weights
   * that are no leaves, its gradients included (PyTorch's functional_call).
   */
  withParameters<T>(by: ReadonlyMap<Tensor, Tensor>, fn: () => T): T {
    accept(takes.withParameters, arguments);
    const back: (() => void)[] = [];
    for (const [, module] of this.namedModules())
      for (const { child, set } of [...module.#children()]) {
        const other = child instanceof Tensor ? by.get(child) : undefined;
        if (other === undefined) continue;
        set(other);
        back.push(() => set(child as Tensor));
      }
    try {
      return fn();
    } finally {
      for (const restore of back) restore();
    }
  }

  // --- State -----------------------------------------------------------------------------------------

  /** The parameters by name, off the tape; they share memory with the module. Tied ones stand once. */
  stateDict(): StateDict {
    accept(takes.stateDict, arguments);
    return Object.fromEntries(this.namedParameters().map(([name, p]) => [name, p.detach()]));
  }

  /**
   * Copies values into the parameters, converting their dtype. A tied parameter may stand under any of
   * its names. Throws before it changes anything, naming every missing and unexpected name (unless
   * strict is false) and every shape that differs.
   */
  loadStateDict(dict: StateDict, options: { readonly strict?: boolean } = {}): LoadReport {
    accept(takes.loadStateDict, arguments);
    const { strict = true } = options;
    const names = this.#allNames();
    const known = new Set(names.map(([name]) => name));
    const found = names.filter(([name]) => Object.hasOwn(dict, name));
    const filled = new Set(found.map(([, p]) => p));
    const missing = this.namedParameters().flatMap(([name, p]) => (filled.has(p) ? [] : [name]));
    const unexpected = Object.keys(dict).filter((name) => !known.has(name));
    const problems = [
      ...(strict && missing.length > 0 ? [`missing: ${missing.join(", ")}`] : []),
      ...(strict && unexpected.length > 0 ? [`unexpected: ${unexpected.join(", ")}`] : []),
      ...misfits(found, dict),
    ];
    if (problems.length > 0) {
      const remedy = strict ? "\n{ strict: false } passes over missing and unexpected names" : "";
      throw new ArgumentError(
        `loadStateDict: the dict doesn't fit this ${this.constructor.name}:\n  ${problems.join("\n  ")}${remedy}`,
      );
    }
    for (const [name, p] of found) p.assign(dict[name] as Tensor);
    return { missing, unexpected };
  }

  // --- Activations -----------------------------------------------------------------------------------

  /** Announces an activation: returns x, or what a listener makes of it. See activations.ts. */
  protected tap(name: string, x: Tensor): Tensor {
    return announce(this, name, x);
  }

  /** Whether anybody listens to this activation: for those that cost something to make. */
  protected isHeard(name: string): boolean {
    return isHeard(this, name);
  }

  // --- Printing --------------------------------------------------------------------------------------

  /** The tree with shapes and counts. */
  toString(): string {
    const [all, trainable] = [this.parameterCount(), this.parameterCount({ trainable: true })];
    const trained =
      all === trainable ? "" : `, ${trainable.toLocaleString("en-US")} of them trained`;
    return `${this.constructor.name}\n${showTree(new Map(this.namedParameters()))}${trained}`;
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.toString();
  }
}

/** Where a module or a tensor stands in a module, and how to put another tensor there. */
interface FieldPlace {
  readonly name: string;
  readonly child: Module | Tensor;
  readonly set: (fresh: Tensor) => void;
}

/** The places in a field's value: itself, or what lists and tables in it hold, named by index and key. */
function* placesIn(
  name: string,
  value: unknown,
  set: (fresh: Tensor) => void,
  around: ReadonlySet<unknown>,
): Generator<FieldPlace> {
  if (value instanceof Module || value instanceof Tensor) yield { name, child: value, set };
  else if (value !== null && typeof value === "object" && !around.has(value)) {
    const inside = new Set([...around, value]);
    for (const { key, item, put } of itemsOf(value))
      yield* placesIn(`${name}.${key}`, item, put, inside);
  }
}

interface Item {
  readonly key: string;
  readonly item: unknown;
  readonly put: (fresh: Tensor) => void;
}

function itemsOf(value: object): readonly Item[] {
  if (value instanceof Map) {
    const put = (key: unknown) => (fresh: Tensor) => void value.set(key, fresh);
    return [...value].map(([key, item]) => ({ key: String(key), item, put: put(key) }));
  }
  if (value instanceof Set) {
    const put = (item: unknown) => (fresh: Tensor) => {
      const all = [...value].map((old) => (old === item ? fresh : old)); // keeps the order
      value.clear();
      for (const one of all) value.add(one);
    };
    return [...value].map((item, i) => ({ key: String(i), item, put: put(item) }));
  }
  const isPlain = [Object.prototype, null].includes(Object.getPrototypeOf(value));
  if (!Array.isArray(value) && !isPlain) return [];
  const entries = Object.entries(value).filter(([, item]) => typeof item === "object");
  return entries.map(([key, item]) => ({
    key,
    item,
    put: (fresh) => void Object.assign(value, { [key]: fresh }),
  }));
}

/** The pairs whose second half didn't come before. */
function once<T>(pairs: readonly [string, T][]): [string, T][] {
  const seen = new Set<T>();
  return pairs.filter(([, found]) => !seen.has(found) && seen.add(found));
}

/** What is wrong with the values for `found`: other shapes, and tied parameters with two values. */
function misfits(found: readonly [string, Tensor][], dict: StateDict): string[] {
  const first = new Map<Tensor, string>();
  return found.flatMap(([name, p]) => {
    const value = checkTensor("loadStateDict", dict[name], `"${name}" in the dict`);
    const other = first.get(p);
    first.set(p, other ?? name);
    if (String(value.shape) !== String(p.shape))
      return [`${name} is [${p.shape}], the dict has [${value.shape}]`];
    if (isFloat(p.dtype) && !isFloat(value.dtype))
      return [`${name} is ${p.dtype}, the dict has ${value.dtype}`];
    if (other === undefined || areEqual(value, dict[other] as Tensor)) return [];
    return [`${other} and ${name} are one tied parameter, the dict has different values for them`];
  });
}

function areEqual(a: Tensor, b: Tensor): boolean {
  const [left, right] = [a.data, b.data];
  return left.length === right.length && left.every((x, i) => Object.is(x, right[i]));
}
