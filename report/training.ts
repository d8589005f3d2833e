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
import { brief, counted, coursesText } from "./captions.ts";
import { type Axis, type CurvePoint, type CurveSeries, curves, type Words } from "./charts.ts";
import type { Figure } from "./figure.ts";
import type { Section } from "./page.ts";
import { domainOf } from "./scales.ts";

/** A run's lines with the name that figures give it. */
export interface NamedRecords {
  readonly name: string;
  readonly records: readonly TrainRecord[];
}

/** Titles, and what is true of any run; what a run's figures show is computed below. */
const words = {
  reward: {
    title: "Reward loss",
    limits:
      "The line is ln 2, the loss of a model that says nothing. It doesn't say whether the rewards are right outside of pairs like these.",
  },
  accuracy: {
    title: "Accuracy",
    limits:
      "How often the chosen answer has the higher reward; the line at 0.5 is chance. A label that is wrong counts against a model that is right.",
  },
  text: {
    title: "Text-generation loss",
    limits:
      "The regulariser's own loss, of whole answers on training text; it is not the perplexity of a token.",
  },
  perplexity: {
    title: "Perplexity of the language-model head",
    limits: "Measured on the validation pairs' answers alone.",
  },
  push: {
    title: "Push on the final hidden states",
    limits:
      "How hard each loss, with its weight, pulls at the states that both heads read. Norms say nothing of direction.",
  },
  agree: {
    title: "Do the two losses agree over the parameters?",
    limits:
      "Above 0 the losses want the same change, below 0 they pull apart; one cosine for all parameters together, of single batches.",
  },
  norm: {
    title: "Gradient norm",
    limits: "Before clipping, over all trained parameters together.",
  },
  cka: {
    title: "CKA with the base, by layer",
    limits:
      "1 is the base's own arrangement of tokens. CKA doesn't see turns and scale, and a few large directions decide it.",
  },
  cosine: {
    title: "Cosine with the base's final hidden states",
    limits:
      "Means over tokens: 1 is unmoved, 0 at right angles. A turn of all states together would lower it and change nothing for a head that turns along.",
  },
  rank: {
    title: "Effective rank of the final hidden states",
    limits:
      "How many directions are in use, counted by size; it doesn't know which of them matter.",
  },
} as const;

/** What a figure says whatever its numbers. */
type Fixed = Pick<Words, "title" | "limits">;

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

interface Drawn {
  readonly otherwise: string;
  readonly rule?: number;
  readonly dots?: boolean;
}

/** Curves over steps, with where they go, and `also`, as caption. */
function overSteps(
  fixed: Fixed,
  y: Axis,
  lines: readonly CurveSeries[],
  { also = "", ...more }: Drawn & { readonly also?: string },
): Figure {
  const look = `${coursesText(lines, "step")} ${also}`.trim();
  return curves({ ...fixed, look }, { x, y, series: lines, ...more });
}

function losses(runs: readonly NamedRecords[]): Figure[] {
  const both = (training: DrawnNumber<"step">["value"], held: DrawnNumber<"evaluation">["value"]) =>
    series(runs, step("training", 0, training), evaluation("validation", 1, held));
  const [loss, accuracy] = [
    both(
      (r) => r.reward_loss,
      (r) => r.loss,
    ),
    both(
      (r) => r.accuracy,
      (r) => r.accuracy,
    ),
  ];
  const text = series(
    runs,
    step("training", 0, (r) => r.reg_loss),
  );
  const steps = { otherwise: why.steps };
  return [
    overSteps(words.reward, { label: "−ln σ(r_c − r_r)" }, loss, { ...steps, rule: Math.LN2 }),
    overSteps(words.accuracy, { label: "share of pairs" }, accuracy, { ...steps, rule: 0.5 }),
    overSteps(words.text, { label: "regulariser" }, text, { otherwise: why.plain }),
    perplexityFigure(runs),
  ];
}

/** What training does to the language model, of both answers. */
export function perplexityFigure(runs: readonly NamedRecords[]): Figure {
  const lines = series(
    runs,
    evaluation("chosen", 0, (r) => r.chosen_perplexity),
    evaluation("rejected", 2, (r) => r.rejected_perplexity),
  );
  const y = { label: "perplexity", log: true };
  return overSteps(words.perplexity, y, lines, { otherwise: why.evaluations });
}

function pushes(runs: readonly NamedRecords[]): Figure[] {
  const both = series(
    runs,
    step("reward loss", 0, (r) => r.reward_hidden_grad),
    step("text loss", 2, (r) => r.reg_hidden_grad),
  );
  const oneLine = (value: DrawnNumber<"step">["value"]) => series(runs, step("", 0, value));
  const cosines = oneLine((r) => r.grad_cosine);
  const cosine: Axis = { label: "cosine", zero: true };
  return [
    overSteps(words.push, { label: "gradient norm", log: true }, both, { otherwise: why.frozen }),
    overSteps(words.agree, cosine, cosines, {
      ...{ rule: 0, dots: true, otherwise: why.cosine },
      also: agreementText(cosines),
    }),
    overSteps(
      words.norm,
      { label: "norm", log: true },
      oneLine((r) => r.grad_norm),
      {
        ...{ otherwise: why.steps, also: clippedText(runs) },
      },
    ),
  ];
}

/** In what share of windows the losses wanted the same. */
function agreementText(lines: readonly CurveSeries[]): string {
  const said = lines.flatMap(({ name, points }) => {
    const values = points.flatMap(({ y }) => (y === null ? [] : [y]));
    const above = values.filter((value) => value > 0).length;
    if (values.length === 0) return [];
    return [
      `${name}: above 0 in ${above} of ${counted(values.length, "window")}, mean ${brief(mean(values))}.`,
    ];
  });
  return said.join(" ");
}

/** How many steps clipping changed. */
function clippedText(runs: readonly NamedRecords[]): string {
  const said = runs.flatMap(({ name, records }) => {
    const steps = records.filter((record) => record.kind === "train");
    const last = steps.at(-1);
    if (last === undefined) return [];
    return [`${name}: ${last.clipped} of ${counted(last.step, "step")} clipped.`];
  });
  return said.join(" ");
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
  const final = (fixed: Fixed, label: string, value: (layer: Layer) => number | null): Figure =>
    overSteps(fixed, { label }, ofFinal(value), { otherwise: why.drift });
  const byLayer = known.map(ckaLines);
  const y = { label: "linear CKA", ...domainOf(byLayer.flat()) }; // one scale for all runs
  return [
    ...known.map(({ name }, i) =>
      overSteps({ ...words.cka, title: `${words.cka.title}: ${name}` }, y, byLayer[i] ?? [], {
        otherwise: why.drift,
      }),
    ),
    final(words.cosine, "cosine", (layer) => layer.cosine),
    final(words.rank, "e^entropy", (layer) => layer.effective_rank),
  ];
}

function ckaLines({ drifts: all }: NamedDrifts): CurveSeries[] {
  const names = all[0]?.layers.map((layer) => layer.name) ?? [];
  return names.map((layer, i) => ({
    name: shortName(layer),
    points: all.map(({ step: at, layers }) => ({ x: at, y: layers[i]?.cka ?? null })),
  }));
}
