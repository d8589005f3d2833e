// What is optimised, and by which measure: prompts to write for, how long, where an answer ends, and the
// gold reward. The demo worlds, and stories260K on the first sentences of TinyStories.
// Next: ../../grm/policies/preferences.ts, which makes a proxy's training data from a task.

import { gunzipSync } from "node:zlib";
import { ArgumentError, random } from "../../core/index.ts";
import type { Judge } from "../../grm/policies/judges.ts";
import type { Task } from "../../grm/policies/task.ts";
import { joinPath, readFile } from "../../nn/checkpoints/files.ts";
import { CausalLM, configFromHF, Llama2cTokenizer, readLlama2c } from "../../nn/index.ts";
import { setB, titleFor, type World } from "../worlds/index.ts";
import { lexiconJudge, readLexicon } from "./lexicons.ts";

/** A demo world's formula: the truth, by definition. */
export function worldGold({ tokenizer, gold }: World): Judge {
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

export interface StoriesTask extends Task {
  /** The policy to start from: a fresh copy at every call. */
  model(): CausalLM;
}

const shortest = 20; // characters of a prompt
const longest = 48; // tokens of a prompt

/** TinyStories' first sentences for stories260K, gold AFINN; `data` is the folder of shared data. */
export function storiesTask(data: string): StoriesTask {
  const at = (path: string): string => joinPath(data, path);
  const tokenizer = Llama2cTokenizer.fromBytes(readFile(at("stories260k/tok512.bin")));
  const { bos = 1, eos = 2 } = tokenizer.special;
  const text = gunzipSync(readFile(at("tinystories/part-b.txt.gz"))).toString("utf8");
  const sentences = text.split("<|endoftext|>").flatMap((story) => {
    const [first = ""] = story.trim().match(/^[^.!?]*[.!?]/) ?? [];
    return first.length >= shortest ? [first] : [];
  });
  const prompts = sentences
    .map((sentence) => [...tokenizer.encode(sentence, { bos: true })])
    .filter(({ length }) => length <= longest);
  const lexicon = (name: "afinn" | "vader" | "opinion"): Judge =>
    lexiconJudge(name, readLexicon(at("sentiment-lexicons"), name), tokenizer);
  return {
    name: "stories",
    tokenizer,
    prompts: (count, rng) =>
      Array.from({ length: count }, () => prompts[rng.integer(0, prompts.length)] ?? []),
    maxTokens: 64,
    stop: [bos, eos], // llama2.c's begin token stands between stories too
    gold: lexicon("afinn"),
    controls: [lexicon("vader"), lexicon("opinion")],
    unseen: [],
    model() {
      const { config, tensors } = readLlama2c(at("stories260k/stories260K.bin"));
      const lm = new CausalLM(configFromHF(config), { rng: random(0) });
      lm.loadStateDict(tensors);
      return lm.eval();
    },
  };
}
