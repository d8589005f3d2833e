// What every page of the site has: a head that lets nothing in from elsewhere, the way to the other rooms, and the
// front page. Next: markdown.ts for what stands in the pages, style.css for their look.

import { escape } from "../report/html.ts";

/** A page, as its parts. */
export interface SitePage {
  readonly title: string;
  readonly description: string;
  /** HTML of the page's main part. */
  readonly body: string;
  /** From the page to the site's root: "" or "../". */
  readonly up: string;
  /** A module that the page loads, from the page. */
  readonly script?: string;
}

const policy =
  "default-src 'none'; script-src 'self' blob: 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'; " +
  "style-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'";

const rooms = [
  ["explorer/index.html", "Explorer"],
  ["lessons/index.html", "Lessons"],
  ["results.html", "Results"],
  ["api/index.html", "API"],
] as const;

export function pageOf({ title, description, body, up, script }: SitePage): string {
  const links = rooms
    .map(([path, name]) => `<a href="${up}${path}">${name}</a>`)
    .join("\n        ");
  const loading =
    script === undefined ? "" : `\n    <script type="module" src="${script}"></script>`;
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <meta name="color-scheme" content="light dark" />
    <meta name="description" content="${escape(description)}" />
    <meta http-equiv="Content-Security-Policy" content="${policy}" />
    <title>${escape(title)} - twoheads</title>
    <link rel="icon" href="${up}icon.svg" type="image/svg+xml" />
    <link rel="stylesheet" href="${up}style.css" />${loading}
  </head>
  <body>
    <header>
      <a class="home" href="${up}index.html">twoheads</a>
      <nav aria-label="Site">
        ${links}
      </nav>
    </header>
    <main>
${body}
    </main>
  </body>
</html>
`;
}

/** Where people arrive. */
export function frontPage(): string {
  const body = `<h1>Two heads, one hidden state</h1>
<p class="lead">A reward model reads a text and gives a number. A language model reads a text and says what comes next.
Here both read the same hidden state, small enough to train in this page, and everything about it can be looked at.</p>
<picture>
  <source media="(prefers-color-scheme: dark)" srcset="explorer-dark.png" />
  <img src="explorer-light.png" width="1180" height="740" alt="The explorer: two reward models side by side after a training at a hot rate. The plain one has forgotten its language, the one with a text loss has kept it." />
</picture>
<ul class="doors">
  <li><a href="explorer/index.html"><strong>Explorer</strong>
    <span>Train both heads in your browser, move the weight of the text loss, and watch the hidden states move.</span></a></li>
  <li><a href="lessons/index.html"><strong>Lessons</strong>
    <span>From a tensor to an over-optimised reward, with code that runs in the page and that you can change.</span></a></li>
  <li><a href="results.html"><strong>Results</strong>
    <span>What was measured, with intervals, and what didn't work.</span></a></li>
  <li><a href="api/index.html"><strong>API reference</strong>
    <span>Every op, layer, loss and tool, with shapes, units and sources.</span></a></li>
</ul>
<p>On your own machine, with Node 20.19 or later:</p>
<pre><code>npm install twoheads
npx twoheads demo</code></pre>
<p>The first line installs the package, the second trains and tests reward models with and without the text loss, in three minutes.</p>`;
  return pageOf({
    title: "Two heads, one hidden state",
    description:
      "Reward models that you can see into: an explorer, lessons, results and a reference.",
    body,
    up: "",
  });
}
