// "fast-check" for a lesson in a page. Next: runner.ts.

export * from "fast-check";
export { default } from "fast-check";
