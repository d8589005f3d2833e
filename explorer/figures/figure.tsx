// A figure of the page: title, what to look for, legend, picture, its numbers as a table, and buttons that save
// it as SVG or PNG. Next: chart.tsx for the picture, save.tsx for the files.

import type { JSX } from "preact";
import { Chart, type ChartData } from "./chart.tsx";
import { SaveButtons } from "./save.tsx";

interface FigureProps {
  readonly title: string;
  /** What to look for, in a sentence. */
  readonly look: string;
  readonly chart: ChartData;
}

/** A chart in its frame. */
export function Figure({ title, look, chart }: FigureProps): JSX.Element {
  const isEmpty = chart.lines.every(({ points }) => points.length === 0);
  return (
    <figure>
      <h3>{title}</h3>
      <ul class="legend">
        {chart.lines.map(({ name, tint, points }) => (
          <li key={name} class={tint}>
            <span class="key" aria-hidden="true" />
            {name}
            {points.length > 0 && <b> {chart.format(points.at(-1)?.y ?? Number.NaN)}</b>}
          </li>
        ))}
      </ul>
      <Chart {...chart} />
      <figcaption>{look}</figcaption>
      {!isEmpty && <Numbers title={title} chart={chart} />}
    </figure>
  );
}

/** All numbers of a chart, and its files. The table is made when it is opened. */
function Numbers({ title, chart }: { title: string; chart: ChartData }): JSX.Element {
  const xs = [...new Set(chart.lines.flatMap(({ points }) => points.map(({ x }) => x)))];
  xs.sort((a, b) => a - b);
  const cell = (points: ChartData["lines"][number]["points"], x: number): string => {
    const found = points.find((point) => point.x === x);
    if (found === undefined) return "";
    const { y, low, high } = found;
    const ends = low === undefined || high === undefined;
    return `${chart.format(y)}${ends ? "" : ` [${chart.format(low)}, ${chart.format(high)}]`}`;
  };
  return (
    <details class="numbers">
      <summary>Numbers and files</summary>
      <SaveButtons title={title} />
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls is reached by keyboard */}
      <section class="scroll" tabIndex={0} aria-label={`${title}: numbers`}>
        <table>
          <thead>
            <tr>
              <th scope="col">{chart.xTitle ?? "step"}</th>
              {chart.lines.map(({ name }) => (
                <th key={name} scope="col">
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {xs.map((x) => (
              <tr key={x}>
                <td>{chart.xName?.(x) ?? x}</td>
                {chart.lines.map(({ name, points }) => (
                  <td key={name}>{cell(points, x)}</td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </section>
    </details>
  );
}
