// The whole page: its head, the tour, what the address said wrong, and the view that is open.
// Next: train.tsx, hidden.tsx.

import type { JSX } from "preact";
import { addressOf, type ViewName, views } from "../state.ts";
import { Hidden } from "./hidden.tsx";
import { Overoptimise } from "./overopt.tsx";
import type { ViewProps } from "./parts.tsx";
import { Tape } from "./tape.tsx";
import { Text } from "./text.tsx";
import { Tour } from "./tour.tsx";
import { Train } from "./train.tsx";
import { Words } from "./words.tsx";

export function App({ state, act }: ViewProps): JSX.Element {
  return (
    <>
      <header class="top">
        <div>
          <h1>Two heads, one hidden state</h1>
          <p class="lead">
            A reward model reads an answer and says how good it is; it learns that from pairs of
            which people preferred one. Train two in this page, from one language model: one learns
            from preferences alone, the other must also go on predicting text.
          </p>
        </div>
        <Device state={state} act={act} />
      </header>
      <nav class="views" aria-label="Views">
        {(Object.keys(views) as ViewName[]).map((view) => (
          <a
            key={view}
            href={addressOf({ ...state, view })}
            aria-current={view === state.view ? "page" : undefined}
          >
            {views[view]}
          </a>
        ))}
      </nav>
      <main>
        {state.problems.map((problem) => (
          <p key={problem} class="failure" role="alert">
            {problem}
          </p>
        ))}
        <Tour state={state} act={act} />
        <Words />
        {state.view === "train" && <Train state={state} act={act} />}
        {state.view === "hidden" && <Hidden state={state} act={act} />}
        {state.view === "overopt" && <Overoptimise state={state} act={act} />}
        {state.view === "tape" && <Tape state={state} act={act} />}
        {state.view === "text" && <Text state={state} act={act} />}
      </main>
      <footer>
        <p>
          Everything is computed in your browser by{" "}
          <a href="https://github.com/twoheads/twoheads">twoheads</a>, a from-scratch autograd
          framework in TypeScript. The method is GRM,{" "}
          <a href="https://arxiv.org/abs/2406.10216">arXiv 2406.10216</a>.
        </p>
      </footer>
    </>
  );
}

/** What computes, and the switch to the GPU where the browser has WebGPU. */
function Device({ state: { device, gpu }, act }: ViewProps): JSX.Element {
  if (device === null) return <p class="device">Starting …</p>;
  const { name, threads, why } = device;
  const text = threads === 1 ? "1 thread" : `${threads} threads`;
  const isGpu = name === "gpu:webgpu";
  const names: Readonly<Record<string, string>> = { wasm: `SIMD device, ${text}` };
  return (
    <div class="computes">
      <p class="device">
        {isGpu ? "GPU device (WebGPU)" : (names[name] ?? `${name} device`)}
        {why !== null && (
          <small>
            {gpu ? "Not on the GPU: " : "Slower than it could be: "}
            {why}
          </small>
        )}
        {isGpu && <small>Its last digits aren't those of the SIMD device and of Node.</small>}
      </p>
      {"gpu" in navigator ? (
        <label>
          <input
            type="checkbox"
            checked={gpu}
            onChange={(event) => act({ kind: "gpu", gpu: event.currentTarget.checked })}
          />{" "}
          train on the GPU
        </label>
      ) : (
        <small>This browser has no WebGPU.</small>
      )}
    </div>
  );
}
