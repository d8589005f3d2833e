// One process at a time in a run's folder: a second is told who is there, and a lock whose process is gone, whose
// number is another's by now, or that nobody came to sign is in nobody's way; temporary folders of killed processes
// go. Next: ../nn/run/lock.ts, ../nn/checkpoints/temporary.ts, killed.test.ts.

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { hostname, tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { after, describe, test } from "node:test";
import { beginOf } from "../nn/checkpoints/files.ts";
import { makeTemporaryFolder, removeTemporaryFolder } from "../nn/checkpoints/temporary.ts";
import { replaceFile } from "../nn/node.ts";
import { Lock } from "../nn/run/lock.ts";
import { temporaryFolder } from "./folders.ts";

const folder = temporaryFolder("lock");
const children: ChildProcess[] = [];
after(() => {
  for (const child of children) child.kill("SIGKILL");
});

/** Another process, which does nothing. */
function other(): ChildProcess & { readonly pid: number } {
  const child = spawn(process.execPath, ["--eval", "setInterval(() => {}, 1000)"]);
  children.push(child);
  return child as ChildProcess & { readonly pid: number };
}

/** A lock as a process wrote it. */
function locked(name: string, holder: object): string {
  const path = join(folder, name);
  mkdirSync(path, { recursive: true });
  const since = "2026-01-02T03:04:05.678Z";
  writeFileSync(join(path, "run.lock"), JSON.stringify({ host: hostname(), since, ...holder }));
  return path;
}

describe("a run's folder", () => {
  test("is refused while another process is in it, and free when that is gone", async () => {
    const child = other();
    const path = locked("busy", { pid: child.pid, began: beginOf(child.pid) });
    const take = () => Lock.ofFolder(path);
    const who = `process ${child.pid} on ${hostname()} has worked in it since 2026-01-02T03:04:05`;
    assert.throws(take, new RegExp(`busy is in use: ${who}.*; wait for its end, or stop it$`));
    child.kill("SIGKILL");
    await once(child, "exit");
    const lock = take();
    assert.match(readFileSync(join(path, "run.lock"), "utf8"), new RegExp(`"pid":${process.pid}`));
    assert.throws(take, /is in use: process \d+ on/, "this process itself counts, too");
    lock.release();
    assert.deepEqual(readdirSync(path), []);
  });

  test("is refused for another machine's sake, with what to do", () => {
    const path = locked("elsewhere", { pid: 1, host: "elsewhere", began: null });
    assert.throws(
      () => Lock.ofFolder(path),
      /on elsewhere .* can't be asked from here. Wait for its end, or delete .*run\.lock if/,
    );
  });

  test("is free of a lock that nobody signed, and of one of a process whose number is another's", () => {
    const torn = locked("torn", {});
    for (const text of ["", '{"pid":']) {
      writeFileSync(join(torn, "run.lock"), text);
      Lock.ofFolder(torn).release();
    }
    const own = beginOf(process.ppid);
    if (own === null) return; // this system doesn't say when a process began
    const reused = locked("reused", { pid: process.ppid, began: `${Number(own) - 1}` });
    Lock.ofFolder(reused).release();
    const alive = locked("alive", { pid: process.ppid, began: own });
    assert.throws(() => Lock.ofFolder(alive), /is in use/);
  });

  test("that was taken over is noticed before anything is written", () => {
    const lock = Lock.ofFolder(join(folder, "stolen"));
    lock.check();
    locked("stolen", { pid: 1, began: null });
    assert.throws(() => lock.check(), /stolen: was deleted, moved away or taken over/);
    lock.release();
    assert.ok(existsSync(join(folder, "stolen", "run.lock")), "the other's lock stays");
  });
});

describe("what is temporary", () => {
  test("is removed, and what a killed process of this machine left as well", () => {
    const first = makeTemporaryFolder("locktest");
    const parts = basename(first).split(`-${process.pid}-`);
    const dead = join(dirname(first), parts.join("-4999999-"));
    mkdirSync(join(dead, "inside"), { recursive: true });
    const second = makeTemporaryFolder("locktest");
    assert.deepEqual(
      [existsSync(dead), existsSync(first), existsSync(second)],
      [false, true, true],
    );
    for (const path of [first, second]) removeTemporaryFolder(path);
    const left = readdirSync(tmpdir()).filter((name) => name.startsWith("twoheads-locktest-"));
    assert.deepEqual(left, []);
    assert.equal(process.listenerCount("SIGHUP"), 0);
  });

  for (const signal of ["SIGINT", "SIGHUP"] as const) {
    test(`goes with the process that ${signal} ends`, async () => {
      const file = new URL("../nn/checkpoints/temporary.ts", import.meta.url).href;
      const program = `import { makeTemporaryFolder } from ${JSON.stringify(file)};
        console.log(makeTemporaryFolder("locktest"));
        setInterval(() => {}, 1000);`;
      const tsx = ["--import", import.meta.resolve("tsx"), "--input-type=module"];
      const child = spawn(process.execPath, [...tsx, "--eval", program]);
      children.push(child);
      const [printed] = await once(child.stdout, "data");
      const path = String(printed).trim();
      assert.ok(existsSync(path));
      child.kill(signal);
      const [code] = await once(child, "exit");
      assert.ok(code > 128, `${code}`);
      assert.ok(!existsSync(path));
    });
  }

  test("a folder or a looped link in a temporary file's place is no stack", async () => {
    const path = join(folder, "place", "a.json");
    await replaceFile(path, "1");
    const old = (name: string): string => join(folder, "place", `.a.json.${name}-4999999-t0-0.tmp`);
    const host = hostname().replaceAll(/[^\w-]/g, "");
    mkdirSync(old(host));
    symlinkSync(old("other"), old("other")); // to itself
    await replaceFile(path, "2");
    assert.equal(readFileSync(path, "utf8"), "2");
    const loop = join(folder, "loop.json");
    symlinkSync(loop, loop);
    await assert.rejects(replaceFile(join(loop, "x"), ""), /loop.json: is in the way: /);
    await assert.rejects(replaceFile(join(folder, "place"), ""), /place: is a folder, not a file$/);
  });
});
