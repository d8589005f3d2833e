// The controls of a training: what the second model is trained with, and start, pause, one step, reset.
// Next: ../settings.ts for the choices.

import type { JSX } from "preact";
import {
  choices,
  type ExplorerSettings,
  regularisers,
  type SettingName,
  valueText,
} from "../settings.ts";
import { stepOf } from "../state.ts";
import { Choices, Select, Slider, type ViewProps } from "./parts.tsx";

export function Controls({ state, act }: ViewProps): JSX.Element {
  const { settings } = state;
  const set = (change: Partial<ExplorerSettings>): void => act({ kind: "set", settings: change });
  return (
    <section class="controls" aria-label="Settings of the training">
      <Buttons state={state} act={act} />
      <Choices
        label="Regulariser of the second model"
        name="method"
        value={settings.method}
        options={regularisers}
        help={choices.method.help}
        onChange={(method) => set({ method })}
      />
      <AlphaSlider settings={settings} set={set} />
      <Slider
        label={choices.lr.label}
        value={settings.lr}
        values={choices.lr.values}
        text={valueText}
        help={choices.lr.help}
        ends={["gentle", "hot"]}
        onChange={(lr) => set({ lr })}
      />
      <details class="more">
        <summary>More settings</summary>
        {(["pairs", "flips", "head", "beta", "seed", "base"] as const).map((name) => (
          <Setting key={name} name={name} settings={settings} set={set} />
        ))}
      </details>
      <Code code={state.code} />
    </section>
  );
}

/** The text loss's share; without a regulariser there is none. */
export function AlphaSlider({
  settings,
  set,
}: {
  readonly settings: ExplorerSettings;
  readonly set: (change: Pick<ExplorerSettings, "alpha">) => void;
}): JSX.Element {
  return (
    <Slider
      label={choices.alpha.label}
      value={settings.alpha}
      values={choices.alpha.values}
      text={valueText}
      help={choices.alpha.help}
      ends={["all reward", "all text"]}
      isDisabled={settings.method === "bt"}
      onChange={(alpha) => set({ alpha })}
    />
  );
}

function Setting(props: {
  readonly name: SettingName;
  readonly settings: ExplorerSettings;
  readonly set: (change: Partial<ExplorerSettings>) => void;
}): JSX.Element {
  const { name, settings, set } = props;
  const { label, help } = choices[name];
  const values: readonly (string | number)[] = choices[name].values;
  return (
    <Select
      label={label}
      value={settings[name]}
      values={values}
      text={name === "flips" ? (value) => `${100 * Number(value)} %` : valueText}
      help={help}
      onChange={(value) => set({ [name]: value })}
    />
  );
}

const phaseTexts = {
  starting: "Getting ready …",
  ready: "Ready",
  running: "Training",
  finished: "Finished",
  failed: "Stopped by an error",
} as const;

function Buttons({ state, act }: ViewProps): JSX.Element {
  const { phase, steps } = state;
  const step = stepOf(state);
  const isOver = phase === "finished" || phase === "failed";
  const status = phase === "ready" && step > 0 ? "Paused" : phaseTexts[phase];
  return (
    <div class="buttons">
      {phase === "running" ? (
        <button type="button" class="primary" onClick={() => act({ kind: "pause" })}>
          Pause
        </button>
      ) : (
        <button
          type="button"
          class="primary"
          onClick={() => {
            if (isOver) act({ kind: "reset" });
            act({ kind: "run" });
          }}
        >
          {isOver ? "Train again" : step > 0 ? "Go on" : "Start"}
        </button>
      )}
      <button type="button" disabled={phase !== "ready"} onClick={() => act({ kind: "step" })}>
        One step
      </button>
      <button type="button" onClick={() => act({ kind: "reset" })}>
        Reset
      </button>
      <progress value={step} max={Math.max(1, steps)} aria-label="Steps taken" />
      <p class="status">
        <span role="status">{status}</span>
        {steps > 0 && (
          <span>
            step <b id="step">{step}</b> of {steps}
          </span>
        )}
      </p>
    </div>
  );
}

function Code({ code }: { readonly code: string }): JSX.Element {
  return (
    <details class="more code">
      <summary>Copy as code</summary>
      <p class="help">
        The same training as a program for Node; its losses are these, to the last bit.
      </p>
      <button
        type="button"
        disabled={code === ""}
        onClick={(event) => void copy(event.currentTarget, code)}
      >
        Copy
      </button>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls is reached by keyboard */}
      <section class="scroll" tabIndex={0} aria-label="Program for Node">
        <pre>{code}</pre>
      </section>
    </details>
  );
}

/** Puts the text on the clipboard; where that isn't allowed, marks it, so that a reader can. */
async function copy(button: HTMLElement, code: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(code);
    button.textContent = "Copied";
  } catch {
    const text = button.parentElement?.querySelector("pre");
    if (text) getSelection()?.selectAllChildren(text);
    button.textContent = "Marked: copy it with your keyboard";
  }
}
