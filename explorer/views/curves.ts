// The charts of a training, from its records and looks: what is drawn is what was measured, and the means of
// eight steps are the only thing that is computed here. Next: ../figures/chart.tsx.

import type { StepRecord } from "../../grm/index.ts";
import type { ChartData, ChartLine, ChartPoint } from "../figures/chart.tsx";
import type { ExplorerState } from "../state.ts";
import { short } from "./parts.tsx";

const plainName = "plain";

/** The axis of steps, from the beginning to the end. */
function stepAxis({ steps }: ExplorerState): readonly [number, number] {
  return [0, Math.max(1, steps)];
}

/** A line for each model, of what the tests said. */
function lookLines(
  { looks, settings }: ExplorerState,
  name: string,
  point: (look: ExplorerState["looks"][number], model: number) => ChartPoint | null,
): ChartLine[] {
  const of = (model: number): ChartPoint[] => looks.flatMap((look) => point(look, model) ?? []);
  const plain: ChartLine = { name: plainName, tint: "plain", points: of(0) };
  return settings.method === "bt" ? [plain] : [plain, { name, tint: "reg", points: of(1) }];
}

export function perplexityChart(state: ExplorerState, name: string): ChartData {
  const lines = lookLines(state, name, ({ step, models }, model) => {
    const found = models[model];
    return found === undefined ? null : { x: step, y: found.perplexity };
  });
  const most = Math.max(10, ...lines.flatMap(({ points }) => points.map(({ y }) => y)));
  const base = state.looks[0]?.models[0]?.perplexity;
  return {
    label: "Perplexity of held-out stories by step",
    x: stepAxis(state),
    y: [2, 1.15 * most],
    isLog: true,
    lines,
    ...(base !== undefined && { rule: { y: base, text: `the base: ${short(base)}` } }),
    format: short,
    tick: (value) => value.toLocaleString("en-US"),
  };
}

const share = (value: number): string => `${(100 * value).toFixed(1)} %`;
const wholeShare = (value: number): string => `${(100 * value).toFixed(0)} %`;

export function accuracyChart(state: ExplorerState, name: string, which: "id" | "ood"): ChartData {
  const lines = lookLines(state, name, ({ step, models }, model) => {
    const found = models[model]?.[which];
    return found === undefined
      ? null
      : { x: step, y: found.value, low: found.low, high: found.high };
  });
  const kind = which === "ood" ? "out of distribution" : "in distribution";
  return {
    label: `Accuracy ${kind} by step`,
    x: stepAxis(state),
    y: [0.4, 0.9],
    lines,
    rule: { y: 0.5, text: "chance" },
    format: share,
    tick: wholeShare,
  };
}

const smoothed = 8; // steps

/** Means of up to eight steps, those before and with each. */
function means(raw: readonly ChartPoint[]): ChartPoint[] {
  return raw.map(({ x }, i) => {
    const some = raw.slice(Math.max(0, i + 1 - smoothed), i + 1);
    return { x, y: some.reduce((sum, { y }) => sum + y, 0) / some.length };
  });
}

function recordLine(
  records: readonly StepRecord[] | undefined,
  line: Pick<ChartLine, "name" | "tint">,
  value: (record: StepRecord) => number | null,
): ChartLine {
  const raw = (records ?? []).flatMap((record) => {
    const y = value(record);
    return y === null ? [] : [{ x: record.step, y }];
  });
  return { ...line, raw, points: means(raw) };
}

/** The reward losses of both models, or the second one's text loss. */
export function lossChart(
  state: ExplorerState,
  name: string,
  which: "reward" | "text" = "reward",
): ChartData {
  const [plain, reg] = state.records;
  const isText = which === "text";
  const value = (record: StepRecord): number | null =>
    isText ? record.reg_loss : record.reward_loss;
  const lines = [
    ...(isText ? [] : [recordLine(plain, { name: plainName, tint: "plain" }, value)]),
    ...(state.settings.method === "bt" ? [] : [recordLine(reg, { name, tint: "reg" }, value)]),
  ];
  const highest = Math.max(1, ...lines.flatMap(({ points }) => points.map(({ y }) => 1.2 * y)));
  return {
    label: isText ? "Text loss by step" : "Reward loss by step",
    x: stepAxis(state),
    y: [0, highest],
    lines,
    ...(!isText && { rule: { y: Math.LN2, text: "a coin's loss" } }),
    format: (loss) => loss.toFixed(3),
    tick: (loss) => loss.toFixed(1),
  };
}

export function shareChart(state: ExplorerState, name: string): ChartData {
  const line = recordLine(
    state.records[1],
    { name, tint: "text" },
    ({ reg_hidden_share }) => reg_hidden_share,
  );
  return {
    label: "Share of the text loss in the squared gradient at the final hidden states, by step",
    x: stepAxis(state),
    y: [0, 1],
    lines: [line],
    format: share,
    tick: wholeShare,
  };
}
