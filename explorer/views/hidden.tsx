// Hidden state: the final hidden states of held-out stories on a plane that stays as it is, moving while both
// models train; where both losses push one pair; how far each layer has drifted from the base.
// Next: ../hiddenView.ts for what is drawn, ../figures/scatter.tsx.

import type { JSX } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import type { ChartData } from "../figures/chart.tsx";
import { Figure } from "../figures/figure.tsx";
import { Pushes } from "../figures/pushes.tsx";
import { SaveButtons } from "../figures/save.tsx";
import {
  type Arrow,
  type PlaneBox,
  Scatter,
  type ScatterPoint,
  shownTrail,
} from "../figures/scatter.tsx";
import type { HiddenPlace, HiddenScene } from "../hiddenView.ts";
import { features, type PlaneName, pairsOfEach, planes } from "../settings.ts";
import type { ExplorerState } from "../state.ts";
import { Controls } from "./controls.tsx";
import { Select, type ViewProps } from "./parts.tsx";
import { regularisedName } from "./train.tsx";

export function Hidden({ state, act }: ViewProps): JSX.Element {
  const { scene, frames, settings, detail, pair } = state;
  const count = settings.method === "bt" ? 1 : 2;
  // what changes at the tests alone is made then, and each of it in a task of its own
  const forPushes = useLater(detail);
  const forDrift = useLater(forPushes);
  const pushed = useMemo(
    () => scene && <PushFigure state={{ ...state, detail: forPushes }} scene={scene} />,
    [forPushes, pair, scene, settings],
  );
  const drift = useMemo(
    () => <Drift state={{ ...state, detail: forDrift }} />,
    [forDrift, settings],
  );
  return (
    <div class="train">
      <Controls state={state} act={act} />
      <div class="results">
        <Chooser state={state} act={act} />
        {scene === null || frames.length === 0 ? (
          <p class="soft">Reading hidden states …</p>
        ) : (
          <>
            <div class="cards">
              {Array.from({ length: count }, (_, model) => (
                <Plane key={model} state={state} scene={scene} model={model} act={act} />
              ))}
            </div>
            <p class="soft key-line">
              A point is the final hidden state at a story's last token, which the reward is read
              from. Circles: stories like those that were learnt from; squares: other animals, rare
              words, other sentences. Tails: the last {shownTrail} pictures. Arrows: where each loss
              pushes the tokens of the chosen pair, each from where its own state lies; lengths by
              the square root. {planeText(state, scene)}
            </p>
            <PairStories state={state} scene={scene} />
            {pushed}
            {drift}
          </>
        )}
      </div>
    </div>
  );
}

/** A value, a task later than it is given. */
function useLater<T>(value: T): T {
  const [shown, show] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => show(value));
    return () => clearTimeout(timer);
  }, [value]);
  return shown;
}

function planeText({ plane }: ExplorerState, { shares }: HiddenScene): string {
  const [first, second] = shares.map((share) => `${Math.round(100 * share)} %`);
  return plane === "base"
    ? `The plane is made of the two directions in which the base's states differ most (${first} and ${second} of their variance), and stays as it is.`
    : `To the right is the direction in which the base's states differ most (${first} of their variance); upwards the reward that each model gives.`;
}

function Chooser({ state, act }: ViewProps): JSX.Element {
  const pairs = Array.from({ length: 2 * pairsOfEach }, (_, i) => i);
  return (
    <div class="chooser">
      <Select
        label="Pair"
        value={state.pair}
        values={pairs}
        text={(pair) => `${pair + 1}, ${pair < pairsOfEach ? "same kind" : "new kind"}`}
        help="its pushes are drawn as arrows; a click on a point chooses its pair"
        onChange={(pair) => act({ kind: "pair", pair })}
      />
      <Select
        label="Colour"
        value={state.feature}
        values={features}
        text={(feature) => feature}
        help="what colours a story: the true reward, or what it is made of"
        onChange={(feature) => act({ kind: "feature", feature })}
      />
      <Select
        label="Plane"
        value={state.plane}
        values={Object.keys(planes) as PlaneName[]}
        text={(plane) => planes[plane]}
        help="with the reward upwards, a story that a model likes is high"
        onChange={(plane) => act({ kind: "plane", plane })}
      />
    </div>
  );
}

/** The largest size of the coloured feature among the stories. */
function largestOf({ stories }: HiddenScene, feature: ExplorerState["feature"]): number {
  return Math.max(1, ...stories.map((story) => Math.abs(story.features[feature])));
}

interface PlaneProps extends ViewProps {
  readonly scene: HiddenScene;
  readonly model: number;
}

function Plane({ state, scene, model, act }: PlaneProps): JSX.Element {
  const { pair, feature, plane } = state;
  const frames = state.frames.slice(-shownTrail);
  const largest = largestOf(scene, feature);
  const points = scene.stories.map((story, i): ScatterPoint => {
    const value = story.features[feature];
    const isChosen = story.pair === pair;
    return {
      tone: Math.round(4 + (4 * value) / largest),
      isRound: story.isKnown,
      isChosen,
      label: isChosen ? (story.isBetter ? "better" : "worse") : null,
      title: `${story.text} (${feature}: ${Number(value.toFixed(1))})`,
      trail: trailOf({ frames, plane }, model, i),
    };
  });
  const name = model === 0 ? "Plain Bradley-Terry" : regularisedName(state);
  return (
    <figure class={`card ${model === 0 ? "plain" : "reg"}`}>
      <h2>
        <span class="key" aria-hidden="true" />
        {name}
      </h2>
      <ul class="legend">
        <li class="reward">
          <span class="key" aria-hidden="true" />
          reward loss pushes
        </li>
        {model === 1 && (
          <li class="text">
            <span class="key" aria-hidden="true" />
            text loss pushes
          </li>
        )}
        <li>
          <span class="ramp" aria-hidden="true" /> {feature}, −{largest} to {largest}
        </li>
      </ul>
      <Scatter
        label={`${name}: final hidden states of ${points.length} stories at step ${frames.at(-1)?.step}`}
        points={points}
        box={boxOf(state)}
        up={plane === "reward" ? "reward" : null}
        arrows={arrowsOf(state, model)}
        onPick={(i) => act({ kind: "pair", pair: scene.stories[i]?.pair ?? 0 })}
      />
      <SaveButtons title={`Hidden states ${name}`} />
    </figure>
  );
}

/** Where a place is drawn: the reward upwards, or the base's second direction. */
function seenAt([first, second, reward]: HiddenPlace, plane: PlaneName): readonly [number, number] {
  return [first, plane === "reward" ? reward : second];
}

/** Where a story is drawn, frame by frame. */
function trailOf(
  { frames, plane }: Pick<ExplorerState, "frames" | "plane">,
  model: number,
  story: number,
) {
  return frames.flatMap(({ places }): (readonly [number, number])[] => {
    const place = places[model]?.[story];
    return place === undefined ? [] : [seenAt(place, plane)];
  });
}

/** The pushes on the tokens of both answers. */
function arrowsOf({ frames, pair, plane }: ExplorerState, model: number): Arrow[] {
  const last = frames.at(-1);
  if (last?.pair !== pair) return [];
  return (last.arrows[model] ?? []).flatMap(({ places, ...pushes }) =>
    (["text", "reward"] as const).flatMap((of) =>
      pushes[of].flatMap((push, t): Arrow[] => {
        const at = places[t];
        if (at === undefined || push.every((x) => x === 0)) return [];
        return [{ of, at: seenAt(at, plane), way: seenAt(push, plane) }];
      }),
    ),
  );
}

/** A part of the plane that holds both models' stories and their tails; it changes in steps, so that it seldom moves. */
function boxOf(state: ExplorerState): PlaneBox {
  const { frames, scene, plane } = state;
  const shown = { ...state, frames: frames.slice(-shownTrail) };
  const all = [0, 1].flatMap((model) =>
    (scene?.stories ?? []).flatMap((_, story) => trailOf(shown, model, story)),
  );
  const axis = (k: 0 | 1): readonly [low: number, high: number] => {
    const values = all.map((point) => point[k]);
    return [Math.min(...values), Math.max(...values)];
  };
  const around = ([low, high]: readonly [number, number], size: number) => {
    const grid = size / 8;
    const middle = grid * Math.round((low + high) / 2 / grid);
    return [middle - size / 2, middle + size / 2] as const;
  };
  const size = ([low, high]: readonly [number, number]): number =>
    1.15 ** Math.ceil(Math.log(1.15 * Math.max(high - low, 0.1)) / Math.log(1.15));
  const [x, y] = [axis(0), axis(1)];
  if (plane === "reward") return { x: around(x, size(x)), y: around(y, size(y)) };
  const both = Math.max(size(x), size(y)); // one scale: lengths on the plane can be compared
  return { x: around(x, both), y: around(y, both) };
}

function PairStories({ state, scene }: { state: ExplorerState; scene: HiddenScene }): JSX.Element {
  const stories = scene.stories.filter(({ pair }) => pair === state.pair);
  return (
    <dl class="stories">
      {stories.map((story) => (
        <div key={story.isBetter ? "better" : "worse"}>
          <dt>
            {story.isBetter ? "better" : "worse"}, worth {story.features["gold reward"].toFixed(1)}
          </dt>
          <dd>{story.text}</dd>
        </div>
      ))}
    </dl>
  );
}

function PushFigure({ state, scene }: { state: ExplorerState; scene: HiddenScene }): JSX.Element {
  const { detail, pair } = state;
  const story = scene.stories.find((one) => one.pair === pair && one.isBetter);
  const title = "Where the two losses push the better story";
  const isThere = detail !== null && detail.pair === pair && story !== undefined;
  if (!isThere || detail.rows === null) {
    return (
      <figure class="wide">
        <h3>{title}</h3>
        <p class="soft">
          {isThere
            ? "Without a text loss there is nothing for the reward loss to meet."
            : "Walking back through the network …"}
        </p>
      </figure>
    );
  }
  const { disjoint, meets } = detail;
  return (
    <figure class="wide">
      <h3>{title}</h3>
      <ul class="legend">
        <li class="text">
          <span class="key" aria-hidden="true" />
          text loss
        </li>
        <li class="reward">
          <span class="key" aria-hidden="true" />
          reward loss
        </li>
      </ul>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls is reached by keyboard */}
      <section class="scroll tall" tabIndex={0} aria-label={title}>
        <Pushes label={title} tokens={story.tokens} rows={detail.rows} side="better" />
      </section>
      <figcaption>
        Bars are norms of each loss's gradient, largest of the row at full height, by the square
        root.{" "}
        <b>
          {disjoint
            ? "At the final hidden state no token is pushed by both"
            : "At the final hidden state some tokens are pushed by both"}
          {meets === null ? "." : `; going down, they first meet in ${meets}.`}
        </b>{" "}
        The reward is read at the last token; the text loss needs every token before it. Step{" "}
        {detail.step}, {regularisedName(state)}.
      </figcaption>
      <SaveButtons title={title} />
    </figure>
  );
}

const layers = ["embed.", "block 0", "block 1", "block 2", "final"];

function Drift({ state }: { readonly state: ExplorerState }): JSX.Element | null {
  const { detail } = state;
  if (detail === null) return null;
  const chart = (key: "cosine" | "cka"): ChartData => ({
    label: `${key} with the base by layer`,
    x: [0, layers.length - 1],
    xTicks: layers,
    xTitle: "layer",
    xName: (x) => layers[x] ?? "",
    y: [0, 1],
    lines: detail.drift.map((of, model) => ({
      name: model === 0 ? "plain" : regularisedName(state),
      tint: model === 0 ? "plain" : "reg",
      points: of.flatMap((layer, x) => {
        const y = layer[key];
        return y === null ? [] : [{ x, y }];
      }),
      dots: true,
    })),
    format: (y) => y.toFixed(2),
  });
  return (
    <div class="figures">
      <Figure
        title="Drift by layer: direction"
        look={`Mean cosine of each token's state with the base's, 1 where nothing moved. Step ${detail.step}.`}
        chart={chart("cosine")}
      />
      <Figure
        title="Drift by layer: arrangement"
        look={`CKA with the base's states: whether tokens lie to each other as they did, however all are turned. Step ${detail.step}.`}
        chart={chart("cka")}
      />
    </div>
  );
}
