// The metrics of a run as a table that other tools plot: a row a step, columns called as TensorBoard shows them,
// train/loss and eval/accuracy. metrics.jsonl stays what is kept. Next: train.ts, ../../grm/trainer/records.ts.

import type { TrainRecord } from "../../grm/trainer/records.ts";

/** Records of steps and evaluations as CSV; numbers that aren't there are empty cells. */
export function metricsCsv(records: readonly TrainRecord[]): string {
  const rows = new Map<number, Map<string, string>>();
  const names = new Set<string>();
  for (const record of records) {
    if (record.kind !== "train" && record.kind !== "evaluation") continue;
    const part = record.kind === "train" ? "train" : "eval";
    const row = rows.get(record.step) ?? new Map<string, string>();
    rows.set(record.step, row);
    for (const [field, value] of Object.entries(record)) {
      if (typeof value !== "number" || field === "step") continue;
      names.add(`${part}/${field}`);
      row.set(`${part}/${field}`, String(value));
    }
  }
  const columns = [...names];
  const lines = [...rows].map(([step, row]) => [
    step,
    ...columns.map((name) => row.get(name) ?? ""),
  ]);
  return [["step", ...columns], ...lines].map((cells) => `${cells.join(",")}\n`).join("");
}
