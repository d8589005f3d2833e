// The guided tour: six steps that a reader takes with the page's own controls. Each says what to do, what to look
// at, and what thirty seeds say where one run can't. Next: ../manySeeds.ts for those numbers.

import type { JSX } from "preact";
import type { Gain, ManySeeds, SeedsAtRate } from "../manySeeds.ts";
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

const { seeds, rates, atBest, base, alphas, map } = MANY_SEEDS;
const [gentle, hot] = [rates[0], rates.at(-1)] as [SeedsAtRate, SeedsAtRate];

/** +3.1 points [+2.2, +4.0] */
function gainText({ mean, half }: Gain): string {
  return `${points(mean)} points [${points(mean - half)}, ${points(mean + half)}]`;
}

/** What a difference allows to say. */
function verdictOf({ mean, half }: Gain): string {
  return mean - half > 0 ? "ahead" : mean + half < 0 ? "behind" : "neither ahead nor behind";
}

/** 66.8 % and 154 at α = 0, ... for some of the alphas that were measured, the best one among them. */
function alphaText(): string {
  const some = alphas.points.filter(({ alpha }) =>
    [0, 0.01, 0.5, best.alpha, 0.97].includes(alpha),
  );
  const text = ({ alpha, ood, perplexity }: (typeof some)[number]): string =>
    `${percent(ood)} and ${short(perplexity)} at α = ${alpha}`;
  return some.map(text).join(", ");
}

const best = alphas.points.reduce((a, b) => (b.ood > a.ood ? b : a));

/** Where else a gain was looked for. */
function mapText({ models, seeds, answers }: NonNullable<ManySeeds["map"]>): string {
  return ` Fewer pairs, more pairs, wrong labels, longer training? ${models} reward models of ${seeds} other seeds ask it. ${answers[0]}`;
}

/** From the gentlest rate to the hottest. */
function fromTo(model: "plain" | "reg", kind: "id" | "word"): string {
  return `${percent(gentle[model][kind])} to ${percent(hot[model][kind])}`;
}

const steps: readonly TourStep[] = [
  {
    title: "One language model, two ways to go on",
    text: (
      <>
        Both cards begin as the same small language model. It has read 64,000 little stories, and it
        writes them: the quotes at the foot of each card are its own. Its perplexity, the number of
        equally likely words between which it hesitates, is about {short(base)}. Now both get a
        second head, a reward head, which learns which of two stories people prefer: its loss falls
        when the preferred story gets the higher reward (Bradley and Terry's loss).
      </>
    ),
    settings: initialSettings,
  },
  {
    title: "Train at a hot rate",
    text: (
      <>
        Press the button and watch the quotes and the first curve. The left model learns from
        preferences alone, with large steps, and nothing asks it to stay a language model. Over{" "}
        {seeds} seeds its perplexity ended between {short(hot.plain.perplexity[0])} and{" "}
        {short(hot.plain.perplexity[2])}. The right model has a text loss beside the reward loss,
        and goes on writing: it ended between {short(hot.reg.perplexity[0])} and{" "}
        {short(hot.reg.perplexity[2])}.
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
        sentences. Some of their words occur in no preference: what these mean only the language
        model's reading says, and large steps overwrite it. Over {seeds} seeds plain Bradley-Terry
        goes from {fromTo("plain", "id")} between the gentle rate and this one on pairs like those
        it learnt from, but from {fromTo("plain", "word")} on words that no preference showed;
        GRM-SFT, held to its text, from {fromTo("reg", "id")} and from {fromTo("reg", "word")}. Out
        of distribution GRM-SFT is {verdictOf(hot.gain)} at this rate: <b>{gainText(hot.gain)}</b>.
        One run has wide bands and may say anything: try other seeds under “More settings”.
      </>
    ),
  },
  {
    title: "Move alpha",
    text: (
      <>
        α is the text loss's share. Press the button: α = 0.01 is a hundredth. Then drag the slider;
        each place trains anew. Mean accuracy out of distribution and median perplexity over{" "}
        {alphas.seeds} seeds at this rate: {alphaText()}. A little keeps most of the language; too
        much leaves too little for the reward to be learnt with.
      </>
    ),
    settings: { ...initialSettings, lr: 5e-3, alpha: 0.01 },
    button: "Train with α = 0.01",
  },
  {
    title: "And at a gentle rate?",
    text: (
      <>
        At {valueText(gentle.lr)} the plain model forgets little: its perplexity ends at{" "}
        {short(gentle.plain.perplexity[1])}. Over {seeds} seeds GRM-SFT less plain, out of
        distribution, is{" "}
        {rates.map(({ lr, gain }) => (
          <span key={lr}>
            <b>{gainText(gain)}</b> at {valueText(lr)},{" "}
          </span>
        ))}
        and with each model at the rate that is best for it <b>{gainText(atBest)}</b>.{" "}
        {atBest.mean - atBest.half > 0
          ? "So the text loss gains something at every model's best rate, too."
          : "So here the text loss is insurance against a rate that is too high, and not shown to gain anything over one that is right."}
        {map === null ? "" : mapText(map)}
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
        In the right card's picture two arrows push one box. But a story has a hidden state for each
        of its tokens, and at the top the two losses never push the same one: the reward is read at
        the last token, the text loss at those before it, each of which predicts the next. They meet
        one step below, <b>in the last block's attention</b>, where the last token takes values from
        all tokens before it. So the text loss holds the very numbers that the reward is made of.
        The view of hidden states shows it token by token, the tape op by op. All this is one small
        world: lab/RESULTS.md says what was measured with human preferences.
      </>
    ),
  },
];

/** On a telephone what happens is below the controls. */
function showResults(): void {
  const results = document.querySelector(".results");
  if ((results?.getBoundingClientRect().top ?? 0) > innerHeight - 80) results?.scrollIntoView();
}

/** The panel of the tour; a button to begin it otherwise. */
export function Tour({ state, act }: ViewProps): JSX.Element {
  const { tour } = state;
  if (tour === null) {
    return (
      <p class="tour-start">
        <button type="button" onClick={() => act({ kind: "tour", tour: 1 })}>
          Take the tour
        </button>{" "}
        <span class="soft">six steps, a few minutes</span>
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
              showResults();
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
