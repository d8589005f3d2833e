// What a lesson's page and its worker say to each other. Next: page.ts, runner.ts.

/** A block that runs, as its page knows it. */
export interface PageStep {
  readonly text: string;
  /** Of its opening fence in the lesson, from 1. */
  readonly line: number;
  readonly expected: { readonly language: string; readonly text: string } | null;
}

/** What a worker is asked for, once in its life: TypeScript, a module. */
export interface RunRequest {
  readonly code: string;
}

/** What a worker tells. Blocks are counted from 0. */
export type RunTold =
  | { readonly kind: "begun"; readonly step: number }
  | { readonly kind: "printed"; readonly text: string }
  | { readonly kind: "figure"; readonly path: string; readonly svg: string }
  | { readonly kind: "done" }
  | { readonly kind: "failed"; readonly message: string };
