// What the text view shows: a prompt and two answers that somebody typed, token by token under both models, with
// what attention looks at; and what each model would write. Typed words are looked up, never run.
// Next: views/text.tsx.

import { random } from "../core/index.ts";
import { inspect, type Sequence } from "../grm/index.ts";
import { worlds } from "../lab/index.ts";
import { generate } from "../nn/index.ts";
import type { LiveTraining } from "./liveTraining.ts";
import type { TypedText } from "./settings.ts";

const { spelled } = worlds;

/** A token under one model. */
export interface ReadToken {
  readonly text: string;
  /** The reward of the text up to here, and what this token adds to it; of the first token null. */
  readonly reward: number;
  readonly adds: number | null;
  /** -ln of the probability that the model gave to it, in nats; of the first token null. */
  readonly surprise: number | null;
}

/** An answer under one model. */
export interface ReadAnswer {
  readonly tokens: readonly ReadToken[];
  /** By block, head, token and token looked at: weights that sum to 1. */
  readonly attention: readonly (readonly (readonly (readonly number[])[])[])[];
}

/** Both answers under all models; or, in a sentence each, why they can't be read. */
export interface TextReading {
  readonly step: number;
  readonly text: TypedText;
  readonly problems: readonly string[];
  /** What both answers are worth by the world's formula. */
  readonly gold: readonly number[];
  /** For each model, plain first. */
  readonly models: readonly (readonly ReadAnswer[])[];
}

/** What a model has written so far. */
export interface Writing {
  readonly model: number;
  readonly text: string;
  readonly isDone: boolean;
}

/** Words as the models read them: small letters, full stops apart, spelled words in two pieces. */
function wordsOf(text: string): string[] {
  const apart = text
    .toLowerCase()
    .replaceAll(".", " . ")
    .replaceAll(/(\w)-(\w)/g, "$1 -$2");
  return apart.split(/\s+/).filter((word) => word !== "");
}

/** What may be typed: the vocabulary without its special tokens. */
const known: ReadonlySet<string> = new Set(
  Array.from({ length: spelled.tokenizer.vocabSize }, (_, id) =>
    spelled.tokenizer.decode([id]),
  ).filter((word) => !word.startsWith("<")),
);

const names = ["Answer A", "Answer B"] as const;
const quoted = (words: readonly string[]): string => words.map((word) => `“${word}”`).join(", ");

/** The title's two words, and both answers' words, with what is wrong with them. */
function parsed({ prompt, answers }: TypedText) {
  const title = wordsOf(prompt);
  const responses = answers.map(wordsOf);
  const problems: string[] = [];
  if (title.length !== 2)
    problems.push(
      `The prompt has ${title.length} words; it needs two, who and where: fox woods, for example.`,
    );
  [title, ...responses].forEach((words, i) => {
    const name = i === 0 ? "The prompt" : names[i - 1];
    const unknown = [...new Set(words.filter((word) => !known.has(word)))];
    if (unknown.length > 0)
      problems.push(`${name} has words that the models never saw: ${quoted(unknown)}.`);
    if (words.length === 0) problems.push(`${name} is empty.`);
    const length = 4 + words.length;
    if (i > 0 && length > spelled.longest)
      problems.push(
        `${name} has ${length} tokens with its title; the models read ${spelled.longest}.`,
      );
  });
  return { title: ["<bos>", ...title, ":"], responses, problems };
}

const examplesOfEach = 8;

/** Held-out pairs as somebody might have typed them: those like the training's, then those most unlike it. */
export function examplesOf({ data: { tests } }: LiveTraining): TypedText[] {
  const pairs = [...tests.id.slice(0, examplesOfEach), ...tests.all.slice(0, examplesOfEach)];
  return pairs.map(({ chosen, rejected }, i) => {
    const words = [chosen, rejected].map(({ ids }) =>
      spelled.tokenizer.decode(Array.from(ids)).split(" "),
    );
    const [better = "", worse = ""] = words.map((all) =>
      all.slice(4).join(" ").replaceAll(" -", "-").replaceAll(" .", "."),
    );
    const prompt = (words[0] ?? []).slice(1, 3).join(" ");
    return { prompt, answers: i % 2 === 0 ? [better, worse] : [worse, better] };
  });
}

/** Reads typed text with all models of a training as they are now. */
export async function read(training: LiveTraining, text: TypedText): Promise<TextReading> {
  const { step } = training;
  const { title, responses, problems } = parsed(text);
  if (problems.length > 0) return { step, text, problems, gold: [], models: [] };
  const gold = responses.map((response) => spelled.gold({ title, response }));
  const models: ReadAnswer[][] = [];
  for (const { model } of await training.seen()) {
    const answers: ReadAnswer[] = [];
    for (const response of responses) {
      const words = [...title, ...response];
      const ids = spelled.tokenizer.encode(words.join(" "));
      const labels = ids.map((id, t) => (t < title.length ? -100 : id));
      answers.push(await readAnswer(model, words, { ids, labels }));
    }
    models.push(answers);
  }
  return { step, text, problems, gold, models };
}

async function readAnswer(
  model: LiveTraining["models"][number]["model"],
  words: readonly string[],
  sequence: Sequence,
): Promise<ReadAnswer> {
  const { prefix, steps, surprise } = await inspect.tokenView(model, sequence);
  const tokens = words.map((text, t) => ({
    text,
    reward: prefix[t] ?? Number.NaN,
    adds: steps[t] ?? null,
    surprise: surprise[t] ?? null,
  }));
  const heads = await inspect.attentionPatterns(model, sequence);
  const blocks = [...new Set(heads.map(({ layer }) => layer))];
  const T = words.length;
  const attention = blocks.map((block) =>
    heads
      .filter(({ layer }) => layer === block)
      .map(({ pattern: { data } }) =>
        words.map((_, t) => Array.from(data.subarray(t * T, (t + 1) * T))),
      ),
  );
  return { tokens, attention };
}

const mostWritten = 40; // tokens

/** Lets each model write after a prompt, and tells of every token. */
export async function write(
  training: LiveTraining,
  { prompt }: Pick<TypedText, "prompt">,
  luck: number,
  tell: (writing: Writing) => void,
): Promise<void> {
  const { title, problems } = parsed({ prompt, answers: [".", "."] });
  const { tokenizer } = spelled;
  const end = tokenizer.special.eos ?? -1;
  const show = (tokens: readonly number[]): string =>
    tokenizer.decode(tokens, { skipSpecial: true }).replaceAll(" -", "-").replaceAll(" .", ".");
  for (const [m, { model }] of (await training.seen()).entries()) {
    if (problems.length > 0) {
      tell({ model: m, text: problems.join(" "), isDone: true });
      continue;
    }
    const stop = (tokens: readonly number[]): boolean => {
      tell({ model: m, text: show(tokens), isDone: false });
      return tokens.at(-1) === end;
    };
    const rng = random(`explorer writes ${luck}`);
    const prompts = [[...tokenizer.encode(title.join(" "))]];
    const [written] = generate(model.lm, prompts, { maxTokens: mostWritten, stop, rng });
    tell({ model: m, text: show(written?.tokens ?? []), isDone: true });
  }
}
