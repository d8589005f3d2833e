// All views of trained reward models by one call: one model or two beside each other, the language model
// that they began with, and some pairs. What comes back is plain numbers and text, which the command
// prints and the report draws.
// Next: index.ts for the single views, ../report/ for the page.

import { ArgumentError } from "../../core/index.ts";
import { accept, signatures } from "../../core/signature.ts";
import { CausalLM, type Tokenizer } from "../../nn/index.ts";
import { pairLength } from "../batches.ts";
import type { Pair, Sequence } from "../pairs.ts";
import type { RewardModel } from "../rewardModel.ts";
import { type AttentionHead, attentionPatterns } from "./attention.ts";
import { drift, type LayerDrift, tokenCosines } from "./drift.ts";
import { type Explanation, explainReward } from "./explain.ts";
import { type GradientOptions, type LossGradients, lossGradients } from "./gradients.ts";
import type { FeatureProbe } from "./probes.ts";
import { type Reliability, reliability } from "./reliability.ts";
import { type Retention, retention, samplesSideBySide } from "./retention.ts";
import { tokenStates } from "./states.ts";
import { type TokenView, tokenView } from "./tokens.ts";

const takes = signatures(
  {
    inspectModels:
      "{ models: any[], base: CausalLM, tokenizer: object, pairs: any[], neutral?: any[], losses?: object, shown?: number, probes?: function, seed?: number, onProgress?: function }",
    inspectionJson: "inspection: { pairs: number, models: any[], ... }",
  },
  () => ({ CausalLM }),
);

/** A model with the name that figures give it. */
export interface Subject {
  readonly name: string;
  readonly model: RewardModel;
}

/** Models to look into, on which pairs and texts, and how much of each view. */
export interface InspectOptions {
  readonly models: readonly Subject[];
  /** What training began with. */
  readonly base: CausalLM;
  readonly tokenizer: Tokenizer;
  readonly pairs: readonly Pair[];
  /** Text that has nothing to do with the pairs. */
  readonly neutral?: readonly Sequence[] | undefined;
  /** Whose gradients are looked at; without it, those of grm-sft with alpha 0.5. */
  readonly losses?: Omit<GradientOptions, "base"> | undefined;
  /** How many pairs are shown token by token. Default 3. */
  readonly shown?: number;
  /** Fits probes to a language model's states, where it is known what they should hold. */
  readonly probes?: ((lm: CausalLM) => Promise<FeatureProbe[]>) | undefined;
  /** Of samples. */
  readonly seed?: number;
  /** Called with the share that is done and what comes next. */
  readonly onProgress?: ((done: number, next: string) => void) | undefined;
}

/** What is known of one model. The pairs that are shown are those of Inspection.shown. */
export interface ModelInspection {
  readonly name: string;
  readonly gradients: LossGradients;
  readonly drift: readonly LayerDrift[];
  readonly retention: Readonly<Record<"chosen" | "rejected" | "neutral", Retention | null>>;
  readonly reliability: Reliability;
  readonly shown: readonly { readonly chosen: TokenView; readonly rejected: TokenView }[];
  /** Of the first chosen answer that is shown: cos(base state, state) of each token, layer by layer. */
  readonly cosines: readonly { readonly name: string; readonly values: readonly number[] }[];
  readonly explanation: Explanation;
  readonly attention: readonly AttentionHead[];
  readonly probes: readonly FeatureProbe[] | null;
}

/** All views of the models, as plain numbers: what the report draws. */
export interface Inspection {
  readonly pairs: number;
  readonly models: readonly ModelInspection[];
  readonly baseProbes: readonly FeatureProbe[] | null;
  readonly shown: readonly ShownPair[];
  readonly samples: {
    readonly prompt: string;
    /** By the model's name, "base" among them. */
    readonly texts: Readonly<Record<string, readonly string[]>>;
  };
  /** What was looked at, where it wasn't everything. */
  readonly notes: readonly string[];
}

/** The tokens of a pair, as text. */
export interface ShownPair {
  readonly chosen: readonly string[];
  readonly rejected: readonly string[];
  readonly source: string | null;
  readonly line: number | null;
}

// what keeps a look at a large run within a minute or two: pairs, and tokens of theirs
const most = {
  gradients: { pairs: 16, tokens: 2500 },
  drift: { pairs: 32, tokens: 2048 },
  language: { pairs: 200, tokens: 50_000 },
} as const;
const shortEnough = 64; // tokens of a pair that is patched place by place

/** The first pairs within a budget; one at least. */
function within(
  pairs: readonly Pair[],
  budget: { readonly pairs: number; readonly tokens: number },
): readonly Pair[] {
  let tokens = 0;
  const kept = pairs.slice(0, budget.pairs).findIndex(({ chosen, rejected }) => {
    tokens += chosen.ids.length + rejected.ids.length;
    return tokens > budget.tokens;
  });
  return pairs.slice(0, kept < 0 ? budget.pairs : Math.max(1, kept));
}

/** Looks at everything. Costs some hundred forward passes for each model. */
export async function inspectModels(options: InspectOptions): Promise<Inspection> {
  accept(takes.inspectModels, arguments);
  const { models, base, tokenizer, pairs, probes, onProgress } = options;
  if (models.length === 0 || pairs.length === 0) {
    throw new ArgumentError(
      `inspectModels: got ${models.length} models and ${pairs.length} pairs; needed one of each`,
    );
  }
  const shown = shortPairs(pairs, options.shown ?? 3);
  const found: ModelInspection[] = [];
  for (const [i, subject] of models.entries()) {
    const tell = (next: string): void =>
      onProgress?.(i / models.length, `${subject.name}: ${next}`);
    found.push(await inspectOne(subject, options, shown, tell));
  }
  onProgress?.(1, "samples");
  return {
    pairs: pairs.length,
    models: found,
    baseProbes: (await probes?.(base)) ?? null,
    shown: shown.map((pair) => shownPair(pair, tokenizer)),
    samples: await samplesOf(options, shown[0] as Pair),
    notes: notesOn(pairs, shown),
  };
}

/** The first pairs that are short enough to be patched place by place, else the shortest ones. */
function shortPairs(pairs: readonly Pair[], count: number): readonly Pair[] {
  const short = pairs.filter((pair) => pairLength(pair) <= shortEnough);
  const list = short.length > 0 ? short : pairs.toSorted((a, b) => pairLength(a) - pairLength(b));
  return list.slice(0, Math.max(1, count));
}

async function inspectOne(
  { name, model }: Subject,
  { base, pairs, neutral = [], losses, probes }: InspectOptions,
  shown: readonly Pair[],
  tell: (next: string) => void,
): Promise<ModelInspection> {
  const [first] = shown as [Pair];
  const led = [first, ...pairs.filter((pair) => pair !== first)]; // whose tokens' gradients are kept
  tell("gradients");
  const gradients = await lossGradients(model, within(led, most.gradients), { ...losses, base });
  tell("drift");
  const some = within(pairs, most.drift).flatMap(({ chosen, rejected }) => [chosen, rejected]);
  const moved = drift(await tokenStates(base, some), await tokenStates(model, some));
  tell("the language model");
  const left = await retentionOf(model, base, within(pairs, most.language), neutral);
  tell("tokens");
  const views: { chosen: TokenView; rejected: TokenView }[] = [];
  for (const { chosen, rejected } of shown) {
    views.push({
      chosen: await tokenView(model, chosen),
      rejected: await tokenView(model, rejected),
    });
  }
  return {
    name,
    gradients,
    drift: moved,
    retention: left,
    reliability: await reliability(model, pairs),
    shown: views,
    cosines: await cosinesOf(model, base, first.chosen),
    explanation: await explainReward(model, first.chosen),
    attention: await attentionPatterns(model, first.chosen),
    probes: (await probes?.(model.lm)) ?? null,
  };
}

/** Of the pairs' answers and of neutral text. */
async function retentionOf(
  { lm }: RewardModel,
  base: CausalLM,
  pairs: readonly Pair[],
  neutral: readonly Sequence[],
): Promise<ModelInspection["retention"]> {
  const of = (texts: readonly Sequence[]) => retention(lm, base, texts);
  return {
    chosen: await of(pairs.map(({ chosen }) => chosen)),
    rejected: await of(pairs.map(({ rejected }) => rejected)),
    neutral: await of(neutral),
  };
}

async function cosinesOf(model: RewardModel, base: CausalLM, sequence: Sequence) {
  const [before, after] = [
    await tokenStates(base, [sequence]),
    await tokenStates(model, [sequence]),
  ];
  return Object.entries(before).flatMap(([name, x]) => {
    const y = after[name];
    return y === undefined ? [] : [{ name, values: Array.from(tokenCosines(x, y)) }];
  });
}

function shownPair({ chosen, rejected, source, line }: Pair, tokenizer: Tokenizer): ShownPair {
  const words = ({ ids }: Sequence): string[] => Array.from(ids, (id) => tokenizer.decode([id]));
  return {
    chosen: words(chosen),
    rejected: words(rejected),
    source: source ?? null,
    line: line ?? null,
  };
}

/** What all write after the prompt of a pair. */
async function samplesOf(
  { models, base, tokenizer, seed = 0 }: InspectOptions,
  { chosen }: Pair,
): Promise<Inspection["samples"]> {
  const start = chosen.labels.findIndex((label) => label >= 0);
  const prompt = Array.from(chosen.ids.subarray(0, Math.max(1, start)));
  const lms = Object.fromEntries(models.map(({ name, model }) => [name, model.lm]));
  const room = Math.min(40, base.model.context - prompt.length);
  const written =
    room < 1
      ? {}
      : await samplesSideBySide({ base, ...lms }, prompt, {
          maxTokens: room,
          seed,
          stop: tokenizer.special.eos === undefined ? [] : [tokenizer.special.eos],
        });
  const text = (ids: readonly number[]): string => tokenizer.decode(ids, { skipSpecial: true });
  return {
    prompt: tokenizer.decode(prompt),
    texts: Object.fromEntries(
      Object.entries(written).map(([name, samples]) => [name, samples.map(text)]),
    ),
  };
}

function notesOn(pairs: readonly Pair[], shown: readonly Pair[]): string[] {
  const some = (what: keyof typeof most): string =>
    `${within(pairs, most[what]).length} (${what === "language" ? "the language model" : what})`;
  const length = Math.max(...shown.map(pairLength));
  return [
    `Of ${pairs.length} pairs, the first were looked at: ${some("gradients")}, ${some("drift")}, ${some("language")}.`,
    `Shown token by token: the first ${shown.length} of at most ${Math.max(length, shortEnough)} tokens.`,
  ];
}

/** JSON of numbers with six digits, typed arrays as lists. */
export function inspectionJson(inspection: Inspection): string {
  accept(takes.inspectionJson, arguments);
  return JSON.stringify(inspection, (_name, value: unknown) => {
    if (typeof value === "number") return Number(value.toPrecision(6));
    return value instanceof Float64Array ? Array.from(value) : value;
  });
}
