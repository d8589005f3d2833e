// One run's model, optimiser, data and generators, and the three things that are done with them: a
// training step, a validation, a sample. When each is due is not known here.
// Next: ../pretrain.ts for the loop around this.

import { noGrad, portable, Random, random, scope, type Tensor } from "../../core/index.ts";
import { CausalLM } from "../causalLM.ts";
import { generateAsync } from "../generate.ts";
import { AdamW } from "../optim.ts";
import { loadOptimiser, optimiserState } from "../run/optimiser.ts";
import type { PretrainCheckpoint } from "./checkpoint.ts";
import { type Corpus, documentStart } from "./corpus.ts";
import { modelOptions, type PretrainSettings } from "./settings.ts";
import { batchOf, type WindowBatch, Windows, windowStarts } from "./windows.ts";

export class Trainer {
  readonly lm: CausalLM;
  readonly #optimiser: AdamW;
  readonly #windows: Windows;
  readonly #held: readonly Int32Array[];
  readonly #rng: Random;
  #dropout: Random;

  constructor(
    readonly settings: PretrainSettings,
    readonly corpus: Corpus,
    base?: CausalLM,
  ) {
    const { seed, lr, weightDecay, beta2, context } = settings;
    this.#rng = random(seed);
    const init = { rng: this.#rng.fork("model") };
    this.lm = base ?? new CausalLM(modelOptions(settings, corpus.tokenizer.vocabSize), init);
    this.#optimiser = new AdamW(this.lm, { lr, weightDecay, beta2 });
    this.#windows = new Windows(corpus.training, context, this.#rng.fork("windows"));
    this.#dropout = this.#rng.fork("dropout");
    this.#held = heldOutWindows(corpus.validation, settings);
  }

  /** Tokens that a step learns from. */
  get tokensPerStep(): number {
    return this.settings.batchSize * this.settings.context;
  }

  /** One step at a learning rate: the batch's mean loss before it, and the norm of its gradients. */
  async train(lr: number): Promise<{ readonly loss: number; readonly gradNorm: number }> {
    const optimiser = this.#optimiser;
    this.lm.train({ rng: this.#dropout });
    optimiser.lr = lr;
    const { loss, norm } = scope(() => {
      const loss = this.#loss(this.#windows.next(this.settings.batchSize));
      loss.backward();
      const norm = optimiser.step({ maxNorm: this.settings.clip }) as Tensor;
      optimiser.zeroGrad();
      return { loss: loss.detach(), norm };
    });
    return { loss: await take(loss), gradNorm: await take(norm) };
  }

  /** Mean loss of the next token, in nats. */
  #loss({ ids, targets }: WindowBatch): Tensor {
    return this.lm.forward(ids).crossEntropy(targets);
  }

  /** The loss on what is held out: always the same windows. */
  async validate() {
    const { batchSize } = this.settings;
    this.lm.eval();
    let sum = 0;
    for (let i = 0; i < this.#held.length; i += batchSize) {
      const windows = this.#held.slice(i, i + batchSize);
      const loss = noGrad(() => scope(() => this.#loss(batchOf(windows))));
      sum += windows.length * (await take(loss));
    }
    const loss = sum / this.#held.length;
    const perplexity = portable.exp(loss);
    return {
      tokens: this.#held.length * ((this.#held[0]?.length ?? 1) - 1),
      loss,
      perplexity: Number.isFinite(perplexity) ? perplexity : null,
      bitsPerByte: loss / Math.LN2 / this.corpus.facts.bytesPerToken,
    };
  }

  /** What the model writes after the settings' prompt; `step` makes it another text each time. */
  async sample(step: number): Promise<{ readonly prompt: string; readonly text: string }> {
    const { prompt, temperature, sampleTokens } = this.settings;
    const { tokenizer } = this.corpus;
    const { eos } = tokenizer.special;
    const [written] = await generateAsync(
      this.lm,
      [[...documentStart(tokenizer), ...tokenizer.encode(prompt, { parseSpecial: false })]],
      {
        maxTokens: sampleTokens,
        temperature,
        stop: eos === undefined ? [] : [eos],
        rng: this.#rng.fork(`sample ${step}`),
      },
    );
    return { prompt, text: tokenizer.decode(written?.tokens ?? [], { skipSpecial: true }) };
  }

  /** Everything that decides what the next steps do; tensors share memory with the trainer. */
  state() {
    const { counts, tensors: optimiser } = optimiserState(this.#optimiser);
    return {
      model: this.lm.stateDict(),
      optimiser,
      ...counts,
      position: this.#windows.position,
      rng: { dropout: this.#dropout.state() },
    };
  }

  /** Goes on from a checkpoint of a run with the same settings and corpus. */
  load({ state, model, optimiser }: PretrainCheckpoint): void {
    this.lm.loadStateDict(model);
    loadOptimiser(this.#optimiser, state, optimiser);
    this.#windows.position = state.position;
    this.#dropout = Random.restore(state.rng.dropout);
  }
}

/** A number on whatever device, whose memory then goes back. */
async function take(x: Tensor): Promise<number> {
  const value = await x.item();
  x.release();
  return value;
}

/** Windows spread evenly over what is held out, with the token after each; a shorter one if none fits. */
function heldOutWindows(
  ids: Int32Array,
  { context, validationTokens }: PretrainSettings,
): Int32Array[] {
  const T = Math.min(context, ids.length - 1);
  const starts = windowStarts(ids.length, T);
  const count = Math.min(starts.length, Math.ceil(validationTokens / T));
  return Array.from({ length: count }, (_, i) => {
    const start = starts[Math.floor((i * starts.length) / count)] ?? 0;
    return ids.subarray(start, start + T + 1);
  });
}
