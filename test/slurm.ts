// A cluster of Slurm on this machine, for tests: munge, a controller and two simulated nodes on loopback, all of it in a
// temporary folder and without root's configuration. Next: sweep.engines.test.ts.

import { execFileSync, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { hostname, tmpdir, userInfo } from "node:os";
import { join } from "node:path";

const programs = ["munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "scontrol"];
const PATH = `${process.env.PATH}:/usr/sbin:/sbin`;

/** Why there can be no cluster here; false if there can. */
export function noSlurm(): string | false {
  const missing = programs.filter(
    (name) => spawnSync("which", [name], { env: { PATH } }).status !== 0,
  );
  if (process.platform === "linux" && missing.length === 0) return false;
  return `Slurm isn't installed (${missing.join(", ")} missing); Debian has it: slurm-wlm munge`;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function configuration(at: string, ports: readonly number[]): string {
  const [host = ""] = hostname().split(".");
  const user = userInfo().username;
  return [
    "ClusterName=twoheads",
    `SlurmctldHost=${host}(127.0.0.1)`,
    `SlurmctldPort=${ports[0]}`,
    `SlurmUser=${user}`,
    `SlurmdUser=${user}`,
    `AuthInfo=socket=${at}/munge.socket,cred_expire=20`, // a requeued job waits until its credential is void
    `StateSaveLocation=${at}/state`,
    `SlurmdSpoolDir=${at}/spool-%n`,
    `SlurmctldPidFile=${at}/slurmctld.pid`,
    `SlurmdPidFile=${at}/%n.pid`,
    `SlurmctldLogFile=${at}/slurmctld.log`,
    `SlurmdLogFile=${at}/%n.log`,
    "ProctrackType=proctrack/linuxproc",
    "TaskPlugin=task/none",
    "MpiDefault=none",
    "SelectType=select/cons_tres",
    "SelectTypeParameters=CR_CPU",
    "SlurmdParameters=config_overrides",
    "SchedulerType=sched/builtin",
    "KillWait=2",
    "SlurmdTimeout=10",
    "ReturnToService=2",
    "JobRequeue=1",
    "AccountingStorageType=accounting_storage/none",
    ...[1, 2].map(
      (i) =>
        `NodeName=n${i} NodeHostname=${host} NodeAddr=127.0.0.1 Port=${ports[i]} CPUs=2 State=UNKNOWN`,
    ),
    "PartitionName=all Nodes=n1,n2 Default=YES MaxTime=INFINITE State=UP",
    "",
  ].join("\n");
}

/** Two simulated nodes, n1 and n2, and their controller. */
export class Cluster {
  readonly env: NodeJS.ProcessEnv;

  private constructor(readonly at: string) {
    this.env = { ...process.env, PATH, SLURM_CONF: join(at, "slurm.conf") };
  }

  static async begin(): Promise<Cluster> {
    const at = mkdtempSync(join(tmpdir(), "twoheads-slurm-"));
    mkdirSync(join(at, "state"));
    writeFileSync(join(at, "key"), randomBytes(1024), { mode: 0o400 });
    const ports = [await freePort(), await freePort(), await freePort()];
    writeFileSync(join(at, "slurm.conf"), configuration(at, ports));
    const cluster = new Cluster(at);
    const munge = [
      "key-file=key",
      "socket=munge.socket",
      "pid-file=munge.pid",
      "log-file=munge.log",
      "seed-file=seed",
    ];
    cluster.ask("munged", [
      "--force",
      ...munge.map((words) => `--${words.replace("=", `=${at}/`)}`),
    ]);
    cluster.ask("slurmctld", ["-i"]);
    for (const node of ["n1", "n2"]) cluster.startNode(node);
    await cluster.until(() => /^idle\n$/.test(cluster.ask("sinfo", ["-h", "-o", "%T"])));
    return cluster;
  }

  /** What a program of Slurm's prints. */
  ask(program: string, args: readonly string[]): string {
    return execFileSync(program, args, {
      env: this.env,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
    });
  }

  startNode(name: string): void {
    this.ask("slurmd", ["-N", name]);
  }

  /** The process of the controller or of a node. */
  pidOf(name: string): number {
    return Number(readFileSync(join(this.at, `${name}.pid`), "utf8"));
  }

  async until(look: () => boolean): Promise<void> {
    for (let tries = 0; tries < 600; tries++) {
      if (look()) return;
      await new Promise((wake) => setTimeout(wake, 100));
    }
    throw new Error(`the cluster didn't come so far in a minute: ${this.ask("sinfo", [])}`);
  }

  async end(): Promise<void> {
    const names = ["n1", "n2", "slurmctld", "munge"].filter((name) =>
      existsSync(join(this.at, `${name}.pid`)),
    );
    for (const pid of names.map((name) => this.pidOf(name))) await stop(pid);
    rmSync(this.at, { recursive: true, force: true });
  }
}

/** Ends a process and waits until it has. */
async function stop(pid: number): Promise<void> {
  try {
    process.kill(pid, "SIGTERM");
    for (let tries = 0; tries < 100; tries++) {
      process.kill(pid, 0);
      await new Promise((wake) => setTimeout(wake, 100));
    }
  } catch {} // it has ended
}
