// The page of a language model's pretraining. Next: ../nn/pretrain/records.ts for what each number is.

import { accept, signatures } from "../core/signature.ts";
import type { PretrainRecord } from "../nn/index.ts";
import { brief, counted, coursesText } from "./captions.ts";
import { type Axis, type CurvePoint, curves, type Words } from "./charts.ts";
import type { Figure } from "./figure.ts";
import { detailsHtml, escape } from "./html.ts";
import { pageHtml } from "./page.ts";
import { settingsSection } from "./settings.ts";

const takes = signatures({
  pretrainPage: "name: string, settings: object, records: any[]",
});

/** Titles, and what is true of any run. */
const words = {
  loss: {
    title: "Loss of a token",
    limits:
      "Batches differ, so that training jumps; of many steps every so many-th is shown. Validation text is never trained on.",
  },
  bits: {
    title: "Bits for each byte of text",
    limits:
      "The validation loss in a unit that doesn't depend on the tokenizer. Of this corpus; other text may be harder.",
  },
  norm: { title: "Gradient norm", limits: "Before clipping, over all parameters together." },
  rate: { title: "Learning rate", limits: "What Adam makes of it differs by parameter." },
} as const;

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
  const [loss, bits, ...others] = figuresOf(records) as [Figure, Figure, ...Figure[]];
  return pageHtml({
    title: "How well does the language model predict text that it never read?",
    lead: `Language model ${name}: how it was pretrained, and what it wrote on the way.`,
    answer: { ...answerOf(records), figures: [loss, bits] },
    sections: [
      { id: "samples", title: "What it wrote", before: written },
      { id: "training", title: "Training", figures: others },
      { ...settingsSection([{ name, values: settings }]), folded: true },
    ],
  });
}

/** Where the validation loss ended, and whether it had been lower. */
function answerOf(records: readonly PretrainRecord[]) {
  const held = records.filter((record) => record.kind === "validation");
  const [first, last] = [held[0], held.at(-1)];
  if (first === undefined || last === undefined) {
    return { verdict: "unclear", said: ["Unclear: no validation was recorded."] };
  }
  const best = held.reduce((least, one) => (one.loss < least.loss ? one : least));
  const where = `${brief(last.loss)} nats a token, ${brief(last.bitsPerByte)} bits a byte, at step ${last.step.toLocaleString("en-US")}`;
  const before =
    held.length === 1
      ? ""
      : ` It was ${brief(first.perplexity)} at step ${first.step.toLocaleString("en-US")}.`;
  const trend =
    best === last
      ? "No earlier validation was better."
      : `The best was ${brief(best.perplexity)}, at step ${best.step.toLocaleString("en-US")}.`;
  return {
    verdict: `perplexity ${brief(last.perplexity)}`,
    said: [
      `Perplexity ${brief(last.perplexity)}: it is as unsure of the next token as among that many equally likely ones (${where}).`,
      `${trend}${before}`,
    ],
  };
}

function figuresOf(records: readonly PretrainRecord[]): Figure[] {
  const training = records.filter((record) => record.kind === "train");
  const validation = records.filter((record) => record.kind === "validation");
  const every = Math.max(1, Math.ceil(training.length / mostPoints));
  const trained = (value: (record: Of<"train">) => number): CurvePoint[] =>
    training.filter((_, i) => i % every === 0).map((r) => ({ x: r.step, y: value(r) }));
  const held = (value: (record: Of<"validation">) => number): CurvePoint[] =>
    validation.map((r) => ({ x: r.step, y: value(r) }));
  const figure = (
    fixed: Omit<Words, "look">,
    y: Axis,
    lines: Readonly<Record<string, CurvePoint[]>>,
    also = "",
  ): Figure => {
    const series = Object.entries(lines).map(([name, points]) => ({ name, points }));
    const look = `${coursesText(series, "step")} ${also}`.trim();
    return curves(
      { ...fixed, look },
      { x, y, series, otherwise: "metrics.jsonl has no such records." },
    );
  };
  const { clipped = 0, step = 0 } = training.at(-1) ?? {};
  return [
    figure(
      words.loss,
      { label: "nats" },
      { training: trained((r) => r.loss), validation: held((r) => r.loss) },
    ),
    figure(words.bits, { label: "bits a byte" }, { validation: held((r) => r.bitsPerByte) }),
    figure(
      words.norm,
      { label: "norm", log: true },
      { norm: trained((r) => r.gradNorm) },
      `${clipped} of ${counted(step, "step")} clipped.`,
    ),
    figure(words.rate, { label: "rate" }, { rate: trained((r) => r.lr) }),
  ];
}
