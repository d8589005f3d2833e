// What the file's own post-processor puts around a text, such as [CLS] and [SEP]: ids in front and ids
// behind. Next: ../huggingFace.ts.

import type { Field } from "../../checkpoints/json.ts";
import { readId } from "../jsonFile.ts";
import { isNone, type Makers, partIn, partsIn } from "./fields.ts";

/** The ids that go in front of a text's and behind them. */
export type Frame = readonly [before: readonly number[], after: readonly number[]];

const none: Frame = [[], []];

const pair = (field: Field): Frame => {
  const id = (name: string): number => readId(field.get(name).items()[1] ?? field.get(name));
  return [[id("cls")], [id("sep")]];
};

const makers: Makers<Frame> = {
  Sequence: (field) =>
    partsIn(field.get("processors"), makers).reduce<Frame>(
      (inner, outer) => [
        [...outer[0], ...inner[0]],
        [...inner[1], ...outer[1]],
      ],
      none,
    ),
  ByteLevel: () => none,
  BertProcessing: pair,
  RobertaProcessing: pair,
  TemplateProcessing: (field) => {
    const [before, after]: [number[], number[]] = [[], []];
    let isAfter = false;
    for (const item of field.get("single").items()) {
      if (isNone(item.get("SpecialToken")))
        isAfter = true; // the text itself
      else
        (isAfter ? after : before).push(
          ...idsOf(field, item.get("SpecialToken").get("id").string()),
        );
    }
    return [before, after];
  },
};

function idsOf(field: Field, name: string): number[] {
  return field.get("special_tokens").get(name).get("ids").items().map(readId);
}

/** The frame of a tokenizer.json's post_processor. */
export function frameIn(field: Field): Frame {
  return partIn(field, makers) ?? none;
}
