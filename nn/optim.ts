// Optimisers: what to do with the gradients. They hold the state (averages of gradients) by the names of
// the parameters, and update whole lists at once, in place, with core's adamwStep and sgdStep.
// Next: schedule.ts for learning rates, ../core/update.ts for the formulas.

import {
  ArgumentError,
  adamwStep,
  globalNorm,
  noGrad,
  scope,
  sgdStep,
  type Tensor,
  zerosLike,
} from "../core/index.ts";
import { Module, type StateDict } from "./module.ts";

/** A module, or some of its named parameters. */
export type Optimised = Module | Iterable<readonly [name: string, parameter: Tensor]>;

/** What a step of an optimiser may be told. */
export interface StepOptions {
  /** Scales the gradients down where their global norm is larger; Infinity only measures it. */
  readonly maxNorm?: number;
}

/** Everything that an optimiser must remember to go on to the bit: how many steps, and its tensors. */
export interface OptimiserState {
  readonly step: number;
  readonly tensors: StateDict;
}

/** Rate and weight decay, which every optimiser has. */
export interface OptimiserOptions {
  /** Learning rate; optimiser.lr may be set anew before every step (see schedule.ts). */
  readonly lr: number;
  readonly weightDecay?: number;
  /** Which parameters decay. Default: matrices and tables (rank >= 2), so no biases and no norms. */
  readonly decays?: (name: string, parameter: Tensor) => boolean;
}

/** A parameter whose turn it is. */
interface Turn {
  readonly parameter: Tensor;
  readonly gradient: Tensor;
  readonly decays: boolean;
  readonly slots: readonly Tensor[];
}

/**
 * Adds up the gradients of micro-batches, as if they were one batch: `lossOf` gives the loss of each, and
 * their mean is what is differentiated and returned (a scalar off the tape). Where micro-batches count
 * differently (other numbers of tokens), `weightOf` says how much.
 */
export function accumulate<B>(
  batches: readonly B[],
  lossOf: (batch: B) => Tensor,
  weightOf: (batch: B) => number = () => 1,
): Tensor {
  if (batches.length === 0) throw new ArgumentError("accumulate: got no batches");
  const total = batches.reduce((sum, batch) => sum + weightOf(batch), 0);
  const losses = batches.map((batch) => {
    const loss = lossOf(batch).mul(weightOf(batch) / total);
    loss.backward();
    return loss.detach();
  });
  return losses.reduce((sum, loss) => sum.add(loss));
}

/** The global norm of gradients, and what to multiply them by so that it is at most maxNorm. */
export function clipFactor(
  gradients: readonly Tensor[],
  maxNorm: number,
): { readonly norm: Tensor; readonly factor: Tensor } {
  const norm = globalNorm(gradients);
  return { norm, factor: norm.add(1e-6).reciprocal().mul(maxNorm).minimum(1) };
}

/**
 * Scales the gradients of parameters so that their global norm is at most maxNorm; returns the norm that
 * they had, a scalar. optimiser.step({ maxNorm }) does the same without the extra pass.
 */
export function clipGradNorm(parameters: readonly Tensor[], maxNorm: number): Tensor {
  const given = parameters.filter((p) => p.grad !== null);
  return noGrad(() =>
    scope(() => {
      const { norm, factor } = clipFactor(
        given.map((p) => p.grad as Tensor),
        maxNorm,
      );
      for (const { grad } of given) grad?.assign(grad.mul(factor));
      return norm;
    }),
  );
}

/**
 * What optimisers have in common: call step() after loss.backward(), then zeroGrad(). stateDict() is what a
 * checkpoint needs to go on to the bit, and loadStateDict() takes it back.
 */
export abstract class Optimiser {
  lr: number;
  readonly weightDecay: number;
  /** Tensors that each parameter needs, by the names that the state gives them. */
  protected abstract readonly slotNames: readonly string[];
  readonly #parameters: ReadonlyMap<string, Tensor>;
  readonly #decays: (name: string, parameter: Tensor) => boolean;
  readonly #slots = new Map<string, readonly Tensor[]>();
  #steps = 0;

  constructor(optimised: Optimised, options: OptimiserOptions) {
    const { lr, weightDecay = 0, decays = (_name, p) => p.rank >= 2 } = options;
    const pairs = optimised instanceof Module ? optimised.namedParameters() : optimised;
    this.#parameters = new Map(pairs);
    if (this.#parameters.size === 0)
      throw new ArgumentError(`${this.constructor.name}: got no parameters to optimise`);
    this.lr = lr;
    this.weightDecay = weightDecay;
    this.#decays = decays;
  }

  /** Updates parameters in place; `step` counts from 1. */
  protected abstract update(
    turns: readonly Turn[],
    weightDecay: number,
    step: number,
    gradScale: Tensor | null,
  ): void;

  /** How many steps were taken. */
  get steps(): number {
    return this.#steps;
  }

  /**
   * One step for every parameter that has a gradient and asks for one. With maxNorm, returns the
   * gradients' global norm from before clipping, a scalar; else null.
   */
  step({ maxNorm }: StepOptions = {}): Tensor | null {
    const turns = this.#turns();
    if (turns.length === 0) {
      throw new ArgumentError(
        `${this.constructor.name}: no parameter has a gradient; call loss.backward() before step()`,
      );
    }
    this.#steps++;
    return noGrad(() =>
      scope(() => {
        const clip = maxNorm === undefined ? null : clipFactor(gradientsOf(turns), maxNorm);
        for (const decays of [true, false]) {
          const some = turns.filter((turn) => turn.decays === decays);
          const weightDecay = decays ? this.weightDecay : 0;
          if (some.length > 0) this.update(some, weightDecay, this.#steps, clip?.factor ?? null);
        }
        return clip?.norm ?? null;
      }),
    );
  }

  #turns(): Turn[] {
    const turns: Turn[] = [];
    for (const [name, parameter] of this.#parameters) {
      const { grad: gradient, requiresGrad } = parameter;
      if (gradient === null || !requiresGrad) continue;
      const decays = this.#decays(name, parameter);
      turns.push({ parameter, gradient, decays, slots: this.#slotsOf(name, parameter) });
    }
    return turns;
  }

  /** A parameter's state; zeros when it gets its first gradient. */
  #slotsOf(name: string, parameter: Tensor): readonly Tensor[] {
    const known = this.#slots.get(name);
    if (known !== undefined) return known;
    const fresh = this.slotNames.map(() => zerosLike(parameter).keep());
    this.#slots.set(name, fresh);
    return fresh;
  }

  /** Forgets the gradients; their memory goes back. */
  zeroGrad(): void {
    for (const p of this.#parameters.values()) {
      p.grad?.release();
      p.grad = null;
    }
  }

  /** What loadStateDict needs to go on to the bit; shares memory with the optimiser. */
  stateDict(): OptimiserState {
    const tensors = [...this.#slots].flatMap(([name, slots]) =>
      slots.map((x, i) => [`${name}.${this.slotNames[i]}`, x] as const),
    );
    return { step: this.#steps, tensors: Object.fromEntries(tensors) };
  }

  /** Copies a state in. An ArgumentError names what doesn't belong to these parameters. */
  loadStateDict({ step, tensors }: OptimiserState): void {
    const loaded = [...this.#parameters].flatMap(([name, parameter]) => {
      const keys = this.slotNames.map((slot) => `${name}.${slot}`);
      return keys.some((key) => Object.hasOwn(tensors, key)) ? [{ name, parameter, keys }] : [];
    });
    const wanted = new Set(loaded.flatMap(({ keys }) => keys));
    const problems = [
      ...Object.keys(tensors).flatMap((key) =>
        wanted.has(key) ? [] : [`no parameter for "${key}"`],
      ),
      ...loaded.flatMap(({ keys, parameter: { shape } }) =>
        keys.flatMap((key) => {
          const got = tensors[key]?.shape;
          return String(got) === String(shape) ? [] : [`"${key}" is [${got}], needed [${shape}]`];
        }),
      ),
    ];
    if (problems.length > 0) throw new ArgumentError(`loadStateDict: ${problems.join("; ")}`);
    this.#slots.clear();
    for (const { name, parameter, keys } of loaded) {
      this.#slotsOf(name, parameter).forEach((slot, i) => {
        slot.assign(tensors[keys[i] ?? ""] as Tensor);
      });
    }
    this.#steps = step;
  }
}

/** Options of SGD: rate, decay and momentum. */
export interface SGDConfig extends OptimiserOptions {
  /** Default 0. */
  readonly momentum?: number;
  readonly nesterov?: boolean;
}

/** Gradient descent with momentum, as PyTorch's SGD. */
export class SGD extends Optimiser {
  readonly momentum: number;
  readonly nesterov: boolean;
  protected override readonly slotNames: readonly string[];

  constructor(optimised: Optimised, { momentum = 0, nesterov = false, ...options }: SGDConfig) {
    super(optimised, options);
    this.momentum = momentum;
    this.nesterov = nesterov;
    this.slotNames = momentum === 0 ? [] : ["momentum"];
  }

  protected override update(
    turns: readonly Turn[],
    weightDecay: number,
    _step: number,
    gradScale: Tensor | null,
  ): void {
    const { lr, momentum, nesterov } = this;
    const momenta = momentum === 0 ? null : turns.map(({ slots }) => slots[0] as Tensor);
    const options = { lr, momentum, nesterov, weightDecay, gradScale };
    sgdStep(parametersOf(turns), gradientsOf(turns), momenta, options);
  }
}

/** Options of AdamW: rate, decay and the averages. */
export interface AdamWConfig extends OptimiserOptions {
  /** Default 0.9. */
  readonly beta1?: number;
  /** Default 0.999. */
  readonly beta2?: number;
  /** Default 1e-8. */
  readonly eps?: number;
}

/** Adam with decoupled weight decay (1711.05101), 0.01 unless said, as PyTorch's AdamW. */
export class AdamW extends Optimiser {
  readonly beta1: number;
  readonly beta2: number;
  readonly eps: number;
  protected override readonly slotNames = ["m", "v"];

  constructor(optimised: Optimised, config: AdamWConfig) {
    const { beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weightDecay = 0.01, ...options } = config;
    super(optimised, { weightDecay, ...options });
    this.beta1 = beta1;
    this.beta2 = beta2;
    this.eps = eps;
  }

  protected override update(
    turns: readonly Turn[],
    weightDecay: number,
    step: number,
    gradScale: Tensor | null,
  ): void {
    const { lr, beta1, beta2, eps } = this;
    const [m, v] = [0, 1].map((i) => turns.map(({ slots }) => slots[i] as Tensor));
    const options = { lr, beta1, beta2, eps, weightDecay, step, gradScale };
    adamwStep(parametersOf(turns), gradientsOf(turns), m ?? [], v ?? [], options);
  }
}

function parametersOf(turns: readonly Turn[]): Tensor[] {
  return turns.map(({ parameter }) => parameter);
}

function gradientsOf(turns: readonly Turn[]): Tensor[] {
  return turns.map(({ gradient }) => gradient);
}
