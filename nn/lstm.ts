// An LSTM as a backbone (Hochreiter and Schmidhuber 1997): the same tokens in, the same hidden states
// out, so that whatever stands on a backbone can be tried without attention. Parameters have the names
// and the order of gates (input, forget, cell, output) of PyTorch's LSTMCell. Next: causalLM.ts.

import { ArgumentError, type Random, stack, type Tensor, zeros } from "../core/index.ts";
import { accept, signatures } from "../core/signature.ts";
import { Backbone, type Cache, type ForwardOptions, forwardTakes } from "./backbone.ts";
import { type LSTMConfig, type LSTMOptions, modelConfig } from "./config.ts";
import { uniform } from "./init.ts";
import { Dropout, Embedding } from "./layers.ts";
import { Module } from "./module.ts";
import { checkIds } from "./transformer.ts";

const takes = signatures({
  LSTM: "config: object, { rng: Random }",
  LSTMCell: "dim: number, rng: Random",
  forward: forwardTakes,
});

/** What a cell remembers: output h and memory c, [B,C] each. */
interface State {
  readonly h: Tensor;
  readonly c: Tensor;
}

/** The states of all layers. */
class LSTMCache implements Cache {
  states: readonly State[] = [];
  length = 0;

  /** Keeps new states in place of the old ones. */
  replace(states: readonly State[], count: number): void {
    this.release();
    this.states = states.map(({ h, c }) => ({ h: h.detach().keep(), c: c.detach().keep() }));
    this.length += count;
  }

  select(rows: Tensor): void {
    const picked = this.states.map(({ h, c }) => ({
      h: h.indexSelect(rows),
      c: c.indexSelect(rows),
    }));
    this.replace(picked, 0);
  }

  release(): void {
    for (const { h, c } of this.states) {
      h.release();
      c.release();
    }
    this.states = [];
  }
}

/** One LSTM layer with PyTorch's weights and order of gates (i, f, g, o): x [B,T,C] to [B,T,C]. */
export class LSTMCell extends Module {
  weightIh: Tensor;
  weightHh: Tensor;
  biasIh: Tensor;
  biasHh: Tensor;

  constructor(
    readonly dim: number,
    rng: Random,
  ) {
    accept(takes.LSTMCell, arguments);
    super();
    const bound = 1 / Math.sqrt(dim);
    const draw = (shape: readonly number[], name: string): Tensor =>
      uniform(shape, { bound, rng: rng.fork(name) });
    this.weightIh = draw([4 * dim, dim], "weight_ih");
    this.weightHh = draw([4 * dim, dim], "weight_hh");
    this.biasIh = draw([4 * dim], "bias_ih");
    this.biasHh = draw([4 * dim], "bias_hh");
  }

  /**
   * Reads xs, T times [B,C], on from a state; gives its output after each, and the last state. `real`
   * [B,1] says where there are tokens; padding leaves the state as it was.
   */
  forward(xs: readonly Tensor[], start: State, real?: readonly Tensor[]): [Tensor[], State] {
    let state = start;
    const outputs = xs.map((x, t) => {
      const next = this.#step(x, state);
      const isReal = real?.[t];
      state = isReal
        ? { h: isReal.where(next.h, state.h), c: isReal.where(next.c, state.c) }
        : next;
      return state.h;
    });
    if (!this.isHeard("resid")) return [outputs, state];
    return [steps(this.tap("resid", stack(outputs, { dim: 1 }))), state];
  }

  /** c' = f c + i g and h' = o tanh(c'), where i, f, o are gates in (0,1) and g the new content. */
  #step(x: Tensor, { h, c }: State): State {
    const gates = x.linear(this.weightIh, this.biasIh).add(h.linear(this.weightHh, this.biasHh));
    const [i, f, g, o] = gates.split(this.dim, { dim: -1 }) as [Tensor, Tensor, Tensor, Tensor];
    const memory = f.sigmoid().mul(c).add(i.sigmoid().mul(g.tanh()));
    return { h: o.sigmoid().mul(memory.tanh()), c: memory };
  }
}

/** The slices along axis 1, by halves: gradients then cost T log T instead of T² copies. */
function steps(x: Tensor): Tensor[] {
  const T = x.shape[1] ?? 0;
  if (T === 1) return [x.squeeze(1)];
  const half = Math.ceil(T / 2);
  return x.split([half, T - half], { dim: 1 }).flatMap(steps);
}

/**
 * A stack of LSTM layers behind an embedding: ids [B,T] to hidden states [B,T,C]. It has no longest
 * sequence.
 */
export class LSTM extends Backbone {
  readonly config: LSTMConfig;
  readonly embedTokens: Embedding;
  readonly layers: readonly LSTMCell[];
  readonly dropout: Dropout;
  readonly context = Number.POSITIVE_INFINITY;

  constructor(options: LSTMOptions, init: { readonly rng: Random }) {
    accept(takes.LSTM, arguments);
    super();
    const { rng } = init;
    const config = modelConfig(options);
    const { vocabSize, dim, layers } = config;
    this.config = config;
    const std = 1 / Math.sqrt(dim);
    this.embedTokens = new Embedding(vocabSize, dim, { rng: rng.fork("tokens"), std });
    const cell = (i: number): LSTMCell => new LSTMCell(dim, rng.fork(`layer ${i}`));
    this.layers = Array.from({ length: layers }, (_, i) => cell(i));
    this.dropout = new Dropout(config.dropout);
  }

  override newCache(): Cache {
    return new LSTMCache();
  }

  override forward(ids: Tensor, options: ForwardOptions = {}): Tensor {
    accept(takes.forward, arguments);
    const { mask, cache } = options;
    const [B, T] = checkIds(ids, mask);
    if (cache !== undefined && !(cache instanceof LSTMCache))
      throw new ArgumentError("cache: an LSTM needs a cache that its own newCache() made");
    const real = mask && steps(mask.to("bool").unsqueeze(2));
    const embedded = this.dropout.forward(this.embedTokens.forward(ids));
    let xs = steps(this.tap("embed", embedded));
    const states = this.layers.map((cell, l) => {
      const [outputs, state] = cell.forward(xs, cache?.states[l] ?? this.#start(B), real);
      xs = outputs;
      return state;
    });
    cache?.replace(states, T);
    return this.tap("hidden", stack(xs, { dim: 1 }));
  }

  #start(B: number): State {
    const h = zeros([B, this.dim], { dtype: this.embedTokens.weight.dtype });
    return { h, c: h };
  }
}
