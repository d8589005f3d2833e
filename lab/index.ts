// The lab: experiments around the subject. Worlds with a known gold reward, what can be read of it in hidden
// states, and what is optimised in comparisons; plans and results of the experiments stand in demo/, real/,
// overopt/ and frontier.ts. May import grm, nn and core, never report or cli.
// Read worlds/world.ts, worlds/spelled.ts, demo/plan.ts, demo/job.ts in this order.

import * as worldsRoom from "./worlds/index.ts";

export * from "./goldFeatures.ts";
export {
  type Lexicon,
  type LexiconName,
  lexiconFromFiles,
  lexiconJudge,
  lexiconNames,
  sentiment,
} from "./overopt/lexicons.ts";
export * from "./overopt/tasks.ts";
export {
  /** Miniature languages with a known gold reward: texts, stories, preferences and their language models. */
  worldsRoom as worlds,
};
