// One half of a comparison with TRL: writes a small model as a classifier and pairs to train it on, trains it here, all
// pairs in each step, and prints the losses and learning rates of the steps. Next: compareTrl.py, which calls this.
//   tsx interop/trainHere.ts OUT STEPS

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { train } from "../grm/index.ts";
import { exportRewardModel, readPairs } from "../grm/node.ts";
import { drawnModel, reading, tokenizer, whole } from "../test/rewardFolders.ts";

const [out = ".", count = "8"] = process.argv.slice(2);
const user = (content: string) => ({ role: "user", content });
const answer = (content: string) => [{ role: "assistant", content }];
const pairs = [
  {
    prompt: [user("Where?")],
    chosen: answer("On the mat."),
    rejected: answer("Where the cat sat, on the mat."),
  },
  { prompt: [user("Who?")], chosen: answer("The cat"), rejected: answer("é") },
  {
    prompt: [{ role: "system", content: "Be kind." }, user("2 + 2?"), ...answer("5"), user("No.")],
    chosen: answer("4, of course"),
    rejected: answer("5!"),
  },
  { prompt: [user(" Spaces ?\n")], chosen: answer(" kept "), rejected: answer("kept\n\n") },
];
const file = join(out, "pairs.jsonl");
writeFileSync(file, pairs.map((pair) => `${JSON.stringify(pair)}\n`).join(""));
const small = { vocabSize: 280, dim: 32, layers: 2, heads: 4, kvHeads: 2, context: 96 };
const model = drawnModel(small, { type: "linear", dropout: 0 });
const start = join(out, "start");
await exportRewardModel(start, whole(model), { as: "sequence-classification" });
const read = await readPairs([file], { tokenizer, ...reading, maxLength: 96 });
const losses: number[] = [];
const rates: number[] = [];
const settings = { steps: Number(count), batchSize: pairs.length, lr: 1e-2, weightDecay: 0 };
await train(
  model,
  read.pairs,
  { method: "bt", ...settings },
  {
    onRecord(record) {
      if (record.kind !== "train") return;
      losses.push(record.loss);
      rates.push(record.lr);
    },
  },
);
const ids = read.pairs.flatMap(({ chosen, rejected }) => [[...chosen.ids], [...rejected.ids]]);
console.log(JSON.stringify({ start, file, ids, losses, rates }));
