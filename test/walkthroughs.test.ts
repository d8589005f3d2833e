// The lessons are held to their word: every block of code runs, prints what stands below it, and would be
// found out if it didn't; the code type-checks, imports only what a user can, and writes its figures; and
// each lesson has the parts that a lesson needs.
// Next: ../walkthroughs/README.md.

import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import {
  blocksOf,
  exercises,
  moduleOf,
  problemsOf,
  stepsOf,
  updated,
} from "../walkthroughs/lesson.ts";
import { inFolder, lessonFiles, root, runLesson } from "../walkthroughs/running.ts";
import { compilerOn } from "./compiler.ts";

const folder = join(root, "walkthroughs");
const names = lessonFiles();
const lessons = names.map((name) => ({
  name,
  markdown: readFileSync(join(folder, name), "utf8"),
}));

const figuresOf = (markdown: string): string[] =>
  [...moduleOf(markdown).matchAll(/"(walkthroughs\/figures\/[^"]+\.svg)"/g)].map(([, file = ""]) =>
    join(root, file),
  );

describe("every lesson prints what it says", { concurrency: 2 }, () => {
  process.env.TWOHEADS_THREADS = "1"; // two lessons at a time; a number of threads changes no bit

  for (const { name, markdown } of lessons) {
    test(name, { timeout: 300_000 }, async () => {
      const committed = figuresOf(markdown).map((file) => ({
        file,
        svg: readFileSync(file, "utf8"),
      }));
      const outputs = await runLesson(name, markdown);
      const drawn = committed.map(({ file }) => readFileSync(file, "utf8"));
      for (const { file, svg } of committed) writeFileSync(file, svg); // a second run finds a difference, too
      assert.deepEqual(problemsOf(markdown, outputs), []);
      const seen = markdown.includes("```text numbers vary") ? partsOf : String; // times vary
      committed.forEach(({ file, svg }, i) => {
        checkFigure(file);
        const isSame = seen(drawn[i] ?? "") === seen(svg);
        assert.ok(
          isSame,
          `${file} isn't what the lesson draws; to update: npm run walkthrough ${Number(name.slice(0, 2))} update`,
        );
      });
      for (const stale of withOneDigitChanged(markdown))
        assert.equal(problemsOf(stale, outputs).length, 1, "a stale digit is found");
    });
  }
});

/** A drawing without its numbers, and without ticks, of which there are more or fewer on another range. */
function partsOf(svg: string): string {
  const texts = [...svg.matchAll(/<text[^>]*>([^<]*)<\/text>/g)].map(([, text = ""]) => text);
  return texts.filter((text) => !/^[\d.\s]*$/.test(text)).join("\n");
}

/** A drawing with a name for those who can't see it, and text on its axes. */
function checkFigure(file: string): void {
  const svg = readFileSync(file, "utf8");
  assert.match(svg, /^<svg[^>]* xmlns="http:\/\/www\.w3\.org\/2000\/svg"/, file);
  assert.match(svg, /aria-label="[^"]+"|<title>[^<]+<\/title>/, `${file} has no name`);
  assert.ok((svg.match(/<text/g) ?? []).length > 3, `${file} has no labels`);
  assert.doesNotMatch(svg, /NaN|undefined/, file);
}

/** A lesson once for each output that is compared to the bit, with that output's last digit another. */
function withOneDigitChanged(markdown: string): string[] {
  const lines = markdown.split("\n");
  return blocksOf(markdown).flatMap(({ language, text, line }) => {
    const at = text
      .trimEnd()
      .split("\n")
      .findLastIndex((row) => /\d/.test(row));
    if (language !== "text" || at < 0) return [];
    const other = (digit: string): string => String((Number(digit) + 1) % 10);
    const stale = (lines[line + at] ?? "").replace(/\d(?=\D*$)/, other);
    return [lines.with(line + at, stale).join("\n")];
  });
}

describe("the checker of lessons", () => {
  const fence = "```";
  const small = [
    ["# A small lesson", "", `${fence}ts`, "const two = 1 + 1;", "console.log(two);", fence],
    ["", `${fence}text`, "3", fence, "", `${fence}ts`, 'console.log(two * 3, "ms");', fence],
    ["", `${fence}text numbers vary`, "5 ms", fence, ""],
  ]
    .flat()
    .join("\n");

  test("names the line, what stands there and what was printed", async () => {
    const outputs = await runLesson("small", small);
    assert.deepEqual(outputs, ["2\n", "6 ms\n"]);
    assert.deepEqual(problemsOf(small, outputs), ["line 8 of the lesson:\n- 3\n+ 2"]);
  });

  test("lets numbers vary where the lesson says so, and words nowhere", () => {
    assert.deepEqual(problemsOf(small, ["3\n", "14.25 ms\n"]), []);
    assert.match(problemsOf(small, ["3\n", "14.25 s\n"]).join(), /line 16/);
  });

  test("finds a block that wasn't run, and output that stands nowhere", () => {
    assert.match(problemsOf(small, ["3\n"]).join(), /line 12: .*wasn't run/);
    const silent = small.replace(`${fence}text\n3\n${fence}\n`, "");
    assert.match(problemsOf(silent, ["2\n", "5 ms\n"]).join(), /line 3 .*\n\+ 2/);
  });

  test("writes outputs where they belong", () => {
    const outputs = ["2\n", "6 ms\nand more\n"];
    assert.deepEqual(problemsOf(updated(small, outputs), outputs), []);
    const silent = small.replace(`\n${fence}text\n3\n${fence}\n`, "");
    assert.equal(updated(silent, outputs), updated(small, outputs));
  });

  test("an error has the lesson's line number", async () => {
    const broken = small.replace("two * 3", "two.twice()");
    await assert.rejects(runLesson("broken", broken), /broken\.ts:13/);
  });
});

describe("every lesson has its parts", () => {
  test("there are twelve, in order, and the index names them", () => {
    const numbers = names.map((name) => name.slice(0, 2));
    const all = Array.from({ length: 12 }, (_, i) => String(i + 1).padStart(2, "0"));
    assert.deepEqual(numbers, all);
    const index = readFileSync(join(folder, "README.md"), "utf8");
    const linked = [...index.matchAll(/\]\((\d\d-[^)]+\.md)\)/g)].map(([, file]) => file);
    assert.deepEqual(linked, names);
  });

  for (const { name, markdown } of lessons) {
    test(name, () => {
      const opening = markdown.split("\n## ")[0] ?? "";
      assert.match(opening, /^# \d+\. .*\n\n[^#]*\?/, "opens with a question");
      const solutions = markdown.split(`\n${exercises}\n`)[1] ?? "";
      const details = solutions.match(/<details>[\s\S]*?<\/details>/g) ?? [];
      const answers = details.filter((text) => text.includes("<summary>Solution</summary>"));
      assert.equal(answers.length, 3, "three exercises with solutions");
      const kinds = [...solutions.matchAll(/<summary>(\w+)<\/summary>/g)].map(([, kind]) => kind);
      assert.deepEqual(
        kinds,
        [1, 2, 3].flatMap(() => ["Hint", "Solution"]),
        "a hint before each",
      );
      for (const solution of answers)
        assert.ok(
          stepsOf(solution).some(({ expected }) => expected !== undefined),
          "a solution prints",
        );
      assert.match(solutions, /^Read next: /m);
      const links = [...markdown.matchAll(/\]\(([^)#]+)(#[^)]*)?\)/g)].map(([, to = ""]) => to);
      for (const to of links.filter((link) => !link.startsWith("http")))
        assert.ok(existsSync(join(folder, to)), `there is no ${to}`);
      if (!name.startsWith("01")) assert.ok(figuresOf(markdown).length > 0, "has a figure");
      const shown = [...markdown.matchAll(/^!\[[^\]]{20,}\]\((figures\/[^)]+)\)$/gm)];
      assert.deepEqual(
        shown.map(([, file = ""]) => join(folder, file)),
        figuresOf(markdown),
        "shows the figures that it draws, and says what each shows",
      );
    });
  }
});

describe("the lessons' code", () => {
  test("imports what a user can import", () => {
    const allowed =
      /^(twoheads(\/(core|kernels|nn|grm|lab|report|node))?|node:fs|fast-check|@observablehq\/plot)$/;
    for (const { name, markdown } of lessons) {
      const imports = [...moduleOf(markdown).matchAll(/from "([^"]+)"|import\("([^"]+)"\)/g)];
      for (const [, from, dynamic] of imports) assert.match(from ?? dynamic ?? "", allowed, name);
    }
  });

  test("type-checks as strictly as the rest", () =>
    inFolder((temporary) => {
      for (const { name, markdown } of lessons)
        writeFileSync(join(temporary, `${name}.ts`), moduleOf(markdown));
      const own = JSON.parse(readFileSync(join(root, "tsconfig.json"), "utf8"));
      const paths = Object.fromEntries(
        Object.entries<string[]>(own.compilerOptions.paths).map(([from, [to = ""]]) => [
          from,
          [join(root, to)],
        ]),
      );
      const config = {
        extends: join(root, "tsconfig.json"),
        compilerOptions: { paths, typeRoots: [join(root, "node_modules/@types")] },
        include: ["*.ts"],
        exclude: [],
      };
      writeFileSync(join(temporary, "tsconfig.json"), JSON.stringify(config));
      assert.equal(compilerOn(temporary), "");
    }));
});
