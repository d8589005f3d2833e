// Where each of the two losses pushes: its gradient at every named activation and over every group of
// parameters, by layer and by token. At the final hidden state the reward loss touches last tokens alone
// and the shifted text-generation loss only the places before them (2406.10216, section 3.2): the two are
// disjoint there, and first meet where attention mixes positions.
// One pair at a time, so that "how often do they conflict" can be asked of pairs.
// Next: ../trainer/objective.ts for the losses.

import { ArgumentError, grad, random, scope, type Tensor } from "../../core/index.ts";
import { accept, signatures } from "../../core/signature.ts";
import { CausalLM, capture } from "../../nn/index.ts";
import { breathe } from "../../nn/run/loop.ts";
import type { Pair } from "../pairs.ts";
import { RewardModel } from "../rewardModel.ts";
import { scorePairs } from "../scores.ts";
import { dot } from "../statistics/index.ts";
import { methods, Objective, type TrainMethod } from "../trainer/objective.ts";
import { type TrainSettings, trainSettings } from "../trainer.ts";
import { activationNames } from "./states.ts";

const takes = signatures(
  {
    lossGradients:
      "model: RewardModel, pairs: any[], { method?: string, alpha?: number, beta?: number, base?: CausalLM }",
    groupOf: "name: string",
  },
  () => ({ CausalLM, RewardModel }),
);

/** Which losses' gradients are compared: the method and its weights. */
export interface GradientOptions {
  /** One with a regulariser. Default "grm-sft". */
  readonly method?: TrainMethod;
  /** Weight of the text-generation loss. Default 0.5, at which both losses count the same. */
  readonly alpha?: number;
  /** Default 0.1. */
  readonly beta?: number;
  /** DPO's frozen reference; without one, the model as it is (without adapters, if it has any). */
  readonly base?: CausalLM | undefined;
}

/** What (1 - α) ∇L_reward and α ∇L_reg are somewhere, with L the means over all pairs. */
export interface Push {
  /** Euclidean norms. */
  readonly reward: number;
  readonly reg: number;
  /** reg² / (reward² + reg²); null where both are 0. */
  readonly share: number | null;
  /** Of the angle between the two; null where one is 0. */
  readonly cosine: number | null;
  /** How often the two point against each other, where both are (2001.06782): see below of what. */
  readonly conflicts: number | null;
}

/** At an activation. Conflicts are a share of positions. */
export interface ActivationPush extends Push {
  readonly name: string;
  /** Positions, over both answers of all pairs, that only one loss, or both, push; null if it has none. */
  readonly positions: {
    readonly reward: number;
    readonly reg: number;
    readonly both: number;
  } | null;
}

/** Over a group of parameters. Conflicts are a share of pairs. */
export interface GroupPush extends Push {
  readonly name: string;
  readonly parameters: number;
}

/** Norms at each token of an answer at one activation, and the cosine between both pushes there. */
export interface TokenPush {
  readonly name: string;
  readonly reward: Float64Array;
  readonly reg: Float64Array;
  /** null where one of them is 0. */
  readonly cosine: readonly (number | null)[];
}

/** Where both losses push a model: at every activation, token and group of parameters. */
export interface LossGradients extends Pick<TrainSettings, "method" | "alpha" | "beta"> {
  readonly pairs: number;
  /** In the order in which a forward pass makes them. */
  readonly activations: readonly ActivationPush[];
  readonly groups: readonly GroupPush[];
  /** Of the first pair. */
  readonly tokens: {
    readonly chosen: readonly TokenPush[];
    readonly rejected: readonly TokenPush[];
  };
  /** Whether no position of the final hidden states is pushed by both. */
  readonly disjoint: boolean;
  /** Going down from there, the first activation in which a position is pushed by both; null for none. */
  readonly meets: string | null;
}

/** Gradients of both losses on some pairs, in evaluation mode; the model is afterwards as it was. */
export async function lossGradients(
  model: RewardModel,
  pairs: readonly Pair[],
  options: GradientOptions = {},
): Promise<LossGradients> {
  accept(takes.lossGradients, arguments);
  const { method = "grm-sft", alpha = 0.5, beta = 0.1, base } = options;
  if (pairs.length === 0 || !("regularizer" in methods[method]) || !(alpha > 0 && alpha < 1)) {
    throw new ArgumentError(
      `lossGradients: got ${pairs.length} pairs, method ${method} and alpha ${alpha}; ` +
        "needed a pair, a method with a regulariser, and alpha between 0 and 1",
    );
  }
  const objective = new Objective(model, pairs, trainSettings({ method, alpha, beta }));
  await refer(objective, base);
  const restore = allTrainable(model);
  try {
    const sums = new Sums(model, pairs.length);
    for (const i of pairs.keys()) {
      const found = pairGradients(objective, i, alpha);
      await sums.add(found, pairs[i] as Pair);
      for (const g of [...found.reward, ...found.reg]) g?.release(); // two names may share one gradient
      await breathe();
    }
    const activations = sums.activations();
    return { method, alpha, beta, pairs: pairs.length, activations, ...sums.rest(activations) };
  } finally {
    restore();
  }
}

async function refer(objective: Objective, base: CausalLM | undefined): Promise<void> {
  if (base === undefined) return objective.refer();
  const whole = new RewardModel(base, { head: { type: "linear" }, rng: random(0) });
  const { chosen, rejected } = await scorePairs(whole, objective.pairs, { logProbs: true });
  objective.reference = { s_c: chosen.logProbs, s_r: rejected.logProbs };
}

/** Evaluation mode, and every parameter asks for gradients, until the function that it returns is called. */
function allTrainable(model: RewardModel): () => void {
  const resumeTraining = model.pauseTraining();
  const before = model.parameters().map((p) => [p, p.requiresGrad] as const);
  model.unfreeze();
  return () => {
    for (const [p, asked] of before) p.requiresGrad_(asked);
    resumeTraining();
  };
}

/** Both gradients of one pair; null where a loss doesn't reach. */
interface PairGradients {
  readonly names: readonly string[];
  /** Of the activations in `names`, then of the parameters. */
  readonly reward: readonly (Tensor | null)[];
  readonly reg: readonly (Tensor | null)[];
}

function pairGradients(objective: Objective, i: number, alpha: number): PairGradients {
  const { model } = objective;
  const run = () => objective.losses([i]);
  return scope(() => {
    const { result, activations } = capture(model, activationPatterns(model, run), run);
    const reached = Object.entries(activations).filter(([, x]) => x.requiresGrad);
    const inputs = [...reached.map(([, x]) => x), ...model.parameters()];
    const { rewardLoss, regLoss } = result;
    const push = (loss: Tensor, weight: number): (Tensor | null)[] =>
      grad(loss.mul(weight), inputs, { retainGraph: true, allowUnused: true });
    const names = reached.map(([name]) => name);
    return { names, reward: push(rewardLoss, 1 - alpha), reg: push(regLoss as Tensor, alpha) };
  });
}

const patternsOf = new WeakMap<RewardModel, readonly string[]>();

/** All names, found out once for a model. */
function activationPatterns(model: RewardModel, run: () => unknown): readonly string[] {
  const known = patternsOf.get(model) ?? activationNames(model, run);
  patternsOf.set(model, known);
  return known;
}

// --- Sums over pairs ---------------------------------------------------------------------------------

/** Squared norms and the inner product, and how many places or pairs say what. */
class Tally {
  reward = 0;
  reg = 0;
  inner = 0;
  onlyReward = 0;
  onlyReg = 0;
  both = 0;
  against = 0;

  /** Counts one place, or one pair. */
  count(reward: number, reg: number, inner: number): void {
    if (reward > 0 && reg > 0) this.both++;
    else if (reward > 0) this.onlyReward++;
    else if (reg > 0) this.onlyReg++;
    if (inner < 0) this.against++;
  }

  push(pairs: number): Push {
    const [reward, reg] = [this.reward, this.reg].map((square) => Math.sqrt(square) / pairs);
    const [whole, scale] = [this.reward + this.reg, Math.sqrt(this.reward * this.reg)];
    return {
      reward: reward ?? 0,
      reg: reg ?? 0,
      share: whole > 0 ? this.reg / whole : null,
      cosine: scale > 0 ? this.inner / scale : null,
      conflicts: this.both > 0 ? this.against / this.both : null,
    };
  }
}

class Sums {
  readonly #model: RewardModel;
  readonly #pairs: number;
  readonly #activations = new Map<string, { readonly tally: Tally; readonly hasPlaces: boolean }>();
  /** Summed gradients of each parameter. */
  readonly #reward: Float64Array[];
  readonly #reg: Float64Array[];
  readonly #groups = new Map<string, Tally>();
  #tokens: LossGradients["tokens"] | null = null;

  constructor(model: RewardModel, pairs: number) {
    this.#model = model;
    this.#pairs = pairs;
    const parameters = model.parameters();
    this.#reward = parameters.map(({ size }) => new Float64Array(size));
    this.#reg = parameters.map(({ size }) => new Float64Array(size));
  }

  async add({ names, ...gradients }: PairGradients, pair: Pair): Promise<void> {
    const tokens: (readonly [TokenPush, TokenPush])[] = [];
    const T = Math.max(pair.chosen.ids.length, pair.rejected.ids.length);
    for (const [k, name] of names.entries()) {
      const both = await readBoth(gradients.reward[k] ?? null, gradients.reg[k] ?? null);
      if (both === null) continue;
      const places = placesOf(both.shape, T);
      const found = this.#activation(name, both, places);
      if (places !== null) tokens.push(sidesOf(name, found, pair, T));
    }
    this.#tokens ??= { chosen: tokens.map(([c]) => c), rejected: tokens.map(([, r]) => r) };
    await this.#addParameters(gradients, names.length);
  }

  /** Adds an activation's gradients; returns squared norms and inner products at its 2T places. */
  #activation(name: string, { reward, reg }: Both, places: GradientPlaces | null): PlaceSums {
    const hasPlaces = places !== null;
    const entry = this.#activations.get(name) ?? { tally: new Tally(), hasPlaces };
    this.#activations.set(name, entry);
    const { tally } = entry;
    tally.reward += dot(reward, reward);
    tally.reg += dot(reg, reg);
    tally.inner += dot(reward, reg);
    if (places === null) return noPlaces;
    const sums = {
      reward: new Float64Array(places.count),
      reg: new Float64Array(places.count),
      inner: new Float64Array(places.count),
    };
    for (let at = 0; at < reward.length; at++) {
      const place = places.of(at);
      const [a, b] = [reward[at] ?? 0, reg[at] ?? 0];
      sums.reward[place] = (sums.reward[place] ?? 0) + a * a;
      sums.reg[place] = (sums.reg[place] ?? 0) + b * b;
      sums.inner[place] = (sums.inner[place] ?? 0) + a * b;
    }
    for (let p = 0; p < places.count; p++)
      tally.count(sums.reward[p] ?? 0, sums.reg[p] ?? 0, sums.inner[p] ?? 0);
    return sums;
  }

  async #addParameters(gradients: Omit<PairGradients, "names">, from: number): Promise<void> {
    const found = new Map<string, { reward: number; reg: number; inner: number }>();
    for (const [k, [name]] of this.#model.namedParameters().entries()) {
      const [g, h] = [gradients.reward[from + k] ?? null, gradients.reg[from + k] ?? null];
      const both = await readBoth(g, h);
      if (both === null) continue;
      addInto(this.#reward[k], both.reward);
      addInto(this.#reg[k], both.reg);
      const sum = found.get(groupOf(name)) ?? { reward: 0, reg: 0, inner: 0 };
      found.set(groupOf(name), sum);
      sum.reward += dot(both.reward, both.reward);
      sum.reg += dot(both.reg, both.reg);
      sum.inner += dot(both.reward, both.reg);
    }
    for (const [name, { reward, reg, inner }] of found) {
      const tally = this.#groups.get(name) ?? new Tally();
      this.#groups.set(name, tally);
      tally.count(reward, reg, inner);
    }
  }

  activations(): ActivationPush[] {
    return [...this.#activations].map(([name, { tally, hasPlaces }]) => {
      const { onlyReward: reward, onlyReg: reg, both } = tally;
      const push = tally.push(this.#pairs);
      return hasPlaces
        ? { name, ...push, positions: { reward, reg, both } }
        : { name, ...push, conflicts: null, positions: null };
    });
  }

  #groupPushes(): GroupPush[] {
    const sizes = new Map<string, number>();
    for (const [k, [name, { size }]] of this.#model.namedParameters().entries()) {
      const group = groupOf(name);
      const tally = this.#groups.get(group) ?? new Tally();
      this.#groups.set(group, tally);
      sizes.set(group, (sizes.get(group) ?? 0) + size);
      const [a = [], b = []] = [this.#reward[k], this.#reg[k]];
      tally.reward += dot(a, a);
      tally.reg += dot(b, b);
      tally.inner += dot(a, b);
    }
    return [...sizes].map(([name, parameters]) => ({
      name,
      parameters,
      ...(this.#groups.get(name) as Tally).push(this.#pairs),
    }));
  }

  rest(activations: readonly ActivationPush[]) {
    const below = activations.toReversed().filter(({ positions }) => positions !== null);
    const final = below.find(({ name }) => name === "hidden");
    return {
      groups: this.#groupPushes(),
      tokens: this.#tokens ?? { chosen: [], rejected: [] },
      disjoint: final?.positions?.both === 0,
      meets: below.find(({ positions }) => (positions?.both ?? 0) > 0)?.name ?? null,
    };
  }
}

interface Both {
  readonly shape: readonly number[];
  readonly reward: Float64Array;
  readonly reg: Float64Array;
}

/** The numbers of two gradients of one shape, zeros for one that is missing; null if both are. */
async function readBoth(reward: Tensor | null, reg: Tensor | null): Promise<Both | null> {
  const some = reward ?? reg;
  if (some === null) return null;
  const numbers = async (g: Tensor | null): Promise<Float64Array> =>
    g === null ? new Float64Array(some.size) : Float64Array.from(await g.read());
  return { shape: some.shape, reward: await numbers(reward), reg: await numbers(reg) };
}

function addInto(sum: Float64Array | undefined, values: Float64Array): void {
  if (sum) for (let k = 0; k < sum.length; k++) sum[k] = (sum[k] ?? 0) + (values[k] ?? 0);
}

/** To which of the 2T places of a pair an element belongs. */
interface GradientPlaces {
  readonly count: number;
  readonly of: (element: number) => number;
}

interface PlaceSums {
  readonly reward: Float64Array;
  readonly reg: Float64Array;
  readonly inner: Float64Array;
}

const none = new Float64Array(0);
const noPlaces: PlaceSums = { reward: none, reg: none, inner: none };

/** Of activations [2,T,C] and [2,H,T,D], the heads of a token together; null for other shapes. */
function placesOf(shape: readonly number[], T: number): GradientPlaces | null {
  if (shape[0] !== 2 || shape.at(-2) !== T || shape.length < 3 || shape.length > 4) return null;
  const width = shape.at(-1) ?? 1;
  const heads = shape.length === 4 ? (shape[1] ?? 1) : 1;
  const of = (element: number): number => {
    const at = Math.floor(element / width);
    return Math.floor(at / (heads * T)) * T + (at % T);
  };
  return { count: 2 * T, of };
}

/** The places of the chosen answer, then those of the rejected one, padding left out. */
function sidesOf(name: string, sums: PlaceSums, pair: Pair, T: number): [TokenPush, TokenPush] {
  const side = (start: number, length: number): TokenPush => {
    const part = (x: Float64Array): Float64Array => x.slice(start, start + length);
    const [reward, reg] = [part(sums.reward).map(Math.sqrt), part(sums.reg).map(Math.sqrt)];
    const cosine = Array.from(part(sums.inner), (inner, t) => {
      const scale = (reward[t] ?? 0) * (reg[t] ?? 0);
      return scale > 0 ? inner / scale : null;
    });
    return { name, reward, reg, cosine };
  };
  return [side(0, pair.chosen.ids.length), side(T, pair.rejected.ids.length)];
}

/** A parameter's group: the part of its block that it belongs to, else the module that holds it. */
export function groupOf(name: string): string {
  accept(takes.groupOf, arguments);
  const inBlock = /^(.*?\.\d+\.[^.]+)\./.exec(name)?.[1];
  if (inBlock !== undefined && !name.startsWith("v_head.")) return inBlock;
  return name.startsWith("v_head.") ? "v_head" : name.replace(/\.[^.]+$/, "");
}
