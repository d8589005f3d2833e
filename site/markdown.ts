// Markdown as pages: marked reads it, KaTeX writes its mathematics as MathML, which browsers draw without fonts of
// ours, and Lezer colours TypeScript. Links between Markdown files become links between pages, or lead to the
// repository. Next: lessons.ts, pages.ts.

import { readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { classHighlighter, highlightCode } from "@lezer/highlight";
import { parser } from "@lezer/javascript";
import { Marked, type Tokens } from "marked";
import { gfmHeadingId } from "marked-gfm-heading-id";
import markedKatex from "marked-katex-extension";
import { escape } from "../report/html.ts";
import { root } from "../walkthroughs/running.ts";
import type { SitePage } from "./pages.ts";

const typescript = parser.configure({ dialect: "ts" });

/** TypeScript as HTML, its parts in spans of Lezer's classes. */
export function coloured(code: string): string {
  let html = "";
  highlightCode(
    code,
    typescript.parse(code),
    classHighlighter,
    (text, classes) => {
      html += classes === "" ? escape(text) : `<span class="${classes}">${escape(text)}</span>`;
    },
    () => {
      html += "\n";
    },
  );
  return html;
}

const { homepage } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  readonly homepage: string;
};
/** Where the sources can be read. */
const repository = homepage.replace(/#.*$/, "");

/** A link of a Markdown file in `folder` of the repository, as a link of its page. */
function linkFrom(folder: string, link: string): string {
  if (/^[a-z]+:|^#/.test(link)) return link;
  const [path = "", anchor] = link.split("#");
  const target = posix.normalize(posix.join(folder, path));
  const hash = anchor === undefined ? "" : `#${anchor}`;
  const up = folder === "walkthroughs" ? "../" : "";
  const lesson = /^walkthroughs\/\d\d-([\w-]+)\.md$/.exec(target)?.[1]; // as lessonAddress says
  if (lesson !== undefined) return `${up}lessons/${lesson}.html${hash}`;
  if (target === "walkthroughs/README.md") return `${up}lessons/index.html${hash}`;
  if (target === "lab/RESULTS.md") return `${up}results.html${hash}`;
  return `${repository}/blob/main/${target}${hash}`;
}

/** How a fenced block is written, if otherwise than as it stands: given its place among the page's blocks. */
export type BlockHtml = (block: Tokens.Code, place: number) => string | null;

/** A Markdown file of a folder of the repository as a page's title, description and body. */
export function markdownHtml(
  markdown: string,
  folder: string,
  blockHtml: BlockHtml = () => null,
): Pick<SitePage, "title" | "description" | "body"> {
  let place = 0;
  const marked = new Marked(
    { async: false, gfm: true },
    gfmHeadingId(),
    markedKatex({ throwOnError: true, output: "mathml", nonStandard: true }),
    {
      walkTokens: (token) => {
        if (token.type === "link") token.href = linkFrom(folder, String(token.href));
      },
      renderer: {
        code: (block) => {
          const own = blockHtml(block, place++);
          if (own !== null) return own;
          const code = /^tsx?$/.test(block.lang ?? "") ? coloured(block.text) : escape(block.text);
          return `<pre tabindex="0"><code>${code}</code></pre>\n`;
        },
        image: ({ href, text }) =>
          `<img src="${escape(pictureOf(folder, href))}" alt="${escape(text)}" data-figure="${escape(href)}" />`,
        table(table) {
          const row = (cells: readonly Tokens.TableCell[], tag: string): string =>
            `<tr>${cells.map((cell) => cellHtml(cell, this.parser.parseInline(cell.tokens), tag)).join("")}</tr>`;
          const body = table.rows.map((cells) => row(cells, "td")).join("\n");
          return `<div class="wide" tabindex="0"><table><thead>${row(table.header, "th")}</thead><tbody>${body}</tbody></table></div>\n`;
        },
      },
    },
  );
  const body = marked.parse(markdown) as string;
  const title = /^# (.+)$/m.exec(markdown)?.[1] ?? "twoheads";
  const first = /^(?![#<|`$-]).+(?:\n.+)*/m.exec(markdown.replace(/^# .+$/m, ""))?.[0] ?? title;
  return { title, description: first.replaceAll(/\s+/g, " ").slice(0, 200), body };
}

/** A cell; a heading without words is none. */
function cellHtml(cell: Tokens.TableCell, html: string, tag: string): string {
  return cell.text.trim() === "" ? "<td></td>" : `<${tag}>${html}</${tag}>`;
}

/** A picture of the repository, in the page itself. */
function pictureOf(folder: string, href: string): string {
  const svg = readFileSync(join(root, folder, href));
  return `data:image/svg+xml;base64,${svg.toString("base64")}`;
}
