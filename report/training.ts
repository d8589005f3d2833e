// The section of training curves: what a run's metrics.jsonl says, of one run or two beside each other.
// Next: ../grm/trainer/records.ts for what each number is.

import { shortName } from "../grm/inspect/states.ts";
import { mean } from "../grm/statistics/index.ts";
import type {
  DriftRecord,
  EvaluationRecord,
  StepRecord,
  TrainRecord,
} from "../grm/trainer/records.ts";
import { type Axis, type CurvePoint, type CurveSeries, curves, type Words } from "./charts.ts";
import type { Figure } from "./figure.ts";
import type { Section } from "./page.ts";

/** A run's lines with the name that figures give it. */
export interface NamedRecords {
  readonly name: string;
  readonly records: readonly TrainRecord[];
}

const words = {
  reward: {
    title: "Reward loss",
    look: "Training goes down; validation that turns up while training still falls is overfitting.",
    limits: "It doesn't say whether the rewards are right outside of pairs like these.",
  },
  accuracy: {
    title: "Accuracy",
    look: "How often the chosen answer has the higher reward; the line at 0.5 is chance.",
    limits: "Labels are noisy, so that even the true reward wouldn't reach 1.",
  },
  text: {
    title: "Text-generation loss",
    look: "The regulariser's own loss: flat means that the language model is kept as it was.",
    limits: "It is a loss of whole answers on training text, not the perplexity of a token.",
  },
  perplexity: {
    title: "Perplexity of the language-model head",
    look: "What reward training does to the language model: without a text-generation loss it usually climbs by itself.",
    limits: "Measured on validation answers alone, which are like the training text.",
  },
  push: {
    title: "Push on the final hidden states",
    look: "How hard each loss, with its weight, pulls at the states that both heads read.",
    limits: "Norms say nothing of direction, and the two never share a position here.",
  },
  agree: {
    title: "Do the two losses agree over the parameters?",
    look: "Above 0 the losses want the same change, below 0 they pull apart.",
    limits: "One cosine for all parameters together, of single batches.",
  },
  norm: {
    title: "Gradient norm",
    look: "Spikes are steps that clipping had to tame.",
    limits: "Before clipping, over all trained parameters together.",
  },
  cka: {
    title: "CKA with the base, by layer",
    look: "1 is the base's own arrangement of tokens; deeper layers usually leave it first.",
    limits: "CKA doesn't see turns and scale, and a few large directions decide it.",
  },
  cosine: {
    title: "Cosine with the base's final hidden states",
    look: "Means over tokens: 1 is unmoved, 0 at right angles to where the base had them.",
    limits:
      "A turn of all states together would lower it and change nothing for a head that turns along.",
  },
  rank: {
    title: "Effective rank of the final hidden states",
    look: "How many directions are in use; fewer than the base's means that some were folded together.",
    limits: "It counts directions by size and doesn't know which of them matter.",
  },
} as const satisfies Record<string, Words>;

const why = {
  steps: "metrics.jsonl has no training steps.",
  plain: "no run here has a text-generation loss (plain methods, or alpha 0).",
  evaluations: "no evaluation measured it; train with validation pairs (--validation, --hold-out).",
  frozen: "the backbone was frozen: its states aren't trained.",
  cosine: "it wasn't measured (no regulariser, or parameterGradEvery switched off).",
  drift: "it wasn't recorded; train with --inspect.",
} as const;

const x: Axis = { label: "step" };

// --- Numbers from records ----------------------------------------------------------------------------

const mostPoints = 80;

/** The steps of a run in at most 80 windows, with the mean of a number in each. */
export function windows(
  records: readonly TrainRecord[],
  value: (record: StepRecord) => number | null,
): CurvePoint[] {
  const known = records.flatMap((record) => {
    const y = record.kind === "train" ? value(record) : null;
    return y === null ? [] : [{ x: record.step, y }];
  });
  const width = Math.max(1, Math.ceil(known.length / mostPoints));
  return Array.from({ length: Math.ceil(known.length / width) }, (_, i) => {
    const own = known.slice(i * width, (i + 1) * width);
    return { x: mean(own.map((p) => p.x)), y: mean(own.map((p) => p.y)) };
  });
}

function evaluations(
  records: readonly TrainRecord[],
  value: (record: EvaluationRecord) => number | null,
): CurvePoint[] {
  return records.flatMap((record) =>
    record.kind === "evaluation" ? [{ x: record.step, y: value(record) }] : [],
  );
}

type Kind = "step" | "evaluation";

/** What to draw of each run: a name, a number, and how its line is dashed. */
interface DrawnNumber<K extends Kind> {
  readonly what: string;
  readonly of: K;
  readonly value: (record: K extends "step" ? StepRecord : EvaluationRecord) => number | null;
  readonly dash: number;
}

const step = (
  what: string,
  dash: number,
  value: DrawnNumber<"step">["value"],
): DrawnNumber<"step"> => ({
  what,
  of: "step",
  value,
  dash,
});
const evaluation = (
  what: string,
  dash: number,
  value: DrawnNumber<"evaluation">["value"],
): DrawnNumber<"evaluation"> => ({ what, of: "evaluation", value, dash });

/** Each line for each run, in the run's colour. */
function series(
  runs: readonly NamedRecords[],
  ...lines: readonly (DrawnNumber<"step"> | DrawnNumber<"evaluation">)[]
): CurveSeries[] {
  return runs.flatMap(({ name, records }, color) =>
    lines.map((line) => ({
      name: line.what === "" ? name : `${name}, ${line.what}`,
      color,
      dash: line.dash,
      points: line.of === "step" ? windows(records, line.value) : evaluations(records, line.value),
    })),
  );
}

// --- Figures -----------------------------------------------------------------------------------------

/** All curves that there are. */
export function trainingSection(runs: readonly NamedRecords[]): Section {
  return {
    id: "training",
    title: "Training",
    before:
      '<p class="soft">Training numbers are means over windows of steps (at most 80 windows), of batches as they came; validation pairs are never trained on.</p>',
    figures: [...losses(runs), ...pushes(runs), ...drifts(runs)],
  };
}

function losses(runs: readonly NamedRecords[]): Figure[] {
  const both = (training: DrawnNumber<"step">["value"], held: DrawnNumber<"evaluation">["value"]) =>
    series(runs, step("training", 0, training), evaluation("validation", 1, held));
  const perplexities = series(
    runs,
    evaluation("chosen", 0, (r) => r.chosen_perplexity),
    evaluation("rejected", 2, (r) => r.rejected_perplexity),
  );
  return [
    curves(words.reward, {
      x,
      y: { label: "−ln σ(r_c − r_r)" },
      series: both(
        (r) => r.reward_loss,
        (r) => r.loss,
      ),
      rule: Math.LN2,
      otherwise: why.steps,
    }),
    curves(words.accuracy, {
      x,
      y: { label: "share of pairs" },
      series: both(
        (r) => r.accuracy,
        (r) => r.accuracy,
      ),
      rule: 0.5,
      otherwise: why.steps,
    }),
    curves(words.text, {
      x,
      y: { label: "regulariser" },
      series: series(
        runs,
        step("training", 0, (r) => r.reg_loss),
      ),
      otherwise: why.plain,
    }),
    curves(words.perplexity, {
      x,
      y: { label: "perplexity", log: true },
      series: perplexities,
      otherwise: why.evaluations,
    }),
  ];
}

/** One number of training steps over the run, without a name of its own. */
function oneLine(
  runs: readonly NamedRecords[],
  said: Words,
  y: Axis,
  value: DrawnNumber<"step">["value"],
  more: { readonly otherwise: string; readonly rule?: number; readonly dots?: boolean },
): Figure {
  return curves(said, { x, y, series: series(runs, step("", 0, value)), ...more });
}

function pushes(runs: readonly NamedRecords[]): Figure[] {
  const both = series(
    runs,
    step("reward loss", 0, (r) => r.reward_hidden_grad),
    step("text loss", 2, (r) => r.reg_hidden_grad),
  );
  const y = { label: "gradient norm", log: true };
  return [
    curves(words.push, { x, y, series: both, otherwise: why.frozen }),
    oneLine(runs, words.agree, { label: "cosine", zero: true }, (r) => r.grad_cosine, {
      rule: 0,
      dots: true,
      otherwise: why.cosine,
    }),
    oneLine(runs, words.norm, { label: "norm", log: true }, (r) => r.grad_norm, {
      otherwise: why.steps,
    }),
  ];
}

type Layer = DriftRecord["layers"][number];

interface NamedDrifts {
  readonly name: string;
  readonly drifts: readonly DriftRecord[];
}

function drifts(runs: readonly NamedRecords[]): Figure[] {
  const known = runs.map(({ name, records }) => ({
    name,
    drifts: records.filter((record) => record.kind === "drift"),
  }));
  const ofFinal = (value: (layer: Layer) => number | null): CurveSeries[] =>
    known.map(({ name, drifts: all }) => ({
      name,
      points: all.map(({ step: at, layers }) => {
        const last = layers.at(-1);
        return { x: at, y: last === undefined ? null : value(last) };
      }),
    }));
  const final = (said: Words, label: string, value: (layer: Layer) => number | null): Figure =>
    curves(said, { x, y: { label }, series: ofFinal(value), otherwise: why.drift });
  return [
    ...known.map(ckaByLayer),
    final(words.cosine, "cosine", (layer) => layer.cosine),
    final(words.rank, "e^entropy", (layer) => layer.effective_rank),
  ];
}

function ckaByLayer({ name, drifts: all }: NamedDrifts): Figure {
  const names = all[0]?.layers.map((layer) => layer.name) ?? [];
  return curves(
    { ...words.cka, title: `${words.cka.title}: ${name}` },
    {
      x,
      y: { label: "linear CKA" },
      series: names.map((layer, i) => ({
        name: shortName(layer),
        points: all.map(({ step: at, layers }) => ({ x: at, y: layers[i]?.cka ?? null })),
      })),
      otherwise: why.drift,
    },
  );
}
