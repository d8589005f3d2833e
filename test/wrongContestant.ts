// A contestant for bench.test.ts: its product is right, off by one part in a thousand in one element,
// or it dies on the way, or says that it can't.

import { serve } from "../bench/contestant.ts";
import { factors, type Work } from "../bench/works.ts";

const how = process.argv[2];

function product({ n }: Work & { kind: "matmul" }): number[] {
  const [a, b] = factors(n);
  const dot = (row: number, column: number): number =>
    a
      .subarray(row * n, row * n + n)
      .reduce((sum, x, k) => sum + x * (b[k * n + column] ?? Number.NaN), 0);
  const c = Array.from({ length: n * n }, (_, e) => dot(Math.floor(e / n), e % n));
  return how === "off" ? c.map((x, e) => (e === 7 ? 1.001 * x : x)) : c;
}

serve({
  name: "wrong",
  version: "0",
  about: "",
  prepare: (work) => {
    if (how === "can't") return "has no matrices";
    if (how === "dies") process.exit(3);
    const run = () => product(work as Work & { kind: "matmul" });
    return { result: run, run };
  },
});
