// What is optimised, and by which measure: prompts to write for, how long, where an answer ends, and the
// gold reward. The demo worlds; stories.ts has stories260K on the first sentences of TinyStories.
// Next: ../../grm/policies/preferences.ts, which makes a proxy's training data from a task.

import { ArgumentError } from "../../core/index.ts";
import { accept, signatures } from "../../core/signature.ts";
import type { Judge } from "../../grm/policies/judges.ts";
import type { Task } from "../../grm/policies/task.ts";
import { setB, titleFor, type World } from "../worlds/index.ts";

const takes = signatures({
  worldGold: "world: { document: function, gold: function, ... }",
  worldTask: "world: { document: function, gold: function, ... }",
});

/** A demo world's formula: the truth, by definition. */
export function worldGold(world: World): Judge {
  accept(takes.worldGold, arguments);
  const { tokenizer, gold } = world;
  const words = (ids: readonly number[]): string[] => ids.map((id) => tokenizer.tokenOf(id));
  return {
    name: "gold",
    async score(answers) {
      return Float64Array.from(answers, ({ prompt, response }) =>
        gold({ title: words(prompt), response: words(response) }),
      );
    },
  };
}

/** Stories for titles of a demo world. */
export function worldTask(world: World): Task {
  accept(takes.worldTask, arguments);
  const { tokenizer, name } = world;
  const { eos } = tokenizer.special;
  if (eos === undefined) throw new ArgumentError(`worldTask: "${name}" has no end token`);
  const idOf = (word: string): number[] => {
    const id = tokenizer.idOf(word);
    return id === undefined ? [] : [id];
  };
  return {
    name,
    tokenizer,
    prompts: (count, rng) =>
      Array.from({ length: count }, () => [...tokenizer.encode(titleFor(rng).join(" "))]),
    maxTokens: 32,
    stop: [eos],
    gold: worldGold(world),
    controls: [],
    unseen: name === "tales" ? [...setB].flatMap(idOf) : [],
  };
}
