// Ten kinds of loops as people write them, each a step to be repeated, that ask for other sizes at every turn:
// batches and lengths vary, steps fail in the middle, evaluation comes between, results are kept for a while.
// None releases anything by hand. pool.test.ts runs a few hundred steps of each, `npm run nightly` 100,000.
// Next: pool.test.ts for what must hold.

import {
  grad,
  noGrad,
  type Random,
  randint,
  randn,
  scope,
  type Tensor,
  zeros,
} from "../core/index.ts";
import { AdamW, CausalLM, generate } from "../nn/index.ts";

/** Makes a step of a loop; what it draws comes from `rng`. */
export type Loop = (rng: Random) => () => void;

/** Two layers that a plain loop trains without an optimiser. */
function plain(rng: Random): { loss(rows: number): Tensor; step(loss: Tensor): void } {
  const weights = [
    randn([32, 16], { rng, requiresGrad: true }),
    randn([1, 32], { rng, requiresGrad: true }),
  ] as const;
  return {
    loss: (rows) =>
      randn([rows, 16], { rng }).linear(weights[0]).tanh().linear(weights[1]).square().mean(),
    step: (loss) => {
      loss.backward();
      for (const w of weights) {
        if (w.grad !== null) w.assign(w.sub(w.grad.mul(0.01)));
        w.grad = null;
      }
    },
  };
}

/** A small language model, its loss on drawn tokens, and a step of AdamW. */
function language(rng: Random) {
  const lm = new CausalLM(
    { vocabSize: 32, dim: 16, layers: 2, heads: 2, context: 48, style: "gpt2" },
    { rng },
  );
  const optimiser = new AdamW(lm, { lr: 1e-3 });
  return {
    lm,
    loss: (rows: number, length: number): Tensor => {
      const ids = randint([rows, length], { high: 32, rng });
      return lm.forward(ids).crossEntropy(ids);
    },
    step: () => {
      optimiser.step({ maxNorm: 1 });
      optimiser.zeroGrad();
    },
  };
}

export const loops: Readonly<Record<string, Loop>> = {
  "batches of varying size": (rng) => {
    const { loss, step } = plain(rng);
    return () => step(loss(rng.integer(1, 600)));
  },
  "a language model, random lengths": (rng) => {
    const { loss, step } = language(rng);
    return () => {
      loss(rng.integer(1, 9), rng.integer(1, 49)).backward();
      step();
    };
  },
  generation: (rng) => {
    const { lm } = language(rng);
    return () => {
      const prompts = [[1, 2, 3].slice(0, rng.integer(1, 4))];
      generate(lm, prompts, { maxTokens: rng.integer(1, 40), samples: rng.integer(1, 9), rng });
    };
  },
  "scopes, sizes that grow by 13 % a turn": () => {
    let n = 1000;
    return () => {
      scope(() => {
        zeros([Math.floor(n)])
          .add(1)
          .mul(2);
        return [];
      });
      n = n < 4e5 ? n * 1.13 : 1000;
    };
  },
  "steps that fail in the middle": (rng) => {
    const { loss, step } = language(rng);
    return () => {
      try {
        const y = loss(rng.integer(1, 9), rng.integer(1, 49));
        if (rng.uniform() < 0.5) y.reshape([2]); // one number isn't two
        y.backward();
      } catch {
        return;
      }
      step();
    };
  },
  "evaluation between": (rng) => {
    const { loss, step } = language(rng);
    let turn = 0;
    return () => {
      if (turn++ % 5 === 0) noGrad(() => loss(rng.integer(8, 17), 48).data);
      loss(4, 24).backward();
      step();
    };
  },
  "results that are kept for a while": (rng) => {
    const { loss, step } = plain(rng);
    const kept: Tensor[] = [];
    return () => {
      const y = loss(rng.integer(1, 300));
      step(y);
      kept.push(randn([rng.integer(1, 5000)], { rng }).mul(2), y);
      if (kept.length > 100) kept.splice(rng.integer(0, 60), 2);
      kept[rng.integer(0, kept.length)]?.add(1);
    };
  },
  "gradients of gradients": (rng) => {
    const w = randn([16, 16], { rng, requiresGrad: true });
    return () => {
      const x = randn([rng.integer(1, 200), 16], { rng });
      const [g] = grad(x.matmul(w).tanh().sum(), w, { createGraph: true });
      g?.square().sum().backward();
      w.grad = null;
    };
  },
  "gradients added up over a varying number of batches": (rng) => {
    const { loss, step } = language(rng);
    return () => {
      for (let i = rng.integer(1, 5); i > 0; i--) {
        const y = loss(rng.integer(1, 5), rng.integer(1, 49));
        y.backward({ retainGraph: i % 2 === 0 });
        const value = y.data[0] ?? Number.NaN; // 0 after so many steps
        if (!(value >= 0 && value < 99)) throw new Error(`a loss of ${value}`);
      }
      step();
    };
  },
  "numbers read and written by hand": (rng) => {
    const { loss, step } = plain(rng);
    return () => {
      const x = randn([rng.integer(1, 4000)], { rng }).mul(3);
      x.data[0] = 1;
      if (x.add(1).data[0] !== 2) throw new Error("what was written isn't read");
      step(loss(rng.integer(1, 100)));
    };
  },
};
