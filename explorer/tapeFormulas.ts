// The mathematics of each op on the tiny tape: what it computes, and what its rule does with the gradient g that
// arrives. The code stands beside it on the page. Next: opSources.ts, which reads that.

/** An op's formula, and that of its gradients. */
export interface OpFormula {
  readonly forward: string;
  readonly backward: string;
}

/** Where an op's entry stands, and its text. */
export interface OpSource {
  readonly file: string;
  readonly text: string;
}

/** By the op's name. g is dL/dy, the gradient of the loss by what the op made. */
export const formulas: Readonly<Record<string, OpFormula>> = {
  embedding: { forward: "y[t] = W[id[t]]", backward: "dW[i] = Σ g[t] over all t with id[t] = i" },
  rmsNorm: {
    forward: "y = w x / r,  r = √(mean(x²) + ε)",
    backward: "dx = (w g − x mean(w g x) / r²) / r,  dw = Σ g x / r",
  },
  linear: { forward: "y = x Wᵀ + b", backward: "dx = g W,  dW = gᵀ x,  db = Σ g" },
  reshape: { forward: "the same numbers in another shape", backward: "dx = g in the shape of x" },
  rope: {
    forward: "each pair of numbers turned by an angle that grows with its position",
    backward: "dx = g turned back by the same angle",
  },
  scaledDotProductAttention: {
    forward: "y = p v,  p = softmax(q kᵀ / √D), nothing ahead is seen",
    backward: "dv = pᵀ g,  s = p (g vᵀ − Σ p g vᵀ),  dq = s k / √D,  dk = sᵀ q / √D",
  },
  add: { forward: "y = a + b", backward: "da = g,  db = g" },
  sub: { forward: "y = a − b", backward: "da = g,  db = −g" },
  mul: { forward: "y = a b", backward: "da = g b,  db = g a" },
  div: { forward: "y = a / b", backward: "da = g / b,  db = −g a / b²" },
  neg: { forward: "y = −x", backward: "dx = −g" },
  silu: { forward: "y = x σ(x)", backward: "dx = g σ(x) (1 + x (1 − σ(x)))" },
  indexSelect: {
    forward: "y[i] = x[places[i]]",
    backward: "dx[j] = Σ g[i] over all i with places[i] = j",
  },
  slice: { forward: "y = x[from … to]", backward: "dx = g there, 0 elsewhere" },
  sum: { forward: "y = Σ x", backward: "dx = g for every x" },
  logSigmoid: { forward: "y = log σ(x) = −log(1 + e⁻ˣ)", backward: "dx = g (1 − σ(x))" },
  crossEntropy: {
    forward: "y = −log softmax(x)[label]",
    backward: "dx = g (softmax(x) − 1 at the label)",
  },
  indexAdd: {
    forward: "y = x, and v[i] is added at places[i]",
    backward: "dx = g,  dv[i] = g[places[i]]",
  },
};
