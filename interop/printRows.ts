// One half of a comparison with datasets: prints the rows of files, as JSON, a line each, and a last line of how many.
// Next: compareDatasets.py, which calls this.
//   tsx interop/printRows.ts FILE...

import { rowsAt } from "../grm/data/onDisk.ts";

for (const file of process.argv.slice(2)) {
  let count = 0;
  for await (const row of rowsAt(file)) {
    console.log(JSON.stringify(row.read().value));
    count++;
  }
  console.log(JSON.stringify({ file, count }));
}
