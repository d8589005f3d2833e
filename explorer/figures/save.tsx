// Saves a figure's picture as a file: SVG with the colours that it has on the page, or PNG of it at twice the
// size on the page's background. Next: figure.tsx.

import type { JSX } from "preact";

/** What makes a picture look as it does; style sheets stay behind, so these go along. */
const carried = [
  "fill",
  "fill-opacity",
  "stroke",
  "stroke-width",
  "stroke-opacity",
  "stroke-dasharray",
  "stroke-linejoin",
  "opacity",
  "font-family",
  "font-size",
  "font-weight",
] as const;

/** The picture of the figure that a button is in, as a file's text. */
function svgText(button: Element): { readonly text: string; readonly box: DOMRect } {
  const svg = button.closest("figure")?.querySelector("svg.chart");
  if (!(svg instanceof SVGSVGElement)) throw new Error("explorer: the figure has no picture");
  const copy = svg.cloneNode(true) as SVGSVGElement;
  const copies = [copy, ...copy.querySelectorAll("*")];
  [svg, ...svg.querySelectorAll("*")].forEach((element, i) => {
    const style = getComputedStyle(element);
    for (const name of carried) copies[i]?.setAttribute(name, style.getPropertyValue(name));
    copies[i]?.removeAttribute("class");
  });
  const { width, height } = svg.viewBox.baseVal;
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  copy.setAttribute("width", String(width));
  copy.setAttribute("height", String(height));
  return {
    text: new XMLSerializer().serializeToString(copy),
    box: new DOMRect(0, 0, width, height),
  };
}

function download(blob: Blob, title: string, ending: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = `${title.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-")}.${ending}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

function saveSvg(button: Element, title: string): void {
  download(new Blob([svgText(button).text], { type: "image/svg+xml" }), title, "svg");
}

async function savePng(button: Element, title: string): Promise<void> {
  const { text, box } = svgText(button);
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`;
  await image.decode();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [2 * box.width, 2 * box.height];
  const context = canvas.getContext("2d");
  if (context === null) throw new Error("explorer: this browser draws on no canvas");
  context.fillStyle = getComputedStyle(document.body).backgroundColor;
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
  canvas.toBlob((blob) => blob !== null && download(blob, title, "png"), "image/png");
}

/** Two buttons that save the picture of the figure that they stand in. */
export function SaveButtons({ title }: { readonly title: string }): JSX.Element {
  return (
    <p class="save">
      <button type="button" onClick={(event) => saveSvg(event.currentTarget, title)}>
        Save SVG
      </button>{" "}
      <button type="button" onClick={(event) => void savePng(event.currentTarget, title)}>
        Save PNG
      </button>
    </p>
  );
}
