// stories260K on the first sentences of TinyStories, with lists of pleasant words as the measure: a task on
// real text, from the shared data on disk. Next: tasks.ts for the demo worlds.

import { gunzipSync } from "node:zlib";
import { random } from "../../core/index.ts";
import { accept, signatures } from "../../core/signature.ts";
import type { Judge } from "../../grm/policies/judges.ts";
import type { Task } from "../../grm/policies/task.ts";
import { folderOnDisk, joinPath, readFile } from "../../nn/checkpoints/files.ts";
import { CausalLM, configFromHF, Llama2cTokenizer } from "../../nn/index.ts";
import { readLlama2c } from "../../nn/node.ts";
import { type Lexicon, type LexiconName, lexiconIn, lexiconJudge } from "./lexicons.ts";

const takes = signatures({
  readLexicon: 'folder: string, name: "afinn" | "vader" | "opinion"',
  storiesTask: "data: string",
});

/** Reads a list from a folder laid out as sentiment-lexicons/ of the shared data. */
export function readLexicon(folder: string, name: LexiconName): Lexicon {
  accept(takes.readLexicon, arguments);
  return lexiconIn(folderOnDisk(folder), name);
}

/** The task of stories260K: continue a story, judged by a list of words. */
export interface StoriesTask extends Task {
  /** The policy to start from: a fresh copy at every call. */
  model(): CausalLM;
}

const shortest = 20; // characters of a prompt
const longest = 48; // tokens of a prompt

/** The files and folders that storiesTask reads, the language model last. */
export function storiesFiles(data: string): readonly string[] {
  const names = [
    "stories260k/tok512.bin",
    "tinystories/part-b.txt.gz",
    "sentiment-lexicons",
    "stories260k/stories260K.bin",
  ];
  return names.map((name) => joinPath(data, name));
}

/** TinyStories' first sentences for stories260K, gold AFINN; `data` is the folder of shared data. */
export function storiesTask(data: string): StoriesTask {
  accept(takes.storiesTask, arguments);
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
