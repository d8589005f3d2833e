// One half of a comparison with transformers and PEFT: opens folders that they wrote, and prints logits or rewards, as
// JSON: a list for each folder, or its error. Next: compareFolders.py, which calls this and compares.
//   tsx interop/readFolders.ts < '[{ "folder": ..., "kind": "lm" or "rewards", "ids": [[...]] }]'

import { readFileSync } from "node:fs";
import { noGrad, tensor } from "../core/index.ts";
import { RewardModel } from "../grm/index.ts";
import { loadRewardModel } from "../grm/node.ts";
import { loadCausalLM } from "../nn/node.ts";

interface Asked {
  readonly folder: string;
  readonly kind: "lm" | "rewards";
  readonly ids: number[][];
}

const asked = JSON.parse(readFileSync(0, "utf8")) as Asked[];
for (const { folder, kind, ids } of asked) {
  try {
    const model = kind === "lm" ? loadCausalLM(folder) : loadRewardModel(folder).model;
    const given = tensor(ids, { dtype: "int32" });
    const out = noGrad(() =>
      model instanceof RewardModel ? model.forward(given).rewards : model.forward(given),
    );
    console.log(JSON.stringify([...out.data]));
  } catch (error) {
    console.log(JSON.stringify({ error: (error as Error).message }));
  }
}
