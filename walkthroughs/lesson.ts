// A lesson is Markdown whose code runs: all its ```ts blocks are one module, and what each prints stands
// below it in a ```text block. Here a lesson is taken apart, made a module, compared with what it says, and
// given new outputs. Nothing here knows what a lesson is about, or where it runs: the site's pages do this, too.
// Next: running.ts, which runs a lesson in Node; ../test/walkthroughs.test.ts, which holds the lessons to their word.

/** A fenced block. */
export interface CodeBlock {
  /** What stands after the opening fence. */
  readonly language: string;
  readonly text: string;
  /** Of the opening fence, from 1. */
  readonly line: number;
}

export function blocksOf(markdown: string): CodeBlock[] {
  return [...markdown.matchAll(/^```(\w[\w ]*)\n([\s\S]*?)^```$/gm)].map(
    ({ 1: language = "", 2: text = "", index }) => ({
      language,
      text,
      line: markdown.slice(0, index).split("\n").length,
    }),
  );
}

/** A block of code, and the text below it that it should print. */
export interface LessonStep {
  readonly code: CodeBlock;
  readonly expected: CodeBlock | undefined;
}

export function stepsOf(markdown: string): LessonStep[] {
  const blocks = blocksOf(markdown);
  return blocks.flatMap((code, i) => {
    const next = blocks[i + 1];
    const expected = next?.language.startsWith("text") ? next : undefined;
    return code.language === "ts" ? [{ code, expected }] : [];
  });
}

/** Where the solutions begin: a reader's run stops before. */
export const exercises = "## Exercises";

// --- As a module --------------------------------------------------------------------------------------

/** Written before what a block prints. */
export const mark = "\u001e";

/** All code as one module, whose output has a mark before what each block prints. */
export function moduleOf(markdown: string): string {
  const blocks = stepsOf(markdown).map(({ code }) => code);
  return moduleFrom(blocks, () => `process.stdout.write("\\u001e");`);
}

/**
 * Blocks as one module. Each line stands where it stands in the lesson, so that an error's line number is the
 * lesson's, as long as no block has become longer than its place; `begin` is a statement in place of its opening fence.
 */
export function moduleFrom(
  blocks: readonly Pick<CodeBlock, "text" | "line">[],
  begin: (step: number) => string,
): string {
  const lines: string[] = [];
  for (const [i, { text, line }] of blocks.entries()) {
    while (lines.length < line - 1) lines.push("");
    lines.push(begin(i), ...text.replace(/\n$/, "").split("\n"));
  }
  return `${lines.join("\n")}\nexport {};\n`; // a module even without imports
}

// --- Comparing ---------------------------------------------------------------------------------------

/** Output whose numbers depend on the machine: `# ms` in place of `31.4 ms`. */
function withoutNumbers(text: string): string {
  return text.replaceAll(/\d+(\.\d+)?/g, "#").replaceAll(/ +/g, " ");
}

/**
 * What doesn't stand in the lesson as it was printed; empty if all does. Bit for bit, except below
 * ```text numbers vary, where anything may stand for a number.
 */
export function problemsOf(markdown: string, outputs: readonly string[]): string[] {
  return stepsOf(markdown).flatMap(({ code, expected }, i) => {
    const printed = outputs[i];
    if (printed === undefined) return [`line ${code.line}: the block wasn't run`];
    const changes = changesOf(expected, printed);
    const line = expected?.line ?? code.line;
    return changes.length === 0 ? [] : [`line ${line} of the lesson:\n${changes.join("\n")}`];
  });
}

/** What a block printed that doesn't stand below it, and what stands there that it didn't print. */
export function changesOf(
  expected: Pick<CodeBlock, "language" | "text"> | undefined,
  printed: string,
): string[] {
  const seen = expected?.language === "text numbers vary" ? withoutNumbers : String;
  return changesBetween(linesOf(seen(expected?.text ?? "")), linesOf(seen(printed)));
}

function linesOf(text: string): string[] {
  return text === "" ? [] : text.replace(/\n$/, "").split("\n");
}

/** Lines that differ, place by place: `- as the lesson says`, `+ as printed`. */
function changesBetween(said: readonly string[], printed: readonly string[]): string[] {
  const places = Array.from({ length: Math.max(said.length, printed.length) }, (_, i) => i);
  return places.flatMap((i) => {
    if (said[i] === printed[i]) return [];
    const [old, now] = [said[i], printed[i]];
    return [...(old === undefined ? [] : [`- ${old}`]), ...(now === undefined ? [] : [`+ ${now}`])];
  });
}

/** The lesson with what was printed where it belongs. */
export function updated(markdown: string, outputs: readonly string[]): string {
  const lines = markdown.split("\n");
  const steps = [...stepsOf(markdown).entries()];
  for (const [i, { code, expected }] of steps.reverse()) {
    const printed = outputs[i] ?? "";
    const end = (block: CodeBlock): number => block.line + block.text.split("\n").length - 1;
    const body = printed.split("\n").slice(0, -1);
    if (expected !== undefined) lines.splice(expected.line, end(expected) - expected.line, ...body);
    else if (printed !== "") lines.splice(end(code) + 1, 0, "", "```text", ...body, "```");
  }
  return lines.join("\n");
}
