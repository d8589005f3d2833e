// Two heads on one hidden state, as a picture that moves: each arrow back from a head is as wide as the push of
// its loss on the final hidden states in this step. Next: ../views/train.tsx.

import type { JSX } from "preact";
import type { StepRecord } from "../../grm/index.ts";

interface HeadsProps {
  /** Of the last step; null before the first. */
  readonly record: StepRecord | null;
  readonly isRegularised: boolean;
}

/** Widths of both arrows: the root of the push, so that small ones are seen beside large ones. */
export function arrowWidths(record: StepRecord | null): { reward: number; text: number } {
  const width = (push: number | null | undefined): number =>
    push ? Math.min(14, Math.max(1.5, 20 * Math.sqrt(push))) : 0;
  return { reward: width(record?.reward_hidden_grad), text: width(record?.reg_hidden_grad) };
}

export function Heads({ record, isRegularised }: HeadsProps): JSX.Element {
  const { reward, text } = arrowWidths(record);
  const percent =
    record?.reg_hidden_share == null ? null : Math.round(100 * record.reg_hidden_share);
  const says = !isRegularised
    ? "Only the reward head's loss pushes the hidden state."
    : percent === null
      ? "Both heads' losses push the hidden state."
      : `The text loss has ${percent} % of the squared push on the hidden state.`;
  return (
    <svg class="heads" viewBox="0 0 340 138" role="img" aria-label={says}>
      <g class="box">
        <rect x="8" y="34" width="88" height="70" rx="8" />
        <text x="52" y="66">
          transformer
        </text>
        <text x="52" y="82" class="small">
          3 blocks
        </text>
      </g>
      <line class="flow" x1="96" y1="69" x2="128" y2="69" />
      <g class="box hidden-state">
        <rect x="128" y="39" width="56" height="60" rx="8" />
        <text x="156" y="66">
          hidden
        </text>
        <text x="156" y="81">
          state
        </text>
      </g>
      <Arrow name="text" y={34} width={text} />
      <Arrow name="reward" y={104} width={reward} />
      <Head name="text" y={14} title="next token" isIdle={!isRegularised} />
      <Head name="reward" y={84} title="reward" isIdle={false} />
    </svg>
  );
}

/** From a head back to the hidden state: a line as wide as the push, with a tip. */
function Arrow({ name, y, width }: { name: string; y: number; width: number }): JSX.Element {
  const [from, to] = [
    { x: 242, y },
    { x: 190, y: 69 + (y - 69) * 0.3 },
  ];
  const length = Math.hypot(from.x - to.x, from.y - to.y);
  const [dx, dy] = [(to.x - from.x) / length, (to.y - from.y) / length];
  const wing = 4 + width / 2;
  const neck = { x: to.x - dx * (wing + 3), y: to.y - dy * (wing + 3) };
  const at = (side: number): string => `${neck.x - side * dy * wing},${neck.y + side * dx * wing}`;
  return (
    <g class={`push ${name}`}>
      <line class="flow" x1="184" y1={69 + (y - 69) * 0.25} x2="246" y2={y} />
      {width > 0 && (
        <>
          <line class="back" x1={from.x} y1={from.y} x2={neck.x} y2={neck.y} stroke-width={width} />
          <polygon points={`${to.x},${to.y} ${at(1)} ${at(-1)}`} />
        </>
      )}
    </g>
  );
}

interface HeadProps {
  readonly name: string;
  readonly y: number;
  readonly title: string;
  readonly isIdle: boolean;
}

function Head({ name, y, title, isIdle }: HeadProps): JSX.Element {
  return (
    <g class={`box head ${name} ${isIdle ? "idle" : ""}`}>
      <rect x="246" y={y} width="88" height="40" rx="8" />
      <text x="290" y={y + 18}>
        {title}
      </text>
      <text x="290" y={y + 32} class="small">
        {isIdle ? "not trained" : `${name} loss`}
      </text>
    </g>
  );
}
