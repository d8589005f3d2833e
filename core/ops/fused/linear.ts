// The layers' product: a matrix product and a bias in one go. Next: softmax.ts.

import type { Draw } from "../../draw.ts";
import { isFloat } from "../../dtype.ts";
import { DTypeError, ShapeError } from "../../errors.ts";
import { fused } from "../../kinds.ts";
import type { Op } from "../../op.ts";
import { formatShape } from "../../shape.ts";
import type { Tensor } from "../../tensor.ts";
import { asRows } from "../lines.ts";

type LinearRule = (x: Tensor, weight: Tensor, bias: Tensor | null) => Tensor;

function linearDefinition(x: Tensor, weight: Tensor, bias: Tensor | null): Tensor {
  const y = x.matmul(weight, { transposeB: true });
  return bias === null ? y : y.add(bias);
}

/** Rows x [..., in], and the sides of a weight for them. */
function drawRows(d: Draw) {
  const [width, out] = [d.integer(0, 3), d.integer(0, 3)];
  return { x: d.tensor([...d.shape({ maxRank: 2 }), width]), width, out };
}

/** y = x Wᵀ + bias over the last axis: x [..., in], weight [out, in], bias [out] or none. */
export const linear: Op<
  (x: Tensor, weight: Tensor, bias?: Tensor | null) => Tensor,
  [x: Tensor, weight: Tensor, bias: Tensor | null]
> = fused({
  definition: linearDefinition,
  infer: (x, weight) => [
    { shape: [...x.shape.slice(0, -1), weight.shape[0] ?? 0], dtype: x.dtype },
  ],
  forward: ([y], x, weight, bias) => {
    const [out = 0, width = 0] = weight.shape;
    for (let i = 0; i < y.data.length; i++) {
      const [row, o] = [Math.floor(i / out), i % out];
      let sum = bias?.data[o] ?? 0;
      for (let k = 0; k < width; k++)
        sum += (x.data[row * width + k] ?? 0) * (weight.data[o * width + k] ?? 0);
      y.data[i] = sum;
    }
  },
  vjp: (g, _y, x, weight) => {
    const rows = asRows(g);
    return [
      () => g.matmul(weight),
      () => rows.matmul(asRows(x), { transposeA: true }),
      () => rows.sum({ dims: 0 }),
    ];
  },
  call:
    (run: LinearRule) =>
    (x, weight, bias = null) => {
      checkLinear(x, weight, bias);
      return isFloat(x.dtype) ? run(x, weight, bias) : linearDefinition(x, weight, bias);
    },
  takes: "x: Tensor, weight: Tensor, bias?: Tensor | null",
  example: "tensor([1, 2]).linear(tensor([[3, 4], [5, 6]]), tensor([0, 1]))  // [11, 18]",
  draw: (d: Draw) => {
    const { x, width, out } = drawRows(d);
    return [x, d.tensor([out, width]), d.pick(d.tensor([out]), null)];
  },
});

type AddmmRule = (bias: Tensor, x: Tensor, weight: Tensor) => Tensor;

function addmmDefinition(bias: Tensor, x: Tensor, weight: Tensor): Tensor {
  return x.matmul(weight).add(bias);
}

/** y = bias + x W over the last axis: x [..., in], weight [in, out], bias [out]. linear with W as it is multiplied. */
export const addmm: Op<AddmmRule, [bias: Tensor, x: Tensor, weight: Tensor]> = fused({
  definition: addmmDefinition,
  infer: (_bias, x, weight) => [
    { shape: [...x.shape.slice(0, -1), weight.shape[1] ?? 0], dtype: x.dtype },
  ],
  forward: ([y], bias, x, weight) => {
    const [width = 0, out = 0] = weight.shape;
    for (let i = 0; i < y.data.length; i++) {
      const [row, o] = [Math.floor(i / out), i % out];
      let sum = bias.data[o] ?? 0;
      for (let k = 0; k < width; k++)
        sum += (x.data[row * width + k] ?? 0) * (weight.data[k * out + o] ?? 0);
      y.data[i] = sum;
    }
  },
  vjp: (g, _y, _bias, x, weight) => {
    const rows = asRows(g);
    return [
      () => rows.sum({ dims: 0 }),
      () => g.matmul(weight, { transposeB: true }),
      () => asRows(x).matmul(rows, { transposeA: true }),
    ];
  },
  call: (run: AddmmRule) => (bias, x, weight) => {
    checkAddmm(bias, x, weight);
    return isFloat(x.dtype) ? run(bias, x, weight) : addmmDefinition(bias, x, weight);
  },
  takes: "bias: Tensor, x: Tensor, weight: Tensor",
  example: "tensor([1, 1]).addmm(tensor([[1, 2]]), tensor([[3, 4], [5, 6]]))  // [[14, 17]]",
  draw: (d: Draw) => {
    const { x, width, out } = drawRows(d);
    return [d.tensor([out]), x, d.tensor([width, out])];
  },
});

function checkAddmm(bias: Tensor, x: Tensor, weight: Tensor): void {
  const [width, out] = weight.shape;
  const isRow = bias.rank === 1 && bias.size === out;
  if (weight.rank !== 2 || x.rank === 0 || x.shape.at(-1) !== width || !isRow) {
    throw new ShapeError(
      `addmm: bias ${formatShape(bias.shape)}, x ${formatShape(x.shape)}, weight ${formatShape(weight.shape)}: ` +
        "needed [out], [..., in] and [in, out]",
    );
  }
  if (x.dtype !== weight.dtype || bias.dtype !== x.dtype) {
    throw new DTypeError(
      `addmm: bias is ${bias.dtype}, x ${x.dtype}, weight ${weight.dtype}; they must be the same, see x.to(dtype)`,
    );
  }
}

function checkLinear(x: Tensor, weight: Tensor, bias: Tensor | null): void {
  const [out, width] = weight.shape;
  if (weight.rank !== 2 || x.rank === 0 || x.shape.at(-1) !== width) {
    throw new ShapeError(
      `linear: x ${formatShape(x.shape)} and weight ${formatShape(weight.shape)}: needed x [..., in] and weight [out, in]`,
    );
  }
  if (bias !== null && (bias.rank !== 1 || bias.shape[0] !== out)) {
    throw new ShapeError(
      `linear: bias ${formatShape(bias.shape)} must be [${out}], as weight has ${out} rows`,
    );
  }
  for (const [name, other] of [
    ["weight", weight],
    ["bias", bias],
  ] as const) {
    if (other !== null && other.dtype !== x.dtype) {
      throw new DTypeError(
        `linear: x is ${x.dtype}, ${name} is ${other.dtype}; ${name}.to("${x.dtype}") converts it`,
      );
    }
  }
}
