// What `twoheads inspect` prints: the views of each model as tables of a few numbers, one below the other.
// The page has more; this is for a look from a terminal. Next: ../../grm/inspect/inspect.ts.

import type { Inspection, ModelInspection, ShownPair } from "../../grm/inspect/inspect.ts";
import { shortName } from "../../grm/inspect/states.ts";
import { aligned } from "../../lab/overopt/report.ts";

type TextRow = readonly string[];

const digits = (x: number | null | undefined, count = 3): string =>
  x === null || x === undefined || Number.isNaN(x) ? "-" : Number(x.toPrecision(count)).toString();

const isStream = (name: string): boolean => /\.(embed|mid|resid|hidden)$/.test(name);

/** Everything worth a line. */
export function inspectionText(found: Inspection): string {
  const { models, shown, samples, notes } = found;
  return [
    ...models.map((model) => modelText(model, found)),
    samplesText(samples),
    ...(shown[0] === undefined ? [] : [tokensText(models, shown[0])]),
    notes.join("\n"),
  ].join("\n\n");
}

function modelText(model: ModelInspection, { pairs, baseProbes }: Inspection): string {
  const { accuracy, ece } = model.reliability;
  const percent = (x: number): string => `${(100 * x).toFixed(1)} %`;
  return [
    `${model.name}: accuracy ${percent(accuracy.value)} [${percent(accuracy.low)}, ${percent(accuracy.high)}] of ${pairs} pairs, calibration error ${digits(ece)}`,
    gradientText(model),
    driftText(model),
    languageText(model),
    agreementText(model),
    ...(model.probes === null ? [] : [probeText(model, baseProbes)]),
  ].join("\n\n");
}

function gradientText({ gradients }: ModelInspection): string {
  const { method, alpha, beta, activations, groups, disjoint, meets } = gradients;
  const head = ["", "reward loss", "text loss", "share", "cosine", "conflicts"];
  const row = (p: (typeof groups)[number] | (typeof activations)[number]): TextRow => [
    shortName(p.name),
    ...[p.reward, p.reg, p.share, p.cosine, p.conflicts].map((x) => digits(x)),
  ];
  return [
    `Gradients of ${method} (alpha ${alpha}, beta ${beta}): at the final hidden states ${disjoint ? "no position is" : "positions are"} pushed by both; below, they first meet at ${meets ?? "no place"}.`,
    aligned([
      head,
      ...activations
        .filter((a) => isStream(a.name))
        .toReversed()
        .map(row),
    ]),
    aligned([head, ...groups.map(row)]),
  ].join("\n");
}

function driftText({ drift }: ModelInspection): string {
  const rows = drift
    .toReversed()
    .map((layer) => [
      shortName(layer.name),
      digits(layer.cka),
      digits(layer.cosine),
      `${digits(layer.effectiveRank.model)} (${digits(layer.effectiveRank.base)})`,
      `${digits(layer.norms.model.mean)} (${digits(layer.norms.base.mean)})`,
      `${digits(layer.norms.model.spread)} (${digits(layer.norms.base.spread)})`,
    ]);
  const head = ["", "CKA", "cosine", "effective rank", "norm", "spread of norms"];
  return `Drift from the base (in brackets: the base):\n${aligned([head, ...rows])}`;
}

function languageText({ retention }: ModelInspection): string {
  const rows = Object.entries(retention).map(([text, found]) => [
    text,
    ...(found === null
      ? ["-", "-", "-"]
      : [
          `${digits(found.perplexity.model)} (${digits(found.perplexity.base)})`,
          digits(found.kl),
          String(found.tokens),
        ]),
  ]);
  const head = ["", "perplexity", "KL, nats a token", "tokens"];
  return `The language model (in brackets: the base):\n${aligned([head, ...rows])}`;
}

function agreementText({ explanation: { agreement, difference, gap } }: ModelInspection): string {
  const rows = Object.entries(agreement).map(([name, { deletion, patching }]) => [
    name === "integrated" ? "integrated gradients" : "gradient x input",
    digits(deletion),
    digits(patching),
  ]);
  const head = ["", "with deletion", "with patching"];
  return `Rank agreement of attribution with intervention (integrated gradients miss ${digits(gap)} of ${digits(difference)}):\n${aligned([head, ...rows])}`;
}

function probeText({ probes }: ModelInspection, base: Inspection["baseProbes"]): string {
  const last = probes?.at(-1)?.layer;
  const rows = (probes ?? [])
    .filter((p) => p.layer === last)
    .map((p) => {
      const before = base?.find(
        (b) => b.layer === last && b.feature === p.feature && b.test === p.test,
      );
      return [p.feature, p.test, digits(p.r2), digits(before?.r2)];
    });
  return `Linear probes of the final states, R² held out:\n${aligned([["", "test", "model", "base"], ...rows])}`;
}

function samplesText({ prompt, texts }: Inspection["samples"]): string {
  const lines = Object.entries(texts).flatMap(([name, list]) =>
    list.map((text) => `  ${name}: ${text.replaceAll("\n", " ")}`),
  );
  return [`After "${prompt.replaceAll("\n", " ")}":`, ...lines].join("\n");
}

function tokensText(models: readonly ModelInspection[], { chosen }: ShownPair): string {
  const head = ["token", ...models.flatMap(({ name }) => [name, "adds", "surprise"])];
  const rows = chosen.map((word, t) => [
    JSON.stringify(word),
    ...models.flatMap(({ shown }) => {
      const view = shown[0]?.chosen;
      return [view?.prefix[t], view?.steps[t], view?.surprise[t]].map((x) => digits(x));
    }),
  ]);
  return `The first chosen answer: reward so far, what each token adds, surprise in nats\n${aligned([head, ...rows])}`;
}
