// The losses against plain loops over the formulas of the paper, values and gradients, in float64 to
// 1e-10, on drawn batches: any lengths, padding on either side, ties, one-token answers, answers without a
// single label. Next: grm.model.test.ts for where in the hidden states the gradients fall.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type Draw, grad, random, type Tensor, tensor, within } from "../core/index.ts";
import {
  bradleyTerry,
  dpoRegularizer,
  grmLoss,
  l2sp,
  makeBatch,
  positiveRegularizer,
  rewardCentering,
  type Sequence,
  sequenceLogProbs,
  sftRegularizer,
} from "../grm/index.ts";
import { holds } from "../testing/property.ts";

const tolerance = 1e-10;

function close(got: ArrayLike<number>, wanted: ArrayLike<number>, what: string): void {
  assert.equal(got.length, wanted.length, `${what}: how many`);
  for (let i = 0; i < wanted.length; i++) {
    const [a, b] = [got[i] as number, wanted[i] as number];
    const off = Math.abs(a - b) / Math.max(1, Math.abs(b));
    assert.ok(off <= tolerance, `${what}: ${a} at ${i}, the formula gives ${b}`);
  }
}

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const softplus = (x: number): number => (x > 30 ? x : Math.log(1 + Math.exp(x)));

/** A loss over pairs: how it is called, and what each pair's term and its slopes are. */
interface Case {
  readonly loss: (...rows: Tensor[]) => Tensor;
  /** The term of one pair, and its derivative by each row. */
  readonly term: (...x: number[]) => readonly [value: number, ...slopes: number[]];
}

/** Rows of B numbers on a coarse grid, so that ties are common. */
function drawRows(d: Draw, count: number): Tensor[] {
  const B = d.integer(1, 5);
  return Array.from({ length: count }, () => d.tensor([B], within(-4, 4)).requiresGrad_());
}

function agrees({ loss, term }: Case, rows: readonly Tensor[]): void {
  const B = rows[0]?.size ?? 0;
  const terms = Array.from({ length: B }, (_, b) => term(...rows.map((x) => x.data[b] ?? 0)));
  const y = loss(...rows);
  const mean = terms.reduce((sum, [value]) => sum + value, 0) / B;
  close([y.data[0] ?? 0], [mean], "loss");
  const gradients = grad(y, rows, { allowUnused: true });
  rows.forEach((_, i) => {
    const wanted = terms.map((slopes) => (slopes[i + 1] ?? 0) / B);
    close(gradients[i]?.data ?? new Float64Array(B), wanted, `gradient ${i}`);
  });
}

/** -log σ(x) of x = Σ factor x_i - shift, with slopes. */
function logistic(factors: readonly number[], shift = 0): Case["term"] {
  return (...x) => {
    const z = factors.reduce((sum, factor, i) => sum + factor * (x[i] ?? 0), -shift);
    return [softplus(-z), ...factors.map((factor) => -factor * sigmoid(-z))];
  };
}

const beta = 0.1;

const cases: Readonly<Record<string, (m: number) => Case & { readonly rows: number }>> = {
  bradleyTerry: () => ({ rows: 2, loss: (c, r) => bradleyTerry(c, r), term: logistic([1, -1]) }),
  "bradleyTerry with one margin": (margin) => ({
    rows: 2,
    loss: (c, r) => bradleyTerry(c, r, { margin }),
    term: logistic([1, -1], margin),
  }),
  "bradleyTerry with margins": () => ({
    rows: 3,
    loss: (c, r, margin) => bradleyTerry(c, r, { margin }),
    term: logistic([1, -1, -1]),
  }),
  "bradleyTerry with label smoothing": (m) => {
    const labelSmoothing = Math.abs(m) / 4;
    const [right, flipped] = [logistic([1, -1]), logistic([-1, 1])];
    return {
      rows: 2,
      loss: (c, r) => bradleyTerry(c, r, { labelSmoothing }),
      term: (...x) => {
        const [p, q] = [right(...x), flipped(...x)];
        const mixed = p.map((v, i) => (1 - labelSmoothing) * v + labelSmoothing * (q[i] ?? 0));
        return mixed as [number, ...number[]];
      },
    };
  },
  rewardCentering: () => ({
    rows: 2,
    loss: (c, r) => rewardCentering(c, r),
    term: (c = 0, r = 0) => [(c + r) ** 2, 2 * (c + r), 2 * (c + r)],
  }),
  sftRegularizer: () => ({
    rows: 1,
    loss: (s) => sftRegularizer(s),
    term: logistic([beta]),
  }),
  "sftRegularizer as nll": () => ({
    rows: 1,
    loss: (s) => sftRegularizer(s, { form: "nll" }),
    term: (s = 0) => [-s, -1],
  }),
  "dpoRegularizer without reference": () => ({
    rows: 2,
    loss: (c, r) => dpoRegularizer(c, r),
    term: logistic([beta, -beta]),
  }),
  dpoRegularizer: () => ({
    rows: 4,
    loss: (c, r, s_c, s_r) => dpoRegularizer(c, r, { reference: { s_c, s_r } }),
    term: logistic([beta, -beta, -beta, beta]),
  }),
  "dpoRegularizer with another beta": (m) => ({
    rows: 2,
    loss: (c, r) => dpoRegularizer(c, r, { beta: m }),
    term: logistic([m, -m]),
  }),
};

describe("losses agree with loops over the formulas", () => {
  for (const [name, make] of Object.entries(cases)) {
    test(name, () => {
      holds(
        name,
        (d) => {
          const setting = d.integer(-4, 4) / 4;
          return [setting, ...drawRows(d, make(setting).rows)] as const;
        },
        ([setting, ...rows]) => agrees(make(setting), rows),
      );
    });
  }

  test("positiveRegularizer", () => {
    holds(
      "positiveRegularizer",
      (d) => drawRows(d, 1),
      ([r_c]) => {
        const [eps, r] = [0.25, r_c as Tensor];
        const y = positiveRegularizer(r, { eps });
        const mean = [...r.data].reduce((sum, x) => sum + x, 0) / r.size;
        close([y.data[0] ?? 0], [eps * softplus(-mean)], "loss");
        const slope = (-eps * sigmoid(-mean)) / r.size;
        close(grad(y, r)[0]?.data ?? [], new Array(r.size).fill(slope), "gradient");
      },
    );
  });

  test("grmLoss is a convex mix", () => {
    holds(
      "grmLoss",
      (d) => [d.integer(0, 4) / 4, d.integer(-9, 9), d.integer(-9, 9)] as const,
      ([alpha, a, b]) => {
        const scalar = (x: number): Tensor => tensor(x, { dtype: "float64", requiresGrad: true });
        const [reward, reg] = [scalar(a), scalar(b)];
        const y = grmLoss(reward, reg, { alpha });
        close([y.data[0] ?? 0], [(1 - alpha) * a + alpha * b], "loss");
        const [dr, dg] = grad(y, [reward, reg], { allowUnused: true });
        close([dr?.data[0] ?? 0, dg?.data[0] ?? 0], [1 - alpha, alpha], "gradients");
        if (alpha === 0) assert.equal(y, reward, "alpha 0 is the reward loss itself");
      },
    );
  });
});

test("l2sp is (alpha/2) the squared distance from the start and (beta/2) the head's squares", () => {
  holds(
    "l2sp",
    (d) => {
      const shapes = Array.from({ length: d.integer(0, 3) }, () => [
        d.integer(1, 3),
        d.integer(0, 4),
      ]);
      const draws = (some: readonly number[][]) =>
        some.map((shape) => d.tensor(shape, within(-4, 4)));
      const strengths = [d.integer(0, 8) / 4, d.integer(0, 8) / 4] as const;
      return [draws(shapes), draws(shapes), draws([[3], [1, 2]]), strengths] as const;
    },
    ([weights, start, head, [alpha, beta]]) => {
      for (const w of [...weights, ...head]) w.requiresGrad_();
      const y = l2sp(weights, start, head, { alpha, beta });
      const moved = weights.map((w, i) =>
        Array.from(w.data, (x, k) => x - (start[i]?.data[k] ?? 0)),
      );
      const squares = (list: readonly ArrayLike<number>[]) =>
        list.flatMap((x) => Array.from(x)).reduce((sum, x) => sum + x * x, 0);
      const wanted = (alpha / 2) * squares(moved) + (beta / 2) * squares(head.map((w) => w.data));
      close([y.data[0] ?? Number.NaN], [wanted], "loss");
      const slopes = [
        ...moved.map((x) => x.map((v) => alpha * v)),
        ...head.map((w) => Array.from(w.data, (v) => beta * v)),
      ];
      grad(y, [...weights, ...head]).forEach((g, i) => {
        close(g?.data ?? [], slopes[i] ?? [], `gradient ${i}`);
      });
    },
  );
  const w = tensor([1]);
  assert.throws(() => l2sp([w], [], []), /1 weights, 0 starting points and 0 of the head/);
  assert.throws(() => l2sp([], [], []), /at least one weight/);
});

// --- s(y) --------------------------------------------------------------------------------------------

const classes = 4;

/** A sequence of up to 6 tokens: a prompt, then an answer of which each token may be labelled. */
function drawSequence(d: Draw): Sequence {
  const ids = Int32Array.from({ length: d.integer(1, 6) }, () => d.integer(0, classes - 1));
  const prompt = d.integer(0, ids.length);
  const labels = ids.map((id, t) => (t >= prompt && d.integer(0, 3) > 0 ? id : -100));
  return { ids, labels };
}

/** Σ log softmax(logits[t - 1])[label_t], and its gradient by the logits, for one row of [T,V]. */
function plainLogProb(
  logits: ArrayLike<number>,
  labels: readonly number[],
): { s: number; gradient: Float64Array } {
  const gradient = new Float64Array(logits.length);
  let s = 0;
  for (let t = 1; t < labels.length; t++) {
    const label = labels[t] ?? -100;
    if (label === -100) continue;
    const at = (t - 1) * classes;
    let mass = 0;
    for (let k = 0; k < classes; k++) mass += Math.exp(logits[at + k] ?? 0);
    s += (logits[at + label] ?? 0) - Math.log(mass);
    for (let k = 0; k < classes; k++)
      gradient[at + k] = (k === label ? 1 : 0) - Math.exp(logits[at + k] ?? 0) / mass;
  }
  return { s, gradient };
}

/** Labels [B,T] as a batch with padding has them; a sequence's first token is never predicted. */
function paddedLabels(
  sequences: readonly Sequence[],
  T: number,
  padding: "left" | "right",
): number[][] {
  return sequences.map(({ labels }) => {
    const own = [-100, ...labels.subarray(1)];
    const rest = new Array<number>(T - own.length).fill(-100);
    return padding === "left" ? [...rest, ...own] : [...own, ...rest];
  });
}

describe("sequenceLogProbs", () => {
  test("sums log probabilities of labelled tokens, values and gradients", () => {
    holds(
      "sequenceLogProbs",
      (d) => {
        const sequences = Array.from({ length: d.integer(1, 4) }, () => drawSequence(d));
        const T = Math.max(...sequences.map(({ ids }) => ids.length));
        const labels = paddedLabels(sequences, T, d.pick("left", "right"));
        return [d.tensor([sequences.length, T, classes]).requiresGrad_(), labels] as const;
      },
      ([logits, labels]) => {
        const rows = labels.map((own, b) => {
          const step = own.length * classes;
          return plainLogProb(logits.data.subarray(b * step, (b + 1) * step), own);
        });
        const s = sequenceLogProbs(logits, tensor(labels, { dtype: "int32" }));
        close(
          s.data,
          rows.map((row) => row.s),
          "s(y)",
        );
        const weights = Float64Array.from(rows, (_, b) => b + 1);
        const [g] = grad(s, logits, { gradOutputs: tensor(weights) });
        const wanted = rows.flatMap((row, b) => [...row.gradient].map((x) => x * (b + 1)));
        close(g?.data ?? [], wanted, "gradient");
      },
    );
  });

  test("an answer of one token, and one without labels", () => {
    const logits = tensor([0, Math.log(3), 9, 9, 5, 5, 9, 9], {
      shape: [2, 2, 2],
      dtype: "float64",
    });
    const labels = tensor(
      [
        [-100, 1],
        [-100, -100],
      ],
      { dtype: "int32" },
    );
    close(sequenceLogProbs(logits, labels).data, [Math.log(3 / 4), 0], "s(y)");
  });

  test("targets name the places that the labels' shift names", () => {
    holds(
      "targets",
      (d) => {
        const sequences = Array.from({ length: d.integer(1, 4) }, () => drawSequence(d));
        return [sequences, d.pick("left", "right")] as const;
      },
      ([sequences, padding]) => {
        const { ids, mask, targets, tokens } = makeBatch(sequences, { padding });
        const T = ids.shape[1] ?? 0;
        const labels = paddedLabels(sequences, T, padding).flat();
        const found = labels.flatMap((label, i) => (label === -100 ? [] : [[i - 1, label]]));
        assert.deepEqual(
          [...targets.places.data],
          found.map(([place]) => place),
        );
        assert.deepEqual(
          [...targets.tokens.data],
          found.map(([, label]) => label),
        );
        assert.equal(
          targets.counts.reduce((a, b) => a + b),
          found.length,
        );
        assert.equal(
          [...mask.data].reduce((a, b) => a + b),
          tokens,
        );
      },
    );
  });
});

test("dL_SFT/ds is -β σ(-β s), and vanishes for a likely answer", () => {
  holds(
    "dL/ds",
    (d) => [d.integer(-40, 0), d.integer(1, 10) / 10] as const,
    ([at, beta]) => {
      const s = tensor([at], { dtype: "float64", requiresGrad: true });
      const [slope] = grad(sftRegularizer(s, { beta }), s);
      close(slope?.data ?? [], [-beta / (1 + Math.exp(beta * at))], "slope");
    },
  );
});

test("rewards that tie cost log 2, and rewards far apart don't overflow", () => {
  const [same, far] = [tensor([1, -3]), tensor([1e4, 1e4])];
  assert.ok(Math.abs((bradleyTerry(same, same).data[0] ?? 0) - Math.log(2)) < 1e-6);
  assert.equal(Math.abs(bradleyTerry(far, far.neg()).data[0] ?? 1), 0);
  assert.equal(bradleyTerry(far.neg(), far).data[0], 2e4);
});

test("mistakes are named", () => {
  const [two, three] = [tensor([1, 2]), tensor([1, 2, 3])];
  const rng = random(1);
  const logits = tensor(
    Float32Array.from({ length: 12 }, () => rng.uniform()),
    {
      shape: [2, 2, 3],
    },
  );
  assert.throws(() => bradleyTerry(two, three), /r_c \[2\] and r_r \[3\]/);
  assert.throws(() => bradleyTerry(two, two, { margin: three }), /margin \[3\]/);
  assert.throws(() => bradleyTerry(two, two, { labelSmoothing: 2 }), /labelSmoothing is 2/);
  assert.throws(() => dpoRegularizer(two, two, { reference: { s_c: two, s_r: three } }), /s_r/);
  assert.throws(() => sftRegularizer(tensor([])), /B > 0 pairs/);
  assert.throws(() => grmLoss(two.mean(), null, { alpha: 0.5 }), /needs a regLoss/);
  assert.throws(() => grmLoss(two.mean(), two.mean(), { alpha: -1 }), /alpha is -1/);
  assert.throws(
    () => sequenceLogProbs(logits, tensor([[1, 2, 0]], { dtype: "int32" })),
    /logits \[2,2,3\] and labels \[1,3\]/,
  );
});
