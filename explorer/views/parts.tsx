// Small parts that several views share. Next: train.tsx.

import type { JSX } from "preact";
import type { Action, ExplorerState } from "../state.ts";

/** What every view is given. */
export interface ViewProps {
  readonly state: ExplorerState;
  readonly act: (action: Action) => void;
}

/** 71.3 % */
export function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

/** Three digits, however large. */
export function short(value: number): string {
  if (!Number.isFinite(value)) return "–";
  if (value >= 1e6) return value.toExponential(1).replace("e+", "e");
  if (value >= 100) return Math.round(value).toLocaleString("en-US");
  return value.toPrecision(3);
}

/** +3.1, in points of a hundred. */
export function points(difference: number): string {
  return `${difference < 0 ? "−" : "+"}${Math.abs(100 * difference).toFixed(1)}`;
}

/** A labelled list of choices that are all seen. */
export function Choices<T extends string>(props: {
  readonly label: string;
  readonly name: string;
  readonly value: T;
  readonly options: Readonly<Record<T, string>>;
  readonly help?: string;
  readonly onChange: (value: T) => void;
}): JSX.Element {
  const { label, name, value, options, help, onChange } = props;
  return (
    <fieldset class="choices">
      <legend>{label}</legend>
      <div>
        {(Object.keys(options) as T[]).map((key) => (
          <label key={key}>
            <input
              type="radio"
              name={name}
              value={key}
              checked={key === value}
              onChange={() => onChange(key)}
            />
            <span>{options[key]}</span>
          </label>
        ))}
      </div>
      {help !== undefined && <p class="help">{help}</p>}
    </fieldset>
  );
}

/** A slider over a few values. */
export function Slider<T>(props: {
  readonly label: string;
  readonly value: T;
  readonly values: readonly T[];
  readonly text: (value: T) => string;
  readonly help: string;
  readonly ends?: readonly [string, string];
  readonly isDisabled?: boolean;
  readonly onChange: (value: T) => void;
}): JSX.Element {
  const { label, value, values, text, help, ends, isDisabled = false, onChange } = props;
  const id = `slider-${label.replaceAll(/\W+/g, "-")}`;
  return (
    <div class="slider">
      <label for={id}>{label}</label>
      <output for={id}>{text(value)}</output>
      <input
        id={id}
        type="range"
        min="0"
        max={values.length - 1}
        step="1"
        value={values.indexOf(value)}
        disabled={isDisabled}
        aria-valuetext={text(value)}
        aria-describedby={`${id}-help`}
        onInput={(event) => onChange(values[Number(event.currentTarget.value)] as T)}
      />
      {ends !== undefined && (
        <div class="ends" aria-hidden="true">
          <span>{ends[0]}</span>
          <span>{ends[1]}</span>
        </div>
      )}
      <p class="help" id={`${id}-help`}>
        {help}
      </p>
    </div>
  );
}

/** A list of choices that opens. */
export function Select<T extends string | number>(props: {
  readonly label: string;
  readonly value: T;
  readonly values: readonly T[];
  readonly text: (value: T) => string;
  readonly help: string;
  readonly onChange: (value: T) => void;
}): JSX.Element {
  const { label, value, values, text, help, onChange } = props;
  const id = `select-${label.replaceAll(/\W+/g, "-")}`;
  return (
    <div class="select">
      <label for={id}>{label}</label>
      <select
        id={id}
        aria-describedby={`${id}-help`}
        onChange={(event) => onChange(values[event.currentTarget.selectedIndex] as T)}
      >
        {values.map((one) => (
          <option key={one} selected={one === value}>
            {text(one)}
          </option>
        ))}
      </select>
      <p class="help" id={`${id}-help`}>
        {help}
      </p>
    </div>
  );
}
