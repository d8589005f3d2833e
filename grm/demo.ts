// npm run demo: two heads on one hidden state, small enough to print whole. One attention layer reads a
// five-word sentence; a reward head on its last hidden state learns which of two sentences is preferred
// (Bradley-Terry), while a language-model head predicts each next word and regularises the same hidden
// states (2406.10216, section 3). It prints where each loss pushes them, then trains without and with
// the regulariser. It claims nothing about generalisation. Next: ../core/ops/attention.ts.

import {
  arange,
  crossEntropy,
  embedding,
  grad,
  linear,
  logSigmoid,
  noGrad,
  type Random,
  randn,
  random,
  scaledDotProductAttention,
  type Tensor,
  tensor,
} from "../core/index.ts";

const steps = 150;
const rate = 0.3;
const beta = 0.1; // strength inside the regulariser
const d = 8; // width of the hidden state

const words = ["the", "fox", "bear", "was", "glad", "kind", "sad", "mean", "."];
const pairs = ["fox", "bear"].flatMap((who) => [
  [`the ${who} was glad .`, `the ${who} was sad .`],
  [`the ${who} was kind .`, `the ${who} was mean .`],
]);

function tokens(sentences: readonly string[]): Tensor {
  const ids = sentences.map((text) => text.split(" ").map((word) => words.indexOf(word)));
  return tensor(ids, { dtype: "int32" }); // [B, T]
}

const chosen = tokens(pairs.map(([good = ""]) => good));
const rejected = tokens(pairs.map(([, bad = ""]) => bad));
const T = chosen.shape[1] ?? 0;

type Parameters = Record<"tokens" | "positions" | "query" | "reward", Tensor>;

function initialize(rng: Random): Parameters {
  const make = (name: string, shape: number[], scale: number): Tensor =>
    randn(shape, { rng: rng.fork(name) })
      .mul(scale)
      .requiresGrad_()
      .named(name);
  return {
    tokens: make("tokens", [words.length, d], 0.5),
    positions: make("positions", [T, d], 0.5),
    query: make("query", [d, d], 0.5),
    reward: make("reward", [1, d], 0.1),
  };
}

/** Tokens [B, T] to hidden states [B, T, d]: embed, attend to the past, add. */
function hidden(p: Parameters, x: Tensor): Tensor {
  const at = arange(T, { dtype: "int32" });
  const h = embedding(p.tokens, x).add(embedding(p.positions, at));
  return scaledDotProductAttention(linear(h, p.query), h, h, { causal: true }).add(h).tanh();
}

/** The reward head reads the last hidden state: [B]. */
function rewardOf(p: Parameters, h: Tensor): Tensor {
  return linear(h.slice({ dim: 1, start: T - 1 }), p.reward).reshape([-1]);
}

/** s(y), the log-probability of every word but the first under the language-model head: [B]. */
function logProbOf(p: Parameters, h: Tensor, x: Tensor): Tensor {
  const logits = linear(h.slice({ dim: 1, end: T - 1 }), p.tokens); // head tied to the embedding
  const next = x.slice({ dim: 1, start: 1 });
  return crossEntropy(logits, next, { reduction: "none" }).sum({ dim: 1 }).neg();
}

interface Losses {
  readonly hiddenChosen: Tensor;
  readonly reward: Tensor;
  readonly regularizer: Tensor;
  readonly accuracy: number;
  readonly perplexity: number;
}

function lossesOf(p: Parameters): Losses {
  const hiddenChosen = hidden(p, chosen);
  const margin = rewardOf(p, hiddenChosen).sub(rewardOf(p, hidden(p, rejected)));
  const s = logProbOf(p, hiddenChosen, chosen);
  return {
    hiddenChosen,
    reward: logSigmoid(margin).mean().neg(),
    regularizer: logSigmoid(s.mul(beta)).mean().neg(),
    accuracy: margin.data.filter((m) => m > 0).length / margin.size,
    perplexity: Math.exp(-(s.mean().data[0] ?? 0) / (T - 1)),
  };
}

function train(alpha: number): Losses {
  const p = initialize(random("demo"));
  for (let step = 0; step < steps; step++) {
    const { reward, regularizer } = lossesOf(p);
    reward
      .mul(1 - alpha)
      .add(regularizer.mul(alpha))
      .backward();
    for (const parameter of Object.values(p)) {
      const { grad: g } = parameter;
      if (g !== null) parameter.assign(noGrad(() => parameter.sub(g.mul(rate))));
      parameter.grad = null;
    }
  }
  return lossesOf(p);
}

const row = (...cells: readonly string[]): void =>
  console.log(cells.map((cell, i) => (i === 0 ? cell.padEnd(26) : cell.padStart(11))).join(""));

console.log("Where each loss pushes the final hidden states (gradient norm by position):");
const start = lossesOf(initialize(random("demo")));
row("", ...(pairs[0]?.[0]?.split(" ") ?? []));
for (const [name, loss] of [
  ["reward loss", start.reward],
  ["text-generation loss", start.regularizer],
] as const) {
  const [g] = grad(loss, start.hiddenChosen, { retainGraph: true });
  row(name, ...[...(g?.norm({ dims: [0, 2] }).data ?? [])].map((x) => x.toFixed(5)));
}
console.log(
  "They never share a position: the reward reads the last word, predictions come before it.\n",
);

console.log(
  `After ${steps} steps of gradient descent from the same start, L = (1 - alpha) L_reward + alpha L_reg:`,
);
row("", "reward loss", "accuracy", "perplexity");
for (const [name, result] of [
  ["before", start],
  ["alpha 0 (reward alone)", train(0)],
  ["alpha 0.5 (regularised)", train(0.5)],
] as const) {
  const loss = (result.reward.data[0] ?? 0).toFixed(4);
  row(name, loss, `${result.accuracy * 100} %`, result.perplexity.toFixed(2));
}
console.log(
  `\nShown: both heads learn from one hidden state. Not shown: anything beyond these ${pairs.length} training pairs.`,
);
