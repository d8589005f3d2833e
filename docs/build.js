// Builds the API reference from the doc comments into docs/api: npm run docs, then open docs/api/index.html.
// TypeDoc reads TypeScript through a version's own library, which TypeScript 7 doesn't have yet, so this
// folder has an older one to itself, installed at the first run. A warning of TypeDoc and a link that leads
// nowhere end in an error. Next: typedoc.json for what is read.

import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const here = fileURLToPath(new URL(".", import.meta.url));
const api = join(here, "api");
const typedoc = join(here, "node_modules/typedoc/bin/typedoc");

/** Links of one page to places in this folder that aren't there. */
function brokenLinks(page, idsOf) {
  const html = readFileSync(page, "utf8");
  return [...html.matchAll(/ (?:href|src)="([^"]*)"/g)].flatMap(([, link = ""]) => {
    if (/^[a-z]+:/.test(link)) return []; // another site's
    const [path = "", anchor] = link.split("#");
    const target = path === "" ? page : resolve(dirname(page), decodeURIComponent(path));
    const isThere =
      existsSync(target) && (!anchor || idsOf(target).has(decodeURIComponent(anchor)));
    return isThere ? [] : [`${page.slice(here.length)}: ${link}`];
  });
}

/** Each page's ids, read once. */
function idReader() {
  const known = new Map();
  return (page) => {
    const ids = known.get(page) ?? idsIn(readFileSync(page, "utf8"));
    known.set(page, ids);
    return ids;
  };
}

function idsIn(html) {
  return new Set([...html.matchAll(/ id="([^"]*)"/g)].map(([, id]) => id));
}

/**
 * What TypeDoc's theme leaves out for people who hear a page or use its keyboard: names for its main part and its side, and no
 * link inside of a summary, which is a button already; the heading keeps its id.
 */
function mended(html) {
  return html
    .replace('class="col-content"', 'class="col-content" role="main"')
    .replace('class="col-sidebar"', 'class="col-sidebar" role="complementary"')
    .replaceAll(/<summary[^>]*>[\s\S]*?<\/summary>/g, (summary) =>
      summary.replaceAll(/<a [^>]*class="tsd-anchor-icon"[^>]*>[\s\S]*?<\/a>/g, ""),
    );
}

const options = { cwd: here, stdio: "inherit" };
if (!existsSync(typedoc)) {
  const npm = ["ci", "--no-audit", "--no-fund"];
  execFileSync("npm", npm, { ...options, shell: process.platform === "win32" });
}
execFileSync(process.execPath, [typedoc, "--options", "typedoc.json"], options);

const pages = readdirSync(api, { recursive: true, encoding: "utf8" }).filter((name) =>
  name.endsWith(".html"),
);
for (const page of pages.map((name) => join(api, name)))
  writeFileSync(page, mended(readFileSync(page, "utf8")));
const idsOf = idReader();
const broken = pages.flatMap((name) => brokenLinks(join(api, name), idsOf));
if (broken.length > 0) {
  console.error(`${broken.length} links lead nowhere:\n${broken.slice(0, 20).join("\n")}`);
  process.exit(1);
}
console.log(`docs/api/index.html: ${pages.length} pages, every link checked`);
