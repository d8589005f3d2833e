// The section of training curves: what a run's metrics.jsonl says, of one run or two beside each other.
// Next: ../trainer/records.ts for what each number is.

import { shortName } from "../inspect/states.ts";
import { mean } from "../statistics.ts";
import type { DriftRecord, EvaluationRecord, StepRecord, TrainRecord } from "../trainer/records.ts";
import { type Axis, curves, type Point, type Series } from "./charts.ts";
import type { Figure } from "./figure.ts";
import type { Section } from "./page.ts";

/** A run's lines with the name that figures give it. */
export interface NamedRecords {
  readonly name: string;
  readonly records: readonly TrainRecord[];
}

const mostPoints = 80;
const steps: Axis = { label: "step" };
const noSteps = "metrics.jsonl has no training steps.";

/** The steps of a run in at most 80 windows, with the mean of a number in each. */
export function windows(
  records: readonly TrainRecord[],
  value: (record: StepRecord) => number | null,
): Point[] {
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
): Point[] {
  return records.flatMap((record) =>
    record.kind === "evaluation" ? [{ x: record.step, y: value(record) }] : [],
  );
}

/** A series for each run, dashed where `ofValidation`. */
function both(
  runs: readonly NamedRecords[],
  training: (record: StepRecord) => number | null,
  validation: ((record: EvaluationRecord) => number | null) | null,
): Series[] {
  return runs.flatMap(({ name, records }, i) => [
    { name: `${name}, training`, points: windows(records, training), color: i, dash: 0 },
    ...(validation === null
      ? []
      : [
          {
            name: `${name}, validation`,
            points: evaluations(records, validation),
            color: i,
            dash: 1,
          },
        ]),
  ]);
}

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
  return [
    curves(
      {
        title: "Reward loss",
        look: "Training goes down; validation that turns up while training still falls is overfitting.",
        limits: "It doesn't say whether the rewards are right outside of pairs like these.",
      },
      {
        x: steps,
        y: { label: "−ln σ(r_c − r_r)" },
        series: both(
          runs,
          (r) => r.reward_loss,
          (r) => r.loss,
        ),
        otherwise: noSteps,
        rule: Math.LN2,
      },
    ),
    curves(
      {
        title: "Accuracy",
        look: "How often the chosen answer has the higher reward; the line at 0.5 is chance.",
        limits: "Labels are noisy, so that even the true reward wouldn't reach 1.",
      },
      {
        x: steps,
        y: { label: "share of pairs" },
        series: both(
          runs,
          (r) => r.accuracy,
          (r) => r.accuracy,
        ),
        otherwise: noSteps,
        rule: 0.5,
      },
    ),
    curves(
      {
        title: "Text-generation loss",
        look: "The regulariser's own loss: flat means that the language model is kept as it was.",
        limits: "It is a loss of whole answers on training text, not the perplexity of a token.",
      },
      {
        x: steps,
        y: { label: "regulariser" },
        series: both(runs, (r) => r.reg_loss, null),
        otherwise: "no run here has a text-generation loss (plain methods, or alpha 0).",
      },
    ),
    perplexities(runs),
  ];
}

function perplexities(runs: readonly NamedRecords[]): Figure {
  const series = runs.flatMap(({ name, records }, i) => [
    {
      name: `${name}, chosen`,
      points: evaluations(records, (r) => r.chosen_perplexity),
      color: i,
      dash: 0,
    },
    {
      name: `${name}, rejected`,
      points: evaluations(records, (r) => r.rejected_perplexity),
      color: i,
      dash: 2,
    },
  ]);
  return curves(
    {
      title: "Perplexity of the language-model head",
      look: "What reward training does to the language model: without a text-generation loss it usually climbs by itself.",
      limits: "Measured on validation answers alone, which are like the training text.",
    },
    {
      x: steps,
      y: { label: "perplexity", log: true },
      series,
      otherwise:
        "no evaluation measured it; train with validation pairs (--validation, --hold-out).",
    },
  );
}

function pushes(runs: readonly NamedRecords[]): Figure[] {
  const pair = (
    reward: (r: StepRecord) => number | null,
    reg: (r: StepRecord) => number | null,
  ): Series[] =>
    runs.flatMap(({ name, records }, i) => [
      { name: `${name}, reward loss`, points: windows(records, reward), color: i, dash: 0 },
      { name: `${name}, text loss`, points: windows(records, reg), color: i, dash: 2 },
    ]);
  return [
    curves(
      {
        title: "Push on the final hidden states",
        look: "How hard each loss, with its weight, pulls at the states that both heads read.",
        limits: "Norms say nothing of direction, and the two never share a position here.",
      },
      {
        x: steps,
        y: { label: "gradient norm", log: true },
        series: pair(
          (r) => r.reward_hidden_grad,
          (r) => r.reg_hidden_grad,
        ),
        otherwise: "the backbone was frozen: its states aren't trained.",
      },
    ),
    curves(
      {
        title: "Do the two losses agree over the parameters?",
        look: "Above 0 the losses want the same change, below 0 they pull apart.",
        limits: "One cosine for all parameters together, of single batches.",
      },
      {
        x: steps,
        y: { label: "cosine", zero: true },
        series: runs.map(({ name, records }, i) => ({
          name,
          points: windows(records, (r) => r.grad_cosine),
          color: i,
        })),
        rule: 0,
        dots: true,
        otherwise: "it wasn't measured (no regulariser, or parameterGradEvery switched off).",
      },
    ),
    curves(
      {
        title: "Gradient norm",
        look: "Spikes are steps that clipping had to tame.",
        limits: "Before clipping, over all trained parameters together.",
      },
      {
        x: steps,
        y: { label: "norm", log: true },
        series: runs.map(({ name, records }, i) => ({
          name,
          points: windows(records, (r) => r.grad_norm),
          color: i,
        })),
        otherwise: noSteps,
      },
    ),
  ];
}

// --- Drift over steps --------------------------------------------------------------------------------

type Layer = DriftRecord["layers"][number];

function drifts(runs: readonly NamedRecords[]): Figure[] {
  const otherwise = "it wasn't recorded; train with --inspect.";
  const known = runs.map(({ name, records }) => ({
    name,
    drifts: records.filter((record) => record.kind === "drift"),
  }));
  const ofFinal = (value: (layer: Layer) => number | null): Series[] =>
    known.map(({ name, drifts: all }) => ({
      name,
      points: all.map(({ step, layers }) => {
        const last = layers.at(-1);
        return { x: step, y: last === undefined ? null : value(last) };
      }),
    }));
  const byLayer = known.map(({ name, drifts: all }) => {
    const names = all[0]?.layers.map((layer) => layer.name) ?? [];
    return curves(
      {
        title: `CKA with the base, by layer: ${name}`,
        look: "1 is the base's own arrangement of tokens; deeper layers usually leave it first.",
        limits: "CKA doesn't see turns and scale, and a few large directions decide it.",
      },
      {
        x: steps,
        y: { label: "linear CKA" },
        series: names.map((layer, i) => ({
          name: shortName(layer),
          points: all.map(({ step, layers }) => ({ x: step, y: layers[i]?.cka ?? null })),
        })),
        otherwise,
      },
    );
  });
  return [
    ...byLayer,
    curves(
      {
        title: "Cosine with the base's final hidden states",
        look: "Means over tokens: 1 is unmoved, 0 at right angles to where the base had them.",
        limits:
          "A turn of all states together would lower it and change nothing for a head that turns along.",
      },
      { x: steps, y: { label: "cosine" }, series: ofFinal((l) => l.cosine), otherwise },
    ),
    curves(
      {
        title: "Effective rank of the final hidden states",
        look: "How many directions are in use; reward training alone tends to fold them together.",
        limits: "It counts directions by size and doesn't know which of them matter.",
      },
      {
        x: steps,
        y: { label: "e^entropy" },
        series: ofFinal((l) => l.effective_rank),
        otherwise,
      },
    ),
  ];
}
