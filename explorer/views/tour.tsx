// The guided tour: six steps that a reader takes with the page's own controls. Each says what to do, what to look
// at, and what thirty seeds say where one run can't. Next: ../manySeeds.ts for those numbers.

import type { JSX } from "preact";
import type { ManySeeds } from "../manySeeds.ts";
import { type ExplorerSettings, initialSettings, valueText } from "../settings.ts";
import { addressOf, tourLength } from "../state.ts";
import { percent, points, short, type ViewProps } from "./parts.tsx";

/** Put in while the page is built: see build.ts. */
declare const MANY_SEEDS: ManySeeds;

interface TourStep {
  readonly title: string;
  readonly text: JSX.Element;
  /** A button that sets what the step is about, and starts it. */
  readonly settings?: Partial<ExplorerSettings>;
  readonly button?: string;
  /** Whether the view of hidden states belongs to it. */
  readonly isHidden?: boolean;
}

const { seeds, gentle, hot, alphas } = MANY_SEEDS;

/** 68.5 % at α = 0, ... for some of the alphas that were measured. */
function alphaText(): string {
  const some = alphas.ood.filter(({ alpha }) => [0, 0.01, 0.5, 0.7, 0.97].includes(alpha));
  return some.map(({ alpha, mean }) => `${percent(mean)} at ${alpha}`).join(", ");
}

/** +3.1 points [+2.2, +4.0] */
function gainText({ gain: { mean, half } }: ManySeeds["hot"]): string {
  return `${points(mean)} points [${points(mean - half)}, ${points(mean + half)}]`;
}

const steps: readonly TourStep[] = [
  {
    title: "One language model, two ways to go on",
    text: (
      <>
        Both cards begin as the same small language model. It has read 64,000 little stories, and it
        writes them: the quote at the foot of each card is its own. Its perplexity, the number of
        words between which it hesitates, is about 3. Now both get a second head, which has to learn
        which of two stories people prefer.
      </>
    ),
    settings: initialSettings,
  },
  {
    title: "Train at a hot rate",
    text: (
      <>
        Press the button and watch the two quotes and the first curve. The left model learns from
        preferences alone. Nothing asks it to stay a language model, and at this learning rate it
        soon is none: its perplexity climbs from 3 to tens or hundreds, and its stories fall apart.
        The right model has a text loss beside the reward loss, and goes on writing.
      </>
    ),
    settings: { ...initialSettings, lr: 5e-3, alpha: 0.5 },
    button: "Train at 5e-3",
  },
  {
    title: "Does it matter to the reward?",
    text: (
      <>
        Look at accuracy out of distribution: pairs about other animals, with rarer words, in other
        sentences. Training at this rate overwrites what the base knew of words and sentences that
        the preferences don't show, and the second model is held to it. One run has wide bands and
        may say anything. Over {seeds} seeds GRM-SFT is ahead at this rate by <b>{gainText(hot)}</b>
        ; typical perplexities are {short(hot.perplexity.plain)} for plain Bradley-Terry and{" "}
        {short(hot.perplexity.reg)} for GRM-SFT. Try other seeds under “More settings”.
      </>
    ),
  },
  {
    title: "Move alpha",
    text: (
      <>
        α is the text loss's share. Press the button: with α = 0.01, a hundredth, most of the
        language is kept already. Then drag the slider; each place trains anew. Mean accuracy out of
        distribution over {alphas.seeds} seeds: {alphaText()}. With α near 1 too little is left for
        the reward to be learnt with.
      </>
    ),
    settings: { ...initialSettings, lr: 5e-3, alpha: 0.01 },
    button: "Train with α = 0.01",
  },
  {
    title: "At a gentle rate it costs a little",
    text: (
      <>
        At {valueText(gentle.lr)} the plain model forgets almost nothing, and does better than at
        the hot rate. Over {seeds} seeds GRM-SFT against plain Bradley-Terry is{" "}
        <b>{gainText(gentle)}</b>: less than one run can show. So the text loss is insurance against
        a rate that is too high, not a gain over one that is right.
      </>
    ),
    settings: { ...initialSettings, lr: 7e-4, alpha: 0.5 },
    button: "Train at 7e-4",
  },
  {
    title: "Where the two losses meet",
    isHidden: true,
    text: (
      <>
        In each card's picture two arrows push one hidden state. They never push the same place: the
        reward is read at a story's last token, the text loss at all tokens before it. They meet one
        layer below, where the last token's attention looks back. That is how a loss on text can
        hold a reward in place. The view of hidden states shows it, token by token, and the tape op
        by op, on a model small enough to read. This shows nothing about large models or human
        preferences: lab/RESULTS.md says what was measured there.
      </>
    ),
  },
];

/** The panel of the tour; a button to begin it otherwise. */
export function Tour({ state, act }: ViewProps): JSX.Element {
  const { tour } = state;
  if (tour === null) {
    return (
      <p class="tour-start">
        <button type="button" onClick={() => act({ kind: "tour", tour: 1 })}>
          Take the tour
        </button>{" "}
        <span class="soft">six steps, two minutes</span>
      </p>
    );
  }
  const { title, text, settings, button, isHidden } = steps[tour - 1] as TourStep;
  const go = (to: number | null): void => act({ kind: "tour", tour: to });
  return (
    <section class="tour" aria-label="Guided tour">
      <p class="soft">
        Tour, {tour} of {tourLength}
      </p>
      <h2>{title}</h2>
      <p>{text}</p>
      <div class="tour-buttons">
        {button !== undefined && settings !== undefined && (
          <button
            type="button"
            class="primary"
            onClick={() => {
              act({ kind: "set", settings });
              act({ kind: "run" });
            }}
          >
            {button}
          </button>
        )}
        {isHidden && state.view !== "hidden" && (
          <a class="button" href={addressOf({ ...state, view: "hidden" })}>
            Show it
          </a>
        )}
        {isHidden && state.view !== "tape" && (
          <a class="button" href={addressOf({ ...state, view: "tape" })}>
            Show it on the tape
          </a>
        )}
        {tour > 1 && (
          <button type="button" onClick={() => go(tour - 1)}>
            Back
          </button>
        )}
        {tour < tourLength && (
          <button type="button" onClick={() => go(tour + 1)}>
            Next
          </button>
        )}
        <button type="button" class="quiet" onClick={() => go(null)}>
          End the tour
        </button>
      </div>
    </section>
  );
}
