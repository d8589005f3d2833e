// Named activations: what flows through a model can be captured or edited by name, through this one
// mechanism. Layers announce with this.tap("resid", x); the full name is the module's path and that
// name ("model.layers.1.resid"). As long as nobody listens, announcing costs one comparison.
// Names may hold *, which stands for any part between two dots: "model.layers.*.resid". There are, of a
// backbone: embed, hidden [B,T,C]; of a block: mid, resid (the residual stream after attention and at the
// end); of attention: q, k, v [B,H,T,D], pattern [B,H,T,S], z, out; of a feed-forward part: act, out; of a
// language model: hidden, logits.
// Next: attention.ts, whose pattern exists only while somebody listens to it.

import { ArgumentError, ShapeError, type Tensor } from "../core/index.ts";
import { accept, signatures } from "../core/signature.ts";
import { checkTensor } from "../core/tensor.ts";
import { Module } from "./module.ts";
import { nearest } from "./nearest.ts";

const takes = signatures(
  {
    capture: "model: Module, names: any[], fn: function",
    edit: "model: Module, edits: object, fn: function",
  },
  () => ({ Module }),
);

/** Somebody who listens to a tree of modules while a function runs. */
class Listener {
  readonly #paths: ReadonlyMap<Module, string>;
  readonly #wanted: ReadonlyMap<string, RegExp>;
  readonly #announced = new Set<string>();
  readonly #found = new Set<string>();

  constructor(
    readonly verb: string,
    root: Module,
    patterns: readonly string[],
    /** Gets the full name, the pattern that it matched, and the activation. */
    readonly hear: (name: string, pattern: string, x: Tensor) => Tensor,
  ) {
    this.#paths = new Map(root.namedModules().map(([path, module]) => [module, path]));
    this.#wanted = new Map(patterns.map((pattern) => [pattern, patternOf(pattern)]));
  }

  /** The full name, and the first pattern that matches it; null for modules of another tree. */
  match(module: Module, name: string): { full: string; pattern: string } | null {
    const path = this.#paths.get(module);
    if (path === undefined) return null;
    const full = path === "" ? name : `${path}.${name}`;
    this.#announced.add(full);
    for (const [pattern, expression] of this.#wanted) {
      if (expression.test(full)) {
        this.#found.add(pattern);
        return { full, pattern };
      }
    }
    return null;
  }

  /** Throws if a pattern matched nothing, with the near names of what was announced. */
  check(): void {
    for (const pattern of this.#wanted.keys()) {
      if (this.#found.has(pattern)) continue;
      const near = nearest(pattern, this.#announced);
      const hint = near.length > 0 ? `near are ${near.join(", ")}` : "fn didn't run the model";
      throw new ArgumentError(`${this.verb}: no activation is called "${pattern}"; ${hint}`);
    }
  }
}

/** Names in which * stands for any part between two dots, as an expression. */
export function patternOf(pattern: string): RegExp {
  const parts = pattern.split("*").map((part) => part.replaceAll(/[.\\+?^${}()|[\]]/g, "\\$&"));
  return new RegExp(`^${parts.join("[^.]*")}$`);
}

/** The innermost first. */
let listeners: readonly Listener[] = [];

/** Tells the listeners of an activation; returns it, or what they make of it. For Module.tap. */
export function announce(module: Module, name: string, x: Tensor): Tensor {
  let y = x;
  for (const listener of listeners) {
    const match = listener.match(module, name);
    if (match !== null) y = listener.hear(match.full, match.pattern, y);
  }
  return y;
}

/** Whether anybody listens to anything. */
export function isListening(): boolean {
  return listeners.length > 0;
}

/** Whether anybody listens to an activation. For Module.isHeard. */
export function isHeard(module: Module, name: string): boolean {
  let isHeard = false; // every listener is asked: each keeps what was announced
  for (const listener of listeners) if (listener.match(module, name) !== null) isHeard = true;
  return isHeard;
}

function listen<T>(listener: Listener, fn: () => T): T {
  const before = listeners;
  listeners = [listener, ...before];
  try {
    const result = fn();
    if (result instanceof Promise) {
      throw new ArgumentError(
        `${listener.verb}: fn returned a promise, and the listening would end before it does; ` +
          "await outside of it",
      );
    }
    listener.check();
    return result;
  } finally {
    listeners = before;
  }
}

/**
 * Runs `fn` and gives its result with the activations of `model` that `names` choose, in the order in
 * which they were made. They are the tensors of the graph itself and have their `.grad` after backward.
 * A name that nothing is announced under, or that is announced twice, is an ArgumentError.
 */
export function capture<T>(
  model: Module,
  names: readonly string[],
  fn: () => T,
): { readonly result: T; readonly activations: Readonly<Record<string, Tensor>> } {
  accept(takes.capture, arguments);
  const activations: Record<string, Tensor> = {};
  const hear = (name: string, _pattern: string, x: Tensor): Tensor => {
    if (Object.hasOwn(activations, name)) {
      throw new ArgumentError(
        `capture: "${name}" was announced twice; run the model once for each capture`,
      );
    }
    activations[name] = x.requiresGrad ? x.retainGrad() : x;
    return x;
  };
  const result = listen(new Listener("capture", model, names, hear), fn);
  return { result, activations };
}

/**
 * Runs `fn` with activations of `model` replaced: { "model.layers.0.resid": (x) => x.mul(0) }. A capture
 * around an edit gets what the edit made; the other way round it gets what was there before.
 */
export function edit<T>(
  model: Module,
  edits: Readonly<Record<string, (x: Tensor, name: string) => Tensor>>,
  fn: () => T,
): T {
  accept(takes.edit, arguments);
  const hear = (name: string, pattern: string, x: Tensor): Tensor => {
    const y = checkTensor("edit", edits[pattern]?.(x, name) ?? x, "what an edit returns");
    if (String(y.shape) === String(x.shape) && y.dtype === x.dtype) return y;
    throw new ShapeError(
      `edit: "${name}" is ${x.dtype} [${x.shape}], its edit gave ${y.dtype} [${y.shape}]; keep both`,
    );
  };
  return listen(new Listener("edit", model, Object.keys(edits), hear), fn);
}
