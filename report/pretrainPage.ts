// The page of a language model's pretraining. Next: ../nn/pretrain/records.ts for what each number is.

import { accept, signatures } from "../core/signature.ts";
import type { PretrainRecord } from "../nn/index.ts";
import { type Axis, type CurvePoint, curves, type Words } from "./charts.ts";
import type { Figure } from "./figure.ts";
import { detailsHtml, escape } from "./html.ts";
import { pageHtml } from "./page.ts";
import { settingsSection } from "./settings.ts";

const takes = signatures({
  pretrainPage: "name: string, settings: object, records: any[]",
});

const words = {
  loss: {
    title: "Loss of a token",
    look: "Both curves fall; the gap between them is what was learnt by heart.",
    limits: "Batches differ, so that training jumps; of many steps every so many-th is shown.",
  },
  bits: {
    title: "Bits for each byte of text",
    look: "The validation loss in a unit that doesn't depend on the tokenizer.",
    limits: "Of this corpus; other text may be harder.",
  },
  norm: {
    title: "Gradient norm",
    look: "Spikes are steps that clipping had to tame.",
    limits: "Before clipping, over all parameters together.",
  },
  rate: {
    title: "Learning rate",
    look: "It rises, stays, and falls to 0 over the last steps.",
    limits: "What Adam makes of it differs by parameter.",
  },
} as const satisfies Record<string, Words>;

const mostPoints = 300;
const x: Axis = { label: "step" };

type Of<K extends PretrainRecord["kind"]> = Extract<PretrainRecord, { kind: K }>;

/** The whole file. */
export function pretrainPage(
  name: string,
  settings: Readonly<Record<string, unknown>>,
  records: readonly PretrainRecord[],
): string {
  accept(takes.pretrainPage, arguments);
  const samples = records.flatMap((r) =>
    r.kind === "sample"
      ? [detailsHtml(`step ${r.step}`, `<pre>${escape(r.prompt + r.text)}</pre>`)]
      : [],
  );
  const written = samples.join("\n") || "<p>Nothing was sampled.</p>";
  return pageHtml({
    title: `Language model ${name}`,
    lead: "How it was pretrained, and what it wrote on the way.",
    sections: [
      settingsSection([{ name, values: settings }]),
      { id: "training", title: "Training", figures: figuresOf(records) },
      { id: "samples", title: "What it wrote", before: written },
    ],
  });
}

function figuresOf(records: readonly PretrainRecord[]): Figure[] {
  const training = records.filter((record) => record.kind === "train");
  const validation = records.filter((record) => record.kind === "validation");
  const every = Math.max(1, Math.ceil(training.length / mostPoints));
  const trained = (value: (record: Of<"train">) => number): CurvePoint[] =>
    training.filter((_, i) => i % every === 0).map((r) => ({ x: r.step, y: value(r) }));
  const held = (value: (record: Of<"validation">) => number): CurvePoint[] =>
    validation.map((r) => ({ x: r.step, y: value(r) }));
  const figure = (said: Words, y: Axis, lines: Readonly<Record<string, CurvePoint[]>>): Figure => {
    const series = Object.entries(lines).map(([name, points]) => ({ name, points }));
    return curves(said, { x, y, series, otherwise: "metrics.jsonl has no such records." });
  };
  return [
    figure(
      words.loss,
      { label: "nats" },
      { training: trained((r) => r.loss), validation: held((r) => r.loss) },
    ),
    figure(words.bits, { label: "bits a byte" }, { validation: held((r) => r.bitsPerByte) }),
    figure(words.norm, { label: "norm", log: true }, { norm: trained((r) => r.gradNorm) }),
    figure(words.rate, { label: "rate" }, { rate: trained((r) => r.lr) }),
  ];
}
