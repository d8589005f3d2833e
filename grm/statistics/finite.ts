// Numbers that are none count for nothing and against nobody, so that a broken model looks like a result:
// every comparison with NaN is false. Whatever counts rewards refuses them first. Next: wins.ts.

import { ArgumentError } from "../../core/index.ts";
import { accept, signatures } from "../../core/signature.ts";

const takes = signatures({
  checkFinite: "numbers: number[], name: function",
});

/** An ArgumentError unless all are finite numbers; `name(i)` says what number i is. */
export function checkFinite(numbers: ArrayLike<number>, name: (i: number) => string): void {
  accept(takes.checkFinite, arguments);
  for (let i = 0; i < numbers.length; i++) {
    if (Number.isFinite(numbers[i])) continue;
    throw new ArgumentError(`${name(i)} is ${numbers[i]}; needed a finite number`);
  }
}
