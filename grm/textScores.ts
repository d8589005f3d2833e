// What `twoheads score` means by a reward, for whoever has texts: the answer stands in its context as the model's
// template writes it, with the end token, cut as the model was trained. Best-of-n, policies that are trained against
// a reward model, and the server all score by this. Next: data/sequences.ts for the tokens, scores.ts for the numbers.

import { ArgumentError } from "../core/index.ts";
import { accept, signatures } from "../core/signature.ts";
import type { Tokenizer } from "../nn/index.ts";
import { judgedSequence, type SequenceRead } from "./data/sequences.ts";
import { isJinja, type Judged } from "./data/template.ts";
import type { Answer, Judge } from "./policies/judges.ts";
import type { RewardModelFolder } from "./rewardModelFiles.ts";
import { scoreSequences } from "./scores.ts";

const takes = signatures({
  scoreJudged: "folder: { model: object, tokenizer: object, reading: object, ... }, judged: any[]",
  textJudge:
    "name: string, folder: { model: object, tokenizer: object, reading: object, ... }, writer: object",
});

/** An answer's reward, null where there is a problem; and how it was read. */
export interface TextScore extends SequenceRead {
  readonly reward: number | null;
}

/** Rewards of answers in their contexts, in their order: what `twoheads score` gives them. */
export async function scoreJudged(
  folder: RewardModelFolder,
  judged: readonly Judged[],
): Promise<TextScore[]> {
  accept(takes.scoreJudged, arguments);
  const { model, tokenizer, reading } = folder;
  const read = judged.map((one) => judgedSequence(one, { ...reading, tokenizer }));
  const sequences = read.flatMap(({ sequence }) => sequence ?? []);
  const { rewards } = await scoreSequences(model, sequences);
  let at = 0;
  return read.map((one) => ({
    ...one,
    reward: one.sequence === null ? null : (rewards[at++] ?? null),
  }));
}

/**
 * A reward model as the judge of what others write, with whatever tokens: `writer` is the writer's tokenizer. The texts
 * are scored, so the model may have another tokenizer. An answer that can't be read is an ArgumentError.
 */
export function textJudge(name: string, folder: RewardModelFolder, writer: Tokenizer): Judge {
  accept(takes.textJudge, arguments);
  return {
    name,
    async score(answers) {
      const scores = await scoreJudged(
        folder,
        answers.map((answer) => judgedOf(answer, folder, writer)),
      );
      return Float64Array.from(scores, ({ reward, problem }, i) => {
        if (reward !== null) return reward;
        throw new ArgumentError(`${name}: answer ${i + 1} ${problem ?? "has no reward"}`);
      });
    },
  };
}

/** An answer of tokens as `score` is given it: two texts, the second going on with the first where the template is plain. */
function judgedOf(
  { prompt, response }: Answer,
  { reading }: RewardModelFolder,
  writer: Tokenizer,
): Judged {
  const text = (ids: readonly number[]): string => writer.decode([...ids], { skipSpecial: true });
  const [before, whole] = [text(prompt), text([...prompt, ...response])];
  const goesOn = whole.startsWith(before) ? whole.slice(before.length) : text(response);
  const { template } = reading;
  const isPlain =
    !isJinja(template) && template.user === "{content}" && template.assistant === "{content}";
  const [content, answer] = isPlain ? [before, goesOn] : [before.trim(), goesOn.trim()];
  return { prompt: [{ role: "user", content }], answer };
}
