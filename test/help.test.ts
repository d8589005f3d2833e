// What the command line says of itself: every help text makes sense alone, --json means one thing, and the
// examples and hints that are printed can be typed where the package is installed and nothing else is.
// Next: ../cli/cli.ts, ../cli/commands/json.ts.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { Command } from "commander";
import { program } from "../cli/cli.ts";
import { jsonOption } from "../cli/commands/json.ts";
import { fullPlan } from "../lab/demo/plan.ts";
import { introduction, nextCommands } from "../lab/demo/text.ts";
import { twoheads, twoheadsHere } from "./commandLine.ts";

/** The commands that help lists, but for commander's own. */
function visible(): readonly Command[] {
  const all = program();
  return all
    .createHelp()
    .visibleCommands(all)
    .filter((command) => command.name() !== "help");
}

function commandNamed(name: string): Command | undefined {
  return program().commands.find((command) => command.name() === name);
}

/** All that --help prints. */
function helpOf(command: Command): string {
  const parts: string[] = [];
  command.configureOutput({ writeOut: (part) => void parts.push(part) }).outputHelp();
  return parts.join("");
}

describe("help texts", () => {
  const texts = visible().flatMap((command) => [
    [command.name(), command.description()] as const,
    ...command.options.map(
      (option) => [`${command.name()} ${option.flags}`, option.description] as const,
    ),
    ...command.registeredArguments.map(
      (argument) => [`${command.name()} <${argument.name()}>`, argument.description] as const,
    ),
  ]);

  test("there are many", () => assert.ok(texts.length > 180, String(texts.length)));

  test("make sense alone: none needs its neighbour or its option's name", () => {
    const hanging =
      /^(of|on|in|inside|at|by|from|to|or|and|with|without|where|how many|also|another|the same|its)\b/;
    for (const [name, text] of texts) {
      const own = text.replace(/ \((default|choices).*\)$/, "");
      assert.doesNotMatch(own, hanging, name);
      assert.ok(own.length >= 20 && own.split(" ").length >= 4, `${name}: "${own}" is a fragment`);
      assert.match(own, /^[a-zA-Z]/, name);
    }
  });

  test("say a default or are needed, where a number is asked for", () => {
    for (const command of visible())
      for (const { flags, description, defaultValue } of command.options)
        if (flags.includes("<number>") || flags.includes("<share>"))
          assert.ok(
            defaultValue !== undefined || /default/.test(description),
            `${command.name()} ${flags}`,
          );
  });
});

describe("examples and hints", () => {
  const printed = [
    ...[program(), ...visible()].map(helpOf),
    nextCommands(),
    introduction(fullPlan, [0, 1, 2], (seed) => seed === 0),
  ].join("\n");
  const typed = [
    ...printed.matchAll(/^ +(?:\$ |npx )(?:.*\| )?twoheads (.*?)(?: {2,}.*|;.*)?$/gm),
  ].map(([, words = ""]) => words);

  test("there are many", () => assert.ok(typed.length > 40, String(typed.length)));

  test("name commands and options that there are", () => {
    for (const words of typed) {
      const [name = "", ...others] = words.split(" ");
      const command = commandNamed(name);
      assert.ok(command !== undefined, words);
      const known = command.options.flatMap(({ long }) => long ?? []);
      for (const word of others)
        if (/^--\w/.test(word)) assert.ok(known.includes(word), `${words}: ${word}`);
    }
  });

  test("name no file of a checkout", () => {
    assert.doesNotMatch(printed, /\.\.\/|lab\/|shared\/|cli\/|npm run/);
  });

  test("a base is found by its name from anywhere", () => {
    const folder = mkdtempSync(join(tmpdir(), "twoheads-anywhere-"));
    const hint = typed.find((words) => words.startsWith("generate spelled-1"));
    assert.ok(hint !== undefined);
    const args = ["generate", "spelled-1", "--prompt", "fox woods :", "--max-tokens", "4"];
    const { status, stdout, stderr } = twoheads(args, { cwd: folder });
    rmSync(folder, { recursive: true });
    assert.equal(status, 0, stderr);
    assert.match(stdout, /^fox woods :.*\w+/);
  });
});

/** Command lines that take no time, and the names in their JSON, or in the first of its list. */
const quickly: readonly (readonly [words: string, names: string])[] = [
  ["ops", "name kind fused example"],
  ["ops tanh", "name kind fused example"],
  ["world tales --samples 1", "world purpose vocabulary stories"],
  ["world spelled --pairs word --samples 1", "world purpose vocabulary pairs"],
  ["data --layouts", "name seen"],
  ["check --only tanh --runs 1", "ops properties runs order seconds failures"],
  ["generate spelled-1 --max-tokens 1", "model seed samples"],
];

describe("--json", () => {
  test("is a switch with one meaning, in every command", () => {
    const switches = visible().map((command) => {
      const option = command.options.find(({ long }) => long === "--json");
      return [command.name(), option?.flags, option?.description];
    });
    const { description } = jsonOption();
    assert.deepEqual(
      switches,
      visible().map((command) => [command.name(), "--json", description]),
    );
    assert.ok(switches.length > 20);
  });

  for (const [words, names] of quickly)
    test(`twoheads ${words}: one line of JSON and nothing else`, async () => {
      const { out, said, code } = await twoheadsHere([...words.split(" "), "--json"]);
      assert.deepEqual([said, code, out.split("\n").length], ["", 0, 1]);
      const [found] = [JSON.parse(out)].flat();
      assert.equal(Object.keys(found).join(" "), names);
    });

  test("what is said meanwhile goes to standard error, and a mistake leaves standard output empty", async () => {
    const wrong = await twoheadsHere(["ops", "softmaxx", "--json"]);
    assert.deepEqual([wrong.out, wrong.code], ["", 1]);
    assert.match(wrong.said, /did you mean .*softmax/);
    const chat = ["generate", "stories", "--chat", "Hi", "--max-tokens", "1", "--json"];
    const { out, said } = await twoheadsHere(chat);
    assert.equal(JSON.parse(out).samples.length, 1);
    assert.match(said, /^conversation: written by/);
  });

  for (const [name, remedy] of [
    ["demo", "--results"],
    ["bon", "--out"],
  ] as const)
    test(`${name} --json FILE, as it once was, says what to write`, () => {
      for (const words of [["--json", "a.json"], ["--json=a.json"]]) {
        const command = commandNamed(name) as Command;
        const silent = { writeErr: () => {} };
        command
          .exitOverride()
          .configureOutput(silent)
          .action(() => {});
        assert.throws(() => command.parse(words, { from: "user" }), {
          message: new RegExp(`--json takes no file any more.*Write ${remedy} a\\.json\\.`),
        });
      }
      const plain = (commandNamed(name) as Command)
        .action(() => {})
        .parse(["--json"], { from: "user" });
      assert.equal(plain.opts().json, true);
    });
});
