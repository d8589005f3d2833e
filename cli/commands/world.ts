// twoheads world: reads to a person out of a demo world. Documents as a base model reads them, with the
// true reward beside them, or preference pairs of a split.
// Next: ../../lab/worlds/world.ts.

import { type Command, InvalidArgumentError } from "commander";
import { ArgumentError, type Random, random } from "../../core/index.ts";
import {
  markedText,
  type SplitName,
  type Story,
  type StoryComparison,
  spelled,
  spelledPairs,
  splits,
  storyText,
  type World,
  worldNamed,
  worlds,
} from "../../lab/worlds/index.ts";

interface Given {
  readonly samples: number;
  readonly pairs?: string;
  readonly jsonl?: boolean;
  readonly seed: number;
}

const examples = `
Examples:
  $ twoheads world spelled --samples 5            what a base model reads
  $ twoheads world spelled --pairs 200 --jsonl > pairs.jsonl
  $ twoheads train --base spelled-1 --data pairs.jsonl --template plain
  $ twoheads world spelled --pairs all            what a reward model is tested on
`;

/** Adds the command. */
export function addWorld(program: Command): void {
  const names = Object.keys(worlds).join(" or ");
  program
    .command("world")
    .description("print stories of a demo world, with what they are truly worth")
    .argument("<name>", `name of the demo world: ${names}`)
    .option("--samples <number>", "number of stories or pairs to print", count, 3)
    .option(
      "--pairs <split>",
      `print pairs of "spelled" in place of stories: so many of the training distribution, or a split: ${Object.keys(splits).join(", ")}`,
    )
    .option("--jsonl", "print pairs as lines of JSON, which twoheads train reads, and nothing else")
    .option(
      "--seed <number>",
      "seed of what is drawn; the same seed gives the same texts",
      count,
      0,
    )
    .addHelpText("after", examples)
    .action((name: string, given: Given) => console.log(describe(worldNamed(name), given)));
}

function count(text: string): number {
  if (/^\d+$/.test(text)) return Number(text);
  throw new InvalidArgumentError("Not a whole number.");
}

function describe(world: World, { samples, pairs, seed, jsonl }: Given): string {
  const rng = random(seed);
  if (jsonl) {
    if (pairs === undefined)
      throw new ArgumentError("world: --jsonl writes pairs; say how many, --pairs 200");
    return drawnPairs(world, pairs, samples, rng).map(asLine).join("\n");
  }
  const head = `"${world.name}": ${world.purpose}. ${world.tokenizer.vocabSize} tokens. (+) is pleasant, (-) unpleasant.`;
  if (pairs !== undefined) return [head, ...pairTexts(world, pairs, samples, rng)].join("\n\n");
  const documents = Array.from({ length: samples }, () => {
    const words = world.document(rng);
    const end = words.indexOf("<end>");
    const story = { title: words.slice(0, 4), response: words.slice(4, end) };
    const rest = markedText(world, words.slice(end + 1));
    return `${storyText(world, story)}${rest === "" ? "" : `\n  ${rest}`}`;
  });
  return [head, ...documents].join("\n\n");
}

function pairTexts(world: World, asked: string, samples: number, rng: Random) {
  return drawnPairs(world, asked, samples, rng).map(
    ({ chosen, rejected }) =>
      `better: ${storyText(world, chosen)}\nworse:  ${storyText(world, rejected)}`,
  );
}

/** So many pairs as asked for, or `samples` of the split that is asked for. */
function drawnPairs(world: World, asked: string, samples: number, rng: Random): StoryComparison[] {
  const isCount = /^[1-9]\d*$/.test(asked);
  if (world !== spelled || !(isCount || Object.hasOwn(splits, asked))) {
    throw new ArgumentError(
      `world: pairs are there of "spelled", a number of them or from ${Object.keys(splits).join(", ")}; ` +
        `not of "${world.name}" from "${asked}"`,
    );
  }
  const [split, count] = isCount
    ? (["id", Number(asked)] as const)
    : ([asked as SplitName, samples] as const);
  return spelledPairs(split, count, { labels: "true" }, rng);
}

/** A pair as text goes on with text: the answers begin with the space after the title. */
function asLine({ chosen, rejected, difference }: StoryComparison): string {
  const answer = ({ response }: Story): string => ` ${response.join(" ")}`;
  const prompt = chosen.title.filter((word) => word !== "<bos>").join(" "); // every document begins with it
  const margin = Number(Math.abs(difference).toFixed(6));
  return JSON.stringify({ prompt, chosen: answer(chosen), rejected: answer(rejected), margin });
}
