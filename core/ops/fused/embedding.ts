// The table that a language model begins with: a row for each token. Next: dropout.ts.

import { ShapeError } from "../../errors.ts";
import { fused } from "../../kinds.ts";
import type { Op } from "../../op.ts";
import { formatShape } from "../../shape.ts";
import type { Tensor } from "../../tensor.ts";
import { checkIndexTensor, checkIndices } from "../indices.ts";

type EmbeddingRule = (weight: Tensor, index: Tensor) => Tensor;

/** Rows of a table: weight [V, D], index [...] of int32 gives [..., D]. */
export const embedding: Op<EmbeddingRule, [weight: Tensor, index: Tensor]> = fused({
  definition: (weight: Tensor, index: Tensor) =>
    weight.indexSelect(index.reshape([index.size])).reshape([...index.shape, weight.shape[1] ?? 0]),
  infer: (weight, index) => [
    { shape: [...index.shape, weight.shape[1] ?? 0], dtype: weight.dtype },
  ],
  forward: ([y], weight, index) => {
    const [rows = 0, width = 0] = weight.shape;
    checkIndices("embedding", index.data, rows);
    index.data.forEach((row, i) => {
      y.data.set(weight.data.subarray(row * width, (row + 1) * width), i * width);
    });
  },
  backward: ([dweight], g, _results, weight, index) => {
    const width = weight.shape[1] ?? 0;
    const total = new Float64Array(weight.data.length);
    index.data.forEach((row, i) => {
      for (let k = 0; k < width; k++) {
        total[row * width + k] = (total[row * width + k] ?? 0) + (g.data[i * width + k] ?? 0);
      }
    });
    dweight?.data.set(total);
  },
  call: (run: EmbeddingRule) => (weight, index) => {
    if (weight.rank !== 2) {
      throw new ShapeError(`embedding: weight must be [V, D], got ${formatShape(weight.shape)}`);
    }
    checkIndexTensor("embedding", index);
    return run(weight, index);
  },
  takes: "weight: Tensor, index: Tensor",
  example:
    'tensor([[1, 2], [3, 4]]).embedding(tensor([1, 0], { dtype: "int32" }))  // [[3, 4],\n [1, 2]]',
  draw: (d) => {
    const [rows, width] = [d.integer(1, 4), d.integer(0, 3)];
    return [d.tensor([rows, width]), d.indices(d.shape({ maxRank: 2 }), rows)];
  },
});
