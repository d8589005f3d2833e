// The page: one HTML file with everything in it. No script, no request: a policy in its head forbids both,
// so that text from a dataset stays text whatever it says. Light or dark as the reader's system is, one
// column on a telephone, every picture named and with its numbers beside it.
// Next: figure.ts; sections such as training.ts.

import { accept, signatures } from "../core/signature.ts";
import { type Figure, figureHtml, paletteCss } from "./figure.ts";
import { escape, paragraph } from "./html.ts";

const takes = signatures({
  pageHtml: "page: { title: string, lead: string, ... }",
});

/** A part of a page: text and figures under a heading. */
export interface Section {
  /** Part of addresses within the page. */
  readonly id: string;
  readonly title: string;
  /** HTML before the figures. */
  readonly before?: string;
  readonly figures?: readonly Figure[];
  /** HTML behind them. */
  readonly after?: string;
  /** Whether it is closed until somebody opens it, as all is that isn't the answer. */
  readonly folded?: boolean;
}

/** What a page answers, before everything else. */
export interface PageAnswer {
  /** In a word: yes, no, unclear, or what it is. */
  readonly verdict: string;
  /** Sentences with their intervals: the answer, and what goes with it. */
  readonly said: readonly string[];
  /** The figure that shows it, and those that belong to it. */
  readonly figures: readonly Figure[];
  /** Sentences on what else came of it, behind the figures. */
  readonly also?: readonly string[];
}

/** A page: its title, a sentence or two, what it answers, and its sections. */
export interface Page {
  /** The question, where there is an answer. */
  readonly title: string;
  /** A sentence or two under the title. */
  readonly lead: string;
  readonly answer?: PageAnswer;
  readonly sections: readonly Section[];
}

const css = `
:root{color-scheme:light dark;--ink:#1d1d1f;--soft:#5d5d66;--paper:#fff;--card:#f6f6f8;--line:#d9d9de;--above:#0072b2;--below:#d55e00;${paletteCss("light")}}
@media (prefers-color-scheme:dark){:root{--ink:#ececf0;--soft:#a9a9b4;--paper:#17171a;--card:#212126;--line:#3c3c44;--above:#6cb8ee;--below:#ff9a57;${paletteCss("dark")}}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.55 system-ui,sans-serif;overflow-wrap:break-word}
header,main,footer{max-width:1060px;margin:0 auto;padding:0 1rem}
h1{font-size:clamp(1.3rem,3.4vw,1.65rem);line-height:1.2;margin:1.2rem 0 .4rem}
h2{font-size:1.3rem;margin:2.4rem 0 .6rem;padding-top:.6rem;border-top:1px solid var(--line)}
h3{font-size:1rem;margin:0 0 .5rem}
.lead,figcaption,.soft,.limits{color:var(--soft)}
nav{margin-top:1.2rem}
nav ul{list-style:none;display:flex;flex-wrap:wrap;gap:.3rem 1rem;padding:0;font-size:.88rem}
.answer{font-size:1.15rem;line-height:1.45;margin:.8rem 0 .6rem;padding:.6rem .9rem;border-left:4px solid var(--c0);background:var(--card)}
@media (max-width:500px){.lead{font-size:.9rem;line-height:1.4}.answer{font-size:1.05rem}figure{padding:.7rem .6rem!important}header,main,footer{padding:0 .7rem!important}}
#answer>p{margin:.5rem 0}
.folded{margin:0;border-top:1px solid var(--line)}
.folded>summary{padding:.7rem 0}
.folded>summary h2{display:inline;margin:0;padding:0;border:0;font-size:1.05rem}
a{color:var(--c0)}
a:focus-visible,summary:focus-visible,[tabindex]:focus-visible{outline:2px solid var(--c0);outline-offset:2px}
.unseen{position:absolute;left:-99rem;width:1px}.skip{position:absolute;left:-99rem}.skip:focus{left:1rem;top:.5rem;background:var(--paper);padding:.3rem}
.figures{display:grid;align-items:start;margin:1rem 0;grid-template-columns:repeat(auto-fit,minmax(min(100%,400px),1fr));gap:1rem}
figure{margin:0;padding:1rem;background:var(--card);border:1px solid var(--line);border-radius:8px;min-width:0}
figure.wide{grid-column:1/-1}
figcaption{font-size:.88rem;margin-top:.5rem}
.limits{font-style:italic}
.missing{padding:1.2rem;border:1px dashed var(--line);border-radius:6px;color:var(--soft)}
.scroll{overflow-x:auto;max-width:100%;margin:.5rem 0}
svg.plot{display:block;width:100%;max-width:480px;height:auto;overflow:visible}
.wide svg.plot{width:auto;max-width:none}
blockquote{margin:.5rem 0;padding-left:.8rem;border-left:3px solid var(--line)}
svg text{white-space:pre}
.legend{display:flex;flex-wrap:wrap;gap:.1rem .9rem;list-style:none;margin:0 0 .4rem;padding:0;font-size:.85rem}
.legend svg{vertical-align:middle;margin-right:.35rem}
details{margin:.5rem 0}
summary{cursor:pointer;font-size:.88rem}
table{border-collapse:collapse;font-size:.85rem}
caption{text-align:left;color:var(--soft);padding:.2rem 0}
th,td{padding:.15rem .6rem;border-bottom:1px solid var(--line);text-align:left;vertical-align:top}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}
thead th{white-space:nowrap}
pre,code{font-family:ui-monospace,monospace;font-size:.85rem}
pre{overflow-x:auto;padding:.8rem;background:var(--card);border-radius:6px}
.text{line-height:2.1;margin:.4rem 0 1rem}
.tok{position:relative;padding:.12em .1em;border-radius:3px;white-space:pre-wrap;background:color-mix(in srgb,var(--to) var(--w),transparent)}
.tok:hover::after,.tok:focus::after{content:attr(data-r);position:absolute;left:0;top:100%;z-index:2;padding:0 .4em;background:var(--ink);color:var(--paper);border-radius:3px;font-size:.8rem;line-height:1.6;white-space:nowrap}
.prompt{border-bottom:1px dotted var(--soft)}
.sides.two{grid-template-columns:repeat(auto-fit,minmax(min(100%,400px),1fr))!important}
.sides{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,300px),1fr));gap:1rem}
@media print{details:not([open])>*{display:none}nav{display:none}}
`;

/** The whole file. */
export function pageHtml(page: Page): string {
  accept(takes.pageHtml, arguments);
  const { title, lead, answer } = page;
  const sections = withoutRepeats(answer?.figures ?? [], page.sections);
  const links = sections.map(
    ({ id, title: name }) => `<li><a href="#${escape(id)}">${escape(name)}</a></li>`,
  );
  return [
    "<!doctype html>",
    '<html lang="en"><head><meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width,initial-scale=1">',
    `<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">`,
    '<link rel="icon" href="data:,">',
    `<title>${escape(title)}</title>`,
    `<style>${css}</style></head><body>`,
    '<a class="skip" href="#content">To the content</a>',
    `<header><h1>${escape(title)}</h1><p class="lead">${escape(lead)}</p></header>`,
    `<main id="content">${answer === undefined ? "" : answerHtml(answer)}`,
    `<nav aria-label="Sections"><ul>${links.join("")}</ul></nav>`,
    `${sections.map(sectionHtml).join("\n")}</main>`,
    `<footer><p class="soft">Written by twoheads. Captions are computed from their figures, whose numbers stand under them; point at a mark for its own.</p></footer>`,
    "</body></html>",
    "",
  ].join("\n");
}

/** Sections without the pictures that stood above them on the page. */
function withoutRepeats(answer: readonly Figure[], sections: readonly Section[]): Section[] {
  const seen = new Set<string>();
  const isNew = ({ picture }: Figure): boolean => {
    if (!("svg" in picture)) return true;
    const isFirst = !seen.has(picture.svg);
    seen.add(picture.svg);
    return isFirst;
  };
  answer.forEach(isNew);
  return sections.map(({ figures = [], ...rest }) => ({ ...rest, figures: figures.filter(isNew) }));
}

function answerHtml({ verdict, said, figures, also = [] }: PageAnswer): string {
  const [first = "", ...rest] = said;
  return [
    `<section id="answer" aria-labelledby="answer-title" data-verdict="${escape(verdict)}">`,
    '<h2 class="unseen" id="answer-title">The answer</h2>',
    `<p class="answer">${escape(first).replace(/^[^:]{1,40}:/, "<strong>$&</strong>")}</p>`,
    ...rest.map(paragraph),
    figuresHtml("answer", figures),
    ...also.map(paragraph),
    "</section>",
  ].join("\n");
}

function figuresHtml(id: string, figures: readonly Figure[]): string {
  if (figures.length === 0) return "";
  const drawn = figures.map((figure, i) => figureHtml(figure, `${id}-${i + 1}`));
  return `<div class="figures">${drawn.join("\n")}</div>`;
}

/** A folded section keeps its address inside, so that a link to it opens it. */
function sectionHtml({
  id,
  title,
  before = "",
  figures = [],
  after = "",
  folded = false,
}: Section): string {
  const head = `<h2 id="${escape(id)}-title">${escape(title)}</h2>`;
  const body = `${before}\n${figuresHtml(id, figures)}\n${after}`;
  const named = `aria-labelledby="${escape(id)}-title"`;
  return folded
    ? `<details class="folded"><summary>${head}</summary><section id="${escape(id)}" ${named}>${body}</section></details>`
    : `<section id="${escape(id)}" ${named}>${head}\n${body}</section>`;
}
