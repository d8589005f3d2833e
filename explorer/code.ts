// "Copy as code": a training of the explorer as a program for Node, with the library's public functions alone.
// It prints both models' losses to the last digit, and they are the page's: a test runs both.
// Next: liveTraining.ts, whose words these are.

import { trainOptions } from "./liveTraining.ts";
import type { ExplorerSettings } from "./settings.ts";

const imports = [
  'import { RewardModel, random, scorePairs, statistics, train, worlds } from "twoheads";',
  'import { loadCausalLM, spelledBase } from "twoheads/node";',
].join("\n");

/** The program that trains what the page trains with these settings. */
export function codeOf(settings: ExplorerSettings): string {
  const { method, seed, pairs, head, base } = settings;
  const { method: _, ...options } = trainOptions(settings, method);
  const headOptions = head === "linear" ? '{ type: "linear", dropout: 0 }' : '{ type: "mlp" }';
  return `// What the explorer trained, in Node: npm install twoheads; save this as train.mjs; node train.mjs
${imports}

const { asPair, documents, outOfDistribution, perplexity, spelled, spelledPairs } = worlds;
const rng = random("demo ${seed}");
const draw = (name, split, count, labels) =>
  spelledPairs(split, count, { labels }, rng.fork(name)).map((c) => asPair(spelled, c, split));
const pairs = draw("training", "id", ${pairs}, "noisy");
const held = documents(spelled, 300, random("held out"));
const options = ${JSON.stringify(options, null, 2)};

for (const method of ${JSON.stringify(method === "bt" ? ["bt"] : ["bt", method])}) {
  const lm = loadCausalLM(spelledBase(${base}));
  const model = new RewardModel(lm, { head: ${headOptions}, rng: rng.fork("head") });
  await train(model, pairs, { ...options, method }, {
    onProgress: ({ record: { step, reward_loss, reg_loss } }) =>
      console.log(method, "step", step, "reward loss", reward_loss, "text loss", reg_loss),
  });
  console.log(method, "perplexity", perplexity(lm, held));
  for (const split of ["id", ...outOfDistribution]) {
    const { chosen, rejected } = await scorePairs(model, draw(\`test \${split}\`, split, 300, "true"));
    const wins = statistics.winsOf(chosen.rewards, rejected.rewards);
    console.log(method, "accuracy", split, statistics.mean(wins));
  }
}
`;
}
