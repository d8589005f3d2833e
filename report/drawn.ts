// A figure's picture: Observable Plot draws it while the page is written, on linkedom's document, so that
// a page needs no script: it opens from disk in any browser, prints, and is a tenth of the size that Plot's
// own bundle has. Plot's types stay behind this file, as those that use the report may not have what they
// need. Next: charts.ts.

import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";
import { escape } from "./html.ts";

const { document } = parseHTML("<html><body></body></html>");

/** Draws with Plot and names the picture for those who can't see it. */
export function drawn(label: string, options: Plot.PlotOptions): { readonly svg: string } {
  const svg = Plot.plot({
    document,
    className: "plot",
    ...options,
    style: { fontSize: "12px", background: "none" },
  });
  svg.querySelector("style")?.remove(); // the page has these rules once
  const inside = svg.outerHTML
    .replace(/^<svg( xmlns="[^"]*")?/, "")
    .replaceAll(/<[^>]*>|^[^<]*>/g, shorter);
  const name = escape(label); // here, as linkedom leaves < and & in attributes as they are
  return {
    svg: `<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="${name}"${inside}`,
  };
}

/** A tag whose numbers have hundredths: finer than any pixel. Text between tags stays as it is. */
function shorter(tag: string): string {
  return tag.replaceAll(/(\d\.\d\d)\d+/g, "$1");
}
