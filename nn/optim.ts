// Optimisers: what to do with the gradients. They hold the state (averages of gradients) by the names of
// the parameters, and update whole lists at once, in place, with core's adamwStep and sgdStep.
// Next: schedule.ts for learning rates, ../core/update.ts for the formulas.

import {
  ArgumentError,
  adamwStep,
  globalNorm,
  isFloat,
  noGrad,
  scope,
  sgdStep,
  Tensor,
  zerosLike,
} from "../core/index.ts";
import { accept, signatures } from "../core/signature.ts";
import { checkTensor } from "../core/tensor.ts";
import { abstractClass, Module, type StateDict } from "./module.ts";

const common = "lr: number, weightDecay?: number, decays?: function";
const takes = signatures({
  Optimiser: `optimised?: any, { ${common}, ... }`,
  SGD: `optimised?: any, { ${common}, momentum?: number, nesterov?: boolean, dampening?: number }`,
  AdamW: `optimised?: any, { ${common}, beta1?: number, beta2?: number, eps?: number, amsgrad?: boolean }`,
  step: "{ maxNorm?: number }",
  loadStateDict: "{ step: number, tensors: object, missed?: object }",
  accumulate: "batches: any[], lossOf: function, weightOf?: function",
  clipFactor: "gradients: Tensor[], maxNorm: number",
  clipGradNorm: "parameters: Tensor[], maxNorm: number",
});

/** A module, or some named parameters: model.namedParameters(), or a Map of them. */
export type Optimised = Module | Iterable<readonly [name: string, parameter: Tensor]>;

/** Parameters with settings of their own; what a group doesn't say, it takes from the optimiser. */
export interface ParameterGroup {
  readonly parameters: Optimised;
  /** Learning rate, where optimiser.lr is what it was given at first; changes in proportion to it. */
  readonly lr?: number;
  readonly weightDecay?: number;
  /** Which of them decay. Default: all, if the group has a weightDecay of its own. */
  readonly decays?: (name: string, parameter: Tensor) => boolean;
}

/** What a step of an optimiser may be told. */
export interface StepOptions {
  /** Scales the gradients down where their global norm is larger; Infinity only measures it. */
  readonly maxNorm?: number;
}

/** Everything that an optimiser must remember to go on to the bit: how many steps, and its tensors. */
export interface OptimiserState {
  readonly step: number;
  readonly tensors: StateDict;
  /** How many of the steps a parameter had no gradient at, by its name; left out where that is none. */
  readonly missed?: Readonly<Record<string, number>> | undefined;
}

/** Rate and weight decay, which every optimiser has. */
export interface OptimiserOptions {
  /** Learning rate; optimiser.lr may be set anew before every step (see schedule.ts). */
  readonly lr: number;
  readonly weightDecay?: number;
  /** Which parameters decay. Default: matrices and tables (rank >= 2), so no biases and no norms. */
  readonly decays?: (name: string, parameter: Tensor) => boolean;
}

/** A parameter, and what is peculiar to it. */
interface Member {
  readonly parameter: Tensor;
  /** Its learning rate is the optimiser's times this. */
  readonly rate: number;
  readonly weightDecay: number;
  readonly decays: (name: string, parameter: Tensor) => boolean;
}

/** What an optimiser remembers of a parameter. */
interface State {
  readonly slots: readonly Tensor[];
  /** How many steps it took part in. */
  count: number;
}

/** A parameter whose turn it is, with the numbers that its step takes. */
interface ParameterUpdate {
  readonly parameter: Tensor;
  readonly gradient: Tensor;
  readonly slots: readonly Tensor[];
  readonly lr: number;
  readonly weightDecay: number;
  /** Which of its own steps this is, from 1. */
  readonly step: number;
}

type Rates = Pick<ParameterUpdate, "lr" | "weightDecay" | "step">;

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
  accept(takes.accumulate, arguments);
  if (batches.length === 0) throw new ArgumentError("accumulate: got no batches");
  const total = batches.reduce((sum, batch) => sum + weightOf(batch), 0);
  if (!(total > 0 && total < Infinity))
    throw new ArgumentError(`accumulate: the weights sum to ${total}; needed a finite number > 0`);
  const losses = batches.map((batch) => {
    const loss = checkTensor("accumulate", lossOf(batch), "each loss").mul(weightOf(batch) / total);
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
  accept(takes.clipFactor, arguments);
  checkMaxNorm("clipFactor", maxNorm);
  const norm = globalNorm(gradients);
  return { norm, factor: norm.add(1e-6).reciprocal().mul(maxNorm).minimum(1) };
}

/**
 * Scales the gradients of parameters so that their global norm is at most maxNorm; returns the norm that
 * they had, a scalar. optimiser.step({ maxNorm }) does the same without the extra pass.
 */
export function clipGradNorm(parameters: readonly Tensor[], maxNorm: number): Tensor {
  accept(takes.clipGradNorm, arguments);
  checkMaxNorm("clipGradNorm", maxNorm);
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
  /** Groups with a learning rate of their own keep its ratio to this one. */
  lr: number;
  /** Tensors that each parameter needs, by the names that the state gives them. */
  protected abstract readonly slotNames: readonly string[];
  readonly #members: ReadonlyMap<string, Member>;
  readonly #states = new Map<string, State>();
  #steps = 0;

  constructor(optimised: Optimised | readonly ParameterGroup[], options: OptimiserOptions) {
    if (new.target === Optimiser) throw abstractClass("Optimiser", "an AdamW or an SGD");
    accept(takes.Optimiser, arguments);
    const { lr, weightDecay } = options;
    checkAll(this.constructor.name, { lr, weightDecay });
    this.lr = lr;
    this.#members = membersOf(this.constructor.name, optimised, options);
  }

  /** Updates parameters that share their rates, in place. */
  protected abstract update(
    turns: readonly ParameterUpdate[],
    rates: Rates,
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
  step(options: StepOptions = {}): Tensor | null {
    accept(takes.step, arguments);
    const { maxNorm } = options;
    checkAll(this.constructor.name, { lr: this.lr }); // which anybody may have set
    checkMaxNorm(this.constructor.name, maxNorm);
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
        for (const [rates, some] of byRates(turns)) this.update(some, rates, clip?.factor ?? null);
        return clip?.norm ?? null;
      }),
    );
  }

  /** Those whose turn it is; counts their steps. */
  #turns(): ParameterUpdate[] {
    const turns: ParameterUpdate[] = [];
    for (const [name, { parameter, rate, weightDecay, decays }] of this.#members) {
      const { grad: gradient, requiresGrad } = parameter;
      if (gradient === null || !requiresGrad) continue;
      const state = this.#stateOf(name, parameter);
      turns.push({
        parameter,
        gradient,
        slots: state.slots,
        lr: this.lr * rate,
        weightDecay: decays(name, parameter) ? weightDecay : 0,
        step: ++state.count,
      });
    }
    return turns;
  }

  /** A parameter's state; zeros when it gets its first gradient. */
  #stateOf(name: string, parameter: Tensor): State {
    const known = this.#states.get(name);
    if (known !== undefined) return known;
    const fresh = { slots: this.slotNames.map(() => zerosLike(parameter).keep()), count: 0 };
    this.#states.set(name, fresh);
    return fresh;
  }

  /** Sets every gradient to null and releases its memory. */
  zeroGrad(): void {
    for (const { parameter } of this.#members.values()) {
      parameter.grad?.release();
      parameter.grad = null;
    }
  }

  /** What loadStateDict needs to go on to the bit; shares memory with the optimiser. */
  stateDict(): OptimiserState {
    const tensors = [...this.#states].flatMap(([name, { slots }]) =>
      slots.map((x, i) => [`${name}.${this.slotNames[i]}`, x] as const),
    );
    const missed = [...this.#states].flatMap(([name, { count }]) =>
      count === this.#steps ? [] : [[name, this.#steps - count] as const],
    );
    return {
      step: this.#steps,
      tensors: Object.fromEntries(tensors),
      ...(missed.length > 0 && { missed: Object.fromEntries(missed) }),
    };
  }

  /** Copies a state in. An ArgumentError names what doesn't belong to these parameters. */
  loadStateDict(state: OptimiserState): void {
    accept(takes.loadStateDict, arguments);
    const { step, tensors, missed = {} } = state;
    const loaded = [...this.#members].flatMap(([name, { parameter }]) => {
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
          const { shape: got, dtype = "float32" } = tensors[key] ?? {};
          if (String(got) !== String(shape)) return [`"${key}" is [${got}], needed [${shape}]`];
          return isFloat(dtype) ? [] : [`"${key}" is ${dtype}, needed floats`];
        }),
      ),
      ...Object.entries(missed).flatMap(([name, count]) =>
        Number.isSafeInteger(count) && count >= 0 && count < step
          ? []
          : [`"${name}" missed ${count} of ${step} steps`],
      ),
    ];
    if (problems.length > 0) throw new ArgumentError(`loadStateDict: ${problems.join("; ")}`);
    this.#states.clear();
    for (const { name, parameter, keys } of loaded) {
      const state = this.#stateOf(name, parameter);
      state.slots.forEach((slot, i) => {
        slot.assign(tensors[keys[i] ?? ""] as Tensor);
      });
      state.count = step - (missed[name] ?? 0);
    }
    this.#steps = step;
  }
}

/** Turns with the same rates go together, in one call of the device. */
function byRates(
  turns: readonly ParameterUpdate[],
): (readonly [Rates, readonly ParameterUpdate[]])[] {
  const groups: [Rates, ParameterUpdate[]][] = [];
  for (const turn of turns) groupOf(groups, turn).push(turn);
  return groups;
}

/** The group of a turn's rates: one of these, or a new one among them. */
function groupOf(groups: [Rates, ParameterUpdate[]][], turn: ParameterUpdate): ParameterUpdate[] {
  for (const [rates, group] of groups) if (sameRates(rates, turn)) return group;
  const fresh: ParameterUpdate[] = [];
  groups.push([turn, fresh]);
  return fresh;
}

function sameRates(a: Rates, b: Rates): boolean {
  return a.lr === b.lr && a.weightDecay === b.weightDecay && a.step === b.step;
}

/** The parameters by name. An ArgumentError says what was given instead, or which stands there twice. */
function membersOf(
  optimiser: string,
  optimised: Optimised | readonly ParameterGroup[],
  options: OptimiserOptions,
): ReadonlyMap<string, Member> {
  const decaysByRank = (_name: string, p: Tensor): boolean => p.rank >= 2;
  const { lr, weightDecay = 0, decays = decaysByRank } = options;
  const members = new Map<string, Member>();
  const names = new Map<Tensor, string>();
  for (const group of groupsOf(optimiser, optimised)) {
    checkAll(`${optimiser}: a group`, { lr: group.lr, weightDecay: group.weightDecay });
    if (group.lr !== undefined && !(lr > 0))
      throw new ArgumentError(`${optimiser}: a group's lr needs an lr > 0 beside it, got ${lr}`);
    const own = {
      rate: group.lr === undefined ? 1 : group.lr / lr,
      weightDecay: group.weightDecay ?? weightDecay,
      decays: group.decays ?? (group.weightDecay === undefined ? decays : () => true),
    };
    for (const pair of pairsOf(optimiser, group.parameters)) {
      const [name, parameter] = pair;
      checkTwice(optimiser, name, members.has(name), names.get(parameter));
      names.set(parameter, name);
      members.set(name, { parameter, ...own });
    }
  }
  if (members.size === 0) throw new ArgumentError(`${optimiser}: got no parameters to optimise`);
  return members;
}

/** Settings that are given must be numbers from 0 to below a bound, as PyTorch has it too. */
function checkAll(
  optimiser: string,
  settings: Readonly<Record<string, number | undefined>>,
  below = Infinity,
): void {
  for (const [name, value] of Object.entries(settings)) {
    if (value === undefined || (value >= 0 && value < below)) continue;
    const needed = below < Infinity ? `at least 0 and below ${below}` : "finite, at least 0";
    throw new ArgumentError(`${optimiser}: ${name} is ${value}; needed a number that is ${needed}`);
  }
}

/** Infinity only measures; a NaN would make every parameter one. */
function checkMaxNorm(name: string, maxNorm: number | undefined): void {
  if (maxNorm !== undefined && !(maxNorm >= 0))
    throw new ArgumentError(`${name}: maxNorm is ${maxNorm}; needed a number that is at least 0`);
}

function checkTwice(optimiser: string, name: string, isTaken: boolean, before?: string): void {
  if (before !== undefined) {
    throw new ArgumentError(
      `${optimiser}: "${before}" and "${name}" are the same parameter; give it once`,
    );
  }
  if (isTaken) {
    throw new ArgumentError(
      `${optimiser}: two parameters are called "${name}"; give each a name of its own, for example ` +
        `model.namedParameters().map(([name, p]) => [\`model.\${name}\`, p])`,
    );
  }
}

const wants =
  "a module, or named parameters (model.namedParameters()), or groups ({ parameters, lr })";

function isGroup(value: unknown): value is ParameterGroup {
  return value !== null && typeof value === "object" && "parameters" in value && !isIterable(value);
}

function isIterable(value: unknown): value is Iterable<unknown> {
  return value !== null && typeof value === "object" && Symbol.iterator in value;
}

function groupsOf(
  optimiser: string,
  optimised: Optimised | readonly ParameterGroup[],
): readonly ParameterGroup[] {
  if (optimised instanceof Module) return [{ parameters: optimised }];
  if (!isIterable(optimised) || optimised instanceof Tensor)
    throw new ArgumentError(`${optimiser}: needs ${wants}, got ${kindOf(optimised)}`);
  const list = [...optimised] as unknown[];
  if (list.length > 0 && list.every((item) => isGroup(item) && !(item instanceof Module)))
    return list as ParameterGroup[];
  return [{ parameters: list as [string, Tensor][] }];
}

function pairsOf(optimiser: string, optimised: Optimised): (readonly [string, Tensor])[] {
  if (optimised instanceof Module) return optimised.namedParameters();
  return [...optimised].map((pair: unknown) => {
    const [name, parameter] = Array.isArray(pair) ? (pair as unknown[]) : [];
    if (typeof name === "string" && parameter instanceof Tensor) return [name, parameter];
    const hint =
      pair instanceof Tensor ? "; model.parameters() has no names, which the state goes by" : "";
    throw new ArgumentError(`${optimiser}: needs ${wants}, got a list with ${kindOf(pair)}${hint}`);
  });
}

function kindOf(value: unknown): string {
  if (value instanceof Tensor) return "a tensor";
  if (value instanceof Module) return `a ${value.constructor.name}`;
  if (value === null || typeof value !== "object") return String(value);
  return Array.isArray(value) ? `[${value.map(kindOf).join(", ")}]` : "an object";
}

/** Options of SGD: rate, decay and momentum. */
export interface SGDConfig extends OptimiserOptions {
  /** Default 0. */
  readonly momentum?: number;
  /** Looks a step ahead; needs momentum > 0 and dampening 0. */
  readonly nesterov?: boolean;
  /** How much less of a gradient goes into the momentum, from its second step on. Default 0. */
  readonly dampening?: number;
}

/** Gradient descent with momentum, as PyTorch's SGD. */
export class SGD extends Optimiser {
  readonly momentum: number;
  readonly nesterov: boolean;
  readonly dampening: number;
  protected override readonly slotNames: readonly string[];

  constructor(optimised: Optimised | readonly ParameterGroup[], config: SGDConfig) {
    accept(takes.SGD, arguments);
    const { momentum = 0, nesterov = false, dampening = 0, ...options } = config;
    super(optimised, options);
    checkAll("SGD", { momentum, dampening });
    if (nesterov && !(momentum > 0 && dampening === 0)) {
      throw new ArgumentError(
        `SGD: nesterov needs momentum > 0 and dampening 0, got ${momentum} and ${dampening}`,
      );
    }
    this.momentum = momentum;
    this.nesterov = nesterov;
    this.dampening = dampening;
    this.slotNames = momentum === 0 ? [] : ["momentum"];
  }

  protected override update(
    turns: readonly ParameterUpdate[],
    { lr, weightDecay, step }: Rates,
    gradScale: Tensor | null,
  ): void {
    const { momentum, nesterov } = this;
    const momenta = momentum === 0 ? null : turns.map(({ slots }) => slots[0] as Tensor);
    const dampening = step === 1 ? 0 : this.dampening; // the first gradient is the first momentum
    const options = { lr, momentum, nesterov, weightDecay, dampening, gradScale };
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
  /** Divide by the largest average of squares so far (1904.09237). Default false. */
  readonly amsgrad?: boolean;
}

/** Adam with decoupled weight decay (1711.05101), 0.01 unless said, as PyTorch's AdamW. */
export class AdamW extends Optimiser {
  readonly beta1: number;
  readonly beta2: number;
  readonly eps: number;
  readonly amsgrad: boolean;
  protected override readonly slotNames: readonly string[];

  constructor(optimised: Optimised | readonly ParameterGroup[], config: AdamWConfig) {
    accept(takes.AdamW, arguments);
    const { beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weightDecay = 0.01, ...rest } = config;
    const { amsgrad = false, ...options } = rest;
    super(optimised, { weightDecay, ...options });
    checkAll("AdamW", { eps });
    checkAll("AdamW", { beta1, beta2 }, 1);
    this.beta1 = beta1;
    this.beta2 = beta2;
    this.eps = eps;
    this.amsgrad = amsgrad;
    this.slotNames = amsgrad ? ["m", "v", "largest"] : ["m", "v"];
  }

  protected override update(
    turns: readonly ParameterUpdate[],
    { lr, weightDecay, step }: Rates,
    gradScale: Tensor | null,
  ): void {
    const { beta1, beta2, eps } = this;
    const slots = (i: number): Tensor[] => turns.map((turn) => turn.slots[i] as Tensor);
    const largest = this.amsgrad ? slots(2) : null;
    const options = { lr, beta1, beta2, eps, weightDecay, step, gradScale, largest };
    adamwStep(parametersOf(turns), gradientsOf(turns), slots(0), slots(1), options);
  }
}

function parametersOf(turns: readonly ParameterUpdate[]): Tensor[] {
  return turns.map(({ parameter }) => parameter);
}

function gradientsOf(turns: readonly ParameterUpdate[]): Tensor[] {
  return turns.map(({ gradient }) => gradient);
}
