// What reports claim, held against their data: verdicts that are yes, no and unclear, read off the page in Chromium
// and computed here a second time; and captions, for data of which a sentence written once would be false.
// Next: grm.report.test.ts for the pages of real runs.

import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import type { Browser } from "playwright-core";
import type { ModelComparison } from "../grm/evaluation.ts";
import type { PolicyRecord } from "../grm/policies/policyRecords.ts";
import type { TrainRecord } from "../grm/trainer/records.ts";
import { armsOf, fullPlan, type RowName, rowsOf } from "../lab/demo/plan.ts";
import type { DemoResult } from "../lab/demo/results.ts";
import { quickPlan } from "../lab/overopt/plan.ts";
import { coursesText, rowsText, sidesText } from "../report/captions.ts";
import { curves, type Range } from "../report/charts.ts";
import { frontierSection } from "../report/frontier.ts";
import { demoPage, overoptPage, policyPage, pretrainPage, rewardPage } from "../report/index.ts";
import { settingsSection } from "../report/settings.ts";
import { trainingSection } from "../report/training.ts";
import { holds } from "../testing/property.ts";
import { launchBrowser, noBrowser } from "./chromium.ts";
import { root, temporaryFolder } from "./folders.ts";

// --- A demo that is made up --------------------------------------------------------------------------

/** Results of three seeds in which a row has, at a rate, the accuracies that `of` says. */
function made(of: (row: RowName, lr: number, seed: number) => { id: number; ood: number }) {
  return [0, 1, 2].flatMap((seed) =>
    armsOf(fullPlan).flatMap((arm) =>
      rowsOf(arm).map((row): DemoResult => {
        const { id, ood } = of(row, arm.lr, seed);
        const accuracy = { id, domain: ood, word: ood, form: ood, all: ood };
        const perplexity = row === "bt" ? 20 + seed : 4;
        return { seed, row, lr: arm.lr, step: 128, accuracy, perplexityBefore: 3, perplexity };
      }),
    ),
  );
}

/** GRM-SFT gains as much in each seed; plain BT is the same at each rate. */
const gaining = (gains: readonly [number, number, number]): DemoResult[] =>
  made((row, _lr, seed) => {
    const ood = 0.6 + 0.05 * seed + (row === "grm-sft" ? (gains[seed] ?? 0) : 0);
    return { id: 0.7, ood };
  });

const pageOfDemo = (results: readonly DemoResult[]): string =>
  demoPage({
    file: { command: "twoheads demo", plan: fullPlan, results },
    many: null,
    printed: "",
    models: "none were kept.",
  });

/** What a page says under the figure of a title. */
function captionOf(html: string, title: string): string {
  const [, rest = ""] = html.split(`<h3>${title}</h3>`);
  return /<figcaption>(.*?) ?<span/s.exec(rest)?.[1] ?? "";
}

const cases = { yes: [0.05, 0.06, 0.07], no: [-0.05, -0.06, -0.07], unclear: [0.2, 0.01, -0.02] };

describe("the demo's answer in Chromium", { skip: noBrowser }, () => {
  const folder = temporaryFolder("answers");
  let browser: Browser;
  before(async () => {
    browser = await launchBrowser();
  });
  after(() => browser.close());

  for (const [word, gains] of Object.entries(cases)) {
    test(`is ${word} where the data are`, async () => {
      const file = join(folder, `${word}.html`);
      writeFileSync(file, pageOfDemo(gaining(gains as [number, number, number])));
      const mean = gains.reduce((sum, x) => sum + x, 0) / 3;
      const deviation = Math.sqrt(gains.reduce((sum, x) => sum + (x - mean) ** 2, 0) / 2);
      const half = (4.303 * deviation) / Math.sqrt(3); // Student's t with 2 degrees of freedom
      for (const [width, most] of [
        [1200, 900],
        [390, 1200],
      ] as const) {
        const page = await browser.newPage({ viewport: { width, height: most } });
        await page.goto(pathToFileURL(file).href);
        const question = page.locator("h1");
        assert.match((await question.textContent()) ?? "", /\?$/);
        const said = (await page.locator(".answer").textContent()) ?? "";
        assert.equal(await page.locator("#answer").getAttribute("data-verdict"), word);
        assert.match(said, new RegExp(`^${word}:`, "i"));
        const numbers = [...said.replaceAll("−", "-").matchAll(/[+-]?\d+\.\d/g)].map(Number);
        const expected = [mean, mean - half, mean + half].map((x) => 100 * x);
        for (const [i, x] of expected.entries())
          assert.ok(Math.abs((numbers[i] ?? Number.NaN) - x) < 0.06, `${said}: ${x}`);
        const bottom = await page
          .locator("#answer figure")
          .first()
          .evaluate((figure) => figure.getBoundingClientRect().bottom);
        assert.ok(bottom <= most, `the figure ends at ${bottom} of ${most}, ${width} wide`);
        await page.close();
      }
    });
  }
});

describe("the demo's answer", () => {
  test("tells what became of the language model, which may be nothing", () => {
    const kept = pageOfDemo(gaining([0, 0, 0]));
    assert.match(
      kept,
      /is kept better by GRM-SFT: at the rate 5e-3 its perplexity goes from 3 to 4/,
    );
    const same = gaining([0, 0, 0]).map((r) => ({ ...r, perplexity: 4 }));
    assert.match(pageOfDemo(same), /is not shown to be kept better by either/);
    const worse = gaining([0, 0, 0]).map((r) => ({ ...r, perplexity: r.row === "bt" ? 4 : 9 }));
    assert.match(pageOfDemo(worse), /is kept worse by GRM-SFT/);
  });

  test("claims nothing from one seed", () => {
    const one = gaining([0.3, 0, 0]).filter(({ seed }) => seed === 0);
    assert.match(
      pageOfDemo(one),
      /data-verdict="unclear".*one seed, which says nothing of chance/s,
    );
  });

  test("names the rates that show something by themselves", () => {
    const html = pageOfDemo(
      made((row, lr, seed) => {
        const gain = row !== "grm-sft" ? 0 : lr === 7e-4 ? -0.04 : lr === 5e-3 ? 0.1 : 0;
        return { id: 0.7, ood: 0.6 + gain + 0.001 * seed * (row === "grm-sft" ? 1 : 0) };
      }),
    );
    assert.match(
      html,
      /at one rate for both a difference is shown: −3\.9 at 7e-4 and \+10\.1 at 5e-3/,
    );
  });

  test("beside it, methods that lie farther apart in distribution aren't said to lie closer", () => {
    const html = pageOfDemo(
      made((row, lr) => ({
        id: row === "bt" ? 0.5 : 0.5 + 40 * lr,
        ood: row === "bt" ? 0.6 : 0.61,
      })),
    );
    assert.match(
      captionOf(html, "Accuracy in distribution"),
      /rate 7e-4: 2\.8 points, rate 2e-3: 8\.0 points, rate 5e-3: 20\.0 points/,
    );
    assert.match(captionOf(html, "Accuracy out of distribution"), /rate 5e-3: 1\.0 points/);
  });
});

// --- Captions ----------------------------------------------------------------------------------------

/** A number for each step, in a run's records; validation at every other one. */
function records(loss: readonly number[], validation: readonly number[]): TrainRecord[] {
  const step = (reward_loss: number, i: number) => {
    const nulls = { reg_loss: null, reward_hidden_grad: null, reg_hidden_grad: null };
    return {
      kind: "train",
      step: i + 1,
      reward_loss,
      accuracy: 0.5,
      grad_norm: 1,
      clipped: 0,
      grad_cosine: null,
      ...nulls,
    };
  };
  const held = (value: number, i: number) => {
    const nulls = { chosen_perplexity: null, rejected_perplexity: null };
    return { kind: "evaluation", step: i + 1, loss: value, accuracy: 0.5, ...nulls };
  };
  return [...loss.map(step), ...validation.map(held)] as unknown as TrainRecord[];
}

describe("captions are computed", () => {
  test("nothing under a figure is a sentence that was written once", () => {
    const wrong = readdirSync(join(root, "report"))
      .filter((name) => name.endsWith(".ts"))
      .flatMap((name) => {
        const source = readFileSync(join(root, "report", name), "utf8");
        const found = [...source.matchAll(/\blook:\s*(?:"[^"]*"|'[^']*'|`[^`$]*`)/g)];
        return found.map(([text]) => `${name}: ${text}`);
      });
    assert.deepEqual(wrong, []);
  });

  test("one unit an axis", () => {
    const labels = readdirSync(join(root, "report")).flatMap((name) =>
      name.endsWith(".ts")
        ? [...readFileSync(join(root, "report", name), "utf8").matchAll(/\blabel: "([^"]*)"/g)]
        : [],
    );
    assert.ok(labels.length > 20);
    assert.deepEqual(
      labels.map(([, text]) => text).filter((text) => / or /.test(text ?? "")),
      [],
    );
  });

  test("a loss that rises, and validation that turns, are said as they are", () => {
    const rising = trainingSection([
      { name: "a", records: records([0.2, 0.5, 0.9], [0.7, 0.3, 0.6]) },
    ]);
    assert.equal(
      rising.figures?.[0]?.look,
      "a, training goes from 0.2 to 0.9; a, validation goes from 0.7 to 0.6 (lowest, 0.3, at step 2).",
    );
    const falling = trainingSection([{ name: "a", records: records([0.9, 0.2], [0.7, 0.7]) }]);
    assert.equal(
      falling.figures?.[0]?.look,
      "a, training goes from 0.9 to 0.2; a, validation begins and ends at 0.7.",
    );
    assert.match(falling.figures?.at(6)?.look ?? "", /a: 0 of 2 steps clipped\./);
  });

  test("an interval without 0 says nothing of the sign of every seed", () => {
    const gains = [10, 10, 10, 10, -0.1];
    const point = { lr: 5e-3, id: 0.7, perplexityBefore: 3, perplexity: 4, kl: 0.1 };
    const points = gains.flatMap((gain, seed) => [
      { ...point, seed, alpha: 0, ood: 0.5 },
      { ...point, seed, alpha: 0.5, ood: 0.5 + gain / 100 },
    ]);
    const { figures = [] } = frontierSection({ command: "x", points });
    assert.match(figures[2]?.look ?? "", /^Rate 5e-3: a mean gain is shown at alpha 0\.5\.$/);
    assert.doesNotMatch(figures.map(({ look, limits }) => look + limits).join(), /agree/);
    const lost = points.map((p) => ({ ...p, ood: p.alpha === 0 ? 0.5 : 0.4 - p.seed / 1000 }));
    const worse = frontierSection({ command: "x", points: lost });
    assert.match(worse.figures?.[2]?.look ?? "", /a mean loss at alpha 0\.5/);
    assert.match(worse.figures?.[0]?.look ?? "", /plain BT is the most accurate, 50\.0 %/);
  });

  test("no figure says of labels what it can't know", () => {
    const { figures = [] } = trainingSection([{ name: "a", records: records([1], [1]) }]);
    assert.doesNotMatch(figures.map(({ look, limits }) => look + limits).join(), /noisy/);
  });

  test("gold that rises to the end isn't said to turn down", () => {
    const curve = (judge: "bt", sign: number) => ({
      ...{ method: "bon" as const, judge, at: [1, 4, 16], kl: [0, 1, 2], length: [1, 1, 1] },
      ...{ proxy: [0, 1, 2], fluency: [-1, -1, -1] },
      gold: [0, 1, 1 + sign],
    });
    const page = (sign: number): string =>
      overoptPage("o", {
        ...{ command: "twoheads overopt", plan: quickPlan },
        seeds: [0, 1].map((seed) => ({
          ...{ seed, rightBefore: 0.8, right: 0.7, ties: 0, perplexity: 2, optimum: [1, 2, 3] },
          ...{ correlation: { bt: 0.5 }, curves: [curve("bt", sign - 0.01 * seed)] },
        })),
      });
    assert.match(captionOf(page(1), "True quality, best-of-n"), /^No curve is shown to turn down/);
    assert.match(page(1), /data-verdict="unclear"/);
    assert.match(
      captionOf(page(-1), "True quality, best-of-n"),
      /^Shown to turn down: bt from KL 1/,
    );
    assert.match(page(-1), /data-verdict="yes"/);
  });

  test("a validation loss that was lower before, and answers that got worse, are said", () => {
    const held = (step: number, loss: number) => {
      const perplexity = Math.exp(loss);
      return {
        kind: "validation" as const,
        step,
        tokens: 9,
        loss,
        perplexity,
        bitsPerByte: loss,
        seconds: 1,
      };
    };
    const page = pretrainPage("lm", {}, [held(1, 2), held(2, 1), held(3, 1.5)]);
    assert.match(
      page,
      /Perplexity 4\.48:.*\(1\.5 nats a token.*The best was 2\.72, at step 2\. It was 7\.39 at step 1\./s,
    );
    assert.match(
      pretrainPage("lm", {}, [held(1, 2), held(2, 1)]),
      /No earlier validation was better/,
    );
    const round = (step: number, gold: number) =>
      ({ step, gold, proxy: step, kl_k1: step, samples: [] }) as unknown as PolicyRecord;
    const worse = policyPage([
      { name: "p", settings: {}, records: [round(0, 2), round(1, 3), round(2, 1)] },
    ]);
    assert.match(
      worse,
      /data-verdict="no".*in p true quality went from 2 to 1 \(it was 3 in round 1/s,
    );
  });

  test("of two models the better is named where interval and test agree, and no other", () => {
    const compared = (value: number, low: number, high: number, p: number): ModelComparison => {
      const accuracy = { value: 0.6, low: 0.5, high: 0.7, count: 100, ties: 0 };
      const difference = { value, low, high, p, count: 100, rounds: 1000 };
      return {
        first: accuracy,
        second: accuracy,
        difference,
        lossDifference: difference,
        onlyFirst: 1,
        onlySecond: 2,
      };
    };
    const runs = ["one", "two"].map((name) => ({
      name,
      settings: {},
      records: [],
      evaluation: "no.",
    }));
    const verdictOf = (found: ModelComparison): string =>
      /data-verdict="([^"]*)"/.exec(
        rewardPage({
          runs,
          comparisons: [{ pairs: "all", found }],
          inspection: "no.",
          frontier: null,
        }),
      )?.[1] ?? "";
    assert.equal(verdictOf(compared(0.1, 0.05, 0.15, 0.001)), "one");
    assert.equal(verdictOf(compared(-0.1, -0.15, -0.05, 0.001)), "two");
    assert.equal(verdictOf(compared(0.1, -0.05, 0.25, 0.2)), "unclear");
    assert.equal(verdictOf(compared(0.1, 0.01, 0.25, 0.06)), "unclear");
  });

  test("property: rows name their highest and lowest value, curves their ends", () => {
    holds(
      "captions",
      (d) => Array.from({ length: d.integer(2, 6) }, () => d.integer(-40, 40) / 4),
      (values) => {
        const rows = values.map((value, i): Range => ({ row: `r${i}`, of: "", value }));
        const [most, least] = [Math.max(...values), Math.min(...values)];
        const said = rowsText(rows).replaceAll("−", "-");
        const expected =
          most === least
            ? `Every value is ${most}.`
            : `Highest: r${values.indexOf(most)}, ${most}; lowest: r${values.indexOf(least)}, ${least}.`;
        assert.equal(said, expected);
        const points = values.map((y, x) => ({ x, y }));
        const course = coursesText([{ name: "c", points }], "x").replaceAll("−", "-");
        const [from, to] = [values[0], values.at(-1)];
        assert.ok(
          course.startsWith(
            from === to ? `c begins and ends at ${to}` : `c goes from ${from} to ${to}`,
          ),
          course,
        );
      },
    );
  });

  test("sides are told by interval, and only of what has one", () => {
    const range = (row: string, low: number | null, high: number | null): Range => ({
      row,
      of: "",
      value: 0,
      low,
      high,
    });
    const all = [range("a", 1, 2), range("b", -2, -1), range("c", -1, 1), range("d", null, null)];
    assert.equal(sidesText(all, 0), "Above 0: a; below 0: b; the others hold 0.");
    assert.equal(sidesText([range("c", -1, 1)], 0), "Every interval holds 0.");
    assert.equal(sidesText([range("d", null, null)], 0), "");
  });
});

// --- Panels and settings -----------------------------------------------------------------------------

describe("what is compared", () => {
  test("has one scale", () => {
    const drift = (step: number, cka: number) => ({
      ...{ kind: "drift", step },
      layers: [{ name: "model.embed", cka, cosine: 1, norm: 1, norm_spread: 0, effective_rank: 2 }],
    });
    const runs = [0.9, 0.2].map((cka, i) => ({
      name: `run ${i}`,
      records: [drift(0, 1), drift(1, cka)] as unknown as TrainRecord[],
    }));
    const panels = (trainingSection(runs).figures ?? []).filter(({ title }) => /^CKA/.test(title));
    const ticks = panels.map(({ picture }) => {
      const svg = "svg" in picture ? picture.svg : "";
      return [...svg.matchAll(/>(\d\.\d+)</g)].map(([, text]) => text).join();
    });
    assert.equal(ticks.length, 2);
    assert.equal(ticks[0], ticks[1]);
    assert.match(ticks[0] ?? "", /0\.2,.*1\.0/);
  });

  test("shows the settings that differ, and folds the rest", () => {
    const { after: html = "" } = settingsSection([
      { name: "a", values: { lr: 1, seed: 0 } },
      { name: "b", values: { lr: 2, seed: 0 } },
    ]);
    const [open = "", folded = ""] = html.split("<details");
    assert.match(open, /lr/);
    assert.doesNotMatch(open, /seed/);
    assert.match(folded, /All 2 settings.*seed/s);
  });

  test("words beside crowded points are left out rather than printed on each other", () => {
    const points = Array.from({ length: 30 }, (_, i) => ({ x: 1 + i / 1e4, y: 1, label: `w${i}` }));
    const far = { x: 2, y: 2, label: "far" };
    const axis = { label: "" };
    const words = { title: "t", look: "", limits: "" };
    const series = [{ name: "s", points: [...points, far] }];
    const { picture } = curves(words, { x: axis, y: axis, series, otherwise: "" });
    const svg = "svg" in picture ? picture.svg : "";
    const told = [...svg.matchAll(/>(w\d+|far)</g)].length;
    assert.ok(told >= 2 && told <= 5, `${told} words`);
    assert.match(svg, />far</);
  });
});
