// The report: one HTML file for each run, with figures, tables and texts in it, that opens from disk.
// charts.ts draws, captions.ts says what is drawn, the sections choose what to show, the pages put them together,
// the answer first; nothing here reads files or runs models. Read figure.ts, charts.ts, training.ts, rewardPage.ts;
// tape/svg.ts draws a tape.

export * from "./charts.ts";
export * from "./demoPage.ts";
export type { NamedComparison } from "./evaluation.ts";
export { type Figure, figureHtml, type Key, standaloneSvg } from "./figure.ts";
export { type Cell, escape, type Table, tableHtml } from "./html.ts";
export * from "./overoptFigure.ts";
export * from "./overoptPages.ts";
export { type Page, type PageAnswer, pageHtml, type Section } from "./page.ts";
export { figureSvg, type Panel, type Point, palette, type Series } from "./panels.ts";
export * from "./policyPage.ts";
export * from "./pretrainPage.ts";
export * from "./rewardPage.ts";
export { type NamedLosses, type TapeSvgOptions, tapeToSvg } from "./tape/svg.ts";
