// What comes from others: every licence in package-lock.json is one that is allowed, scripts at installation are those that
// docs/dependencies.md speaks of, and each dependency stands there with its reason. Next: ../docs/dependencies.md.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const read = (file: string): string => readFileSync(new URL(`../${file}`, import.meta.url), "utf8");

interface Locked {
  readonly license?: string;
  readonly dev?: boolean;
  readonly hasInstallScript?: boolean;
}

const { packages } = JSON.parse(read("package-lock.json")) as {
  readonly packages: Readonly<Record<string, Locked>>;
};
const installed = Object.entries(packages).filter(([path]) => path !== "");

const allowed = [
  "MIT",
  "ISC",
  "Apache-2.0",
  "BSD-2-Clause",
  "BSD-3-Clause",
  "BlueOak-1.0.0",
  "Unlicense",
];

test("licences ask for nothing but to be named", () => {
  const others = installed.flatMap(([path, { license = "none", dev = false }]) => {
    const choices = license.replaceAll(/[()]/g, "").split(" OR ");
    return choices.some((name) => allowed.includes(name)) ? [] : [`${path} ${license} ${dev}`];
  });
  // a page of accessibility rules, loaded by tests alone and never passed on
  assert.deepEqual(others, ["node_modules/axe-core MPL-2.0 true"]);
});

test("only tools of the checkout have scripts at installation", () => {
  const scripted = installed.filter(([, { hasInstallScript }]) => hasInstallScript === true);
  assert.deepEqual(scripted.map(([path]) => path.replace(/.*node_modules\//, "")).sort(), [
    "esbuild",
    "esbuild",
    "gl",
    "webgpu",
  ]);
  assert.ok(scripted.every(([, { dev }]) => dev === true));
});

test("every dependency has its reason in docs/dependencies.md", () => {
  const own = JSON.parse(read("package.json")) as Record<string, Readonly<Record<string, string>>>;
  const page = read("docs/dependencies.md");
  const names = Object.keys({
    ...own.dependencies,
    ...own.devDependencies,
    ...own.peerDependencies,
  });
  const missing = names.filter((name) => !new RegExp(`(^|[| ,(*])${name}[ ,|*]`, "m").test(page));
  assert.ok(names.length > 30);
  assert.deepEqual(missing, []);
});
