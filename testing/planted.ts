// A catalogue of wrong gradients, to test a gradient checker with: each has the values of a right function
// and the gradients of another one, at every order, so that only the gradients can give it away. Needs
// nothing but core. Next: ../gradcheck.test.ts, which draws inputs for every seed and wants each caught.

import { noGrad, type Random, type Tensor, tensor } from "../core/index.ts";

/** A function of float64 tensors. */
export type TensorFunction = (...xs: Tensor[]) => Tensor;

/** One kind of mistake: what somebody wanted, what they differentiated instead, and where it shows. */
export interface PlantedError {
  readonly what: string;
  /** The function whose values both have; its gradients are right. */
  readonly right: TensorFunction;
  /** The same values with wrong gradients. */
  readonly wrong: TensorFunction;
  /** Inputs at which it shows. */
  readonly inputs: (rng: Random) => Tensor[];
  /** From which order on the gradients are wrong: 2 where those of order 1 are right. Default 1. */
  readonly order?: 1 | 2;
}

/** The values of `f` with the gradients of `h`, at every order. */
export function claim(f: TensorFunction, h: TensorFunction): TensorFunction {
  return (...xs) => {
    const taught = h(...xs);
    const value = noGrad(() => f(...xs)).detach();
    return value.add(taught.sub(taught.detach()));
  };
}

function normals(rng: Random, shape: readonly number[], shift = 0): Tensor {
  const size = shape.reduce((a, b) => a * b, 1);
  const values = Float64Array.from({ length: size }, () => rng.normal() + shift);
  return tensor(values, { shape });
}

/** Factors of 1, but for one place. */
function allBut(place: number, factor: number, size: number): Tensor {
  return tensor(Float64Array.from({ length: size }, (_, i) => (i === place ? factor : 1)));
}

const weights = (x: Tensor): Tensor => {
  const values = Float64Array.from({ length: x.size }, (_, i) => Math.sin(1 + i) + 2);
  return tensor(values, { shape: x.shape });
};

const columns: TensorFunction = (x) => x.mul(weights(x)).softmax({ dim: 0 });
const rows: TensorFunction = (x) => x.mul(weights(x)).softmax({ dim: 1 });
const sine: TensorFunction = (x) => x.sin();
const shifted: TensorFunction = (x, b) => x.add(b as Tensor).tanh();
const gated: TensorFunction = (x) => x.sigmoid().mul(x);

/** Everything that a checker should find. */
export const plantedErrors: readonly PlantedError[] = [
  {
    what: "0.1 % too large",
    right: sine,
    wrong: claim(sine, (x) => x.sin().mul(1.001)),
    inputs: (rng) => [normals(rng, [4])],
  },
  {
    what: "another sign",
    right: sine,
    wrong: claim(sine, (x) => x.sin().neg()),
    inputs: (rng) => [normals(rng, [2, 2])],
  },
  {
    what: "a missing term of a product",
    right: gated,
    wrong: claim(gated, (x) => x.sigmoid().detach().mul(x)),
    inputs: (rng) => [normals(rng, [3])],
  },
  {
    what: "a missing term of a mean: the part that goes through it",
    right: (x) => x.sub(x.mean({ dims: -1, keepDims: true })).square(),
    wrong: claim(
      (x) => x.sub(x.mean({ dims: -1, keepDims: true })).square(),
      (x) => x.sub(x.mean({ dims: -1, keepDims: true }).detach()).square(),
    ),
    inputs: (rng) => [normals(rng, [2, 5])],
  },
  {
    what: "another axis",
    right: rows,
    wrong: claim(rows, columns),
    inputs: (rng) => [normals(rng, [3, 3])],
  },
  {
    what: "transposed",
    right: (a, b) => a.matmul(b as Tensor),
    wrong: claim(
      (a, b) => a.matmul(b as Tensor),
      (a, b) => a.transpose().matmul(b as Tensor),
    ),
    inputs: (rng) => [normals(rng, [4, 4]), normals(rng, [4, 4])],
  },
  {
    what: "a forgotten broadcast: only the first row reaches the bias",
    right: shifted,
    wrong: claim(shifted, (x, b) => {
      const first = tensor([1, 0, 0], { dtype: "float64" }).reshape([3, 1]);
      const bias = b as Tensor;
      return x.add(bias.mul(first).add(bias.detach().mul(first.neg().add(1)))).tanh();
    }),
    inputs: (rng) => [normals(rng, [3, 4]), normals(rng, [4])],
  },
  {
    what: "a branch cut off by detach",
    right: (x) => x.exp().add(x.square()),
    wrong: (x) => x.detach().exp().add(x.square()),
    inputs: (rng) => [normals(rng, [3])],
  },
  {
    what: "the gradient that comes in is forgotten",
    right: (x) => x.square().sum(),
    wrong: (x) => {
      const y = x.square().sum();
      y.registerHook((g) => g.mul(0).add(1));
      return y.mul(1);
    },
    inputs: (rng) => [normals(rng, [3])],
  },
  {
    what: "everything cut off by noGrad",
    right: (x) => x.mul(2),
    wrong: (x) => noGrad(() => x.mul(2)),
    inputs: (rng) => [normals(rng, [2])],
  },
  {
    what: "plain numbers in between",
    right: (x) => x.mul(2),
    wrong: (x) => tensor(Float64Array.from(x.data), { shape: x.shape }).mul(2),
    inputs: (rng) => [normals(rng, [2])],
  },
  {
    what: "one of two arguments cut off",
    right: (x, y) => x.mul(y as Tensor),
    wrong: (x, y) => x.mul((y as Tensor).detach()),
    inputs: (rng) => [normals(rng, [2]), normals(rng, [2])],
  },
  {
    what: "cut off where the slope happens to be 0",
    right: (x) => x.square(),
    wrong: (x) => x.detach().square(),
    inputs: () => [tensor([0], { dtype: "float64" })],
  },
  {
    what: "0.1 % in one element of 200",
    right: sine,
    wrong: claim(sine, (x) => x.sin().mul(allBut(57, 1.001, 200))),
    inputs: (rng) => [normals(rng, [200])],
  },
  {
    what: "0.1 % in one element of 1,000",
    right: sine,
    wrong: claim(sine, (x) => x.sin().mul(allBut(777, 1.001, 1000))),
    inputs: (rng) => [normals(rng, [1000])],
  },
  {
    what: "two elements of 200 swapped",
    right: sine,
    wrong: claim(sine, (x) => {
      const order = Int32Array.from({ length: 200 }, (_, i) => (i === 3 ? 4 : i === 4 ? 3 : i));
      return x.sin().indexSelect(tensor(order), { dim: 0 });
    }),
    inputs: (rng) => [normals(rng, [200])],
  },
  {
    what: "half, at the small one of two very different slopes",
    right: (x) => x.exp(),
    wrong: claim(
      (x) => x.exp(),
      (x) => x.exp().mul(allBut(1, 0.5, 2)),
    ),
    inputs: () => [tensor([20, 0], { dtype: "float64" })],
  },
  {
    what: "half, at the small one of a hundred very different slopes",
    right: (x) => x.exp().sum(),
    wrong: claim(
      (x) => x.exp().sum(),
      (x) =>
        x
          .exp()
          .mul(allBut(99, 0.5, 100))
          .sum(),
    ),
    inputs: (rng) => [
      tensor(Float64Array.from({ length: 100 }, (_, i) => (i < 99 ? 10 + rng.uniform() : 0))),
    ],
  },
  {
    what: "wrong only at one end of the domain",
    right: (x) => x.tanh(),
    wrong: claim(
      (x) => x.tanh(),
      (x) => x.tanh().mul(x.gt(2.5).where(1.01, 1)),
    ),
    inputs: (rng) => [
      tensor(Float64Array.from({ length: 60 }, (_, i) => -3 + i / 10 + rng.uniform() / 20)),
    ],
  },
  {
    what: "tiny slopes halved",
    right: (x) => x.exp(),
    wrong: claim(
      (x) => x.exp(),
      (x) => x.exp().mul(0.5),
    ),
    inputs: (rng) => [normals(rng, [3], -15)],
  },
  {
    what: "cut off at a number whose digits swallow the step",
    right: (x) => x.mul(2),
    wrong: (x) => x.detach().mul(2),
    inputs: () => [tensor([1e20], { dtype: "float64" })],
  },
  {
    what: "half, at numbers whose rounding hides it from a step of 1e-3",
    right: (x) => x.mul(2),
    wrong: claim(
      (x) => x.mul(2),
      (x) => x,
    ),
    inputs: (rng) => [normals(rng, [3]).add(5).mul(1e15)],
  },
  {
    what: "half, at the one small slope among fifty",
    right: (x) => x.mul(allBut(0, 1e-7, x.size)).sum(),
    wrong: claim(
      (x) => x.mul(allBut(0, 1e-7, x.size)).sum(),
      (x) => x.mul(allBut(0, 0.5e-7, x.size)).sum(),
    ),
    inputs: (rng) => [normals(rng, [50])],
  },
  {
    what: "right, but not differentiable again",
    order: 2,
    right: sine,
    wrong: (x) => {
      const there = x.detach();
      return there.sin().add(there.cos().mul(x.sub(there)));
    },
    inputs: (rng) => [normals(rng, [3], 0.5)],
  },
  {
    what: "right, made of plain numbers",
    order: 2,
    right: (x) => x.square(),
    wrong: (x) => {
      const slopes = tensor(
        Float64Array.from(x.data, (value) => 2 * value),
        { shape: x.shape },
      );
      return x
        .detach()
        .square()
        .add(slopes.mul(x.sub(x.detach())));
    },
    inputs: (rng) => [normals(rng, [3])],
  },
  {
    what: "right, with a second derivative 0.1 % too large",
    order: 2,
    right: sine,
    wrong: (x) => {
      const there = x.detach();
      const first = there.sin().add(there.cos().mul(x.sub(there)));
      const bend = there.sin().mul(-0.5 * 1.001);
      return first.add(bend.mul(x.sub(there).square()));
    },
    inputs: (rng) => [normals(rng, [3], 1)],
  },
];
