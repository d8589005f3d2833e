// LoRA (2106.09685): beside a frozen weight W a low-rank update, y = W x + (alpha / rank) B A x, of which
// only A and B are trained. B starts at 0, so a fresh adapter changes nothing; switched off, the model is
// the one that it started from: that is how a frozen reference model comes for free.
// Next: optim.ts.

import { ArgumentError, noGrad, type Random, scope, type Tensor } from "../core/index.ts";
import { accept, signatures } from "../core/signature.ts";
import { patternOf } from "./activations.ts";
import { filled, uniform } from "./init.ts";
import { Dropout, Linear, Projection } from "./layers.ts";
import { Module, type StateDict } from "./module.ts";
import { nearest } from "./nearest.ts";

const options = "rank: number, alpha?: number, dropout?: number, rng: Random";
const takes = signatures(
  {
    forward: "x: Tensor",
    LoRA: `layer: Projection, { ${options} }`,
    addLoRA: `model: Module, { layers: any[], ${options} }`,
    mergeLoRA: "model: Module",
    unmergeLoRA: "model: Module",
    withoutAdapters: "model: Module, fn: function",
    loraStateDict: "model: Module",
  },
  () => ({ Module, Projection }),
);

/** Which layers get adapters of low rank (2106.09685), of which rank and scale. */
export interface LoRAOptions {
  /** Layers by name, * standing for any part between dots: ["model.layers.*.self_attn.q_proj"]. */
  readonly layers: readonly string[];
  readonly rank: number;
  /** The update is scaled by alpha / rank. Default: rank. */
  readonly alpha?: number;
  /** On what goes into the adapter, in training. Default 0. */
  readonly dropout?: number;
  readonly rng: Random;
}

/** The adapter of one layer: a [rank, in], b [out, rank]. */
export class LoRA extends Module {
  a: Tensor;
  b: Tensor;
  readonly dropout: Dropout;
  readonly scale: number;
  /** The weight from before merging, while merged. */
  #before: Tensor | null = null;
  #isOn = true;

  constructor(layer: Projection, options: Omit<LoRAOptions, "layers">) {
    accept(takes.LoRA, arguments);
    super();
    const { inFeatures, outFeatures, weight } = layer;
    const { rank, alpha = rank, dropout = 0, rng } = options;
    if (!Number.isSafeInteger(rank) || rank < 1)
      throw new ArgumentError(`LoRA: rank ${rank} must be a whole number > 0`);
    this.a = uniform([rank, inFeatures], { bound: 1 / Math.sqrt(inFeatures), rng });
    this.b = filled([outFeatures, rank], 0);
    this.dropout = new Dropout(dropout);
    this.scale = alpha / rank;
    this.to(weight.dtype);
  }

  /** Whether the layer adds this adapter's part by itself: not while merged or switched off. */
  get isActive(): boolean {
    return this.#isOn && this.#before === null;
  }

  get isMerged(): boolean {
    return this.#before !== null;
  }

  /** (alpha / rank) B A x. */
  forward(x: Tensor): Tensor {
    accept(takes.forward, arguments);
    return this.dropout.forward(x).linear(this.a).linear(this.b).mul(this.scale);
  }

  /** Switches the adapter on or off; returns how it was. */
  switch(on: boolean): boolean {
    const before = this.#isOn;
    this.#isOn = on;
    return before;
  }

  /** Adds the update to the layer's weight, of which a copy stays here. */
  merge(layer: Projection): void {
    if (this.#before !== null) return;
    const { weight } = layer;
    this.#before = noGrad(() => weight.mul(1)).keep();
    const update = (): Tensor => {
      const delta = this.b.matmul(this.a).mul(this.scale); // [out, in]
      return weight.add(layer instanceof Linear ? delta : delta.transpose());
    };
    noGrad(() => scope(() => void weight.assign(update())));
  }

  /** Puts the layer's weight back, to the bit. */
  unmerge({ weight }: Projection): void {
    if (this.#before === null) return;
    weight.assign(this.#before);
    this.#before.release();
    this.#before = null;
  }
}

/** The layers of a model that have adapters, with their names. */
function adapted(model: Module): { name: string; layer: Projection; lora: LoRA }[] {
  return model.namedModules().flatMap(([name, layer]) => {
    const lora = layer instanceof Projection ? layer.lora : null;
    return lora === null ? [] : [{ name, layer: layer as Projection, lora }];
  });
}

/**
 * Freezes a model and puts adapters beside the layers whose names match; only they are trained from then
 * on (unfreeze a head that shall be too). A pattern that matches no linear layer is an ArgumentError.
 */
export function addLoRA<M extends Module>(model: M, settings: LoRAOptions): M {
  accept(takes.addLoRA, arguments);
  const { layers, ...options } = settings;
  const linear = model
    .namedModules()
    .filter((pair): pair is [string, Projection] => pair[1] instanceof Projection);
  const chosen = new Map<string, Projection>();
  for (const pattern of layers) {
    const found = linear.filter(([name]) => patternOf(pattern).test(name));
    for (const [name, layer] of found) chosen.set(name, layer);
    if (found.length > 0) continue;
    const near = nearest(
      pattern,
      linear.map(([name]) => name),
    ).join(", ");
    throw new ArgumentError(`addLoRA: no linear layer is called "${pattern}"; near are ${near}`);
  }
  model.freeze();
  for (const [name, layer] of chosen) {
    if (layer.lora?.isMerged) throw new ArgumentError(`addLoRA: "${name}" has a merged adapter`);
    layer.lora = new LoRA(layer, { ...options, rng: options.rng.fork(name) });
    layer.lora.train({ rng: layer.rng });
    if (!layer.training) layer.lora.eval();
  }
  return model;
}

/** Adds every adapter's update to its layer's weight: as fast as no adapter. unmergeLoRA takes it back. */
export function mergeLoRA(model: Module): void {
  accept(takes.mergeLoRA, arguments);
  for (const { name, layer } of adapted(model)) {
    const holders = model
      .namedModules()
      .flatMap(([other, part]) =>
        part.ownTensors().flatMap((x) => (x === layer.weight ? [other] : [])),
      );
    if (holders.length < 2) continue;
    throw new ArgumentError(
      `mergeLoRA: the weight of "${name}" is tied to ${holders.map((other) => `"${other}"`).join(", ")}, ` +
        "which would change too; leave its adapter unmerged",
    );
  }
  for (const { layer, lora } of adapted(model)) lora.merge(layer);
}

/** Puts the weights from before mergeLoRA back, to the bit. */
export function unmergeLoRA(model: Module): void {
  accept(takes.unmergeLoRA, arguments);
  for (const { layer, lora } of adapted(model)) lora.unmerge(layer);
}

/** Runs `fn` with the adapters switched off: the model that they were added to. */
export function withoutAdapters<T>(model: Module, fn: () => T): T {
  accept(takes.withoutAdapters, arguments);
  const all = adapted(model);
  const merged = all.find(({ lora }) => lora.isMerged);
  if (merged !== undefined) {
    throw new ArgumentError(
      `withoutAdapters: the adapter of "${merged.name}" is merged; call unmergeLoRA before`,
    );
  }
  const before = all.map(({ lora }) => lora.switch(false));
  try {
    const result = fn();
    if (!(result instanceof Promise)) return result;
    throw new ArgumentError("withoutAdapters: fn returned a promise; await outside of it");
  } finally {
    all.forEach(({ lora }, i) => {
      lora.switch(before[i] ?? true);
    });
  }
}

/** The adapters' parameters alone; loadStateDict(dict, { strict: false }) takes them back. */
export function loraStateDict(model: Module): StateDict {
  accept(takes.loraStateDict, arguments);
  const parts = adapted(model).flatMap(({ name, lora }) =>
    Object.entries(lora.stateDict()).map(([key, x]) => [`${name}.lora.${key}`, x] as const),
  );
  return Object.fromEntries(parts);
}
