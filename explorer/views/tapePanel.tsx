// What the tape view says of one box: its formula and source, its numbers, which gradients arrived from where; of a
// parameter, differences against backward; of an op, the check of its rule and the guess that the bug is here.
// Next: ../tapeBench.ts, which computes them.

import type { JSX } from "preact";
import type { TapeBox } from "../../report/tape/boxes.ts";
import { digits } from "../../report/tape/draw.ts";
import type { ChartData } from "../figures/chart.tsx";
import { Figure } from "../figures/figure.tsx";
import { epsilons } from "../settings.ts";
import type { ExplorerState } from "../state.ts";
import type { DifferenceCurve, OpCheck, TapeScene } from "../tapeBench.ts";
import { formulas, type OpSource } from "../tapeFormulas.ts";
import { meetingOf, momentsAt, type TapeAction, timeOf } from "../tapeState.ts";
import { Select, Slider, type ViewProps } from "./parts.tsx";

declare const OP_SOURCES: Readonly<Record<string, OpSource>>;

/** Gaps below this are rounding. */
const checkLimit = 1e-6;

interface PanelProps extends ViewProps {
  readonly scene: TapeScene;
}

export function TapePanel({ state, scene, act }: PanelProps): JSX.Element {
  const { tape } = state;
  const box = tape.box === null ? undefined : scene.tape.boxes[tape.box];
  const go = (does: TapeAction): void => act({ kind: "tape", does });
  if (box === undefined) {
    return (
      <section class="card tape-panel" aria-label="The chosen box">
        <p class="soft">
          Choose a box: an op shows its formula, its source and its gradients; a parameter (open a
          module to see its parameters) is held against differences.
        </p>
      </section>
    );
  }
  const isLeaf = box.op === "leaf";
  return (
    <section class="card tape-panel" aria-label="The chosen box">
      <h2>
        {isLeaf ? box.name : box.op} <small>{box.type}</small>
      </h2>
      <p class="soft place-of">
        {isLeaf
          ? box.requiresGrad
            ? "A parameter: backward ends here, and training changes it."
            : "Data: no gradient is asked for."
          : `An op${box.module === "" ? "" : ` of ${box.module}`}.`}
      </p>
      {!isLeaf && <Formula box={box} />}
      <Numbers state={state} scene={scene} box={box} />
      <Meeting scene={scene} box={box} go={go} />
      {isLeaf && box.requiresGrad && <Differences state={state} box={box} go={go} />}
      {!isLeaf && <Check state={state} scene={scene} box={box} act={act} />}
      {!isLeaf && <Source box={box} />}
    </section>
  );
}

/** An op with where it ran: mul (text loss). */
export function opName({ op, module }: TapeBox): string {
  return module === "" ? op : `${op} (${module})`;
}

/** What a box is called in a sentence. */
export function nameOf({ tape }: TapeScene, id: number): string {
  const box = tape.boxes[id];
  if (box === undefined) return "";
  return box.op === "leaf" ? box.name.split(".").slice(-2).join(".") : box.op;
}

/** At the box where both losses' gradients are added first, and at the one where they share a token: what to see. */
function Meeting(props: {
  readonly scene: TapeScene;
  readonly box: TapeBox;
  readonly go: (does: TapeAction) => void;
}): JSX.Element | null {
  const { scene, box, go } = props;
  const { sameToken } = scene;
  const shared = sameToken === null ? undefined : scene.tape.boxes[sameToken];
  if (shared === undefined) return null;
  if (box.id === shared.id) {
    return (
      <p class="meeting">
        Here both losses push the same token for the first time: attention has carried the reward
        loss from the last token to those before it.
      </p>
    );
  }
  if (meetingOf(scene)?.box !== box.id) return null;
  return (
    <div class="meeting">
      <p>
        The final hidden state: here the gradients of both losses are added first. Each row is a
        token of an answer, and no row has both: the reward loss pushes the last tokens, the text
        loss those from which the answer's words are predicted.
      </p>
      <button type="button" onClick={() => go({ to: "show", box: shared.id, at: null })}>
        Where they push the same token
      </button>
    </div>
  );
}

function Formula({ box }: { readonly box: TapeBox }): JSX.Element | null {
  const formula = formulas[box.op];
  if (formula === undefined) return null;
  return (
    <dl class="formula">
      <div>
        <dt>forward</dt>
        <dd>{formula.forward}</dd>
      </div>
      <div>
        <dt>backward, g = dL/dy</dt>
        <dd>{formula.backward}</dd>
      </div>
    </dl>
  );
}

function Source({ box }: { readonly box: TapeBox }): JSX.Element | null {
  const source = OP_SOURCES[box.op];
  if (source === undefined) return null;
  return (
    <details class="source">
      <summary>Its entry in {source.file}</summary>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls is reached by keyboard */}
      <section class="scroll" tabIndex={0} aria-label={`Source of ${box.op}`}>
        <pre>{source.text}</pre>
      </section>
    </details>
  );
}

const mostNumbers = 40;

/** Numbers as rows of the last axis. */
function rowsOf(numbers: readonly number[], shape: readonly number[]): string {
  const columns = shape.at(-1) ?? 1;
  const shown = numbers.slice(0, mostNumbers).map((x) => digits(x).padStart(8));
  const rows = Array.from({ length: Math.ceil(shown.length / columns) }, (_, i) =>
    shown.slice(i * columns, (i + 1) * columns).join(" "),
  );
  return rows.join("\n") + (numbers.length > mostNumbers ? "\n       …" : "");
}

/** Value and gradient, and from where its parts arrived. */
function Numbers(props: {
  readonly state: ExplorerState;
  readonly scene: TapeScene;
  readonly box: TapeBox;
}): JSX.Element {
  const { state, scene, box } = props;
  const moment = momentsAt(scene, timeOf(state.tape))[box.id];
  const { hasRun = false, gradient = null, gifts = [], isWhole = false } = moment ?? {};
  return (
    <div class="numbers-of">
      <h3>Value</h3>
      <pre>{hasRun ? rowsOf(box.values, box.shape) : "not there yet"}</pre>
      {box.requiresGrad && (
        <>
          <h3>Gradient dL/dy{gradient !== null && !isWhole ? " so far" : ""}</h3>
          <pre>{gradient === null ? "not there yet" : rowsOf(gradient, box.shape)}</pre>
          {gifts.length > 1 && (
            <p class="soft">
              The sum of {gifts.length} parts, as {gifts.length} ops read it:{" "}
              {gifts
                .flatMap(({ from: id }) => scene.tape.boxes[id] ?? [])
                .map(opName)
                .join("; ")}
              .
            </p>
          )}
        </>
      )}
    </div>
  );
}

// --- Differences -------------------------------------------------------------------------------------

/** How many digits two numbers have in common. */
export function agreeingDigits(a: number, b: number): number {
  if (a === b) return 16;
  const gap = Math.abs(a - b) / Math.max(Math.abs(a), Math.abs(b));
  return Math.max(0, Math.min(16, Math.floor(-Math.log10(gap))));
}

function power(epsilon: number): string {
  return epsilon.toExponential(0) === epsilon.toExponential(1).replace(".0", "")
    ? epsilon.toExponential(0)
    : epsilon.toExponential(1);
}

function Differences(props: {
  readonly state: ExplorerState;
  readonly box: TapeBox;
  readonly go: (does: TapeAction) => void;
}): JSX.Element {
  const { box, go } = props;
  const { tape } = props.state;
  const { curve, element, epsilon } = tape;
  const isShown = curve !== null && curve.box === box.id && curve.element === element;
  return (
    <section class="differences" aria-label="Differences">
      <h3>Is backward right? Differences say</h3>
      <p class="help">
        dL/dx ≈ (L(x + ε) − L(x − ε)) / 2ε: run the loss twice with one number moved a little.
      </p>
      <Select
        label="Number"
        value={element}
        values={box.values.map((_, i) => i)}
        text={(i) => `[${indexOf(i, box.shape).join(", ")}]`}
        help={`which of the ${box.values.length} numbers is moved`}
        onChange={(i) => go({ to: "element", element: i })}
      />
      <Slider
        label="epsilon ε"
        value={epsilons[epsilon] ?? 1}
        values={epsilons}
        text={power}
        help="large: the curve bends between the two points. Small: two nearly equal losses are subtracted, and rounding is left"
        ends={["1e-1", "1e-8"]}
        onChange={(one) => go({ to: "epsilon", epsilon: epsilons.indexOf(one) })}
      />
      {isShown ? <Agreement curve={curve} epsilon={epsilon} /> : <p class="soft">Computing …</p>}
    </section>
  );
}

/** The place of an element along each axis. */
export function indexOf(i: number, shape: readonly number[]): number[] {
  const at: number[] = [];
  let rest = i;
  for (const side of shape.toReversed()) {
    at.unshift(rest % side);
    rest = Math.floor(rest / side);
  }
  return at;
}

function Agreement({ curve, epsilon }: { curve: DifferenceCurve; epsilon: number }): JSX.Element {
  return (
    <>
      <table class="agreement">
        <thead>
          <tr>
            <th scope="col">numbers</th>
            <th scope="col">backward</th>
            <th scope="col">differences</th>
            <th scope="col">digits</th>
          </tr>
        </thead>
        <tbody>
          {curve.dtypes.map(({ dtype, analytic, numeric }) => {
            const found = numeric[epsilon] ?? Number.NaN;
            return (
              <tr key={dtype}>
                <th scope="row">{dtype}</th>
                <td>{analytic.toPrecision(9)}</td>
                <td>{found.toPrecision(9)}</td>
                <td>{agreeingDigits(analytic, found)}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
      <Figure
        title="Gap by epsilon"
        look="How far differences are from backward, relative to it. With a right rule the gap falls with ε² and rises again where rounding wins; with a wrong one it stays."
        chart={chartOf(curve, epsilon)}
      />
    </>
  );
}

function chartOf({ dtypes }: DifferenceCurve, epsilon: number): ChartData {
  const smallest = 1e-12;
  const gap = (analytic: number, found: number): number => {
    const size = Math.max(Math.abs(analytic), Math.abs(found));
    return size === 0 ? smallest : Math.max(smallest, Math.abs(found - analytic) / size);
  };
  return {
    label: "Gap between differences and backward, for epsilon from 0.1 to 1e-8",
    x: [0, epsilons.length - 1],
    xTicks: epsilons.map((one, i) => (i % 4 === 0 ? power(one) : "")),
    xTitle: "epsilon",
    xName: (i) => power(epsilons[i] ?? 1),
    y: [smallest, 2],
    isLog: true,
    mark: epsilon,
    lines: dtypes.map(({ dtype, analytic, numeric }) => ({
      name: dtype,
      tint: dtype === "float64" ? "reg" : "plain",
      dots: true,
      points: numeric.map((found, x) => ({ x, y: gap(analytic, found) })),
    })),
    format: (y) => (y <= smallest ? "under 1e-12" : y.toExponential(1)),
    tick: (y) => y.toExponential(0),
  };
}

// --- The check of a rule -----------------------------------------------------------------------------

function Check(props: {
  readonly state: ExplorerState;
  readonly scene: TapeScene;
  readonly box: TapeBox;
  readonly act: ViewProps["act"];
}): JSX.Element {
  const { state, scene, box, act } = props;
  const { check, bug, guess } = state.tape;
  const isDone = check !== null && check.box === box.id;
  return (
    <section class="check" aria-label="Check of this op">
      <h3>Is this op's rule right?</h3>
      <div class="step-buttons">
        <button type="button" onClick={() => act({ kind: "tape check", box: box.id })}>
          Check it by differences
        </button>
        {bug !== 0 && (
          <button
            type="button"
            onClick={() => act({ kind: "tape", does: { to: "guess", box: box.id } })}
          >
            The bug is here
          </button>
        )}
      </div>
      {isDone && <CheckRows check={check} scene={scene} />}
      {bug !== 0 && guess === box.id && (
        <p class={scene.bug?.box === box.id ? "right" : "wrong"} role="status">
          {answerTo(scene, box)}
        </p>
      )}
    </section>
  );
}

/** Whether a guess is right, and why. */
function answerTo({ bug }: TapeScene, box: TapeBox): string {
  if (bug?.box === box.id)
    return `Right: this rule of ${box.op} ${bug.says}. All ops below it got wrong gradients, though their own rules are right.`;
  return (
    `No: ${box.op}'s rule is right here. A wrong gradient that arrives from above makes everything below it wrong. ` +
    "Check ops one by one; or take parameters, and look where differences stop agreeing with backward."
  );
}

function CheckRows({ check, scene }: { check: OpCheck; scene: TapeScene }): JSX.Element {
  return (
    <ul class="check-rows">
      {check.inputs.map(({ to, rule, differences, error }) => {
        const input = scene.tape.boxes[to];
        const isRight = error < checkLimit;
        const worst = rule.reduce(
          (at, x, i) =>
            Math.abs(x - (differences[i] ?? 0)) > Math.abs((rule[at] ?? 0) - (differences[at] ?? 0))
              ? i
              : at,
          0,
        );
        return (
          <li key={to} class={isRight ? "right" : "wrong"}>
            <b>{isRight ? "agrees" : "differs"}</b> for its input{" "}
            {input?.op === "leaf" ? input.name : input?.op}: rule {digits(rule[worst] ?? 0)},
            differences {digits(differences[worst] ?? 0)}, largest gap{" "}
            {error < 1e-12 ? "under 1e-12" : error.toExponential(1)}
          </li>
        );
      })}
    </ul>
  );
}
