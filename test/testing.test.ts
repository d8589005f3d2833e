// twoheads/testing itself: what failures say, that right functions pass, that mistakes are caught whatever the seed, and
// that the gradient faults which are known of other libraries are found in copies of their formulas. In which runners
// of tests it works stands in runners.test.ts. Next: ../testing/index.ts.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import fc from "fast-check";
import {
  custom,
  elementwise,
  fused,
  random,
  sub,
  type Tensor,
  TwoheadsError,
  tensor,
  use,
  within,
} from "../core/index.ts";
import { root } from "./folders.ts";
import "../core/further/methods.ts";
import "../kernels/index.ts";
import { CausalLM, Linear, Module } from "../nn/index.ts";
import { catalogue, detections } from "../testing/catalogue.ts";
import {
  broadcastingTensors,
  checkGradients,
  checkInvariant,
  checkModule,
  checkOp,
  indices,
  masks,
  raggedBatches,
  sameAsDefinition,
  sameOnDevices,
  shapes,
  tensors,
} from "../testing/index.ts";

use("reference");

/** What a check that must fail says. */
function said(check: () => unknown): string {
  try {
    check();
  } catch (error) {
    assert.ok(error instanceof TwoheadsError, String(error));
    return error.message;
  }
  return "it passed";
}

const squareplus = elementwise({
  name: "squareplus",
  forward: (x) => (x + Math.sqrt(x * x + 4)) / 2,
  vjp: (g, _y, x) => [g.mul(x.div(x.square().add(4).sqrt()).add(1))],
});
const softsign = elementwise({
  name: "softsign",
  forward: (x) => x / (1 + Math.abs(x)),
  vjp: (g, _y, x) => [g.div(x.abs().add(1).square())],
  example: "softsign(tensor([0, 1, -3]))  // [0, 0.5, -0.75]",
  draw: (d) => [d.tensor(d.shape(), within(-3, 3, { offset: 1 / 8 }))],
});

describe("a failure", () => {
  test("says both numbers, the smallest counterexample as code, the seed and the path", () => {
    const message = said(() => checkOp(squareplus, { seed: 1 }));
    assert.match(
      message,
      /^squareplus: gradients to order 2 .*: the gradient says 1, finite differences say 0\.[45]\d+\n/,
    );
    assert.match(
      message,
      /\n {4}import \{ gradcheck, tensor \} from "twoheads";\n {4}gradcheck\(squareplus, \[tensor\(0, \{ dtype: "float64" \}\)\]\);\n/,
    );
    assert.match(
      message,
      /\n {2}seed 1, path "[\d:]+", in case \d+, made smaller \d+ times\n {2}replay: \S/,
    );
  });

  test("shrinks to the numbers that matter", () => {
    const wrong = (x: Tensor): Tensor => x.gt(0.75).where(x.detach().mul(3), x.mul(3));
    const shape = tensors({ shape: [3], domain: within(-3, 3, { offset: 1 / 8 }) });
    const message = said(() => checkGradients(wrong, [shape], { seed: 2, runs: 100 }));
    const [, numbers = ""] = /gradcheck\(wrong, \[tensor\(\[(.*?)\]/.exec(message) ?? [];
    assert.deepEqual(numbers.split(", ").sort(), ["0.125", "0.125", "0.875"]);
  });

  test("shows options in the code, and runs when it is pasted", () => {
    const scaled = (x: Tensor, { by }: { by: number }): Tensor => x.mul(by).add(x.detach());
    const draw = (d: {
      pick(...n: number[]): number;
      tensor(shape: number[]): Tensor;
    }): [Tensor, { by: number }] => [d.tensor([1]), { by: d.pick(2, 3) }];
    const message = said(() => checkGradients(scaled, draw, { seed: 1 }));
    const [, code = ""] = /import .*\n\s*(gradcheck.*);/.exec(message) ?? [];
    assert.equal(
      code,
      'gradcheck((x0) => scaled(x0, { by: 2 }), [tensor([0], { dtype: "float64" })])',
    );
  });
});

describe("what is right passes", () => {
  test("an op: everything that follows from its entry", () => {
    const { properties, cases } = checkOp(softsign);
    assert.equal(properties, 7);
    assert.ok(cases >= 7);
  });
  test("functions of tensors that broadcast, and of options", () => {
    checkGradients((a: Tensor, b: Tensor) => a.mul(b).tanh(), broadcastingTensors(2));
    checkGradients(sub, broadcastingTensors(2));
  });
  test("on every device, to order 2", async () => {
    await sameOnDevices(softsign, [tensors()], { devices: ["wasm", "gpu:cpu"], order: 2, runs: 5 });
  });
  test("straight-through rounding, whose gradient is wrong on purpose", () => {
    const round = custom({
      name: "roundSte",
      forward: (x: Tensor) => x.round(),
      backward: (g) => [g],
    });
    const draw = [tensors({ domain: within(-3, 3, { offset: 1 / 8 }) })] as const;
    assert.match(
      said(() => checkOp(round, { draw })),
      /roundSte: .*the gradient says 1, finite differences say 0/,
    );
    checkOp(round, { draw, order: 0 });
  });
  test("a module, its parameters by name", () => {
    const layer = new Linear(2, 2, { rng: random(0) });
    const before = layer.weight;
    checkModule(layer, [tensors({ shape: [2, 2] })], { order: 2, runs: 2 });
    assert.equal(layer.weight, before);
    assert.equal(before.dtype, "float32");
  });
  test("the transformer: padding, batch and order", () => {
    const lm = new CausalLM(
      { vocabSize: 8, dim: 8, layers: 1, heads: 2, context: 8 },
      { rng: random(0) },
    );
    checkInvariant(lm, ["padding", "batch", "order"], { runs: 8 });
  });
});

describe("what is wrong is found", () => {
  test("every kind of mistake in 25 draws, whatever the seed", () => {
    for (const { what, caught } of detections([25], 6))
      assert.ok((caught[0] ?? 0) >= 0.99, `${what}: ${caught}`);
  });
  test("and the right functions beside them pass", () => {
    for (const { right, draw } of catalogue)
      checkGradients(right as never, draw as never, { runs: 3 });
  });
  test("a value that differs from the definition's", () => {
    const fast = (x: Tensor): Tensor => x.exp().sub(1);
    const message = said(() =>
      sameAsDefinition(fast, (x: Tensor) => x.exp().sub(1.001), [tensors()]),
    );
    assert.match(message, /fast: same as its definition: .* instead of .* at 0/);
  });
  test("loops that don't say what their definition says", () => {
    const wrong = fused({
      name: "double",
      definition: (x: Tensor) => x.mul(2),
      forward: ([y], x) => y.data.set(x.data.map((n) => 2 * n + 1e-6)),
    });
    const message = said(() =>
      checkOp(wrong, { draw: [tensors({ dtype: "float64" })], devices: [] }),
    );
    assert.match(message, /double: the loops agree with the definition: fused, tensor 0: /);
  });
  test("a device that computes something else", async () => {
    const op = (x: Tensor): Tensor => (x.device.name === "wasm" ? x.mul(1.01) : x.mul(1));
    await assert.rejects(
      () => sameOnDevices(op, [tensors()]),
      /on wasm as on the reference: wasm, tensor \d: .* instead of/,
    );
  });
  test("a parameter that is cut off, by its name", () => {
    class Two extends Module {
      readonly inner = { layer: new Linear(2, 1, { rng: random(0) }) };
      readonly scale = tensor([2], { requiresGrad: true });
      forward(x: Tensor): Tensor {
        return this.inner.layer.forward(x).mul(this.scale.detach());
      }
    }
    const message = said(() => checkModule(new Two(), [tensors({ shape: [1, 2] })], { runs: 20 }));
    assert.match(
      message,
      /Two: gradients of inputs and parameters: gradcheck: Two: parameter scale at \[0\]/,
    );
  });
  test("a model that looks at padding, at other rows and at their order", () => {
    const mean = (ids: Tensor): Tensor => ids.to("float32").mean({ dims: 1 });
    assert.match(
      said(() => checkInvariant(mean, ["padding"], { vocabulary: 5 })),
      /mean: padding: with .*: sequence 0 gives/,
    );
    const total = (ids: Tensor, mask: Tensor): Tensor => {
      const sums = ids.mul(mask.to("int32")).sum({ dims: 1 }).to("float32");
      return sums.add(sums.sum());
    };
    assert.match(
      said(() => checkInvariant(total, ["batch"], { vocabulary: 5 })),
      /total: batch: in the batch and not alone/,
    );
    const first = (ids: Tensor, mask: Tensor): Tensor => {
      const sums = ids.mul(mask.to("int32")).sum({ dims: 1 }).to("float32");
      return sums.sub(sums.slice({ dim: 0, end: 1 }));
    };
    assert.match(
      said(() => checkInvariant(first, ["order"], { vocabulary: 5 })),
      /first: order: with the rows in reverse/,
    );
  });
});

describe("gradient faults that are known of public libraries, in formulas of our own", () => {
  test("a maximum whose ties each get the whole gradient", () => {
    const max = custom({
      name: "max",
      forward: (x: Tensor) => x.max(),
      backward: (g, { args: [x], outputs: y }) => [x.eq(y).where(g, 0)],
    });
    // moved together, tied numbers stay tied: along this line the maximum has no kink, and a slope of 1
    const along = (x: Tensor, t: Tensor): Tensor => max(x.to("float64").add(t));
    const ties = tensors({
      dtype: "int32",
      awkward: ["ties"],
      shape: shapes({ minRank: 1, minSide: 1 }),
    });
    const message = said(() =>
      checkGradients(along, [ties, tensors({ shape: [] })], { runs: 100 }),
    );
    assert.match(
      message,
      /argument 0 at \[\] of float64\[\].*: the gradient says [2-9], finite differences say/,
    );
    assert.match(
      message,
      /gradcheck\(\(x0\) => along\(tensor\(\[.*\], \{ dtype: "int32" \}\), x0\), \[tensor\(0, /,
    );
  });

  test("an exponential that can't be differentiated twice", () => {
    const exp = custom({
      name: "exp",
      forward: (x: Tensor) => x.exp(),
      backward: (g, { outputs: y }) => [g.mul(y.detach())],
    });
    assert.match(
      said(() => checkGradients(exp, [tensors()])),
      /gradient of exp: argument 0 .* the tape knows no way/,
    );
    checkGradients(exp, [tensors()], { order: 1 });
  });

  test("a masked class that makes every gradient NaN", () => {
    /** -Σ p ln p over the classes that the mask leaves. */
    const entropy = (x: Tensor, mask: Tensor): Tensor => {
      const p = mask.where(x, Number.NEGATIVE_INFINITY).softmax({ dim: 0 });
      return mask.where(p.mul(p.log()), 0).sum().neg();
    };
    const draw = fc
      .integer({ min: 2, max: 4 })
      .chain((n) => fc.tuple(tensors({ shape: [n] }), masks({ shape: [n] })))
      .filter(([, mask]) => mask.data[0] === 1) as fc.Arbitrary<[Tensor, Tensor]>;
    assert.match(
      said(() => checkGradients(entropy, draw, { order: 1 })),
      /the gradient says NaN, finite differences say/,
    );
  });
});

describe("arbitraries", () => {
  const sample = <T>(arbitrary: fc.Arbitrary<T>): T[] =>
    fc.sample(arbitrary, { numRuns: 200, seed: 1 });

  test("tensors have the shape, dtype and numbers that are asked for", () => {
    for (const x of sample(tensors({ domain: within(0, 1) }))) {
      assert.equal(x.dtype, "float32");
      assert.ok([...x.data].every((n) => n >= 0 && n <= 1 && Number.isInteger(4 * n)));
    }
    for (const x of sample(tensors({ shape: [3], domain: within(0, 1, { distinct: true }) })))
      assert.equal(new Set(x.data).size, 3);
    assert.ok(
      sample(tensors()).some((x) => x.size === 0) && sample(tensors()).some((x) => x.rank === 0),
    );
  });
  test("awkward numbers come when they are asked for, and not else", () => {
    const numbers = (options: Parameters<typeof tensors>[0]): number[] =>
      sample(tensors(options)).flatMap((x) => [...x.data]);
    assert.ok(numbers({}).every(Number.isFinite));
    const odd = numbers({ awkward: ["infinities", "nan", "denormals", "zeros"] });
    for (const wanted of [Infinity, -Infinity, Number.NaN, -0])
      assert.ok(
        odd.some((n) => Object.is(n, wanted)),
        String(wanted),
      );
    assert.ok(odd.some((n) => n !== 0 && Math.abs(n) < 1e-38));
    assert.match(
      said(() => tensors({ awkward: ["odd" as never] })),
      /there is no awkward "odd"; there are "ties"/,
    );
  });
  test("shapes that broadcast do", () => {
    for (const [a, b] of sample(broadcastingTensors(2))) a.add(b);
  });
  test("indices stay below the size, batches are padded", () => {
    for (const x of sample(indices({ size: 3 })))
      assert.ok([...x.data].every((i) => i >= 0 && i < 3));
    for (const { sequences, ids, mask, padding } of sample(raggedBatches({ vocabulary: 4 }))) {
      const [, width = 0] = ids.shape;
      sequences.forEach((s, b) => {
        for (let t = 0; t < width; t++) {
          assert.equal(mask.data[b * width + t], t < s.length ? 1 : 0);
          assert.equal(ids.data[b * width + t], s[t] ?? padding);
        }
      });
    }
  });
  test("a wrong drawing is told", () => {
    assert.match(
      said(() => checkGradients((x: Tensor) => x, [1] as never)),
      /draw must be a function, an arbitrary or a list/,
    );
    assert.match(
      said(() => checkOp(((x: Tensor) => x) as never)),
      /is no op, which elementwise\(\)/,
    );
  });
});

test("a drawn case costs less than a millisecond besides what it checks", () => {
  const runs = 400;
  const started = process.cpuUsage();
  fc.assert(
    fc.property(tensors(), () => {}),
    { numRuns: runs },
  );
  const { user } = process.cpuUsage(started);
  assert.ok(user / runs < 1000, `${user / runs} microseconds`);
});

describe("twoheads check", () => {
  const run = (...args: string[]) =>
    spawnSync(process.execPath, [join(root, "cli/bin.js"), "check", ...args], {
      encoding: "utf8",
      env: { ...process.env, NODE_TEST_CONTEXT: "", TWOHEADS_RERUN: "" },
    });

  test("finds the wrong op of a module, and the command that it prints runs that case again", () => {
    const folder = mkdtempSync(join(tmpdir(), "twoheads-check-"));
    const file = join(folder, "mine.mjs");
    const core = pathToFileURL(join(root, "core/index.ts")).href;
    writeFileSync(
      file,
      `import { elementwise } from "${core}";
      export const right = elementwise({ forward: (x) => x * 3, vjp: (g) => [g.mul(3)] });
      export const wrong = elementwise({ forward: (x) => x * 3, vjp: (g) => [g.mul(2)] });`,
    );
    const { status, stdout } = run(file, "--runs", "5");
    assert.equal(status, 1);
    assert.match(
      stdout,
      /^wrong FAILED\n.*the gradient says 2, finite differences say (3|2\.9).*2 ops, .* 1 failed\n$/s,
    );
    const [, words = ""] = /replay: npx twoheads check (.*)/.exec(stdout) ?? [];
    const again = run(...words.split(" "));
    assert.match(
      again.stdout,
      /wrong FAILED\n.*made smaller 0 times.*1 op, one case again, .* 1 failed\n$/s,
    );
    rmSync(folder, { recursive: true });
  });

  test("says what isn't there", () => {
    assert.match(run("nowhere.mjs").stderr, /^check: there is no file nowhere\.mjs\n$/);
    assert.match(
      run("--only", "softmix").stderr,
      /^check: there is no op "softmix"; there are add, /,
    );
  });
});
