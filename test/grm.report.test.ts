// Reports as a reader meets them: written by the commands, opened from disk in headless Chromium, where
// every figure must be drawn or say why not, nothing may be asked of the network, and text from a dataset
// stays text. And without a browser: escaping, tables, and pages of runs made up here.
// Next: ../report/index.ts.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import type { Browser, Page } from "playwright-core";
import "../kernels/index.ts";
import { random } from "../core/index.ts";
import type { Inspection } from "../grm/inspect/index.ts";
import type { PolicyRecord } from "../grm/policies/policyRecords.ts";
import { TrainFolder } from "../grm/trainer/folder.ts";
import type { DriftRecord, TrainRecord } from "../grm/trainer/records.ts";
import { quickPlan as plan } from "../lab/overopt/plan.ts";
import type { OveroptResultFile } from "../lab/overopt/results.ts";
import { ByteTokenizer, CausalLM } from "../nn/index.ts";
import { saveCausalLM, saveTokenizer } from "../nn/node.ts";
import { numberText } from "../report/html.ts";
import {
  bestOfNPage,
  cellMap,
  curves,
  escape,
  type Figure,
  figureHtml,
  histograms,
  overoptPage,
  policyPage,
  pretrainPage,
  ranges,
  standaloneSvg,
  tableHtml,
} from "../report/index.ts";
import { windows } from "../report/training.ts";
import { launchBrowser, noBrowser } from "./chromium.ts";
import { twoheadsHere } from "./commandLine.ts";
import { temporaryFolder } from "./folders.ts";

const folder = temporaryFolder("report");
const at = (name: string): string => join(folder, name);

const hostile = `<script>document.title="changed"</script><img src=x onerror="alert(1)">&amp;'"`;
const mostBytes = 3_000_000;

// --- Without a browser -------------------------------------------------------------------------------

const words = { title: "A <title>", look: "Look & see.", limits: 'Not "all".' };

describe("figures", () => {
  test("text is escaped wherever it stands", () => {
    assert.equal(escape(`<a href="x">&'`), "&lt;a href=&quot;x&quot;&gt;&amp;&#39;");
    assert.equal(escape("a\0b\u001bc\n"), "a\ufffdb\ufffdc\n");
    const isolated = (inside: string): string => `\u2068${inside}\u2069`;
    assert.equal(escape("a\u202eb<"), isolated("a\u202eb&lt;\u202c"));
    assert.equal(escape("a\u2069b\u2067c\u202c"), isolated("ab\u2067c\u2069"));
    assert.equal(escape("\u2066a\u2069 \u202ab"), isolated("\u2066a\u2069 \u202ab\u202c"));
    assert.equal(escape("\u05e9\u05dc\u05d5\u05dd"), "\u05e9\u05dc\u05d5\u05dd"); // letters need none
    const figure = cellMap(words, {
      rows: [hostile],
      columns: [hostile, "b"],
      values: [[1, -2]],
      unit: hostile,
      otherwise: "",
    });
    const html = figureHtml(figure, "x");
    assert.ok(!/<script|<img|<title>A/.test(html));
    assert.ok(!tableHtml({ columns: [hostile], rows: [[hostile]] }, hostile).includes("<script"));
  });

  test("numbers are short, and none is a dash", () => {
    const shown = [0, 1234, 0.000012345, 2.34567, -2, null, Number.NaN, Infinity, 1e9].map(
      numberText,
    );
    assert.deepEqual(shown, ["0", "1,234", "1.23e−5", "2.346", "−2", "–", "–", "∞", "1e9"]);
  });

  test("a figure without data says why", () => {
    const why = "nothing was measured.";
    const x = { label: "x" };
    const empty: Figure[] = [
      curves(words, { x, y: { label: "y" }, series: [], otherwise: why }),
      curves(words, {
        x,
        y: { label: "y", log: true },
        series: [
          {
            name: "a",
            points: [
              { x: 1, y: -1 },
              { x: 2, y: Number.NaN },
              { x: 3, y: null },
            ],
          },
        ],
        otherwise: why,
      }),
      ranges(words, { x, ranges: [{ row: "a", of: "b", value: null }], otherwise: why }),
      histograms(words, { x, y: x, edges: [], counts: [], otherwise: why }),
      cellMap(words, { rows: ["a"], columns: ["b"], values: [[null]], unit: "", otherwise: why }),
    ];
    for (const figure of empty) {
      assert.match(figureHtml(figure, "x"), /class="missing">Not here: nothing was measured\./);
      assert.equal(standaloneSvg(figure), null);
    }
  });

  test("have every number in their tables, and stand alone as SVG", () => {
    const points = Array.from({ length: 200 }, (_, x) => ({
      x,
      y: x * x,
      low: x,
      high: 2 * x * x,
    }));
    const figure = curves(words, {
      x: { label: "x" },
      y: { label: "y" },
      series: [{ name: "square", points }],
      otherwise: "",
    });
    assert.ok(figure.table.rows.length <= 62 && figure.table.rows.length >= 50);
    assert.deepEqual(
      figure.table.rows.at(-1),
      [199, "39,601 [199, 79,202]"].map((c) => c),
    );
    const svg = standaloneSvg(figure) ?? "";
    const small = curves(words, {
      x: { label: "x" },
      y: { label: "y" },
      series: [
        {
          name: "small",
          points: [
            { x: 0, y: 0.001 },
            { x: 1, y: 0.002 },
          ],
        },
      ],
      otherwise: "",
    });
    assert.match(standaloneSvg(small) ?? "", />0\.0010</, "ticks keep their digits");
    assert.match(svg, /^<svg xmlns=.*--c0:#.*<path .*<\/svg>$/s);
    assert.equal(svg.includes("NaN"), false);
    const said = [...svg.matchAll(/<text x="12"[^>]*>([^<]*)</g)].map(([, text]) => text).join(" ");
    const kept = [words.title, words.look, words.limits].map((text) => escape(text)).join(" ");
    assert.equal(said, kept, "as a file it keeps its words");
    assert.match(svg, /prefers-color-scheme:dark\)\{svg\{[^}]*background:#1/);
  });

  test("training steps become means over windows", () => {
    const records = Array.from({ length: 160 }, (_, i) => ({
      kind: "train",
      step: i + 1,
      loss: i,
    }));
    const found = windows(records as unknown as TrainRecord[], (r) => r.loss);
    assert.equal(found.length, 80);
    assert.deepEqual(found[0], { x: 1.5, y: 0.5 });
    assert.deepEqual(found.at(-1), { x: 159.5, y: 158.5 });
  });
});

// --- Pages of runs that are made up ------------------------------------------------------------------

const rng = random("made up");
const record = (step: number): PolicyRecord => ({
  step,
  proxy: step + rng.uniform(),
  gold: 4 - (step - 3) ** 2 / 4,
  controls: {},
  kl_k1: step,
  kl_k3: step + 0.1,
  kl_weight: 0,
  entropy: 2 / (step + 1),
  length: 20,
  ended: 0.9,
  refused: 0,
  clipped: 0,
  policy_loss: null,
  value_loss: null,
  clip_share: null,
  grad_norm: null,
  samples: [{ text: hostile, proxy: 1, gold: 2 }],
  seconds: 1,
});

/** Two judges, optimised by best-of-n: gold falls under the one and not under the other. */
function seedOf(seed: number): OveroptResultFile["seeds"][number] {
  const at = [1, 4, 16, 64];
  const kl = [0, 0.64, 1.8, 3.2];
  const curve = (judge: "bt" | "gold", sign: number) => ({
    ...{ method: "bon" as const, judge, at, kl, proxy: kl, length: kl, fluency: kl.map((d) => -d) },
    gold: kl.map((d) => d + sign * d * d + 0.1 * seed),
  });
  const facts = { rightBefore: 0.8, right: 0.65, ties: 0, perplexity: 2.8, optimum: [1, 2, 3, 4] };
  return {
    seed,
    ...facts,
    correlation: { bt: 0.5 },
    curves: [curve("bt", -0.5), curve("gold", 0)],
  };
}

function madeUp(): Record<string, string> {
  const records = Array.from({ length: 6 }, (_, i) => record(i));
  const training = [1, 2, 3].map((step) => ({
    ...{ kind: "train" as const, step, tokens: step, loss: 3 / step },
    ...{ lr: 0.1, gradNorm: 1, clipped: 0, seconds: step },
  }));
  const curve = [
    [0, 1, 1.5],
    [0.2, 0.8, 1.2],
  ];
  return {
    pretrain: pretrainPage("lm", { corpus: [hostile] }, [
      ...training,
      { kind: "sample", step: 3, prompt: hostile, text: "x" },
    ]),
    policy: policyPage([
      { name: "ppo", settings: { judge: hostile }, records },
      { name: "rloo", settings: {}, records },
    ]),
    bon: bestOfNPage({
      ...{ name: "bon", settings: { judge: "bt" }, ns: [1, 2, 4], kl: [0, 0.2, 0.6] },
      ...{ measures: ["proxy: bt", "gold"], curves: [curve, curve] },
    }),
    overopt: overoptPage("overopt", {
      command: "twoheads overopt",
      plan,
      seeds: [0, 1].map(seedOf),
    }),
  };
}

// --- In a browser ------------------------------------------------------------------------------------

/** What a page did besides showing itself. */
interface Opened {
  readonly page: Page;
  readonly complaints: string[];
}

async function open(browser: Browser, file: string, width = 1200): Promise<Opened> {
  const page = await browser.newPage({ viewport: { width, height: 900 } });
  const complaints: string[] = [];
  page.on("console", (message) => complaints.push(`console: ${message.text()}`));
  page.on("pageerror", (error) => complaints.push(`error: ${error.message}`));
  page.on("dialog", (dialog) => complaints.push(`dialog: ${dialog.message()}`));
  const own = pathToFileURL(file).href;
  page.on("request", (request) => {
    if (!request.url().startsWith("data:") && request.url() !== own)
      complaints.push(`request: ${request.url()}`);
  });
  await page.goto(own);
  return { page, complaints };
}

/** What stands in a figure of a page. */
interface Shown {
  readonly title: string;
  readonly caption: string;
  readonly missing: string;
  readonly cells: number;
  /** The picture's; null if there is none. */
  readonly picture: {
    readonly width: number;
    readonly height: number;
    readonly marks: number;
    readonly isNamed: boolean;
    readonly html: string;
  } | null;
}

/** Runs in the page: opens all that is folded, so that it can be measured. */
const unfolded = (): void => {
  for (const details of document.querySelectorAll("details")) details.open = true;
};

/** How often the tab key finds something new. */
async function tabStops(page: Page): Promise<number> {
  const at = (): Promise<number> =>
    page.evaluate(() =>
      [...document.body.querySelectorAll("*")].indexOf(document.activeElement as Element),
    );
  const seen = new Set<number>();
  for (;;) {
    await page.keyboard.press("Tab");
    const place = await at();
    if (place < 0 || seen.has(place)) return seen.size;
    seen.add(place);
  }
}

/** Runs in the page: words of a picture that stand on each other, or leave it. */
const overprinted = (): string[] =>
  [...document.querySelectorAll("svg.plot")].flatMap((svg) => {
    const frame = svg.getBoundingClientRect();
    const words = [...svg.querySelectorAll("text")]
      .filter((text) => text.textContent?.trim())
      .map((text) => {
        const box = text.getBoundingClientRect();
        const isUpright = /rotate\(-?90\)/.test(text.getAttribute("transform") ?? "");
        const [x, y] = isUpright ? [2, 0] : [0, 2]; // a line's box is higher than its letters
        const [left, right] = [box.left + x, box.right - x];
        return { text: text.textContent, left, right, top: box.top + y, bottom: box.bottom - y };
      });
    return words.flatMap((one, i) => {
      const name = `${svg.getAttribute("aria-label")}: ${one.text}`;
      const leaves = one.left < frame.left - 2 || one.right > frame.right + 2;
      const on = words.slice(i + 1).filter((other) => {
        const across = Math.min(one.right, other.right) - Math.max(one.left, other.left);
        const down = Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top);
        return across > 0.5 && down > 0.5;
      });
      return [
        ...(leaves ? [`${name} leaves the picture`] : []),
        ...on.map((other) => `${name} and ${other.text}`),
      ];
    });
  });

/** What axe finds serious in a page as it is opened, in light; in dark, where colours alone differ, of contrast. */
async function seriousIn(browser: Browser, file: string): Promise<string[]> {
  const { page } = await open(browser, file);
  await page.evaluate(() => {
    for (const hidden of document.querySelectorAll("details:not([open]) > :not(summary)"))
      hidden.remove(); // which axe passes over, after minutes
  });
  await page.evaluate(readFileSync(createRequire(import.meta.url).resolve("axe-core"), "utf8"));
  const found: string[] = [];
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme });
    const rules = colorScheme === "dark" ? { runOnly: ["color-contrast"] } : {};
    const { violations } = (await page.evaluate(
      `axe.run(${JSON.stringify({ ...rules, resultTypes: ["violations"] })})`,
    )) as { violations: { id: string; impact: string; nodes: { html: string }[] }[] };
    const serious = violations.filter(({ impact }) => /serious|critical/.test(impact));
    found.push(...serious.map(({ id, nodes }) => `${colorScheme} ${id}: ${nodes[0]?.html}`));
  }
  await page.close();
  return found;
}

/** Runs in the page. */
const figuresInPage = (): Shown[] =>
  [...document.querySelectorAll("figure")].map((figure) => {
    const svg = figure.querySelector("svg.plot");
    const box = svg?.getBoundingClientRect();
    return {
      title: figure.querySelector("h3")?.textContent ?? "",
      caption: figure.querySelector("figcaption")?.textContent ?? "",
      missing: figure.querySelector(".missing")?.textContent ?? "",
      cells: figure.querySelectorAll("details tbody td").length,
      picture: svg && {
        width: box?.width ?? 0,
        height: box?.height ?? 0,
        marks: svg.querySelectorAll("path,circle,rect,line").length,
        isNamed: svg.getAttribute("role") === "img" && svg.hasAttribute("aria-label"),
        html: svg.outerHTML,
      },
    };
  });

/** What a figure lacks. */
function problemsOf({ title, caption, missing, cells, picture }: Shown): string[] {
  const found = {
    "no title": title === "",
    "no caption": caption.trim().length < 20,
    "neither drawn nor explained": picture === null && missing.length < 20,
    "too small": picture !== null && (picture.width < 200 || picture.height < 50),
    "no marks": picture !== null && picture.marks < 3,
    "no name": picture?.isNamed === false,
    "no table": picture !== null && cells === 0,
    "no number": /NaN|undefined|Infinity/.test(picture?.html ?? ""),
  };
  return Object.entries(found).flatMap(([what, is]) => (is ? [`${title}: ${what}`] : []));
}

/** Opens a page wide and narrow and holds it to what every page promises; returns it wide. */
async function inspect(browser: Browser, file: string): Promise<Page> {
  const narrow = await open(browser, file, 390);
  const width = await narrow.page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(width <= 390, `${file} is ${width} pixels wide on a telephone`);
  await narrow.page.close();
  const { page, complaints } = await open(browser, file);
  assert.deepEqual(await seriousIn(browser, file), []);
  await page.evaluate(unfolded);
  const figures = await page.evaluate(figuresInPage);
  assert.deepEqual(figures.flatMap(problemsOf), []);
  assert.deepEqual(await page.evaluate(overprinted), []);
  assert.ok((await page.locator("figure svg.plot").count()) > 0, "figures are drawn");
  assert.deepEqual(complaints, []);
  assert.ok(readFileSync(file).length < mostBytes, "smaller than 3 MB");
  return page;
}

describe("in Chromium", { skip: noBrowser, timeout: 600_000 }, () => {
  let browser: Browser;
  before(async () => {
    browser = await launchBrowser();
  });
  after(() => browser.close());

  test("two training runs side by side, with text that would be a script", async () => {
    await trainTwo();
    const file = at("bt/report-and-sft.html");
    const page = await inspect(browser, file);
    const text = await page.evaluate(() => document.body.innerText);
    assert.ok(text.includes("<script>document.title"), "the text is shown as text");
    assert.match(await page.title(), /^Which reward model ranks pairs better, bt or sft\?$/);
    assert.equal(await page.locator("script, img").count(), 0);
    const shown = await page.locator(".tok").first().getAttribute("data-r");
    assert.match(shown ?? "", /adds .*, reward so far .*, surprise /);
    await page.locator(".tok").nth(3).focus();
    const bubble = await page.evaluate(
      () => getComputedStyle(document.activeElement as Element, "::after").content,
    );
    assert.match(bubble, /reward so far/, "the number is shown on focus");
    await page.close();
    await (await inspect(browser, at("sft/report.html"))).close();
    const drifts = new TrainFolder(at("sft")).metrics().filter(({ kind }) => kind === "drift");
    const evaluations = new TrainFolder(at("sft")).metrics().filter((r) => r.kind === "evaluation");
    assert.equal(drifts.length, evaluations.length, "drift at every evaluation");
    const [first, last] = [drifts[0], drifts.at(-1)] as DriftRecord[];
    assert.ok(
      first?.layers.every(({ cosine }) => cosine > 0.999999),
      "the base itself at first",
    );
    assert.ok((last?.layers.at(-1)?.cosine ?? 1) < 0.9999, "and less so at last");
  });

  test("twoheads inspect says the same as a page, as JSON and in words", async () => {
    const html = at("inside.html");
    const json = await saying("inspect", at("bt"), at("sft"), "--html", html, "--json");
    const { models, pairs } = JSON.parse(json) as Inspection;
    assert.deepEqual(
      models.map(({ name }) => name),
      ["bt", "sft"],
    );
    assert.equal(pairs, 7, "0.3 of 24 pairs were held out");
    assert.ok(models.every(({ gradients }) => gradients.disjoint && gradients.alpha === 0.3));
    await (await inspect(browser, html)).close();
    const said = await saying("inspect", at("sft"), "--pairs", at("pairs.jsonl"), "--limit", "3");
    assert.match(said, /^sft: accuracy .* of 3 pairs/);
    assert.match(said, /no position is pushed by both; below, they first meet at model\.layers/);
    const wrong = await twoheadsHere(["inspect", at("sft"), "--world", "id"]);
    assert.match(wrong.said, /^inspect: the model doesn't read the words of the demo's world$/);
    assert.match((await twoheadsHere(["report", folder])).said, /holds no run/);
    assert.equal(wrong.code, 1);
  });

  test("the demo's report, written at its end", async () => {
    const bin = fileURLToPath(new URL("../cli/bin.js", import.meta.url));
    const args = [bin, "demo", "--quick", "--out", at("demo")];
    const { stdout: printed } = await promisify(execFile)(process.execPath, args);
    assert.ok(printed.includes(`The report, with two of the models looked into: ${at("demo")}`));
    for (const width of [1200, 390]) {
      const { page: folded } = await open(browser, at("demo/report.html"), width);
      const height = await folded.evaluate(() => document.documentElement.scrollHeight);
      assert.ok(height < 12_000, `${height} pixels, ${width} wide`);
      const stops = await tabStops(folded);
      assert.ok(stops > 20 && stops < 120, `${stops} tab stops`);
      await folded.click("nav a[href='#texts']");
      assert.ok(await folded.locator("#texts").isVisible(), "a link opens what it leads to");
      await folded.close();
    }
    const page = await inspect(browser, at("demo/report.html"));
    assert.ok((await page.locator("figure").count()) > 50);
    const missing = await page.locator("figure .missing").allTextContents();
    assert.ok(missing.length <= 2, missing.join("\n")); // cosines, of a quick run
    await page.emulateMedia({ colorScheme: "dark" });
    const [ink, paper] = await page.evaluate(() => {
      const { color, backgroundColor } = getComputedStyle(document.body);
      return [color, backgroundColor];
    });
    assert.notEqual(ink, paper);
    assert.match(paper ?? "", /rgb\((\d|[1-4]\d), /, "dark where the reader wants it");
    await page.close();
    await saying("report", at("demo/bt"), at("demo/grm-sft"));
    const two = await inspect(browser, at("demo/bt/report-and-grm-sft.html"));
    assert.match((await two.locator("h1").textContent()) ?? "", /better, BT or GRM-SFT\?$/);
    assert.match((await two.locator(".answer").textContent()) ?? "", /of 48 pairs \(out of dist/);
    await two.close();
    const mixed = await twoheadsHere(["report", at("demo/bt"), at("bt")]);
    assert.match(mixed.said, /is a run of kept and .* one of train; needed two of one kind/);
  });

  test("a run whose base is gone has a page that says so", async () => {
    renameSync(at("base"), at("moved"));
    await saying("report", at("bt"));
    const page = await inspect(browser, at("bt/report.html"));
    const text = await page.evaluate(() => document.body.innerText);
    assert.match(text, /Not here: the base that training began with isn't there any more\./);
    await page.close();
  });

  for (const [kind, html] of Object.entries(madeUp())) {
    test(`the page of ${kind}`, async () => {
      writeFileSync(at(`${kind}.html`), html);
      await (await inspect(browser, at(`${kind}.html`))).close();
    });
  }
});

/** Two tiny reward models from one base, on pairs of which one is hostile, and their common page. */
async function trainTwo(): Promise<void> {
  const tokenizer = new ByteTokenizer({ special: { bos: "<s>", eos: "</s>", pad: "<pad>" } });
  const shape = { vocabSize: tokenizer.vocabSize, dim: 16, layers: 2, heads: 2, context: 160 };
  await saveCausalLM(at("base"), new CausalLM(shape, { rng: random(0) }));
  await saveTokenizer(at("base"), tokenizer);
  const lines = Array.from({ length: 24 }, (_, i) => {
    const answers = { chosen: `yes ${i}`, rejected: `no ${hostile}` };
    return `${JSON.stringify({ prompt: hostile.slice(0, 20), ...answers, source: hostile })}\n`;
  });
  writeFileSync(at("pairs.jsonl"), lines.join(""));
  for (const [name, method] of [
    ["bt", "bt"],
    ["sft", "grm-sft"],
  ] as const) {
    const training = ["--base", at("base"), "--data", at("pairs.jsonl"), "--epochs", "2"];
    const more = ["--method", method, "--alpha", "0.3", "--hold-out", "0.3", "--inspect"];
    await saying("train", ...training, ...more, "--batch-size", "4", "--out", at(name));
  }
  await saying("report", at("bt"), at("sft"));
}

/** What a command prints. */
const saying = async (...args: string[]): Promise<string> => (await twoheadsHere(args)).out;
