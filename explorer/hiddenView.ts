// What the hidden-state view shows: where final hidden states of held-out stories lie on a fixed plane, how far
// each layer has drifted from the base, and where both losses push one pair. Reads the models and changes
// nothing of their training. Next: pca.ts, views/hidden.tsx.

import { grad, noGrad, random, scope, type Tensor, tensor } from "../core/index.ts";
import { inspect, type Pair, RewardModel, type Sequence, scorePairs } from "../grm/index.ts";
import { rowOf } from "../grm/inspect/matrix.ts";
import { taken } from "../grm/scores.ts";
import { Objective } from "../grm/trainer/objective.ts";
import { trainSettings } from "../grm/trainer.ts";
import { goldFeatures, worlds } from "../lab/index.ts";
import type { LiveTraining, ModelInTraining } from "./liveTraining.ts";
import { matrixOf, onPlane, type Plane, principalPlane, shadowOn } from "./pca.ts";
import { features, pairsOfEach, type StoryFeature } from "./settings.ts";

const { spelled } = worlds;
const driftStories = 16;

/** A story whose final hidden state is drawn. */
export interface SceneStory {
  readonly text: string;
  /** Words and marks, as the model reads them. */
  readonly tokens: readonly string[];
  /** The number of its pair. */
  readonly pair: number;
  readonly isBetter: boolean;
  /** Whether it is like those that were learnt from. */
  readonly isKnown: boolean;
  readonly features: Readonly<Record<StoryFeature, number>>;
}

/** What stays as it is while models train. */
export interface HiddenScene {
  readonly stories: readonly SceneStory[];
  /** Shares of the base's variance that the two axes have. */
  readonly shares: readonly number[];
}

/** A place: along the base's two main directions, and the reward there. */
export type HiddenPlace = readonly [first: number, second: number, reward: number];

/** Where the stories lie at a step, for each model. */
export interface HiddenFrame {
  readonly step: number;
  readonly places: readonly (readonly HiddenPlace[])[];
  /** The pair whose tokens have arrows; for each model, its answers: better, worse. */
  readonly pair: number;
  readonly arrows: readonly (readonly TokenArrows[])[];
}

/** Pushes on the tokens of one answer: where its states lie, and where minus each gradient leads from there. */
export interface TokenArrows {
  readonly places: readonly HiddenPlace[];
  readonly reward: readonly HiddenPlace[];
  /** Zeros without a regulariser. */
  readonly text: readonly HiddenPlace[];
}

/** Norms of both pushes on each token, at one place of the network. */
export interface PushRow {
  readonly place: string;
  readonly better: { readonly reward: readonly number[]; readonly text: readonly number[] };
  readonly worse: { readonly reward: readonly number[]; readonly text: readonly number[] };
}

/** What is seen of one pair, and of all layers, at a step. */
export interface HiddenDetail {
  readonly step: number;
  readonly pair: number;
  /** From the top of the network to the bottom; null without a regulariser. */
  readonly rows: readonly PushRow[] | null;
  /** Whether the final hidden states share no pushed token, and where the losses first meet below. */
  readonly disjoint: boolean | null;
  readonly meets: string | null;
  /** For each model, for each layer: the mean cosine with the base's states, and CKA. */
  readonly drift: readonly (readonly { readonly cosine: number; readonly cka: number | null }[])[];
}

/** The places of the push figure by the names of activations, from the top down. */
const places: Readonly<Record<string, string>> = {
  hidden: "final hidden state",
  "model.layers.2.mid": "block 2, after attention",
  "model.layers.2.self_attn.v": "block 2, attention's values",
  "model.layers.1.resid": "after block 1",
  "model.layers.0.resid": "after block 0",
  "model.embed": "embeddings",
};

export class HiddenView {
  private constructor(
    readonly training: LiveTraining,
    readonly pairs: readonly Pair[],
    readonly plane: Plane,
    readonly scene: HiddenScene,
    readonly baseStates: inspect.States,
  ) {}

  static async begin(training: LiveTraining): Promise<HiddenView> {
    const { tests } = training.data;
    const pairs = [...tests.id.slice(0, pairsOfEach), ...tests.all.slice(0, pairsOfEach)];
    const sequences = sequencesOf(pairs);
    const states = await lastStates(training.base, sequences);
    const plane = principalPlane(states);
    const stories = sequences.map((sequence, i) => sceneStory(sequence, i));
    const baseStates = await inspect.tokenStates(training.base, sequences.slice(0, driftStories));
    const scene = { stories, shares: plane.shares };
    return new HiddenView(training, pairs, plane, scene, baseStates);
  }

  /** Where all stories lie now, and the pushes on the final hidden states of one pair. */
  async frame(pair: number): Promise<HiddenFrame> {
    const places: HiddenPlace[][] = [];
    const arrows: TokenArrows[][] = [];
    for (const one of await this.training.seen()) {
      const states = await lastStates(one.model, sequencesOf(this.pairs));
      places.push(await this.#places(one.model, states));
      arrows.push(await this.#arrows(one, this.#pair(pair)));
    }
    return { step: this.training.step, places, pair, arrows };
  }

  #pair(number: number): Pair {
    const pair = this.pairs[number];
    if (pair === undefined) throw new Error(`explorer: there is no pair ${number}`);
    return pair;
  }

  async #places(model: RewardModel, states: inspect.Matrix): Promise<HiddenPlace[]> {
    const rewards = await rewardsOf(model, states);
    return onPlane(this.plane, states).map(([x = 0, y = 0], i) => [x, y, rewards[i] ?? 0]);
  }

  /** Where vectors lead from states: their shadow on the plane, and by how much the reward rises. */
  async #leads(
    model: RewardModel,
    states: inspect.Matrix,
    vectors: inspect.Matrix,
  ): Promise<HiddenPlace[]> {
    const rises = await risesOf(model, states, vectors);
    return shadowOn(this.plane, vectors).map(([x = 0, y = 0], i) => [x, y, rises[i] ?? 0]);
  }

  /** The pushes on one pair everywhere, and the drift of all layers. */
  async detail(pair: number): Promise<HiddenDetail> {
    const drift: HiddenDetail["drift"][number][] = [];
    for (const { model } of await this.training.seen()) drift.push(await this.#drift(model));
    return { step: this.training.step, pair, ...(await this.#rows(this.#pair(pair))), drift };
  }

  async #drift(model: RewardModel) {
    const some = sequencesOf(this.pairs).slice(0, driftStories);
    const states = await inspect.tokenStates(model, some);
    return Object.entries(this.baseStates).map(([name, base]) => {
      const now = states[name] ?? base;
      const cosines = inspect.tokenCosines(base, now);
      const cosine = cosines.reduce((sum, x) => sum + x / cosines.length, 0);
      return { cosine, cka: inspect.linearCKA(base, now) };
    });
  }

  /** Norms of both pushes, place by place and token by token. */
  async #rows(pair: Pair): Promise<Pick<HiddenDetail, "rows" | "disjoint" | "meets">> {
    const { settings, base } = this.training;
    const models = await this.training.seen();
    const { method, alpha, beta } = settings;
    const model = models[1]?.model;
    if (model === undefined || alpha === 0) return { rows: null, disjoint: null, meets: null };
    const options = { method, alpha, beta, base };
    const { tokens, disjoint, meets } = await inspect.lossGradients(model, [pair], options);
    const of = (side: readonly inspect.TokenPush[], name: string): PushRow["better"] => {
      const found = side.find((push) => push.name === name);
      return { reward: Array.from(found?.reward ?? []), text: Array.from(found?.reg ?? []) };
    };
    const rows = Object.entries(places).map(([name, place]) => ({
      place,
      better: of(tokens.chosen, name),
      worse: of(tokens.rejected, name),
    }));
    return { rows, disjoint, meets: meets === null ? null : (places[meets] ?? meets) };
  }

  /** Minus the gradients of both losses at the final hidden states of both answers, as seen on the plane. */
  async #arrows(one: ModelInTraining, pair: Pair): Promise<TokenArrows[]> {
    const { settings } = this.training;
    const { alpha, beta } = settings;
    const options = trainSettings({ method: one.method, alpha, beta });
    const objective = new Objective(one.model, [pair], options);
    if (one.method === "grm-dpo") objective.reference = await this.#reference(pair);
    const { hidden, reward, text } = await finalPushes(objective, alpha);
    const [, T = 0, C = 0] = hidden.shape;
    const side = async (b: number, { ids }: Sequence): Promise<TokenArrows> => {
      const part = (x: Float64Array) =>
        matrixOf(x.subarray(b * T * C, (b * T + ids.length) * C), C);
      const states = part(hidden.numbers);
      return {
        places: await this.#places(one.model, states),
        reward: await this.#leads(one.model, states, part(reward)),
        text: await this.#leads(one.model, states, part(text)),
      };
    };
    return [await side(0, pair.chosen), await side(1, pair.rejected)];
  }

  /** What DPO holds a pair against: the base's log probabilities. */
  async #reference(pair: Pair): Promise<Record<string, Float64Array>> {
    const whole = new RewardModel(this.training.base, { rng: random(0) });
    const { chosen, rejected } = await scorePairs(whole, [pair], { logProbs: true });
    return { s_c: chosen.logProbs, s_r: rejected.logProbs };
  }
}

/** Final hidden states [2,T,C] of a pair, and minus the gradients of both weighted losses there. */
async function finalPushes(objective: Objective, alpha: number) {
  const { model } = objective;
  const resume = model.pauseTraining();
  const found = scope(() => {
    const { seen, rewardLoss, regLoss } = objective.losses([0]);
    if (seen === null) throw new Error("explorer: no hidden states");
    const push = (loss: Tensor, weight: number): Tensor | null =>
      grad(loss.mul(-weight), [seen.hidden], { retainGraph: true, allowUnused: true })[0] ?? null;
    const reward = push(rewardLoss, regLoss === null ? 1 : 1 - alpha);
    const text = regLoss === null ? null : push(regLoss, alpha);
    return { hidden: seen.hidden.detach(), reward, text };
  });
  resume();
  const { shape, size } = found.hidden;
  const read = async (x: Tensor | null) =>
    x === null ? new Float64Array(size) : Float64Array.from(await taken(x));
  const [hidden, reward, text] = [
    await read(found.hidden),
    await read(found.reward),
    await read(found.text),
  ];
  return { hidden: { shape, numbers: hidden }, reward, text };
}

/** Both answers of each pair, the better one first. */
function sequencesOf(pairs: readonly Pair[]): Sequence[] {
  return pairs.flatMap(({ chosen, rejected }) => [chosen, rejected]);
}

/** Final hidden states at last tokens, [N,C]: what a reward is read from. */
async function lastStates(model: inspect.Model, sequences: readonly Sequence[]) {
  const states = await inspect.tokenStates(model, sequences, { names: ["model.hidden"] });
  const whole = states["model.hidden"];
  if (whole === undefined) throw new Error("explorer: the model has no hidden states");
  const rows = inspect.lastRows(sequences);
  const numbers = rows.flatMap((row) =>
    Array.from(whole.data.subarray(row * whole.cols, (row + 1) * whole.cols)),
  );
  return matrixOf(numbers, whole.cols);
}

/** What the reward head says of hidden states, without dropout. */
async function rewardsOf(model: RewardModel, { data, rows, cols }: inspect.Matrix) {
  const resume = model.pauseTraining();
  const found = noGrad(() =>
    scope(() => model.reward(tensor(Float32Array.from(data), { shape: [rows, cols] }))),
  );
  resume();
  return Array.from(await taken(found));
}

const probe = 0.1; // length of a step in the hidden state

/** By how much the reward rises along each vector, from differences: exact for a linear head. */
async function risesOf(
  model: RewardModel,
  states: inspect.Matrix,
  vectors: inspect.Matrix,
): Promise<number[]> {
  const { cols, data } = states;
  const length = (i: number): number => Math.hypot(...rowOf(vectors, Math.floor(i / cols)));
  const moved = data.map((x, i) => {
    const whole = length(i);
    return whole === 0 ? x : x + (probe * (vectors.data[i] ?? 0)) / whole;
  });
  const before = await rewardsOf(model, states);
  const after = await rewardsOf(model, matrixOf(moved, cols));
  return after.map((r, row) => ((r - (before[row] ?? 0)) / probe) * length(row * cols));
}

function sceneStory({ ids }: Sequence, i: number): SceneStory {
  const tokens = spelled.tokenizer.decode(Array.from(ids)).split(" ");
  const story = { title: tokens.slice(0, 4), response: tokens.slice(4) };
  const found = goldFeatures([story]);
  const named = features.map((name) => [name, found[name].values[0] ?? 0]);
  return {
    text: story.response.join(" ").replaceAll(" -", "-").replaceAll(" .", "."),
    tokens,
    pair: Math.floor(i / 2),
    isBetter: i % 2 === 0,
    isKnown: i < 2 * pairsOfEach,
    features: Object.fromEntries(named) as Record<StoryFeature, number>,
  };
}
