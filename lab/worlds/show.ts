// Stories as a person reads them: spelled words put together, with a sign behind those that carry a
// mood. Next: ../../cli/commands/world.ts.

import type { Story, World } from "./world.ts";

/** Title, true reward and sentences, for people. */
export function storyText(world: World, story: Story): string {
  const [, C, P] = story.title;
  const gold = world.gold(story).toFixed(1);
  return `${C} at the ${P}, worth ${gold}\n  ${markedText(world, story.response)}`;
}

/** Words with spelled ones put together, and a sign behind those that carry a mood. */
export function markedText({ polarity }: World, words: readonly string[]): string {
  const whole = words.join(" ").replaceAll(" -", "-").split(" ");
  const signs = { "1": "(+)", "0": "", "-1": "(-)" } as const;
  return whole.map((word) => word + signs[`${polarity(word)}`]).join(" ");
}
