// The site: every link leads somewhere, lessons run in the page and print what they print in Node, edits show as
// differences, and the pages are read with a telephone, a keyboard, and in the dark. The API reference is read
// as `npm run docs` left it, which .ci/run calls first. Next: ../site/build.ts; explorer.test.ts for the explorer.

import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import type { Browser, Page } from "playwright-core";
import { serveFolder } from "../explorer/serve.ts";
import { buildSite } from "../site/build.ts";
import { lessonAddress, lessonNames, lessonPage } from "../site/lessons.ts";
import { markdownHtml } from "../site/markdown.ts";
import { barriersOn } from "./axe.ts";
import { launchBrowser, noBrowser } from "./chromium.ts";
import { root, temporaryFolder } from "./folders.ts";

const folder = temporaryFolder("site");
before(() => buildSite(folder, { withReference: false }));

describe("pages", () => {
  test("every link and picture is there, and none comes from elsewhere", () => {
    const pages = readdirSync(folder, { recursive: true, encoding: "utf8" });
    const html = pages.filter((name) => name.endsWith(".html"));
    assert.equal(html.length, 2 + 1 + 1 + lessonNames().length); // front, results; explorer; lessons
    for (const name of html) {
      const text = readFileSync(join(folder, name), "utf8");
      const links = [...text.matchAll(/ (?:href|src)="([^"#]*)(#[^"]*)?"/g)].map(
        ([, to = ""]) => to,
      );
      for (const link of links) {
        if (link === "" || link.startsWith("data:image/")) continue;
        if (/^https:\/\/github\.com\/|^https?:\/\/(?!.*\.js$)/.test(link)) continue; // a source that is named
        const target = resolve(folder, dirname(name), link);
        const isReference = target.startsWith(join(folder, "api"));
        assert.ok(isReference || existsSync(target), `${name}: ${link}`);
      }
      assert.doesNotMatch(text, /<(?:script|img|link)[^>]+(?:src|href)="https?:/, name);
    }
  });

  test("Markdown is text, formulas, tables and links between pages", () => {
    const markdown =
      "# One & two\n\nWhat <b>it</b> is: $a_1 < b$.\n\n| a | b |\n|---|---|\n| 1 | `x<y` |\n\n" +
      "[next](06-a-transformer-from-ops.md#heads), [code](../core/tape.ts)\n\n```ts\nconst x: number = 1;\n```\n";
    const { title, description, body } = markdownHtml(markdown, "walkthroughs");
    assert.equal(title, "One & two");
    assert.match(description, /^What/);
    assert.match(body, /<math[^>]*>[\s\S]*<mi>a<\/mi>/);
    assert.match(body, /<td><code>x&lt;y<\/code><\/td>/);
    assert.match(body, /href="\.\.\/lessons\/a-transformer-from-ops\.html#heads"/);
    assert.match(body, /href="https:\/\/[^"]+\/blob\/main\/core\/tape\.ts"/);
    assert.match(body, /<span class="tok-keyword">const<\/span>/);
  });

  test("a lesson is whole without its program", () => {
    const html = lessonPage("03-the-tape");
    assert.equal((html.match(/class="step"/g) ?? []).length, JSON.parse(stepsIn(html)).length);
    assert.match(html, /class="said"/);
    assert.doesNotMatch(html, /<(?:h1|p)[^>]*>[^<]*\$[a-z]/, "a formula that wasn't read");
  });
});

function stepsIn(html: string): string {
  return /<script type="application\/json" id="steps">(.*)<\/script>/.exec(html)?.[1] ?? "[]";
}

describe("in Chromium", { skip: noBrowser }, () => {
  let browser: Browser;
  let server: { close(): void };
  let address = "";

  before(async () => {
    browser = await launchBrowser();
    ({ server, address } = await serveFolder(folder, { headers: {} })); // as a plain static host does
  });
  after(async () => {
    await browser?.close();
    server?.close();
  });

  async function open(
    path: string,
    { width = 1200, dark = false } = {},
  ): Promise<{ page: Page; problems: string[] }> {
    const page = await browser.newPage({
      viewport: { width, height: 900 },
      colorScheme: dark ? "dark" : "light",
    });
    const problems: string[] = [];
    page.on("console", (m) => {
      if (["error", "warning"].includes(m.type())) problems.push(m.text());
    });
    page.on("pageerror", (error) => problems.push(error.message));
    page.on("request", (request) => {
      const url = request.url();
      if (!url.startsWith(address) && !/^(?:blob|data):/.test(url)) problems.push(`fetched ${url}`);
    });
    await page.goto(address + path);
    return { page, problems };
  }

  /** What the page says when a run has ended. */
  async function ended(page: Page): Promise<string> {
    const status = page.locator("#status");
    await status.getByText(/Everything|blocks printed|Stopped/).waitFor({ timeout: 200_000 });
    return (await status.textContent()) ?? "";
  }

  for (const name of lessonNames()) {
    test(`${name} prints in the page what it prints in Node`, async () => {
      const { page, problems } = await open(`lessons/${lessonAddress(name)}`);
      await page.click("#run-all");
      assert.match(await ended(page), /^Everything was printed as the lesson says\./);
      const code = JSON.parse(stepsIn(await page.content())) as { text: string }[];
      const figures = code.filter(({ text }) => text.includes("writeFileSync(")).length;
      const drawn = page.locator(".result").getByText("Drawn as the lesson shows.");
      const times = name.startsWith("12") ? 1 : 0; // whose figure shows times: another one on each machine
      assert.equal(await page.locator(".result img").count(), times);
      assert.equal(await drawn.count(), figures - times);
      const widths = await page.$$eval("article img", (all) =>
        all.map((x) => (x as HTMLImageElement).naturalWidth),
      );
      assert.ok(
        widths.every((width) => width > 100),
        `figures ${widths} wide`,
      );
      assert.deepEqual(problems, []);
      await page.close();
    });
  }

  test("an edit shows as a difference, an error at its block, and the lesson's code comes back", async () => {
    const { page, problems } = await open("lessons/a-tensor-and-an-op.html");
    const block = page.locator('.step[data-step="0"]');
    const said = await page.locator('.said[data-step="0"]').textContent();
    const run = async (text: string): Promise<string> => {
      await block.locator("textarea").fill(text);
      await block.getByRole("button", { name: "Run to here" }).click();
      return ended(page);
    };
    await block.getByRole("button", { name: "Edit" }).click();
    assert.match(
      await run('console.log("<b>other</b>");'),
      /^1 of 1 blocks printed something else/,
    );
    assert.equal(await block.locator(".result ins").first().textContent(), "+ <b>other</b>\n");
    assert.equal(await block.locator(".result b").count(), 0, "what is printed is never markup");
    assert.equal(await block.locator(".result del").count(), said?.trimEnd().split("\n").length);
    assert.match(
      await run('import { tensor } from "twoheads";\ntensor([1]).mull(2);'),
      /^Stopped by an error/,
    );
    assert.match((await block.locator(".failed").textContent()) ?? "", /mull/);
    await run('import "node:child_process";');
    assert.match((await block.locator(".failed").textContent()) ?? "", /a page has twoheads, /);
    await block.getByRole("button", { name: "Back to the lesson's code" }).click();
    await block.getByRole("button", { name: "Run to here" }).click();
    assert.match(await ended(page), /^Everything/);
    assert.deepEqual(problems, []);
    await page.close();
  });

  test("by keyboard alone, and a run is stopped", async () => {
    const { page } = await open("lessons/what-regularisation-preserves.html");
    await page.locator("#run-all").focus();
    await page.keyboard.press("Enter");
    await page.getByText(/Running block/).waitFor();
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    assert.equal(await ended(page), "Stopped.");
    await page.close();
  });

  test("fits a telephone", async () => {
    for (const path of ["", "lessons/", "results.html", "lessons/the-regularisers.html"]) {
      const { page } = await open(path, { width: 390 });
      const width = await page.evaluate(() => document.documentElement.scrollWidth);
      assert.ok(width <= 390, `${path}: ${width} px`);
      await page.close();
    }
  });

  test("axe finds nothing serious, in light and dark", async () => {
    for (const dark of [false, true]) {
      for (const path of ["", "lessons/", "results.html", "lessons/a-tensor-and-an-op.html"]) {
        const { page } = await open(path, { dark });
        if (path.includes("tensor")) {
          await page.getByRole("button", { name: "Edit" }).first().click();
          await page.click("#run-all");
          await ended(page);
        }
        assert.deepEqual(await barriersOn(page), [], path);
        await page.close();
      }
    }
  });

  const reference = join(root, "docs/api");
  const notBuilt = existsSync(reference) ? false : "npm run docs hasn't been run";
  test("axe finds nothing serious in the API reference", { skip: notBuilt }, async () => {
    const { server: api, address: at } = await serveFolder(reference, { headers: {} });
    for (const colorScheme of ["light", "dark"] as const) {
      const page = await browser.newPage({ colorScheme });
      for (const path of [
        ...["index.html", "modules/testing.html", "classes/nn.AdamW.html"],
        ...["functions/grm.bradleyTerry.html", "interfaces/core.AdamWOptions.html"],
      ]) {
        await page.goto(at + path);
        await page.locator("#tsd-nav-container a").first().waitFor(); // what its program adds
        const found = await barriersOn(page);
        const worst = found.filter(({ impact }) => ["serious", "critical"].includes(impact));
        assert.deepEqual(worst, [], `${path}, ${colorScheme}`);
      }
      await page.close();
    }
    api.close();
  });
});
