// Over-optimisation: slide n, and the best of n answers by two proxies and by the truth change side by side,
// while the curve of what they are truly worth grows. Next: ../overoptView.ts.

import type { JSX } from "preact";
import type { ChartData, ChartLine } from "../figures/chart.tsx";
import { Figure } from "../figures/figure.tsx";
import type { Overopt } from "../overoptView.ts";
import { choices, chooserNames, type OveroptChooser, overoptPrompts } from "../settings.ts";
import type { ExplorerState } from "../state.ts";
import { percent, Select, Slider, type ViewProps } from "./parts.tsx";

const titles: Readonly<
  Record<OveroptChooser, { readonly name: string; readonly tint: ChartLine["tint"] }>
> = {
  bt: { name: "plain proxy", tint: "plain" },
  "grm-sft": { name: "GRM-SFT proxy", tint: "reg" },
  gold: { name: "the truth itself", tint: "text" },
};

export function Overoptimise({ state, act }: ViewProps): JSX.Element {
  const { overopt, settings } = state;
  const isShown = overopt !== null && overopt.seed === settings.seed;
  return (
    <div class="train">
      <section class="controls" aria-label="Settings of the over-optimisation">
        <p class="help">
          Another little world, “tales”. Two proxies learn from 200 pairs of stories, a quarter of
          the labels flipped. A language model writes many answers to a title, and the answer that a
          proxy likes best is taken. Is it truly better?
        </p>
        {isShown && (
          <Slider
            label="n: answers to choose from"
            value={overopt.ns[state.n] ?? 1}
            values={overopt.ns}
            text={String}
            help="the larger n, the harder the proxy is optimised"
            ends={["1", String(overopt.ns.at(-1))]}
            onChange={(n) => act({ kind: "n", n: overopt.ns.indexOf(n) })}
          />
        )}
        <Select
          label="Title"
          value={state.title}
          values={Array.from({ length: overoptPrompts }, (_, i) => i)}
          text={(i) => (isShown ? (overopt.prompts[i]?.title ?? "") : String(i + 1))}
          help="whose answers are shown; the curves are over all ten"
          onChange={(title) => act({ kind: "title", title })}
        />
        <Select
          label="Seed"
          value={settings.seed}
          values={choices.seed.values}
          text={String}
          help="other stories, other preferences, other proxies: seeds differ more than methods"
          onChange={(seed) => act({ kind: "set", settings: { seed } })}
        />
      </section>
      <div class="results">
        {isShown ? <Shown state={state} overopt={overopt} /> : <Progress state={state} />}
      </div>
    </div>
  );
}

function Progress({ state: { overoptProgress: at, failure } }: { readonly state: ExplorerState }) {
  if (failure !== null) {
    return (
      <p class="failure" role="alert">
        {failure}
      </p>
    );
  }
  return (
    <div class="card">
      <p role="status">Getting ready: {at?.doing ?? "the base is fetched"} …</p>
      <progress value={at?.done ?? 0} max="1" aria-label="Getting ready" />
    </div>
  );
}

function Shown({ state, overopt }: { state: ExplorerState; overopt: Overopt }): JSX.Element {
  const n = overopt.ns[state.n] ?? 1;
  const picks = overopt.prompts[state.title]?.picks[state.n];
  return (
    <>
      <div class="cards three">
        {chooserNames.map((who) => (
          <section key={who} class={`card pick ${titles[who].tint}`}>
            <h2>
              <span class="key" aria-hidden="true" />
              Best of {n} by {titles[who].name}
            </h2>
            <dl class="facts">
              <div>
                <dt>truly worth</dt>
                <dd>
                  <b>{picks?.[who].gold.toFixed(1)}</b>
                </dd>
              </div>
              {who !== "gold" && (
                <div>
                  <dt>the proxy's score</dt>
                  <dd>
                    <b>{picks?.[who].score.toFixed(1)}</b>
                    <small>std. deviations</small>
                  </dd>
                </div>
              )}
            </dl>
            <q>{picks?.[who].text}</q>
          </section>
        ))}
      </div>
      <p class="gain">{verdictOf(state, overopt)}</p>
      <div class="figures">
        <Figure
          title="What the chosen answers are truly worth"
          look="Mean over ten titles and all ways to draw n answers. Where a line falls while n grows, its proxy is over-optimised."
          chart={chartOf(state, overopt, "gold")}
        />
        <Figure
          title="What the proxies say of them"
          look="Each proxy's own score of its choice, in standard deviations from the mean: it always rises."
          chart={chartOf(state, overopt, "score")}
        />
      </div>
    </>
  );
}

/** How far each proxy's line has fallen from its highest point so far. */
function verdictOf({ n }: ExplorerState, { ns, curves, right }: Overopt): JSX.Element {
  const said = (["bt", "grm-sft"] as const).map((who) => {
    const gold = curves[who].gold.slice(0, n + 1);
    const most = Math.max(...gold);
    const [top, now] = [gold.indexOf(most), gold.at(-1) ?? 0];
    const fall =
      top === n
        ? `is at its highest so far, ${now.toFixed(2)}`
        : `was highest at n = ${ns[top]} (${most.toFixed(2)}) and has ${now.toFixed(2)} now`;
    return `With the ${titles[who].name} the true worth ${fall}.`;
  });
  return (
    <>
      {said.join(" ")}{" "}
      <span class="soft">
        {percent(right)} of the proxies' labels are right. Over twenty seeds, gold with the plain
        proxy falls by 1.12 ± 0.51 from its highest point, and GRM-SFT ends 0.24 ± 0.31 above it: no
        difference is shown (lab/RESULTS.md).
      </span>
    </>
  );
}

function chartOf(
  { n }: ExplorerState,
  { ns, curves }: Overopt,
  which: "gold" | "score",
): ChartData {
  const whose = which === "gold" ? chooserNames : (["bt", "grm-sft"] as const);
  const all = whose.flatMap((who) => curves[who][which]);
  const labels = new Set([1, 3, 10, 30, 100, 405]);
  const near = (label: number): number =>
    ns.reduce((best, one) => (Math.abs(one - label) < Math.abs(best - label) ? one : best));
  const shown = new Set([...labels].map(near));
  return {
    label: `${which === "gold" ? "True worth" : "Proxy's score"} of the best of n, for n from 1 to ${ns[n]}`,
    x: [0, ns.length - 1],
    xTicks: ns.map((one) => (shown.has(one) ? String(one) : "")),
    xTitle: "n",
    xName: (i) => String(ns[i] ?? ""),
    y: [Math.min(0, ...all), 1.08 * Math.max(...all)],
    lines: whose.map((who) => ({
      ...titles[who],
      points: curves[who][which].slice(0, n + 1).map((y, x) => ({ x, y })),
    })),
    format: (y) => y.toFixed(2),
  };
}
