// What the bases of the real-data experiments read: stories, the conversations of the training split
// with their chosen answers, and film reviews with the sentences of the training split. No text of a
// test or validation pair is in them. Next: plan.ts for what is made of it.

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ArgumentError } from "../../core/index.ts";
import { comparisonsOf, parseLine, render, transcript } from "../../grm/data/index.ts";
import { linesOf } from "../../grm/data/onDisk.ts";
import { readText } from "../../nn/checkpoints/text.ts";
import { conversations } from "./plan.ts";

const separator = "\n<|endoftext|>\n";

/** Writes the corpora into a folder, unless they are there; returns their files by name. */
export async function writeCorpora(data: string, folder: string) {
  const files = { general: join(folder, "general.txt"), reviews: join(folder, "reviews.txt") };
  if (existsSync(files.reviews)) return files;
  mkdirSync(folder, { recursive: true });
  const talks: string[] = [];
  for (const file of conversations) talks.push(...(await chosenTexts(join(data, file))));
  const stories = ["a", "b"].map((part) => readText(join(data, `tinystories/part-${part}.txt.gz`)));
  writeFileSync(files.general, [...stories, ...talks].join(separator));
  const sentences = trainingSentences(join(data, "vader-icwsm2014/items.jsonl.gz"));
  const reviews = wholeReviews(join(data, "movie-reviews/movie_reviews.zip"));
  writeFileSync(files.reviews, [...reviews, ...sentences].join(separator));
  return files;
}

/** The conversations of a file's training split, each with the answer that was chosen. */
async function chosenTexts(file: string): Promise<string[]> {
  const texts: string[] = [];
  for await (const line of linesOf(file)) {
    const field = parseLine(file, line);
    if (field.get("split").value !== "train") continue;
    for (const { chosen } of comparisonsOf(field)) {
      const { prompt, answer } = render(chosen, transcript);
      texts.push(prompt + answer);
    }
  }
  return texts;
}

interface Item {
  readonly domain: string;
  readonly split: string;
  readonly text: string;
}

/** The rated film sentences of the training split, once each. */
function trainingSentences(file: string): string[] {
  const items = readText(file)
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Item);
  return items
    .filter(({ domain, split }) => domain === "movie" && split === "train")
    .map(({ text }) => text);
}

/** The reviews in an archive, their punctuation set as people set it. */
function wholeReviews(archive: string): string[] {
  try {
    const options = { encoding: "latin1", maxBuffer: 2 ** 27 } as const;
    const listing = execFileSync("unzip", ["-c", archive, "*.txt"], options);
    const texts = listing.split(/^ +inflating: .*$/m).slice(1);
    return texts.map((text) => text.replace(/ +([,.;:!?)])/g, "$1").trim());
  } catch (cause) {
    const needed = "is unpacked by the program unzip, which must be installed";
    throw new ArgumentError(`real: ${archive} ${needed}`, { cause });
  }
}
