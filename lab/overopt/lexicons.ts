// A scripted gold reward on real text: how pleasant the words of an answer are, by a list that people
// made. A second list checks whether a proxy has learnt what the first one is about, or the list itself.
// Next: tasks.ts.

import { accept, signatures } from "../../core/signature.ts";
import type { Judge } from "../../grm/policies/judges.ts";
import { type Folder, readAll } from "../../nn/checkpoints/byteSource.ts";
import { parseJson } from "../../nn/checkpoints/json.ts";
import { FileError, type Files, filesAsFolder, type Tokenizer } from "../../nn/index.ts";

const takes = signatures({
  lexiconFromFiles: 'files: object, name: "afinn" | "vader" | "opinion"',
  sentiment: "text: string, lexicon: object",
  lexiconJudge:
    "name: string, lexicon: object, tokenizer: { encode: function, decode: function, ... }",
});

/** A word's worth, in whatever unit the list has. */
export type Lexicon = ReadonlyMap<string, number>;

/** The names of all lists of words with their sentiment. */
export const lexiconNames = ["afinn", "vader", "opinion"] as const;

/** The name of a list of words with their sentiment. */
export type LexiconName = (typeof lexiconNames)[number];

/** A list from files in memory, by their names in sentiment-lexicons/ of the shared data. */
export function lexiconFromFiles(files: Files, name: LexiconName): Lexicon {
  accept(takes.lexiconFromFiles, arguments);
  return lexiconIn(filesAsFolder(files), name);
}

/** A list from a folder laid out as sentiment-lexicons/ of the shared data. */
export function lexiconIn(folder: Folder, name: LexiconName): Lexicon {
  const text = (file: string): NamedText => {
    const source = folder.open(file);
    return { path: source.name, text: new TextDecoder().decode(readAll(source)) };
  };
  switch (name) {
    case "afinn":
      return parseAfinn(text("afinn-165.json"));
    case "vader":
      return parseVader(text("vader_lexicon.txt"));
    default: {
      const words = (file: string, worth: number): [string, number][] =>
        text(`opinion-lexicon/${file}`)
          .text.split(/\r?\n/)
          .filter((line) => line !== "" && !line.startsWith(";"))
          .map((word) => [word, worth]);
      return new Map([...words("positive-words.txt", 1), ...words("negative-words.txt", -1)]);
    }
  }
}

interface NamedText {
  readonly path: string;
  readonly text: string;
}

function parseAfinn({ path, text }: NamedText): Lexicon {
  const json = parseJson(path, text);
  const entries = Object.entries(json.value as Record<string, unknown>);
  return new Map(
    entries.map(([word, worth]) =>
      typeof worth === "number" ? [word, worth] : json.fail(`"${word}" has no number`),
    ),
  );
}

/** Lines of token, mean, deviation and ratings, with tabs between. */
function parseVader({ path, text }: NamedText): Lexicon {
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  return new Map(
    lines.map((line, i) => {
      const [word = "", worth = ""] = line.split("\t");
      if (worth !== "" && Number.isFinite(Number(worth))) return [word, Number(worth)];
      throw new FileError(path, `line ${i + 1}`, "has no number after its word");
    }),
  );
}

/** Σ worth / √max(8, words): the sum, so that one word in a long text counts less than in a short one. */
export function sentiment(text: string, lexicon: Lexicon): number {
  accept(takes.sentiment, arguments);
  const words = text.toLowerCase().match(/[a-z][a-z'-]*/g) ?? [];
  const sum = words.reduce((total, word) => total + (lexicon.get(word) ?? 0), 0);
  return sum / Math.sqrt(Math.max(8, words.length));
}

/** The sentiment of an answer, its prompt left out. */
export function lexiconJudge(name: string, lexicon: Lexicon, tokenizer: Tokenizer): Judge {
  accept(takes.lexiconJudge, arguments);
  return {
    name,
    async score(answers) {
      return Float64Array.from(answers, ({ response }) =>
        sentiment(tokenizer.decode(response, { skipSpecial: true }), lexicon),
      );
    },
  };
}
