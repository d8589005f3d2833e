// Preference data: files of what people preferred, read into pairs of token sequences with a report on
// what became of each line. Next: readPairs.ts.

export { type FileKind, fileKinds } from "./fileKinds.ts";
export { type Comparison, comparisonsOf, responseOf } from "./formats.ts";
export { holdOut, type Overlap, overlapOf, type Split } from "./holdOut.ts";
export type { Keys } from "./layouts/columns.ts";
export { layouts, type PairLayout } from "./layouts/table.ts";
export { type Line, parseLine } from "./lines.ts";
export { pairsFromFiles, type ReadPairs, type ReadPairsOptions } from "./readPairs.ts";
export { type ReadResponsesOptions, type Response, responsesFromFiles } from "./readResponses.ts";
export { type FileCount, PairReport, type Place, type Reason, reasons } from "./report.ts";
export {
  type Cut,
  cutToLength,
  encodeJudged,
  judgedSequence,
  openConversation,
  type Reading,
  type SequenceRead,
  sequenceOf,
  type Tokens,
  type Truncation,
  truncations,
} from "./sequences.ts";
export {
  type ChatTemplate,
  chatTemplate,
  chatTemplateSchema,
  type JinjaTemplate,
  type Judged,
  jinjaOf,
  type Message,
  type Prompt,
  plain,
  render,
  type TurnTemplate,
  templates,
  transcript,
} from "./template.ts";
