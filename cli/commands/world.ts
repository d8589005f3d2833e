// twoheads world: reads to a person out of a demo world. Documents as a base model reads them, with the
// true reward beside them, or preference pairs of a split.
// Next: ../../lab/worlds/world.ts.

import { type Command, InvalidArgumentError } from "commander";
import { ArgumentError, type Random, random } from "../../core/index.ts";
import {
  markedText,
  type SplitName,
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
  readonly seed: number;
}

const examples = `
Examples:
  $ twoheads world spelled --samples 5            what a base model reads
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
      `print pairs of this split of "spelled" in place of stories: ${Object.keys(splits).join(", ")}`,
    )
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

function describe(world: World, { samples, pairs, seed }: Given): string {
  const rng = random(seed);
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

function pairTexts(world: World, split: string, samples: number, rng: Random) {
  if (world !== spelled || !Object.hasOwn(splits, split)) {
    throw new ArgumentError(
      `world: pairs are there of "spelled", from ${Object.keys(splits).join(", ")}; ` +
        `not of "${world.name}" from "${split}"`,
    );
  }
  const pairs = spelledPairs(split as SplitName, samples, { labels: "true" }, rng);
  return pairs.map(
    ({ chosen, rejected }) =>
      `better: ${storyText(world, chosen)}\nworse:  ${storyText(world, rejected)}`,
  );
}
