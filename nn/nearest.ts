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

/** The `count` known names that are nearest to `name`, nearest first. */
export function nearest(name: string, known: Iterable<string>, count = 5): string[] {
  const ranked = [...known].map((other) => ({ other, away: distance(name, other) }));
  ranked.sort((p, q) => p.away - q.away);
  return ranked.slice(0, count).map(({ other }) => other);
}
