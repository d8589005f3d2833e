// npm run bench [-- NAME...] [--quick]: runs the subjects named, or all of them, one after the other.
// Each validates, then times, prints its table and writes it to results/. Ctrl-C keeps what is there.
// Read next: races.ts, the comparisons with other libraries; kernels/, the kernels by themselves.

import { fork as startProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { flagsTakenByNpm } from "../cli/npmFlags.ts";
import { engines } from "./engines.ts";
import { generation } from "./generation.ts";
import { gpu } from "./gpu.ts";
import { growth } from "./growth.ts";
import { attention } from "./kernels/attention.ts";
import { elementwise } from "./kernels/elementwise.ts";
import { fork } from "./kernels/fork.ts";
import { batched, kernel } from "./kernels/matmul.ts";
import { rows } from "./kernels/rows.ts";
import { ladder } from "./ladder.ts";
import { memory } from "./memory.ts";
import * as races from "./races.ts";
import { ResultTable, writeReadme } from "./report.ts";

interface Subject {
  readonly title: string;
  readonly about: string;
  run(table: ResultTable, options: races.RacesOptions): Promise<void>;
}

const steps =
  "Forward, backward and AdamW of a small GPT: XS (V 64, L 2, D 32, T 32, B 4), " +
  "S (V 256, L 2, D 64, T 64, B 16), M (V 512, L 4, D 128, T 64, B 16); 4 heads, pre-norm, GELU. " +
  "The losses of the first 5 steps agree.";

const subjects: Readonly<Record<string, Subject>> = {
  engines: {
    title: "A training step at a glance",
    about: steps,
    run: engines,
  },
  training: {
    title: "A training step against other libraries",
    about: steps,
    run: races.training,
  },
  matmul: {
    title: "Matrix products against other libraries",
    about: "float32, n x n times n x n, by each library's own tensors.",
    run: races.matmul,
  },
  rows: {
    title: "Rows against other libraries",
    about: "exp and softmax over the rows of a matrix.",
    run: races.rows,
  },
  generation: {
    title: "Generation",
    about: "Size M with a longer context continues prompts of 16 tokens greedily, on one thread.",
    run: generation,
  },
  threads: {
    title: "Threads",
    about: "The same work on more threads; the bits are the same.",
    run: races.threads,
  },
  growth: {
    title: "How a training step grows",
    about: "From V 256, L 2, D 64, 4 heads, T 64, B 8, one thing at a time.",
    run: growth,
  },
  memory: {
    title: "Memory of a training loop",
    about: "A plain loop, nothing released by hand.",
    run: memory,
  },
  kernel: {
    title: "The matmul kernel against the machine",
    about: "One thread; the peak is a loop of multiplies and adds that never touches memory.",
    run: kernel,
  },
  batched: {
    title: "Batches of small products",
    about: "64 products at once, one thread, and a single row times a matrix.",
    run: batched,
  },
  elementwise: {
    title: "Elementwise kernels",
    about: "One thread; GB/s count what must be read and written.",
    run: elementwise,
  },
  norms: {
    title: "Kernels over rows",
    about: "One thread; GB/s count what must be read and written.",
    run: rows,
  },
  attention: {
    title: "Causal attention",
    about: "One thread; the scores are never stored. GFLOP/s count what the mask leaves.",
    run: attention,
  },
  fork: {
    title: "Sharing a job between two threads",
    about: "One call, alone and shared, with the worker awake and asleep.",
    run: fork,
  },
  gpu: {
    title: "The gpu device by mode",
    about:
      "Square products, and a training step of size S, eager and as one plan; all times include reading one " +
      "number. wasm is the SIMD device on all threads.",
    run: gpu,
  },
  ladder: {
    title: "The matmul ladder",
    about: "From three nested loops to the kernel, an idea a rung.",
    run: ladder,
  },
};

async function main(): Promise<void> {
  const { values: options, positionals } = parseArgs({
    args: [...process.argv.slice(2), ...flagsTakenByNpm(["--quick"])],
    options: { quick: { type: "boolean", default: false } },
    allowPositionals: true,
  });
  const names = positionals.length > 0 ? positionals : Object.keys(subjects);
  const unknown = names.filter((name) => subjects[name] === undefined);
  if (unknown.length > 0) {
    console.error(
      `There is no ${unknown.join(", ")}; subjects: ${Object.keys(subjects).join(", ")}`,
    );
    process.exit(1);
  }
  const [name = ""] = names;
  if (names.length === 1) await runSubject(name, subjects[name] as Subject, options);
  else await runApart(names, options);
}

/** Each subject in a process of its own, so that none inherits another's memory or compiled code. */
async function runApart(names: readonly string[], options: races.RacesOptions): Promise<void> {
  process.on("SIGINT", () => {}); // goes to the subject too, which writes what it has and ends
  for (const name of names) {
    const flags = options.quick ? ["--quick"] : [];
    const child = startProcess(fileURLToPath(import.meta.url), [name, ...flags], {
      execArgv: ["--import", "tsx"],
    });
    const [code] = (await once(child, "exit")) as [number | null];
    if (code !== 0) process.exit(code ?? 1);
  }
}

async function runSubject(
  name: string,
  subject: Subject,
  options: races.RacesOptions,
): Promise<void> {
  const table = new ResultTable(name, subject.title, subject.about);
  const finish = (unfinished?: string) => {
    if (table.rows.length > 0) table.write(unfinished);
    writeReadme(Object.keys(subjects));
  };
  const interrupt = () => {
    finish("interrupted");
    process.exit(130);
  };
  process.once("SIGINT", interrupt);
  await subject.run(table, options);
  process.off("SIGINT", interrupt);
  finish(options.quick ? "a quick run" : undefined);
}

await main();
