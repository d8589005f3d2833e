// twoheads world: reads to a person out of a demo world. Documents as a base model reads them, with the
// true reward beside them, or preference pairs of a split.
// Next: ../../lab/worlds/world.ts.

import { type Command, InvalidArgumentError } from "commander";
import { ArgumentError, type Random, random } from "../../core/index.ts";
import {
  comparisons,
  markedText,
  type PreferenceWorld,
  type Story,
  type StoryComparison,
  storyText,
  type World,
  worldNamed,
  worlds,
} from "../../lab/worlds/index.ts";
import { type JsonFlag, jsonOption, printFound } from "./json.ts";

interface Given extends JsonFlag {
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
  $ twoheads world deeds --pairs form             who did what to whom, said in other ways
`;

/** Adds the command. */
export function addWorld(program: Command): void {
  const names = Object.keys(worlds).join(", ");
  program
    .command("world")
    .description("print stories of a demo world, with what they are truly worth")
    .argument("<name>", `name of the demo world: ${names}`)
    .option("--samples <number>", "number of stories or pairs to print", count, 3)
    .option(
      "--pairs <split>",
      `print pairs in place of stories: so many of the training distribution, or a split: ${splitsText}`,
    )
    .option("--jsonl", "print pairs as lines of JSON, which twoheads train reads, and nothing else")
    .option(
      "--seed <number>",
      "seed of what is drawn; the same seed gives the same texts",
      count,
      0,
    )
    .addOption(jsonOption().conflicts("jsonl"))
    .addHelpText("after", examples)
    .action((name: string, given: Given) => showWorld(worldNamed(name), given));
}

/** The worlds that have preference pairs. */
const compared = Object.values(worlds).filter(isCompared);

const splitsText = compared
  .map(({ name, splits }) => `${splits.join(", ")} ("${name}")`)
  .join("; ");

function isCompared(world: World): world is PreferenceWorld {
  return "splits" in world;
}

function count(text: string): number {
  if (/^\d+$/.test(text)) return Number(text);
  throw new InvalidArgumentError("Not a whole number.");
}

function showWorld(world: World, given: Given): void {
  const { samples, pairs: asked, seed, jsonl } = given;
  const rng = random(seed);
  if (asked !== undefined) {
    const pairs = drawnPairs(world, asked, samples, rng);
    if (jsonl) console.log(pairs.map(asLine).join("\n"));
    else printPairs(world, pairs, given);
  } else if (jsonl) {
    throw new ArgumentError("world: --jsonl writes pairs; say how many, --pairs 200");
  } else printStories(world, samples, rng, given);
}

function printStories(world: World, count: number, rng: Random, flags: JsonFlag): void {
  const drawn = Array.from({ length: count }, () => drawnStory(world, rng));
  const texts = drawn.map(({ story, rest }) => {
    const after = markedText(world, rest);
    return `${storyText(world, story)}${after === "" ? "" : `\n  ${after}`}`;
  });
  const stories = drawn.map(({ story, rest }) => ({ ...valued(world, story), rest }));
  printFound(flags, { ...factsOf(world), stories }, [headOf(world), ...texts].join("\n\n"));
}

function printPairs(world: World, drawn: readonly StoryComparison[], flags: JsonFlag): void {
  const texts = drawn.map(
    ({ chosen, rejected }) =>
      `better: ${storyText(world, chosen)}\nworse:  ${storyText(world, rejected)}`,
  );
  const pairs = drawn.map(({ chosen, rejected }) => ({
    chosen: valued(world, chosen),
    rejected: valued(world, rejected),
  }));
  printFound(flags, { ...factsOf(world), pairs }, [headOf(world), ...texts].join("\n\n"));
}

function factsOf({ name, purpose, tokenizer }: World) {
  return { world: name, purpose, vocabulary: tokenizer.vocabSize };
}

function headOf({ name, purpose, tokenizer }: World): string {
  return `"${name}": ${purpose}. ${tokenizer.vocabSize} tokens. (+) is pleasant, (-) unpleasant.`;
}

/** A story of a document, and the words after its end. */
function drawnStory(world: World, rng: Random): { story: Story; rest: readonly string[] } {
  const words = world.document(rng);
  const end = words.indexOf("<end>");
  return {
    story: { title: words.slice(0, 4), response: words.slice(4, end) },
    rest: words.slice(end + 1),
  };
}

/** A story with its true reward. */
function valued(world: World, story: Story): Story & { readonly gold: number } {
  return { ...story, gold: world.gold(story) };
}

/** So many pairs as asked for, or `samples` of the split that is asked for. */
function drawnPairs(world: World, asked: string, samples: number, rng: Random): StoryComparison[] {
  const isCount = /^[1-9]\d*$/.test(asked);
  if (!(isCompared(world) && (isCount || world.splits.includes(asked)))) {
    throw new ArgumentError(
      `world: pairs are there in a number of your own, or from ${splitsText}; not of "${world.name}" from "${asked}"`,
    );
  }
  const [split, count] = isCount ? ["id", Number(asked)] : [asked, samples];
  return comparisons(world, split, count, { labels: "true" }, rng);
}

/** A pair as text goes on with text: the answers begin with the space after the title. */
function asLine({ chosen, rejected, difference }: StoryComparison): string {
  const answer = ({ response }: Story): string => ` ${response.join(" ")}`;
  const prompt = chosen.title.filter((word) => word !== "<bos>").join(" "); // every document begins with it
  const margin = Number(Math.abs(difference).toFixed(6));
  return JSON.stringify({ prompt, chosen: answer(chosen), rejected: answer(rejected), margin });
}
