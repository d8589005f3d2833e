// Tokens a second: a model reads prompts and continues them greedily, with a cache of keys and values
// and, for comparison, reading everything anew for each token. Both must say the same. One thread.
// Read next: ../nn/generate.ts.

import { noGrad, registerDevice, scope, tensor, use } from "../core/index.ts";
import { WasmDevice } from "../kernels/index.ts";
import { type CausalLM, generate } from "../nn/index.ts";
import { gpt } from "./gpt.ts";
import { spread, time, validate } from "./measure.ts";
import type { RacesOptions } from "./races.ts";
import { digits, progress, type ResultTable } from "./report.ts";
import { batchesOf, type GPTShape, sizes } from "./works.ts";

const promptLength = 16;

function promptsOf(shape: GPTShape): number[][] {
  const { x } = batchesOf(shape)(0);
  return Array.from({ length: shape.B }, (_, row) =>
    Array.from(x.subarray(row * shape.T, row * shape.T + promptLength)),
  );
}

/** The most likely token of each row after what the rows hold, from scratch. */
function nextOf(model: CausalLM, rows: readonly (readonly number[])[]): number[] {
  const logits = noGrad(() =>
    scope(() => {
      const all = model.forward(tensor(rows as number[][], { dtype: "int32" })); // [B, T, V]
      return all.slice({ dim: 1, start: -1 }).squeeze(1).argmax({ dim: -1 });
    }),
  );
  return Array.from(logits.data);
}

function withoutCache(model: CausalLM, prompts: readonly number[][], tokens: number): number[] {
  const rows = prompts.map((prompt) => [...prompt]);
  for (let i = 0; i < tokens; i++) {
    const next = nextOf(model, rows);
    for (const [r, row] of rows.entries()) row.push(next[r]!);
  }
  return rows.flatMap((row) => row.slice(promptLength));
}

export async function generation(table: ResultTable, { quick }: RacesOptions): Promise<void> {
  registerDevice("one", () => new WasmDevice({ threads: 1 }));
  use("one");
  table.head("tokens, batch", "tokens/s", "spread", "without cache", "x");
  const tokens = quick ? 48 : 112;
  for (const B of [1, 8, 64]) {
    const shape = { ...sizes.M, T: promptLength + tokens, B };
    const [model, prompts] = [gpt(shape), promptsOf(shape)];
    const cached = () => generate(model, prompts, { maxTokens: tokens, temperature: 0 });
    progress(`generation, batch ${B}: without a cache`);
    const start = performance.now();
    const want = withoutCache(model, prompts, tokens);
    const slow = (performance.now() - start) / 1e3; // once is enough: it is long
    const got = cached().flatMap((continuation) => continuation.tokens);
    validate(`generation, batch ${B}`, got, want, 0);
    const t = time(cached);
    const [rate, slowRate] = [t.median, slow].map((seconds) => (B * tokens) / seconds);
    const cells = [digits(rate!), spread(t), digits(slowRate!), digits(rate! / slowRate!)];
    await table.row([`${tokens} tokens, batch ${B}`, ...cells], { shape, timing: t, slow });
  }
}
