// The backward walk and its definition. The walk of core/tape.ts gives memory back, calls hooks, stops where
// nothing is wanted; the dozen lines of the second lesson do none of that, and say what gradients are. Both
// run here over random graphs, on the plain device and the fast one, and must agree to the bit.
// Next: tape.test.ts for what the dozen lines leave out.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { cat, type Draw, grad, noGrad, stack, type Tensor, tensor, use } from "../core/index.ts";
import { blocksOf } from "../walkthroughs/lesson.ts";
import "../kernels/index.ts";
import { holds } from "../testing/property.ts";
import { temporaryFolder } from "./folders.ts";

type Definition = (y: Tensor) => Map<Tensor, Tensor>;

const folder = temporaryFolder("walk");

/** slopesBehind, as it stands in the lesson; `edit` plants a mistake. */
async function definition(
  name: string,
  edit = (source: string): string => source,
): Promise<Definition> {
  const lesson = new URL("../walkthroughs/03-the-tape.md", import.meta.url);
  const [source = ""] = blocksOf(readFileSync(lesson, "utf8")).flatMap(
    ({ text }) => /^function slopesBehind[\s\S]*?^}$/m.exec(text) ?? [],
  );
  assert.ok(source.split("\n").length <= 22, "a dozen lines and their braces");
  const core = new URL("../core/index.ts", import.meta.url).href;
  const file = join(folder, `${name}.mts`);
  writeFileSync(
    file,
    `import { type Node, ones, Tensor } from ${JSON.stringify(core)};\nexport ${edit(source)}\n`,
  );
  const { slopesBehind } = (await import(pathToFileURL(file).href)) as {
    slopesBehind: Definition;
  };
  return slopesBehind;
}

/** Ways to go on from square matrices. Nothing broadcasts: that the lesson leaves to the library. */
const ways: readonly ((a: Tensor, b: Tensor) => Tensor)[] = [
  (a, b) => a.add(b),
  (a, b) => a.mul(b),
  (a, b) => a.sub(b).tanh(),
  (a, b) => a.matmul(b, { transposeB: true }),
  (a, b) => a.linear(b).sin(),
  (a, b) => a.gt(b).where(a, b),
  (a, b) => cat([a, b]).slice({ dim: 0, start: 1, end: 4 }),
  (a) => a.softmax({ dim: -1 }),
  (a) => a.layerNorm(),
  (a) => a.transpose().reshape([9]).reshape([3, 3]),
  (a) => stack([a.sum({ dims: 0 }), a.max({ dims: 1 }), a.mean({ dims: 0 })]),
  (a) => a.mul(a).mul(a),
  (a, b) => a.detach().mul(b),
];

interface Graph {
  readonly leaves: readonly number[][];
  readonly steps: readonly (readonly [way: number, a: number, b: number])[];
}

function drawGraph(d: Draw): Graph {
  const numbers = (): number[] => Array.from(d.tensor([3, 3]).data);
  const leaves = [numbers(), numbers()];
  const steps = Array.from({ length: d.integer(1, 12) }, (_, i) => {
    const place = (): number => d.integer(0, i + 1); // of the leaves and of what was made
    return [d.integer(0, ways.length - 1), place(), place()] as const;
  });
  return { leaves, steps };
}

function build({ leaves, steps }: Graph): { y: Tensor; made: Tensor[] } {
  const made = leaves.map((numbers) => tensor(numbers, { shape: [3, 3], requiresGrad: true }));
  for (const [way, a, b] of steps) {
    made.push((ways[way] as (typeof ways)[number])(made[a] as Tensor, made[b] as Tensor));
  }
  const y = (made.at(-1) as Tensor).mul(made[0] as Tensor).sum();
  return { y, made: made.filter((x) => x.requiresGrad) };
}

/** grad of the leaves and of what was made on the way, and .grad of the leaves, against the definition. */
function compare(slopesBehind: Definition, graph: Graph): void {
  const { y, made } = build(graph);
  const slopes = noGrad(() => slopesBehind(y));
  const expected = made.map((x) => slopes.get(x)?.data.slice() ?? null);
  const found = grad(y, made, { allowUnused: true, retainGraph: true });
  assert.deepEqual(
    found.map((g) => g?.data.slice() ?? null),
    expected,
  );
  y.backward();
  for (const [i, x] of made.entries()) {
    if (x.node === null) assert.deepEqual(x.grad?.data.slice() ?? null, expected[i]);
  }
}

const show = ({ steps }: Graph): string => JSON.stringify(steps);

describe("the walk is its definition, to the bit", () => {
  for (const device of ["reference", "wasm"]) {
    test(`over random graphs on ${device}`, async () => {
      const slopesBehind = await definition(`lesson-${device}`);
      use(device);
      holds(`the walk on ${device}`, drawGraph, (graph) => compare(slopesBehind, graph), {
        runs: 100,
        show,
      });
    });
  }

  test("a definition that forgets to add the slopes of what is used twice is found out", async () => {
    const wrong = await definition("wrong", (source) =>
      source.replace("sum === undefined ? g : sum.add(g)", "g"),
    );
    use("reference");
    assert.throws(() =>
      holds("the wrong walk", drawGraph, (graph) => compare(wrong, graph), { show }),
    );
  });
});
