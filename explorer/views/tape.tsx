// Tape: the loss of one pair on a tiny model, recorded and walked back op by op. The graph folds by modules; a click
// on an op shows its formula, its source and its numbers. Next: tapePanel.tsx, ../tapeState.ts, ../tapeBench.ts.

import { type ComponentChild, h, type JSX } from "preact";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { tinyAnswers } from "../../lab/tinyWords.ts";
import { tintsOf } from "../../report/tape/boxes.ts";
import { drawTape, type SvgPart } from "../../report/tape/draw.ts";
import type { TapeLayout } from "../../report/tape/layout.ts";
import { SaveButtons } from "../figures/save.tsx";
import { bugSeeds, regularisers } from "../settings.ts";
import type { ExplorerState } from "../state.ts";
import type { TapeScene } from "../tapeBench.ts";
import { meetingOf, momentOf, momentsAt, type TapeAction, timeOf, timesOf } from "../tapeState.ts";
import { AlphaSlider } from "./controls.tsx";
import { Choices, Select, type ViewProps } from "./parts.tsx";
import { nameOf, opName, TapePanel } from "./tapePanel.tsx";

export function Tape({ state, act }: ViewProps): JSX.Element {
  const { scene } = state.tape;
  const go = (does: TapeAction): void => act({ kind: "tape", does });
  const keys = (event: KeyboardEvent): void => {
    const by = ({ ArrowRight: 1, ArrowLeft: -1 } as const)[event.key];
    const isField = event.target instanceof Element && event.target.matches("input, select");
    if (by === undefined || isField || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    go({ to: "step", by });
  };
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: buttons inside do the same as the arrow keys
    <div class="train tape-view" onKeyDown={keys}>
      <TapeControls state={state} act={act} />
      <div class="results">
        {state.failure !== null && (
          <p class="failure" role="alert">
            {state.failure}
          </p>
        )}
        {scene === null ? (
          <p class="soft">Recording …</p>
        ) : (
          <>
            <Steps state={state} scene={scene} go={go} />
            <div class="tape-and-panel">
              <TapeFigure state={state} scene={scene} go={go} />
              <TapePanel state={state} scene={scene} act={act} />
            </div>
          </>
        )}
      </div>
    </div>
  );
}

function TapeControls({ state, act }: ViewProps): JSX.Element {
  const { settings, tape } = state;
  return (
    <section class="controls" aria-label="Settings of the tape">
      <p class="help">
        One pair: after “fox”, “{tinyAnswers.chosen}” is preferred to “{tinyAnswers.rejected}”. The
        model has five words and a hidden state of four numbers. Running it records a <b>tape</b>:
        each op and what it read. <b>Backward</b> walks the tape from the loss to the parameters,
        and asks each op's rule for gradients: by how much the loss rises with each number.
      </p>
      <Choices
        label="Text loss"
        name="tape-method"
        value={settings.method}
        options={regularisers}
        onChange={(method) => act({ kind: "set", settings: { method } })}
      />
      <AlphaSlider settings={settings} set={(change) => act({ kind: "set", settings: change })} />
      <Select
        label="Planted bug"
        value={tape.bug}
        values={bugSeeds}
        text={(bug) => (bug === 0 ? "none" : `no. ${bug}`)}
        help="makes the gradient rule of one op wrong. Find it: choose an op and check it, or follow a parameter's differences"
        onChange={(bug) => act({ kind: "tape", does: { to: "bug", bug } })}
      />
    </section>
  );
}

interface Shown {
  readonly state: ExplorerState;
  readonly scene: TapeScene;
  readonly go: (does: TapeAction) => void;
}

/** Buttons that move through the tape, and what happened last. */
function Steps({ state: { tape }, scene, go }: Shown): JSX.Element {
  const [time, end] = [timeOf(tape), timesOf(scene)];
  const meeting = meetingOf(scene);
  return (
    <section class="steps" aria-label="Steps">
      <div class="step-buttons">
        <button type="button" disabled={time === 0} onClick={() => go({ to: "time", at: 0 })}>
          To the start
        </button>
        <button type="button" disabled={time === 0} onClick={() => go({ to: "step", by: -1 })}>
          Back
        </button>
        <button
          type="button"
          class="primary"
          onClick={() => go({ to: "play", isPlaying: !tape.isPlaying })}
        >
          {tape.isPlaying ? "Pause" : "Play"}
        </button>
        <button type="button" disabled={time === end} onClick={() => go({ to: "step", by: 1 })}>
          Step
        </button>
        <button type="button" disabled={time === end} onClick={() => go({ to: "time", at: null })}>
          To the end
        </button>
        {meeting !== null && (
          <button
            type="button"
            onClick={() => go({ to: "show", box: meeting.box, at: meeting.at })}
          >
            Where the losses meet
          </button>
        )}
      </div>
      <progress value={time} max={end} aria-label="Place on the tape" />
      <p class="happened" role="status">
        {happenedAt(scene, time)}
      </p>
    </section>
  );
}

/** What just ran or was just walked, in a sentence. */
function happenedAt(scene: TapeScene, time: number): string {
  const ops = scene.tape.boxes.filter(({ op }) => op !== "leaf");
  const N = ops.length;
  if (time === 0)
    return `Nothing has run yet. Forward has ${N} ops, and backward walks them again.`;
  if (time <= N) {
    const op = ops[time - 1];
    const last = time === N ? " This is the loss: backward begins here with dL/dL = 1." : "";
    return `Forward, op ${time} of ${N}: ${op === undefined ? "" : opName(op)} made ${op?.type}.${last}`;
  }
  const step = scene.walk[time - N - 1];
  const op = scene.tape.boxes[step?.box ?? -1];
  const to = new Set(step?.gives.map(({ to: id }) => nameOf(scene, id)));
  const given = to.size === 0 ? "nobody" : [...to].join(", ");
  return `Backward, op ${time - N} of ${N}: ${op === undefined ? "" : opName(op)} took dL/dy and gave gradients to ${given}.`;
}

// --- The graph ---------------------------------------------------------------------------------------

/** What has the focus once the boxes stand where they will. */
let nextFocus: string | null = null;

function TapeFigure({ state: { tape }, scene, go }: Shown): JSX.Element {
  const time = timeOf(tape);
  const frame = useRef<HTMLDivElement>(null);
  const { box, layout } = tape;
  const wanted = box === null ? ".box.now" : ".box.chosen";
  useEffect(() => bringIntoView(frame.current, wanted), [wanted, box, layout]);
  useEffect(() => bringIntoView(frame.current, ".box.now"), [time]);
  useEffect(() => {
    if (nextFocus === null) return;
    frame.current?.querySelector<SVGElement>(`[data-key="${CSS.escape(nextFocus)}"]`)?.focus();
    nextFocus = null;
  }, [layout]);
  // drawn again when it changes, not whenever a training beside it tells something
  const picture = useMemo(
    () => layout && asJsx(pictureOf(scene, layout, { box, time })),
    [scene, layout, box, time],
  );
  const choose = (element: Element | null): void => {
    const key = element?.closest("[data-key]")?.getAttribute("data-key");
    if (key) pressed(key, go);
  };
  return (
    <figure class="tape-figure">
      <ul class="legend">
        <li class="reward">
          <span class="key" aria-hidden="true" />
          leads to the reward loss
        </li>
        <li class="text">
          <span class="key" aria-hidden="true" />
          to the text loss
        </li>
        <li class="both">
          <span class="key" aria-hidden="true" />
          to both
        </li>
      </ul>
      {/* biome-ignore lint/a11y/noStaticElementInteractions: the boxes inside are buttons */}
      <div
        class="tape-scroll"
        ref={frame}
        onClick={(event) => choose(event.target as Element)}
        onKeyDown={(event) => {
          if (event.key !== "Enter" && event.key !== " ") return;
          event.preventDefault();
          choose(event.target as Element);
        }}
      >
        {picture}
      </div>
      <figcaption>
        y: an op's value, dL: the gradient of the loss by it; blue above 0, orange below. A box with
        “+” is a folded module: a click opens it.
      </figcaption>
      <p class="save-row">
        <button type="button" onClick={() => go({ to: "fold all", isOpen: true })}>
          Open all
        </button>{" "}
        <button type="button" onClick={() => go({ to: "fold all", isOpen: false })}>
          Fold all
        </button>
      </p>
      <SaveButtons title="tape" />
    </figure>
  );
}

/** The tape at a time, with a box chosen. */
function pictureOf(
  scene: TapeScene,
  layout: TapeLayout,
  { box, time }: { readonly box: number | null; readonly time: number },
): SvgPart {
  const moments = momentsAt(scene, time);
  return drawTape(layout, {
    label: `The tape, ${scene.walk.length} ops; arrow keys step through it`,
    buttons: true,
    tint: tintsOf(scene.tape, scene.ends),
    look: (item) => {
      const own = momentOf(item, moments);
      const isChosen = item.boxes.some(({ id }) => id === box);
      const isPart = own !== undefined && own.gradient !== null && !own.isWhole;
      const says = {
        now: own?.isNow,
        chosen: isChosen,
        waiting: own?.hasRun === false,
        part: isPart,
      };
      const classes = Object.entries(says).filter(([, is]) => is);
      return {
        classes: classes.map(([name]) => name).join(" "),
        values: own?.hasRun ? item.output.values : null,
        gradient: own?.gradient ?? null,
      };
    },
  });
}

/** Scrolls the picture, and not the page, until something in it is seen. */
function bringIntoView(frame: HTMLElement | null, selector: string): void {
  const item = frame?.querySelector(selector);
  if (!frame || !item) return;
  const [around, own] = [frame.getBoundingClientRect(), item.getBoundingClientRect()];
  const isSeen =
    own.left >= around.left &&
    own.right <= around.right &&
    own.top >= around.top &&
    own.bottom <= around.bottom;
  if (isSeen) return;
  frame.scrollLeft += own.left + own.width / 2 - (around.left + around.width / 2);
  frame.scrollTop += own.top + own.height / 2 - (around.top + around.height / 2);
}

/** A box was chosen, a module opened or closed; what stands in its place then has the focus. */
function pressed(key: string, go: Shown["go"]): void {
  const [kind = "", ...words] = key.split(" ");
  const rest = words.join(" ");
  if (kind === "op") {
    go({ to: "box", box: Number(rest) });
    afterDrawing(() => {
      const panel = document.querySelector(".tape-panel");
      const top = panel?.getBoundingClientRect().top ?? 0;
      if (top > innerHeight - 80) panel?.scrollIntoView(); // on a telephone it is below the graph
    });
    return;
  }
  const isOpen = kind === "module";
  go({ to: "fold", path: rest, isOpen });
  const other = isOpen ? `frame ${rest}` : `module ${rest}`;
  nextFocus = other;
}

/** Does something once what was asked for is drawn. */
function afterDrawing(fn: () => void): void {
  requestAnimationFrame(() => requestAnimationFrame(fn));
}

/** A tree of SVG as elements of the page. */
function asJsx({ tag, attributes, inside }: SvgPart): ComponentChild {
  const children = inside.map((child) => (typeof child === "string" ? child : asJsx(child)));
  const key = attributes["data-key"];
  return h(tag, { ...attributes, ...(key !== undefined && { key }) }, ...children);
}
