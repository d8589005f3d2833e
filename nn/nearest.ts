// "Did you mean": the known names that are fewest edits away from one that nobody knows. For the errors
// of everything that is chosen by name (activations, LoRA's layers, fields of a configuration).

/** How many letters must be put in, taken out or replaced to make `b` out of `a` (Levenshtein). */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + Number(a[i - 1] !== b[j - 1]);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}

function lastPart(name: string): string {
  return name.slice(name.lastIndexOf(".") + 1);
}

/** The `count` known names nearest to `name`, nearest first; of dotted names the last part counts first. */
export function nearest(name: string, known: Iterable<string>, count = 5): string[] {
  const ranked = [...known].map((other) => ({
    other,
    last: distance(lastPart(name), lastPart(other)),
    all: distance(name, other),
  }));
  ranked.sort((p, q) => p.last - q.last || p.all - q.all);
  return ranked.slice(0, count).map(({ other }) => other);
}
