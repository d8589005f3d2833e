// Weights that golden numbers don't store, as interop/families.py computes them: number i of the tensor at place p (in
// order of names) is sin(1 + i + 100 p) / 4, plus 1 for norms' weights. Next: nn/families.json, nn/adapters.json.

import { readFileSync } from "node:fs";
import { portable, type Tensor, tensor } from "../../core/index.ts";

/** Names and shapes of a file's tensors. */
export type Shapes = Readonly<Record<string, readonly number[]>>;

/** The tensors of those names and shapes. */
export function written(shapes: Shapes): Record<string, Tensor> {
  const named = Object.entries(shapes).map(([name, shape], place) => {
    const isGain = /norm|\.ln_/.test(name) && name.endsWith("weight");
    const size = shape.reduce((product, n) => product * n, 1);
    const values = Float32Array.from(
      { length: size },
      (_, i) => portable.sin(1 + i + 100 * place) / 4 + Number(isGain),
    );
    return [name, tensor(values, { shape })] as const;
  });
  return Object.fromEntries(named);
}

/** Golden numbers of small models: of each its config.json, its shapes and more, and what ids give. */
export function goldenModels<M>(name: string): {
  readonly ids: Tensor;
  readonly models: readonly M[];
} {
  const text = readFileSync(new URL(`nn/${name}.json`, import.meta.url), "utf8");
  const { ids, models } = JSON.parse(text) as { ids: number[][]; models: M[] };
  return { ids: tensor(ids, { dtype: "int32" }), models };
}
