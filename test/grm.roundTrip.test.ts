// There and back: conversations written by a model's own chat template, trained on for a few steps and exported, are
// read again from the exported folder by the libraries themselves (@huggingface/jinja on its chat_template, its
// tokenizer.json): the ids that transformers gives (golden/chats.json) and the rewards of training. The judge of best-of-n
// and of policies reads them so, too. Next: ../interop/compareTrl.py, which holds the same against TRL.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Template } from "@huggingface/jinja";
import { noGrad, random, tensor } from "../core/index.ts";
import { renderJinja } from "../grm/data/jinja.ts";
import {
  type Message,
  pairsFromFiles,
  RewardModel,
  type RewardModelFolder,
  textJudge,
  train,
} from "../grm/index.ts";
import { exportRewardModel, loadRewardModel } from "../grm/node.ts";
import { CausalLM, tokenizerFromFiles } from "../nn/index.ts";
import { loadTokenizer } from "../nn/node.ts";
import "../kernels/index.ts";
import { temporaryFolder } from "./folders.ts";

interface Case {
  readonly messages: Message[];
  readonly answer: string;
  readonly ids?: number[];
}

const golden = JSON.parse(readFileSync(new URL("golden/chats.json", import.meta.url), "utf8")) as {
  tokenizer: object;
  templates: { name: string; template: string; cases: Case[] }[];
};
const folder = temporaryFolder("round trip");
const bytes = (json: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(json));
const special = { bos_token: "<s>", eos_token: "</s>", pad_token: "[/ASK]" };
const tokenizer = tokenizerFromFiles(
  new Map([
    ["tokenizer.json", bytes(golden.tokenizer)],
    ["tokenizer_config.json", bytes(special)],
  ]),
);

/** What a template writes, by the library alone; where that strips otherwise than Python, by ours around it. */
function rendered(template: string, context: Record<string, unknown>): string {
  if (template.includes("strip('")) return renderJinja(template, context);
  return new Template(template).render(context);
}

/** The reward of ids. */
const rewardOf = ({ model }: RewardModelFolder, ids: readonly number[]): number =>
  Number(noGrad(() => model.forward(tensor([[...ids]], { dtype: "int32" }))).rewards.data[0]);

for (const { name, template: jinja, cases } of golden.templates) {
  test(`${name}: written, trained, exported, and read back`, async () => {
    // an answer that was begun is continued in place: its turns are others than a template's
    const whole = cases.filter(({ messages, ids }) => ids && messages.at(-1)?.role === "user");
    const lines = whole.map(({ messages, answer }) =>
      JSON.stringify({ prompt: messages, chosen: answer, rejected: `${answer} No.` }),
    );
    const template = { jinja };
    const options = { tokenizer, maxLength: 256, template } as const;
    const { pairs } = await pairsFromFiles(
      new Map([["a.jsonl", new TextEncoder().encode(lines.join("\n"))]]),
      options,
    );
    assert.deepEqual(
      pairs.map(({ chosen }) => [...chosen.ids]),
      whole.map(({ ids }) => ids),
    );

    const size = { vocabSize: tokenizer.vocabSize, dim: 16, layers: 1, heads: 2, context: 256 };
    const lm = new CausalLM(size, { rng: random(1) });
    const model = new RewardModel(lm, { head: { type: "linear", dropout: 0 }, rng: random(2) });
    const before = pairs.map(({ chosen }) =>
      rewardOf({ model } as RewardModelFolder, [...chosen.ids]),
    );
    await train(model, pairs, { method: "grm-sft", steps: 3, batchSize: pairs.length, lr: 1e-2 });
    const parts = {
      model: model.eval(),
      tokenizer,
      reading: { maxLength: 256, truncation: "prompt", template },
    } as const;
    const at = join(folder, name);
    await exportRewardModel(at, parts);

    const config = JSON.parse(readFileSync(join(at, "tokenizer_config.json"), "utf8"));
    const [back, read] = [loadRewardModel(at), loadTokenizer(at)];
    for (const [i, { messages, answer, ids = [] }] of whole.entries()) {
      const said = [...messages, { role: "assistant", content: answer }];
      const text = rendered(config.chat_template, { messages: said, ...special });
      assert.deepEqual([...read.encode(text)], ids);
      const [there, here] = [
        rewardOf(back, ids),
        rewardOf(parts, [...(pairs[i]?.chosen.ids ?? [])]),
      ];
      assert.equal(there, here);
      assert.ok(Math.abs(there - Number(before[i])) > 1e-3, "it was trained");
    }

    // bon and ppo hand the judge what was written, in tokens of whoever wrote it
    const alone = whole.find(({ messages }) => messages.length === 1) as Case;
    const [asked, answered] = [alone.messages[0]?.content ?? "", alone.answer];
    const tokens = (words: string): number[] => [
      ...read.encode(words.trim(), { parseSpecial: false }),
    ];
    const answers = [{ prompt: tokens(asked), response: tokens(answered) }];
    const [reward] = await textJudge("judge", back, read).score(answers);
    assert.ok(Math.abs(Number(reward) - rewardOf(parts, alone.ids ?? [])) < 1e-5);
  });
}
