// The tape as a picture: its numbers against the walk's own, modules as frames, folded and open, nothing changed by
// drawing, and the command that writes it. Next: ../report/tape/svg.ts.

import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import {
  ArgumentError,
  GraphError,
  grad,
  randn,
  random,
  type Tensor,
  tensor,
} from "../core/index.ts";
import { namedLosses, tinyModel } from "../lab/tiny.ts";
import { tapeToSvg } from "../report/index.ts";
import { leadingTo, type TapeGraph } from "../report/tape/boxes.ts";
import { cellsOf, digits } from "../report/tape/draw.ts";
import { tapeGraph } from "../report/tape/graph.ts";
import { itemsOf, layOut } from "../report/tape/layout.ts";
import { noModules, watchModules, withParts } from "../report/tape/modules.ts";
import { twoheadsHere } from "./commandLine.ts";
import { temporaryFolder } from "./folders.ts";

const settings = { method: "grm-sft", alpha: 0.5, beta: 0.1, dtype: "float32" } as const;
const folder = temporaryFolder("tape");

/** The tape of the tiny model's loss, as drawn, and the loss itself. */
async function tinyTape(): Promise<{ readonly tape: TapeGraph; readonly loss: Tensor }> {
  const { model, losses } = await tinyModel(settings);
  const { result, modules } = watchModules(model, losses);
  const named = withParts(modules, namedLosses(result));
  return { tape: await tapeGraph(result.loss, named, { gradients: true }), loss: result.loss };
}

/** A small loss: the mean of tanh(a w)², with its leaves. */
function small() {
  const w = randn([2, 3], { rng: random(1) })
    .named("w")
    .requiresGrad_();
  const a = tensor([
    [0, 1],
    [1, 0],
  ]).named("a");
  const h = a.matmul(w).tanh().named("h");
  return { w, a, h, loss: h.square().mean() };
}

describe("the graph behind a loss", () => {
  test("has each box's values, and the gradients that grad() finds", async () => {
    const { w, h, loss } = small();
    const { boxes } = await tapeGraph(loss, noModules, { gradients: true });
    const [dw, dh] = grad(loss, [w, h], { retainGraph: true });
    const box = (name: string) => boxes.find((one) => one.name === name);
    assert.deepEqual(box("w")?.gradient, Array.from(dw?.data ?? []));
    assert.deepEqual(box("h")?.gradient, Array.from(dh?.data ?? []));
    assert.deepEqual(box("h")?.values, Array.from(h.data));
    assert.equal(box("a")?.gradient, null);
    assert.deepEqual(
      boxes.map(({ op }) => op),
      ["leaf", "leaf", "matmul", "tanh", "square", "sum", "div"],
    );
    assert.deepEqual(boxes.at(-1)?.options, ["6"]);
  });

  test("knows which module an op ran in, and changes no bit and no module", async () => {
    const { tape, loss } = await tinyTape();
    const { model, losses } = await tinyModel(settings);
    assert.equal(await loss.item(), await losses().loss.item());
    watchModules(model, losses);
    for (const [, part] of model.namedModules())
      assert.equal(Object.hasOwn(part, "forward"), false);
    const within = (path: string): string[] =>
      tape.boxes.filter(({ module, op }) => module === path && op !== "leaf").map(({ op }) => op);
    assert.deepEqual(within("model.layers.0.mlp"), ["linear", "silu", "linear", "mul", "linear"]);
    assert.deepEqual(within("lm_head"), ["linear"]);
    assert.deepEqual(within("v_head"), ["linear", "reshape"]);
    assert.ok(within("reward loss").includes("logSigmoid"));
    assert.ok(within("text loss").includes("crossEntropy"));
    assert.ok(tape.boxes.some(({ name }) => name === "model.layers.0.self_attn.v_proj.weight"));
  });

  test("a loss of which a part threw leaves every module as it was", async () => {
    const { model } = await tinyModel(settings);
    const fail = (): never => {
      throw new Error("no");
    };
    assert.throws(() => watchModules(model, fail), /no/);
    for (const [, part] of model.namedModules())
      assert.equal(Object.hasOwn(part, "forward"), false);
  });

  test("both losses meet in the backbone and nowhere above it", async () => {
    const { tape } = await tinyTape();
    const [reward, text] = ["reward loss", "text loss"].map((end) =>
      leadingTo(tape, ({ module }) => module === end),
    );
    for (const { id, module, op } of tape.boxes) {
      if (op === "leaf") continue;
      const isBelow = module.startsWith("model");
      assert.equal(reward?.has(id) && text?.has(id), isBelow, `${op} in "${module}"`);
    }
  });
});

describe("the layout", () => {
  test("folds to a screen, and no box lies on another one, folded or open", async () => {
    const { tape } = await tinyTape();
    const folded = itemsOf(tape, () => false);
    assert.ok(folded.length < 16, `${folded.length} items`);
    assert.equal(
      folded.reduce((sum, { boxes }) => sum + boxes.length, 0),
      tape.boxes.length,
    );
    for (const isOpen of [() => false, () => true]) {
      const { items, arrows, width, height } = layOut(tape, isOpen);
      for (const [i, a] of items.entries()) {
        assert.ok(a.x > 0 && a.x < width && a.y > 0 && a.y < height);
        for (const b of items.slice(i + 1)) {
          const isApart =
            Math.abs(a.x - b.x) >= (a.width + b.width) / 2 - 1 ||
            Math.abs(a.y - b.y) >= (a.height + b.height) / 2 - 1;
          assert.ok(isApart, `${a.key} lies on ${b.key}`);
        }
      }
      const at = new Map(items.map((item) => [item.key, item]));
      for (const { from, to } of arrows)
        assert.ok((at.get(from)?.y ?? 0) < (at.get(to)?.y ?? 0), `${from} is above ${to}`);
    }
  });
});

describe("tapeToSvg", () => {
  test("draws before and after backward, from one call, and leaves the graph as it was", async () => {
    const { w, loss } = small();
    const [before, after] = [await tapeToSvg(loss, { gradients: false }), await tapeToSvg(loss)];
    assert.equal(w.grad, null);
    assert.doesNotMatch(before, /class="strip gradient"|class="gradient"/);
    assert.match(after, /class="strip gradient"/);
    assert.ok(
      after.includes(
        `<text class="value" x="26" y="40" aria-hidden="true">${digits(await loss.item())}</text>`,
      ),
    );
    assert.ok(after.includes(`<text class="gradient" x="26" y="54" aria-hidden="true">1</text>`));
    loss.backward();
    await assert.rejects(tapeToSvg(loss), (error: Error) => {
      assert.ok(error instanceof GraphError);
      assert.match(error.message, /has let the graph go; draw before it, or call backward\(\{ ret/);
      return true;
    });
  });

  test("frames modules to a depth", async () => {
    const { model, losses } = await tinyModel(settings);
    const drawn = (depth: number): Promise<string> =>
      tapeToSvg(() => losses().loss, { model, depth });
    const counts: number[] = [];
    for (const depth of [0, 1, 9])
      counts.push((await drawn(depth)).match(/class="frame"/g)?.length ?? 0);
    assert.deepEqual(counts, [0, 5, 8]);
  });

  test("names are text, and tags close", async () => {
    const x = tensor(2, { requiresGrad: true }).named(`<script>&"'`);
    const svg = await tapeToSvg(x.mul(3));
    assert.doesNotMatch(svg, /<script/);
    const open: string[] = [];
    for (const [, slash, name] of svg.matchAll(/<(\/?)(\w+)[^>]*>/g)) {
      if (slash === "") open.push(name ?? "");
      else assert.equal(open.pop(), name);
    }
    assert.deepEqual(open, []);
  });

  test("says what can't be drawn", async () => {
    const { model, losses } = await tinyModel(settings);
    const x = tensor(1, { requiresGrad: true });
    const long = Array.from({ length: 700 }).reduce<Tensor>((y) => y.neg(), x);
    await assert.rejects(tapeToSvg(long), /701 boxes, more than the 600 that can be read/);
    await assert.rejects(tapeToSvg(tensor(1)), /nothing was recorded/);
    await assert.rejects(tapeToSvg(losses().loss, { model }), ArgumentError);
    await assert.rejects(tapeToSvg((() => 3) as never), /must return a tensor, or \{ loss, parts/);
  });

  test("many numbers become cells: of neighbours the one that is farthest from 0", () => {
    assert.deepEqual(cellsOf([1, -2, 0]), [1, -2, 0]);
    const cells = cellsOf(Array.from({ length: 64 }, (_, i) => (i % 2 === 0 ? i : -i)));
    assert.deepEqual([cells.length, cells[0], cells[31]], [32, -1, -63]);
    assert.deepEqual([0, 0.6934, -1.5e-5, 12345].map(digits), ["0", "0.693", "−1.5e−5", "1.2e4"]);
  });
});

describe("twoheads tape", () => {
  const at = (name: string): string => join(folder, name);
  const drawn = (...args: readonly string[]) => twoheadsHere(["tape", ...args]);

  test("draws two heads, before and after", async () => {
    const told = await drawn("--out", at("two.svg"));
    assert.deepEqual(told, { out: `the tape: ${at("two.svg")}`, said: "", code: 0 });
    const svg = readFileSync(at("two.svg"), "utf8");
    for (const name of ["reward loss", "text loss", "self_attn", "v_head"])
      assert.ok(svg.includes(name));
    const before = await drawn("--before", "--depth", "0", "--out", at("before.svg"), "--json");
    assert.deepEqual(JSON.parse(before.out), { tape: at("before.svg") });
    assert.ok(readFileSync(at("before.svg"), "utf8").length < svg.length / 3);
  });

  test("draws what a file exports, or says what it must export", async () => {
    const core = new URL("../core/index.ts", import.meta.url).href;
    writeFileSync(
      at("loss.mjs"),
      `import { tensor } from ${JSON.stringify(core)};\nexport const loss = tensor([1, 2], { requiresGrad: true }).square().sum();\n`,
    );
    await drawn(at("loss.mjs"), "--out", at("own.svg"));
    assert.match(readFileSync(at("own.svg"), "utf8"), />square </);
    writeFileSync(at("none.mjs"), "export const other = 1;\n");
    const none = await drawn(at("none.mjs"));
    assert.equal(none.code, 1);
    assert.match(none.said, /must export "loss".*exports none/);
    assert.match((await drawn(at("nowhere.mjs"))).said, /there is no file .*nowhere\.mjs/);
    assert.equal(existsSync("tape.svg"), false);
  });
});
