// Stories as a person reads them: spelled words put together, with a sign behind those that carry a
// mood. Next: ../../cli/commands/world.ts.

import { accept, signatures } from "../../core/signature.ts";
import type { Story, World } from "./world.ts";

const takes = signatures({
  storyText:
    "world: { document: function, gold: function, ... }, story: { title: any[], response: any[], ... }",
  markedText: "world: { document: function, gold: function, ... }, words: any[]",
});

/** Title, true reward and sentences, for people. */
export function storyText(world: World, story: Story): string {
  accept(takes.storyText, arguments);
  const [, C, P] = story.title;
  const gold = world.gold(story).toFixed(1);
  return `${C} at the ${P}, worth ${gold}\n  ${markedText(world, story.response)}`;
}

/** Words with spelled ones put together, and a sign behind those that carry a mood. */
export function markedText(world: World, words: readonly string[]): string {
  accept(takes.markedText, arguments);
  const { polarity } = world;
  const whole = words.join(" ").replaceAll(" -", "-").split(" ");
  const signs = { "1": "(+)", "0": "", "-1": "(-)" } as const;
  return whole.map((word) => word + signs[`${polarity(word)}`]).join(" ");
}
