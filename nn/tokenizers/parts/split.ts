// Cutting a text where a pattern matches, in the five ways that a tokenizer.json knows. Next: preTokenizers.ts.

import type { Field } from "../../checkpoints/json.ts";

/** A part of the text on its way to tokens. */
export interface Piece {
  readonly text: string;
  /** Whether the text begins with it. */
  readonly isFirst: boolean;
}

/** What becomes of the matches that a text is cut at. */
const behaviors = [
  ...(["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"] as const),
] as const;
export type Behavior = (typeof behaviors)[number];

export function behaviorIn(field: Field, otherwise?: Behavior): Behavior {
  const given = field.value ?? otherwise;
  const found = behaviors.find((behavior) => behavior === given);
  return found ?? field.fail(`needs one of ${behaviors.join(", ")}`);
}

interface TextSpan {
  begin: number;
  end: number;
  readonly isMatch: boolean;
}

/** The matches of a pattern and what lies between, which together are the text. */
function spansOf(text: string, pattern: RegExp, invert: boolean): TextSpan[] {
  const spans: TextSpan[] = [];
  let before = 0;
  for (const { index, 0: match } of text.matchAll(pattern)) {
    if (before < index) spans.push({ begin: before, end: index, isMatch: invert });
    before = index + match.length;
    spans.push({ begin: index, end: before, isMatch: !invert });
  }
  if (before < text.length) spans.push({ begin: before, end: text.length, isMatch: invert });
  return spans;
}

/** Spans joined with the one before them where `joins` says so. */
function joined(
  spans: readonly TextSpan[],
  joins: (span: TextSpan, before: TextSpan) => boolean,
): TextSpan[] {
  const found: TextSpan[] = [];
  let before: TextSpan | undefined;
  for (const span of spans) {
    const last = found.at(-1);
    if (before === undefined || last === undefined || !joins(span, before)) found.push({ ...span });
    else {
      last.begin = Math.min(last.begin, span.begin);
      last.end = Math.max(last.end, span.end);
    }
    before = span;
  }
  return found;
}

/** The pieces of a piece, cut where the pattern matches (`invert`: where it doesn't). */
export function split(piece: Piece, pattern: RegExp, behavior: Behavior, invert = false): Piece[] {
  const { text, isFirst } = piece;
  let spans = spansOf(text, pattern, invert);
  const joins = (span: TextSpan, before: TextSpan): boolean => span.isMatch && !before.isMatch;
  if (behavior === "Removed") spans = spans.filter((span) => !span.isMatch);
  if (behavior === "Contiguous") spans = joined(spans, (a, b) => a.isMatch === b.isMatch);
  if (behavior === "MergedWithPrevious") spans = joined(spans, joins);
  if (behavior === "MergedWithNext") spans = joined(spans.reverse(), joins).reverse();
  return spans
    .filter(({ begin, end }) => begin < end)
    .map(({ begin, end }) => ({ text: text.slice(begin, end), isFirst: isFirst && begin === 0 }));
}
