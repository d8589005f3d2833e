// Train: plain Bradley-Terry and a regularised model from the same base, side by side and live: what each knows,
// what it still writes, and the curves behind it. Next: controls.tsx, curves.ts.

import type { JSX } from "preact";
import { Figure } from "../figures/figure.tsx";
import { Heads } from "../figures/heads.tsx";
import type { ModelLook } from "../liveTraining.ts";
import { regularisers, storyTitles } from "../settings.ts";
import type { ExplorerState } from "../state.ts";
import { Controls } from "./controls.tsx";
import { accuracyChart, lossChart, perplexityChart, shareChart } from "./curves.ts";
import { percent, points, short, type ViewProps } from "./parts.tsx";

export function Train({ state, act }: ViewProps): JSX.Element {
  return (
    <div class="train">
      <Controls state={state} act={act} />
      <div class="results">
        {state.failure !== null && (
          <p class="failure" role="alert">
            {state.failure}
          </p>
        )}
        <div class="cards">
          <ModelCard state={state} at={0} />
          {state.settings.method !== "bt" && <ModelCard state={state} at={1} />}
        </div>
        <Gain state={state} />
        <Curves state={state} />
      </div>
    </div>
  );
}

/** What the second model is called. */
export function regularisedName({ settings }: ExplorerState): string {
  return `GRM-${regularisers[settings.method]}`;
}

function ModelCard({
  state,
  at,
}: {
  readonly state: ExplorerState;
  readonly at: number;
}): JSX.Element {
  const { looks, records, settings } = state;
  const first = looks[0]?.models[at];
  const look = looks.at(-1)?.models[at];
  const isPlain = at === 0;
  return (
    <section class={`card ${isPlain ? "plain" : "reg"}`}>
      <h2>
        <span class="key" aria-hidden="true" />
        {isPlain ? "Plain Bradley-Terry" : regularisedName(state)}
      </h2>
      <p class="formula">
        {isPlain
          ? "loss = reward loss"
          : `loss = ${weight(1 - settings.alpha)} · reward loss + ${settings.alpha} · text loss`}
      </p>
      <Heads record={records[at]?.at(-1) ?? null} isRegularised={!isPlain && settings.alpha > 0} />
      <dl class="facts">
        <Fact
          name="perplexity of stories"
          value={look && short(look.perplexity)}
          note={first && `base ${short(first.perplexity)}`}
        />
        <Fact
          name="accuracy out of distribution"
          value={look && percent(look.ood.value)}
          note={rangeOf(look, "ood")}
        />
        <Fact
          name="accuracy in distribution"
          value={look && percent(look.id.value)}
          note={rangeOf(look, "id")}
        />
      </dl>
      <div class="writes">
        {storyTitles.map((title, i) => (
          <p key={title}>
            <span>It writes of “{title}”:</span> <q>{look?.stories[i] ?? "…"}</q>
          </p>
        ))}
      </div>
    </section>
  );
}

/** A weight without the digits that subtraction leaves. */
function weight(value: number): string {
  return String(Number(value.toFixed(3)));
}

function rangeOf(look: ModelLook | undefined, which: "id" | "ood"): string | undefined {
  if (look === undefined) return undefined;
  const { low, high } = look[which];
  return `${(100 * low).toFixed(0)} to ${(100 * high).toFixed(0)}`;
}

function Fact(props: {
  readonly name: string;
  readonly value: string | undefined;
  readonly note: string | undefined;
}): JSX.Element {
  const { name, value, note } = props;
  return (
    <div>
      <dt>{name}</dt>
      <dd>
        <b>{value ?? "–"}</b>
        {note !== undefined && <small>{note}</small>}
      </dd>
    </div>
  );
}

/** The difference that this run shows out of distribution, and whether it shows one. */
function Gain({ state }: { readonly state: ExplorerState }): JSX.Element | null {
  const look = state.looks.at(-1);
  if (look?.gain == null || look.step === 0) return null;
  const { mean, half, n } = look.gain;
  const [low, high] = [mean - (half ?? 0), mean + (half ?? 0)];
  const name = regularisedName(state);
  const found = `${points(mean)} points, 95 % interval [${points(low)}, ${points(high)}]`;
  const verdict =
    low > 0 ? `${name} is ahead` : high < 0 ? "Plain is ahead" : "No difference is shown";
  return (
    <p class="gain">
      <b>{verdict}</b> out of distribution: {name} less plain is {found}, on {n} pairs.{" "}
      <span class="soft">
        {look.isFull
          ? "One run is one draw of luck; the tour says what many seeds say."
          : "A glance on the way; all tests are taken at the end."}
      </span>
    </p>
  );
}

function Curves({ state }: { readonly state: ExplorerState }): JSX.Element {
  const name = regularisedName(state);
  return (
    <div class="figures">
      <Figure
        title="Perplexity of stories"
        look="How well each model still predicts stories of the whole world: low is good, the axis is logarithmic."
        chart={perplexityChart(state, name)}
      />
      <Figure
        title="Accuracy out of distribution"
        look="Pairs with other animals, rare words, other sentences, and all at once. Bands are 95 % intervals of these pairs."
        chart={accuracyChart(state, name, "ood")}
      />
      <Figure
        title="Accuracy in distribution"
        look="Fresh pairs drawn like those that were learnt from. 50 % is a coin."
        chart={accuracyChart(state, name, "id")}
      />
      <Figure
        title="Reward loss"
        look="Bradley-Terry's loss on the pairs of each step, faint, and the mean of eight steps. 0.69 is a coin's."
        chart={lossChart(state, name)}
      />
      {state.settings.method !== "bt" && (
        <>
          <Figure
            title="Text loss"
            look="The loss that keeps the second model predicting text, on the pairs of each step."
            chart={lossChart(state, name, "text")}
          />
          <Figure
            title="Who pushes the hidden state"
            look="The text loss's share of the squared gradient at the final hidden states, with α in it."
            chart={shareChart(state, name)}
          />
        </>
      )}
    </div>
  );
}
