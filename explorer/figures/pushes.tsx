// Where the two losses push one answer: a row for each place of the network, the top first, a column for each
// token, and in each cell a bar for each loss. At the final hidden states no column has both.
// Next: ../views/hidden.tsx.

import type { JSX } from "preact";
import type { PushRow } from "../hiddenView.ts";

interface PushesProps {
  readonly label: string;
  readonly tokens: readonly string[];
  readonly rows: readonly PushRow[];
  readonly side: "better" | "worse";
}

const left = 168;
const widths = { whole: 800, least: 12, most: 19 } as const; // of the whole where it fits, of a token
const top = 66;
const height = 34;

export function Pushes({ label, tokens, rows, side }: PushesProps): JSX.Element {
  const room = Math.floor((widths.whole - left - 8) / tokens.length);
  const column = Math.max(widths.least, Math.min(widths.most, room));
  const width = left + tokens.length * column + 8;
  return (
    <svg
      class="chart pushes"
      viewBox={`0 0 ${width} ${top + rows.length * (height + 6)}`}
      width={width}
      role="img"
      aria-label={label}
    >
      {tokens.map((token, t) => (
        <text
          key={t}
          class="token"
          transform={`translate(${left + (t + 0.65) * column} ${top - 8}) rotate(-55)`}
        >
          {token}
        </text>
      ))}
      {rows.map((row, r) => (
        <Row key={row.place} row={row} side={side} y={top + r * (height + 6)} column={column} />
      ))}
    </svg>
  );
}

function Row(props: {
  readonly row: PushRow;
  readonly side: "better" | "worse";
  readonly y: number;
  readonly column: number;
}): JSX.Element {
  const { row, side, y, column } = props;
  const { reward, text } = row[side];
  const most = Math.max(...reward, ...text, Number.MIN_VALUE);
  const bar = (norm: number, t: number, kind: "reward" | "text"): JSX.Element | null => {
    if (norm === 0) return null;
    const size = Math.max(2, (height - 4) * Math.sqrt(norm / most));
    const x = left + t * column + (kind === "reward" ? column / 2 : 2);
    return (
      <rect
        key={`${kind}${t}`}
        class={kind}
        x={x}
        y={y + height - size}
        width={column / 2 - 3}
        height={size}
      />
    );
  };
  return (
    <g>
      <text x={left - 8} y={y + height / 2 + 5} text-anchor="end" class="place">
        {row.place}
      </text>
      <line
        class="floor"
        x1={left}
        x2={left + text.length * column}
        y1={y + height}
        y2={y + height}
      />
      {text.map((norm, t) => bar(norm, t, "text"))}
      {reward.map((norm, t) => bar(norm, t, "reward"))}
    </g>
  );
}
