// Text: a prompt and two answers that a reader types or picks, token by token under both models: what each token
// adds to the reward, how surprising it is, what attention looks at; and what each model writes.
// Next: ../textView.ts.

import type { JSX } from "preact";
import { polar } from "../../lab/worlds/spelledWords.ts";
import { domains } from "../../lab/worlds/words.ts";
import { lookedAt } from "../attention.ts";
import { blockCount, headCount, type TypedText } from "../settings.ts";
import type { ExplorerState, PointedToken } from "../state.ts";
import type { ReadAnswer, ReadToken, TextReading } from "../textView.ts";
import { Controls } from "./controls.tsx";
import { percent, Select, type ViewProps } from "./parts.tsx";
import { regularisedName } from "./train.tsx";

const answerNames = ["Answer A", "Answer B"] as const;

export function Text({ state, act }: ViewProps): JSX.Element {
  const { reading } = state;
  return (
    <div class="train">
      <Controls state={state} act={act} />
      <div class="results">
        <Typed state={state} act={act} />
        {reading === null ? (
          <p class="soft">Reading …</p>
        ) : reading.problems.length > 0 ? (
          reading.problems.map((problem) => (
            <p key={problem} class="failure" role="alert">
              {problem}
            </p>
          ))
        ) : (
          <>
            <Verdicts state={state} reading={reading} />
            {answerNames.map((name, answer) => (
              <Answer key={name} state={state} reading={reading} answer={answer} act={act} />
            ))}
            <Key state={state} act={act} />
          </>
        )}
        <Written state={state} act={act} />
      </div>
    </div>
  );
}

/** The fields to type into, and the words that there are. */
function Typed({ state, act }: ViewProps): JSX.Element {
  const { text } = state;
  const set = (change: Partial<TypedText>): void =>
    act({ kind: "text", text: { ...text, ...change } });
  return (
    <section class="typed card" aria-label="Prompt and answers">
      <label>
        <span>Prompt: who, where</span>
        <input
          type="text"
          value={text.prompt}
          spellcheck={false}
          autocomplete="off"
          onInput={(event) => set({ prompt: event.currentTarget.value })}
        />
      </label>
      {answerNames.map((name, i) => (
        <label key={name}>
          <span>{name}</span>
          <textarea
            rows={2}
            value={text.answers[i]}
            spellcheck={false}
            onInput={(event) => {
              const [a, b] = text.answers;
              const typed = event.currentTarget.value;
              set({ answers: i === 0 ? [typed, b] : [a, typed] });
            }}
          />
        </label>
      ))}
      <Examples state={state} act={act} />
      <Words />
    </section>
  );
}

/** Held-out pairs to read instead of typing. */
function Examples({ state, act }: ViewProps): JSX.Element {
  const { examples, text } = state;
  const isSame = (one: TypedText): boolean => JSON.stringify(one) === JSON.stringify(text);
  const half = examples.length / 2;
  return (
    <label>
      <span>Or a held-out pair</span>
      <select
        onChange={(event) => {
          const picked = examples[event.currentTarget.selectedIndex - 1];
          if (picked !== undefined) act({ kind: "text", text: picked });
        }}
      >
        <option selected={!examples.some(isSame)}>what I type</option>
        {examples.map((one, i) => (
          <option key={one.answers[0]} selected={isSame(one)}>
            {i < half ? "in distribution" : "out of distribution"} {(i % half) + 1}: {one.prompt}
          </option>
        ))}
      </select>
    </label>
  );
}

const kinds = { FEEL: "was …", VI: "did", VT: "did something to", ADV: "how" } as const;

function Words(): JSX.Element {
  const { forest, sea } = domains;
  const list = (mood: "pleasant" | "unpleasant"): string =>
    (Object.keys(kinds) as (keyof typeof kinds)[])
      .map((kind) => `${kinds[kind]}: ${polar[mood][kind].slice(0, 6).join(" ")}`)
      .join("; ");
  return (
    <details>
      <summary>The words of this little language</summary>
      <p class="help">
        A story is worth more the more pleasant things are said of the one in its prompt, and
        nothing that is said of others counts. <b>Pleasant</b>: {list("pleasant")}.{" "}
        <b>Unpleasant</b>: {list("unpleasant")}. Sentences: “the fox was ra-mor.”, “the fox ni-lin
        gu-kas.”, “then the fox mo-ven the nest.”, “the woods was warm.” Who and where preferences
        told of: {forest.characters.join(" ")}; {forest.places.join(" ")}; and of whom they didn't:{" "}
        {sea.characters.join(" ")}; {sea.places.join(" ")}.
      </p>
    </details>
  );
}

function lastReward(answer: ReadAnswer | undefined): number {
  return answer?.tokens.at(-1)?.reward ?? Number.NaN;
}

/** What each model prefers, and what the formula says. */
function Verdicts({ state, reading }: { state: ExplorerState; reading: TextReading }): JSX.Element {
  const [a = 0, b = 0] = reading.gold;
  const truth = a === b ? "both are worth the same" : `${a > b ? "A" : "B"} is better`;
  return (
    <p class="verdicts">
      By this world's true reward, a formula, A is worth {a.toFixed(1)} and B {b.toFixed(1)}:{" "}
      {truth}.{" "}
      {reading.models.map((answers, model) => {
        const [ra, rb] = [lastReward(answers[0]), lastReward(answers[1])];
        const chance = 1 / (1 + Math.exp(-Math.abs(ra - rb)));
        const name = model === 0 ? "Plain" : regularisedName(state);
        const preferred = ra === rb ? "neither" : ra > rb ? "A" : "B";
        return (
          <span key={name} class={model === 0 ? "plain" : "reg"}>
            <span class="key" aria-hidden="true" />
            {name} prefers <b>{preferred}</b> with probability {percent(chance)}.{" "}
          </span>
        );
      })}
      <span class="soft">At step {reading.step}.</span>
    </p>
  );
}

function Answer(props: {
  readonly state: ExplorerState;
  readonly reading: TextReading;
  readonly answer: number;
  readonly act: ViewProps["act"];
}): JSX.Element {
  const { state, reading, answer, act } = props;
  return (
    <section class="card answer">
      <h2>
        {answerNames[answer]} <small>worth {reading.gold[answer]?.toFixed(1)}</small>
      </h2>
      {reading.models.map((answers, model) => {
        const read = answers[answer];
        const name = model === 0 ? "Plain Bradley-Terry" : regularisedName(state);
        if (read === undefined) return null;
        return (
          <div key={name} class={model === 0 ? "plain" : "reg"}>
            <h3>
              <span class="key" aria-hidden="true" />
              {name}: reward {lastReward(read).toFixed(2)}
            </h3>
            <Tokens
              read={read}
              place={{ answer, model }}
              label={`${answerNames[answer]}, ${name}`}
              state={state}
              act={act}
            />
          </div>
        );
      })}
    </section>
  );
}

/** Tokens as a line: colour for what each adds to the reward, a bar below for surprise. */
function Tokens(props: {
  readonly read: ReadAnswer;
  readonly place: Omit<PointedToken, "token">;
  readonly label: string;
  readonly state: ExplorerState;
  readonly act: ViewProps["act"];
}): JSX.Element {
  const { read, place, label, state, act } = props;
  const { pointed, block, attentionHead: head } = state;
  const isHere = pointed?.answer === place.answer && pointed.model === place.model;
  const at = isHere ? Math.min(pointed.token, read.tokens.length - 1) : null;
  const point = (token: number): void => act({ kind: "point", pointed: { ...place, token } });
  const looksAt = at === null ? null : lookedAt(read, { block, head, token: at });
  const move = (event: KeyboardEvent): void => {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    act({ kind: "walk", at: place, by, count: read.tokens.length });
  };
  return (
    <>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: arrow keys walk through the tokens */}
      <section class="tokens" tabIndex={0} aria-label={`${label}: tokens`} onKeyDown={move}>
        {read.tokens.map((token, t) => (
          // biome-ignore lint/a11y/noStaticElementInteractions: arrow keys do the same
          <span
            key={t}
            class={`token tone${toneOf(token)} ${t === at ? "pointed" : ""}`}
            style={{ "--surprise": surpriseOf(token), "--seen": looksAt?.[t] ?? 0 }}
            onMouseEnter={() => point(t)}
          >
            {token.text}
          </span>
        ))}
      </section>
      <p class="token-facts" aria-live="polite">
        {at === null ? " " : factsOf(read, at)}
        {at !== null && <span class="heads-line">{headsOf(read, block, at)}</span>}
      </p>
    </>
  );
}

/** 0 to 8, the middle where a token adds nothing; one that moves the reward by 1.5 has the strongest. */
function toneOf({ adds }: ReadToken): number {
  return Math.round(4 + 4 * Math.max(-1, Math.min(1, (adds ?? 0) / 1.5)));
}

/** 0 to 1: the height of the bar, full at 8 nats. */
function surpriseOf({ surprise }: ReadToken): number {
  return Math.min(1, (surprise ?? 0) / 8);
}

function factsOf(read: ReadAnswer, t: number): string {
  const token = read.tokens[t];
  if (token === undefined) return "";
  const { text, reward, adds, surprise } = token;
  const added = adds === null ? "" : `, of which “${text}” adds ${adds.toFixed(2)}`;
  const chance =
    surprise === null ? "" : `; it was expected with probability ${percent(Math.exp(-surprise))}`;
  return `Reward up to here ${reward.toFixed(2)}${added}${chance}.`;
}

/** What each head of a block looks at most. */
function headsOf(read: ReadAnswer, block: number, token: number): string {
  const heads = Array.from({ length: headCount }, (_, i) => {
    const row = lookedAt(read, { block, head: i, token }) ?? [];
    const most = Math.max(...row);
    return `head ${i} at “${read.tokens[row.indexOf(most)]?.text ?? ""}” ${Math.round(100 * most)} %`;
  });
  return ` In block ${block} it looks most with ${heads.join(", ")}.`;
}

function Key({ state, act }: ViewProps): JSX.Element {
  return (
    <div class="token-key">
      <p class="soft">
        Colour: what a token adds to the reward of the text so far, <span class="ramp" /> from −1.5
        to 1.5. Bar below: surprise, full at 8 nats (a chance of 1 in 3,000). Point at a token, or
        walk with the arrow keys, and frames show where its attention looks. Only the last reward is
        trained; those before show where a judgement comes from.
      </p>
      <Select
        label="Attention of block"
        value={state.block}
        values={Array.from({ length: blockCount }, (_, i) => i)}
        text={String}
        help="weights say where values come from, not how much they matter"
        onChange={(block) => act({ kind: "block", block })}
      />
      <Select
        label="Head"
        value={state.attentionHead ?? "mean"}
        values={["mean", ...Array.from({ length: headCount }, (_, i) => i)]}
        text={String}
        help="one of the block's four heads, or their mean"
        onChange={(head) => act({ kind: "head", head: typeof head === "number" ? head : null })}
      />
    </div>
  );
}

function Written({ state, act }: ViewProps): JSX.Element {
  const count = state.settings.method === "bt" ? 1 : 2;
  const hasAny = state.writings.length > 0;
  return (
    <section class="card written" aria-label="What each model writes">
      <h2>What each model writes of “{state.text.prompt}”</h2>
      <button
        type="button"
        disabled={state.phase === "starting"}
        onClick={() => act({ kind: "write" })}
      >
        {hasAny ? "Write again" : "Write"}
      </button>
      {hasAny &&
        Array.from({ length: count }, (_, model) => {
          const name = model === 0 ? "Plain Bradley-Terry" : regularisedName(state);
          const found = state.writings.find((writing) => writing.model === model);
          return (
            <p key={name} class={model === 0 ? "plain" : "reg"}>
              <span class="key" aria-hidden="true" />
              {name}: <q>{found?.text ?? ""}</q>
              {found?.isDone ? "" : " …"}
            </p>
          );
        })}
    </section>
  );
}
