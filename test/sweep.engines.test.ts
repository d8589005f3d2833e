// Sweeps under engines that distribute: a real Slurm with two simulated nodes, and GNU parallel. Sixty jobs give the
// bytes that they give one after the other in this process, whatever is killed, cancelled, drained or requeued on the way.
// Where the engines aren't installed these tests are skipped and say so.
// Next: slurm.ts for the cluster, sweep.test.ts for sweeps on the cores of this machine.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import "../kernels/index.ts";
import { doJob } from "../lab/sweep/job.ts";
import { parallelWords } from "../lab/sweep/parallel.ts";
import { jobsOf, sweepPlan } from "../lab/sweep/plan.ts";
import { arrayScript } from "../lab/sweep/slurm.ts";
import { Cluster, noSlurm } from "./slurm.ts";
import { type Started, tinyPlan, twoheadsProcess } from "./sweeps.ts";

const folder = mkdtempSync(join(tmpdir(), "twoheads-engines-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const plan = sweepPlan(tinyPlan);
const path = join(folder, "plan.json");
writeFileSync(path, JSON.stringify(plan));

let reference: Promise<string> | undefined;

/** The merged file as jobs done one after the other, the last first, make it. */
async function wanted(): Promise<string> {
  reference ??= (async () => {
    const outcomes: object[] = [];
    for (const job of jobsOf(plan).reverse())
      outcomes.unshift(await doJob(job, join(folder, "bases")));
    return [{ plan }, ...outcomes].map((line) => `${JSON.stringify(line)}\n`).join("");
  })();
  return reference;
}

const merged = (out: string): string => readFileSync(join(out, "results.jsonl"), "utf8");

/** Lines of results that parts hold by now. */
function linesIn(out: string): number {
  const parts = join(out, "parts");
  if (!existsSync(parts)) return 0;
  const texts = readdirSync(parts).map((name) => readFileSync(join(parts, name), "utf8"));
  return texts.reduce((sum, text) => sum + text.split("\n").length - 1, 0);
}

/** Processes whose words hold all of these. */
function processesWith(...words: readonly string[]): number[] {
  return readdirSync("/proc").flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const line = readFileSync(`/proc/${name}/cmdline`, "utf8").replaceAll("\0", " ");
      return words.every((word) => line.includes(word)) ? [Number(name)] : [];
    } catch {
      return []; // it has ended
    }
  });
}

describe("GNU parallel", () => {
  const found = spawnSync("parallel", ["--version"], { encoding: "utf8" });
  const isThere = found.status === 0 && found.stdout.startsWith("GNU parallel");
  const skip = isThere ? false : "GNU parallel isn't installed; Debian has it: parallel";

  test("gives the same bytes, also where one of its processes is killed", { skip }, async () => {
    const out = join(folder, "parallel");
    const words = ["sweep", path, "--out", out, "--runner", "parallel", "--workers", "2"];
    const run = twoheadsProcess(words);
    await run.until(() => linesIn(out) >= 2);
    const [one] = await run.until(() => {
      const list = processesWith("sweep-lines", join(out, "bases"), "bin.js").filter((pid) =>
        isNode(pid),
      );
      return list.length > 0 && list;
    });
    process.kill(one ?? 0, "SIGKILL");
    assert.equal(await run.ended, 0, run.said());
    assert.equal(merged(out), await wanted());
    assert.equal(linesIn(out), 60, "nothing was done twice");
  });

  test("is told hosts, and what to run there", () => {
    const options = { bases: "b", workers: 3 };
    const words = parallelWords(options, { hosts: ["8/ada", ":"], command: "npx twoheads" }, 20);
    assert.equal(
      words.join(" "),
      "--pipe -N 20 --line-buffer --will-cite --jobs 3 --sshlogin 8/ada,: --workdir . " +
        "TWOHEADS_THREADS=1 npx twoheads sweep-lines b",
    );
  });
});

function isNode(pid: number): boolean {
  try {
    return /^node/.test(readFileSync(`/proc/${pid}/comm`, "utf8"));
  } catch {
    return false;
  }
}

test("an array's script says its tasks, that it may be requeued, and what a site wants", () => {
  const at = { folder: "/w/it's", bases: "/w/bases", tasks: "/w/tasks.jsonl", n: 7 };
  const script = arrayScript(at, { sbatch: ["--partition=cpu"], command: "npx twoheads" });
  for (const line of ["#SBATCH --array=0-6", "#SBATCH --requeue", "#SBATCH --partition=cpu"])
    assert.ok(script.split("\n").includes(line), line);
  assert.match(
    script,
    /exec npx twoheads sweep-lines \/w\/bases --tasks \S+ --folder '\/w\/it'\\''s' --share "\$SLURM_ARRAY_TASK_ID\/7"/,
  );
  assert.equal(spawnSync("sh", ["-n"], { input: script }).status, 0, "a shell can read it");
});

describe("Slurm", { skip: noSlurm() }, () => {
  let cluster: Cluster;
  before(async () => {
    cluster = await Cluster.begin();
  });
  after(() => cluster.end());

  const begin = (out: string, ...more: readonly string[]): Started =>
    twoheadsProcess(
      ["sweep", path, "--out", out, "--runner", "slurm", "--workers", "4", ...more],
      cluster.env,
    );
  const arrayOf = (run: Started, out: string): Promise<string> =>
    run.until(() => {
      const file = join(out, "slurm.json");
      const isModels =
        existsSync(join(out, "slurm-tasks.jsonl")) &&
        readFileSync(join(out, "slurm-tasks.jsonl"), "utf8").startsWith('{"job"');
      return (
        isModels && existsSync(file) && (JSON.parse(readFileSync(file, "utf8")).array as string)
      );
    });

  test("an array gives the same bytes", async () => {
    const out = join(folder, "array");
    const run = begin(out);
    assert.equal(await run.ended, 0, run.said());
    assert.equal(merged(out), await wanted());
    assert.equal(linesIn(out), 60);
  });

  test("loses nothing where tasks are killed, cancelled and requeued, nodes drained and killed, and the runner too", async () => {
    const out = join(folder, "faults");
    const first = begin(out);
    const array = await arrayOf(first, out);
    await first.until(() => linesIn(out) >= 2);
    cluster.ask("scontrol", ["update", "NodeName=n2", "State=DRAIN", "Reason=test"]);
    const [one] = processesWith("sweep-lines", out, "0/4").filter(isNode);
    if (one !== undefined) process.kill(one, "SIGKILL");
    cluster.ask("scancel", [`${array}_1`]);
    cluster.ask("scontrol", ["requeue", `${array}_2`]);
    first.child.kill("SIGKILL"); // the array goes on without it
    await first.ended;
    process.kill(cluster.pidOf("n1"), "SIGKILL");
    const second = begin(out);
    await new Promise((wake) => setTimeout(wake, 2000));
    cluster.startNode("n1");
    cluster.ask("scontrol", ["update", "NodeName=n2", "State=RESUME"]);
    assert.equal(await second.ended, 0, second.said());
    assert.equal(merged(out), await wanted());
    assert.match(second.said(), /task \d+_1 of Slurm: CANCELLED/);
  });

  const isLong = process.env.TWOHEADS_SLURM === "all";
  const skip = isLong
    ? false
    : "takes two minutes, as Slurm's limits are minutes; TWOHEADS_SLURM=all runs it";

  test("a task that reaches its time limit leaves the rest to the next array", {
    skip,
  }, async () => {
    const out = join(folder, "limit");
    const run = begin(out, "--sbatch", "--time=1");
    await arrayOf(run, out);
    const [one] = await run.until(() => {
      const list = processesWith("sweep-lines", out, "0/4").filter(isNode);
      return list.length > 0 && list;
    });
    process.kill(one ?? 0, "SIGSTOP"); // it hangs
    assert.equal(await run.ended, 0, run.said());
    assert.match(run.said(), /task \d+_0 of Slurm: TIMEOUT/);
    assert.equal(merged(out), await wanted());
  });
});
