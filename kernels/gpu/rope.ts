// Rotary positions: each pair (a, b) of a row turns to (a cos - b sin, a sin + b cos). The tables of cosines
// and sines broadcast over the rows, so the kernel walks the rows' axes to find its angle. Backwards it is
// the same turn the other way. Next: attention.ts.

import { broadcastStrides } from "../../core/shape.ts";
import type { GpuKernel } from "./compile.ts";
import { textKernel } from "./formulas.ts";
import { buffersOf, type GpuRule } from "./rule.ts";
import { coordinates, place, sizeNames, stepNames, walkNumbers, walkOf } from "./walk.ts";

function turnKernel(rank: number): GpuKernel {
  const numbers = [...sizeNames(rank), ...stepNames("table", rank)];
  const text =
    (): string => `function rope(x, cos, sin, ${numbers.join(", ")}, half, pairStep, interleaved, sign) {
  const cell = this.thread.x;
  const i = quotient(cell, half * 2);
  const first = i * half * 2;
  const at = cell - first;
  ${coordinates(rank)}
  let pair = at;
  let other = at + half;
  let isSecond = 0;
  if (interleaved > 0) {
    pair = quotient(at, 2);
    isSecond = at - 2 * pair;
    other = at + 1 - 2 * isSecond;
  } else {
    if (at >= half) {
      pair = at - half;
      other = at - half;
      isSecond = 1;
    }
  }
  const angle = ${place("table", rank)} + pair * pairStep;
  const turned = x[first + other] * sign * sin[angle];
  if (isSecond > 0) {
    return x[cell] * cos[angle] + turned;
  }
  return x[cell] * cos[angle] - turned;
}`;
  return textKernel(`rope.${rank}`, 3, text);
}

export const rope: GpuRule<"rope"> = {
  forward: (engine, { args: [x, cos, sin, { interleaved, inverse }] }) => {
    const half = (x.shape.at(-1) ?? 0) / 2;
    const rows = x.shape.slice(0, -1);
    const walk = walkOf(rows, [broadcastStrides(cos.shape, [...rows, half]).slice(0, -1)]);
    const pairStep = cos.shape.at(-1) === 1 ? 0 : 1;
    const options = [half, pairStep, interleaved ? 1 : 0, inverse ? -1 : 1];
    const numbers = [...walkNumbers(walk), ...options];
    const kernel = turnKernel(walk.sizes.length);
    return [engine.launch(kernel, x.dtype, x.size, buffersOf(x, cos, sin), numbers)];
  },
};
